"""A text as the JSON document that it is, or none: for texts that somebody else chose.

What was recorded need not be JSON, whatever its type says, and can be nested deeper than a reader
of ours goes; then it is a text like any other, and no error. Nothing here knows of secrets: where
one could hide behind a name that stands twice, `redact.py` reads more strictly. Pure. RFC 8259 §9.
Next: `gifts.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

DEEP: Final = 128
"""Levels of nesting: more than the endpoint takes, and far from where Python gives up. RFC 8259 §9.
"""


def document(text: str) -> object:
    """The document that a text is; None where it is none, or too deep. RFC 8259 §9."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return None if _is_deeper_than(DEEP, found) else found


def members(text: str) -> Mapping[str, Any]:
    """The members of a text that is a JSON object; none of any other."""
    return mapping(document(text))


def mapping(value: object) -> Mapping[str, Any]:
    """The members of a value that is an object; none of any other."""
    return value if isinstance(value, Mapping) else {}


def spread(value: object, indent: int = 2) -> str:
    """A document as somebody reads it, a member a line."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _is_deeper_than(levels: int, value: object) -> bool:
    """A level at a time, because whoever goes into each in turn must go as deep as there is."""
    here = [value]
    for _ in range(levels):
        here = [inner for each in here for inner in _inside(each)]
    return any(isinstance(each, dict | list) for each in here)


def _inside(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []

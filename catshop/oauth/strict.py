"""JSON that can be read in one way only, for documents that somebody else has written.

Two members of one name mean one thing to us and another to the next reader, and so do numbers that
are none; what is signed or decides who may enter must not depend on who reads it. Pure.
RFC 8259 §4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

Members = Mapping[str, Any]


def members(text: bytes) -> Members:
    """The members of one JSON object in UTF-8; ValueError, with the reason, for anything else."""
    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"{type(found).__name__} in place of an object")
    return found


def strings(found: Members, name: str) -> tuple[str, ...]:
    """The member as a list of strings; empty when it is absent, ValueError when it is not one."""
    value = found.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name} is no list of strings")
    return tuple(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member comes twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")

"""`key=value` on the command line, made into what a tool's schema asks for.

The schema says whether `7` is a number or a name, so a person types no quotes; where the schema
leaves it open, or wants an array or an object, the value is read as JSON. A name that the tool does
not have is answered with the one that was meant. The server checks the rest: it knows the rules.
Pure. Next: `call.py`. MCP 2026-07-28 server/tools §tool.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from catshop.client.errors import ClientError

WORDS: Final = {"true": True, "yes": True, "false": False, "no": False}
"""What a boolean is typed as."""


class Mistyped(ClientError):
    """The command line does not say what the tool could be called with."""


def typed(schema: Mapping[str, Any], given: Sequence[str]) -> dict[str, object]:
    """The arguments; Mistyped where one is no pair, is unknown, or is not of its type."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    open_ended = schema.get("additionalProperties", not known) is not False and not known
    found: dict[str, object] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise Mistyped("E-CALL-01", pair)
        if name not in known and not open_ended:
            raise Mistyped("E-CALL-02", meant(name, known))
        found[name] = value(name, known.get(name), text)
    return found


def meant(name: str, known: Iterable[str]) -> str:
    """A name that is not there, and the nearest that is; or all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"{name}; did you mean {close[0]}?"
    return f"{name}; there is {', '.join(names) or 'nothing'}"


def value(name: str, schema: object, text: str) -> object:
    """One value, by the type that its schema names. JSON Schema 2020-12 validation §6.1.1."""
    kinds = _kinds(schema)
    if "string" in kinds:
        return text
    if "boolean" in kinds and text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        if not kinds:
            return text
        raise Mistyped("E-CALL-03", f"{name}={text}: {' or '.join(sorted(kinds))}") from None


def _kinds(schema: object) -> frozenset[str]:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    listed = kind if isinstance(kind, list) else [kind]
    return frozenset(each for each in listed if isinstance(each, str))

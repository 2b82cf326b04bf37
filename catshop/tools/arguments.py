"""Arguments against a tool's inputSchema: accepted as they are, or refused with JSON pointers.

A validator is prepared once for each tool and follows no reference out of its schema. What is wrong
is said in our own words, never in Python's or SQLite's, and every value that is echoed is cut.
JSON Schema 2020-12, RFC 6901.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry

from catshop.tools.faults import ToolFault

SHOWN: Final = 40
"""Characters of a value that a refusal repeats."""
MOST: Final = 5
"""Faults that one refusal names; the rest come to light with the next try."""


class Arguments:
    """One tool's arguments, ready to check."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        Draft202012Validator.check_schema(schema)
        self.schema = schema
        self._validator = Draft202012Validator(schema, registry=Registry())
        properties = schema.get("properties", {})
        self._integers = [name for name, of in properties.items() if of.get("type") == "integer"]
        self._may_be_empty = not schema.get("required") and not schema.get("minProperties")

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the handler is given; ToolFault E-ARGS when it does not fit.

        JSON has one kind of number, so 2.0 is an integer; the handler gets it as 2.
        """
        if not given and self._may_be_empty:
            return {}
        if unfit := [where for where, text in texts(given) if not is_text(text)]:
            raise ToolFault("E-ARGS-02", f"{unfit[0]}: {NOT_TEXT}")
        if not self._validator.is_valid(given):
            raise ToolFault("E-ARGS-01", "; ".join(problems(self._validator, given)))
        read = dict(given)
        for name in self._integers:
            if isinstance(read.get(name), float):
                read[name] = int(read[name])
        return read


NOT_TEXT: Final = "holds NUL or a lone surrogate, which no text may hold"


def is_text(text: str) -> bool:
    """Whether every store and every client can hold the text."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text))


def texts(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, names of members too, with its pointer."""
    match value:
        case str():
            yield where or "/", value
        case Mapping():
            for name, inner in value.items():
                yield from texts(name, f"{where}/{_token(name)}")
                yield from texts(inner, f"{where}/{_token(name)}")
        case list():
            for number, inner in enumerate(value):
                yield from texts(inner, f"{where}/{number}")
        case _:
            return


def problems(validator: Draft202012Validator, value: object) -> list[str]:
    """What does not fit, each as `/pointer: why`, in the order of the pointers.

    Looks no further once it has enough to say: a hostile caller can be wrong in a million places.
    """
    errors = islice(validator.iter_errors(value), MOST)
    found = [line for error in errors for line in islice(_lines(error), MOST)]
    return sorted(set(found))[:MOST]


def _lines(error: ValidationError) -> Iterable[str]:
    where = "".join(f"/{_token(step)}" for step in error.absolute_path)
    given: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    match error.validator:
        case "required":
            missing = (name for name in wanted if name not in given)
            return (f"{where}/{_token(name)}: is missing" for name in missing)
        case "additionalProperties":
            known = list(schema.get("properties", {}))
            extra = (name for name in given if name not in known)
            return (f"{where}/{_token(name)}: {_superfluous(name, known)}" for name in extra)
    say = SAY.get(str(error.validator), lambda _: f"does not fit the schema ({error.validator})")
    return [f"{where or '/'}: {show(given)} {say(wanted)}"]


SAY: Final[Mapping[str, Callable[[Any], str]]] = {
    "type": lambda expected: f"is not of type {show(expected)}",
    "enum": lambda expected: f"is not one of {show(expected)}",
    "minimum": lambda least: f"is less than the minimum of {least}",
    "maximum": lambda most: f"is greater than the maximum of {most}",
    "minLength": lambda least: f"is shorter than the minimum of {least} characters",
    "maxLength": lambda most: f"is longer than the maximum of {most} characters",
    "pattern": lambda pattern: f"does not match {pattern}",
}


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name, or nothing."""
    close = difflib.get_close_matches(name[:SHOWN], list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def show(value: object) -> str:
    """A value as ASCII JSON, cut."""
    text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _superfluous(name: str, known: list[str]) -> str:
    return f"is not known here{did_you_mean(name, known)}"


def _token(step: object) -> str:
    """One reference token of a JSON pointer, printable and cut. RFC 6901 §3."""
    text = str(step).replace("~", "~0").replace("/", "~1")
    return json.dumps(text[:SHOWN])[1:-1]

"""JSON that can be read in one way only, for documents that somebody else has written.

Two members of one name mean one thing to us and another to the next reader, and so do numbers that
are none and halves of characters; what is signed or decides who may enter must not depend on who
reads it. What has been read can be stored and written again. Pure. RFC 8259 §4, §6, §8.2, §9.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

Members = Mapping[str, Any]

DEPTH: Final = 32
"""Levels of nesting: far from where any reader or writer of ours gives up. RFC 8259 §9."""

HALF: Final = re.compile("[\ud800-\udfff]")
"""A surrogate that stands alone: no character, and nothing that UTF-8 can hold. RFC 8259 §8.2."""


def members(text: bytes) -> Members:
    """The members of one JSON object in UTF-8; ValueError, with the reason, for anything else."""
    try:
        found = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"{type(found).__name__} in place of an object")
    _check(found, DEPTH)
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


def _check(value: object, room: int) -> None:
    """Every text in the document is one, and none lies deeper than `room`."""
    if isinstance(value, str):
        if HALF.search(value):
            raise ValueError("half a character")
        return
    if not isinstance(value, dict | list):
        return
    if not room:
        raise ValueError("nested too deeply")
    for inner in (*value, *value.values()) if isinstance(value, dict) else value:
        _check(inner, room - 1)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:16]} is no number")

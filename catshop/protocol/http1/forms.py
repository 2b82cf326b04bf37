"""Forms: `name=value` pairs in a query or a body, read strictly.

Pure. OAuth forbids a parameter that comes twice, because two readers would pick differently; so a
repetition is an error at the moment a decision asks for that name. What is not UTF-8, or not
properly percent-encoded, is no form. Next: `guard.py`. RFC 6749 §3.1, §3.2, WHATWG URL §5.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.targets import shown

MEDIA_TYPE: Final = "application/x-www-form-urlencoded"

PARAMETERS: Final = 100
"""Pairs in one form."""

_BROKEN: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class FormError(HttpError):
    """What came is no form. OAuth's door answers it as `invalid_request` instead."""

    def __init__(self, code: str, arrived: str) -> None:
        super().__init__(400, code, arrived=arrived)


class RepeatedParameter(FormError):
    """The parameter `name` came more than once. RFC 6749 §3.1, §3.2."""

    def __init__(self, name: str) -> None:
        super().__init__("E-HTTP-61", f"{shown(name, 40)} more than once")
        self.name = name


class Form:
    """The pairs of a form in the order they came."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: tuple[tuple[str, str], ...] = ()) -> None:
        self._pairs = pairs

    def one(self, name: str) -> str | None:
        """The value of `name`, or None; RepeatedParameter when there are two to choose from."""
        values = self.all(name)
        if len(values) > 1:
            raise RepeatedParameter(name)
        return values[0] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of `name`, for the few parameters that may be repeated."""
        return tuple(value for known, value in self._pairs if known == name)

    def refuse_repetition(self, *but: str) -> None:
        """Raise RepeatedParameter for the first name that came twice, unless it is one of `but`."""
        seen: set[str] = set()
        for name, _ in self._pairs:
            if name in seen and name not in but:
                raise RepeatedParameter(name)
            seen.add(name)

    def __contains__(self, name: str) -> bool:
        return any(known == name for known, _ in self._pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        # Values are passwords and codes.
        return f"Form({', '.join(name for name, _ in self._pairs)})"


def parse_form(text: str | bytes, *, most: int = PARAMETERS) -> Form:
    """The form that `text` is; FormError when it is none, or has more than `most` pairs."""
    if isinstance(text, bytes):
        try:
            text = text.decode("ascii")
        except UnicodeDecodeError:
            raise FormError("E-HTTP-60", "octets that are not ASCII") from None
    if text.count("&") >= most:
        raise FormError("E-HTTP-60", f"more than {most} parameters")
    pairs = (pair.partition("=") for pair in text.split("&") if pair)
    return Form(tuple((_decode(name), _decode(value)) for name, _, value in pairs))


def _decode(text: str) -> str:
    if "%" not in text:
        return text.replace("+", " ")
    if _BROKEN.search(text):
        raise FormError("E-HTTP-60", "a percent sign without two hexadecimal digits")
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise FormError("E-HTTP-60", "percent-encoded octets that are not UTF-8") from None

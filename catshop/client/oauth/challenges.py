"""WWW-Authenticate, read: which schemes a server offers and what it says with each.

The grammar is easy to read wrong, since a comma parts both challenges and their parameters, and a
quoted string may hold one. So it is read as it is written, token by token, and what is no
challenge is left out in silence: a stranger's header is a hint and decides nothing by itself. Pure.
RFC 9110 §11.2, §11.6.1; RFC 9728 §5.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 -- a production of RFC 9110 section 5.6.2, no secret
"""RFC 9110 §5.6.2."""

PARAMETER: Final = re.compile(rf'({TOKEN})[ \t]*=[ \t]*(?:({TOKEN})|"((?:[^"\\]|\\.)*)")')
"""auth-param: a name and a token or a quoted string. RFC 9110 §11.2."""

SCHEME: Final = re.compile(rf"({TOKEN})(?:[ \t]+(?=\S)|[ \t]*(?=,|$))(?![ \t]*=)")
"""auth-scheme, which no equals sign follows. RFC 9110 §11.1."""

TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*[ \t]*(?=,|$)")
"""What Basic and Negotiate send in place of parameters. RFC 9110 §11.2."""

GAP: Final = re.compile(r"[ \t,]*")

LENGTH: Final = 8192
"""Octets of a challenge that are read."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One scheme in lower case, and its parameters by lower-case name."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the call needs, in the order of the server; empty where it says nothing."""
        return tuple(self.parameters.get("scope", "").split())

    @property
    def resource_metadata(self) -> str | None:
        """Where the resource tells of itself. RFC 9728 §5.1."""
        return self.parameters.get("resource_metadata")

    @property
    def error(self) -> str | None:
        """Why a token was refused; None where there was none. OAuth 2.1 §5.3.2."""
        return self.parameters.get("error")


def challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Every challenge of every such field, in order."""
    return tuple(found for value in values for found in _read(value[:LENGTH]))


def best(values: Iterable[str]) -> Challenge | None:
    """The challenge that a client with access tokens can answer: DPoP before Bearer.

    Where both are there they are about one resource, and what the one leaves out the other says:
    a server need not tell its scopes and its metadata twice. RFC 9449 §7.1.
    """
    found = {challenge.scheme: challenge for challenge in reversed(challenges(values))}
    dpop, bearer = found.get("dpop"), found.get("bearer")
    if dpop and bearer:
        return Challenge(dpop.scheme, {**bearer.parameters, **dpop.parameters})
    return dpop or bearer


def _read(value: str) -> list[Challenge]:
    found: list[Challenge] = []
    at = _gap(value, 0)
    while scheme := SCHEME.match(value, at):
        parameters, at = _parameters(value, scheme.end())
        found.append(Challenge(scheme[1].lower(), parameters))
    return found


def _parameters(value: str, at: int) -> tuple[Mapping[str, str], int]:
    if (other := TOKEN68.match(value, at)) and not SCHEME.match(value, at):
        at = other.end()
    found: dict[str, str] = {}
    at = _gap(value, at)
    while parameter := PARAMETER.match(value, at):
        name, token, quoted = parameter.groups()
        text = token if token is not None else re.sub(r"\\(.)", r"\1", quoted)
        found.setdefault(name.lower(), text)
        at = _gap(value, parameter.end())
    return found, at


def _gap(value: str, at: int) -> int:
    gap = GAP.match(value, at)
    return gap.end() if gap else at

"""Scopes: what a token may be used for, and the words in which a user is asked.

One table. `write` does not imply `read`: whoever wants both asks for both. A hierarchy, when there
is one, is a row of `IMPLIES` and nothing else. Pure. RFC 6749 §3.3, OAuth 2.1 §1.4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from catshop.oauth.errors import InvalidScope


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope, as the consent page shows it."""

    name: str
    title: str
    detail: str


CATALOGUE: Final[Mapping[str, Scope]] = {
    "read": Scope("read", "Look around", "See the products, your cart and your past orders."),
    "write": Scope("write", "Shop for you", "Change your cart and place orders in your name."),
}
"""Every scope there is, in the order in which it is shown and sent."""

IMPLIES: Final[Mapping[str, frozenset[str]]] = {name: frozenset() for name in CATALOGUE}
"""Which narrower scopes a scope contains."""

DEFAULT: Final = frozenset({"read"})
"""What is meant when no scope is asked for: the least. OAuth 2.1 §1.4.1."""

IGNORED: Final = frozenset({"openid", "email", "profile", "offline_access"})
"""OpenID scopes that clients add by habit; dropped, and the answer says what was granted."""

TOKEN: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,64}")
"""scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). RFC 6749 §3.3; the upper bound is ours."""

MOST: Final = 32
"""Scopes in one request. There are two; the rest is room for habits."""


def parse(text: str) -> frozenset[str]:
    """The scopes of our catalogue in `text`. Spaces and repetitions do no harm; strangers do."""
    names = text.split(" ") if len(text) <= MOST * 64 else ["*"] * (MOST + 1)
    if len(names) > MOST:
        raise InvalidScope("E-SCOPE-01", arrived=text)
    wanted = {name for name in names if name} - IGNORED
    for name in sorted(wanted):
        if not TOKEN.fullmatch(name):
            raise InvalidScope("E-SCOPE-01", arrived=name)
        if name not in CATALOGUE:
            raise InvalidScope("E-SCOPE-02", arrived=name)
    return frozenset(wanted)


def write(scopes: Iterable[str]) -> str:
    """Scopes as they stand on the wire: our order, single spaces. RFC 6749 §3.3."""
    held = frozenset(scopes)
    return " ".join(name for name in CATALOGUE if name in held)


def reach(granted: Iterable[str]) -> frozenset[str]:
    """What is granted, with everything that it implies."""
    seen: set[str] = set()
    waiting = list(granted)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(IMPLIES.get(name, ()))
    return frozenset(seen)


def covers(granted: Iterable[str], needed: Iterable[str]) -> bool:
    """Whether a token with `granted` suffices for a call that takes all of `needed`.

    MCP 2026-07-28 basic/authorization §step-up-authorization-flow.
    """
    return frozenset(needed) <= reach(granted)

"""Scopes: what a token may be used for, and the words in which a user is asked.

One table, and one hierarchy. `read` and `write` are umbrellas over what each part of the shop asks
for; `write` does not imply `read`, and neither reaches what is the operator's alone. A set of
scopes means everything that it implies, so two sets are compared by their reach, and are written
without what another of them implies. Pure. RFC 6749 §3.3; OAuth 2.1 §1.4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from catshop.oauth.errors import InvalidScope


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope, as the consent page shows it, and the narrower ones that it contains."""

    name: str
    title: str
    detail: str
    implies: frozenset[str] = frozenset()


SCOPES: Final = (
    Scope(
        "read",
        "Look around",
        "See the products, your cart and your past orders.",
        frozenset({"catalog:read", "cart:read", "orders:read"}),
    ),
    Scope(
        "write",
        "Shop for you",
        "Change your cart and place orders in your name.",
        frozenset({"cart:write", "orders:write"}),
    ),
    Scope("catalog:read", "See the products", "What the shop sells, and at what price."),
    Scope("cart:read", "See your cart", "What you are about to buy."),
    Scope("cart:write", "Change your cart", "Put things in and take them out."),
    Scope("orders:read", "See your orders", "What you have bought before."),
    Scope("orders:write", "Place orders", "Buy what is in the cart, in your name."),
    Scope("admin:catalog", "Run the shop", "Change what the shop sells, and at what price."),
    Scope("admin:orders", "Handle orders", "Cancel and refund orders of anybody."),
)

CATALOGUE: Final[Mapping[str, Scope]] = {scope.name: scope for scope in SCOPES}
"""Every scope there is, in the order in which it is shown and sent."""

IMPLIES: Final[Mapping[str, frozenset[str]]] = {scope.name: scope.implies for scope in SCOPES}
"""The hierarchy: which narrower scopes a scope contains."""

ORDINARY: Final = frozenset(name for name in CATALOGUE if not name.startswith("admin:"))
"""What strangers may register for and users may grant. The rest is for the operator to give."""

UMBRELLAS: Final = frozenset({"read", "write"})
"""What a client is told to ask for that has not said what it wants to do: enough to shop."""

DEFAULT: Final = frozenset({"read"})
"""What is meant when no scope is asked for: to look, and to change nothing. OAuth 2.1 §1.4.1."""

OFFLINE: Final = "offline_access"
"""A wish for refresh tokens, which a registration decides: never granted, never a resource's.

MCP 2026-07-28 basic/authorization §refresh-tokens.
"""

IGNORED: Final = frozenset({"openid", "email", "profile", OFFLINE})
"""OpenID scopes that clients add by habit; dropped, and the answer says what was granted."""

TOKEN: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,64}")
"""scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). RFC 6749 §3.3; the upper bound is ours."""

MOST: Final = 32
"""Scopes in one request. There are fewer; the rest is room for habits."""


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
    """Whether `granted` suffices for what takes all of `needed`.

    MCP 2026-07-28 basic/authorization §step-up-authorization-flow.
    """
    return frozenset(needed) <= reach(granted)


def common(asked: Iterable[str], held: Iterable[str]) -> frozenset[str]:
    """As much of `asked` as `held` reaches, each thing named once, by its broadest name."""
    shared = reach(asked) & reach(held)
    implied = {narrower for name in shared for narrower in IMPLIES[name]}
    return shared - implied

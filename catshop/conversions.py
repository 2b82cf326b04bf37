"""What a setting may be: from the text of a flag or a variable, or a value of TOML, to its type.

One converter a type, and the words in which a value is asked for. A setting of a new kind needs a
line in the table and nothing else. A number has bounds as well, which follow from its name: no
setting may let the shop start and fail at its first request. Pure; `config.py` says which setting
has which type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final


class Backend(StrEnum):
    """Which event loop drives the shop."""

    ASYNCIO = "asyncio"
    TRIO = "trio"


class Era(StrEnum):
    """Which protocol eras the endpoint speaks."""

    BOTH = "both"
    MODERN = "modern"
    LEGACY = "legacy"


class TokenFormat(StrEnum):
    """What access tokens look like."""

    OPAQUE = "opaque"
    JWT = "jwt"


class SigningAlgorithm(StrEnum):
    """What access tokens are signed with."""

    EDDSA = "EdDSA"
    ES256 = "ES256"


def _text(raw: object) -> str:
    if not isinstance(raw, str) or not raw:
        raise TypeError
    return raw


def _switch(raw: object) -> bool:
    return raw if isinstance(raw, bool) else _SWITCH[_text(raw).lower()]


def _whole(raw: object) -> int:
    number = int(raw) if isinstance(raw, str) else raw
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise ValueError
    return number


def _number(raw: object) -> float:
    number = float(raw) if isinstance(raw, str) else raw
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError
    if not math.isfinite(number) or number < 0:
        raise ValueError
    return float(number)


def _names(raw: object) -> tuple[str, ...]:
    items = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(items, list | tuple):
        raise TypeError
    return tuple(_text(item).strip() for item in items if item != "")


_SWITCH: Final = {
    "on": True, "true": True, "yes": True, "1": True,
    "off": False, "false": False, "no": False, "0": False,
}  # fmt: skip

CONVERTERS: Final[Mapping[Any, tuple[Callable[[Any], object], str]]] = {
    str: (_text, "text"),
    bool: (_switch, "on or off"),
    int: (_whole, "a whole number, 0 or more"),
    float: (_number, "a number, 0 or more"),
    Path | None: (lambda raw: Path(_text(raw)), "a path"),
    tuple[str, ...]: (_names, "a list of names"),
    Backend: (lambda raw: Backend(_text(raw)), "asyncio or trio"),
    Era: (lambda raw: Era(_text(raw)), "both, modern or legacy"),
    TokenFormat: (lambda raw: TokenFormat(_text(raw)), "opaque or jwt"),
    SigningAlgorithm: (lambda raw: SigningAlgorithm(_text(raw)), "EdDSA or ES256"),
}
"""Type of a setting -> its converter, and what is asked for."""

TEN_YEARS: Final = 10 * 365 * 86_400
"""The longest time, in seconds, that is worth setting; moments have a last one."""

MOST: Final = 2**53 - 1
"""The largest count: what every database and JSON can hold."""

MAY_BE_NOTHING: Final = frozenset(
    {
        "http.body_grace_seconds", "http.body_rate", "http.idle_seconds", "http.linger_seconds",
        "http.drain_seconds", "http.chunk_extensions", "session.retry_milliseconds",
        "oauth.refresh_grace_seconds", "oauth.key_lead_seconds", "oauth.token_cache_seconds",
        "oauth.foreign_token_cache_seconds",
        "oauth.known_address_seconds", "oauth.password_minimum", "oauth.hashing_queue",
        "storage.busy_seconds", "storage.read_busy_seconds", "shop.repeat_seconds",
        "fetch.waiting", "fetch.shortest_seconds", "fetch.longest_seconds",
        "fetch.key_grace_seconds", "task.poll_milliseconds", "skill.ttl_milliseconds",
    }
)  # fmt: skip
"""Numbers that have a meaning when they are 0; without the others something would stand still."""


def bounded(name: str, number: float) -> str | None:
    """What is asked for instead, where the number of that name cannot be this one."""
    if not number and name not in MAY_BE_NOTHING:
        return "more than 0"
    if name.endswith("milliseconds"):
        return None if number <= TEN_YEARS * 1000 else f"at most {TEN_YEARS * 1000}, ten years"
    if name.endswith("seconds"):
        return None if number <= TEN_YEARS else f"at most {TEN_YEARS}, ten years"
    return None if number <= MOST else f"at most {MOST}"

"""Throttles: how often something may be tried before it has to wait.

An attempt is noted before it is judged, so a burst of a hundred gets no more guesses than a slow
one; success takes the note back. Counts are in storage: a restart does not clear them, and several
processes share them. Nothing here knows what is tried. NIST SP 800-63B §5.2.2; OAuth 2.1 §7.7.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from catshop.kernel import Clock
from catshop.limits import OAuthLimits
from catshop.oauth.ports import Attempts
from catshop.oauth.tokens import Mint, short


class Throttled(Exception):
    """Too many attempts; there is room again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"retry after {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Budget:
    """How many attempts each bucket takes in how many seconds."""

    allowances: tuple[tuple[str, int], ...]
    window: int


def bucket(*parts: str) -> str:
    """The name of a bucket, hashed: people type passwords into the name field by mistake."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def sign_in(name: str, address: str, limits: OAuthLimits) -> Budget:
    """One account from one address, and one address whatever the account.

    An attacker elsewhere cannot lock a user out: the address is part of both.
    """
    mine = (bucket("sign-in", name.casefold(), address), limits.login_failures)
    all_from_here = (bucket("sign-in", address), limits.login_failures_per_address)
    return Budget((mine, all_from_here), limits.login_window_seconds)


def sign_up(address: str, limits: OAuthLimits) -> Budget:
    """New accounts from one address."""
    allowed = (bucket("sign-up", address), limits.login_failures_per_address)
    return Budget((allowed,), limits.login_window_seconds)


def registration(address: str, limits: OAuthLimits) -> Budget:
    """New clients from one address. RFC 7591 §5."""
    return Budget(((bucket("register", address), limits.registrations_per_hour),), 3600)


def client_failures(client_id: str, address: str, limits: OAuthLimits) -> Budget:
    """Failed proofs in the name of one client, from one address. OAuth 2.1 §7.7."""
    mine = bucket("client", client_id, address)
    return Budget(((mine, limits.client_failures),), limits.login_window_seconds)


def introspection(client_id: str, limits: OAuthLimits) -> Budget:
    """Questions of one caller after tokens that are not its own. RFC 7662 §4."""
    return Budget(((bucket("introspect", client_id), limits.introspection_misses),), 60)


def devices(address: str, limits: OAuthLimits) -> Budget:
    """New devices from one address: the more wait, the easier is one guessed. RFC 8628 §5.1."""
    return Budget(((bucket("device", address), limits.devices_per_hour),), 3600)


def user_codes(address: str, limits: OAuthLimits) -> Budget:
    """Codes typed in vain from one address. RFC 8628 §5.1."""
    return Budget(((bucket("user-code", address), limits.user_code_failures),), 900)


class Throttle:
    """Counts attempts against a budget."""

    def __init__(self, attempts: Attempts, clock: Clock, mint: Mint) -> None:
        self._attempts = attempts
        self._clock = clock
        self._mint = mint

    async def spend(self, budget: Budget) -> str:
        """Note an attempt and return its name; `Throttled` when a bucket is full."""
        now, name, window = self._clock(), short(self._mint), timedelta(seconds=budget.window)
        full = await self._attempts.reserve(name, budget.allowances, now, now - window)
        if full is not None:
            raise _throttled(full + window - now)
        return name

    async def look(self, budget: Budget) -> None:
        """`Throttled` when a bucket is full; nothing is noted, so success costs nothing."""
        now, window = self._clock(), timedelta(seconds=budget.window)
        for name, allowed in budget.allowances:
            full = await self._attempts.full(name, allowed, now - window)
            if full is not None:
                raise _throttled(full + window - now)

    async def refund(self, attempt: str, budget: Budget) -> None:
        """The attempt succeeded: forget it, and the failures before it in its first bucket."""
        await self._attempts.release(attempt, budget.allowances[0][0])


def _throttled(wait: timedelta) -> Throttled:
    return Throttled(max(1, ceil(wait.total_seconds())))

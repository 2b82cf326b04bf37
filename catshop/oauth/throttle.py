"""Throttles: how often something may be tried before it has to wait.

An attempt is noted before it is judged, so a burst of a hundred gets no more guesses than a slow
one; success takes the note back. Counts are in storage: a restart does not clear them, and several
processes share them. Who has one IPv6 address has 2^64 of them, so a network of that size counts as
one. Nothing here knows what is tried. NIST SP 800-63B §5.2.2; OAuth 2.1 §7.7.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from math import ceil

from catshop.kernel import Clock, Unavailable
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
    from_strangers: tuple[tuple[str, int], ...] = ()
    """Further allowances, for whoever tries from where nobody has succeeded of late."""
    known: str | None = None
    """The bucket that says for `known_seconds` that somebody has succeeded from here."""
    known_seconds: int = 0


def bucket(*parts: str) -> str:
    """The name of a bucket, hashed: people type passwords into the name field by mistake."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def network(address: str) -> str:
    """Whose the address is, as far as it tells: IPv4 as it stands, IPv6 by its first 64 bits."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((int(ip), 64), strict=False))


def sign_in(name: str, address: str, limits: OAuthLimits) -> Budget:
    """One account from one address, one address whatever the account, one account from everywhere.

    An attacker elsewhere cannot lock a user out who signed in here before: then only the first two
    hold, and the address is part of both.
    """
    account, here = name.casefold(), network(address)
    mine = (bucket("sign-in", account, here), limits.login_failures)
    all_from_here = (bucket("sign-in", here), limits.login_failures_per_address)
    from_everywhere = (bucket("sign-in, anywhere", account), limits.login_failures_per_account)
    return Budget(
        (mine, all_from_here),
        limits.login_window_seconds,
        from_strangers=(from_everywhere,),
        known=bucket("known", account, here),
        known_seconds=limits.known_address_seconds,
    )


def sign_up(address: str, limits: OAuthLimits) -> Budget:
    """New accounts from one address."""
    allowed = (bucket("sign-up", network(address)), limits.login_failures_per_address)
    return Budget((allowed,), limits.login_window_seconds)


def registration(address: str, limits: OAuthLimits) -> Budget:
    """New clients from one address. RFC 7591 §5."""
    return Budget(((bucket("register", network(address)), limits.registrations_per_hour),), 3600)


def client_failures(client_id: str, address: str, limits: OAuthLimits) -> Budget:
    """Failed proofs in the name of one client, from one address. OAuth 2.1 §7.7."""
    mine = bucket("client", client_id, network(address))
    return Budget(((mine, limits.client_failures),), limits.login_window_seconds)


def assertions(client_id: str, address: str, limits: OAuthLimits) -> Budget:
    """Assertions and tokens that a client shows in vain, from one address. OAuth 2.1 §7.7."""
    mine = bucket("assertion", client_id, network(address))
    return Budget(((mine, limits.assertion_failures),), limits.login_window_seconds)


def introspection(client_id: str, limits: OAuthLimits) -> Budget:
    """Questions of one caller after tokens that are not its own. RFC 7662 §4."""
    return Budget(((bucket("introspect", client_id), limits.introspection_misses),), 60)


def devices(address: str, limits: OAuthLimits) -> Budget:
    """New devices from one address: the more wait, the easier is one guessed. RFC 8628 §5.1."""
    return Budget(((bucket("device", network(address)), limits.devices_per_hour),), 3600)


def user_codes(address: str, limits: OAuthLimits) -> Budget:
    """Codes typed in vain from one address. RFC 8628 §5.1."""
    return Budget(((bucket("user-code", network(address)), limits.user_code_failures),), 900)


class Throttle:
    """Counts attempts against a budget."""

    def __init__(self, attempts: Attempts, clock: Clock, mint: Mint) -> None:
        self._attempts = attempts
        self._clock = clock
        self._mint = mint

    async def spend(self, budget: Budget) -> str:
        """Note an attempt and return its name; `Throttled` when a bucket is full."""
        now, name, window = self._clock(), short(self._mint), timedelta(seconds=budget.window)
        allowances = budget.allowances
        if budget.known is None or await self._attempts.full(budget.known, 1, now) is None:
            allowances += budget.from_strangers
        full = await self._attempts.reserve(name, allowances, now, now - window)
        if full is not None:
            raise _throttled(full + window - now)
        return name

    @asynccontextmanager
    async def spending(self, budget: Budget) -> AsyncIterator[str]:
        """The same, for what is done inside: what storage or a queue kept from it does not count.

        Whoever is told to come back later must not find the door shut for having come.
        """
        attempt = await self.spend(budget)
        try:
            yield attempt
        except Unavailable:
            with suppress(Unavailable):
                await self._attempts.release(attempt, "")
            raise

    async def look(self, budget: Budget) -> None:
        """`Throttled` when a bucket is full; nothing is noted, so success costs nothing."""
        now, window = self._clock(), timedelta(seconds=budget.window)
        for name, allowed in budget.allowances:
            full = await self._attempts.full(name, allowed, now - window)
            if full is not None:
                raise _throttled(full + window - now)

    async def refund(self, attempt: str, budget: Budget) -> None:
        """The attempt succeeded: forget it, and the failures before it in its first bucket.

        From here it was no stranger. The mark is a note that lies in the future until it is old.
        """
        await self._attempts.release(attempt, budget.allowances[0][0])
        if budget.known is not None:
            await self._attempts.release(attempt, budget.known)
            now, lasting = self._clock(), timedelta(seconds=budget.known_seconds)
            await self._attempts.reserve(attempt, [(budget.known, 1)], now + lasting, now)


def _throttled(wait: timedelta) -> Throttled:
    return Throttled(max(1, ceil(wait.total_seconds())))

"""Passwords: kept as argon2id, compared in a few threads, and never told apart by time.

One computation takes 19 MiB and a good part of a core, so there are only so many at once, and only
so many may wait: a flood of sign-ins must not take the shop down with it. An unknown user costs the
same computation as a known one. RFC 9106 §4; OWASP's minimum parameters; NIST SP 800-63B §5.1.1.2.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import anyio
import anyio.to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from catshop.kernel import Secret, Unavailable
from catshop.limits import OAuthLimits

T = TypeVar("T")
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

NOBODY: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ"
    "$43vsAYDyyCsOaFPRdLHp86KoE3fapv9PDGf5S6JqL+g"
)
"""What the password of an unknown user is compared with: as much work, and never a match."""


def normal(password: Secret) -> str:
    """The password as it is hashed: the same text however the keyboard composed it. NFC."""
    return unicodedata.normalize("NFC", password.reveal())


class Passwords:
    """Hashes and compares, `hashing_threads` at a time; past `hashing_queue` it is told to wait."""

    def __init__(self, limits: OAuthLimits) -> None:
        self._threads = anyio.CapacityLimiter(limits.hashing_threads)
        self._room = limits.hashing_threads + limits.hashing_queue

    async def hash(self, password: Secret) -> str:
        """The hash to keep."""
        return await self._run(partial(HASHER.hash, normal(password)))

    async def matches(self, password: Secret, kept: str | None) -> bool:
        """Whether `kept` is the hash of the password; for None, after the same work, False."""
        same = await self._run(partial(_verify, kept or NOBODY, normal(password)))
        return same and kept is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._room == 0:
            raise Unavailable("E-LOGIN-08", "too many sign-ins at once", retry_after=5)
        self._room -= 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._room += 1


def _verify(kept: str, text: str) -> bool:
    try:
        return HASHER.verify(kept, text)
    except (VerificationError, InvalidHashError):
        return False

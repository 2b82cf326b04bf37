"""The clean-up of what has expired. `oauth.ports.Upkeep`.

Expired rows are refused by whoever reads them; here they only stop taking room. What must be
remembered longer than it is good for, so that a replay is known for what it is, stays as long as
the family that it belongs to. Strangers decide how much there is to delete, so it goes in batches,
each a transaction of its own: between two of them everybody else may write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from catshop.limits import OAuthLimits
from catshop.storage.database import Database, Statements, milliseconds

BATCH: Final = 500
"""Rows that one transaction deletes, apart from those that refer to them."""

UNUSED_CLIENTS: Final = """
    SELECT id FROM oauth_clients WHERE created_at <= ?
    AND used_at IS NULL
    AND origin = 'itself'
    AND NOT EXISTS (SELECT 1 FROM oauth_codes c WHERE c.client_id = oauth_clients.id)
    AND NOT EXISTS (SELECT 1 FROM oauth_requests r WHERE r.client_id = oauth_clients.id)
    AND NOT EXISTS (SELECT 1 FROM oauth_devices d WHERE d.client_id = oauth_clients.id)
    LIMIT ?
"""
"""Clients that never got a token and have none on its way. A used one is never forgotten."""


def _expired(table: str, key: str, condition: str) -> str:
    """Delete so many of the rows to which the condition applies."""
    found = f"SELECT {key} FROM {table} WHERE {condition} LIMIT ?"  # noqa: S608 - constants below
    return f"DELETE FROM {table} WHERE {key} IN ({found})"  # noqa: S608 - constants below


AT_ONCE: Final = (
    _expired("oauth_trips", "state", "expires_at <= ?"),
    _expired("oauth_requests", "id", "expires_at <= ?"),
    _expired("oauth_sessions", "browser", "expires_at <= ?"),
    _expired("oauth_access_tokens", "hash", "expires_at <= ?"),
    _expired("oauth_spent_proofs", "hash", "expires_at <= ?"),
    _expired("oauth_keys", "kid", "expires_at <= ?"),
    _expired("oauth_families", "id", "expires_at <= ?"),
)
"""What is worth nothing from the moment that it names."""

AN_HOUR_LATER: Final = (
    _expired("oauth_devices", "id", "expires_at <= ?"),
    _expired("oauth_codes", "hash", "redeemed_at IS NULL AND expires_at <= ?"),
    _expired("oauth_refresh_tokens", "hash", "state <> 'live' AND rotated_at <= ?"),
)
"""What is still told apart from what never was, for a while."""

UPSTREAM: Final = _expired(
    "oauth_upstream_tokens",
    "code",
    "created_at <= ? AND NOT EXISTS (SELECT 1 FROM oauth_codes c"
    " LEFT JOIN oauth_families f ON f.id = c.family_id"
    " WHERE c.hash = code AND f.revoked_at IS NULL)",
)
"""Somebody else's tokens, once nothing of ours stands on them."""

ATTEMPTS: Final = _expired("oauth_attempts", "attempt", "at <= ?")
CLIENTS: Final = f"DELETE FROM oauth_clients WHERE id IN ({UNUSED_CLIENTS})"  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Upkeep:
    """`oauth.ports.Upkeep` in SQL."""

    database: Database
    limits: OAuthLimits = field(default_factory=OAuthLimits)

    async def sweep(self, now: datetime) -> int:
        """See the port. In as many transactions as there are batches, and one at least."""
        deletions = self.deletions(now)

        def work(statements: Statements) -> int:
            deleted = 0
            for deletion, before in deletions.items():
                if deleted < BATCH:
                    deleted += statements.run(deletion, before, BATCH - deleted)
            return deleted

        deleted = batch = await self.database.write(work)
        while batch >= BATCH:
            batch = await self.database.write(work)
            deleted += batch
        return deleted

    def deletions(self, now: datetime) -> Mapping[str, int]:
        """Every statement of a sweep, with the moment before which its rows are of no use."""

        def before(seconds: float) -> int:
            return milliseconds(now - timedelta(seconds=seconds))

        limits = self.limits
        return MappingProxyType(
            {
                **dict.fromkeys(AT_ONCE, before(0)),
                **dict.fromkeys(AN_HOUR_LATER, before(3600)),
                UPSTREAM: before(limits.code_seconds),
                ATTEMPTS: before(max(3600, limits.login_window_seconds, limits.request_seconds)),
                CLIENTS: before(limits.unused_client_seconds),
            }
        )

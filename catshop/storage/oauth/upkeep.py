"""The clean-up of what has expired. `oauth.ports.Upkeep`.

Expired rows are refused by whoever reads them; here they only stop taking room. What must be
remembered longer than it is good for, so that a replay is known for what it is, stays as long as
the family that it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from catshop.limits import OAuthLimits
from catshop.storage.database import Database, Statements, milliseconds


@dataclass(frozen=True, slots=True)
class Upkeep:
    """`oauth.ports.Upkeep` in SQL."""

    database: Database
    limits: OAuthLimits = field(default_factory=OAuthLimits)

    async def sweep(self, now: datetime) -> int:
        """See the port."""

        def before(seconds: float) -> int:
            return milliseconds(now - timedelta(seconds=seconds))

        def work(statements: Statements) -> int:
            deletions = (
                ("oauth_requests WHERE expires_at <= ?", before(0)),
                ("oauth_devices WHERE expires_at <= ?", before(3600)),
                ("oauth_sessions WHERE expires_at <= ?", before(0)),
                ("oauth_access_tokens WHERE expires_at <= ?", before(0)),
                ("oauth_codes WHERE redeemed_at IS NULL AND expires_at <= ?", before(3600)),
                ("oauth_spent_proofs WHERE expires_at <= ?", before(0)),
                ("oauth_keys WHERE expires_at <= ?", before(0)),
                ("oauth_families WHERE expires_at <= ?", before(0)),
                ("oauth_refresh_tokens WHERE state <> 'live' AND rotated_at <= ?", before(3600)),
                (
                    "oauth_attempts WHERE at <= ?",
                    before(max(3600, self.limits.login_window_seconds)),
                ),
                (UNUSED_CLIENTS, before(self.limits.unused_client_seconds)),
            )
            return sum(statements.run(f"DELETE FROM {rest}", at) for rest, at in deletions)  # noqa: S608 - constants above

        return await self.database.write(work)


UNUSED_CLIENTS = """
    oauth_clients WHERE created_at <= ?
    AND used_at IS NULL
    AND origin = 'itself'
    AND NOT EXISTS (SELECT 1 FROM oauth_codes c WHERE c.client_id = oauth_clients.id)
    AND NOT EXISTS (SELECT 1 FROM oauth_requests r WHERE r.client_id = oauth_clients.id)
    AND NOT EXISTS (SELECT 1 FROM oauth_devices d WHERE d.client_id = oauth_clients.id)
"""
"""Clients that never got a token and have none on its way. A used one is never forgotten."""

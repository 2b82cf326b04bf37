"""Proofs that are good once. `oauth.ports.Proofs`.

The primary key decides: of all who insert one hash, one inserts it. No row is ever read, so there
is nothing between a look and a mark where somebody else could come in. RFC 7523 §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from catshop.storage.database import Database, Statements, milliseconds


@dataclass(frozen=True, slots=True)
class Proofs:
    """`oauth.ports.Proofs` in SQL."""

    database: Database

    async def spend(self, proof: str, until: datetime) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            return bool(
                statements.run(
                    "INSERT INTO oauth_spent_proofs (hash, expires_at) VALUES (?, ?)"
                    " ON CONFLICT (hash) DO NOTHING",
                    proof,
                    milliseconds(until),
                )
            )

        return await self.database.write(work)

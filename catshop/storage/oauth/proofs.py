"""Proofs that are good once. `oauth.ports.Proofs`.

The primary key decides: of all who insert one hash, one inserts it. No row is ever read, so there
is nothing between a look and a mark where somebody else could come in. RFC 7523 §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from catshop.storage.database import Database
from catshop.storage.oauth import rows


@dataclass(frozen=True, slots=True)
class Proofs:
    """`oauth.ports.Proofs` in SQL."""

    database: Database

    async def spend(self, proof: str, until: datetime) -> bool:
        """See the port."""

        return await self.database.write(lambda statements: rows.spend(statements, proof, until))

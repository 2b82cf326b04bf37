"""Keys that sign. `oauth.ports.Keys`.

The private half comes sealed and is kept as it came. That there is one first key, and that its
predecessors end when a new one comes, is one transaction each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from catshop.oauth.model import SigningKey
from catshop.storage.database import Database, Statements, Value, milliseconds
from catshop.storage.oauth import rows

INSERT: Final = """
    INSERT INTO oauth_keys (kid, public_key, sealed_key, created_at, signs_from)
    SELECT CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT)
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """`oauth.ports.Keys` in SQL."""

    database: Database

    async def begin(self, key: SigningKey) -> None:
        """See the port."""

        def work(statements: Statements) -> None:
            nobody = "WHERE NOT EXISTS (SELECT 1 FROM oauth_keys WHERE expires_at IS NULL)"
            statements.run(f"{INSERT} {nobody}", *_values(key))

        await self.database.write(work)

    async def succeed(self, key: SigningKey, others_end: datetime) -> None:
        """See the port."""

        def work(statements: Statements) -> None:
            statements.run(
                "UPDATE oauth_keys SET expires_at = ? WHERE expires_at IS NULL",
                milliseconds(others_end),
            )
            statements.run(INSERT, *_values(key))

        await self.database.write(work)

    async def all(self, now: datetime) -> Sequence[SigningKey]:
        """See the port."""
        found = await self.database.all(
            "SELECT * FROM oauth_keys WHERE expires_at IS NULL OR expires_at > ?"
            " ORDER BY signs_from DESC, kid",
            milliseconds(now),
        )
        return [rows.signing_key(row) for row in found]


def _values(key: SigningKey) -> tuple[Value, ...]:
    moments = (milliseconds(key.created_at), milliseconds(key.signs_from))
    return (key.kid, key.public, key.sealed, *moments)

"""What was tried of late. `oauth.ports.Attempts`.

One row for each attempt in each bucket, so that a window slides and never resets all at once; the
oldest row that still fills a bucket says when there is room again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from catshop.storage.database import Database, Statements, milliseconds
from catshop.storage.oauth import rows

FILLED: Final = """
    SELECT at FROM oauth_attempts WHERE bucket = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?
"""
"""The oldest of the newest so many attempts; no row while there are fewer."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """`oauth.ports.Attempts` in SQL: one row for each attempt in each bucket."""

    database: Database

    async def reserve(
        self, attempt: str, allowances: Sequence[tuple[str, int]], now: datetime, since: datetime
    ) -> datetime | None:
        """See the port."""

        def work(statements: Statements) -> datetime | None:
            for bucket, allowed in allowances:
                if (full := _filled(statements, bucket, allowed, since)) is not None:
                    return full
            for bucket, _ in allowances:
                statements.run(
                    "INSERT INTO oauth_attempts (attempt, bucket, at) VALUES (?, ?, ?)",
                    attempt,
                    bucket,
                    milliseconds(now),
                )
            return None

        return await self.database.write(work)

    async def full(self, bucket: str, allowed: int, since: datetime) -> datetime | None:
        """See the port."""
        row = await self.database.one(FILLED, bucket, milliseconds(since), allowed - 1)
        return rows.time(row["at"]) if row else None

    async def release(self, attempt: str, bucket: str) -> None:
        """See the port."""

        def work(statements: Statements) -> None:
            statements.run(
                "DELETE FROM oauth_attempts WHERE attempt = ? OR bucket = ?", attempt, bucket
            )

        await self.database.write(work)


def _filled(statements: Statements, bucket: str, allowed: int, since: datetime) -> datetime | None:
    """When the oldest of the attempts that fill the bucket was made; None while there is room."""
    row = statements.one(FILLED, bucket, milliseconds(since), allowed - 1)
    return rows.time(row["at"]) if row else None

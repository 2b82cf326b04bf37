"""The engine behind every repository: rows in, rows out, and transactions that are whole or absent.

An engine is chosen by its URL; the repositories above it are written once, in SQL that SQLite and
PostgreSQL both read: `?` for a value, `ON CONFLICT`, `RETURNING`, integers for money (cents) and
for time (milliseconds since 1970-01-01 UTC), text for JSON. Nothing above this file may notice
which engine it is. Next: `sqlite.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol, TypeVar

Value = str | int | float | bytes | None
Row = Mapping[str, Value]
T = TypeVar("T")


class Statements(Protocol):
    """The statements of one transaction, run on the thread that owns it."""

    def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        ...

    def all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        ...

    def run(self, sql: str, *values: Value) -> int:
        """How many rows were changed."""
        ...


class Database(Protocol):
    """A store. A method that cannot answer raises `kernel.Unavailable` and has changed nothing."""

    async def one(self, sql: str, *values: Value) -> Row | None:
        """Read the first row of a query, outside a transaction."""
        ...

    async def all(self, sql: str, *values: Value) -> list[Row]:
        """Read every row of a query, outside a transaction."""
        ...

    async def write(self, work: Callable[[Statements], T]) -> T:
        """Run `work` in one serialisable transaction, off the event loop.

        Commits and is durable when it returns; an exception of `work` rolls everything back and is
        raised here. `work` may be run again after a conflict, so it touches nothing but its
        statements. Once begun it is not cancelled.
        """
        ...

    async def close(self) -> None:
        """Give everything back. Idempotent."""
        ...


def milliseconds(moment: datetime) -> int:
    """A moment as it is stored."""
    return round(moment.timestamp() * 1000)


def moment(stored: int) -> datetime:
    """A stored moment, aware and in UTC."""
    return datetime.fromtimestamp(stored / 1000, UTC)

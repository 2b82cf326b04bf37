"""The clean-up holds the write lock, so it is short whatever strangers have put there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from catshop.oauth.model import Client
from catshop.storage.database import Database, Statements, T
from catshop.storage.oauth import stores as stores_on
from catshop.storage.oauth.upkeep import BATCH, Upkeep

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=31)
CLIENT = Client("c", "Cats", ("https://cats.example/cb",), (), frozenset({"read"}), LONG_AGO)
SMALL = frozenset({"oauth_keys"})
"""Tables that no stranger can make large."""


@dataclass(frozen=True)
class Counted:
    """A database that tells how many rows each of its transactions has deleted."""

    database: Database
    batches: list[object]

    async def write(self, work: Callable[[Statements], T]) -> T:
        """Write, and count."""
        result = await self.database.write(work)
        self.batches.append(result)
        return result


@pytest.mark.parametrize("statement", Upkeep.deletions(Upkeep(None), NOW))  # type: ignore[arg-type]  # pure
async def test_the_clean_up_reads_no_big_table_as_a_whole(
    database: Database, statement: str
) -> None:
    """`Upkeep.sweep`: anonymous rows must not make the write lock last. RFC 7591 §5."""
    plan = await database.all(f"EXPLAIN QUERY PLAN {statement}", 0, BATCH)
    steps = [str(row["detail"]) for row in plan]
    assert any(step.startswith("SEARCH") for step in steps)
    scans = [step for step in steps if step.startswith("SCAN")]
    assert [step for step in scans if step.split()[1] not in SMALL] == []


async def test_what_goes_along_with_a_row_is_found_by_an_index(database: Database) -> None:
    """ON DELETE CASCADE reads the whole table of a reference that no index begins with."""
    unindexed = await database.all("""
        SELECT t.name AS name, f."from" AS reference
        FROM sqlite_master t, pragma_foreign_key_list(t.name) f
        WHERE t.name LIKE 'oauth_%' AND NOT EXISTS (
            SELECT 1 FROM pragma_index_list(t.name) i, pragma_index_info(i.name) c
            WHERE i.partial = 0 AND c.seqno = 0 AND c.name = f."from"
        )
    """)
    assert unindexed == []


async def test_a_long_clean_up_lets_others_write_in_between(database: Database) -> None:
    """`Upkeep.sweep`: so many rows a transaction, and as many transactions as it takes."""
    clients = stores_on(database).clients
    for number in range(2):
        await clients.add(replace(CLIENT, id=f"c{number}"))

    def crowd(statements: Statements) -> None:
        for number in range(2 * BATCH + 10):
            statements.run(
                "INSERT INTO oauth_attempts (attempt, bucket, at) VALUES (?, 'b', 0)", f"n{number}"
            )

    await database.write(crowd)
    counted = Counted(database, [])
    assert await Upkeep(counted).sweep(NOW) == 2 * BATCH + 12  # type: ignore[arg-type]  # it writes only
    assert counted.batches == [BATCH, BATCH, 12]
    assert await database.all("SELECT id FROM oauth_clients") == []

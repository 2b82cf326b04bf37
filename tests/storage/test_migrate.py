"""Numbered migrations: applied once, whole, in order, and never guessed at."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from catshop.kernel import Trace
from catshop.limits import StorageLimits
from catshop.storage.database import Database
from catshop.storage.faults import StartRefused
from catshop.storage.migrate import Migration, migrate, migrations, parse
from catshop.storage.sqlite import SqliteDatabase

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ONE = Migration(1, "one", ("CREATE TABLE one (x TEXT)",))
TWO = Migration(2, "two", ("CREATE TABLE two (x TEXT)", "INSERT INTO one (x) VALUES ('moved')"))
BROKEN = Migration(2, "two", ("CREATE TABLE two (x TEXT)", "INSERT INTO nowhere VALUES (1)"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of a test is."""
    return tmp_path / "shop.db"


def opened(path: Path) -> SqliteDatabase:
    """A database without any schema."""
    return SqliteDatabase.open(path, StorageLimits(), Trace())


async def numbers(database: Database) -> list[object]:
    """Which migrations the ledger names."""
    return [row["number"] for row in await database.all("SELECT number FROM migrations")]


def test_the_files_are_numbered_without_gaps_from_1() -> None:
    """catshop/storage/schema: two developers cannot take the same number unseen."""
    assert [step.number for step in migrations()] == list(range(1, len(migrations()) + 1))


def test_a_script_is_read_into_its_statements() -> None:
    """Comments are whole lines, a semicolon at the end of a line ends a statement."""
    script = "-- why; because\nCREATE TABLE a (\n  x TEXT DEFAULT ';b'\n);\n\nCREATE TABLE c (y);"
    assert parse(3, "three", script).statements == (
        "CREATE TABLE a (\n  x TEXT DEFAULT ';b'\n)",
        "CREATE TABLE c (y)",
    )


async def test_a_second_run_finds_nothing_to_do(path: Path) -> None:
    """Check A000-2: setting up a second time changes nothing."""
    database = opened(path)
    assert await migrate(database, NOW, [ONE, TWO]) == (1, 2)
    assert await migrate(database, NOW, [ONE, TWO]) == ()
    assert await database.all("SELECT x FROM one") == [{"x": "moved"}]
    await database.close()


async def test_only_what_is_missing_is_applied(path: Path) -> None:
    """An upgrade keeps what is there."""
    database = opened(path)
    await migrate(database, NOW, [ONE])
    await database.write(lambda s: s.run("INSERT INTO one (x) VALUES ('kept')"))
    assert await migrate(database, NOW, [ONE, TWO]) == (2,)
    assert await database.all("SELECT x FROM one ORDER BY x") == [{"x": "kept"}, {"x": "moved"}]
    await database.close()


async def test_a_migration_that_fails_leaves_the_old_schema_whole(path: Path) -> None:
    """Security case D7: a step and its row in the ledger are one transaction."""
    database = opened(path)
    with pytest.raises(Exception, match="nowhere"):
        await migrate(database, NOW, [ONE, BROKEN])
    assert await numbers(database) == [1]
    assert await database.all("SELECT name FROM sqlite_master WHERE name = 'two'") == []
    assert await migrate(database, NOW, [ONE, TWO]) == (2,)
    await database.close()


async def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    """Security case D7: an old program refuses a newer schema."""
    database = opened(path)
    await migrate(database, NOW, [ONE, TWO])
    with pytest.raises(StartRefused) as refused:
        await migrate(database, NOW, [ONE], where=str(path))
    assert refused.value.code == "E-DB-07"
    assert str(path) in str(refused.value)
    assert await numbers(database) == [1, 2]
    await database.close()


async def test_two_connections_that_migrate_at_once_apply_each_step_once(path: Path) -> None:
    """The ledger decides inside the transaction."""
    first, second = opened(path), opened(path)
    applied: list[int] = []

    async def run(database: Database) -> None:
        applied.extend(await migrate(database, NOW, [ONE, TWO]))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, first)
        tasks.start_soon(run, second)
    assert sorted(applied) == [1, 2]
    await first.close()
    await second.close()


START = """
import sys, anyio, pathlib, datetime
from catshop.kernel import Trace
from catshop.limits import StorageLimits
from catshop.storage.migrate import migrate
from catshop.storage.sqlite import SqliteDatabase

async def main():
    sys.stdin.readline()
    database = SqliteDatabase.open(pathlib.Path(sys.argv[1]), StorageLimits(), Trace())
    print(*await migrate(database, datetime.datetime.now(datetime.UTC)))
    await database.close()

anyio.run(main)
"""


def test_processes_that_start_at_once_set_up_one_schema(
    path: Path, python: Callable[[str, Path], subprocess.Popen[str]]
) -> None:
    """The first start of several servers on one new file."""
    children = [python(START, path) for _ in range(4)]
    said = [child.communicate("go\n", timeout=60) for child in children]
    assert [error for _, error in said if error] == []
    applied = sorted(int(number) for out, _ in said for number in out.split())
    assert applied == [step.number for step in migrations()]


HALF = """
import sys, anyio, pathlib, datetime
from catshop.kernel import Trace
from catshop.limits import StorageLimits
from catshop.storage import migrate as module
from catshop.storage.sqlite import SqliteDatabase


async def main():
    database = SqliteDatabase.open(pathlib.Path(sys.argv[1]), StorageLimits(), Trace())
    def half(statements):
        step = module.migrations()[0]
        statements.run(module.LEDGER)
        statements.run("INSERT INTO migrations VALUES (1, 'shop', 0)")
        statements.run(step.statements[0])
        print("half", flush=True)
        sys.stdin.read()
    await database.write(half)

anyio.run(main)
"""


async def test_a_kill_in_the_middle_leaves_the_old_schema(
    path: Path, killed: Callable[[str, Path], None]
) -> None:
    """Security case D7: the restart completes what the killed process began."""
    killed(HALF, path)
    database = opened(path)
    assert await database.all("SELECT name FROM sqlite_master") == []
    assert await migrate(database, NOW) == tuple(step.number for step in migrations())
    await database.close()

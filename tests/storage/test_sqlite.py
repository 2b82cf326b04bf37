"""The SQLite engine: what a read and a write promise, and how each fault of the disk is told."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from catshop.kernel import Event, Kind, Trace, Unavailable
from catshop.limits import StorageLimits
from catshop.storage.database import Statements
from catshop.storage.faults import StartRefused
from catshop.storage.sqlite import APPLICATION_ID, SqliteDatabase

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
QUICK = replace(StorageLimits(), busy_seconds=0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of a test is."""
    return tmp_path / "shop.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteDatabase]:
    """A database with one table `t(x)`, whose x is unique and at least 0."""
    database = SqliteDatabase.open(path, QUICK, Trace())
    await database.write(lambda s: s.run("CREATE TABLE t (x INTEGER UNIQUE CHECK (x >= 0))"))
    yield database
    await database.close()


def put(x: int) -> Callable[[Statements], int]:
    """The work that writes one row."""
    return lambda statements: statements.run("INSERT INTO t (x) VALUES (?)", x)


async def rows(database: SqliteDatabase) -> list[object]:
    """What the table holds."""
    return [row["x"] for row in await database.all("SELECT x FROM t ORDER BY x")]


def damage(path: Path) -> int:
    """Overwrite every page but the first, and tell how large the file is."""
    whole = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (len(whole) - 4096))
    return len(whole)


@contextmanager
def somebody_else_writes(path: Path) -> Iterator[None]:
    """Another program that holds the write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_what_is_written_can_be_read(store: SqliteDatabase) -> None:
    """catshop/storage/database.py: rows are mappings by column."""
    assert await store.write(put(7)) == 1
    assert await store.one("SELECT x FROM t WHERE x = ?", 7) == {"x": 7}
    assert await store.one("SELECT x FROM t WHERE x = ?", 8) is None


async def test_a_write_hands_back_what_its_statements_return(store: SqliteDatabase) -> None:
    """RETURNING is how single use is one statement."""
    returned = await store.write(lambda s: s.one("INSERT INTO t (x) VALUES (3) RETURNING x"))
    assert returned == {"x": 3}


async def test_an_exception_in_a_write_leaves_nothing_behind(store: SqliteDatabase) -> None:
    """A transaction is whole or absent."""

    def half(statements: Statements) -> None:
        statements.run("INSERT INTO t (x) VALUES (1)")
        raise LookupError("the second half fails")

    with pytest.raises(LookupError, match="second half"):
        await store.write(half)
    assert await rows(store) == []
    assert await store.write(put(2)) == 1


async def test_a_broken_constraint_rolls_back_and_is_the_statements_own_fault(
    store: SqliteDatabase,
) -> None:
    """A CHECK that fails is no fault of the disk, so it is not told as one."""

    def bad(statements: Statements) -> None:
        statements.run("INSERT INTO t (x) VALUES (1)")
        statements.run("INSERT INTO t (x) VALUES (-1)")

    with pytest.raises(sqlite3.IntegrityError):
        await store.write(bad)
    assert await rows(store) == []


async def test_a_read_cannot_write(store: SqliteDatabase) -> None:
    """Reads run on a connection with query_only."""
    with pytest.raises(Unavailable) as refused:
        await store.one("INSERT INTO t (x) VALUES (1) RETURNING x")
    assert refused.value.code == "E-DB-02"
    assert await rows(store) == []


async def test_a_read_does_not_wait_for_a_write_of_another_program(
    store: SqliteDatabase, path: Path
) -> None:
    """Security case D13: the event loop is not blocked by somebody else's lock."""
    await store.write(put(1))
    with somebody_else_writes(path), anyio.fail_after(1):
        assert await rows(store) == [1]


async def test_a_write_that_finds_the_lock_taken_is_unavailable_and_changed_nothing(
    store: SqliteDatabase, path: Path
) -> None:
    """Security case D13: waits no longer than busy_seconds, then 503."""
    with somebody_else_writes(path), anyio.fail_after(2):
        with pytest.raises(Unavailable) as refused:
            await store.write(put(1))
        assert refused.value.code == "E-DB-01"
    assert await store.write(put(2)) == 1
    assert await rows(store) == [2]


async def test_all_who_wait_for_one_lock_wait_busy_seconds_together(
    store: SqliteDatabase, path: Path
) -> None:
    """Security case D13: twenty waiting writers are told in one patience, not in twenty."""
    codes: list[str] = []

    async def writer(x: int) -> None:
        try:
            await store.write(put(x))
        except Unavailable as refused:
            codes.append(refused.code)

    with somebody_else_writes(path), anyio.fail_after(20 * QUICK.busy_seconds):
        async with anyio.create_task_group() as tasks:
            for x in range(20):
                tasks.start_soon(writer, x)
    assert codes == ["E-DB-01"] * 20


async def test_a_read_then_a_write_never_meets_a_stale_snapshot(
    store: SqliteDatabase, path: Path
) -> None:
    """Security case D14: a writing transaction takes the write lock before its first read."""
    await store.write(put(0))

    def next_number(statements: Statements) -> None:
        row = statements.one("SELECT max(x) AS x FROM t")
        assert row is not None
        statements.run("INSERT INTO t (x) VALUES (?)", int(row["x"] or 0) + 1)

    other = SqliteDatabase.open(path, StorageLimits(), Trace())
    patient = SqliteDatabase.open(path, StorageLimits(), Trace())
    async with anyio.create_task_group() as tasks:
        for number in range(40):
            tasks.start_soon((other, patient)[number % 2].write, next_number)
    await other.close()
    await patient.close()
    assert await rows(store) == list(range(41))


async def test_a_full_disk_refuses_the_write_whole_and_recovers(store: SqliteDatabase) -> None:
    """Security case D10: reads go on, and writes work again without a restart."""

    def fill(statements: Statements) -> None:
        statements.run("INSERT INTO t (x) VALUES (1)")
        statements.run("CREATE TABLE big (y BLOB)")
        statements.run("INSERT INTO big VALUES (zeroblob(1000000))")

    await store.write(lambda s: s.run("PRAGMA max_page_count = 5"))
    with pytest.raises(Unavailable) as refused:
        await store.write(fill)
    assert refused.value.code == "E-DB-03"
    assert await rows(store) == []
    await store.write(lambda s: s.run("PRAGMA max_page_count = 100000"))
    assert await store.write(put(2)) == 1


async def test_no_statement_runs_after_sqlite_has_rolled_back(store: SqliteDatabase) -> None:
    """Security case D10: a statement after SQLITE_FULL would be committed on its own."""

    def stubborn(statements: Statements) -> None:
        statements.run("ROLLBACK")  # what SQLite does by itself when the disk is full
        statements.run("INSERT INTO t (x) VALUES (1)")

    with pytest.raises(Unavailable) as refused:
        await store.write(stubborn)
    assert refused.value.code == "E-DB-03"
    assert await rows(store) == []


async def test_a_damaged_page_is_unavailable_and_the_file_is_kept(path: Path) -> None:
    """Security case D15: SQLITE_CORRUPT in flight is told; nothing is overwritten."""
    database = SqliteDatabase.open(path, QUICK, Trace())
    await database.write(lambda s: s.run("CREATE TABLE t (x TEXT)"))
    await database.write(lambda s: s.run("INSERT INTO t VALUES (?)", "x" * 100_000))
    await database.close()
    database = SqliteDatabase.open(path, QUICK, Trace())
    size = damage(path)
    with pytest.raises(Unavailable) as refused:
        await database.all("SELECT x FROM t")
    assert refused.value.code == "E-DB-05"
    await database.close()
    assert damage(path) >= size


async def test_a_cancelled_write_is_whole_or_absent(store: SqliteDatabase) -> None:
    """Once begun a transaction is not cancelled: it ends, and then the cancellation is felt."""
    begun, go = threading.Event(), threading.Event()

    def slow(statements: Statements) -> None:
        statements.run("INSERT INTO t (x) VALUES (1)")
        begun.set()
        go.wait(5)
        statements.run("INSERT INTO t (x) VALUES (2)")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.write, slow)
            while not begun.is_set():
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
            go.set()
    assert await rows(store) == [1, 2]
    assert await store.write(put(3)) == 1


async def test_a_write_cancelled_before_its_turn_never_begins(store: SqliteDatabase) -> None:
    """Waiting for a turn is cancelled like any other wait."""
    begun, go = threading.Event(), threading.Event()

    def slow(_: Statements) -> None:
        begun.set()
        go.wait(5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.write, slow)
        while not begun.is_set():
            await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(0):
            await store.write(put(1))
        go.set()
    assert await rows(store) == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # trio has no other way to cancel
async def test_a_task_cancelled_by_asyncio_itself_leaves_the_writer_to_its_thread(
    store: SqliteDatabase,
) -> None:
    """The thread works on alone; the next write waits for it and finds its work whole."""
    begun, go = threading.Event(), threading.Event()

    def slow(statements: Statements) -> None:
        statements.run("INSERT INTO t (x) VALUES (1)")
        begun.set()
        go.wait(5)
        statements.run("INSERT INTO t (x) VALUES (2)")

    task = asyncio.get_running_loop().create_task(store.write(slow))
    while not begun.is_set():
        await anyio.lowlevel.checkpoint()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(Unavailable) as refused:
        await store.write(put(3))
    assert refused.value.code == "E-DB-01"
    go.set()
    while await rows(store) != [1, 2]:
        await anyio.lowlevel.checkpoint()
    assert await store.write(put(3)) == 1


async def test_a_store_that_has_become_read_only_is_unavailable(store: SqliteDatabase) -> None:
    """Security case D12, in flight: 503 instead of a fault of ours; reads go on."""
    await store.write(lambda s: s.run("PRAGMA query_only = ON"))
    with pytest.raises(Unavailable) as refused:
        await store.write(put(1))
    assert refused.value.code == "E-DB-02"
    assert await rows(store) == []


FAILS = """
import resource, sys, anyio, pathlib
from catshop.kernel import Trace, Unavailable
from catshop.limits import StorageLimits
from catshop.storage.sqlite import SqliteDatabase

def allow(octets):
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))

async def main():
    database = SqliteDatabase.open(pathlib.Path(sys.argv[1]), StorageLimits(), Trace())
    await database.write(lambda s: s.run("CREATE TABLE t (x)"))
    before = database._writer
    allow(40_000)
    try:
        await database.write(lambda s: s.run("INSERT INTO t VALUES (zeroblob(90000))"))
    except Unavailable as refused:
        print(refused.code)
    allow(resource.RLIM_INFINITY)
    print(await database.one("SELECT count(*) AS n FROM t"))
    print(await database.write(lambda s: s.run("INSERT INTO t VALUES (1)")))
    print(database._writer is before)
    await database.close()

anyio.run(main)
"""


def test_a_disk_that_fails_is_told_and_its_connection_not_trusted_again(
    path: Path, python: Callable[[str, Path], subprocess.Popen[str]]
) -> None:
    """Security case D11: no acknowledgement; the connection is dropped and reopened."""
    said, wrong = python(FAILS, path).communicate(timeout=60)
    assert said.splitlines() == ["E-DB-04", "{'n': 0}", "1", "False"], wrong


async def test_each_statement_is_traced_without_its_values(path: Path) -> None:
    """Kind.SQL: the text with its question marks and the number of rows; never a value."""
    trace, seen = Trace(), list[Event]()
    database = SqliteDatabase.open(path, QUICK, trace)
    await database.write(lambda s: s.run("CREATE TABLE t (x)"))
    trace.observe(seen.append)
    await database.write(lambda s: s.run("INSERT INTO t VALUES (?)", "hunter2"))
    await database.all("SELECT x FROM t WHERE x = ?", "hunter2")
    await database.close()
    assert [(event.kind, event.fields["sql"], event.fields["rows"]) for event in seen] == [
        (Kind.SQL, "BEGIN IMMEDIATE", 0),
        (Kind.SQL, "INSERT INTO t VALUES (?)", 1),
        (Kind.SQL, "COMMIT", 0),
        (Kind.SQL, "SELECT x FROM t WHERE x = ?", 1),
    ]
    assert "hunter2" not in repr(seen)


async def test_a_closed_database_is_unavailable(path: Path) -> None:
    """A request that outlives the drain is told so."""
    database = SqliteDatabase.open(path, QUICK, Trace())
    await database.close()
    await database.close()
    for call in (database.one("SELECT 1"), database.write(lambda s: s.one("SELECT 1"))):
        with pytest.raises(Unavailable) as refused:
            await call
        assert refused.value.code == "E-DB-11"


async def test_writes_are_flushed_before_they_are_acknowledged(store: SqliteDatabase) -> None:
    """Security case D9: synchronous=FULL, in the write-ahead log."""
    assert await store.write(lambda s: s.one("PRAGMA synchronous")) == {"synchronous": 2}
    assert await store.one("PRAGMA journal_mode") == {"journal_mode": "wal"}
    assert await store.one("PRAGMA foreign_keys") == {"foreign_keys": 1}


async def test_the_log_is_brought_home_when_nobody_reads(store: SqliteDatabase, path: Path) -> None:
    """Security case D18: our own reads leave no snapshot open that would keep the log growing."""
    for x in range(50):
        await store.write(put(x))
        await store.one("SELECT x FROM t")
    await store.tidy(NOW)
    await store.write(put(50))
    assert path.with_name("shop.db-wal").stat().st_size < 1024 * 1024


async def test_a_log_that_outgrows_its_limit_is_told(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Security case D18: a reader of another program that never ends raises the alarm."""
    database = SqliteDatabase.open(path, replace(QUICK, journal_octets=4096), Trace())
    await database.write(lambda s: s.run("CREATE TABLE t (x)"))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()
        await database.write(lambda s: s.run("INSERT INTO t VALUES (zeroblob(50000))"))
        await database.tidy(NOW)
    await database.close()
    assert "another program reads for too long" in caplog.text


async def test_the_file_and_its_companions_are_for_their_owner_alone(
    store: SqliteDatabase, path: Path
) -> None:
    """Mode 0600, whatever the umask says."""
    names = (path, path.with_name("shop.db-wal"), path.with_name("shop.db-shm"))
    assert [name.stat().st_mode & 0o777 for name in names] == [0o600] * 3


ACKNOWLEDGE = """
import sys, anyio, pathlib, os
from catshop.kernel import Trace
from catshop.limits import StorageLimits
from catshop.storage.sqlite import SqliteDatabase

async def main():
    database = SqliteDatabase.open(pathlib.Path(sys.argv[1]), StorageLimits(), Trace())
    await database.write(lambda s: s.run("CREATE TABLE t (x)"))
    await database.write(lambda s: s.run("INSERT INTO t VALUES (1)"))
    def half(s):
        s.run("INSERT INTO t VALUES (2)")
        print("acknowledged", flush=True)
        sys.stdin.read()
    await database.write(half)

anyio.run(main)
"""


async def test_kill_9_keeps_what_was_acknowledged_and_nothing_else(
    path: Path, killed: Callable[[str, Path], None]
) -> None:
    """Security cases I3 and I4: a write is there once it returned, and wholly absent before."""
    killed(ACKNOWLEDGE, path)
    database = SqliteDatabase.open(path, QUICK, Trace())
    assert await rows(database) == [1]
    await database.close()


def refusal(path: Path) -> StartRefused:
    """How opening `path` is refused."""
    with pytest.raises(StartRefused) as refused:
        SqliteDatabase.open(path, QUICK, Trace())
    assert str(refused.value).startswith(f"{refused.value.code} {path}: ")
    return refused.value


def test_a_missing_directory_is_refused_and_not_made(tmp_path: Path) -> None:
    """Only the file itself is created."""
    assert refusal(tmp_path / "no" / "shop.db").code == "E-DB-08"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """E-DB-10."""
    assert refusal(tmp_path).code == "E-DB-10"


def test_a_file_that_is_no_database_is_refused_and_kept(path: Path) -> None:
    """Security case D15: never recreated, never overwritten."""
    text = b"My diary. Do not lose.\n" * 500
    path.write_bytes(text)
    assert refusal(path).code == "E-DB-06"
    assert path.read_bytes() == text


def test_a_database_of_another_program_is_refused_and_kept(path: Path) -> None:
    """E-DB-09."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url)")
        other.commit()
    before = path.read_bytes()
    assert refusal(path).code == "E-DB-09"
    assert path.read_bytes() == before


def test_a_damaged_database_is_refused_and_kept(path: Path) -> None:
    """Security case D15."""
    with closing(sqlite3.connect(path)) as ours:
        ours.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        ours.execute("CREATE TABLE t (x)")
        ours.execute("INSERT INTO t VALUES (zeroblob(20000))")
        ours.commit()
    broken = bytearray(path.read_bytes())
    broken[4096:8192] = b"\xff" * 4096
    path.write_bytes(broken)
    assert refusal(path).code == "E-DB-05"
    assert path.read_bytes() == broken


async def test_a_locked_database_is_refused_at_start(store: SqliteDatabase, path: Path) -> None:
    """E-DB-01: told after busy_seconds, not waited for without end."""
    with somebody_else_writes(path):
        assert refusal(path).code == "E-DB-01"


READ_ONLY = """
import os, sys, pathlib, tempfile
from catshop.kernel import Trace
from catshop.limits import StorageLimits
from catshop.storage.faults import StartRefused
from catshop.storage.sqlite import SqliteDatabase

def start(path):
    try:
        SqliteDatabase.open(path, StorageLimits(), Trace())
    except StartRefused as refused:
        print(refused.code)

path = pathlib.Path(sys.argv[1])
start(path.with_name("no") / "shop.db")
with tempfile.TemporaryDirectory() as folder:
    start(pathlib.Path(folder) / "shop.db")
if os.getuid() == 0:  # root may write anything; what follows has imported all that it needs
    os.setgid(65534), os.setuid(65534)
start(path)
"""


def test_a_database_that_may_only_be_read_is_refused_at_start(
    python: Callable[[str, Path], subprocess.Popen[str]],
) -> None:
    """Security case D12: one clear line; a user without the right to write cannot start."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        anyio.run(SqliteDatabase.open(path, QUICK, Trace()).close)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        said, wrong = python(READ_ONLY, path).communicate(timeout=60)
        path.parent.chmod(0o755)
    assert said.splitlines() == ["E-DB-08", "E-DB-02"], wrong

"""The default engine: one SQLite file, through the standard library.

Readers never wait for the writer (write-ahead log), so a read runs inline, on a connection that
cannot write and belongs to the thread that opened it. Writers take turns: one transaction at a
time, in a worker thread, begun with the write lock (`BEGIN IMMEDIATE`), durable before it is
acknowledged (`synchronous=FULL`). It knows no table. Next: `migrate.py`.

The trap of this file: after SQLITE_FULL and some I/O errors SQLite has already rolled back, and a
further statement would run, and stay, outside any transaction.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import anyio
import anyio.to_thread

from catshop.kernel import Kind, Trace, Unavailable
from catshop.limits import StorageLimits
from catshop.storage.database import Row, Value
from catshop.storage.faults import StartRefused, unavailable

T = TypeVar("T")


class Ran(NamedTuple):
    """A statement that ran, with the rows that it gave or changed; never its values."""

    sql: str
    rows: int
    ms: float


Log = list[Ran]
"""The statements of one transaction, in order."""

APPLICATION_ID: Final = 0x43617453
"""`CatS`: what `PRAGMA application_id` of our files says, so that no other is taken for one."""

CODES: Final = {
    sqlite3.SQLITE_BUSY: "E-DB-01",
    sqlite3.SQLITE_LOCKED: "E-DB-01",
    sqlite3.SQLITE_READONLY: "E-DB-02",
    sqlite3.SQLITE_PERM: "E-DB-02",
    sqlite3.SQLITE_FULL: "E-DB-03",
    sqlite3.SQLITE_IOERR: "E-DB-04",
    sqlite3.SQLITE_CORRUPT: "E-DB-05",
    sqlite3.SQLITE_NOTADB: "E-DB-06",
    sqlite3.SQLITE_CANTOPEN: "E-DB-10",
}
"""Which words of the catalogue a primary result code of SQLite has."""

DROPS: Final = frozenset({"E-DB-04", "E-DB-05", "E-DB-06", "E-DB-10"})
"""After these a connection is not trusted again: fsync that failed once may lie the next time."""

logger: Final = logging.getLogger(__name__)


def code_of(error: sqlite3.Error) -> str | None:
    """The catalogue's code for a fault of the environment; None for a fault of the statement."""
    return CODES.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF)


class SqliteDatabase:
    """`storage.database.Database` on one file. Made by `open`; `migrate` sees to the schema."""

    def __init__(self, path: Path, limits: StorageLimits, trace: Trace) -> None:
        self._path = path
        self._limits = limits
        self._trace = trace
        self._own = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection | None = None
        self._turn = anyio.Lock(fast_acquire=True)
        self._thread = anyio.CapacityLimiter(1)
        # A task cancelled behind anyio's back (asyncio's own `cancel`) leaves its thread at work
        # and gives its turn back; this lock keeps the next one off the connection until then.
        self._writing = threading.Lock()
        self._closed = False

    @classmethod
    def open(cls, path: Path, limits: StorageLimits, trace: Trace) -> SqliteDatabase:
        """The database in `path`, created when there is none; `StartRefused` when it is not usable.

        A file that is refused is left as it was.
        """
        _claim(path)
        database = cls(path, limits, trace)
        try:
            database._writer = database._connect(limits.busy_seconds)
            _recognise(database._writer, path)
            _adopt(database._writer, path)
        except sqlite3.Error as error:
            database._release()
            raise StartRefused(code_of(error) or "E-DB-10", str(path), str(error)) from error
        except StartRefused:
            database._release()
            raise
        return database

    async def one(self, sql: str, *values: Value) -> Row | None:
        """Read the first row of a query, outside a transaction."""
        return next(iter(self._read(sql, values, most=1)), None)

    async def all(self, sql: str, *values: Value) -> list[Row]:
        """Read every row of a query, outside a transaction."""
        return self._read(sql, values)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction, off the event loop; see the port for what it promises.

        Waiting for a turn and for other processes takes `busy_seconds` together, no more.
        """
        until = time.monotonic() + self._limits.busy_seconds
        await self._take_turn()
        log: Log | None = [] if self._trace.observed else None
        try:
            return await anyio.to_thread.run_sync(
                self._transact, work, until, log, limiter=self._thread
            )
        finally:
            self._turn.release()
            self._tell(log)

    async def tidy(self, _now: datetime) -> None:
        """Bring the write-ahead log home, and warn when some reader keeps it from shrinking."""
        await anyio.to_thread.run_sync(self._checkpoint, limiter=self._thread)
        log = self._path.with_name(self._path.name + "-wal")
        with suppress(FileNotFoundError):
            if (size := log.stat().st_size) > self._limits.journal_octets:
                logger.warning("%s has %d octets: another program reads for too long", log, size)

    async def close(self) -> None:
        """Give everything back. Idempotent; a transaction that has begun ends first."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._release, limiter=self._thread)

    def _read(self, sql: str, values: tuple[Value, ...], most: int | None = None) -> list[Row]:
        began = time.perf_counter()
        try:
            rows = _rows(self._reader().execute(sql, values), most)
        except sqlite3.Error as error:
            raise self._fault(error, self._drop_reader) from error
        if self._trace.observed:
            self._tell([Ran(sql, len(rows), _since(began))])
        return rows

    def _reader(self) -> sqlite3.Connection:
        """A connection for reading that belongs to the calling thread alone."""
        if self._closed:
            raise unavailable("E-DB-11")
        connection: sqlite3.Connection | None = getattr(self._own, "reader", None)
        if connection is None:
            connection = self._own.reader = self._connect(self._limits.read_busy_seconds)
            connection.execute("PRAGMA query_only = ON")
            self._readers.append(connection)
        return connection

    def _drop_reader(self) -> None:
        self._readers.remove(self._own.reader)
        self._own.reader.close()
        self._own.reader = None

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _connect(self, patience: float) -> sqlite3.Connection:
        """A connection with our settings. `mode=rw`: a file that has vanished is not made anew."""
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=patience,
            isolation_level=None,
            check_same_thread=False,  # for `close`, and for the writer's turns; never used by two
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {self._limits.journal_octets:d}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    async def _take_turn(self) -> None:
        with anyio.move_on_after(self._limits.busy_seconds) as wait:
            await self._turn.acquire()
        if wait.cancelled_caught:
            raise unavailable("E-DB-01", "too many writes are waiting")

    def _transact(self, work: Callable[[Transaction], T], until: float, log: Log | None) -> T:
        """One turn of the writer, in its thread: begun, and then committed or rolled back."""
        if not self._writing.acquire(timeout=max(0.0, until - time.monotonic())):
            raise unavailable("E-DB-01", "another write is at work")
        try:
            transaction = Transaction(self._open_writer(until), log)
            return transaction.run_whole(work)
        except sqlite3.Error as error:
            raise self._fault(error, self._drop_writer) from error
        finally:
            self._writing.release()

    def _open_writer(self, until: float) -> sqlite3.Connection:
        if self._closed:
            raise unavailable("E-DB-11")
        if self._writer is None:
            self._writer = self._connect(self._limits.busy_seconds)
        patience = max(0, round((until - time.monotonic()) * 1000))
        self._writer.execute(f"PRAGMA busy_timeout = {patience:d}")
        return self._writer

    def _fault(self, error: sqlite3.Error, drop: Callable[[], None]) -> Unavailable | sqlite3.Error:
        """What the caller meets instead of SQLite's error; a fault of the statement stays one."""
        code = code_of(error)
        if code is None:
            return error
        if code in DROPS:
            with suppress(sqlite3.Error, AttributeError, ValueError):
                drop()
        if code == "E-DB-05":
            logger.critical("%s is damaged: %s", self._path, error)
        return unavailable(code, str(error))

    def _checkpoint(self) -> None:
        with self._writing:
            if self._writer is not None:
                with suppress(sqlite3.Error):
                    self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _release(self) -> None:
        with self._writing:
            self._closed = True
            self._drop_writer()
            while self._readers:
                self._readers.pop().close()

    def _tell(self, log: Log | None) -> None:
        if self._trace.observed:
            for sql, rows, ms in log or ():
                told = " ".join(sql.split())
                self._trace.note(Kind.SQL, "statement", sql=told, rows=rows, ms=ms)


class Transaction:
    """`storage.database.Statements` of one transaction, on the thread that owns it."""

    def __init__(self, connection: sqlite3.Connection, log: Log | None) -> None:
        self._connection = connection
        self._log = log

    def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        return next(iter(self.all(sql, *values)), None)

    def all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        began = time.perf_counter()
        rows = _rows(self._execute(sql, values))
        self._ran(sql, len(rows), began)
        return rows

    def run(self, sql: str, *values: Value) -> int:
        """How many rows were changed."""
        began = time.perf_counter()
        changed = max(0, self._execute(sql, values).rowcount)
        self._ran(sql, changed, began)
        return changed

    def run_whole(self, work: Callable[[Transaction], T]) -> T:
        """Begin with the write lock, work, commit; on any exception leave nothing behind."""
        began = time.perf_counter()
        self._connection.execute("BEGIN IMMEDIATE")
        self._ran("BEGIN IMMEDIATE", 0, began)
        try:
            result = work(self)
            began = time.perf_counter()
            self._execute("COMMIT", ())
        except BaseException:
            began = time.perf_counter()
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            self._ran("ROLLBACK", 0, began)
            raise
        self._ran("COMMIT", 0, began)
        return result

    def _ran(self, sql: str, rows: int, began: float) -> None:
        if self._log is not None:
            self._log.append(Ran(sql, rows, _since(began)))

    def _execute(self, sql: str, values: tuple[Value, ...]) -> sqlite3.Cursor:
        if not self._connection.in_transaction:
            raise unavailable(
                "E-DB-03", "the transaction is over, and no statement runs outside it"
            )
        return self._connection.execute(sql, values)


def _since(began: float) -> float:
    """Milliseconds."""
    return round((time.perf_counter() - began) * 1000, 3)


def _rows(cursor: sqlite3.Cursor, most: int | None = None) -> list[Row]:
    """The rows as mappings. The cursor is closed, or its snapshot would keep the log from home."""
    names = [column[0] for column in cursor.description or ()]
    found = cursor.fetchall() if most is None else cursor.fetchmany(most)
    cursor.close()
    return [dict(zip(names, row, strict=True)) for row in found]


def _claim(path: Path) -> None:
    """See that there is a file, if need be a new and empty one that only its owner may read."""
    if not path.parent.is_dir():
        raise StartRefused("E-DB-08", str(path))
    if path.exists() and not path.is_file():
        raise StartRefused("E-DB-10", str(path), "it is not a regular file")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StartRefused("E-DB-10", str(path), error.strerror or "") from error


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    """See that the file is empty or ours, and whole. Reads only."""
    [(owner,)] = connection.execute("PRAGMA application_id").fetchall()
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    if owner != APPLICATION_ID and (owner or tables):
        raise StartRefused("E-DB-09", str(path))
    [(verdict,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    if verdict != "ok":
        raise StartRefused("E-DB-05", str(path), str(verdict).splitlines()[0])


def _adopt(connection: sqlite3.Connection, path: Path) -> None:
    """Mark the file as ours; the write that this takes shows that it can be written.

    The log and its index take their mode from the database, so that one is narrowed first.
    """
    for name in (path, *(path.with_name(path.name + tail) for tail in ("-wal", "-shm"))):
        with suppress(FileNotFoundError, PermissionError):
            name.chmod(0o600)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL").fetchall()

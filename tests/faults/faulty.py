"""A storage that fails on demand, and a house that lets every request meet every failure.

The n-th step of storage fails: a read, a statement of a transaction, or the commit behind them.
`Unlucky.ask` sends each request first with its first step failing, then with its second, and so on
until it comes through; after each failure nothing may have changed, so that the next try is the
retry of the one before. Any conversation that is written for a `House` becomes a table of faults.
Nothing here knows an engine: transactions are the real ones, and really roll back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from catshop.kernel import Unavailable
from catshop.protocol.http1.messages import Answer, Request
from catshop.storage.database import Database, Row, Statements, Value
from tests.oauth.house import House, field_of, json_of

T = TypeVar("T")
Tables = Mapping[str, list[Row]]


class Outage(Enum):
    """How storage fails."""

    ONE_STEP = "once"
    FROM_THEN_ON = "and stays away"


@dataclass
class Failing:
    """`storage.database.Database` on another one, of whose steps the n-th fails when told so."""

    real: Database
    outage: Outage = Outage.ONE_STEP
    struck: list[str] = field(default_factory=list)
    _left: int = -1

    @contextmanager
    def at(self, step: int) -> Iterator[None]:
        """Fail the step of that number, counted from 1, as long as the context lasts."""
        self.struck, self._left = [], step
        yield
        self._left = -1

    def _step(self, name: str) -> None:
        if self._left < 0:
            return
        self._left -= 1
        if self._left == 0:
            self.struck.append(" ".join(name.split()))
            self._left = 1 if self.outage is Outage.FROM_THEN_ON else -1
            raise Unavailable("E-DB-04", "a fault of the test")

    async def one(self, sql: str, *values: Value) -> Row | None:
        self._step(sql)
        return await self.real.one(sql, *values)

    async def all(self, sql: str, *values: Value) -> list[Row]:
        self._step(sql)
        return await self.real.all(sql, *values)

    async def write(self, work: Callable[[Statements], T]) -> T:
        def failing(statements: Statements) -> T:
            result = work(Steps(statements, self._step))
            self._step("COMMIT")
            return result

        return await self.real.write(failing)

    async def close(self) -> None:
        await self.real.close()


@dataclass
class Steps:
    """`storage.database.Statements`, each of them a step that may fail."""

    real: Statements
    step: Callable[[str], None]

    def one(self, sql: str, *values: Value) -> Row | None:
        self.step(sql)
        return self.real.one(sql, *values)

    def all(self, sql: str, *values: Value) -> list[Row]:
        self.step(sql)
        return self.real.all(sql, *values)

    def run(self, sql: str, *values: Value) -> int:
        self.step(sql)
        return self.real.run(sql, *values)


async def the_same(request: Request) -> Request:
    """What is sent once more is what was sent before."""
    return request


@dataclass
class Unlucky(House):
    """A house whose every request fails at every step before it comes through."""

    failing: Failing = field(kw_only=True)
    kept: frozenset[str] = frozenset()
    """Tables in which a request may leave its mark whatever comes of it."""
    retry: Callable[[Request], Awaitable[Request]] = the_same
    """What is sent after a fault: the same again, unless something in it is good once."""
    faults: int = 0
    outlived: list[str] = field(default_factory=list)
    """Requests that came through though a step of them failed."""

    is_spared: bool = False

    @contextmanager
    def spared(self) -> Iterator[None]:
        """No fault befalls what a flow has to prepare."""
        self.is_spared = True
        yield
        self.is_spared = False

    async def ask(self, request: Request) -> Answer:
        """The answer of the try that no fault befell."""
        if self.is_spared:
            return await super().ask(request)
        step = 1
        while True:
            before = await self._tables()
            with self.failing.at(step):
                answer = await super().ask(request)
            if not self.failing.struck:
                return answer
            where = f"{request.head.method} {request.head.path}: {self.failing.struck[0]}"
            if answer.status < 400:
                self.outlived.append(where)
                return answer
            assert_clean(answer, where)
            assert await self._tables() == before, f"{where}: something was left behind"
            self.faults += 1
            step += 1
            request = await self.retry(request)

    async def _tables(self) -> Tables:
        """Every row of every table, in order."""
        found = await self.database.all("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = {str(row["name"]) for row in found} - self.kept
        return {name: await self._rows(name) for name in sorted(names)}

    async def _rows(self, name: str) -> list[Row]:
        rows = await self.database.all(f"SELECT * FROM {name}")  # noqa: S608 - a test
        return sorted(rows, key=repr)


def assert_clean(answer: Answer, where: str) -> None:
    """503 that says when to come back, in words for whoever asked. RFC 9110 §15.6.4."""
    assert answer.status == 503, f"{where}: {answer.status} {answer.body!r}"
    assert int(field_of(answer, "retry-after") or 0) >= 1, where
    assert field_of(answer, "location") is None, where
    assert field_of(answer, "set-cookie") is None, where
    if (field_of(answer, "content-type") or "").startswith("text/html"):
        assert b"E-DB-04" in answer.body, where
        return
    told = json_of(answer)
    assert "E-DB-04" in told.get("error_description", told.get("code", "")), where
    assert told["error"] == "temporarily_unavailable" or "request_id" in told, where

"""The port `protocol.ports.TaskStore` in SQL: calls that answer later.

What happens to a task is decided by a pure function that is handed the row inside the transaction,
so of a result and a cancellation that race one comes first and the other finds a task that has
ended. Knows no transitions. Next: `catshop/protocol/task_states.py`, which has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

from catshop.protocol.ports import Owner, Status, Task
from catshop.storage.database import Database, Row, Statements, milliseconds, moment

COUNT_LIVE: Final = """
    SELECT count(*) AS live FROM protocol_tasks
    WHERE owner = ? AND expires_at > ? AND status IN ('working', 'input_required')
"""

BEAT: Final = """
    UPDATE protocol_tasks SET beat_at = ? WHERE id = ? AND status IN ('working', 'input_required')
"""


class SqlTasks:
    """`protocol.ports.TaskStore` on a database that has the schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, task: Task, most: int) -> bool:
        """See the port."""
        owner, now = _owner(task.owner), milliseconds(task.created_at)

        def work(statements: Statements) -> bool:
            [row] = statements.all(COUNT_LIVE, owner, now)
            if _number(row, "live") >= most:
                return False
            statements.run(
                "INSERT INTO protocol_tasks (id, owner, status, created_at, updated_at, expires_at,"
                " beat_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(task.id, owner, task.status, now, milliseconds(task.updated_at)),
                *(milliseconds(task.expires_at), milliseconds(task.beat_at)),
            )
            return True

        return await self._database.write(work)

    async def find(self, owner: Owner, task_id: str, now: datetime) -> Task | None:
        """See the port."""
        row = await self._database.one(
            "SELECT * FROM protocol_tasks WHERE id = ? AND owner = ? AND expires_at > ?",
            *(task_id, _owner(owner), milliseconds(now)),
        )
        return _task(row) if row else None

    async def change(self, task_id: str, move: Callable[[Task], Task | None]) -> Task | None:
        """See the port."""

        def work(statements: Statements) -> Task | None:
            row = statements.one("SELECT * FROM protocol_tasks WHERE id = ?", task_id)
            after = move(_task(row)) if row else None
            if after is None:
                return None
            statements.run(
                "UPDATE protocol_tasks SET status = ?, message = ?, payload = ?, updated_at = ?"
                " WHERE id = ?",
                *(after.status, after.message, _json(after.payload)),
                *(milliseconds(after.updated_at), task_id),
            )
            return after

        return await self._database.write(work)

    async def beat(self, task_ids: Collection[str], now: datetime) -> frozenset[str]:
        """See the port."""

        def work(statements: Statements) -> frozenset[str]:
            return frozenset(id_ for id_ in ids if statements.run(BEAT, milliseconds(now), id_))

        ids = tuple(task_ids)
        return await self._database.write(work)

    async def sweep(self, now: datetime) -> int:
        """See the port."""

        def work(statements: Statements) -> int:
            return statements.run(
                "DELETE FROM protocol_tasks WHERE expires_at <= ?", milliseconds(now)
            )

        return await self._database.write(work)


def _task(row: Row) -> Task:
    """One row of `protocol_tasks`."""
    client_id, issuer, subject = json.loads(_text(row, "owner"))
    return Task(
        id=_text(row, "id"),
        owner=(client_id, issuer, subject),
        status=Status(_text(row, "status")),
        created_at=moment(_number(row, "created_at")),
        updated_at=moment(_number(row, "updated_at")),
        expires_at=moment(_number(row, "expires_at")),
        beat_at=moment(_number(row, "beat_at")),
        message=None if row["message"] is None else _text(row, "message"),
        payload=None if row["payload"] is None else json.loads(_text(row, "payload")),
    )


def _owner(owner: Owner) -> str:
    return json.dumps(owner)


def _json(payload: object) -> str | None:
    return None if payload is None else json.dumps(payload)


def _number(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int), column  # noqa: S101 - the schema says BIGINT NOT NULL
    return value


def _text(row: Row, column: str) -> str:
    value = row[column]
    assert isinstance(value, str), column  # noqa: S101 - the schema says TEXT
    return value

"""The life of a task, as two enums and one table; and what each happening leaves in its row.

A task is a call that answers later: its row outlives the request that began it, and only what is
listed in `TRANSITIONS` can happen to it. Everything here is pure: a task and a happening in, the
task as it is afterwards out, or None where that cannot happen any more. Storage runs these inside
its transaction. Knows no handlers and no SQL. Next: `tasks.py`. MCP 2026-07-28 extensions/tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Final

Owner = tuple[str, str, str | None]
"""`Principal.key`: the same user through the same client."""

Members = Mapping[str, object]
"""Members of a JSON object."""


class Status(StrEnum):
    """How far a task is, in the specification's words."""

    WORKING = "working"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Happening(Enum):
    """What moves a task."""

    ASKED = "the handler asks the client something"
    ANSWERED_SOME = "some of what was asked is answered"
    ANSWERED_ALL = "everything that was asked is answered"
    RETURNED = "the handler returned a result"
    RAISED = "the handler raised an error, or its process is gone"
    CANCELLED = "tasks/cancel"


TRANSITIONS: Final = {
    (Status.WORKING, Happening.ASKED): Status.INPUT_REQUIRED,
    (Status.INPUT_REQUIRED, Happening.ASKED): Status.INPUT_REQUIRED,
    (Status.INPUT_REQUIRED, Happening.ANSWERED_SOME): Status.INPUT_REQUIRED,
    (Status.INPUT_REQUIRED, Happening.ANSWERED_ALL): Status.WORKING,
    (Status.WORKING, Happening.RETURNED): Status.COMPLETED,
    (Status.INPUT_REQUIRED, Happening.RETURNED): Status.COMPLETED,
    (Status.WORKING, Happening.RAISED): Status.FAILED,
    (Status.INPUT_REQUIRED, Happening.RAISED): Status.FAILED,
    (Status.WORKING, Happening.CANCELLED): Status.CANCELLED,
    (Status.INPUT_REQUIRED, Happening.CANCELLED): Status.CANCELLED,
}
"""The whole life of a task; what is not here cannot happen, so what has ended stays as it is."""

LIVE: Final = frozenset(before for before, _ in TRANSITIONS)
"""Where something can still happen."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `payload` holds the member that its status brings: result, error, inputRequests.

    `beat_at` is when the process that runs it last said so; times are whole milliseconds.
    """

    id: str
    owner: Owner
    status: Status
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    beat_at: datetime
    message: str | None = None
    payload: Members | None = None

    @property
    def questions(self) -> dict[str, Members]:
        """What the client is asked, by key; empty unless input is required."""
        asked = (self.payload or {}).get("inputRequests")
        return dict(asked) if isinstance(asked, Mapping) else {}


def begin(id_: str, owner: Owner, now: datetime, ttl_seconds: float) -> Task:
    """A task whose work begins."""
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return Task(id_, owner, Status.WORKING, at, at, at + timedelta(seconds=ttl_seconds), at)


def asked(task: Task, questions: Mapping[str, Members], now: datetime) -> Task | None:
    """The task with more to answer."""
    return _ask(task, Happening.ASKED, {**task.questions, **questions}, now)


def answered(task: Task, keys: Collection[str], now: datetime) -> Task | None:
    """The task without the questions of `keys`, be they answered or withdrawn."""
    left = {key: question for key, question in task.questions.items() if key not in keys}
    happening = Happening.ANSWERED_SOME if left else Happening.ANSWERED_ALL
    return _ask(task, happening, left, now)


def returned(task: Task, result: Members, now: datetime) -> Task | None:
    """The task with the result of its call, an `isError` result included."""
    return _advance(task, Happening.RETURNED, {"result": result}, now)


def raised(task: Task, error: Members, now: datetime) -> Task | None:
    """The task with the JSON-RPC error of its call, whose message is the task's too."""
    failed = _advance(task, Happening.RAISED, {"error": error}, now)
    return failed and replace(failed, message=str(error.get("message", "")))


def cancelled(task: Task, now: datetime) -> Task | None:
    """The task that nobody wants any more."""
    return _advance(task, Happening.CANCELLED, None, now)


def lapsed(task: Task, now: datetime, lease_seconds: float) -> bool:
    """Whether a live task has nobody who runs it: its process has not said so for too long."""
    return task.status in LIVE and task.beat_at + timedelta(seconds=lease_seconds) < now


def members(task: Task, poll_milliseconds: int) -> dict[str, object]:
    """The task as `tasks/get` shows it. MCP 2026-07-28 extensions/tasks §task-polling."""
    message = {} if task.message is None else {"statusMessage": task.message}
    return {
        "taskId": task.id,
        "status": task.status.value,
        **message,
        "createdAt": _wire(task.created_at),
        "lastUpdatedAt": _wire(task.updated_at),
        "ttlMs": round((task.expires_at - task.created_at).total_seconds() * 1000),
        "pollIntervalMs": poll_milliseconds,
        **(task.payload or {}),
    }


def _ask(
    task: Task, happening: Happening, left: Mapping[str, Members], now: datetime
) -> Task | None:
    return _advance(task, happening, {"inputRequests": left} if left else None, now)


def _advance(
    task: Task, happening: Happening, payload: Members | None, now: datetime
) -> Task | None:
    """The only way from one status to the next."""
    status = TRANSITIONS.get((task.status, happening))
    if status is None:
        return None
    return replace(task, status=status, payload=payload, updated_at=now)


def _wire(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

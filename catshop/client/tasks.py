"""A result that comes later: look, wait, answer what the task asks, look again.

`next_step` reads one state of a task and says what to do; the loop that does it is the client's.
A question is answered once, however often it is still there at the next look. Pure.
Next: `client.py`. MCP 2026-07-28 extensions/tasks §task-polling.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from catshop.client.answers import input_requests
from catshop.client.errors import ClientError, NotMcp, ServerError
from catshop.limits import ClientLimits
from catshop.protocol.jsonrpc import Params


@dataclass(frozen=True, slots=True)
class Wait:
    """It works; look again in so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """It wants answers to these questions, which nobody has been asked yet."""

    requests: Mapping[str, Params]


@dataclass(frozen=True, slots=True)
class Done:
    """It has ended, and this is the result that the call would have had."""

    result: Params


class TaskCancelled(ClientError):
    """The task was cancelled, so there is no result."""


def next_step(task: Params, answered: Set[str], limits: ClientLimits) -> Wait | Answer | Done:
    """What a task in this state wants of us. ServerError when it failed, TaskCancelled.

    MCP 2026-07-28 extensions/tasks §task-status, §task-update-requests.
    """
    match task.get("status"):
        case "completed":
            return Done(_object(task, "result"))
        case "failed":
            raise ServerError(_object(task, "error"))
        case "cancelled":
            raise TaskCancelled("E-SERVER-08", str(task.get("statusMessage", ""))[:200])
        case "input_required":
            asked = input_requests(task)
            fresh = {key: asked[key] for key in asked if key not in answered}
            return Answer(fresh) if fresh else Wait(_pause(task, limits))
        case "working":
            return Wait(_pause(task, limits))
        case other:
            raise NotMcp("E-SERVER-05", f"task status {ascii(other)[:40]}")


def task_id(task: Params) -> str:
    """The id by which the task is asked after. NotMcp when it has none."""
    found = task.get("taskId")
    if not isinstance(found, str):
        raise NotMcp("E-SERVER-05", "a task without taskId")
    return found


def _pause(task: Params, limits: ClientLimits) -> float:
    """What the server suggests, else our own pace. §task-polling."""
    suggested = task.get("pollIntervalMs")
    usable = isinstance(suggested, int) and suggested > 0
    wait = suggested if usable and isinstance(suggested, int) else limits.poll_milliseconds
    return min(wait / 1000, limits.longest_retry_seconds)


def _object(task: Params, member: str) -> Params:
    found = task.get(member)
    if not isinstance(found, Mapping):
        raise NotMcp("E-SERVER-05", f"a task that has ended without {member}")
    return found

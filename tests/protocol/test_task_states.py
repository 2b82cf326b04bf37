"""The life of a task: what can happen to it, and what each happening leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catshop.protocol.task_states import (
    LIVE,
    TRANSITIONS,
    Happening,
    Status,
    Task,
    answered,
    asked,
    begin,
    cancelled,
    lapsed,
    members,
    raised,
    returned,
)

NOW = datetime(2026, 11, 20, 12, 0, 0, 123_456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
OWNER = ("client", "http://issuer.example", "alice")
QUESTION = {"method": "roots/list"}
WORKING = begin("t", OWNER, NOW, 60)

MOVES = {
    Happening.ASKED: lambda task: asked(task, {"b": QUESTION}, LATER),
    Happening.ANSWERED_SOME: lambda task: answered(task, {"none"}, LATER),
    Happening.ANSWERED_ALL: lambda task: answered(task, {"a"}, LATER),
    Happening.RETURNED: lambda task: returned(task, {"content": []}, LATER),
    Happening.RAISED: lambda task: raised(task, {"code": -1, "message": "no"}, LATER),
    Happening.CANCELLED: lambda task: cancelled(task, LATER),
}


def in_status(status: Status) -> Task:
    payload = {"inputRequests": {"a": QUESTION}} if status is Status.INPUT_REQUIRED else None
    return replace(WORKING, status=status, payload=payload)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("happening", Happening)
def test_what_is_not_in_the_table_cannot_happen(status: Status, happening: Happening) -> None:
    """MCP 2026-07-28 extensions/tasks §task-status: what is terminal stays as it is."""
    after = MOVES[happening](in_status(status))
    expected = TRANSITIONS.get((status, happening))
    if happening is Happening.ANSWERED_SOME and status is Status.WORKING:
        expected = None
    assert (after.status if after else None) is expected
    assert after is None or after.updated_at == LATER


def test_only_working_and_input_required_are_live() -> None:
    """MCP 2026-07-28 extensions/tasks §task-status."""
    assert {Status.WORKING, Status.INPUT_REQUIRED} == LIVE


def test_a_partial_answer_drops_only_its_own_question() -> None:
    """MCP 2026-07-28 extensions/tasks §task-update-requests."""
    both = asked(WORKING, {"a": QUESTION, "b": QUESTION}, NOW)
    assert both is not None
    left = answered(both, ["a", "unknown"], LATER)
    assert left is not None
    assert (left.status, list(left.questions)) == (Status.INPUT_REQUIRED, ["b"])
    done = answered(left, ["b"], LATER)
    assert done is not None
    assert (done.status, done.payload) == (Status.WORKING, None)


def test_a_task_is_shown_flat_with_times_in_iso_8601() -> None:
    """MCP 2026-07-28 extensions/tasks §tasks, §task-polling."""
    assert members(WORKING, 500) == {
        "taskId": "t",
        "status": "working",
        "createdAt": "2026-11-20T12:00:00.123Z",
        "lastUpdatedAt": "2026-11-20T12:00:00.123Z",
        "ttlMs": 60_000,
        "pollIntervalMs": 500,
    }


def test_an_error_says_why_in_the_message_of_the_task() -> None:
    """MCP 2026-07-28 extensions/tasks §task-execution-errors."""
    failed = raised(WORKING, {"code": -32603, "message": "no cats"}, LATER)
    assert failed is not None
    shown = members(failed, 500)
    assert (shown["status"], shown["statusMessage"]) == ("failed", "no cats")
    assert shown["error"] == {"code": -32603, "message": "no cats"}
    assert "result" not in shown


def test_a_live_task_lapses_when_its_process_falls_silent_and_an_ended_one_never() -> None:
    assert not lapsed(WORKING, NOW + timedelta(seconds=9), 10)
    assert lapsed(WORKING, NOW + timedelta(seconds=11), 10)
    assert not lapsed(in_status(Status.COMPLETED), NOW + timedelta(hours=1), 10)

"""One state of a task, and what it wants of us."""

from __future__ import annotations

from typing import Any

import pytest

from catshop.client.errors import NotMcp, ServerError
from catshop.client.tasks import Answer, Done, TaskCancelled, Wait, next_step, task_id
from catshop.limits import ClientLimits

LIMITS = ClientLimits()
QUESTIONS = {"a": {"method": "elicitation/create"}, "b": {"method": "roots/list"}}


@pytest.mark.parametrize(
    ("task", "step"),
    [
        pytest.param({"status": "working"}, Wait(0.5), id="working"),
        pytest.param({"status": "working", "pollIntervalMs": 20}, Wait(0.02), id="as-suggested"),
        pytest.param({"status": "working", "pollIntervalMs": -1}, Wait(0.5), id="nonsense"),
        pytest.param({"status": "working", "pollIntervalMs": 10**9}, Wait(60.0), id="too-long"),
        pytest.param({"status": "completed", "result": {"x": 1}}, Done({"x": 1}), id="completed"),
        pytest.param(
            {"status": "input_required", "inputRequests": QUESTIONS},
            Answer({"b": QUESTIONS["b"]}),
            id="what-nobody-was-asked-yet",
        ),
        pytest.param(
            {"status": "input_required", "inputRequests": {"a": QUESTIONS["a"]}},
            Wait(0.5),
            id="the-answer-is-on-its-way",
        ),
    ],
)
def test_each_state_has_its_next_step(task: dict[str, Any], step: object) -> None:
    """MCP 2026-07-28 extensions/tasks §task-status, §task-polling, §task-update-requests: the same
    question is not put twice.
    """
    assert next_step(task, {"a"}, LIMITS) == step


def test_a_task_that_failed_has_the_error_that_the_call_would_have_had() -> None:
    """MCP 2026-07-28 extensions/tasks §task-status."""
    with pytest.raises(ServerError) as caught:
        next_step({"status": "failed", "error": {"code": -32603, "message": "no"}}, set(), LIMITS)
    assert caught.value.code == -32603


def test_a_task_that_was_cancelled_has_no_result() -> None:
    """MCP 2026-07-28 extensions/tasks §task-status."""
    with pytest.raises(TaskCancelled, match=r"E-SERVER-08 .* \(by hand\)"):
        next_step({"status": "cancelled", "statusMessage": "by hand"}, set(), LIMITS)


@pytest.mark.parametrize("task", [{}, {"status": "asleep"}, {"status": "completed"}])
def test_a_state_that_the_extension_does_not_have_is_none(task: dict[str, Any]) -> None:
    """MCP 2026-07-28 extensions/tasks §task-status."""
    with pytest.raises(NotMcp, match="E-SERVER-05"):
        next_step(task, set(), LIMITS)


def test_a_task_without_an_id_cannot_be_asked_after() -> None:
    """MCP 2026-07-28 extensions/tasks §task-creation."""
    assert task_id({"taskId": "7"}) == "7"
    with pytest.raises(NotMcp, match="E-SERVER-05"):
        task_id({"taskId": 7})

"""Results that are not yet the end, and what a server may ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from catshop.client.answers import Complete, Deferred, InputRequired, again, read
from catshop.client.errors import NotMcp
from catshop.client.inputs import (
    CANCELLED,
    DECLINED,
    ELICIT,
    ROOTS,
    SAMPLE,
    Handlers,
    NotDeclared,
    accepted,
    defaults,
)

QUESTION = {"method": ELICIT, "params": {"message": "Sure?"}}
ASKED: dict[str, Any] = {
    "resultType": "input_required",
    "inputRequests": {"sure": QUESTION},
    "requestState": "a\u2028é==",
}


@pytest.mark.parametrize("kind", [{}, {"resultType": "complete"}])
def test_a_result_without_a_type_is_complete(kind: dict[str, str]) -> None:
    """MCP 2026-07-28 basic §resulttype."""
    assert read("tools/list", {"tools": [], **kind}) == Complete({"tools": [], **kind})


@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "resources/read"])
def test_three_methods_may_ask_for_input(method: str) -> None:
    """MCP 2026-07-28 basic/patterns/mrtr §supported-requests."""
    assert read(method, ASKED) == InputRequired({"sure": QUESTION}, ASKED["requestState"])


def test_only_a_call_may_become_a_task() -> None:
    """MCP 2026-07-28 extensions/tasks §supported-methods, §polymorphic-results."""
    task = {"resultType": "task", "taskId": "7"}
    assert read("tools/call", task) == Deferred(task)
    with pytest.raises(NotMcp, match="E-SERVER-05"):
        read("prompts/get", task)


@pytest.mark.parametrize(
    ("method", "result"),
    [
        pytest.param("tools/list", ASKED, id="input-for-another-method"),
        pytest.param("tools/call", {"resultType": "later"}, id="unknown-type"),
        pytest.param("tools/call", {"resultType": 7}, id="no-type-at-all"),
        pytest.param("tools/call", {"resultType": "input_required"}, id="nothing-to-do"),
        pytest.param("tools/call", {**ASKED, "requestState": 7}, id="state-that-is-no-text"),
    ],
)
def test_a_result_that_the_method_cannot_have_is_none(method: str, result: dict[str, Any]) -> None:
    """MCP 2026-07-28 basic §resulttype;
    MCP 2026-07-28 basic/patterns/mrtr §server-requirements-basic-workflow.
    """
    with pytest.raises(NotMcp, match="E-SERVER-05"):
        read(method, result)


@pytest.mark.parametrize(
    ("asked", "members"),
    [
        pytest.param(
            InputRequired({"sure": QUESTION}, "a\u2028é=="),
            {"inputResponses": {"sure": {}}, "requestState": "a\u2028é=="},
            id="both",
        ),
        pytest.param(
            InputRequired({"sure": QUESTION}, None), {"inputResponses": {"sure": {}}}, id="no-state"
        ),
        pytest.param(InputRequired({}, "s"), {"requestState": "s"}, id="no-questions"),
    ],
)
def test_a_retry_is_the_first_request_with_the_answers_and_the_state_as_it_came(
    asked: InputRequired, members: dict[str, Any]
) -> None:
    """MCP 2026-07-28 basic/patterns/mrtr §client-requirements-basic-workflow: nothing of an
    earlier round stays.
    """
    params = {"name": "t", "inputResponses": {"old": {}}, "requestState": "old"}
    assert again(params, asked, {"sure": {}}) == {"name": "t", **members}


FORM: dict[str, Any] = {
    "message": "Who?",
    "requestedSchema": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "Tom"},
            "age": {"type": "integer", "default": 0},
            "owner": {"type": "string"},
        },
    },
}


def test_a_form_starts_from_its_defaults_and_what_is_typed_wins() -> None:
    """MCP 2025-11-25 client/elicitation §requested-schema;
    MCP 2026-07-28 client/elicitation §response-actions.
    """
    assert defaults(FORM) == {"name": "Tom", "age": 0}
    content = {"name": "Tom", "age": 3, "owner": "Alice"}
    agreed = accepted(FORM, {"age": 3, "owner": "Alice"})
    assert agreed == {"action": "accept", "content": content}
    assert (DECLINED["action"], CANCELLED["action"]) == ("decline", "cancel")


@pytest.mark.parametrize("params", [{}, {"requestedSchema": []}, {"requestedSchema": {}}])
def test_a_form_without_fields_has_no_defaults(params: dict[str, Any]) -> None:
    """MCP 2025-11-25 client/elicitation §requested-schema."""
    assert defaults(params) == {}


async def echo(params: Mapping[str, object]) -> Mapping[str, object]:
    return {"echo": params}


def test_only_what_somebody_answers_is_declared() -> None:
    """MCP 2026-07-28 client/elicitation §capabilities."""
    assert Handlers().capabilities == {}
    assert Handlers(elicit=echo, roots=echo).capabilities == {"elicitation": {}, "roots": {}}


async def test_each_question_is_answered_under_its_key() -> None:
    """MCP 2026-07-28 basic/patterns/mrtr §inputresponses."""
    handlers = Handlers(echo, echo, echo)
    requests = {"a": QUESTION, "b": {"method": SAMPLE}, "c": {"method": ROOTS, "params": {"x": 1}}}
    assert await handlers.answer_all(requests) == {
        "a": {"echo": QUESTION["params"]},
        "b": {"echo": {}},
        "c": {"echo": {"x": 1}},
    }


@pytest.mark.parametrize(
    ("method", "params"),
    [
        pytest.param(SAMPLE, {}, id="no-handler"),
        pytest.param("tools/list", {}, id="no-question"),
        pytest.param(ELICIT, {"mode": "url"}, id="a-mode-not-declared"),
    ],
)
async def test_what_was_not_declared_is_not_answered(method: str, params: dict[str, str]) -> None:
    """MCP 2026-07-28 basic/patterns/mrtr §server-requirements-basic-workflow."""
    with pytest.raises(NotDeclared, match="E-SERVER-07"):
        await Handlers(elicit=echo).answer(method, params)

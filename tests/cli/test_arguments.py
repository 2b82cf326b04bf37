"""`key=value`, made into what a schema asks for; a question, asked in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from catshop.cli.arguments import Mistyped, meant, typed
from catshop.cli.forms import answers, fill_in
from catshop.client.inputs import DECLINED

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "count": {"type": "integer"},
        "price": {"type": ["number", "null"]},
        "gift": {"type": "boolean"},
        "tags": {"type": "array"},
        "any": {},
    },
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("name=7", {"name": "7"}),
        ("name=a=b", {"name": "a=b"}),
        ("name=", {"name": ""}),
        ("count=7", {"count": 7}),
        ("price=1.5", {"price": 1.5}),
        ("price=null", {"price": None}),
        ("gift=yes", {"gift": True}),
        ("gift=false", {"gift": False}),
        ('tags=["a"]', {"tags": ["a"]}),
        ("any=7", {"any": 7}),
        ("any=seven", {"any": "seven"}),
    ],
)
def test_a_value_has_the_type_that_the_schema_names(given: str, expected: object) -> None:
    """JSON Schema 2020-12 validation §6.1.1."""
    assert typed(SCHEMA, [given]) == expected


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("name", "E-CALL-01"),
        ("=x", "E-CALL-01"),
        ("nme=x", "E-CALL-02"),
        ("count=many", "E-CALL-03"),
        ("gift=maybe", "E-CALL-03"),
        ("tags=a,b", "E-CALL-03"),
    ],
)
def test_what_the_tool_could_not_be_called_with_is_refused_here(given: str, code: str) -> None:
    """MCP 2026-07-28 server/tools §tool: inputSchema says what the arguments are."""
    with pytest.raises(Mistyped, match=code):
        typed(SCHEMA, [given])


def test_a_tool_without_properties_takes_what_is_given() -> None:
    """A schema that says nothing forbids nothing."""
    assert typed({"type": "object"}, ["a=1"]) == {"a": 1}


def test_the_name_that_was_meant_is_named() -> None:
    """And all of them, where none is near."""
    assert meant("view_crat", ["view_cart", "checkout"]) == "view_crat; did you mean view_cart?"
    assert meant("zzz", ["b", "a"]) == "zzz; there is a, b"


def test_a_form_is_asked_field_by_field_until_each_fits() -> None:
    """MCP 2026-07-28 client/elicitation §requested-schema: defaults are shown, not assumed."""
    script = iter(["", "many", "2", "no"])
    asked: list[tuple[str, str]] = []

    def ask(label: str, default: str) -> str:
        asked.append((label, default))
        return next(script) or default

    schema = {
        "properties": {
            "note": {"type": "string", "description": "A note\x1b[2J"},
            "count": {"type": "integer", "title": "How many"},
            "gift": {"type": "boolean", "default": True},
        },
        "required": ["count"],
    }
    assert answers({"requestedSchema": schema}, ask) == {"count": 2, "gift": False}
    assert asked == [("A note [2J", ""), ("How many", ""), ("How many", ""), ("gift", "yes")]


async def test_a_question_to_nobody_is_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    """MCP 2026-07-28 client/elicitation §response-actions: a script agrees to nothing."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert await fill_in("shop.example", {"message": "Sure?"}) == DECLINED

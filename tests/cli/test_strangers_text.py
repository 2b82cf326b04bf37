"""What a server says is shown as text, whatever it holds; and no shape of it stops a command.

A terminal obeys some of what it is shown, and so does whatever draws a bar on it.
"""

from __future__ import annotations

import json

import pytest
from rich.text import Text

from catshop.cli import call
from catshop.cli.arguments import Mistyped, typed
from catshop.cli.forms import answers
from catshop.cli.telling import told

ESCAPE = "\x1b]0;mine\x07\x9b2J\u202e"


@pytest.mark.parametrize(
    "message", ["[/x]", "[red]warm[/red]", "1 of 3 [", "\\[/x]", "[@click=x]y"]
)
def test_what_a_server_says_of_its_progress_is_no_markup(message: str) -> None:
    """MCP 2026-07-28 basic/patterns/progress: `message` is text."""
    assert Text.from_markup(call.described({"message": message}, "a tool")).plain == message


def test_json_for_a_terminal_holds_nothing_that_it_would_obey() -> None:
    """RFC 8259 §7: any character may be escaped, and the value stays the same."""
    value = {"text": f"K\u00e4tzchen {ESCAPE} \U0001f431 \U000e0041", ESCAPE: [1]}
    shown = call.in_json(value)
    assert json.loads(shown) == value
    assert all(each.isprintable() or each == "\n" for each in shown)
    assert "K\u00e4tzchen" in shown


def test_a_refusal_names_what_arrived_without_what_a_terminal_obeys() -> None:
    """Names of tools are a server's own words."""
    (line,) = told(Mistyped("E-CALL-04", f"ad; there is {ESCAPE}"))
    assert "ad; there is" in line
    assert line.isprintable()


def test_a_form_shows_its_defaults_as_text_and_sends_what_it_showed() -> None:
    """MCP 2026-07-28 client/elicitation §requested-schema."""
    shown: list[str] = []

    def person(label: str, default: str) -> str:
        shown.extend((label, default))
        return default

    field = {"type": "string", "default": f"a{ESCAPE}", "description": ESCAPE, "enum": [ESCAPE]}
    found = answers({"requestedSchema": {"properties": {ESCAPE: field}}}, person)
    assert "".join(shown).isprintable()
    assert found == {ESCAPE: shown[1]}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": []},
        {"properties": {"a": {}}, "required": 5},
        {"properties": {"a": {"type": 5}}, "required": [{}]},
        {"properties": {"a": {"type": {"b": 1}, "enum": {}}}},
        {"properties": {"a": 5}, "required": "a"},
    ],
)
def test_a_schema_that_is_none_stops_nobody(schema: dict[str, object]) -> None:
    """JSON Schema 2020-12 validation §6.1.1: what a stranger's `type` says may be anything."""
    answers({"requestedSchema": schema}, lambda _label, _default: "1")
    try:
        assert typed(schema, ["a=1"])["a"] in (1, "1")
    except Mistyped:
        pytest.fail("1 is a value of every type")

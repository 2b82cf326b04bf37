"""The playground: forms from schemas, and calls that are on the wire like anybody's."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2

from catshop.inspector.web.playground import Playable, arguments, playable
from catshop.protocol.http1.forms import parse_form
from tests.support.inspected import inspected
from tests.support.terminal import Terminal

SCHEMA = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "what to find"},
        "limit": {"type": "integer"},
        "kind": {"type": "string", "enum": ["toy", "food"]},
    },
    "required": ["query"],
}


def a_tool() -> Playable:
    return playable({"name": "search", "inputSchema": SCHEMA})


def test_a_form_is_made_of_the_schema() -> None:
    """MCP 2026-07-28 server/tools §tool."""
    query, limit, kind = a_tool().inputs
    assert (query.required, query.hint, limit.required) == (True, "what to find", False)
    assert kind.choices == ("toy", "food")


def test_what_is_typed_is_sent_as_its_type_and_what_is_not_typed_is_not_sent() -> None:
    """MCP 2026-07-28 server/tools §tool: the server judges what is right."""
    form = parse_form("argument.query=12&argument.limit=3&argument.kind=")
    assert arguments(a_tool(), form) == {"query": "12", "limit": 3}
    assert arguments(a_tool(), parse_form("argument.limit=many")) == {"limit": "many"}


async def test_a_call_of_the_playground_is_answered_and_is_on_the_wire(tmp_path: Path) -> None:
    """RFC 6750 §2.1: with a token for the user; and one scope too few is refused."""
    async with inspected(tmp_path) as shop, shop.visitor() as http, httpx2.AsyncClient() as other:
        assert "Nobody has an account" in (await http.get("/-/play")).text
        client = Terminal(shop.url, other, other)
        await client.register()
        await client.code("alice")
        page = (await http.get("/-/play")).text
        form = {"csrf": re.findall(r'name="csrf" value="(\w+)"', page)[0], "user": "alice"}
        form |= {"tool": "search_products", "scope": "read", "argument.query": "wand"}
        origin = {"Origin": shop.home}
        answer = await http.post("/-/play", data=form, headers=origin)
        assert "search_products answered" in answer.text
        assert "Wand" in answer.text
        rows = (await http.get("/-/wire.json?q=tools/call")).json()["rows"]
        assert rows[-1]["said"].endswith("search_products")

"""The shop as a server: what it lists, what the SDK's own client makes of it, in both eras."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp.client.client import Client
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult

from catshop import tools as folder
from catshop.kernel import Event, Kind, Verdict
from catshop.tools.composition import collect, tools
from catshop.tools.needs import READING, needs_of, scopes_of
from catshop.tools.registry import record, tool
from catshop.tools.server import build_server
from catshop.tools.shop import Shop, ToolCall

CallTool = Callable[..., Awaitable[CallToolResult]]
NAMES = [
    "add_to_cart",
    "checkout",
    "get_order_history",
    "get_product",
    "list_products",
    "remove_from_cart",
    "restock_report",
    "search_products",
    "update_cart_quantity",
    "view_cart",
]


async def test_the_tools_are_listed_by_name(server: Server[Any], mode: str) -> None:
    """Check A000-4; MCP 2026-07-28 server/tools §listing-tools: the order is deterministic."""
    async with Client(server, mode=mode) as client:
        listed = await client.list_tools()
    assert [one.name for one in listed.tools] == NAMES


async def test_the_list_may_be_kept_by_anybody_for_a_minute(server: Server[Any]) -> None:
    """MCP 2026-07-28 server/utilities/caching: it is the same for every caller."""
    async with Client(server) as client:
        listed = await client.list_tools()
    assert (listed.ttl_ms, listed.cache_scope) == (60_000, "public")


JOURNEY: list[tuple[str, dict[str, Any]]] = [
    ("list_products", {}),
    ("list_products", {"category": "dogs"}),
    ("search_products", {"query": "bed"}),
    ("get_product", {"product_id": 1}),
    ("get_product", {"product_id": 99}),
    ("add_to_cart", {"product_id": 1, "quantity": 2}),
    ("add_to_cart", {"product_id": 1, "quantity": 99}),
    ("add_to_cart", {}),
    ("update_cart_quantity", {"product_id": 1, "quantity": 3}),
    ("view_cart", {}),
    ("checkout", {"idempotency_key": "journey"}),
    ("checkout", {}),
    ("get_order_history", {}),
    ("remove_from_cart", {"product_id": 1}),
    ("restock_report", {"pace_ms": 0}),
]


async def test_every_answer_fits_the_output_schema_failed_or_not(
    server: Server[Any], mode: str
) -> None:
    """MCP 2026-07-28 server/tools §output-schema. Some clients validate failures too."""
    async with Client(server, mode=mode) as client:
        schemas = {one.name: one.output_schema for one in (await client.list_tools()).tools}
        outcomes = set()
        for name, arguments in JOURNEY:
            result = await client.call_tool(name, arguments)
            schema = schemas[name]
            assert schema is not None
            Draft202012Validator(schema).validate(result.structured_content)
            outcomes.add(result.is_error)
    assert outcomes == {True, False}


async def test_progress_reaches_the_client(server: Server[Any], mode: str) -> None:
    """MCP 2026-07-28 basic/patterns/progress."""
    seen: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        assert 1 <= progress <= (total or 0)
        seen.append(message)

    async with Client(server, mode=mode) as client:
        await client.call_tool("restock_report", {"pace_ms": 0}, progress_callback=hear)
    assert seen[0] == "Whisker Wand"
    assert len(seen) == 8


async def test_an_unknown_tool_is_invalid_params(server: Server[Any], mode: str) -> None:
    """MCP 2026-07-28 server/tools §error-handling: -32602, with a hint."""
    async with Client(server, mode=mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("view_kart", {})
    assert refused.value.code == INVALID_PARAMS
    assert refused.value.message == 'Unknown tool: "view_kart"; did you mean view_cart?'
    assert refused.value.data["code"] == "E-TOOL-01"


async def test_nothing_stands_between_a_call_and_its_handler(shop: Shop) -> None:
    """The SDK's span for each message is not paid for."""
    assert build_server(shop, version="1").middleware == []


def test_every_schema_admits_nothing_unknown_and_says_what_it_is() -> None:
    """Issue 2: each tool declares all that a client and a gate need."""
    for spec in tools().values():
        assert spec.input_schema["additionalProperties"] is False
        assert spec.output_schema["type"] == "object"
        assert spec.title
        assert "Gives" in spec.description or "Use " in spec.description
        for argument, schema in spec.input_schema["properties"].items():
            assert schema["description"], argument


@pytest.mark.parametrize(
    ("name", "scopes"),
    [
        ("list_products", {"catalog:read"}),
        ("view_cart", {"cart:read"}),
        ("add_to_cart", {"cart:write"}),
        ("checkout", {"cart:write", "orders:write"}),
        ("get_order_history", {"orders:read"}),
        ("no_such_tool", set()),
    ],
)
def test_the_gate_learns_which_scope_a_call_needs(name: str, scopes: set[str]) -> None:
    """RFC 6750 §3.1: a refusal may name the scope that is needed."""
    assert scopes_of(name) == scopes


@pytest.mark.parametrize(
    ("method", "params", "scopes"),
    [
        ("tools/call", {"name": "checkout"}, {"cart:write", "orders:write"}),
        ("tools/call", {"name": 7}, set()),
        ("tools/call", {}, set()),
        ("resources/read", {"uri": "catshop://cart"}, {"catalog:read", "cart:read"}),
        ("resources/subscribe", {"uri": "catshop://cart"}, {"catalog:read", "cart:read"}),
        ("subscriptions/listen", {}, {"catalog:read"}),
        (
            "subscriptions/listen",
            {"notifications": {"resourceSubscriptions": ["catshop://cart"]}},
            {"catalog:read", "cart:read"},
        ),
        ("resources/read", {"uri": "catshop://products/1"}, {"catalog:read"}),
        ("prompts/get", {"name": "reorder"}, {"catalog:read", "orders:read"}),
        ("prompts/get", {"name": ["reorder"]}, {"catalog:read"}),
        ("completion/complete", {}, {"catalog:read"}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "reorder"}},
            {"catalog:read", "orders:read"},
        ),
        ("tools/list", {}, set()),
        ("server/discover", {}, set()),
        ("ping", {}, set()),
    ],
)
def test_the_gate_learns_which_scope_a_request_needs(
    method: str, params: dict[str, object], scopes: set[str]
) -> None:
    """MCP 2026-07-28 basic/authorization §scope-challenge-handling."""
    assert needs_of(method, params) == scopes


async def test_every_method_of_the_shop_is_in_the_table_or_shows_nothing(
    server: Server[Any],
) -> None:
    """A handler that is added without a scope is found here."""
    free = {"ping", "server/discover", "tools/list"}
    served = {method for method in READING | free if server.get_request_handler(method)}
    assert served >= {"resources/read", "prompts/get", "completion/complete", "tools/list"}
    assert set(server._request_handlers) - {"tools/call"} <= READING | free


def test_a_tool_that_only_reads_says_so() -> None:
    """MCP 2026-07-28 server/tools §tool: hints agree with the scope."""
    for spec in tools().values():
        reads = all(scope.endswith(":read") for scope in spec.scopes)
        assert spec.annotations.read_only_hint is reads, spec.name
        assert spec.annotations.open_world_hint is False


@tool(title="Shout", takes=record("text", text={"type": "string"}), gives=record())
async def shout(_call: ToolCall, text: str) -> dict[str, object]:
    """Say it louder. Use it when nobody listens."""
    return {"said": text.upper()}


async def test_a_tool_of_ones_own_is_one_function(shop: Shop) -> None:
    """000.60: name, typed arguments, description; nothing else to register."""
    async with Client(build_server(shop, version="1", specs=collect([shout]))) as client:
        [listed] = (await client.list_tools()).tools
        assert listed.description == "Say it louder. Use it when nobody listens."


DROPPED = """
from catshop.tools.registry import record, tool

@tool(title="Purr", takes=record(), gives=record("*", sound={"type": "string"}))
async def purr(call):
    \"\"\"Purr. Use it to calm down.\"\"\"
    return {"sound": "rrr"}

TOOLS = (purr,)
"""


async def test_a_file_dropped_into_the_folder_is_a_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    """Check A000-18: no other file is touched."""
    (tmp_path / "purring.py").write_text(DROPPED, "utf-8")
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    tools.cache_clear()
    try:
        server = build_server(shop, version="1")
        assert scopes_of("purr") == {"catalog:read"}
    finally:
        tools.cache_clear()
    async with Client(server) as client:
        assert (await client.call_tool("purr", {})).structured_content == {"sound": "rrr"}


def test_two_tools_of_one_name_are_refused() -> None:
    """At start, not when one of them is called."""
    with pytest.raises(ValueError, match="two tools are called shout"):
        collect([shout, shout])


def test_a_tool_without_a_docstring_is_refused() -> None:
    """No model would know when to use it."""

    async def silent(_call: ToolCall) -> dict[str, object]:
        return {}

    with pytest.raises(ValueError, match="silent has no docstring"):
        tool(title="Silent", takes=record(), gives=record())(silent)


async def test_each_call_is_a_check_in_the_trace(shop: Shop, call: CallTool) -> None:
    """The verdict is visible to whoever observes, with the code of the refusal."""
    seen: list[Event] = []
    stop = shop.trace.observe(seen.append)
    await call("get_product", product_id=1)
    await call("get_product", product_id=99)
    stop()
    checks = [
        (event.name, event.verdict, event.fields.get("code"))
        for event in seen
        if event.kind is Kind.CHECK
    ]
    assert checks == [
        ("tool.get_product", Verdict.OK, None),
        ("tool.get_product", Verdict.NO, "E-TOOL-02"),
    ]

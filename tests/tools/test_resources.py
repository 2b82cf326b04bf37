"""What a client reads without calling a tool: products and the user's cart, in both eras."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from catshop.kernel import Principal
from catshop.tools.shop import Shop, ToolCall
from catshop.tools.uris import product_id, product_uri
from tests.oauth.cases import case

ServerFor = Callable[[Principal | None], Server[Any]]


def content(result: Any) -> Any:
    """The JSON of a resource that has one piece of it."""
    [piece] = result.contents
    assert piece.mime_type == "application/json"
    return json.loads(piece.text)


async def test_the_cart_comes_first_and_then_each_product_by_its_id(
    server: Server[Any], mode: str
) -> None:
    """MCP 2026-07-28 server/resources §listing-resources; the order is deterministic."""
    async with Client(server, mode=mode) as client:
        listed = (await client.list_resources()).resources
        [template] = (await client.list_resource_templates()).resource_templates
    assert [one.uri for one in listed] == [
        "catshop://cart",
        *(f"catshop://products/{number}" for number in range(1, 9)),
    ]
    assert [one.name for one in listed[:2]] == ["cart", "Whisker Wand"]
    assert template.uri_template == "catshop://products/{id}"


async def test_a_product_reads_as_get_product_answers(server: Server[Any], mode: str) -> None:
    """MCP 2026-07-28 server/resources §reading-resources."""
    async with Client(server, mode=mode) as client:
        read = await client.read_resource("catshop://products/1")
        told = await client.call_tool("get_product", {"product_id": 1})
    assert content(read) == told.structured_content
    assert read.contents[0].uri == "catshop://products/1"


async def test_the_cart_reads_as_view_cart_answers(server: Server[Any], mode: str) -> None:
    """The cart may not be kept by anybody in between: MCP 2026-07-28 server/utilities/caching."""
    async with Client(server, mode=mode) as client:
        await client.call_tool("add_to_cart", {"product_id": 1, "quantity": 2})
        read = await client.read_resource("catshop://cart")
        told = await client.call_tool("view_cart")
    assert content(read) == told.structured_content
    assert content(read)["total"] == 19.98
    if mode == "auto":
        assert (read.ttl_ms, read.cache_scope) == (0, "private")


UNKNOWN = [
    "catshop://products/99",
    "catshop://products/01",
    "catshop://products/1/",
    "catshop://products/",
    "catshop://products/1%20",
    "catshop://products/99999999999999999999",
    "catshop://carts",
    "CATSHOP://cart",
    "file:///etc/passwd",
    "",
]


@pytest.mark.parametrize("uri", UNKNOWN)
async def test_what_is_not_there_is_invalid_params_with_its_uri(
    server: Server[Any], uri: str
) -> None:
    """MCP 2026-07-28 server/resources §error-handling."""
    async with Client(server) as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource(uri)
    assert refused.value.code == INVALID_PARAMS
    assert refused.value.data["uri"] == uri
    assert refused.value.data["code"] == "E-RES-01"


async def test_what_is_not_there_had_a_code_of_its_own_before(server: Server[Any]) -> None:
    """MCP 2025-11-25 server/resources §error-handling."""
    async with Client(server, mode="legacy") as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource("catshop://products/99")
    assert refused.value.code == -32002
    assert refused.value.data["uri"] == "catshop://products/99"


async def test_a_client_without_a_user_has_no_cart(
    shop: Shop, alice: Principal, served: ServerFor, mode: str
) -> None:
    """Security case S16: it is not listed, and reads as if nobody had ever heard of it."""
    machine = replace(alice, subject=None, username=None)
    async with Client(served(machine), mode=mode) as client:
        listed = (await client.list_resources()).resources
        with pytest.raises(MCPError) as cart:
            await client.read_resource("catshop://cart")
    assert "catshop://cart" not in [one.uri for one in listed]
    assert cart.value.data["code"] == "E-RES-01"
    assert ToolCall(shop, machine, None).owner is None  # type: ignore[arg-type]  # needs no session


@case("S16", "the cart is one address, and another cart for each user")
async def test_the_cart_of_another_user_is_another_cart(
    server: Server[Any], alice: Principal, served: ServerFor
) -> None:
    """One URI, and for each user only their own."""
    async with Client(server) as hers, Client(served(replace(alice, subject="bob"))) as his:
        await hers.call_tool("add_to_cart", {"product_id": 1})
        assert content(await his.read_resource("catshop://cart"))["items"] == []
        assert content(await hers.read_resource("catshop://cart"))["item_count"] == 1


@pytest.mark.parametrize("number", [1, 7, 2**53 - 1])
def test_a_product_has_one_uri(number: int) -> None:
    """RFC 6570 §3.2.2: what the template expands to is what is read."""
    assert product_id(product_uri(number)) == number

"""Whole conversations with the official Python SDK client, from knowing nothing to an order.

Its own OAuth provider discovers, registers, authorizes and refreshes; a person signs up and allows
on the pages. In both eras, on a real socket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import ConnectMode
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.support.person import CALLBACK, Person
from tests.support.shop import Open, open_shop

# The SDK's client leaves an event stream once it has its response; on trio the generators that it
# leaves behind, in its HTTP library, are then collected unfinished. Nothing of ours is concerned.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'http(x2|core2)._:ResourceWarning")

ERAS = [pytest.param("2026-07-28", id="stateless"), pytest.param("legacy", id="handshake")]


class Memory:
    """Keeps a client's registration and tokens for one test."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """What was kept."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep it."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """What was kept."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep it."""
        self.client = client_info


@asynccontextmanager
async def shopping(
    shop: Open, mode: ConnectMode, memory: Memory, name: str = "alice"
) -> AsyncIterator[tuple[Client, Person]]:
    """A client that knows only the shop's address, and its user."""
    async with httpx2.AsyncClient() as browser:
        person = Person(browser, name, "whiskers and string")
        metadata = OAuthClientMetadata(
            client_name="Journey",
            redirect_uris=[AnyUrl(CALLBACK)],
            grant_types=["authorization_code", "refresh_token"],
            token_endpoint_auth_method="none",
        )
        provider = OAuthClientProvider(shop.mcp, metadata, memory, person.open, person.callback)
        person.provider = provider
        async with httpx2.AsyncClient(auth=provider, timeout=10) as http:
            transport = streamable_http_client(shop.mcp, http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client, person


async def ask(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured content of a call that must succeed."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


@pytest.mark.parametrize("mode", ERAS)
async def test_from_knowing_nothing_to_an_order_and_an_empty_cart(
    tmp_path: Path, mode: ConnectMode
) -> None:
    """A000-7: discover, register, authorize, sign up, consent, browse, add, view, check out."""
    memory = Memory()
    async with open_shop(tmp_path) as shop, shopping(shop, mode, memory) as (client, person):
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {"list_products", "add_to_cart", "view_cart", "checkout"} <= set(names)
        products = (await ask(client, "list_products", category="toys"))["result"]
        wand = next(product for product in products if product["name"] == "Whisker Wand")
        added = await ask(client, "add_to_cart", product_id=wand["id"], quantity=2)
        assert added == {"success": True, "message": "Added 2x Whisker Wand to your cart"}
        cart = await ask(client, "view_cart")
        assert (cart["total"], cart["item_count"]) == (19.98, 2)
        order = await ask(client, "checkout")
        assert (order["status"], order["total"]) == ("confirmed", 19.98)
        assert order["message"].endswith("Thanks alice, your cats will love their new goodies!")
        assert (await ask(client, "view_cart"))["items"] == []
        history = (await ask(client, "get_order_history"))["result"]
        assert [past["order_id"] for past in history] == [order["order_id"]]
    assert person.pages == ["/authorize", "/login", "/login", "/consent", "/consent"]
    assert memory.tokens is not None
    assert memory.tokens.scope == "read write"


@pytest.mark.parametrize("mode", ERAS)
async def test_two_users_see_two_carts(tmp_path: Path, mode: ConnectMode) -> None:
    """A000-12: the same product twice is one line, and it is in one cart only."""
    async with (
        open_shop(tmp_path) as shop,
        shopping(shop, mode, Memory(), "alice") as (alice, _),
        shopping(shop, mode, Memory(), "bob") as (bob, _),
    ):
        await ask(alice, "add_to_cart", product_id=1)
        await ask(alice, "add_to_cart", product_id=1, quantity=2)
        lines = (await ask(alice, "view_cart"))["items"]
        assert [(line["name"], line["quantity"]) for line in lines] == [("Whisker Wand", 3)]
        assert (await ask(bob, "view_cart"))["items"] == []


@pytest.mark.parametrize("mode", ERAS)
async def test_an_expired_token_is_refreshed_on_the_way(tmp_path: Path, mode: ConnectMode) -> None:
    """OAuth 2.1 §4.3: the client goes on shopping with a new pair, and the old pair is dead."""
    memory = Memory()
    async with open_shop(tmp_path) as shop, shopping(shop, mode, memory) as (client, person):
        await ask(client, "add_to_cart", product_id=1)
        before, pages = memory.tokens, len(person.pages)
        assert before is not None
        person.provider.context.token_expiry_time = 1
        assert (await ask(client, "view_cart"))["item_count"] == 1
        assert memory.tokens is not None
        assert memory.tokens.access_token != before.access_token
        assert memory.tokens.refresh_token != before.refresh_token
        assert len(person.pages) == pages
        async with httpx2.AsyncClient() as stale:
            headers = {"Authorization": f"Bearer {before.access_token}"}
            assert (await stale.post(shop.mcp, headers=headers)).status_code == 401


@pytest.mark.parametrize("mode", ERAS)
async def test_progress_of_a_long_call_reaches_the_caller(
    tmp_path: Path, mode: ConnectMode
) -> None:
    """MCP 2026-07-28 basic/patterns/progress."""
    steps: list[float] = []

    async def note(progress: float, _total: float | None, _message: str | None) -> None:
        steps.append(progress)

    async with open_shop(tmp_path) as shop, shopping(shop, mode, Memory()) as (client, _):
        result = await client.call_tool("restock_report", {"pace_ms": 0}, progress_callback=note)
    assert not result.is_error
    assert steps == sorted(steps)
    assert len(steps) == 8


@pytest.mark.parametrize("mode", ERAS)
async def test_what_the_shop_cannot_do_is_a_tool_error_in_the_old_words(
    tmp_path: Path, mode: ConnectMode
) -> None:
    """000.41: `{"error": "Product not found"}`, now marked as the error that it is."""
    async with open_shop(tmp_path) as shop, shopping(shop, mode, Memory()) as (client, _):
        result = await client.call_tool("get_product", {"product_id": 99})
        assert (result.is_error, result.structured_content) == (
            True,
            {"error": "Product not found"},
        )
        wrong = await client.call_tool("add_to_cart", {"product_id": 1, "quantity": 100})
        assert wrong.is_error
        assert "/quantity" in str(wrong.structured_content)

"""The shop uses the protocol: resources, prompts, completion, questions, changes, cancellation.

With the official Python SDK client, over a real socket, in both eras.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp.client.client import ConnectMode
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    InputRequiredResult,
    PromptReference,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
)

from catshop.kernel import Trace, utc_now
from catshop.limits import ShopLimits, StorageLimits
from catshop.storage.migrate import migrate
from catshop.storage.shop import stores
from catshop.storage.sqlite import SqliteDatabase
from catshop.tools.needs import needs_of
from catshop.tools.products import SEED
from catshop.tools.server import build_server
from catshop.tools.shop import Shop
from tests.support.hosting import MODERN, hosting
from tests.support.shop import Open, open_shop
from tests.support.shopper import shopper, token_of

# The SDK's client leaves an event stream once it has its response; on trio the generators that it
# leaves behind, in its HTTP library, are then collected unfinished. Nothing of ours is concerned.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'http(x2|core2)._:ResourceWarning")

ERAS = [pytest.param(MODERN, id="stateless"), pytest.param("legacy", id="handshake")]
CART = "catshop://cart"


async def ask(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured content of a call that must succeed."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def cart_of(client: Client) -> Any:
    """The cart, read as a resource."""
    [piece] = (await client.read_resource(CART)).contents
    return json.loads(piece.text)  # type: ignore[union-attr]  # the cart is text


@pytest.mark.parametrize("mode", ERAS)
async def test_everything_that_can_be_read_is_read(tmp_path: Path, mode: ConnectMode) -> None:
    """MCP 2026-07-28 server/resources: what is listed can be read."""
    async with open_shop(tmp_path) as shop, shopper(shop, mode) as client:
        await ask(client, "add_to_cart", product_id=1)
        listed = (await client.list_resources()).resources
        for resource in listed:
            [piece] = (await client.read_resource(resource.uri)).contents
            assert piece.uri == resource.uri
            assert piece.mime_type == resource.mime_type
        assert (await cart_of(client))["item_count"] == 1
    uris = [resource.uri for resource in listed]
    assert uris[0] == CART
    assert uris[-1] == "skill://shopping-for-a-cat/SKILL.md"


@pytest.mark.parametrize("mode", ERAS)
async def test_a_long_catalog_is_read_page_by_page(tmp_path: Path, mode: ConnectMode) -> None:
    """MCP 2026-07-28 server/utilities/pagination: nothing is left out, nothing comes twice."""
    many = [replace(SEED[0], id=number) for number in range(1, 251)]
    async with open_shop(tmp_path) as shop, shopper(shop, mode) as client:
        await stores(shop.house.database).catalog.replace(many)
        found, cursor = [], None
        for _ in range(3):
            page = await client.list_resources(cursor=cursor)
            found += [resource.uri for resource in page.resources]
            cursor = page.next_cursor
        with pytest.raises(MCPError) as refused:
            await client.list_resources(cursor="made-up")
    assert cursor is None
    assert refused.value.code == INVALID_PARAMS
    products = [f"catshop://products/{one.id}" for one in many]
    assert found == [CART, *products, "skill://shopping-for-a-cat/SKILL.md"]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_prompt_is_completed_and_written(tmp_path: Path, mode: ConnectMode) -> None:
    """MCP 2026-07-28 server/prompts, server/utilities/completion."""
    async with open_shop(tmp_path) as shop, shopper(shop, mode) as client:
        [prompt, _] = (await client.list_prompts()).prompts
        gift = PromptReference(name=prompt.name)
        found = await client.complete(gift, {"name": "category", "value": "to"})
        written = await client.get_prompt(
            prompt.name, {"cat": "Mia", "budget": "5", "category": found.completion.values[0]}
        )
    assert found.completion.values == ["toys"]
    assert "Catnip Mouse" in str(written.messages[0].content)


@dataclass
class Person:
    """Sits before the client and gives one answer to whatever is asked."""

    answer: ElicitResult
    asked: list[str] = field(default_factory=list)

    async def __call__(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        """Read the question and answer."""
        del context
        self.asked.append(params.message)
        return self.answer


@pytest.mark.parametrize("mode", ERAS)
async def test_a_human_who_says_yes_has_ordered(tmp_path: Path, mode: ConnectMode) -> None:
    """MCP 2026-07-28 basic/patterns/mrtr; MCP 2025-11-25 client/elicitation."""
    person = Person(ElicitResult(action="accept", content={"confirm": True}))
    async with (
        open_shop(tmp_path) as shop,
        shopper(shop, mode, elicitation_callback=person) as client,
    ):
        await ask(client, "add_to_cart", product_id=1, quantity=2)
        order = await ask(client, "checkout")
        assert (order["status"], order["total"]) == ("confirmed", 19.98)
        assert (await cart_of(client))["items"] == []
    assert person.asked == ["Order this?\n2 x Whisker Wand: $19.98\nTotal: $19.98"]


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_human_who_says_no_has_ordered_nothing(
    tmp_path: Path, mode: ConnectMode, action: Any
) -> None:
    """MCP 2026-07-28 client/elicitation §response-actions."""
    person = Person(ElicitResult(action=action))
    async with (
        open_shop(tmp_path) as shop,
        shopper(shop, mode, elicitation_callback=person) as client,
    ):
        await ask(client, "add_to_cart", product_id=1)
        refused = await client.call_tool("checkout")
        assert refused.is_error
        assert refused.structured_content == {"error": "Checkout cancelled"}
        assert (await ask(client, "get_order_history"))["result"] == []
        assert (await cart_of(client))["item_count"] == 1
    assert len(person.asked) == 1


async def test_an_answer_for_another_user_or_another_call_is_refused(tmp_path: Path) -> None:
    """Security cases W1, W2 and W3: what came back is not what was given, or was used."""
    yes = ElicitResult(action="accept", content={"confirm": True})

    async def answer(client: Client, state: str, **arguments: Any) -> Any:
        return await client.session.call_tool(
            "checkout",
            arguments,
            input_responses={"confirm": yes},
            request_state=state,
            allow_input_required=True,
        )

    async with (
        open_shop(tmp_path) as shop,
        shopper(shop, MODERN, elicitation_callback=Person(yes)) as alice,
        shopper(shop, MODERN, "bob", elicitation_callback=Person(yes)) as bob,
    ):
        for client in (alice, bob):
            await ask(client, "add_to_cart", product_id=1)
        asked = await alice.session.call_tool("checkout", {}, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)
        state = asked.request_state or ""
        for wrong in (
            answer(bob, state),
            answer(alice, state, idempotency_key="k"),
            answer(alice, state[:-1] + ("A" if state[-1] != "A" else "B")),
            answer(alice, ""),
        ):
            with pytest.raises(MCPError) as refused:
                await wrong
            assert refused.value.code == INVALID_PARAMS
        for client in (alice, bob):
            assert (await ask(client, "get_order_history"))["result"] == []
        assert (await answer(alice, state)).structured_content["status"] == "confirmed"
        with pytest.raises(MCPError) as used:
            await answer(alice, state)
        assert used.value.code == INVALID_PARAMS


async def test_of_20_answers_with_one_state_one_orders(tmp_path: Path) -> None:
    """Security case W3: single use is kept in the database."""
    yes = ElicitResult(action="accept", content={"confirm": True})
    outcomes: list[object] = []
    async with (
        open_shop(tmp_path) as shop,
        shopper(shop, MODERN, elicitation_callback=Person(yes)) as client,
    ):
        await ask(client, "add_to_cart", product_id=1)
        asked = await client.session.call_tool("checkout", {}, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)

        async def answer() -> None:
            try:
                placed = await client.session.call_tool(
                    "checkout",
                    {},
                    input_responses={"confirm": yes},
                    request_state=asked.request_state,
                    allow_input_required=True,
                )
            except MCPError as error:
                outcomes.append(error.code)
            else:
                assert isinstance(placed, CallToolResult)
                outcomes.append(placed.structured_content["status"])

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(answer)
        assert len((await ask(client, "get_order_history"))["result"]) == 1
    assert sorted(map(str, outcomes)) == [str(INVALID_PARAMS)] * 19 + ["confirmed"]


async def test_a_changed_cart_is_told_to_whoever_listens(tmp_path: Path) -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions; security case S16: to its owner alone."""
    async with (
        open_shop(tmp_path) as shop,
        shopper(shop, MODERN) as alice,
        shopper(shop, MODERN) as again,
        shopper(shop, MODERN, "bob") as bob,
        alice.listen(resource_subscriptions=[CART]) as hers,
        bob.listen(resource_subscriptions=[CART]) as his,
    ):
        with anyio.fail_after(10):
            await ask(again, "add_to_cart", product_id=1)
            assert await anext(hers) == ResourceUpdated(CART)
            assert (await cart_of(alice))["item_count"] == 1
            await ask(alice, "checkout")
            assert await anext(hers) == ResourceUpdated(CART)
            await ask(bob, "add_to_cart", product_id=2, quantity=3)
            assert await anext(his) == ResourceUpdated(CART)
            assert (await cart_of(bob))["item_count"] == 3


@dataclass
class Notices:
    """The notifications that a client of the handshake era gets."""

    expected: int
    heard: list[str] = field(default_factory=list)
    enough: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, message: Any) -> None:
        """Remember what changed."""
        match message:
            case ResourceUpdatedNotification():
                self.heard.append(message.params.uri)
            case ResourceListChangedNotification():
                self.heard.append("the list")
            case _:
                return
        if len(self.heard) == self.expected:
            self.enough.set()


async def test_a_changed_cart_is_told_to_a_session_that_subscribed(tmp_path: Path) -> None:
    """MCP 2025-11-25 server/resources §subscriptions."""
    notices, others = Notices(1), Notices(1)
    async with (
        open_shop(tmp_path) as shop,
        shopper(shop, "legacy", message_handler=notices) as alice,
        shopper(shop, "legacy", "bob", message_handler=others) as bob,
    ):
        for client in (alice, bob):
            with pytest.warns(MCPDeprecationWarning):
                await client.subscribe_resource(CART)
        await ask(alice, "add_to_cart", product_id=1)
        with anyio.fail_after(10):
            await notices.enough.wait()
        assert notices.heard == [CART]
        assert others.heard == []


async def test_another_catalog_is_told_to_whoever_listens(tmp_path: Path) -> None:
    """MCP 2026-07-28 server/resources §list-changed-notification; another process writes it."""
    product = "catshop://products/1"
    async with (
        open_shop(tmp_path) as shop,
        shopper(shop, MODERN) as client,
        client.listen(resources_list_changed=True, resource_subscriptions=[product]) as changes,
    ):
        dearer = replace(SEED[0], price_cents=1099)
        await stores(shop.house.database).catalog.replace([dearer, *SEED[1:7]])
        with anyio.fail_after(10):
            heard = {await anext(changes), await anext(changes)}
        assert heard == {ResourceUpdated(product), ResourcesListChanged()}
        assert (await ask(client, "get_product", product_id=1))["price"] == 10.99
        uris = [one.uri for one in (await client.list_resources()).resources]
        assert "catshop://products/8" not in uris


@dataclass
class Slow:
    """A report that never ends by itself."""

    url: str = ""
    paused: anyio.Event = field(default_factory=anyio.Event)
    cancelled: anyio.Event = field(default_factory=anyio.Event)

    async def pause(self, _seconds: float) -> None:
        """Wait until cancelled."""
        self.paused.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.cancelled.set()


@asynccontextmanager
async def slow_shop(folder: Path) -> AsyncIterator[Slow]:
    """Serve a shop with such a report."""
    database = SqliteDatabase.open(folder / "slow.db", StorageLimits(), Trace())
    await migrate(database, utc_now())
    kept = stores(database)
    await kept.catalog.seed(SEED)
    slow = Slow()
    shop = Shop(
        kept.catalog,
        kept.carts,
        kept.orders,
        limits=ShopLimits(),
        clock=utc_now,
        new_order_id=lambda: "0" * 16,
        trace=Trace(),
        pause=slow.pause,
    )
    async with hosting(build_server(shop, version="1")) as served:
        slow.url = served.url
        yield slow
    await database.close()


@pytest.mark.parametrize("mode", ERAS)
async def test_a_report_that_nobody_waits_for_stops_at_once(
    tmp_path: Path, mode: ConnectMode
) -> None:
    """MCP 2026-07-28 basic/patterns/cancellation, MCP 2025-11-25 basic/utilities/cancellation.

    In the stateless era leaving the stream cancels, so there is one: the caller wants progress.
    """

    async def note(progress: float, total: float | None, message: str | None) -> None:
        del progress, total, message

    async with slow_shop(tmp_path) as slow, httpx2.AsyncClient(timeout=10) as http:
        transport = streamable_http_client(slow.url, http_client=http)
        async with Client(transport, mode=mode) as client, anyio.create_task_group() as tasks:
            report = partial(client.call_tool, "restock_report", progress_callback=note)
            tasks.start_soon(report)
            with anyio.fail_after(10):
                await slow.paused.wait()
                tasks.cancel_scope.cancel()
        with anyio.fail_after(10):
            await slow.cancelled.wait()


async def post(shop: Open, method: str, params: dict[str, Any], **more: str) -> httpx2.Response:
    """One request of the stateless era, from a client that knows tasks."""
    capabilities: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }
    headers = {
        "Authorization": f"Bearer {await token_of(shop, 'alice', frozenset({'read'}))}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
        **more,
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, **params}}
    async with httpx2.AsyncClient(timeout=10) as http:
        return await http.post(shop.mcp, json=message, headers=headers)


async def test_a_report_is_a_task_for_a_client_that_knows_tasks(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks: the report goes on, and the client comes back for it."""
    async with open_shop(tmp_path) as shop:
        call = {"name": "restock_report", "arguments": {"pace_ms": 0}}
        begun = (await post(shop, "tools/call", call, **{"Mcp-Name": "restock_report"})).json()
        assert begun["result"]["resultType"] == "task", begun
        task_id = begun["result"]["taskId"]
        with anyio.fail_after(10):
            while True:
                named = {"Mcp-Name": task_id}
                told = (await post(shop, "tasks/get", {"taskId": task_id}, **named)).json()
                if told["result"]["status"] != "working":
                    break
        assert told["result"]["status"] == "completed"
        report = told["result"]["result"]["structuredContent"]["result"]
        assert [line["sold"] for line in report] == [0] * 8


@pytest.mark.parametrize("mode", ERAS)
async def test_an_argument_that_a_gateway_can_read_goes_through(
    tmp_path: Path, mode: ConnectMode
) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §custom-headers-from-tool-parameters."""
    async with open_shop(tmp_path) as shop, shopper(shop, mode) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        schema = listed["search_products"].input_schema
        assert schema["properties"]["category"]["x-mcp-header"] == "Category"
        for category in ("beds", "Betten für Mäuse"):
            await ask(client, "search_products", query="cat", category=category)
        await ask(client, "search_products", query="cat")


async def test_a_header_that_contradicts_the_argument_is_refused(tmp_path: Path) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §server-behavior-for-custom-headers."""
    async with open_shop(tmp_path) as shop:
        arguments = {"query": "cat", "category": "beds"}
        call = {"name": "search_products", "arguments": arguments}
        named = {"Mcp-Name": "search_products"}
        right = await post(shop, "tools/call", call, **named, **{"Mcp-Param-Category": "beds"})
        wrong = await post(shop, "tools/call", call, **named, **{"Mcp-Param-Category": "toys"})
        absent = await post(shop, "tools/call", call, **named)
    assert right.status_code == 200
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, -32020)
    assert (absent.status_code, absent.json()["error"]["code"]) == (400, -32020)


async def test_every_method_that_the_shop_serves_shows_nothing_without_read(
    tmp_path: Path,
) -> None:
    """MCP 2026-07-28 basic/authorization §scope-challenge-handling: none is forgotten."""
    async with open_shop(tmp_path) as shop:
        served = set(shop.house.dispatcher.server._request_handlers)
    assert served >= {"skills/list", "subscriptions/listen", "tasks/get", "resources/read"}
    free = {method for method in served if not needs_of(method, {"name": "checkout"})}
    assert free == {"ping", "server/discover", "tools/list"}


@pytest.mark.parametrize("mode", ERAS)
async def test_a_token_that_may_not_read_is_asked_for_read(
    tmp_path: Path, mode: ConnectMode
) -> None:
    """MCP 2026-07-28 basic/authorization §scope-challenge-handling."""
    async with open_shop(tmp_path) as shop:
        token = await token_of(shop, "alice", frozenset({"write"}))
        headers = {"Authorization": f"Bearer {token}"}
        challenges: list[str] = []

        async def note(response: httpx2.Response) -> None:
            if response.status_code == 403:
                challenges.append(response.headers["www-authenticate"])

        async with httpx2.AsyncClient(headers=headers, event_hooks={"response": [note]}) as http:
            transport = streamable_http_client(shop.mcp, http_client=http)
            async with Client(transport, mode=mode) as client:
                assert (await client.list_tools()).tools
                with pytest.raises(MCPError):
                    await client.list_resources()
        assert 'error="insufficient_scope"' in challenges[0]
        assert 'scope="catalog:read"' in challenges[0]

"""The machine dies in the middle: what was promised survives, and nothing is promised twice.

The shop runs in a process of its own, which gets no chance to say goodbye.
"""

from __future__ import annotations

import signal
from pathlib import Path

import httpx2

from tests.support.program import Serving, serving
from tests.support.terminal import Terminal

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def kill(shop: Serving) -> str:
    """`kill -9`; gives the port, for the next to come back to."""
    shop.process.send_signal(signal.SIGKILL)
    assert shop.wait() == -signal.SIGKILL
    return shop.url.rpartition(":")[2]


async def test_tokens_carts_and_orders_survive_a_kill(tmp_path: Path) -> None:
    """What was answered is on the disk: the client notices nothing but a pause."""
    async with httpx2.AsyncClient() as http, httpx2.AsyncClient() as browser:
        with serving(tmp_path) as shop:
            alice = Terminal(shop.url, http, browser)
            await alice.register()
            assert (await alice.redeem(await alice.code("alice"))).status_code == 200
            await alice.call("add_to_cart", product_id=1, quantity=2)
            order = await alice.call("checkout", idempotency_key="wands")
            await alice.call("add_to_cart", product_id=2)
            port = kill(shop)
        with serving(tmp_path, "--port", port):
            cart = await alice.call("view_cart")
            assert [line["product_id"] for line in cart["items"]] == [2]
            history = (await alice.call("get_order_history"))["result"]
            assert [past["order_id"] for past in history] == [order["order_id"]]
            again = await alice.call("checkout", idempotency_key="wands")
            assert again["order_id"] == order["order_id"]
            before = alice.tokens
            assert (await alice.refresh()).status_code == 200
            assert alice.tokens["access_token"] != before["access_token"]
            assert (await alice.call("view_cart"))["item_count"] == 1


async def test_a_session_of_the_dead_process_is_over_and_the_client_starts_again(
    tmp_path: Path,
) -> None:
    """MCP 2025-11-25 basic/transports §session-management: 404, and a new initialize."""
    async with httpx2.AsyncClient() as http, httpx2.AsyncClient() as browser:
        with serving(tmp_path) as shop:
            alice = Terminal(shop.url, http, browser)
            await alice.register()
            await alice.redeem(await alice.code("alice"))
            opened = await alice.post(INITIALIZE)
            session = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
            port = kill(shop)
        with serving(tmp_path, "--port", port):
            lost = await alice.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, **session)
            assert (lost.status_code, lost.json()["code"]) == (404, "E-SES-03")
            opened = await alice.post(INITIALIZE)
            session = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
            found = await alice.post({"jsonrpc": "2.0", "id": 2, "method": "ping"}, **session)
            assert found.json()["result"] == {}


async def test_a_code_from_before_is_redeemed_once(tmp_path: Path) -> None:
    """OAuth 2.1 §4.1.3: neither lost with the process nor good for a second time."""
    async with httpx2.AsyncClient() as http, httpx2.AsyncClient() as browser:
        with serving(tmp_path) as shop:
            alice = Terminal(shop.url, http, browser)
            await alice.register()
            code = await alice.code("alice")
            port = kill(shop)
        with serving(tmp_path, "--port", port) as shop:
            assert (await alice.redeem(code)).status_code == 200
            assert (await alice.call("view_cart"))["items"] == []
            port = kill(shop)
        with serving(tmp_path, "--port", port):
            reused = await alice.redeem(code)
            assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
            assert (await alice.ask("tools/list")).status_code == 401


async def test_a_browser_stays_signed_in(tmp_path: Path) -> None:
    """The key of the cookies is kept beside the database, so a restart signs nobody out."""
    async with httpx2.AsyncClient() as http, httpx2.AsyncClient() as browser:
        with serving(tmp_path) as shop:
            alice = Terminal(shop.url, http, browser)
            await alice.register()
            await alice.code("alice")
            port = kill(shop)
        with serving(tmp_path, "--port", port):
            answer = await browser.get(alice.asking())
            assert answer.status_code == 303
            assert "/consent?" in answer.headers["location"]

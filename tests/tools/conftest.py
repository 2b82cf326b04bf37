"""A shop on a real database, and a way to call its tools as a given principal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import CallToolRequestParams, CallToolResult, ClientCapabilities

from catshop.kernel import Call, Event, Principal, Trace
from catshop.limits import ShopLimits, StorageLimits
from catshop.storage.migrate import migrate
from catshop.storage.shop import stores
from catshop.storage.sqlite import SqliteDatabase
from catshop.tools.products import SEED
from catshop.tools.server import build_server
from catshop.tools.shop import Shop

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ALICE = Principal(
    issuer="https://shop.test",
    subject="user-1",
    username="alice",
    client_id="client",
    audience="https://shop.test/mcp",
    scopes=frozenset({"read", "write"}),
    token_id="token-1",
    expires_at=NOW + timedelta(hours=1),
)

CallTool = Callable[..., Awaitable[CallToolResult]]


class Steps:
    """What a call reported, and the clock that its pauses move."""

    def __init__(self) -> None:
        self.now = NOW
        self.reported: list[tuple[float, float | None, str | None]] = []
        self.paused: list[float] = []
        self.events: list[Event] = []
        self.client_capabilities: ClientCapabilities | None = None

    async def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Remember one step."""
        self.reported.append((progress, total, message))

    async def pause(self, seconds: float) -> None:
        """Remember one pause."""
        self.paused.append(seconds)


@pytest.fixture
def alice() -> Principal:
    """A user whom a token proves."""
    return ALICE


@pytest.fixture
def steps() -> Steps:
    """What the calls of one test reported."""
    return Steps()


@pytest.fixture
async def shop(tmp_path: Path, steps: Steps) -> AsyncIterator[Shop]:
    """A shop with the eight products; its clock stands, its order ids count."""
    trace = Trace()
    database = SqliteDatabase.open(tmp_path / "shop.db", StorageLimits(), trace)
    await migrate(database, NOW)
    kept = stores(database)
    await kept.catalog.seed(SEED)
    numbers = count(1)
    yield Shop(
        kept.catalog,
        kept.carts,
        kept.orders,
        ShopLimits(),
        clock=lambda: steps.now,
        new_order_id=lambda: f"{next(numbers):016X}",
        trace=trace,
        pause=steps.pause,
    )
    await database.close()


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """Which era the SDK's client speaks: 2026-07-28, or the handshake."""
    return str(request.param)


@pytest.fixture
def served(shop: Shop) -> Callable[[Principal | None], Server[Any]]:
    """The shop's server for a given caller, when nothing else says who calls."""

    def of(principal: Principal | None) -> Server[Any]:
        server = build_server(shop, version="0.1.0")

        async def identify(ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
            call = Call(principal, "exchange-1") if principal else None
            return await call_next(replace(ctx, request=call))

        server.middleware.append(identify)
        return server

    return of


@pytest.fixture
def server(served: Callable[[Principal | None], Server[Any]]) -> Server[Any]:
    """The shop's server, whose calls are Alice's when nothing else says who calls."""
    return served(ALICE)


@pytest.fixture
def caller(steps: Steps) -> Callable[[Server[Any]], CallTool]:
    """A way to call the tools of any server by its handler, without a transport."""

    def of(server: Server[Any]) -> CallTool:
        entry = server.get_request_handler("tools/call")
        assert entry is not None

        async def run(
            name: str, principal: Principal | None = ALICE, /, **arguments: object
        ) -> CallToolResult:
            ctx = ServerRequestContext[Any](
                session=steps,  # type: ignore[arg-type]  # all that a tool needs of a session
                lifespan_context={},
                protocol_version="2026-07-28",
                method="tools/call",
                request=Call(principal, "exchange-1") if principal else None,
            )
            result = await entry.handler(ctx, CallToolRequestParams(name=name, arguments=arguments))
            assert isinstance(result, CallToolResult)
            return result

        return run

    return of


@pytest.fixture
def call(caller: Callable[[Server[Any]], CallTool], server: Server[Any]) -> CallTool:
    """A tool of the shop called by Alice, unless a principal comes second."""
    return caller(server)

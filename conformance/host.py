"""The shop for the official suite: the real transport and tools behind an open gate.

The suite's server scenarios cannot sign in, so here everybody on this machine is the same customer.
All else is as in the shop: the same HTTP server, endpoint, tools and storage, on a database that is
gone afterwards. Prints the URL of the endpoint once it listens; SIGTERM ends it. Never serve this.
"""

from __future__ import annotations

import secrets
import signal
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import anyio

from catshop.kernel import Principal, Trace, utc_now
from catshop.limits import Limits
from catshop.protocol.dispatcher import Dispatcher
from catshop.protocol.endpoint import Endpoint
from catshop.protocol.http1.guard import Guard
from catshop.protocol.http1.messages import Request
from catshop.protocol.http1.routes import Router
from catshop.protocol.http1.server import Server, bind, port_of
from catshop.protocol.sessions import Sessions
from catshop.storage import shop as storage
from catshop.storage.migrate import migrate
from catshop.storage.sqlite import SqliteDatabase
from catshop.tools.server import build_server
from catshop.tools.shop import Shop

CUSTOMER = Principal(
    issuer="http://127.0.0.1",
    subject="suite",
    username="suite",
    client_id="suite",
    audience="http://127.0.0.1",
    scopes=frozenset({"read", "write"}),
    token_id="none",  # noqa: S106  there is no token
    expires_at=datetime.max.replace(tzinfo=UTC),
)


class OpenGate:
    """Lets everybody in as the one customer."""

    async def authenticate(self, _request: Request) -> Principal:
        """The customer."""
        return CUSTOMER

    def authorize(self, principal: Principal, method: str, params: Mapping[str, object]) -> None:
        """Yes."""

    async def still_good(self, _principal: Principal) -> bool:
        """Yes."""
        return True


async def main() -> None:
    """Serve until SIGTERM."""
    limits, trace = Limits(), Trace()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "suite.db"
        database = SqliteDatabase.open(path, limits.storage, trace)
        await migrate(database, utc_now(), where=str(path))
        server = build_server(await shop(database, limits, trace), version="0")
        async with Dispatcher(server, trace) as dispatcher:
            sessions = Sessions(limits, clock=utc_now, new_id=secrets.token_urlsafe, trace=trace)
            endpoint = Endpoint(dispatcher, OpenGate(), sessions, limits)
            router = Router(endpoint.routes("/mcp"), Guard(), trace)
            await serve(Server(router, limits=limits.http, trace=trace))
        await database.close()


async def shop(database: SqliteDatabase, limits: Limits, trace: Trace) -> Shop:
    """The shop on an empty database, its shelves filled."""
    stores = storage.stores(database)
    return Shop(
        stores.catalog,
        stores.carts,
        stores.orders,
        limits=limits.shop,
        clock=utc_now,
        new_order_id=lambda: secrets.token_hex(8).upper(),
        trace=trace,
    )


async def serve(server: Server) -> None:
    """Serve on a free port, say which, and drain at the first signal."""
    listeners = await bind(("127.0.0.1",), 0)
    print(f"http://127.0.0.1:{port_of(listeners[0])}/mcp", flush=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, listeners)
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                server.stop()
                break


if __name__ == "__main__":
    anyio.run(main)

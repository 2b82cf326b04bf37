"""A server for the official suite: the fixture or the shop, behind an open gate.

The suite's server scenarios cannot sign in, so here everybody on this machine is the same customer.
All else is the real transport: our own HTTP server, or our handlers inside uvicorn (`--door asgi`).
Prints the URL of the endpoint once it listens; SIGTERM ends it. Never serve this.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import socket
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio
import uvicorn
from mcp.shared.exceptions import MCPDeprecationWarning

from catshop.app import open_house
from catshop.config import load
from catshop.kernel import Changes, Principal, Secret, Trace, utc_now
from catshop.limits import Limits
from catshop.protocol.dispatcher import Dispatcher
from catshop.protocol.endpoint import Endpoint
from catshop.protocol.http1.asgi import asgi_app
from catshop.protocol.http1.guard import Guard
from catshop.protocol.http1.messages import Request
from catshop.protocol.http1.routes import Router
from catshop.protocol.http1.server import Server, bind, port_of
from catshop.protocol.log_levels import LogLevels
from catshop.protocol.pagination import Pages
from catshop.protocol.sessions import Sessions
from catshop.protocol.skills import Skills
from catshop.protocol.subscriptions import Subscriptions
from catshop.protocol.tasks import Tasks
from catshop.signing import Signer
from catshop.storage.migrate import migrate
from catshop.storage.protocol.tasks import SqlTasks
from catshop.storage.sqlite import SqliteDatabase
from conformance.everything import build_server
from conformance.fixture.jobs import support

LIMITS: Final = Limits()
TRACE: Final = Trace()

CUSTOMER: Final = Principal(
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


@asynccontextmanager
async def everything() -> AsyncIterator[Dispatcher]:
    """The fixture, hosted, its tasks in a database that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "suite.db"
        database = SqliteDatabase.open(path, LIMITS.storage, TRACE)
        await migrate(database, utc_now(), where=str(path))
        changes = Changes()
        server = build_server(changes)
        Tasks(
            SqlTasks(database),
            support,
            limits=LIMITS.task,
            clock=utc_now,
            new_id=secrets.token_urlsafe,
            trace=TRACE,
        ).install(server)
        Skills(Path(__file__).parent / "fixture/skills").install(server)
        Subscriptions(changes).install(server)
        LogLevels().install(server)
        Pages(Signer(Secret(secrets.token_urlsafe(32))), LIMITS.session.page).install(server)
        async with Dispatcher(server, TRACE) as dispatcher:
            yield dispatcher
        await database.close()


@asynccontextmanager
async def shop() -> AsyncIterator[Dispatcher]:
    """The shop, hosted, on a database that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        config = load(flags={"database": str(Path(folder) / "suite.db"), "port": 0})
        async with open_house(config, trace=TRACE) as house:
            yield house.dispatcher


async def own_door(router: Router) -> None:
    """Serve on our own HTTP server until a signal."""
    listeners = await bind(("127.0.0.1",), 0)
    server = Server(router, limits=LIMITS.http, trace=TRACE)
    announce(port_of(listeners[0]))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, listeners)
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                server.stop()
                break


async def asgi_door(router: Router) -> None:
    """Serve inside uvicorn until a signal, which uvicorn takes itself."""
    app = asgi_app(router, limits=LIMITS.http, trace=TRACE)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        announce(listener.getsockname()[1])
        await uvicorn.Server(config).serve(sockets=[listener])


def announce(port: int) -> None:
    """Say where the endpoint is."""
    print(f"http://127.0.0.1:{port}/mcp", flush=True)


HOSTED: Final = {"everything": everything, "shop": shop}
DOORS: Final = {"own": own_door, "asgi": asgi_door}


async def main(hosted: str, door: str) -> None:
    """Serve until SIGTERM."""
    async with HOSTED[hosted]() as dispatcher:
        sessions = Sessions(LIMITS, clock=utc_now, new_id=secrets.token_urlsafe, trace=TRACE)
        endpoint = Endpoint(dispatcher, OpenGate(), sessions, LIMITS)
        await DOORS[door](Router(endpoint.routes("/mcp"), Guard(), TRACE))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("hosted", choices=HOSTED)
    parser.add_argument("--door", choices=DOORS, default="own")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", MCPDeprecationWarning)  # the fixture plays the old parts, too
    sys.exit(anyio.run(main, chosen.hosted, chosen.door))

"""The whole shop on a real socket, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from catshop.app import House, listening, open_house
from catshop.config import Config, load
from catshop.kernel import Trace
from catshop.protocol.http1.server import Server


@dataclass(frozen=True, slots=True)
class Open:
    """An open shop: where it is, and its inside."""

    url: str
    house: House
    server: Server

    @property
    def mcp(self) -> str:
        """The MCP endpoint."""
        return f"{self.url}/mcp"


def config_in(folder: Path, **flags: object) -> Config:
    """The configuration of a shop that keeps its data in `folder`, on a free port."""
    return load(flags={"database": str(folder / "catshop.db"), "port": 0, **flags})


@asynccontextmanager
async def open_shop(
    folder: Path, trace: Trace | None = None, **flags: object
) -> AsyncIterator[Open]:
    """Serve a shop that keeps its data in `folder` until the context ends."""
    async with (
        listening(config_in(folder, **flags)) as (config, listeners),
        open_house(config, trace=trace) as house,
        anyio.create_task_group() as tasks,
    ):
        server = Server(house.router, limits=config.limits.http, trace=house.trace)
        tasks.start_soon(server.serve, listeners)
        yield Open(config.issuer, house, server)
        house.sessions.drain()
        server.drain()

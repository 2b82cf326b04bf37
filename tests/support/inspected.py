"""A shop with its inspector beside it, on real sockets, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx2

from catshop.app import listening, open_house
from catshop.cli.inspecting import Inspector
from catshop.kernel import Trace
from catshop.protocol.http1.server import Server
from tests.support.shop import Open, config_in


@dataclass(frozen=True, slots=True)
class Inspected(Open):
    """The shop, and the link to what happens in it."""

    link: str

    @property
    def home(self) -> str:
        """The address of the inspector."""
        parts = urlsplit(self.link)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def token(self) -> str:
        """What the link holds."""
        return dict(parse_qsl(urlsplit(self.link).query))["t"]

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[httpx2.AsyncClient]:
        """Somebody who has opened the link."""
        async with httpx2.AsyncClient(base_url=self.home, follow_redirects=True) as http:
            opened = await http.get(self.link)
            assert opened.status_code == 200, opened.text
            yield http


@asynccontextmanager
async def inspected(folder: Path, **flags: object) -> AsyncIterator[Inspected]:
    """Serve both until the context ends."""
    trace, links = Trace(), list[str]()
    async with (
        listening(config_in(folder, **flags)) as (config, listeners),
        open_house(config, trace=trace) as house,
        Inspector(config, trace, links.append).around()(house) as handler,
        anyio.create_task_group() as tasks,
    ):
        server = Server(handler, limits=config.limits.http, trace=trace)
        tasks.start_soon(server.serve, listeners)
        yield Inspected(config.issuer, house, server, links[0])
        house.sessions.drain()
        server.drain()

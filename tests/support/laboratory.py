"""A shop that can be broken, with its inspector, on real sockets in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from catshop.app import listening, open_house
from catshop.cli.inspecting import Inspector
from catshop.kernel import Trace
from catshop.lab.laboratory import Laboratory
from catshop.protocol.http1.server import Server
from tests.support.inspected import Inspected
from tests.support.shop import config_in


@asynccontextmanager
async def laboratory(folder: Path) -> AsyncIterator[Inspected]:
    """Serve both until the context ends."""
    trace, links, flags = Trace(), list[str](), config_in(folder)
    lab = Laboratory(flags, trace)
    async with (
        listening(flags) as (config, listeners),
        open_house(config, trace=trace) as house,
        Inspector(config, trace, links.append, lab).around(lab.around)(house) as handler,
        anyio.create_task_group() as tasks,
    ):
        server = Server(handler, limits=config.limits.http, trace=trace)
        tasks.start_soon(server.serve, listeners)
        yield Inspected(config.issuer, house, server, links[0])
        server.drain()

"""`catshop serve --inspect`: the inspector beside the shop, on a port of its own.

Loaded only when it is asked for, so that a server for others has none of it. It refuses to start
unless host and issuer are names of this machine, watches through the trace, and prints its link
once. Next: `catshop/inspector/desk.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import anyio

from catshop import __version__
from catshop.app import Beside, House, alone, mint
from catshop.config import Config
from catshop.inspector.desk import LINKS, Desk
from catshop.inspector.entry import Entry, check_place
from catshop.inspector.explained import Explaining
from catshop.inspector.frame import Place
from catshop.inspector.recorder import Recorder
from catshop.inspector.switches import Faulty
from catshop.kernel import Secret, Trace
from catshop.protocol.http1.messages import Handler
from catshop.protocol.http1.server import Server, bind, port_of

HOST: Final = "127.0.0.1"

CONNECTIONS: Final = 64
"""A few browsers of one developer."""


class Inspector:
    """Stands beside a house while it is served."""

    def __init__(
        self,
        config: Config,
        trace: Trace,
        tell: Callable[[str], None],
        faulty: Faulty | None = None,
    ) -> None:
        check_place(config.host, config.issuer)
        self._trace = trace
        self._tell = tell
        self._faulty = faulty

    def around(self, inner: Beside = alone) -> Beside:
        """The same as `inner`, with the pages beside it for as long as the house is served."""

        @asynccontextmanager
        async def beside(house: House) -> AsyncIterator[Handler]:
            async with inner(house) as handler, self._served(house) as origin:
                yield Explaining(handler, f"{origin}/-/explain/")

        return beside

    @asynccontextmanager
    async def _served(self, house: House) -> AsyncIterator[str]:
        """The pages, at the origin that is handed out."""
        recorder, link = Recorder(f"catshop {__version__}"), mint()
        place = Place(house.config.issuer, LINKS, self._fault)
        desk = Desk(place, Entry(*map(Secret, (link, mint(), mint()))), recorder, self._faulty)
        listeners = await bind((HOST,), 0)
        port = port_of(listeners[0])
        limits = replace(house.config.limits.http, connections=CONNECTIONS)
        server = Server(desk.router(port), limits=limits, trace=Trace())
        stop = self._trace.observe(recorder)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, listeners)
            self._tell(f"http://{HOST}:{port}/-/?t={link}")
            try:
                yield f"http://{HOST}:{port}"
            finally:
                stop()
                server.stop()

    def _fault(self) -> str:
        return (self._faulty.fault if self._faulty else None) or ""

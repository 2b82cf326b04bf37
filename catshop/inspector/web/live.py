"""Rows as they come: each exchange is told of, to every page that follows, once it has ended.

A page says which was the last exchange it has shown, so nothing is lost in between and nothing
comes twice. Who follows is bounded, and a server that stops ends every stream.
Next: `pages/script.js`, the other end. WHATWG HTML §9.2.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from contextlib import suppress
from typing import Final

import anyio

from catshop.inspector.recorder import EXCHANGES, Memory
from catshop.inspector.recording import Ended, Line
from catshop.inspector.web import pages
from catshop.inspector.web.entry import Entry
from catshop.inspector.web.frame import asked
from catshop.inspector.web.overview import chosen, rows
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import STREAMED, ClientGone, Leave, Request, Sink, Streamed
from catshop.protocol.http1.sse import MEDIA_TYPE, comment, event

VIEWERS: Final = 16
"""Pages that follow at once."""


class Bell:
    """Rings when an exchange has ended; a sink of the recorder."""

    def __init__(self) -> None:
        self._next = anyio.Event()

    def __call__(self, line: Line) -> None:
        """Ring for the end of an exchange, which the loop of the server has told of."""
        if isinstance(line, Ended):
            rung, self._next = self._next, anyio.Event()
            rung.set()

    @property
    def next(self) -> anyio.Event:
        """The next ring. Taken before one looks, so that none is missed."""
        return self._next


class Live:
    """The stream of rows."""

    def __init__(self, entry: Entry, memory: Memory, bell: Bell) -> None:
        self._entry = entry
        self._memory = memory
        self._bell = bell
        self._viewers = 0

    async def events(self, request: Request) -> Streamed:
        """Follow until the page is left or the server stops."""
        self._entry.check_visitor(request)
        if self._viewers >= VIEWERS:
            raise HttpError(503, "E-INSPECT-06")
        self._viewers += 1
        try:
            fields = (("content-type", MEDIA_TYPE), *pages.FIELDS)
            sink = await request.stream(200, fields, leave=Leave.CANCELS)
            with suppress(ClientGone):
                await self._follow(request, sink)
                await sink.close()
        finally:
            self._viewers -= 1
        return STREAMED

    async def _follow(self, request: Request, sink: Sink) -> None:
        await sink.send(comment("following"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._until_gone, request, sink, tasks.cancel_scope)
            await request.wait_draining()
            tasks.cancel_scope.cancel()

    async def _until_gone(self, request: Request, sink: Sink, scope: anyio.CancelScope) -> None:
        """Tell, and let go when nobody is there any more."""
        with suppress(ClientGone):
            await self._tell(request, sink)
        scope.cancel()

    async def _tell(self, request: Request, sink: Sink) -> None:
        """An event for each exchange that has ended and was not shown before."""
        query, after = asked(request, "q"), asked(request, "after")
        first = int(after) + 1 if after.isdecimal() and len(after) < 10 else 0
        said: OrderedDict[int, None] = OrderedDict()
        while True:
            ring = self._bell.next
            for exchange in self._memory.recording().exchanges.values():
                if exchange.n < first or exchange.n in said or exchange.first(Ended) is None:
                    continue
                said[exchange.n] = None
                while len(said) > 2 * EXCHANGES:
                    said.popitem(last=False)
                if found := chosen(rows([exchange]), query):
                    await sink.send(event(json.dumps(found, default=pages.plain)))
            await ring.wait()

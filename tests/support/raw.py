"""A client for one exchange whose answer is read while it comes: h11 on a socket of its own.

It can leave in the middle, which is what the tests of streams are about.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import h11
from anyio.abc import SocketStream

from catshop.protocol.http1.sse import Decoder, ServerEvent


class Reading:
    """An answer that is being read: its status, its fields, and its events one by one."""

    def __init__(self, stream: SocketStream, connection: h11.Connection) -> None:
        self.status = 0
        self.fields: dict[str, str] = {}
        self._stream = stream
        self._connection = connection
        self._decoder = Decoder()
        self._waiting: list[ServerEvent] = []

    async def begin(self) -> None:
        """Read the head."""
        head = await self._next()
        assert isinstance(head, h11.Response)
        self.status = head.status_code
        self.fields = {name.decode(): value.decode() for name, value in head.headers}

    async def again(
        self, url: str, method: str, headers: Mapping[str, str], body: object = None
    ) -> None:
        """Send another request on the same connection, whose last answer was read to its end."""
        self._connection.start_next_cycle()
        await self._stream.send(_octets(self._connection, url, method, headers, body))
        await self.begin()

    async def next(self) -> ServerEvent:
        """The next event of the stream; EOFError when it has ended."""
        while not self._waiting:
            if not await self._more():
                raise EOFError
        return self._waiting.pop(0)

    async def rest(self) -> list[ServerEvent]:
        """Every event until the stream ends."""
        while await self._more():
            pass
        found, self._waiting = self._waiting, []
        return found

    async def _more(self) -> bool:
        """Read a piece of the body; False at its end."""
        piece = await self._next()
        if isinstance(piece, h11.Data):
            self._waiting.extend(self._decoder.receive(bytes(piece.data)))
        return isinstance(piece, h11.Data)

    async def _next(self) -> h11.Event:
        with anyio.fail_after(10):
            while (event := self._connection.next_event()) is h11.NEED_DATA:
                try:
                    self._connection.receive_data(await self._stream.receive())
                except anyio.EndOfStream:
                    self._connection.receive_data(b"")
        assert not isinstance(event, type)
        return event


@asynccontextmanager
async def sent(
    url: str, method: str, headers: Mapping[str, str], body: object = None
) -> AsyncIterator[SocketStream]:
    """Send one request, and leave when the context ends."""
    async with _request(url, method, headers, body) as (stream, _):
        yield stream


@asynccontextmanager
async def exchange(
    url: str, method: str, headers: Mapping[str, str], body: object = None
) -> AsyncIterator[Reading]:
    """Send one request; what is left unread when the context ends is never read."""
    async with _request(url, method, headers, body) as (stream, connection):
        reading = Reading(stream, connection)
        await reading.begin()
        yield reading


@asynccontextmanager
async def _request(
    url: str, method: str, headers: Mapping[str, str], body: object
) -> AsyncIterator[tuple[SocketStream, h11.Connection]]:
    parts = urlsplit(url)
    connection = h11.Connection(h11.CLIENT)
    async with await anyio.connect_tcp(str(parts.hostname), parts.port or 80) as stream:
        await stream.send(_octets(connection, url, method, headers, body))
        yield stream, connection


def _octets(
    connection: h11.Connection, url: str, method: str, headers: Mapping[str, str], body: object
) -> bytes:
    """The request as it is sent."""
    parts = urlsplit(url)
    content = b"" if body is None else json.dumps(body).encode()
    fields = {"Host": parts.netloc, "Content-Length": str(len(content)), **headers}
    request = h11.Request(method=method, target=parts.path, headers=list(fields.items()))
    events = (request, h11.Data(data=content), h11.EndOfMessage())
    return b"".join(connection.send(event) or b"" for event in events)

"""One request and its answer on our own server: the `Channel` behind a `Request`.

Reads the body when somebody wants it, with the deadlines a body has, and opens the stream of an
answer that needs one. Nothing is started before: an answer that does not stream pays for none of
it. Next: `streaming.py`. RFC 9110 §6.4, §10.1.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from catshop.kernel import Trace
from catshop.limits import HttpLimits
from catshop.protocol.http1 import sse
from catshop.protocol.http1.connection import (
    BodyPart,
    Connection,
    EndOfRequest,
    Happening,
    NeedData,
    Refusal,
)
from catshop.protocol.http1.door import Sent, note_body, note_stream
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import ClientGone, Handler, Leave
from catshop.protocol.http1.responses import Common
from catshop.protocol.http1.streaming import Stream
from catshop.protocol.http1.wire import Wire


@dataclass(frozen=True, slots=True)
class Service:
    """What all connections of one server share."""

    handler: Handler
    limits: HttpLimits
    trace: Trace
    new_id: Callable[[], str]
    date: Callable[[], str]
    draining: anyio.Event


class Exchange:
    """The carrier of one request. `tasks` is the group of the whole connection."""

    def __init__(
        self,
        service: Service,
        connection: Connection,
        wire: Wire,
        tasks: TaskGroup,
        request_id: str,
    ) -> None:
        self._service = service
        self._connection = connection
        self._wire = wire
        self._tasks = tasks
        self._id = request_id
        self._body: bytes | None = None
        self.content_type = ""
        self.stream: Stream | None = None
        self.over = False
        """Whether nobody waits for more: the client left before its stream, or wanted its head."""
        self.status = 0
        self.sent: Sent | None = None

    @property
    def common(self) -> Common:
        """What the answer to this request says besides its own fields."""
        return Common(self._service.date(), self._id)

    async def read_body(self, limit: int) -> bytes:
        """The whole body, read once; refused as soon as it is known to be longer than `limit`."""
        if self._body is None:
            self._body = await self._read(limit)
            note_body(self._service.trace, self.content_type, self._body)
        if len(self._body) > limit:
            raise _too_large(len(self._body))
        return self._body

    async def open_stream(
        self, status: int, fields: tuple[tuple[str, str], ...], leave: Leave
    ) -> Stream:
        """Send the head of a stream, once whatever the client still sends has been read."""
        try:
            return await self._open(status, fields, leave)
        except ClientGone:
            self.over = True
            raise

    async def _open(self, status: int, fields: tuple[tuple[str, str], ...], leave: Leave) -> Stream:
        await self.read_body(self._service.limits.body)
        if self._service.draining.is_set():
            self._connection.retire()
        octets = self._connection.begin_stream(status, fields, self.common)
        await self._send(octets)
        self.status = status
        note_stream(self._service.trace, status, fields, octets)
        if self._connection.method == "HEAD":
            await self._send(self._connection.end_stream())
            raise ClientGone
        events = any(n == "content-type" and v.startswith(sse.MEDIA_TYPE) for n, v in fields)
        limits = self._service.limits
        self.stream = Stream(self._wire, self._connection, limits, comments=events)
        self._tasks.start_soon(self.stream.attend, leave, self._tasks.cancel_scope.cancel)
        return self.stream

    async def wait_draining(self) -> None:
        """Return once the server begins to shut down."""
        await self._service.draining.wait()

    async def _read(self, limit: int) -> bytes:
        remaining = self._connection.remaining
        if remaining is not None and remaining > limit:
            raise _too_large(remaining)
        pieces: list[bytes] = []
        size, began = 0, anyio.current_time()
        while not isinstance(happening := self._connection.next_event(), EndOfRequest):
            if isinstance(happening, BodyPart):
                pieces.append(happening.data)
                size += len(happening.data)
                if size > limit:
                    raise _too_large(size)
            else:
                await self._go_on(happening, began + self._patience(size))
        return b"".join(pieces)

    async def _go_on(self, happening: Happening, deadline: float) -> None:
        """Let more of the body come, if it can."""
        if isinstance(happening, Refusal):
            raise happening.error
        if not isinstance(happening, NeedData):
            raise ClientGone
        await self._more(deadline)

    def _patience(self, size: int) -> float:
        """How long after its beginning a body of which `size` octets have come must go on."""
        limits = self._service.limits
        return min(limits.body_seconds, max(limits.body_grace_seconds, size / limits.body_rate))

    async def _more(self, deadline: float) -> None:
        await self._send(self._connection.proceed())
        with anyio.CancelScope(deadline=deadline) as scope:
            data = await self._wire.receive()
            if data:
                self._connection.receive(data)
            else:
                self._connection.receive_eof()
        if scope.cancelled_caught:
            raise HttpError(408, "E-HTTP-32", close=True)

    async def _send(self, octets: bytes) -> None:
        with anyio.move_on_after(self._service.limits.write_seconds) as scope:
            await self._wire.send(octets)
        if scope.cancelled_caught:
            raise ClientGone


def _too_large(size: int) -> HttpError:
    return HttpError(413, "E-HTTP-31", arrived=f"{size} octets", close=True)

"""An answer that streams: a sink for the handler, and an attendant that sees the client leave.

A client that has left is found by reading: a reset at once, an end of its sending side only as a
hint, because a half-closed client still listens. So after that hint the attendant sends comments
until one fails. Comments also keep a quiet event stream alive; a stream of any other media type
gets none. RFC 9112 §7.1, WHATWG HTML §9.2.7.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Final, NoReturn

import anyio
import anyio.lowlevel

from catshop.limits import HttpLimits
from catshop.protocol.http1.connection import Connection
from catshop.protocol.http1.door import note_event
from catshop.protocol.http1.messages import ClientGone, Leave
from catshop.protocol.http1.sse import comment
from catshop.protocol.http1.wire import Wire

COMMENT: Final = comment()


class Flow(Enum):
    """How far a stream has come."""

    OPEN = "open"
    ENDED = "ended by the handler's return"
    CLOSED = "closed by the handler, which runs on"
    LOST = "the client has gone"


class Stream:
    """The body of one streaming answer; a `Sink`. One task attends to it while it is open."""

    def __init__(
        self, wire: Wire, connection: Connection, limits: HttpLimits, *, comments: bool
    ) -> None:
        self._wire = wire
        self._connection = connection
        self._limits = limits
        self._comments = comments
        self._flow = Flow.OPEN
        self._lock = anyio.Lock(fast_acquire=True)
        self._attendance = anyio.CancelScope()
        self._unattended = anyio.Event()
        self._quiet_since = anyio.current_time()

    @property
    def lost(self) -> bool:
        """Whether the client does not have all of it, and never will."""
        return self._flow is Flow.LOST

    async def send(self, data: bytes) -> None:
        """Send one piece now; waits while the client is slow. ClientGone when it has left.

        Cancelled before it began, it leaves the stream whole; in its middle, lost.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        async with self._lock:
            if self._flow is not Flow.OPEN:
                raise ClientGone
            await self._write(self._connection.stream_part(data))
            note_event(self._wire.trace, data)

    async def close(self) -> None:
        """End the body and the connection while the handler runs on. Idempotent."""
        self._connection.retire()
        await self._end(Flow.CLOSED)

    async def finish(self) -> None:
        """End the body, because the handler has returned; the connection may serve on."""
        await self._end(Flow.ENDED)
        await self._unattended.wait()

    async def abandon(self) -> None:
        """Leave the body without its end: the client must see that it is not whole."""
        self._lose()
        await self._unattended.wait()

    async def attend(self, leave: Leave, cancel: Callable[[], None]) -> None:
        """Watch the client until the stream is over; `cancel` the handler if its leaving does."""
        try:
            with self._attendance:
                await self._watch()
        except ClientGone:
            self._lose()
        finally:
            self._unattended.set()
        if self._flow is Flow.LOST and leave is Leave.CANCELS:
            cancel()
        elif self._flow is Flow.LOST:
            await self._wire.cut()
        elif self._flow is Flow.CLOSED:
            await self._wire.hang_up()

    async def _watch(self) -> NoReturn:
        while True:
            interval = self._interval()
            with anyio.CancelScope(deadline=self._quiet_since + interval):
                await self._listen()
            if self._comments and anyio.current_time() >= self._quiet_since + self._interval():
                await self._comment()

    async def _comment(self) -> None:
        async with self._lock:
            if self._flow is Flow.OPEN:  # it may have ended while this waited for the lock
                await self._write(self._connection.stream_part(COMMENT))
                note_event(self._wire.trace, COMMENT)

    def _interval(self) -> float:
        if not self._comments:
            return float("inf")
        if self._connection.ended:
            return self._limits.probe_seconds
        return self._limits.keepalive_comment_seconds

    async def _listen(self) -> None:
        """Read ahead, so that a reset or an end is noticed; a client that sends too much is cut.

        Reading no further instead would mean to wait for ever for one that has left.
        """
        while not self._connection.ended:
            data = await self._wire.receive()
            if not data:
                self._connection.receive_eof()
                self._quiet_since = 0.0  # probe at once
                return
            self._connection.receive(data)
            if self._connection.buffered > self._limits.read_size:
                raise ClientGone
        await anyio.sleep_forever()

    async def _end(self, flow: Flow) -> None:
        async with self._lock:
            if self._flow is Flow.OPEN:
                self._flow = flow
                with suppress(ClientGone):
                    await self._write(self._connection.end_stream())
        self._attendance.cancel()

    async def _write(self, octets: bytes) -> None:
        """Write all of `octets`, or lose the stream: nobody knows how much of them is out."""
        self._quiet_since = anyio.current_time()
        try:
            with anyio.move_on_after(self._limits.write_seconds) as scope:
                await self._wire.send(octets)
        except BaseException:
            self._lose()
            raise
        if scope.cancelled_caught:
            self._lose()
            raise ClientGone

    def _lose(self) -> None:
        self._flow = Flow.LOST
        self._connection.close()
        self._attendance.cancel()

"""A client's socket, as the rest of this floor sees it: octets, the end of them, or nobody there.

The one place that touches a stream, so that every way in which a network can fail has one name:
`ClientGone`. Next: `conversation.py`. RFC 9112 §9.
"""

from __future__ import annotations

import anyio
from anyio.abc import ByteStream

from catshop.kernel import Kind, Secret, Trace
from catshop.limits import HttpLimits
from catshop.protocol.http1.messages import ClientGone

_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)
_UVLOOP_CLOSED = RuntimeError
"""What uvloop raises where asyncio raises OSError: its transport was closed a moment before."""


class Wire:
    """One socket. Waits have no deadline of their own: whoever waits brings it."""

    def __init__(self, stream: ByteStream, limits: HttpLimits, trace: Trace) -> None:
        self._stream = stream
        self._limits = limits
        self.trace = trace

    async def receive(self) -> bytes:
        """What came; nothing at all when the client has ended its side. ClientGone on a reset."""
        try:
            data = await self._stream.receive(self._limits.read_size)
        except anyio.EndOfStream:
            return b""
        except _BROKEN as error:
            raise ClientGone from error
        if self.trace.observed:
            self._note("received", data)
        return data

    async def send(self, octets: bytes) -> None:
        """Hand `octets` to the kernel; waits while the client is slow. ClientGone when it left."""
        if not octets:
            return
        if self.trace.observed:
            self._note("sent", octets)
        try:
            await self._stream.send(octets)
        except _BROKEN as error:
            raise ClientGone from error

    async def hang_up(self) -> None:
        """Close so that the last answer survives: what still comes is read and thrown away.

        A close with unread octets would reset the connection and take the answer with it. RFC 9112
        §9.6.
        """
        try:
            with anyio.move_on_after(self._limits.linger_seconds):
                await self._end()
                while await self.receive():
                    pass
        except ClientGone:
            pass
        await self.cut()

    async def cut(self) -> None:
        """Close at once."""
        await anyio.aclose_forcefully(self._stream)

    async def _end(self) -> None:
        try:
            await self._stream.send_eof()
        except (*_BROKEN, _UVLOOP_CLOSED) as error:
            raise ClientGone from error

    def _note(self, name: str, octets: bytes) -> None:
        """Octets may hold tokens and passwords, so an observer gets them as a secret."""
        shown = Secret(octets.decode("latin-1"))
        self.trace.note(Kind.BYTES, name, octets=len(octets), data=shown)

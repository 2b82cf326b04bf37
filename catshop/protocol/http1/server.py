"""The server: accepts connections within their limits, and shuts down so that nobody is cut off.

`bind` opens the sockets, `Server.serve` serves them until `drain` (what is in flight may finish) or
`stop` (now). Signals are the caller's. It runs on asyncio, uvloop and trio alike.
Next: `conversation.py`, one connection. RFC 9112 §9.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from email.utils import formatdate
from typing import Final, cast

import anyio
from anyio.abc import SocketAttribute, SocketListener, SocketStream, TaskGroup, TaskStatus

from catshop.kernel import Trace
from catshop.limits import HttpLimits
from catshop.protocol.http1.connection import Connection
from catshop.protocol.http1.conversation import Conversation
from catshop.protocol.http1.door import render
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.exchange import Service
from catshop.protocol.http1.messages import ClientGone, Handler
from catshop.protocol.http1.responses import Common
from catshop.protocol.http1.wire import Wire

log: Final = logging.getLogger("catshop.http")

BACKLOG: Final = 1024
ACCEPT_PAUSE: Final = 0.1
"""Seconds without accepting after accept failed, as it does when file descriptors run out."""
REFUSALS: Final = 64
"""Connections beyond the limit that are told so at once; further ones are just closed."""


async def bind(hosts: Sequence[str], port: int) -> list[SocketListener]:
    """Listen on `port` of every host; port 0 takes one free port for all of them.

    OSError when an address is taken or not ours; then nothing is left open.
    """
    listeners: list[SocketListener] = []
    try:
        for host in hosts:
            bound = await anyio.create_tcp_listener(
                local_host=host, local_port=port, backlog=BACKLOG
            )
            listeners.extend(cast(Sequence[SocketListener], bound.listeners))
            port = port_of(listeners[0])
    except BaseException:
        with anyio.CancelScope(shield=True):
            for listener in listeners:
                await listener.aclose()
        raise
    return listeners


def port_of(listener: SocketListener) -> int:
    """The port that `listener` got."""
    return int(listener.extra_attributes[SocketAttribute.local_port]())


def new_request_id() -> str:
    """A fresh id for an exchange: 64 random bits, for people to search logs with."""
    return secrets.token_hex(8)


class DateLine:
    """The value of the Date field, made once a second. RFC 9110 §5.6.7, §6.6.1."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._second = -1
        self._text = ""

    def __call__(self) -> str:
        """The date now."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


class Server:
    """One handler served on any number of listeners."""

    def __init__(
        self,
        handler: Handler,
        *,
        limits: HttpLimits,
        trace: Trace,
        new_id: Callable[[], str] = new_request_id,
    ) -> None:
        self.draining: Final = anyio.Event()
        self._service = Service(handler, limits, trace, new_id, DateLine(), self.draining)
        self._open: dict[Conversation, str] = {}
        self._by_address: Counter[str] = Counter()
        self._refusing = 0
        self._tasks: TaskGroup | None = None

    @property
    def connections(self) -> int:
        """How many connections are being served."""
        return len(self._open)

    async def serve(
        self,
        listeners: Sequence[SocketListener],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until drained or stopped; the listeners are closed when this returns.

        After `drain` nothing more is accepted, idle connections end, every answer says
        `Connection: close`, and what is not done after `drain_seconds` is cut.
        """
        async with anyio.create_task_group() as self._tasks:
            async with AsyncExitStack() as closing, anyio.create_task_group() as accepting:
                for listener in listeners:
                    closing.push_async_callback(listener.aclose)
                    accepting.start_soon(self._accept, listener, self._tasks)
                task_status.started()
                await self.draining.wait()
                accepting.cancel_scope.cancel()
            self._tasks.cancel_scope.deadline = (
                anyio.current_time() + self._service.limits.drain_seconds
            )
            for conversation in tuple(self._open):
                conversation.retire()

    def drain(self) -> None:
        """Finish what is in flight, then end `serve`. Idempotent."""
        self.draining.set()

    def stop(self) -> None:
        """End `serve` now; what is in flight is cut."""
        self.draining.set()
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    async def _accept(self, listener: SocketListener, tasks: TaskGroup) -> None:
        while True:
            try:
                stream = await listener.accept()
            except (OSError, anyio.BrokenResourceError) as error:  # trio's comes wrapped
                log.warning("accept failed, pausing: %s", error.__cause__ or error)
                await anyio.sleep(ACCEPT_PAUSE)
            else:
                tasks.start_soon(self._welcome, stream)

    async def _welcome(self, stream: SocketStream) -> None:
        """Serve a new connection if there is room for it. No failure of one reaches another."""
        address = _address(stream)
        if not self._has_room(address):
            await self._turn_away(stream)
            return
        conversation = Conversation(stream, self._service, address)
        self._open[conversation] = address
        self._by_address[address] += 1
        try:
            await conversation.run()
        except Exception:
            log.exception("a connection of %s failed", address)
        finally:
            del self._open[conversation]
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def _has_room(self, address: str) -> bool:
        limits = self._service.limits
        return (
            len(self._open) < limits.connections
            and self._by_address[address] < limits.connections_per_address
        )

    async def _turn_away(self, stream: SocketStream) -> None:
        """Say 503 and close; under a flood of connections just close. RFC 9110 §15.6.4."""
        wire = Wire(stream, self._service.limits, self._service.trace)
        if self._refusing >= REFUSALS:
            await wire.cut()
            return
        self._refusing += 1
        try:
            request_id = self._service.new_id()
            error = HttpError(503, "E-HTTP-53", fields=(("retry-after", "1"),), close=True)
            log.info("- - 503 - %s code=%s", request_id, error.code)
            common = Common(self._service.date(), request_id)
            await wire.send(
                Connection(self._service.limits).answer(render(error, request_id), common)
            )
            await wire.hang_up()
        except ClientGone:
            pass
        finally:
            self._refusing -= 1
            await wire.cut()


def _address(stream: SocketStream) -> str:
    """The peer's address; empty when it left before anybody could ask."""
    try:
        remote = stream.extra_attributes[SocketAttribute.remote_address]()
    except (KeyError, OSError):
        return ""
    return str(remote[0]) if isinstance(remote, tuple) else ""

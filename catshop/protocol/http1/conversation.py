"""One connection with I/O: the shell around `connection.py`, from accept to close.

Requests are served one after the other in the connection's own task; its one task group exists for
the attendant of a stream, and its one cancel scope carries whatever deadline is due: a head, the
idle time between two requests, a write. Next: `server.py`. RFC 9112 §9.
"""

from __future__ import annotations

import logging
import time
from enum import Enum
from math import inf
from typing import Final

import anyio
from anyio.abc import ByteStream, TaskGroup

from catshop.kernel import begin_exchange
from catshop.protocol.http1.connection import (
    Connection,
    NeedData,
    Refusal,
    RequestHead,
    State,
)
from catshop.protocol.http1.door import (
    Sent,
    admitted,
    note_answer,
    note_refusal,
    note_request,
    render,
)
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.exchange import Exchange, Service
from catshop.protocol.http1.messages import (
    Answer,
    ClientGone,
    Head,
    Request,
    Streamed,
)
from catshop.protocol.http1.responses import Common, SplitAnswer
from catshop.protocol.http1.wire import Wire

log: Final = logging.getLogger("catshop.http")


class Waiting(Enum):
    """What a connection without a request waits for; each has its own deadline."""

    IDLE = "the first octet of another request"
    HEAD = "the rest of a head"
    DRAIN = "the rest of a body that nobody wants"


class Parting(Enum):
    """How a connection ends."""

    HANG_UP = "after an answer, which must survive"
    CUT = "at once"


class Conversation:
    """Everything that happens on one connection."""

    def __init__(self, stream: ByteStream, service: Service, address: str) -> None:
        self._service = service
        self._address = address
        self._wire = Wire(stream, service.limits, service.trace)
        self._connection = Connection(service.limits)
        self._waiting: Waiting | None = None
        self._since = 0.0
        self._parting = Parting.CUT
        self._served = 0
        self._tasks: TaskGroup | None = None

    async def run(self) -> None:
        """Converse until either side has had enough; the socket is closed when this returns."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                self._parting = await self._converse(tasks)
                tasks.cancel_scope.cancel()
            if self._is_late():
                self._parting = await self._refuse(HttpError(408, "E-HTTP-30", close=True))
            if self._parting is Parting.HANG_UP:
                await self._wire.hang_up()
        finally:
            await self._wire.cut()

    def retire(self) -> None:
        """Serve what has been asked and nothing more; without a whole head that is nothing."""
        self._connection.retire()
        if self._tasks is not None and self._waiting is not None:
            self._leave()
            self._tasks.cancel_scope.cancel()

    def _leave(self) -> None:
        """Wait no longer, and owe nobody a word about it."""
        self._waiting, self._parting = None, Parting.HANG_UP

    async def _converse(self, tasks: TaskGroup) -> Parting:
        try:
            while (head := await self._next_head(tasks.cancel_scope)) is not None:
                await self._exchange(head, tasks)
                if self._connection.state is State.CLOSED or self._service.draining.is_set():
                    return Parting.HANG_UP
        except HttpError as error:
            return await self._refuse(error)
        except ClientGone:
            pass
        return self._parting

    async def _next_head(self, scope: anyio.CancelScope) -> Head | None:
        while isinstance(happening := self._connection.next_event(), NeedData):
            if self._service.draining.is_set():
                self._leave()
                return None
            self._set_deadline(scope)
            data = await self._wire.receive()
            if data:
                self._connection.receive(data)
            else:
                self._connection.receive_eof()
        self._waiting, scope.deadline = None, inf
        if isinstance(happening, Refusal):
            raise happening.error
        # A deadline that struck with the last octet wins: no handler begins half dead.
        if isinstance(happening, RequestHead) and not scope.cancel_called:
            return happening.head
        return None

    def _set_deadline(self, scope: anyio.CancelScope) -> None:
        """Give each kind of waiting its time: a trickle of octets wins no more of it.

        Whatever comes between two requests, idle time and head count from the same moment.
        """
        limits = self._service.limits
        if self._connection.state is State.DRAIN:
            waiting, seconds = Waiting.DRAIN, limits.body_grace_seconds
        elif self._served and not self._connection.buffered:
            waiting, seconds = Waiting.IDLE, limits.idle_seconds
        else:
            waiting, seconds = Waiting.HEAD, limits.head_seconds
        if self._waiting is None or (
            self._waiting is Waiting.DRAIN and waiting is not self._waiting
        ):
            self._since = anyio.current_time()
        self._waiting = waiting
        scope.deadline = self._since + seconds

    def _is_late(self) -> bool:
        return self._waiting is Waiting.HEAD and self._connection.buffered > 0

    async def _exchange(self, head: Head, tasks: TaskGroup) -> None:
        """Serve one request; what it leaves behind is for `connection.state` to say."""
        service = self._service
        self._served += 1
        request_id = service.new_id()
        begin_exchange(request_id)
        exchange = Exchange(service, self._connection, self._wire, tasks, request_id)
        exchange.content_type = head.fields.get("content-type") or ""
        request = Request(head, exchange, request_id, self._address, service.limits.body)
        note_request(service.trace, head, self._connection.octets)
        began = time.perf_counter()
        try:
            outcome = await admitted(service.handler, request)
            await self._conclude(exchange, outcome, tasks.cancel_scope)
        except ClientGone:
            # A client that asked for a head alone got all of it.
            if self._connection.method != "HEAD" or self._connection.state is State.STREAM:
                raise
        finally:
            seconds = time.perf_counter() - began
            note_answer(service.trace, request, exchange.status, seconds, exchange.sent)

    async def _conclude(
        self, exchange: Exchange, outcome: Answer | Streamed, scope: anyio.CancelScope
    ) -> None:
        """Send the answer, or end the stream; a stream whose handler failed is left unended."""
        if exchange.stream is not None:
            if isinstance(outcome, Streamed):
                await exchange.stream.finish()
                if exchange.stream.lost:
                    raise ClientGone
                return
            await exchange.stream.abandon()
            raise ClientGone
        if exchange.over or self._connection.state is State.STREAM:
            raise ClientGone
        if isinstance(outcome, Streamed):
            log.error("%s said STREAMED without a stream", exchange.common.request_id)
            outcome = render(HttpError(500, "E-HTTP-50"), exchange.common.request_id)
        octets = self._octets(outcome, exchange)
        scope.deadline = anyio.current_time() + self._service.limits.write_seconds
        await self._wire.send(octets)

    def _octets(self, answer: Answer, exchange: Exchange) -> bytes:
        common = exchange.common
        if self._service.draining.is_set():
            self._connection.retire()
        try:
            octets = self._connection.answer(answer, common)
        except SplitAnswer:
            log.exception("%s failed", common.request_id)
            answer = render(HttpError(500, "E-HTTP-50"), common.request_id)
            octets = self._connection.answer(answer, common)
        exchange.status = answer.status
        if self._service.trace.observed:
            exchange.sent = Sent(answer, octets)
        return octets

    async def _refuse(self, error: HttpError) -> Parting:
        """Answer what is no request; it has an id and a line in the log all the same."""
        request_id = self._service.new_id()
        begin_exchange(request_id)
        answer = render(error, request_id)
        octets = self._connection.answer(answer, Common(self._service.date(), request_id))
        log.info("- - %d - %s code=%s", error.status, request_id, error.code)
        note_refusal(self._service.trace, error, answer, octets)
        with anyio.move_on_after(self._service.limits.linger_seconds):
            try:
                await self._wire.send(octets)
            except ClientGone:
                return Parting.CUT
        return Parting.HANG_UP

"""One request and its answer inside somebody else's ASGI server: the `Channel` behind a `Request`.

What `exchange.py` and `streaming.py` are on our own server. The host tells that the client has left
by a message that comes in place of more body, so only a stream, whose request has been read, waits
for it. ASGI 3.0; next: `door.py`. RFC 9110.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import TaskGroup

from catshop.kernel import Trace
from catshop.limits import HttpLimits
from catshop.protocol.http1 import sse
from catshop.protocol.http1.door import Sent, note_body, note_event, note_stream, render
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import Answer, ClientGone, Head, Leave, Streamed
from catshop.protocol.http1.responses import BODILESS, SplitAnswer, field_text

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Service:
    """What every request of one application shares."""

    limits: HttpLimits
    trace: Trace
    draining: anyio.Event


class AsgiChannel:
    """The carrier of one request; the host's `receive` and `send` behind our interface."""

    def __init__(
        self,
        receive: Receive,
        send: Send,
        tasks: TaskGroup,
        service: Service,
        request_id: str,
    ) -> None:
        self._receive = receive
        self._send = send
        self._tasks = tasks
        self._service = service
        self._id = request_id
        self._announced = 0
        self._content_type = ""
        self._body: bytes | None = None
        self._stream: AsgiStream | None = None
        self._is_head = False
        self.status = 0
        self.sent: Sent | None = None

    def expect(self, head: Head) -> None:
        """Learn from `head` how much body there will be."""
        length = head.fields.get("content-length") or ""
        self._announced = int(length) if length.isascii() and length.isdigit() else 0
        self._content_type = head.fields.get("content-type") or ""
        self._is_head = head.method == "HEAD"

    async def read_body(self, limit: int) -> bytes:
        """The whole body, read once; refused as soon as it is known to be longer than `limit`."""
        if self._body is None:
            with anyio.move_on_after(self._service.limits.body_seconds) as scope:
                self._body = await self._read(limit)
            if self._body is None or scope.cancelled_caught:
                raise HttpError(408, "E-HTTP-32", close=True)
            note_body(self._service.trace, self._content_type, self._body)
        if len(self._body) > limit:
            raise _too_large(len(self._body))
        return self._body

    async def open_stream(
        self, status: int, fields: tuple[tuple[str, str], ...], leave: Leave
    ) -> AsgiStream:
        """Send the head of a stream once the body is read; only then `receive` tells of leaving."""
        await self.read_body(self._service.limits.body)
        said = await self._start(status, fields)
        note_stream(self._service.trace, status, said)
        if self._is_head:
            await self._send({"type": "http.response.body", "body": b""})
            raise ClientGone
        events = any(n == "content-type" and v.startswith(sse.MEDIA_TYPE) for n, v in fields)
        interval = self._service.limits.keepalive_comment_seconds if events else float("inf")
        self._stream = AsgiStream(self._send, interval, self._service.trace)
        self._tasks.start_soon(self._attend, self._stream, leave)
        return self._stream

    async def wait_draining(self) -> None:
        """Return once the host announces its shutdown."""
        await self._service.draining.wait()

    async def conclude(self, outcome: Answer | Streamed, method: str) -> None:
        """Send the answer, or end the stream; one whose handler failed is left without an end."""
        if self._stream is not None:
            if isinstance(outcome, Streamed):
                await self._stream.close()
            return
        if isinstance(outcome, Streamed):
            outcome = render(HttpError(500, "E-HTTP-50"), self._id)
        try:
            await self.answer(outcome, method)
        except SplitAnswer:
            await self.answer(render(HttpError(500, "E-HTTP-50"), self._id), method)

    async def answer(self, answer: Answer, method: str) -> None:
        """Send a whole answer; SplitAnswer before anything of it is sent."""
        length = ("content-length", str(len(answer.body)))
        bodiless = answer.status in BODILESS
        fields = answer.fields if bodiless else (*answer.fields, length)
        said = await self._start(answer.status, fields)
        body = b"" if bodiless or method == "HEAD" else answer.body
        await self._send({"type": "http.response.body", "body": body})
        self.sent = Sent(Answer(answer.status, said, body))

    async def _start(self, status: int, fields: tuple[tuple[str, str], ...]) -> Pairs:
        """Send the head; the fields that it has, with those of every answer."""
        said = (*fields, ("x-content-type-options", "nosniff"), ("x-request-id", self._id))
        field_text(said)  # refuses what could split the answer
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        self.status = status
        return said

    async def _read(self, limit: int) -> bytes:
        if self._announced > limit:
            raise _too_large(self._announced)
        pieces: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
            size += len(pieces[-1])
            if size > limit:
                raise _too_large(size)
        return b"".join(pieces)

    async def _attend(self, stream: AsgiStream, leave: Leave) -> None:
        """Wait for the client to leave; meanwhile keep a quiet event stream alive."""
        while stream.open:
            with anyio.CancelScope(deadline=stream.quiet_until):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
                stream.lose()
                if leave is Leave.CANCELS:
                    self._tasks.cancel_scope.cancel()
                return
            if anyio.current_time() >= stream.quiet_until:
                with suppress(ClientGone):
                    await stream.send(sse.comment())


class AsgiStream:
    """The body of a streaming answer; a `Sink`."""

    def __init__(self, send: Send, interval: float, trace: Trace) -> None:
        self._send = send
        self._trace = trace
        self._interval = interval
        self._lock = anyio.Lock()
        self.open = True
        self.quiet_until = anyio.current_time() + interval

    async def send(self, data: bytes) -> None:
        """Send one piece now. ClientGone when the client has left or the stream is closed."""
        async with self._lock:
            if not self.open:
                raise ClientGone
            self.quiet_until = anyio.current_time() + self._interval
            await self._pass_on(data, more=True)
            note_event(self._trace, data)

    async def close(self) -> None:
        """End the body. Idempotent."""
        async with self._lock:
            if self.open:
                self.open = False
                await self._pass_on(b"", more=False)

    def lose(self) -> None:
        """The client has gone."""
        self.open = False

    async def _pass_on(self, data: bytes, *, more: bool) -> None:
        """Hand a piece to the host, which may raise OSError when nobody is there. ASGI 2.4."""
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except OSError as error:
            self.lose()
            raise ClientGone from error


def _too_large(size: int) -> HttpError:
    return HttpError(413, "E-HTTP-31", arrived=f"{size} octets", close=True)

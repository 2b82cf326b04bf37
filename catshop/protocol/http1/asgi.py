"""The same handlers inside somebody else's ASGI server, mounted at any path.

The host reads the octets and writes them; everything after that is as on our own server: heads are
held to the same rules, bodies to the same limit, failures leave by the same door. Deadlines,
connections and the drain are the host's; a stream is told of a shutdown only when the host says
so in its lifespan. ASGI 3.0; next: `asgi_channel.py`. RFC 9110.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, MutableMapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any
from urllib.parse import quote

import anyio

from catshop.kernel import Trace, begin_exchange
from catshop.limits import HttpLimits
from catshop.protocol.http1.asgi_channel import AsgiChannel, Receive, Send, Service
from catshop.protocol.http1.door import admitted, note_answer, note_refusal, note_request, render
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.heads import make_head
from catshop.protocol.http1.messages import ClientGone, Handler, Head, Request
from catshop.protocol.http1.server import new_request_id

Scope = MutableMapping[str, Any]
AsgiApp = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]
Lifespan = Callable[[], AbstractAsyncContextManager[object]]


def asgi_app(
    handler: Handler,
    *,
    limits: HttpLimits,
    trace: Trace,
    lifespan: Lifespan = nullcontext,
    new_id: Callable[[], str] = new_request_id,
) -> AsgiApp:
    """An ASGI 3 application that answers with `handler`; `lifespan` is entered around it all."""
    return _App(handler, limits, trace, lifespan, new_id)


class _App:
    def __init__(
        self,
        handler: Handler,
        limits: HttpLimits,
        trace: Trace,
        lifespan: Lifespan,
        new_id: Callable[[], str],
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._trace = trace
        self._lifespan = lifespan
        self._new_id = new_id
        self._draining = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            raise ValueError(f"no such ASGI scope here: {scope['type']}")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self._lifespan():
                await send({"type": "lifespan.startup.complete"})
                await receive()
                self._draining.set()
        except Exception as error:
            began = self._draining.is_set()
            phase = "shutdown" if began else "startup"
            await send({"type": f"lifespan.{phase}.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self._new_id()
        begin_exchange(request_id)
        async with anyio.create_task_group() as tasks:
            service = Service(self._limits, self._trace, self._draining)
            channel = AsgiChannel(receive, send, tasks, service, request_id)
            try:
                head = _head(scope)
            except HttpError as error:
                answer = render(error, request_id)
                await channel.answer(answer, scope["method"])
                note_refusal(self._trace, error, answer, b"")
                return
            channel.expect(head)
            request = Request(head, channel, request_id, _address(scope), self._limits.body)
            await self._exchange(request, channel)
            tasks.cancel_scope.cancel()

    async def _exchange(self, request: Request, channel: AsgiChannel) -> None:
        note_request(self._trace, request.head)
        began = time.perf_counter()
        try:
            outcome = await admitted(self._handler, request)
            await channel.conclude(outcome, request.head.method)
        except ClientGone:
            pass
        finally:
            seconds = time.perf_counter() - began
            note_answer(self._trace, request, channel.status, seconds, channel.sent)


def _head(scope: Scope) -> Head:
    """The head that the host read, held to our own rules; the mount point is taken off its path."""
    raw = scope.get("raw_path") or quote(scope["path"], safe="/:@!$&'()*+,;=").encode("ascii")
    path = raw.decode("latin-1").partition("?")[0]
    path = path.removeprefix(quote(scope.get("root_path", ""))) or "/"
    query = scope.get("query_string", b"").decode("latin-1")
    # Some hosts leave the white space around a value, which is no part of it (RFC 9110 §5.5).
    items = [
        (name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t"))
        for name, value in scope["headers"]
    ]
    if [name for name, _ in items].count("host") != 1:
        raise HttpError(400, "E-HOST-02", close=True)
    version = "1.0" if scope.get("http_version") == "1.0" else "1.1"
    return make_head(scope["method"], f"{path}?{query}" if query else path, version, items)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""

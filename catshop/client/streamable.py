"""Streamable HTTP: each message is a POST, and its answer a JSON object or a stream of events.

The shell around `resumption.py` and the port `Authorization`: it reads, it waits, it sends again,
and decides none of it. A stream is read to its end or cut where it waits, never abandoned halfway,
so that neither event loop has to clean up after it. Only this file imports httpx2.
Next: `pipe.py`, the other wire. MCP 2025-11-25 basic/transports §streamable-http.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import anyio
import httpx2
from anyio.abc import TaskGroup

from catshop.client.envelope import Peer, Sent, listening, resuming
from catshop.client.eras import Reply
from catshop.client.errors import ClientError, Lost, NotMcp, Refused, Unreachable
from catshop.client.ports import Authorization, Hear, Incoming, Next, Outgoing
from catshop.client.reading import Reader, error_object, whole_answer
from catshop.client.resumption import after_break, reconnect
from catshop.kernel import Kind, Trace
from catshop.limits import ClientLimits
from catshop.protocol.http1.sse import MEDIA_TYPE
from catshop.protocol.jsonrpc import Response

REFUSALS: Final = frozenset({401, 403})
"""RFC 9110 §15.5.2, §15.5.4."""

NOT_THERE: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.InvalidURL,
    httpx2.UnsupportedProtocol,
)

SILENT: Final = frozenset(range(400, 500)) - {408, 429}
"""Statuses of servers that may be of the other era, or have lost the session."""


class Streamable:
    """The wire to one MCP endpoint."""

    is_http = True

    def __init__(
        self,
        url: str,
        http: httpx2.AsyncClient,
        authorization: Authorization,
        limits: ClientLimits,
        trace: Trace,
    ) -> None:
        self._url = url
        self._http = http
        self._authorization = authorization
        self._limits = limits
        self._trace = trace

    def attach(self, tasks: TaskGroup, hear: Hear) -> None:
        """The standalone stream is read in `tasks`."""
        self._tasks = tasks
        self._hear = hear

    async def ask(self, sent: Sent) -> Reply:
        """POST the request and read until its answer, over as many connections as that takes."""
        async with self._open(Outgoing("POST", self._url, sent.fields, sent.body)) as response:
            status, fields = response.status_code, _fields(response)
            if not _streams(response):
                return Reply(status, fields, await self._whole(sent, response))
            reader = Reader(sent.id, self._limits)
            await self._read(response, reader)
        while reader.answer is None:
            await self._resume(sent, reader)
        return Reply(status, fields, reader.answer)

    async def tell(self, sent: Sent) -> None:
        """POST what has no answer; Refused unless it was accepted."""
        async with self._open(Outgoing("POST", self._url, sent.fields, sent.body)) as response:
            body = await self._body(response)
            if response.status_code >= 400:
                raise Refused(response.status_code, _fields(response), _text(body))

    async def listen(self, peer: Peer) -> None:
        """Open the stream for the server's own messages and read it for as long as it lasts.

        Returns when it stands, or when the server has shown that it has none.
        MCP 2025-11-25 basic/transports §listening-for-messages-from-the-server.
        """
        if peer.stateless:
            return
        stands = anyio.Event()
        self._tasks.start_soon(self._listen, peer, stands)
        with anyio.move_on_after(self._limits.listen_seconds):
            await stands.wait()

    async def leave(self, peer: Peer) -> None:
        """DELETE the session; a server may not allow it, and may be gone.

        MCP 2025-11-25 basic/transports §session-management.
        """
        if peer.session_id is None:
            return
        try:
            async with self._open(Outgoing("DELETE", self._url, listening(peer))) as response:
                await self._body(response)
        except ClientError as error:
            self._trace.note(Kind.HTTP, "left without a goodbye", why=str(error))

    # --- One HTTP exchange, with as many proofs as it takes ---

    @asynccontextmanager
    async def _open(self, request: Outgoing) -> AsyncIterator[httpx2.Response]:
        """The response to `request`, its body unread."""
        for _ in range(self._limits.proofs):
            proof = await self._authorization.proof(request)
            proved = replace(request, fields={**request.fields, **proof})
            self._note_request(proved)
            async with self._send(proved) as response:
                if not await self._asks_again(proved, response):
                    yield response
                    return
        raise Refused(401, {}, f"{self._limits.proofs} proofs in vain")

    async def _asks_again(self, request: Outgoing, response: httpx2.Response) -> bool:
        refused = response.status_code in REFUSALS
        body = await self._body(response) if refused else b""
        headers = [(name.lower(), value) for name, value in response.headers.multi_items()]
        head = Incoming(response.status_code, headers, body)
        again = await self._authorization.after(request, head) is Next.AGAIN
        if refused and not again:
            raise Refused(response.status_code, _fields(response), _text(body))
        return again

    def _note_request(self, request: Outgoing) -> None:
        """Show what leaves; whoever prints it hides the proof."""
        self._trace.note(
            Kind.HTTP,
            "asked",
            method=request.method,
            url=request.url,
            fields=request.fields,
            body=request.body,
        )

    @asynccontextmanager
    async def _send(self, request: Outgoing) -> AsyncIterator[httpx2.Response]:
        headers = [(name.encode(), value.encode()) for name, value in request.fields.items()]
        body = request.body or None
        try:
            sending = self._http.stream(request.method, request.url, headers=headers, content=body)
            async with sending as response:
                status = response.status_code
                self._trace.note(Kind.HTTP, "answered", status=status, fields=_fields(response))
                yield response
        except NOT_THERE as error:
            raise Unreachable("E-SERVER-01", f"{request.url}: {error}"[:300]) from error
        except httpx2.TransportError as error:
            raise Lost("E-SERVER-04", type(error).__name__) from error

    # --- What a response brings ---

    async def _whole(self, sent: Sent, response: httpx2.Response) -> Response | None:
        """The answer in a body that is no stream; None where a 4xx says nothing of JSON-RPC."""
        body = await self._body(response)
        status, fields = response.status_code, _fields(response)
        if status < 300:
            return whole_answer(sent.id, fields.get("content-type", ""), body, self._limits)
        error = error_object(body)
        if error is not None:
            return Response(sent.id if sent.id is not None else "", error=error)
        if status in SILENT:
            return None
        raise Refused(status, fields, _text(body))

    async def _body(self, response: httpx2.Response) -> bytes:
        """All of it. NotMcp when it is longer than an answer may be."""
        body = bytearray()
        with anyio.CancelScope() as scope:
            async for octets in response.aiter_bytes():
                body += octets
                if len(body) > self._limits.message:
                    scope.cancel()
        self._trace.note(Kind.HTTP, "content", type=_media_type(response), body=bytes(body))
        if len(body) > self._limits.message:
            raise NotMcp("E-SERVER-09", f"more than {self._limits.message} octets")
        return bytes(body)

    async def _read(self, response: httpx2.Response, reader: Reader) -> None:
        """Hear a stream out: until it ends or breaks, or has lingered after its answer."""
        with anyio.CancelScope() as scope:
            try:
                async for octets in response.aiter_bytes():
                    self._trace.note(Kind.HTTP, "content", type=MEDIA_TYPE, body=octets)
                    for message in reader.receive(octets):
                        await self._hear(message)
                    if reader.fault is not None:
                        scope.cancel()
                    elif reader.answer is not None:
                        scope.deadline = anyio.current_time() + self._limits.linger_seconds
            except httpx2.TransportError as error:
                self._trace.note(Kind.HTTP, "a stream broke", why=type(error).__name__)
        if reader.fault is not None:
            raise reader.fault

    async def _resume(self, sent: Sent, reader: Reader) -> None:
        """Take the stream of a request up where it broke, by `resumption.py`'s decision."""
        step = after_break(reader.position, self._limits) if sent.resumable else None
        if step is None:
            raise Lost("E-SERVER-04", f"request {sent.id!a}")
        await anyio.sleep(step.seconds)
        fields = resuming(sent.fields, step.last_event_id)
        reader.connect()
        try:
            async with self._open(Outgoing("GET", self._url, fields)) as response:
                if not _streams(response):
                    raise Refused(response.status_code, _fields(response), "to a resumption")
                await self._read(response, reader)
        except (Unreachable, Lost) as error:
            self._trace.note(Kind.HTTP, "not resumed yet", why=str(error))

    async def _listen(self, peer: Peer, stands: anyio.Event) -> None:
        """Read the server's own messages, over as many connections as that takes."""
        reader = Reader(None, self._limits)
        fields = listening(peer)
        try:
            while step := reconnect(reader.position, self._limits):
                if stands.is_set():
                    await anyio.sleep(step.seconds)
                    fields = resuming(fields, step.last_event_id)
                reader.connect()
                if not await self._listen_once(fields, reader, stands):
                    return
        except ClientError as error:
            self._trace.note(Kind.HTTP, "the server's own stream is gone", why=str(error))
        finally:
            stands.set()

    async def _listen_once(
        self, fields: Mapping[str, str], reader: Reader, stands: anyio.Event
    ) -> bool:
        """Whether the server has such a stream: "405 Method Not Allowed" says that it has none."""
        async with self._open(Outgoing("GET", self._url, fields)) as response:
            if not _streams(response):
                return False
            stands.set()
            await self._read(response, reader)
            return True


def _fields(response: httpx2.Response) -> dict[str, str]:
    """Names in lower case; what came twice is joined. RFC 9110 §5.3."""
    return {name.lower(): value for name, value in response.headers.items()}


def _media_type(response: httpx2.Response) -> str:
    whole: str = response.headers.get("content-type", "")
    return whole.partition(";")[0].strip().lower()


def _streams(response: httpx2.Response) -> bool:
    return response.status_code == 200 and _media_type(response) == MEDIA_TYPE


def _text(body: bytes) -> str:
    """What a body says of a refusal, in one line that is safe to show."""
    error = error_object(body)
    said = str(error.get("message")) if error else body[:200].decode("ascii", "replace")
    return "".join(each if each.isprintable() else " " for each in said)

"""The 2026-07-28 era: one request, one answer, nothing remembered.

Every request carries its version and capabilities; nothing of it outlives its answer. A handler
that reports progress turns its answer into an event stream, begun with its first event and not
before; the client that closes that stream cancels the call. Next: `endpoint.py`.
MCP 2026-07-28 basic/transports/streamable-http.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Final

import anyio
from mcp.shared.exceptions import NoBackChannelError

from catshop.kernel import Call, Principal, Unavailable
from catshop.limits import SessionLimits
from catshop.protocol import jsonrpc, mirrors
from catshop.protocol.capabilities import MISSING_CAPABILITY
from catshop.protocol.connections import UNDECLARED, EnvelopeConnection
from catshop.protocol.dispatcher import Dispatcher, Incoming, error_object, told
from catshop.protocol.http1 import sse
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import (
    JSON,
    STREAMED,
    Answer,
    ClientGone,
    Leave,
    Request,
    Sink,
    Streamed,
)
from catshop.protocol.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LIMIT_EXCEEDED,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Params,
)
from catshop.protocol.ladder import UNSUPPORTED_VERSION, Envelope, Stateless
from catshop.protocol.mirrors import HEADER_MISMATCH
from catshop.protocol.ports import Gate
from catshop.protocol.vigil import Vigil

STATUS: Final[Mapping[object, int]] = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    METHOD_NOT_FOUND: 404,
    INTERNAL_ERROR: 500,
    LIMIT_EXCEEDED: 429,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
}
"""The status that goes with an error code; any other code is the handler's own and comes with 200.

MCP 2026-07-28 basic/transports/streamable-http §protocol-version-header, §server-validation.
"""

ACCEPTED: Final = Answer(202)
"""A notification is accepted, with no body. §sending-messages."""

STREAM_FIELDS: Final = (
    ("content-type", "text/event-stream"),
    ("cache-control", "no-store"),
    ("x-accel-buffering", "no"),
)
"""What every event stream says of itself. §receiving-messages."""


class ResponseStream:
    """The outlet of one request: an event stream that opens with its first event."""

    can_ask: Final = False

    def __init__(self, request: Request) -> None:
        self._request = request
        self._sink: Sink | None = None
        self._lock = anyio.Lock(fast_acquire=True)

    @property
    def begun(self) -> bool:
        """Whether the answer is a stream by now."""
        return self._sink is not None

    async def emit(self, message: bytes) -> None:
        """Send a message as the next event; the first one opens the stream."""
        async with self._lock:
            if self._sink is None:
                self._sink = await self._request.stream(200, STREAM_FIELDS, leave=Leave.CANCELS)
            await self._sink.send(sse.event(message.decode("utf-8")))

    async def ask(self, method: str, params: Params | None, seconds: float | None) -> Params:
        """Refuse: this era has no requests from server to client. §receiving-messages."""
        raise NoBackChannelError(method)


class StatelessEra:
    """Serves the messages of this era on any hosted server."""

    def __init__(self, dispatcher: Dispatcher, gate: Gate, limits: SessionLimits) -> None:
        self._dispatcher = dispatcher
        self._gate = gate
        self._limits = limits

    async def post(
        self, request: Request, principal: Principal, verdict: Stateless
    ) -> Answer | Streamed:
        """Answer one message that has climbed the ladder."""
        message, envelope = verdict.message, verdict.envelope
        if isinstance(message, jsonrpc.Notification) or envelope is None:
            return await self._accept(message)
        outlet = ResponseStream(request)
        status = 200
        try:
            self._admit(request, principal, message, envelope)
            result = await self._call(request, principal, message, envelope, outlet)
            response = jsonrpc.result_response(message.id, result)
        except ClientGone:
            return STREAMED
        except Exception as error:
            if isinstance(error, HttpError | Unavailable) and not outlet.begun:
                raise
            request.refuse(error, *told(error))
            body = error_object(error, request.id)
            status = STATUS.get(body["code"], 200)
            response = jsonrpc.raw_error_response(message.id, body)
        if not outlet.begun:
            return Answer(status, (JSON,), response)
        with suppress(ClientGone):
            await outlet.emit(response)
        return STREAMED

    async def _accept(self, message: jsonrpc.Request | jsonrpc.Notification) -> Answer:
        """Take a notification; this era defines none from the client. §sending-messages."""
        if isinstance(message, jsonrpc.Notification):
            connection = EnvelopeConnection(UNDECLARED)
            await self._dispatcher.notify(message, UNDECLARED.version, connection)
        return ACCEPTED

    def _admit(
        self, request: Request, principal: Principal, message: jsonrpc.Request, envelope: Envelope
    ) -> None:
        """Method, scope, and the arguments that header fields mirror, in this order."""
        self._dispatcher.require(message.method, envelope.version)
        self._gate.authorize(principal, message.method, message.params or {})
        if message.method == "tools/call":
            annotations = self._dispatcher.mirrored_arguments(message)
            arguments = (message.params or {}).get("arguments")
            present = arguments if isinstance(arguments, Mapping) else {}
            mirrors.check_params(annotations, present, request.fields)

    async def _call(
        self,
        request: Request,
        principal: Principal,
        message: jsonrpc.Request,
        envelope: Envelope,
        outlet: ResponseStream,
    ) -> bytes:
        connection = EnvelopeConnection(envelope)
        call = Call(principal, request.id, partial(self._over, request, principal))
        incoming = Incoming(message, envelope.version, connection, outlet, call)
        return await self._dispatcher.call(incoming)

    async def _over(self, request: Request, principal: Principal) -> None:
        """Return once the server stops or the token of the caller has ended."""
        vigil = Vigil(self._gate, principal, self._limits.recheck_seconds)
        while await vigil.holds():
            with anyio.move_on_after(vigil.left) as waited:
                await request.wait_draining()
            if not waited.cancelled_caught:
                return

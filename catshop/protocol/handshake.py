"""The 2025-11-25 era and before: initialize, a session, and streams that can be resumed.

`initialize` opens a session; every later request names it. A call answers with JSON unless its
handler shows that it streams; then its events are numbered and logged, the call outlives the
connection, and a GET with `Last-Event-ID` reads on where the last one broke off. Another GET, with
no such field, reads what belongs to no request. Next: `endpoint.py`. MCP 2025-11-25
basic/transports, basic/lifecycle.
"""

from __future__ import annotations

from typing import Any, Final

import anyio
from mcp.server.lowlevel import NotificationOptions, Server
from mcp_types import InitializeRequestParams, InitializeResult
from pydantic import ValidationError
from pydantic_core import to_json

from catshop.kernel import Call, Principal, Unavailable
from catshop.limits import SessionLimits
from catshop.protocol import jsonrpc
from catshop.protocol.dispatcher import Dispatcher, Incoming, error_object, told
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
from catshop.protocol.jsonrpc import INVALID_PARAMS, Params, RpcError
from catshop.protocol.ladder import Handshake
from catshop.protocol.ports import Gate
from catshop.protocol.sessions import Happening, Session, Sessions, refuse_second_initialize
from catshop.protocol.stateless import ACCEPTED, STREAM_FIELDS
from catshop.protocol.streams import Cursor, EventStream, Reader
from catshop.protocol.versions import Priming, Revision, negotiate
from catshop.protocol.vigil import Vigil

SESSION_ID: Final = "mcp-session-id"

NO_RESPONSE: Final = Answer(200, STREAM_FIELDS)
"""A cancelled request gets no response: a stream that ends without one.

MCP 2025-11-25 basic/utilities/cancellation, basic/transports §sending-messages-to-the-server.
"""


def initialize(
    server: Server[Any], request: jsonrpc.Request
) -> tuple[InitializeRequestParams, Revision, bytes]:
    """What the client said, the revision it settles on, and the encoded result.

    MCP 2025-11-25 basic/lifecycle §initialization.
    """
    try:
        params = InitializeRequestParams.model_validate(request.params or {}, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise RpcError(INVALID_PARAMS, "E-RPC-19", arrived=f"{where}: {first['msg']}") from None
    revision = negotiate(params.protocol_version)
    tells = server.get_request_handler("subscriptions/listen") is not None
    options = server.create_initialization_options(NotificationOptions(tells, tells, tells))
    result = InitializeResult(
        protocol_version=revision.name,
        capabilities=options.capabilities,
        server_info=server.server_info,
        instructions=options.instructions,
    )
    members = result.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"result_type"}
    )
    return params, revision, to_json(members)


class SessionStream:
    """The outlet of one call: a logged event stream that opens with its first event."""

    def __init__(
        self, request: Request, session: Session, limits: SessionLimits, vigil: Vigil
    ) -> None:
        self._request = request
        self._session = session
        self._limits = limits
        self._vigil = vigil
        self._lock = anyio.Lock(fast_acquire=True)
        self._stream: EventStream | None = None
        self._reader: Reader | None = None
        self._sink: Sink | None = None

    can_ask: Final = True

    @property
    def begun(self) -> bool:
        """Whether the answer is a stream by now."""
        return self._stream is not None

    async def emit(self, message: bytes) -> None:
        """Log a message as the next event, and send it if the client is still there."""
        async with self._lock:
            stream = self._stream or await self._begin()
            await self._send(stream.append(message.decode("utf-8")))

    async def ask(self, method: str, params: Params | None, seconds: float | None) -> Params:
        """Send a request of ours on this stream and wait for the client's answer."""
        patience = self._limits.answer_seconds if seconds is None else seconds
        return await self._session.questions.ask(self, method, params, patience)

    async def close_connection(self) -> None:
        """End the connection but not the stream; the client comes back for the rest.

        MCP 2025-11-25 basic/transports §sending-messages-to-the-server, rule 6.
        """
        async with self._lock:
            if self._stream is None:
                await self._begin()
            await self._leave()

    def end(self) -> None:
        """The call is over, answered or cancelled: no event follows, and nobody reads here."""
        if self._stream is not None and self._reader is not None:
            self._stream.end()
            self._stream.detach(self._reader)

    async def _begin(self) -> EventStream:
        """Open the stream: with an empty event to reconnect by, where the revision has it.

        A client that has left meanwhile finds everything in the log when it comes back.
        """
        stream = self._stream = self._session.log.open()
        self._reader = stream.attach()
        primes = self._session.revision.priming is Priming.EMPTY_EVENT
        primer = stream.append("", retry=self._limits.retry_milliseconds) if primes else None
        try:
            self._sink = await self._request.stream(200, STREAM_FIELDS, leave=Leave.CONTINUES)
        except ClientGone:
            stream.detach(self._reader)
        if primer is not None:
            await self._send(primer)
        return stream

    async def _send(self, frame: bytes) -> None:
        """Send to the client that began the stream; once it has left, only the log goes on."""
        if self._sink is None or self._stream is None or self._reader is None:
            return
        if not self._stream.read_by(self._reader):
            return
        if not await self._vigil.holds():
            await self._leave()
            return
        try:
            await self._sink.send(frame)
        except ClientGone:
            self._stream.detach(self._reader)

    async def _leave(self) -> None:
        """Stop sending on this connection, while the call runs on."""
        if self._stream is not None and self._reader is not None:
            self._stream.detach(self._reader)
        if self._sink is not None:
            await self._sink.close()


class HandshakeEra:
    """Serves the messages of this era on any hosted server."""

    def __init__(
        self, dispatcher: Dispatcher, gate: Gate, sessions: Sessions, limits: SessionLimits
    ) -> None:
        self._dispatcher = dispatcher
        self._gate = gate
        self._sessions = sessions
        self._limits = limits

    async def post(
        self, request: Request, principal: Principal, verdict: Handshake
    ) -> Answer | Streamed:
        """Answer one message that has climbed the ladder."""
        message = verdict.message
        ids = request.fields.all(SESSION_ID)
        if isinstance(message, jsonrpc.Request) and message.method == "initialize":
            refuse_second_initialize(ids, message.id)
            return self._open(principal, message)
        session = self._sessions.find(ids, principal)
        match message:
            case jsonrpc.Request():
                return await self._call(request, principal, session, message)
            case jsonrpc.Notification():
                await self._notice(session, message)
            case jsonrpc.Response():
                session.questions.answer(message)
        return ACCEPTED

    async def get(self, request: Request, principal: Principal) -> Answer | Streamed:
        """Read a stream: the rest of a broken one, or what belongs to no request.

        MCP 2025-11-25 basic/transports §listening-for-messages-from-the-server. HEAD only looks
        (RFC 9110 §9.2.1).
        """
        session = self._sessions.find(request.fields.all(SESSION_ID), principal)
        stream, after = _place(session, request.fields.one("last-event-id"))
        if request.head.method == "HEAD":
            return Answer(200, STREAM_FIELDS)
        vigil = Vigil(self._gate, principal, self._limits.recheck_seconds)
        reader = stream.attach()
        try:
            sink = await request.stream(200, STREAM_FIELDS, leave=Leave.CANCELS)
            await _follow(stream, reader, sink, after, vigil)
            if not await vigil.holds():
                self._sessions.end(session, Happening.REVOKED)
        except ClientGone:
            pass
        finally:
            stream.detach(reader)
        return STREAMED

    def delete(self, request: Request, principal: Principal) -> Answer:
        """End the session at the client's request. §session-management, rule 5."""
        session = self._sessions.find(request.fields.all(SESSION_ID), principal)
        self._sessions.end(session, Happening.DELETED)
        return Answer(200)

    def _open(self, principal: Principal, message: jsonrpc.Request) -> Answer:
        size = len(jsonrpc.encode(message.params))
        if size > self._limits.initialize:
            raise RpcError(INVALID_PARAMS, "E-SES-07", arrived=f"{size} octets", id=message.id)
        params, revision, result = initialize(self._dispatcher.server, message)
        session = self._sessions.open(principal, revision, params)
        body = jsonrpc.result_response(message.id, result)
        return Answer(200, (JSON, (SESSION_ID, session.id)), body)

    async def _call(
        self, request: Request, principal: Principal, session: Session, message: jsonrpc.Request
    ) -> Answer | Streamed:
        """Serve one call, in a scope that `notifications/cancelled` and DELETE can reach."""
        version = session.revision.name
        if self._dispatcher.serves(message.method, version):
            self._gate.authorize(principal, message.method, message.params or {})
        vigil = Vigil(self._gate, principal, self._limits.recheck_seconds)
        outlet = SessionStream(request, session, self._limits, vigil)
        scope = session.in_flight.begin(message.id)
        response: bytes | None = None
        try:
            with scope:
                response = await self._respond(request, principal, session, message, outlet)
                if outlet.begun:
                    await outlet.emit(response)
        finally:
            session.in_flight.end(message.id)
            outlet.end()
        if outlet.begun:
            return STREAMED
        return Answer(200, (JSON,), response) if response else NO_RESPONSE

    async def _respond(
        self,
        request: Request,
        principal: Principal,
        session: Session,
        message: jsonrpc.Request,
        outlet: SessionStream,
    ) -> bytes:
        """The response, be it a result or an error."""
        incoming = Incoming(
            message,
            session.revision.name,
            session.connection,
            outlet,
            Call(principal, request.id),
            outlet.close_connection,
        )
        try:
            return jsonrpc.result_response(message.id, await self._dispatcher.call(incoming))
        except Exception as error:
            if isinstance(error, Unavailable) and not outlet.begun:
                raise
            request.refuse(error, *told(error))
            return jsonrpc.raw_error_response(message.id, error_object(error, request.id))

    async def _notice(self, session: Session, message: jsonrpc.Notification) -> None:
        """Take a notification of the client's."""
        match message.method:
            case "notifications/initialized":
                session.advance(Happening.INITIALIZED)
            case "notifications/cancelled":
                session.in_flight.cancel((message.params or {}).get("requestId"))
        await self._dispatcher.notify(message, session.revision.name, session.connection)


def _place(session: Session, last_event_id: str | None) -> tuple[EventStream, int]:
    """The stream that a GET reads, and after which event. HttpError says why there is none."""
    if last_event_id is not None:
        cursor = Cursor.parse(last_event_id)
        stream = session.log.find(cursor)
        stream.since(cursor.event)
        return stream, cursor.event
    stream = session.log.standalone
    if stream.read:
        raise HttpError(409, "E-STREAM-03")
    return stream, max(stream.delivered, stream.oldest - 1)


async def _follow(
    stream: EventStream, reader: Reader, sink: Sink, after: int, vigil: Vigil
) -> None:
    """Send every event after `after`, as long as the stream, the reader and the token last."""
    while await vigil.holds():
        for number, frame in stream.since(after):
            if not stream.read_by(reader):
                return
            stream.begun = max(number, stream.begun)
            await sink.send(frame)
            after, stream.delivered = number, max(number, stream.delivered)
        if stream.newest > after:
            continue  # it came while another was being sent, and woke nobody
        if stream.ended or not stream.read_by(reader):
            return
        with anyio.move_on_after(vigil.left):
            await stream.change()

"""The same dispatcher on a pipe: one message a line, both eras, nothing else on the way out.

There are no header fields, no streams and no sessions here: the process is the conversation, and
who calls comes from the environment, not from a token. A request that carries the stateless
envelope is served by it; any other one needs the handshake first. Knows no HTTP.
Next: `catshop/app.py`. MCP 2026-07-28 basic/transports/stdio, MCP 2025-11-25 basic/transports.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import anyio
import anyio.abc
import anyio.lowlevel
from mcp.server.connection import Connection
from mcp.shared.exceptions import NoBackChannelError

from catshop.kernel import Call, Principal, begin_exchange
from catshop.limits import Limits
from catshop.protocol import jsonrpc, ladder
from catshop.protocol.channels import Backlog, ConnectionOutlet, InFlight, Questions, alongside
from catshop.protocol.connections import UNDECLARED, EnvelopeConnection
from catshop.protocol.dispatcher import Dispatcher, Incoming, error_object
from catshop.protocol.handshake import initialize
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.jsonrpc import INVALID_REQUEST, Params, RpcError
from catshop.protocol.ports import Gate
from catshop.protocol.subscriptions import LISTEN, SUBSCRIPTION_ID
from catshop.protocol.versions import LATEST_HANDSHAKE, Era, Revision

Write = Callable[[bytes], Awaitable[None]]

QUEUED: Final = 16
"""So many times the requests that run may wait for their turn; then the pipe is not read on."""

PIPE_BUFFER: Final = 4096
"""What a pipe that is ready for writing takes without blocking (PIPE_BUF)."""


class Out:
    """The way out of the process: one task writes whole lines.

    So a request that is cancelled while its line is on the way leaves no half of it behind.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._lines, self._waiting = anyio.create_memory_object_stream[bytes]()
        self._unasked: Backlog[bytes] = Backlog()

    async def emit(self, message: bytes) -> None:
        """Hand over one message, once the ones before it have been."""
        await self._lines.send(message + b"\n")

    def post(self, message: bytes) -> None:
        """Leave a message that nobody waits for; one that waits already is not left twice."""
        self._unasked.put(message)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write until the block ends, and then what is left."""
        async with self._waiting, anyio.create_task_group() as tasks:
            tasks.start_soon(self._write_lines)
            async with self._lines, alongside(self._write_unasked):
                yield

    async def _write_lines(self) -> None:
        async for line in self._waiting:
            await self._write(line)

    async def _write_unasked(self) -> None:
        while (message := await self._unasked.take()) is not None:
            await self.emit(message)


@dataclass(eq=False)
class Pipe(ConnectionOutlet):
    """The one way out, as the requests of one era see it."""

    out: Out
    limits: Limits
    era: Era
    questions: Questions

    def __post_init__(self) -> None:
        """Only the handshake era has requests from server to client."""
        self.can_ask = self.era is Era.HANDSHAKE

    async def emit(self, message: bytes) -> None:
        """Write one message and its newline."""
        await self.out.emit(message)

    def post(self, message: bytes) -> None:
        """Leave a message that belongs to no request."""
        self.out.post(message)

    async def ask(self, method: str, params: Params | None, seconds: float | None) -> Params:
        """Ask the client and wait for its answer."""
        if not self.can_ask:
            raise NoBackChannelError(method)
        patience = self.limits.session.answer_seconds if seconds is None else seconds
        return await self.questions.ask(self, method, params, patience)


class PipeServer:
    """Serves one pipe for one principal."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        gate: Gate,
        principal: Principal,
        write: Write,
        limits: Limits,
    ) -> None:
        self._dispatcher = dispatcher
        self._gate = gate
        self._principal = principal
        self._limits = limits
        self._questions = Questions()
        self._out = Out(write)
        self._stateless = Pipe(self._out, limits, Era.STATELESS, self._questions)
        self._handshake = Pipe(self._out, limits, Era.HANDSHAKE, self._questions)
        self._reading = anyio.CancelScope()
        self._ended = anyio.Event()
        self._in_flight = InFlight(limits.rpc.in_flight * QUEUED)
        self._places = anyio.Semaphore(limits.rpc.in_flight)
        self._queue = anyio.Semaphore(limits.rpc.in_flight * QUEUED)
        self._session: tuple[Revision, Connection] | None = None
        self._served = 0

    async def serve(self, lines: AsyncIterator[bytes]) -> None:
        """Answer until the input ends; requests under way then have the drain time to finish.

        A client that has closed its end of the output reads no answer: that is the end as well.
        """
        try:
            await self._serve(lines)
        except* BrokenPipeError:
            pass

    def drain(self) -> None:
        """Read no further, as if the input had ended."""
        self._reading.cancel()

    async def _serve(self, lines: AsyncIterator[bytes]) -> None:
        async with self._out.writing(), anyio.create_task_group() as tasks:
            with self._reading:
                async for line in lines:
                    if line.strip():
                        await self._take(line, tasks)
            self._ended.set()
            tasks.cancel_scope.deadline = anyio.current_time() + self._limits.http.drain_seconds

    async def _take(self, line: bytes, tasks: anyio.abc.TaskGroup) -> None:
        """Sort one line: requests run beside each other, everything else at once."""
        self._served += 1
        try:
            message = jsonrpc.parse(line, self._limits.rpc)
            match message:
                case jsonrpc.Request(method="initialize") if not _enveloped(message):
                    await self._handshake.emit(self._open(message))
                case jsonrpc.Request():
                    incoming = self._incoming(message)
                    scope = await self._queued(message.id)
                    tasks.start_soon(self._run, incoming, scope, f"stdio-{self._served}")
                case jsonrpc.Notification():
                    await self._notice(message)
                case jsonrpc.Response():
                    self._questions.answer(message)
        except RpcError as error:
            await self._stateless.emit(jsonrpc.error_response(error))

    async def _queued(self, id_: jsonrpc.Id) -> anyio.CancelScope:
        """A scope for one more request, as soon as there is room for one to wait."""
        await self._queue.acquire()
        try:
            return self._in_flight.begin(id_)
        except RpcError:
            self._queue.release()
            raise

    def _open(self, message: jsonrpc.Request) -> bytes:
        """Begin the handshake era on this pipe. MCP 2025-11-25 basic/lifecycle §initialization."""
        if self._session is not None:
            raise RpcError(INVALID_REQUEST, "E-SES-02", id=message.id)
        params, revision, result = initialize(self._dispatcher.server, message)
        connection = Connection.for_loop(self._handshake, protocol_version_hint=revision.name)
        connection.client_params = params
        self._session = (revision, connection)
        return jsonrpc.result_response(message.id, result)

    def _incoming(self, message: jsonrpc.Request) -> Incoming:
        """The request in the circumstances of its era."""
        call = Call(self._principal, f"stdio-{self._served}", self._ended.wait)
        try:
            if _enveloped(message) or self._session is None:
                return self._enveloped_incoming(message, call)
        except RpcError as error:
            error.id = message.id
            raise
        revision, connection = self._session
        return Incoming(message, revision.name, connection, self._handshake, call)

    def _enveloped_incoming(self, message: jsonrpc.Request, call: Call) -> Incoming:
        if not _enveloped(message) and message.method == "ping":
            early = Connection.for_loop(self._handshake, protocol_version_hint=LATEST_HANDSHAKE)
            return Incoming(message, LATEST_HANDSHAKE, early, self._handshake, call)
        if not _enveloped(message):
            raise RpcError(INVALID_REQUEST, "E-SES-04", arrived=message.method[:80])
        envelope = ladder.read_envelope(message)
        ladder.check_version(envelope)
        connection = EnvelopeConnection(envelope)
        return Incoming(message, envelope.version, connection, self._stateless, call)

    async def _run(self, incoming: Incoming, scope: anyio.CancelScope, exchange: str) -> None:
        """Serve one request; a cancelled one gets no response."""
        begin_exchange(exchange)
        request = incoming.request
        response: bytes | None = None
        try:
            with scope:
                async with self._places:
                    response = await self._respond(incoming, exchange)
        finally:
            self._in_flight.end(request.id)
            self._queue.release()
        if response is not None:
            await self._stateless.emit(response)
            if request.method == LISTEN and self._ended.is_set():
                await self._stateless.emit(_torn_down(request.id))

    async def _respond(self, incoming: Incoming, exchange: str) -> bytes:
        request = incoming.request
        try:
            self._dispatcher.require(request.method, incoming.version)
            self._gate.authorize(self._principal, request.method, request.params or {})
            return jsonrpc.result_response(request.id, await self._dispatcher.call(incoming))
        except HttpError as error:
            refused = RpcError(INVALID_REQUEST, error.code, arrived=error.arrived, id=request.id)
            return jsonrpc.error_response(refused)
        except Exception as error:
            return jsonrpc.raw_error_response(request.id, error_object(error, exchange))

    async def _notice(self, message: jsonrpc.Notification) -> None:
        """Take a notification; on a pipe both eras cancel by one. §cancellation."""
        if message.method == "notifications/cancelled":
            self._in_flight.cancel((message.params or {}).get("requestId"))
        if self._session is None:
            nobody = EnvelopeConnection(UNDECLARED)
            await self._dispatcher.notify(message, UNDECLARED.version, nobody)
            return
        revision, connection = self._session
        if message.method == "notifications/initialized":
            connection.initialized.set()
        await self._dispatcher.notify(message, revision.name, connection)


def _torn_down(id_: jsonrpc.Id) -> bytes:
    """What a client on a pipe is told of a subscription that the server ended.

    It follows the response that ends it gracefully, and says the same to a client that waits for no
    response. MCP 2026-07-28 basic/patterns/cancellation.
    """
    meta = {SUBSCRIPTION_ID: id_}
    return jsonrpc.notification("notifications/cancelled", {"requestId": id_, "_meta": meta})


def _enveloped(message: jsonrpc.Request) -> bool:
    """Whether a request carries the stateless envelope."""
    meta = (message.params or {}).get("_meta")
    return isinstance(meta, Mapping) and ladder.PROTOCOL_VERSION in meta


# --- File descriptors ---


async def read_lines(descriptor: int, longest: int) -> AsyncIterator[bytes]:
    """The lines that arrive on a file descriptor, each with its newline.

    Waits without a thread, so that it can be cancelled. Of a line longer than `longest` octets only
    a beginning is handed on, to be refused; the rest of it is thrown away.
    """
    waiting, overlong = b"", False
    while data := await _read(descriptor):
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            if not overlong:
                yield line + b"\n"
            overlong = False
        if len(waiting) > longest or overlong:
            if not overlong:
                yield waiting
            waiting, overlong = b"", True
    if waiting:
        yield waiting


async def _read(descriptor: int) -> bytes:
    try:
        await anyio.wait_readable(descriptor)
    except (PermissionError, OSError):
        # A regular file cannot be waited for, and need not be: it is always ready.
        await anyio.lowlevel.checkpoint()
    return os.read(descriptor, 65536)


async def write_all(descriptor: int, data: bytes) -> None:
    """Write to a file descriptor without blocking the loop while its reader is slow."""
    rest = memoryview(data)
    while rest:
        try:
            await anyio.wait_writable(descriptor)
        except (PermissionError, OSError):
            # As above: a regular file is always ready.
            await anyio.lowlevel.checkpoint()
        rest = rest[os.write(descriptor, rest[:PIPE_BUFFER]) :]

"""One server and us: which era it is of, one request and its answer, what comes in between.

The shell around `eras.py`: it sends what that decides and hands back what the server said. A
request that nobody waits for any more is cancelled in the way that its era and wire have. Progress
finds its request by token, a change its subscription by id, and a question of the server's is
answered beside everything else. Next: `client.py`. MCP 2026-07-28 basic/patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

import anyio
from anyio.abc import TaskGroup

from catshop.client import envelope, eras
from catshop.client.envelope import SUBSCRIPTION, Call, Hello, Peer, Sent
from catshop.client.eras import Discover, Initialize, Reply, Speak
from catshop.client.errors import ClientError, Lost, Refused, ServerError
from catshop.client.inputs import Handlers, NotDeclared
from catshop.client.ports import Wire
from catshop.kernel import Kind, Trace, Verdict
from catshop.limits import ClientLimits
from catshop.protocol import jsonrpc
from catshop.protocol.jsonrpc import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    Id,
    Message,
    Notification,
    Params,
    Request,
)
from catshop.protocol.versions import Revision

Progress = Callable[[Params], None]
"""Is told of each `notifications/progress` of one request."""

Told = Callable[[Notification], None]
"""Is told of each notification, or of those of one subscription."""

DISCOVER: Final = "server/discover"
CANCELLED: Final = "notifications/cancelled"


@dataclass(frozen=True, slots=True)
class Ways:
    """How we want to talk: who we are, in which revision, who answers, who watches."""

    hello: Hello
    handlers: Handlers
    limits: ClientLimits
    trace: Trace
    speak: Revision | None = None
    """None to find out, which is what a client does that knows nothing of its server."""


class Conversation:
    """Requests to one server, in its era."""

    def __init__(self, wire: Wire, ways: Ways) -> None:
        self._wire = wire
        self._ways = ways
        self._trace = ways.trace
        self._ids = count(1)
        self._peer: Peer | None = None
        self._listens_to: Peer | None = None
        self._beginning = anyio.Lock()
        self._progress: dict[Id, Progress] = {}
        self._subscriptions: dict[Id, Told] = {}
        self._listeners: list[Told] = []
        self._serving: dict[Id, anyio.CancelScope] = {}

    def attach(self, tasks: TaskGroup) -> None:
        """Begin to hear what the server says of itself."""
        self._tasks = tasks
        self._wire.attach(tasks, self._hear)

    async def peer(self) -> Peer:
        """The server, once it is settled how it is spoken to."""
        async with self._beginning:
            if self._peer is None:
                self._peer = await self._begin(eras.first(self._ways.speak))
            return self._peer

    @property
    def has_fields(self) -> bool:
        """Whether messages travel with header fields, so that some of them are repeated there."""
        return self._wire.is_http

    async def leave(self) -> None:
        """Say goodbye, without waiting long."""
        with anyio.move_on_after(self._ways.limits.goodbye_seconds, shield=True):
            if self._peer is not None and not self._peer.stateless:
                await self._wire.leave(self._peer)

    def next_id(self) -> Id:
        """An id that no request of ours had. MCP 2026-07-28 basic §requests."""
        return next(self._ids)

    # --- One request ---

    async def ask(self, call: Call, progress: Progress | None = None) -> Params:
        """The result. ServerError when the server says no, ClientError when it says nothing.

        A request is sent twice at most: the second time in the way that the first has shown.
        """
        peer = await self.peer()
        reply = await self.once(peer, call, self.next_id(), progress)
        step = eras.after_reply(peer, reply)
        if step is not None:
            self._trace.check("client.again", Verdict.NO, arrived=type(step).__name__)
            peer = await self._anew(peer, step)
            reply = await self.once(peer, call, self.next_id(), progress)
        if reply.answer is None:
            raise Refused(reply.status or 0, reply.fields, call.method)
        if reply.result is None:
            raise ServerError(reply.error)
        return reply.result

    async def once(
        self, peer: Peer, call: Call, id_: Id, progress: Progress | None = None
    ) -> Reply:
        """Send one request under that id, and wait as long as a request may take."""
        if progress is not None:
            self._progress[id_] = progress
            meta = {**_object(call.params.get("_meta")), "progressToken": id_}
            call = replace(call, params={**call.params, "_meta": meta})
        try:
            with patience(self._ways.limits.request_seconds):
                return await self.hold(peer, call, id_)
        finally:
            self._progress.pop(id_, None)

    async def hold(self, peer: Peer, call: Call, id_: Id) -> Reply:
        """Send one request and wait for however long it stays open; when we stop waiting, the
        server is told."""
        self._trace.note(Kind.RPC, f"> {call.method}", id=id_, revision=peer.revision.name)
        try:
            return await self._wire.ask(envelope.request(peer, self._ways.hello, call, id_))
        except anyio.get_cancelled_exc_class():
            await self._cancel(peer, id_)
            raise

    async def _cancel(self, peer: Peer, id_: Id) -> None:
        """Tell the server, where closing the stream does not say it.

        MCP 2026-07-28 basic/patterns/cancellation §transport-specific-cancellation.
        """
        if peer.stateless and self._wire.is_http:
            return
        sent = envelope.notification(peer, CANCELLED, {"requestId": id_})
        with anyio.move_on_after(self._ways.limits.goodbye_seconds, shield=True):
            await self._try_to_tell(sent)

    async def notify(self, method: str, params: Params | None = None) -> None:
        """A notification of ours."""
        await self._wire.tell(envelope.notification(await self.peer(), method, params))

    # --- The era ---

    async def _begin(self, step: eras.Step) -> Peer:
        """Take the steps that `eras.py` decides until it is settled."""
        while True:
            match step:
                case Speak(peer):
                    self._trace.check("client.era", Verdict.OK, arrived=peer.revision.name)
                    return peer
                case Discover():
                    step = eras.after_discover(step, await self._discover(step.revision))
                case Initialize(revision):
                    step = Speak(await self._initialize(revision))

    async def _discover(self, revision: Revision) -> Reply:
        """What the server says to `server/discover`; on a pipe it may say nothing at all."""
        call, peer = Call(DISCOVER), Peer(revision)
        if self._wire.is_http:
            return await self.once(peer, call, self.next_id())
        sent = envelope.request(peer, self._ways.hello, call, self.next_id())
        with anyio.move_on_after(self._ways.limits.probe_seconds):
            return await self._wire.ask(sent)
        return eras.NOTHING

    async def _initialize(self, revision: Revision) -> Peer:
        """Open a session, say that it is open, and listen to it.

        MCP 2025-11-25 basic/lifecycle §initialization.
        """
        sent = envelope.initialize(revision, self._ways.hello, self.next_id())
        self._trace.note(Kind.RPC, "> initialize", id=sent.id, revision=revision.name)
        with patience(self._ways.limits.request_seconds):
            peer = eras.after_initialize(await self._wire.ask(sent))
            await self._wire.tell(envelope.notification(peer, "notifications/initialized"))
        if self._ways.hello.capabilities:
            await self.open_ears(peer)
        return peer

    async def open_ears(self, peer: Peer) -> None:
        """See that the server can say something of its own accord, where it could not yet."""
        if self._listens_to is not peer:
            self._listens_to = peer
            await self._wire.listen(peer)

    async def _anew(self, before: Peer, step: eras.Step) -> Peer:
        """Another way to speak than `before`; whoever comes second takes what the first found."""
        async with self._beginning:
            if self._peer is before or self._peer is None:
                self._peer = await self._begin(step)
            return self._peer

    # --- What the server says of itself ---

    def listen(self, told: Told) -> Callable[[], None]:
        """Hand every notification that belongs to nobody else to `told`, until what is returned
        is called."""
        self._listeners.append(told)
        return lambda: self._listeners.remove(told)

    def subscribe(self, id_: Id, told: Told) -> Callable[[], None]:
        """Hand those of one subscription to `told`, until what is returned is called."""
        self._subscriptions[id_] = told

        def stop() -> None:
            del self._subscriptions[id_]

        return stop

    async def _hear(self, message: Message) -> None:
        """One message that is no answer."""
        if isinstance(message, Notification):
            self._on_notification(message)
        elif isinstance(message, Request):
            self._on_request(message)

    def _on_notification(self, message: Notification) -> None:
        """To whom it belongs: a request, a subscription, a question of the server's, or all."""
        params = _object(message.params)
        subscription = _object(params.get("_meta")).get(SUBSCRIPTION)
        if message.method == "notifications/progress":
            self._on_progress(_id(params.get("progressToken")), params)
        elif message.method == CANCELLED:
            self._on_cancelled(_id(params.get("requestId")), message)
        elif subscription is not None:
            self._on_subscribed(_id(subscription), message)
        else:
            for told in tuple(self._listeners):
                told(message)

    def _on_progress(self, token: Id, params: Params) -> None:
        if token in self._progress:
            self._progress[token](params)

    def _on_cancelled(self, id_: Id, message: Notification) -> None:
        """The server takes its question back, or ends a subscription of ours.

        MCP 2025-11-25 basic/utilities/cancellation §cancellation-flow;
        MCP 2026-07-28 basic/patterns/cancellation §behavior-requirements.
        """
        if id_ in self._serving:
            self._serving[id_].cancel()
        self._on_subscribed(id_, message)

    def _on_subscribed(self, id_: Id, message: Notification) -> None:
        if id_ in self._subscriptions:
            self._subscriptions[id_](message)

    def _on_request(self, message: Request) -> None:
        """A question of the server's: the handshake era has them, the stateless one does not.

        MCP 2026-07-28 basic/transports/streamable-http §receiving-messages.
        """
        peer = self._peer or self._listens_to
        if peer is None or peer.stateless:
            self._trace.check("client.no-requests", Verdict.NO, arrived=message.method)
        else:
            scope = self._serving[message.id] = anyio.CancelScope()
            self._tasks.start_soon(self._serve, peer, message, scope)

    async def _serve(self, peer: Peer, request: Request, scope: anyio.CancelScope) -> None:
        """Answer it, unless the server takes it back. MCP 2025-11-25 basic/utilities/cancellation
        §cancellation-flow."""
        with scope:
            response = await self._respond(request)
            await self._try_to_tell(envelope.answer(peer, response))
        self._serving.pop(request.id, None)

    async def _respond(self, request: Request) -> bytes:
        if request.method == "ping":
            return jsonrpc.result_response(request.id, b"{}")
        try:
            result = await self._ways.handlers.answer(request.method, _object(request.params))
            return jsonrpc.result_response(request.id, jsonrpc.encode(result))
        except NotDeclared as error:
            code, message = METHOD_NOT_FOUND, str(error)
        except Exception as error:
            code, message = INTERNAL_ERROR, type(error).__name__
        return jsonrpc.raw_error_response(request.id, {"code": code, "message": message})

    async def _try_to_tell(self, sent: Sent) -> None:
        """Tell what is no use when it does not arrive."""
        try:
            await self._wire.tell(sent)
        except ClientError as error:
            self._trace.note(Kind.RPC, "not told", why=str(error))


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Wait so long for a server, then give its answer up as lost.

    MCP 2026-07-28 basic/patterns/cancellation §timeouts.
    """
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise Lost("E-SERVER-04", f"no answer in {seconds:g} s") from None


def _object(value: object) -> Params:
    return value if isinstance(value, Mapping) else {}


def _id(value: object) -> Id:
    """The id that `value` is; the empty one, which none of ours has, where it is none."""
    return value if isinstance(value, str | int) else ""

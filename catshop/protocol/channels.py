"""The way back to the client while a request is served: what may be sent, asked and cancelled.

A handler talks to a `BackChannel` (the SDK's `DispatchContext`), which reaches the wire through an
`Outlet`; each transport brings its own. `Questions` pairs requests of ours with the client's
answers, `InFlight` the client's requests with their cancellation, and in a `Backlog` waits what a
slow client has not been told yet. Knows no transport. Next: `dispatcher.py`.
MCP 2025-11-25 basic/utilities/cancellation, MCP 2026-07-28 basic/patterns.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, Protocol, TypeVar

import anyio
from mcp.shared.dispatcher import CallOptions, Outbound
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.transport_context import TransportContext

from catshop.protocol import jsonrpc
from catshop.protocol.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, Id, Params, RpcError

Item = TypeVar("Item")


class Outlet(Protocol):
    """Where messages for the client go while one request is served."""

    @property
    def can_ask(self) -> bool:
        """Whether a request of ours can reach the client and its answer come back."""
        ...

    async def emit(self, message: bytes) -> None:
        """Send one encoded message on this request's stream, in order."""
        ...

    async def ask(self, method: str, params: Params | None, seconds: float | None) -> Params:
        """Send a request of ours and wait for its result. MCPError when the client refuses."""
        ...


class ConnectionOutlet(Outbound):
    """An outlet that belongs to a whole connection; the SDK sends through it what no request began.

    Each transport says how a message gets out (`emit`) and how the client is asked (`ask`).
    """

    can_ask: bool

    @abstractmethod
    async def emit(self, message: bytes) -> None:
        """Send one encoded message, in order."""

    @abstractmethod
    async def ask(self, method: str, params: Params | None, seconds: float | None) -> Params:
        """Send a request of ours and wait for its result."""

    @abstractmethod
    def post(self, message: bytes) -> None:
        """Leave a message that belongs to no request, to be sent as soon as it can be."""

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Send a notification that belongs to no request."""
        del opts
        await self.emit(jsonrpc.notification(method, params))

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Ask the client something that belongs to no request."""
        return dict(await self.ask(method, params, (opts or {}).get("timeout")))


class Questions:
    """Requests from server to client that wait for their answers."""

    def __init__(self) -> None:
        self._waiting: dict[Id, tuple[anyio.Event, list[jsonrpc.Response]]] = {}
        self._asked = 0

    async def ask(
        self, outlet: Outlet, method: str, params: Params | None, seconds: float
    ) -> Params:
        """Send a question through `outlet`; the answer's result, or MCPError with its error."""
        self._asked += 1
        id_ = f"catshop-{self._asked}"
        answered, slot = self._waiting[id_] = (anyio.Event(), [])
        try:
            with anyio.move_on_after(seconds):
                await outlet.emit(jsonrpc.request(id_, method, params))
                await answered.wait()
        finally:
            del self._waiting[id_]
        if not slot:
            raise _unanswered(method)
        response = slot[0]
        if response.error is not None:
            raise MCPError(**_error_members(response.error))
        return response.result or {}

    def answer(self, response: jsonrpc.Response) -> bool:
        """Hand an answer to whoever waits for it; False when nobody does."""
        answered, slot = self._waiting.get(response.id, (None, None))
        if answered is None or slot is None or slot:
            return False
        slot.append(response)
        answered.set()
        return True


def _unanswered(method: str) -> MCPError:
    """What a handler meets that has waited in vain. MCP 2025-11-25 basic/lifecycle §timeouts."""
    error = RpcError(INTERNAL_ERROR, "E-RPC-32", arrived=f"no answer to {method}")
    return MCPError(error.code, error.message, error.data)


def _error_members(error: Params) -> dict[str, Any]:
    """Code, message and data of a client's error object, whatever it put there."""
    code, message = error.get("code"), error.get("message")
    return {
        "code": code if isinstance(code, int) else INTERNAL_ERROR,
        "message": message if isinstance(message, str) else "",
        "data": error.get("data"),
    }


class InFlight:
    """The requests of one session or one pipe that are being served."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._scopes: dict[Id, anyio.CancelScope] = {}

    def begin(self, id_: Id) -> anyio.CancelScope:
        """A scope for the request. RpcError -32600 when its id is in use or too many run.

        MCP 2026-07-28 basic §requests: an id must not match one that still waits for its response.
        """
        if id_ in self._scopes:
            raise RpcError(INVALID_REQUEST, "E-RPC-16", arrived=repr(id_)[:80], id=id_)
        if len(self._scopes) >= self._most:
            raise RpcError(INVALID_REQUEST, "E-RPC-17", arrived=f"{self._most} running", id=id_)
        scope = self._scopes[id_] = anyio.CancelScope()
        return scope

    def end(self, id_: Id) -> None:
        """The request is over."""
        del self._scopes[id_]

    def cancel(self, id_: object) -> bool:
        """Stop a request that the client no longer wants; False when there is none."""
        if isinstance(id_, bool) or not isinstance(id_, str | int):
            return False
        scope = self._scopes.get(id_)
        if scope is not None:
            scope.cancel()
        return scope is not None

    def cancel_all(self) -> None:
        """Stop every request."""
        for scope in self._scopes.values():
            scope.cancel()

    def __len__(self) -> int:
        return len(self._scopes)


class Backlog(Generic[Item]):
    """What somebody slow has not been told yet: each thing once, in the order of its first arrival.

    A thing that waits already is not added again, so a backlog is never longer than there are
    different things to say, and nothing in it is ever dropped.
    """

    def __init__(self) -> None:
        self._waiting: dict[Item, None] = {}
        self._ended = False
        self._changed = anyio.Event()

    def put(self, item: Item) -> None:
        """Add one thing, without waiting."""
        self._waiting.setdefault(item)
        self._changed.set()

    def end(self) -> None:
        """Nothing will be added: whoever takes finishes with what waits."""
        self._ended = True
        self._changed.set()

    async def take(self) -> Item | None:
        """The next thing, as soon as there is one; None at the end."""
        while not self._waiting:
            if self._ended:
                return None
            self._changed = anyio.Event()
            await self._changed.wait()
        item = next(iter(self._waiting))
        del self._waiting[item]
        return item

    def __len__(self) -> int:
        return len(self._waiting)


@asynccontextmanager
async def alongside(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run `work` beside the block and stop it with the block, whose exception comes out bare."""
    raised: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        try:
            yield
        except Exception as error:
            raised = error
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised


class BackChannel:
    """The way back to the client while one request is served: the SDK's `DispatchContext`."""

    message_metadata: Final = None

    def __init__(self, request: jsonrpc.Request, outlet: Outlet) -> None:
        self._request = request
        self._outlet = outlet
        self._cancelled: anyio.Event | None = None

    @property
    def transport(self) -> TransportContext:
        """What the transport can do for this request."""
        return TransportContext(kind="catshop", can_send_request=self._outlet.can_ask)

    @property
    def can_send_request(self) -> bool:
        """Whether the handler may ask the client something."""
        return self._outlet.can_ask

    @property
    def request_id(self) -> Id:
        """The id of the request that is served."""
        return self._request.id

    @property
    def cancel_requested(self) -> anyio.Event:
        """Never set: a cancelled request's handler is cancelled, it need not ask."""
        self._cancelled = self._cancelled or anyio.Event()
        return self._cancelled

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Ask the client. NoBackChannelError where the era or the transport has no way back."""
        if not self._outlet.can_ask:
            raise NoBackChannelError(method)
        return dict(await self._outlet.ask(method, params, (opts or {}).get("timeout")))

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Send a notification on this request's stream."""
        del opts
        await self._outlet.emit(jsonrpc.notification(method, params))

    async def progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Report progress, if the client gave a token for it.

        MCP 2026-07-28 basic/patterns/progress §progress-flow.
        """
        token = progress_token(self._request.params)
        if token is None:
            return
        known = {"total": total, "message": message}
        optional = {name: value for name, value in known.items() if value is not None}
        params = {"progressToken": token, "progress": progress, **optional}
        await self.notify("notifications/progress", params)


def progress_token(params: Params | None) -> Id | None:
    """The token that the client wants progress under, a string or an integer."""
    meta = (params or {}).get("_meta")
    token = meta.get("progressToken") if isinstance(meta, Mapping) else None
    return token if isinstance(token, str | int) and not isinstance(token, bool) else None


class Silence:
    """An outlet for those who have nobody to talk to."""

    can_ask = False

    async def emit(self, message: bytes) -> None:
        """Drop the message."""

    async def ask(self, method: str, params: Params | None, seconds: float | None) -> Params:
        """Refuse: nobody would answer."""
        raise NoBackChannelError(method)


SILENCE: Final[Outlet] = Silence()

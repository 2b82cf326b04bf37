"""From a message to the handler that serves it, and back: the heart of plane 1.

A `Dispatcher` hosts any low-level `Server` of the SDK: the class is the registry, this is what
feeds it. Params are validated once, against the negotiated revision; a call is awaited where it
arrived, nothing is spawned for it; its result is encoded once. Knows neither HTTP nor sessions.
Next: `stateless.py`, `handshake.py`, `stdio.py`. JSON-RPC 2.0.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any

from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import methods as surfaces
from mcp_types.methods import is_input_required
from pydantic import BaseModel, ValidationError

from catshop.kernel import Call, Kind, Principal, Trace, Unavailable, Verdict
from catshop.protocol import jsonrpc, mirrors, request_state
from catshop.protocol.channels import SILENCE, BackChannel, Outlet
from catshop.protocol.connections import HostedSession
from catshop.protocol.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    TAKEN,
    RpcError,
)
from catshop.protocol.request_state import RequestStates
from catshop.protocol.results import Encoder

logger = logging.getLogger("catshop.mcp")


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request on its way to a handler: the message, and the circumstances it came in."""

    request: jsonrpc.Request
    version: str
    connection: Connection
    outlet: Outlet
    call: Call | None = None
    close_stream: Any = None
    """The SDK's callback by which a handler ends its stream early, where streams can be resumed."""


class Dispatcher:
    """Hosts a server: looks handlers up, validates once, calls, encodes once."""

    def __init__(
        self, server: Server[Any], trace: Trace, states: RequestStates | None = None
    ) -> None:
        self.server = server
        self.trace = trace
        self._states = states or RequestStates.of_this_process()
        self._encoder = Encoder(server)
        self._stack = AsyncExitStack()
        self._lifespan: Any = None

    async def __aenter__(self) -> Dispatcher:
        self._lifespan = await self._stack.enter_async_context(self.server.lifespan(self.server))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, where)

    async def call(self, incoming: Incoming) -> bytes:
        """The encoded result. RpcError or MCPError when there is none."""
        request, version = incoming.request, incoming.version
        if self.trace.observed:
            self.trace.note(Kind.RPC, request.method, id=request.id, version=version)
        entry = self._entry(request.method, version)
        caller = incoming.call.principal if incoming.call else None
        if request_state.MEMBER in (request.params or {}):
            request = await self._opened(request, version, caller)
            incoming = replace(incoming, request=request)
        params = _validate(request, version, entry.params_type)
        context = self._context(incoming)

        async def serve(ctx: ServerRequestContext[Any, Any]) -> HandlerResult:
            answer: HandlerResult = await entry.handler(ctx, params)
            return answer

        result = await self._through_middleware(serve, context)
        if is_input_required(result):
            request_state.check_input_requests(result, incoming.connection.client_capabilities)
            result = self._states.sealed(result, request, caller)
        return self._encoder.encode(request.method, version, result)

    async def notify(
        self, message: jsonrpc.Notification, version: str, connection: Connection
    ) -> None:
        """Hand a notification to its handler, if it has one; nothing it does reaches the client."""
        entry = self.server.get_notification_handler(message.method)
        if entry is None:
            return
        try:
            params = entry.params_type.model_validate(message.params or {}, by_name=False)
            silent = BackChannel(jsonrpc.Request(0, message.method, message.params), SILENCE)
            context: ServerRequestContext[Any, Any] = ServerRequestContext(
                session=HostedSession(silent, connection),
                lifespan_context=self._lifespan,
                method=message.method,
                params=message.params,
                protocol_version=version,
            )
            await entry.handler(context, params)
        except Exception:
            logger.exception("the handler of %s failed", message.method)

    def serves(self, method: str, version: str) -> bool:
        """Whether a request for `method` has a handler at this revision."""
        in_surface = (method, version) in surfaces.CLIENT_REQUESTS
        known = in_surface or method not in surfaces.SPEC_CLIENT_METHODS
        return known and self.server.get_request_handler(method) is not None

    def require(self, method: str, version: str) -> None:
        """Refuse a method that has no handler at this revision, with -32601."""
        if not self.serves(method, version):
            raise RpcError(METHOD_NOT_FOUND, "E-RPC-18", arrived=method[:80])

    def mirrored_arguments(
        self, request: jsonrpc.Request
    ) -> dict[tuple[str, ...], tuple[str, object]]:
        """Which arguments of the called tool header fields must mirror.

        Asks the server's `get_tool_input_schema`; a server without one declares no such arguments.
        """
        name = (request.params or {}).get("name")
        schema_of = self.server.get_tool_input_schema
        if schema_of is None or not isinstance(name, str):
            return {}
        return mirrors.annotated(schema_of(name))

    async def _opened(
        self, request: jsonrpc.Request, version: str, caller: Principal | None
    ) -> jsonrpc.Request:
        """The request with its state in plain text. RpcError -32602 where it is not good."""
        try:
            opened = await self._states.opened(request, version, caller)
        except RpcError as error:
            error.check = "request_state.opened"
            code, method = error.explanation, request.method
            self.trace.check(error.check, Verdict.NO, by=error, code=code, method=method)
            raise
        self.trace.check("request_state.opened", Verdict.OK)
        return opened

    def _entry(self, method: str, version: str) -> Any:
        self.require(method, version)
        return self.server.get_request_handler(method)

    def _context(self, incoming: Incoming) -> ServerRequestContext[Any, Any]:
        """What the SDK promises a handler (`ServerRequestContext`)."""
        request = incoming.request
        meta: Any = (request.params or {}).get("_meta")
        channel = BackChannel(request, incoming.outlet)
        return ServerRequestContext(
            session=HostedSession(channel, incoming.connection, request_meta=meta),
            lifespan_context=self._lifespan,
            protocol_version=incoming.version,
            method=request.method,
            params=request.params,
            request_id=request.id,
            meta=meta,
            request=incoming.call,
            close_sse_stream=incoming.close_stream,
        )

    def _through_middleware(
        self, serve: CallNext, context: ServerRequestContext[Any, Any]
    ) -> Awaitable[HandlerResult]:
        """Wrap the call in the server's own middleware, the first outermost."""
        chain = serve
        for middleware in reversed(self.server.middleware):
            chain = partial(_apply, middleware, chain)
        return chain(context)


def _apply(
    middleware: ServerMiddleware[Any], after: CallNext, ctx: ServerRequestContext[Any, Any]
) -> Awaitable[HandlerResult]:
    return middleware(ctx, after)


def _validate(request: jsonrpc.Request, version: str, params_type: type[BaseModel]) -> BaseModel:
    """The params as the handler's model. RpcError -32602 naming the first member that is wrong."""
    try:
        if (request.method, version) in surfaces.CLIENT_REQUESTS:
            surfaces.validate_client_request(request.method, version, request.params)
        return params_type.model_validate(request.params or {}, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "params"
        raise RpcError(INVALID_PARAMS, "E-RPC-19", arrived=f"{where}: {first['msg']}") from None


def told(error: Exception) -> tuple[str, str, str]:
    """Why a call has no result: its code, what arrived, and the check that said no."""
    match error:
        case RpcError():
            return error.explanation, error.arrived, error.check
        case MCPError():
            return "", error.message, TAKEN
        case Unavailable():
            return error.code, "", TAKEN
        case _:
            return "E-RPC-30", "", TAKEN


def error_object(error: Exception, exchange: str) -> dict[str, object]:
    """What went wrong, as the `error` member of a response. JSON-RPC 2.0 §5.1.

    A fault of ours says nothing of its inside, only the exchange under which the log has it.
    """
    match error:
        case RpcError():
            return {"code": error.code, "message": error.message, "data": error.data}
        case MCPError():
            members = error.error.model_dump(by_alias=True, mode="json", exclude_none=True)
            return dict(members)
        case Unavailable():
            fault = RpcError(INTERNAL_ERROR, error.code, required={"retryAfter": error.retry_after})
        case _:
            logger.error("exchange %s failed", exchange, exc_info=error)
            fault = RpcError(INTERNAL_ERROR, "E-RPC-30", required={"exchange": exchange})
    return {"code": fault.code, "message": fault.message, "data": fault.data}

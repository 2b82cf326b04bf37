"""The MCP endpoint: one URL, both eras. Reads the ladder's verdict and hands over.

The order is fixed: who calls (401) before what it reads (406), sends (415) and says (400), because
a bare request has to learn first that it needs a token. This is the one door by which the plane's
refusals become octets. Knows no tokens (a `Gate` does) and no cats. Next: `stateless.py` and
`handshake.py`. MCP 2026-07-28 basic/transports/streamable-http, MCP 2025-11-25 basic/transports.
"""

from __future__ import annotations

from catshop.kernel import Principal
from catshop.limits import Limits
from catshop.protocol import jsonrpc, ladder
from catshop.protocol.dispatcher import Dispatcher, told
from catshop.protocol.handshake import HandshakeEra
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.guard import Cors
from catshop.protocol.http1.messages import JSON, Answer, Request, Streamed
from catshop.protocol.http1.routes import Route
from catshop.protocol.jsonrpc import RpcError
from catshop.protocol.ladder import UNSUPPORTED_VERSION, Stateless
from catshop.protocol.ports import Gate
from catshop.protocol.sessions import Sessions
from catshop.protocol.stateless import STATUS, StatelessEra
from catshop.protocol.versions import REVISIONS, STATELESS, Era


class Endpoint:
    """The handlers of `/mcp`, for any hosted server and any gate."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        gate: Gate,
        sessions: Sessions,
        limits: Limits,
        *,
        eras: frozenset[Era] = frozenset(Era),
    ) -> None:
        self._gate = gate
        self._limits = limits
        self._eras = eras
        self._trace = dispatcher.trace
        self._stateless = StatelessEra(dispatcher, gate, limits.session)
        self._handshake = HandshakeEra(dispatcher, gate, sessions, limits.session)

    def routes(self, *paths: str) -> tuple[Route, ...]:
        """The same endpoint under each of `paths`."""
        methods = {"POST": self.post, "GET": self.get, "DELETE": self.delete}
        return tuple(Route(path, methods, Cors.LISTED) for path in paths)

    async def post(self, request: Request) -> Answer | Streamed:
        """One JSON-RPC message."""
        principal = await self._gate.authenticate(request)
        ladder.negotiate_post(request.fields)
        body = await request.body()
        try:
            return await self._dispatch(request, principal, body)
        except RpcError as error:
            request.refuse(error, *told(error))
            return Answer(STATUS.get(error.code, 200), (JSON,), jsonrpc.error_response(error))

    async def get(self, request: Request) -> Answer | Streamed:
        """An event stream of a session. 405 in the era that has none."""
        principal = await self._gate.authenticate(request)
        self._require_sessions(request)
        ladder.negotiate_get(request.fields)
        return await self._handshake.get(request, principal)

    async def delete(self, request: Request) -> Answer | Streamed:
        """The end of a session. 405 in the era that has none."""
        principal = await self._gate.authenticate(request)
        self._require_sessions(request)
        return self._handshake.delete(request, principal)

    async def _dispatch(
        self, request: Request, principal: Principal, body: bytes
    ) -> Answer | Streamed:
        verdict = ladder.climb(request.fields, body, self._limits.rpc, self._trace)
        if isinstance(verdict, Stateless):
            self._require(Era.STATELESS, verdict.message)
            return await self._stateless.post(request, principal, verdict)
        self._require(Era.HANDSHAKE, verdict.message)
        return await self._handshake.post(request, principal, verdict)

    def _require(self, era: Era, message: jsonrpc.Message) -> None:
        """The era is served here. MCP 2026-07-28 basic/versioning."""
        if era in self._eras:
            return
        supported = [revision.name for revision in REVISIONS if revision.era in self._eras]
        raise RpcError(
            UNSUPPORTED_VERSION,
            "E-MCP-07",
            arrived=f"a message of the {era.value} era",
            required={"supported": supported, "requested": era.value},
            id=message.id if isinstance(message, jsonrpc.Request) else None,
        )

    def _require_sessions(self, request: Request) -> None:
        """Streams and sessions exist before 2026-07-28 only.

        MCP 2026-07-28 basic/transports/streamable-http §earlier-streamable-http-revisions.
        """
        asked = request.fields.all("mcp-protocol-version")
        if set(asked) & set(STATELESS) or Era.HANDSHAKE not in self._eras:
            arrived = ", ".join(asked)
            raise HttpError(405, "E-MCP-08", arrived=arrived, fields=(("allow", "POST"),))
        ladder.check_handshake_version(request.fields)

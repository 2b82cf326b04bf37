"""Any low-level `Server` of the SDK, served by our transport on a real socket."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
from mcp.server.lowlevel import Server as Hosted

from catshop.kernel import Principal, Trace, utc_now
from catshop.limits import Limits
from catshop.protocol.dispatcher import Dispatcher
from catshop.protocol.endpoint import Endpoint
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.guard import Guard
from catshop.protocol.http1.messages import Request
from catshop.protocol.http1.routes import Router
from catshop.protocol.http1.server import Server, bind, port_of
from catshop.protocol.request_state import RequestStates
from catshop.protocol.sessions import Sessions
from catshop.protocol.versions import Era

MODERN = "2026-07-28"
BOTH = "application/json, text/event-stream"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def principal(name: str) -> Principal:
    """A user of that name, through one client."""
    return Principal(
        issuer="http://issuer.example",
        subject=name,
        username=name,
        client_id="test-client",
        audience="http://issuer.example/mcp",
        scopes=frozenset({"read", "write"}),
        token_id=name,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )


@dataclass
class OpenGate:
    """Takes the bearer token for the user's name; `forbidden` methods need a scope nobody has."""

    forbidden: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)

    async def authenticate(self, request: Request) -> Principal:
        """The user that the token names; alice where there is none."""
        token = (request.fields.get("authorization") or "Bearer alice").partition(" ")[2]
        if token in self.revoked:
            raise HttpError(401, "E-HTTP-40")
        return principal(token)

    def authorize(self, principal: Principal, method: str, params: Mapping[str, object]) -> None:
        """Everything but what is forbidden."""
        if method in self.forbidden:
            raise HttpError(403, "E-HTTP-40")

    async def still_good(self, principal: Principal) -> bool:
        """Until it is revoked."""
        return principal.token_id not in self.revoked


@dataclass
class Hosting:
    """A hosted server, from the outside and from the inside."""

    url: str
    client: httpx2.AsyncClient
    sessions: Sessions
    gate: OpenGate
    server: Server

    async def modern(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        id: object = 1,  # noqa: A002 - the member's name on the wire
        **headers: str,
    ) -> httpx2.Response:
        """One request of the stateless era, as the specification wants it."""
        body = {"_meta": ENVELOPE, **(params or {})}
        fields = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        if "name" in body:
            fields["Mcp-Name"] = str(body["name"])
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": body}
        return await self.post(message, **{**fields, **headers})

    async def post(self, message: object, **headers: str) -> httpx2.Response:
        """One message, whatever it is."""
        return await self.client.post(
            self.url, json=message, headers={"Accept": BOTH, **headers}, timeout=10
        )

    async def open(self, version: str = "2025-11-25", user: str = "alice") -> dict[str, str]:
        """A session of the handshake era: the headers that name it."""
        token = {"Authorization": f"Bearer {user}"}
        params = {
            "protocolVersion": version,
            "capabilities": {"elicitation": {}, "sampling": {}},
            "clientInfo": {"name": "test", "version": "1"},
        }
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        response = await self.post(message, **token)
        assert response.status_code == 200, response.text
        named = {"Mcp-Session-Id": response.headers["mcp-session-id"], **token}
        headers = {**named, "MCP-Protocol-Version": version}
        noted = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await self.post(noted, **headers)).status_code == 202
        return headers

    async def call(
        self,
        session: dict[str, str],
        method: str,
        params: dict[str, Any] | None = None,
        **more: Any,
    ) -> httpx2.Response:
        """One request in a session."""
        message = {"jsonrpc": "2.0", "id": more.get("id", 1), "method": method}
        return await self.post({**message, "params": params or {}}, **session)


@asynccontextmanager
async def hosting(
    hosted: Hosted[Any],
    limits: Limits | None = None,
    eras: frozenset[Era] = frozenset(Era),
    states: RequestStates | None = None,
) -> AsyncIterator[Hosting]:
    """Serve `hosted` on a free port of this machine until the context ends."""
    limits, trace, gate = limits or Limits(), Trace(), OpenGate()
    sessions = Sessions(limits, clock=utc_now, new_id=lambda: secrets.token_hex(16), trace=trace)
    listeners = await bind(("127.0.0.1",), 0)
    url = f"http://127.0.0.1:{port_of(listeners[0])}/mcp"
    async with (
        Dispatcher(hosted, trace, states) as dispatcher,
        anyio.create_task_group() as tasks,
        httpx2.AsyncClient() as client,
    ):
        endpoint = Endpoint(dispatcher, gate, sessions, limits, eras=eras)
        router = Router(endpoint.routes("/mcp", "/mcp/"), Guard(), trace)
        server = Server(router, limits=limits.http, trace=trace)
        tasks.start_soon(server.serve, listeners)
        yield Hosting(url, client, sessions, gate, server)
        server.stop()
        tasks.cancel_scope.cancel()

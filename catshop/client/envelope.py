"""One message as it leaves: its octets, and the header fields that go with it over HTTP.

The stateless era writes version, identity and capabilities into every request; the handshake era
has said them once and names a session instead. That difference lives here, so that whoever calls
knows a method and its params and nothing else. On a pipe the fields are simply not sent. Pure.
Next: `eras.py`, how we learn which era a server is of. MCP 2026-07-28 basic §_meta.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from catshop.client import mirrors
from catshop.protocol import jsonrpc
from catshop.protocol.jsonrpc import Id, Params
from catshop.protocol.versions import Era, Revision

PROTOCOL_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
TASKS: Final = "io.modelcontextprotocol/tasks"

BOTH: Final = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
}
"""MCP 2026-07-28 basic/transports/streamable-http §sending-messages."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who we are and what we can do for a server."""

    name: str
    version: str
    capabilities: Params = field(default_factory=dict)

    @property
    def info(self) -> Params:
        """`clientInfo`."""
        return {"name": self.name, "version": self.version}


@dataclass(frozen=True, slots=True)
class Peer:
    """The server as we know it: how it is spoken to, and what it has said of itself."""

    revision: Revision
    session_id: str | None = None
    about: Params = field(default_factory=dict)
    """Its InitializeResult or DiscoverResult; empty where we did not ask."""

    @property
    def stateless(self) -> bool:
        """Whether each request stands for itself."""
        return self.revision.era is Era.STATELESS


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of a server: a method, its params, and the fields that a tool asked for."""

    method: str
    params: Params = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message ready to leave; `id` is that of a request, which waits for its answer."""

    body: bytes
    fields: Mapping[str, str]
    id: Id | None = None
    resumable: bool = False
    """Whether its stream may be taken up again where it broke."""


def request(peer: Peer, hello: Hello, call: Call, id_: Id) -> Sent:
    """A request in the peer's era."""
    if not peer.stateless:
        body = jsonrpc.request(id_, call.method, call.params)
        return Sent(body, {**BOTH, **_session(peer)}, id_, resumable=True)
    params = {**call.params, "_meta": {**_meta(call.params), **_said_each_time(peer, hello)}}
    named = mirrors.standard(call.method, call.params)
    fields = {**BOTH, **_session(peer), **named, **call.custom}
    return Sent(jsonrpc.request(id_, call.method, params), fields, id_)


def _meta(params: Params) -> Params:
    own = params.get("_meta")
    return own if isinstance(own, Mapping) else {}


def _said_each_time(peer: Peer, hello: Hello) -> Params:
    """MCP 2026-07-28 basic §_meta."""
    return {
        PROTOCOL_VERSION: peer.revision.name,
        CLIENT_INFO: hello.info,
        CAPABILITIES: {**hello.capabilities, "extensions": {TASKS: {}}},
    }


def _session(peer: Peer) -> dict[str, str]:
    """The version, and the session where there is one.

    MCP 2025-11-25 basic/transports §protocol-version-header, §session-management.
    """
    session = {} if peer.session_id is None else {"Mcp-Session-Id": peer.session_id}
    return {"MCP-Protocol-Version": peer.revision.name, **session}


def initialize(revision: Revision, hello: Hello, id_: Id) -> Sent:
    """The first request of the handshake era: no session yet, and no version agreed.

    MCP 2025-11-25 basic/lifecycle §initialization.
    """
    params = {
        "protocolVersion": revision.name,
        "capabilities": hello.capabilities,
        "clientInfo": hello.info,
    }
    return Sent(jsonrpc.request(id_, "initialize", params), BOTH, id_, resumable=True)


def notification(peer: Peer, method: str, params: Params | None = None) -> Sent:
    """A notification of ours, which gets no answer."""
    return Sent(jsonrpc.notification(method, params), {**BOTH, **_session(peer)})


def answer(peer: Peer, response: bytes) -> Sent:
    """Our answer to a request of the server's, which only the handshake era has."""
    return Sent(response, {**BOTH, **_session(peer)})


def listening(peer: Peer) -> Mapping[str, str]:
    """The fields of a GET that opens the stream for the server's own messages, and of the DELETE
    that ends the session.

    MCP 2025-11-25 basic/transports §listening-for-messages-from-the-server.
    """
    return {"Accept": "text/event-stream", **_session(peer)}


def resuming(fields: Mapping[str, str], last_event_id: str) -> Mapping[str, str]:
    """The fields of a GET that takes up a stream after the event with that id.

    MCP 2025-11-25 basic/transports §resumability-and-redelivery.
    """
    kept = {name: fields[name] for name in fields if name.startswith(("MCP-Pro", "Mcp-Session"))}
    after = {"Last-Event-ID": last_event_id} if last_event_id else {}
    return {"Accept": "text/event-stream", **kept, **after}

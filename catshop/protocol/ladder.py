"""One POST against the specification, rung by rung; the first rung that breaks is the answer.

The order is the promise: what the client can read (406) and what it sent (415) before its octets
are read, then JSON (-32700), one message (-32600), the era and its version (-32020, -32022), and
only then whether the method exists (-32601), which the dispatcher knows. Pure: fields and octets
in, a verdict out; knows neither sessions nor tokens. Next: `endpoint.py`.
MCP 2026-07-28 basic/transports/streamable-http, MCP 2025-11-25 basic/transports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from catshop.kernel import Trace, Verdict
from catshop.limits import RpcLimits
from catshop.protocol import mirrors
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.fields import accepts, parse_media_type
from catshop.protocol.http1.messages import Fields
from catshop.protocol.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    Message,
    Notification,
    Request,
    Response,
    RpcError,
    parse,
)
from catshop.protocol.versions import BY_NAME, HANDSHAKE, STATELESS, Era

PROTOCOL_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
CLIENT_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
"""MCP 2026-07-28 basic §_meta."""

UNSUPPORTED_VERSION: Final = -32022
"""MCP 2026-07-28 basic/versioning §protocol-version-negotiation."""

EVENT_STREAM: Final = "text/event-stream"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a stateless request says of itself, in `params._meta`. MCP 2026-07-28 basic §_meta."""

    version: str
    client_info: object
    client_capabilities: object


@dataclass(frozen=True, slots=True)
class Stateless:
    """A message of the 2026-07-28 era; a notification needs no envelope."""

    message: Request | Notification
    envelope: Envelope | None


@dataclass(frozen=True, slots=True)
class Handshake:
    """A message of the session era."""

    message: Message


# --- Rungs before the body ---


def negotiate_post(fields: Fields) -> None:
    """The client sends JSON and reads both JSON and event streams. §sending-messages."""
    accept = _accept(fields)
    if not (accepts(accept, JSON) and accepts(accept, EVENT_STREAM)):
        raise HttpError(406, "E-MCP-01", arrived=f"Accept: {accept}")
    sent = fields.one("content-type")
    media = parse_media_type(sent)
    is_json = media is not None and media.name == JSON and media.charset in {None, "utf-8"}
    if not is_json or "content-encoding" in fields:
        raise HttpError(415, "E-MCP-02", arrived=f"Content-Type: {sent}")


def negotiate_get(fields: Fields) -> None:
    """The client reads event streams. MCP 2025-11-25 basic/transports
    §listening-for-messages-from-the-server.
    """
    accept = _accept(fields)
    if not accepts(accept, EVENT_STREAM):
        raise HttpError(406, "E-MCP-03", arrived=f"Accept: {accept}")


def _accept(fields: Fields) -> str | None:
    """Several lines of a list are one list. RFC 9110 §5.3."""
    return ", ".join(fields.all("accept")) if "accept" in fields else None


# --- Rungs after the body ---


def climb(fields: Fields, body: bytes, limits: RpcLimits, trace: Trace) -> Stateless | Handshake:
    """The message and its era. RpcError from the first rung that breaks."""
    message = parse(body, limits)
    try:
        if era(fields, message) is Era.HANDSHAKE:
            check_handshake_version(fields)
            return Handshake(message)
        return _stateless(fields, message, trace)
    except RpcError as error:
        error.id = message.id if isinstance(message, Request) else None
        raise


def era(fields: Fields, message: Message) -> Era:
    """Which era a message belongs to. MCP 2026-07-28 basic/versioning.

    The header field decides when it names a revision; a message that carries the envelope is of
    the stateless era whatever the field says, so that its field can be found wrong.
    """
    named = [BY_NAME.get(value) for value in fields.all("mcp-protocol-version")]
    if any(revision and revision.era is Era.STATELESS for revision in named):
        return Era.STATELESS
    params = None if isinstance(message, Response) else message.params
    meta = (params or {}).get("_meta")
    return (
        Era.STATELESS if isinstance(meta, Mapping) and PROTOCOL_VERSION in meta else Era.HANDSHAKE
    )


def check_handshake_version(fields: Fields) -> None:
    """The field, where there is one, names a revision that has sessions.

    It need not be the negotiated one: that is what the client SHOULD send.
    MCP 2025-11-25 basic/transports §protocol-version-header.
    """
    values = fields.all("mcp-protocol-version")
    if len(values) > 1 or any(value not in HANDSHAKE for value in values):
        raise HttpError(400, "E-MCP-04", arrived=f"MCP-Protocol-Version: {', '.join(values)}")


def _stateless(fields: Fields, message: Message, trace: Trace) -> Stateless:
    """The rungs of the 2026-07-28 era. A notification has no envelope, so it has no rungs."""
    if isinstance(message, Response):
        raise RpcError(INVALID_REQUEST, "E-MCP-05")
    if isinstance(message, Notification):
        return Stateless(message, None)
    envelope = read_envelope(message)
    for rung in RUNGS:
        try:
            rung(fields, message, envelope)
        except RpcError as error:
            error.check = rung.__name__
            raise
        if trace.observed:
            trace.check(rung.__name__, Verdict.OK, by=rung)
    return Stateless(message, envelope)


def read_envelope(message: Request) -> Envelope:
    """The envelope, with the members that every request must carry. MCP 2026-07-28 basic §_meta."""
    meta = (message.params or {}).get("_meta")
    if not isinstance(meta, Mapping):
        raise RpcError(INVALID_PARAMS, "E-MCP-06", arrived="no params._meta")
    missing = [name for name in (PROTOCOL_VERSION, CLIENT_CAPABILITIES) if name not in meta]
    if missing:
        raise RpcError(INVALID_PARAMS, "E-MCP-06", arrived=f"without {' and '.join(missing)}")
    version = meta[PROTOCOL_VERSION]
    if not isinstance(version, str):
        raise RpcError(INVALID_PARAMS, "E-MCP-06", arrived=f"{PROTOCOL_VERSION} is no string")
    return Envelope(version, meta.get(CLIENT_INFO), meta[CLIENT_CAPABILITIES])


def version_is_mirrored(fields: Fields, _message: Request, envelope: Envelope) -> None:
    """The header field says the version of the body. §protocol-version-header."""
    version = mirrors.single(fields, "mcp-protocol-version", "E-MIRROR-01")
    if version != envelope.version:
        raise mirrors.mismatch("E-MIRROR-01", f"{version[:40]!a} but {envelope.version[:40]!a}")


def method_is_mirrored(fields: Fields, message: Request, _envelope: Envelope) -> None:
    """The header field says the method of the body, in its case. §case-sensitivity."""
    method = mirrors.single(fields, "mcp-method", "E-MIRROR-02")
    if method != message.method:
        raise mirrors.mismatch("E-MIRROR-02", f"{method[:80]!a} but {message.method[:80]!a}")


def name_is_mirrored(fields: Fields, message: Request, _envelope: Envelope) -> None:
    """The header field says the name or the uri of the body. §standard-request-headers."""
    mirrors.check_name(message.method, message.params or {}, fields)


def version_is_served(_fields: Fields, _message: Request, envelope: Envelope) -> None:
    """The version is one that we serve in this era. MCP 2026-07-28 basic/versioning."""
    check_version(envelope)


def check_version(envelope: Envelope) -> None:
    """The same, for a transport that has no fields."""
    if envelope.version not in STATELESS:
        wanted = {"supported": list(STATELESS), "requested": envelope.version}
        raise RpcError(
            UNSUPPORTED_VERSION, "E-MCP-07", arrived=envelope.version[:40], required=wanted
        )


Rung = Callable[[Fields, Request, Envelope], None]

RUNGS: Final[tuple[Rung, ...]] = (
    version_is_mirrored,
    method_is_mirrored,
    name_is_mirrored,
    version_is_served,
)
"""Mirrors before support: who contradicts himself is told so, before he is told what we speak.

MCP 2026-07-28 basic/transports/streamable-http §server-validation.
"""

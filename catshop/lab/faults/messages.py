"""Faults of single messages: JSON, ids, headers, versions, and the errors that tell of them.

Next: `streams.py`, for what lasts longer than one answer.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any, Final

from catshop.lab.model import Fault, Plane
from catshop.lab.swaps import Swap, instead
from catshop.protocol.http1.messages import JSON, Answer
from catshop.protocol.jsonrpc import METHOD_NOT_FOUND, RpcError
from catshop.protocol.versions import Era, Revision

RUNGS: Final = "catshop.protocol.ladder:RUNGS"


def _as_string(original: Any) -> Callable[[Any, bytes], bytes]:
    return lambda id_, result: bytes(original(str(id_), result))


def _another_id(original: Any) -> Callable[[Any, bytes], bytes]:
    def response(id_: Any, result: bytes) -> bytes:
        changed = id_ + 1 if isinstance(id_, int) else f"{id_}'"
        return bytes(original(changed, result))

    return response


def _first_of_many(original: Any) -> Callable[[Any, Any], Any]:
    """An array is read as its first message; the others are lost."""

    def message(value: Any, limits: Any) -> Any:
        return original(value[0] if isinstance(value, list) and value else value, limits)

    return message


def _without(name: str) -> Callable[[Any], tuple[Any, ...]]:
    """The ladder without one rung."""

    def make(rungs: tuple[Any, ...]) -> tuple[Any, ...]:
        kept = tuple(rung for rung in rungs if rung.__name__ != name)
        if len(kept) == len(rungs):
            raise LookupError(f"the ladder has no rung {name}")
        return kept

    return make


def _whatever_was_asked(_original: Any) -> Callable[[str], Revision]:
    return lambda requested: Revision(requested, Era.HANDSHAKE)


def _found_after_all(statuses: dict[object, int]) -> dict[object, int]:
    return {**statuses, METHOD_NOT_FOUND: 200}


def _inside_out(_original: Any) -> Callable[[Exception, str], dict[str, object]]:
    """What went wrong, with the stack in which it did."""

    def told(error: Exception, _exchange: str) -> dict[str, object]:
        stack = "".join(traceback.format_exception(error))
        code = error.code if isinstance(error, RpcError) else -32603
        return {"code": code, "message": str(error), "data": {"stack": stack}}

    return told


def _mistyped(original: Any) -> Callable[..., Answer]:
    """JSON that says it is text."""

    def answer(*given: Any) -> Answer:
        made: Answer = original(*given)
        fields = tuple((n, "text/plain") if (n, v) == JSON else (n, v) for n, v in made.fields)
        return Answer(made.status, fields, made.body)

    return answer


ANSWERED: Final = Answer(200, (JSON,), b'{"jsonrpc":"2.0","id":null,"result":{}}')
"""What nobody asked for."""

FAULTS: Final = (
    Fault(
        "id-as-string",
        Plane.PROTOCOL,
        "jsonrpc.result_response",
        "The id of a request comes back as a string.",
        "A strict client waits for 7 and throws away the answer to '7'.",
        "a comparison of the id, type and all",
        "JSON-RPC 2.0 section 5",
        (Swap("catshop.protocol.jsonrpc:result_response", _as_string),),
    ),
    Fault(
        "id-changed",
        Plane.PROTOCOL,
        "jsonrpc.result_response",
        "The answer has another id than its request.",
        "The client waits until its deadline.",
        "a comparison of the id",
        "JSON-RPC 2.0 section 5",
        (Swap("catshop.protocol.jsonrpc:result_response", _another_id),),
    ),
    Fault(
        "batch-accepted",
        Plane.PROTOCOL,
        "jsonrpc.parse",
        "An array of messages is taken, and all but the first are lost.",
        "A client believes that its calls were made.",
        "E-RPC-08",
        "MCP 2025-11-25 basic/transports section sending-messages-to-the-server",
        (Swap("catshop.protocol.jsonrpc:_message", _first_of_many),),
    ),
    Fault(
        "depth-unbounded",
        Plane.PROTOCOL,
        "jsonrpc.parse",
        "Messages are parsed however deep they are nested.",
        "A few octets keep the server busy, or bring it down.",
        "E-RPC-06",
        "RFC 8259 section 9",
        (instead("catshop.protocol.jsonrpc:_measure", lambda *_: None),),
    ),
    Fault(
        "names-twice",
        Plane.PROTOCOL,
        "jsonrpc.parse",
        "An object may have one name twice; the last one counts.",
        "A gateway reads the first, the server the last: one message, two meanings.",
        "E-RPC-04",
        "RFC 8259 section 4",
        (instead("catshop.protocol.jsonrpc:_DECODER", json.JSONDecoder()),),
    ),
    Fault(
        "notification-answered",
        Plane.PROTOCOL,
        "sending-messages",
        "A notification is answered with 200 and a JSON-RPC response.",
        "A client gets an answer that belongs to no request.",
        "a look at the status of a notification: 202",
        "MCP 2026-07-28 basic/transports/streamable-http section sending-messages",
        (
            instead("catshop.protocol.stateless:ACCEPTED", ANSWERED),
            instead("catshop.protocol.handshake:ACCEPTED", ANSWERED),
        ),
    ),
    Fault(
        "accept-ignored",
        Plane.PROTOCOL,
        "negotiate_post",
        "The server does not look at what the client can read.",
        "A client that cannot read streams gets one.",
        "E-MCP-01",
        "RFC 9110 section 12.5.1",
        (instead("catshop.protocol.ladder:negotiate_post", lambda *_: None),),
    ),
    Fault(
        "method-mirror-skipped",
        Plane.PROTOCOL,
        "method_is_mirrored",
        "Mcp-Method is not compared with the body.",
        "A gateway lets tools/list through, and the server runs tools/call.",
        "E-MIRROR-02",
        "MCP 2026-07-28 basic/transports/streamable-http section server-validation",
        (Swap(RUNGS, _without("method_is_mirrored")),),
    ),
    Fault(
        "name-mirror-skipped",
        Plane.PROTOCOL,
        "name_is_mirrored",
        "Mcp-Name is not compared with the body.",
        "A gateway lets one tool through, and the server runs another.",
        "E-MIRROR-03",
        "MCP 2026-07-28 basic/transports/streamable-http section server-validation",
        (Swap(RUNGS, _without("name_is_mirrored")),),
    ),
    Fault(
        "version-unchecked",
        Plane.PROTOCOL,
        "version_is_mirrored",
        "MCP-Protocol-Version is not compared with the body.",
        "Two readers of one request take it for two revisions.",
        "E-MIRROR-01",
        "MCP 2026-07-28 basic/transports/streamable-http section protocol-version-header",
        (Swap(RUNGS, _without("version_is_mirrored")),),
    ),
    Fault(
        "version-echoed",
        Plane.PROTOCOL,
        "negotiate",
        "initialize agrees to every revision that a client names.",
        "The client speaks a revision that the server does not know.",
        "a comparison of the revision that was agreed on",
        "MCP 2025-11-25 basic/lifecycle section version-negotiation",
        (Swap("catshop.protocol.handshake:negotiate", _whatever_was_asked),),
    ),
    Fault(
        "unknown-method-200",
        Plane.PROTOCOL,
        "stateless.status",
        "A method that does not exist is refused with status 200.",
        "A gateway that counts failures by status counts none.",
        "a look at the status: 404",
        "MCP 2026-07-28 basic/transports/streamable-http section server-validation",
        (
            Swap("catshop.protocol.stateless:STATUS", _found_after_all),
            Swap("catshop.protocol.endpoint:STATUS", _found_after_all),
        ),
    ),
    Fault(
        "error-tells-stack",
        Plane.PROTOCOL,
        "dispatcher.error_object",
        "An error object shows the stack of the server.",
        "Paths, versions and values of the inside stand in an answer.",
        "a search for a stack in the answer",
        "JSON-RPC 2.0 section 5.1",
        (
            Swap("catshop.protocol.stateless:error_object", _inside_out),
            Swap("catshop.protocol.handshake:error_object", _inside_out),
        ),
    ),
    Fault(
        "json-as-text",
        Plane.PROTOCOL,
        "stateless.answer",
        "The answer to a call says that it is text/plain.",
        "A strict client does not read it.",
        "a look at Content-Type",
        "MCP 2026-07-28 basic/transports/streamable-http section receiving-messages",
        (Swap("catshop.protocol.stateless:Answer", _mistyped),),
    ),
)
"""Of single messages."""

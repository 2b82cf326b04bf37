"""JSON-RPC messages: parse what arrives, build what leaves. Nothing of HTTP, nothing of MCP's eras.

`parse` turns octets into exactly one of `Request`, `Notification`, `Response`, or raises `RpcError`
with the code that the specification gives that fault. An id keeps its JSON type and its digits: 7
and "7" are different ids. The builders return octets, with a result that is already encoded
spliced in unread, so that nothing is serialised twice. Next: `ladder.py`. JSON-RPC 2.0, RFC 8259.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from catshop.catalogue import explain
from catshop.limits import RpcLimits

Id = str | int
Params = Mapping[str, object]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
"""JSON-RPC 2.0 §5.1."""

LIMIT_EXCEEDED: Final = -31429
"""Ours: come back with less. Outside the range that JSON-RPC reserves and MCP has divided up.

MCP 2026-07-28 basic §error-codes.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """A call that wants an answer. JSON-RPC 2.0 §4."""

    id: Id
    method: str
    params: Params | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """A call that gets no answer, not even an error. JSON-RPC 2.0 §4.1."""

    method: str
    params: Params | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request of ours: `result` or `error` is set, never both. JSON-RPC 2.0 §5."""

    id: Id
    result: Params | None = None
    error: Params | None = None


Message = Request | Notification | Response


TAKEN: Final = "message.taken"
"""The check that says no where none has a name of its own."""


class RpcError(Exception):
    """A call is answered with an error object. JSON-RPC 2.0 §5.1.

    `code` is the wire's number, `explanation` the catalogue's `E-` code, `arrived` what came, safe
    to show. `required` holds the members of `error.data` that a specification demands. `id` is the
    request's, or None where it could not be read.
    """

    def __init__(
        self,
        code: int,
        explanation: str,
        *,
        arrived: str = "",
        required: Mapping[str, object] | None = None,
        id: Id | None = None,  # noqa: A002 - the member's name on the wire
    ) -> None:
        super().__init__(f"{code} {explanation}" + (f" ({arrived})" if arrived else ""))
        self.code = code
        self.explanation = explanation
        self.arrived = arrived
        self.required = dict(required or {})
        self.id = id
        self.check = TAKEN
        """The named check that raised it."""

    @property
    def message(self) -> str:
        """One sentence for a person."""
        return explain(self.explanation).title

    @property
    def data(self) -> dict[str, object]:
        """What arrived, what was expected and which section says so."""
        words = explain(self.explanation)
        taught = {"expected": words.expected, "section": words.section, "fix": words.fix}
        arrived = {"arrived": self.arrived} if self.arrived else {}
        return {**self.required, "code": words.code, **arrived, **taught}


def parse(body: bytes, limits: RpcLimits) -> Message:
    """The one message in `body`. RpcError names what is wrong with it."""
    return _message(_decode(body, limits), limits)


# --- From octets to a JSON value ---

_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""Brackets, and whole strings, so that those inside them do not count; never looks back."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def _decode(body: bytes, limits: RpcLimits) -> object:
    """The JSON value in `body`, bounded before it is built. RFC 8259."""
    _measure(body, limits)
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RpcError(PARSE_ERROR, "E-RPC-02", arrived=f"octet {error.start}") from None
    except json.JSONDecodeError as error:
        raise RpcError(PARSE_ERROR, "E-RPC-01", arrived=f"{error.msg}, {error.pos}") from None
    except (RecursionError, ValueError):
        raise RpcError(PARSE_ERROR, "E-RPC-01", arrived="a number too long") from None
    if _SURROGATE.search(body):
        _refuse_lone_surrogates(value)
    return value


def _measure(body: bytes, limits: RpcLimits) -> None:
    """Refuse what would cost too much to parse: too many nodes, too deep."""
    if body.count(b",") + body.count(b":") + body.count(b"[") + body.count(b"{") > limits.nodes:
        raise RpcError(INVALID_REQUEST, "E-RPC-05", arrived=f"{len(body)} octets")
    if body.count(b"[") + body.count(b"{") <= limits.depth:
        return
    depth = 0
    for found in _BRACKETS.finditer(body):
        bracket = found[0]
        if bracket in b"[{":
            depth += 1
            if depth > limits.depth:
                raise RpcError(PARSE_ERROR, "E-RPC-06", arrived=f"more than {limits.depth} levels")
        elif bracket in b"]}":
            depth -= 1


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose names are unique. RFC 8259 §4."""
    members = dict(pairs)
    if len(members) != len(pairs):
        repeated, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise RpcError(PARSE_ERROR, "E-RPC-04", arrived=ascii(repeated[:40]))
    return members


def _no_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which JSON does not have. RFC 8259 §6."""
    raise RpcError(PARSE_ERROR, "E-RPC-03", arrived=name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise RpcError(PARSE_ERROR, "E-RPC-03", arrived=digits[:40])
    return number


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
)


def _refuse_lone_surrogates(value: object) -> None:
    r"""Refuse half a pair such as `\ud800`: it is no character and has no UTF-8. RFC 8259 §8.2."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise RpcError(INVALID_PARAMS, "E-RPC-07") from None


# --- From a JSON value to a message ---


def _message(value: object, limits: RpcLimits) -> Message:
    """The message that `value` is. JSON-RPC 2.0 §4, §5."""
    if isinstance(value, list):
        raise RpcError(INVALID_REQUEST, "E-RPC-08", arrived=f"an array of {len(value)}")
    if not isinstance(value, dict):
        raise RpcError(INVALID_REQUEST, "E-RPC-09", arrived=type(value).__name__)
    id_ = _id(value, limits)
    if value.get("jsonrpc") != "2.0":
        raise RpcError(
            INVALID_REQUEST, "E-RPC-10", arrived=ascii(value.get("jsonrpc"))[:40], id=id_
        )
    if "method" in value:
        return _call(value, id_)
    if ("result" in value) != ("error" in value) and id_ is not None:
        return _response(value, id_)
    raise RpcError(INVALID_REQUEST, "E-RPC-11", arrived="no method", id=id_)


def _id(members: dict[str, object], limits: RpcLimits) -> Id | None:
    """The id, a string or an integer; None when there is none. MCP 2026-07-28 basic §requests."""
    if "id" not in members:
        return None
    id_ = members["id"]
    if isinstance(id_, bool) or not isinstance(id_, str | int):
        raise RpcError(INVALID_REQUEST, "E-RPC-12", arrived=ascii(id_)[:40])
    length = len(id_) if isinstance(id_, str) else len(str(id_))
    if length > limits.id_length:
        raise RpcError(INVALID_REQUEST, "E-RPC-13", arrived=f"{length} characters")
    return id_


def _call(members: dict[str, object], id_: Id | None) -> Request | Notification:
    method = members["method"]
    if not isinstance(method, str):
        raise RpcError(INVALID_REQUEST, "E-RPC-11", arrived=ascii(method)[:40], id=id_)
    params = members.get("params")
    if "params" in members and not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "E-RPC-14", arrived=type(params).__name__, id=id_)
    typed = params if isinstance(params, dict) else None
    return (
        Notification(method, typed) if "id" not in members else Request(_known(id_), method, typed)
    )


def _known(id_: Id | None) -> Id:
    """The id of a message that is known to have one."""
    if id_ is None:
        raise RpcError(INVALID_REQUEST, "E-RPC-12")
    return id_


def _response(members: dict[str, object], id_: Id) -> Response:
    outcome = members.get("result", members.get("error"))
    if not isinstance(outcome, dict):
        raise RpcError(INVALID_REQUEST, "E-RPC-15", arrived=type(outcome).__name__, id=id_)
    if "result" in members:
        return Response(id_, result=outcome)
    return Response(id_, error=outcome)


# --- From messages to octets ---


def encode(value: object) -> bytes:
    """`value` as compact JSON in UTF-8, without NaN. RFC 8259 §8.1."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8")


def result_response(id_: Id, result: bytes) -> bytes:
    """The response that carries an encoded `result`. JSON-RPC 2.0 §5."""
    return b'{"jsonrpc":"2.0","id":' + encode(id_) + b',"result":' + result + b"}"


def error_response(error: RpcError) -> bytes:
    """The response that carries `error`; without an id where none could be read."""
    body: dict[str, object] = {"code": error.code, "message": error.message, "data": error.data}
    return raw_error_response(error.id, body)


def raw_error_response(id_: Id | None, error: Mapping[str, object]) -> bytes:
    """The response that carries an error object as it stands. JSON-RPC 2.0 §5.1."""
    head: dict[str, object] = {"jsonrpc": "2.0"} if id_ is None else {"jsonrpc": "2.0", "id": id_}
    return encode({**head, "error": error})


def notification(method: str, params: Params | None) -> bytes:
    """A notification of ours."""
    return encode({"jsonrpc": "2.0", "method": method, **_params(params)})


def request(id_: Id, method: str, params: Params | None) -> bytes:
    """A request of ours."""
    return encode({"jsonrpc": "2.0", "id": id_, "method": method, **_params(params)})


def _params(params: Params | None) -> dict[str, object]:
    return {} if params is None else {"params": params}

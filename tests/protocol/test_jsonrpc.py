"""JSON-RPC messages: what is one, what is none, and that an id comes back as it came."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catshop.limits import RpcLimits
from catshop.protocol import jsonrpc
from catshop.protocol.jsonrpc import Notification, Request, Response, RpcError

LIMITS = RpcLimits()


def call(**members: object) -> bytes:
    """A message with these members, as octets."""
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(call(id=1, method="ping"), Request(1, "ping"), id="request"),
        pytest.param(call(id="1", method="ping"), Request("1", "ping"), id="string-id"),
        pytest.param(call(id="", method="ping"), Request("", "ping"), id="Q4-empty-string-id"),
        pytest.param(
            call(id=2**53 + 1, method="ping"), Request(2**53 + 1, "ping"), id="Q4-beyond-2^53"
        ),
        pytest.param(call(id=10**30, method="p"), Request(10**30, "p"), id="Q4-10^30"),
        pytest.param(
            call(id=0, method="m", params={"a": [1, None]}),
            Request(0, "m", {"a": [1, None]}),
            id="params",
        ),
        pytest.param(call(method="n"), Notification("n"), id="notification"),
        pytest.param(call(id=3, result={}), Response(3, result={}), id="result"),
        pytest.param(call(id=3, error={"code": 1}), Response(3, error={"code": 1}), id="error"),
    ],
)
def test_a_message_is_exactly_one_of_request_notification_and_response(
    body: bytes, message: jsonrpc.Message
) -> None:
    """JSON-RPC 2.0 §4, JSON-RPC 2.0 §4.1, JSON-RPC 2.0 §5."""
    assert jsonrpc.parse(body, LIMITS) == message


@pytest.mark.parametrize(
    ("body", "code", "explanation"),
    [
        pytest.param(b"", -32700, "E-RPC-01", id="Q1-empty"),
        pytest.param(b"nope", -32700, "E-RPC-01", id="Q1-not-json"),
        pytest.param(b"{} {}", -32700, "E-RPC-01", id="Q1-two-texts"),
        pytest.param(b"\xef\xbb\xbf{}", -32700, "E-RPC-01", id="byte-order-mark"),
        pytest.param(b'{"id":"\xff"}', -32700, "E-RPC-02", id="not-utf-8"),
        pytest.param(b"[" * 1_000, -32700, "E-RPC-06", id="Q5-1000-deep"),
        pytest.param(b"[" * 90_000, -32700, "E-RPC-06", id="Q5-90000-deep"),
        pytest.param(b'{"a":' * 40_000, -32700, "E-RPC-06", id="Q5-objects"),
        pytest.param(b'{"a":' + b"1" * 4_301 + b"}", -32700, "E-RPC-01", id="Q6-4301-digits"),
        pytest.param(
            call(id=1, method="m", params={"n": float("nan")}), -32700, "E-RPC-03", id="Q7"
        ),
        pytest.param(b'{"n":-Infinity}', -32700, "E-RPC-03", id="Q7-infinity"),
        pytest.param(b'{"n":1e999}', -32700, "E-RPC-03", id="Q7-1e999"),
        pytest.param(b'{"id":1,"id":2}', -32700, "E-RPC-04", id="duplicate-name"),
        pytest.param(b'{"a":{"b":1,"b":1}}', -32700, "E-RPC-04", id="duplicate-name-inside"),
        pytest.param(b"[" + b"[]," * 100_000 + b"[]]", -32600, "E-RPC-05", id="Q13-nodes"),
        pytest.param(b"[]", -32600, "E-RPC-08", id="Q2-empty-batch"),
        pytest.param(b"[" + call(id=1, method="m") + b"]", -32600, "E-RPC-08", id="Q2-batch"),
        pytest.param(b'"text"', -32600, "E-RPC-09", id="a-string"),
        pytest.param(b"null", -32600, "E-RPC-09", id="null"),
        pytest.param(b'{"id":1,"method":"m"}', -32600, "E-RPC-10", id="no-jsonrpc"),
        pytest.param(b'{"jsonrpc":"1.0","id":1,"method":"m"}', -32600, "E-RPC-10", id="Q9-1.0"),
        pytest.param(b'{"jsonrpc":2.0,"id":1,"method":"m"}', -32600, "E-RPC-10", id="Q9-number"),
        pytest.param(call(id=1), -32600, "E-RPC-11", id="Q9-no-method"),
        pytest.param(call(id=1, Method="m"), -32600, "E-RPC-11", id="Q9-Method"),
        pytest.param(call(id=1, method=123), -32600, "E-RPC-11", id="Q9-method-123"),
        pytest.param(call(id=1, result={}, error={}), -32600, "E-RPC-11", id="result-and-error"),
        pytest.param(call(id=None, method="m"), -32600, "E-RPC-12", id="null-id"),
        pytest.param(call(id=1.5, method="m"), -32600, "E-RPC-12", id="fraction-id"),
        pytest.param(call(id=True, method="m"), -32600, "E-RPC-12", id="true-id"),
        pytest.param(call(id=[1], method="m"), -32600, "E-RPC-12", id="array-id"),
        pytest.param(call(id="x" * 5_000, method="m"), -32600, "E-RPC-13", id="Q4-5KB-id"),
        pytest.param(call(id=1, method="m", params="p"), -32602, "E-RPC-14", id="Q14-string"),
        pytest.param(call(id=1, method="m", params=[1]), -32602, "E-RPC-14", id="Q14-array"),
        pytest.param(call(id=1, method="m", params=None), -32602, "E-RPC-14", id="Q14-null"),
        pytest.param(call(id=1, result=5), -32600, "E-RPC-15", id="bare-result"),
        pytest.param(
            rb'{"jsonrpc":"2.0","id":1,"method":"\ud800"}', -32602, "E-RPC-07", id="Q11-method"
        ),
        pytest.param(
            rb'{"jsonrpc":"2.0","id":"\udfff","method":"m"}', -32602, "E-RPC-07", id="Q11-id"
        ),
    ],
)
def test_what_is_no_message_gets_the_code_of_its_fault(
    body: bytes, code: int, explanation: str
) -> None:
    """JSON-RPC 2.0 §5.1, RFC 8259 §4, RFC 8259 §6, RFC 8259 §8.1, RFC 8259 §8.2, RFC 8259 §9."""
    with pytest.raises(RpcError) as caught:
        jsonrpc.parse(body, LIMITS)
    assert (caught.value.code, caught.value.explanation) == (code, explanation)


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(lambda n: b"[" * 65 + b'"' + b'\\"' * n, id="a-string-that-never-ends"),
        pytest.param(
            lambda n: b"[" * 65 + b'"' + b'\\"' * n + b"\\", id="a-string-that-ends-in-an-escape"
        ),
        pytest.param(lambda n: b'{"a":"' + b"[" * 65 + b"x" * n + b'"}', id="brackets-in-a-string"),
        pytest.param(
            lambda n: b"{" + b",".join(b'"%d":0' % i for i in range(n // 4)) + b',"0":0}',
            id="a-late-repetition",
        ),
    ],
)
def test_four_times_the_octets_take_about_four_times_as_long(
    hostile: Callable[[int], bytes],
) -> None:
    """Q13: a hostile body stalls nobody. What is quadratic takes sixteen times as long."""
    short, long = (_seconds(hostile(n)) for n in (20_000, 80_000))
    assert long < 10 * short


def _seconds(body: bytes) -> float:
    """The least of some tries to parse a body that is refused or is no message."""

    def once() -> float:
        began = time.perf_counter()
        with pytest.raises(RpcError):
            jsonrpc.parse(body, LIMITS)
        return time.perf_counter() - began

    return min(once() for _ in range(5))


def test_a_whole_surrogate_pair_is_a_character() -> None:
    """RFC 8259 §7."""
    body = rb'{"jsonrpc":"2.0","id":"\ud83d\udc08","method":"m"}'
    assert jsonrpc.parse(body, LIMITS) == Request("\N{CAT}", "m")


def test_brackets_inside_strings_are_no_nesting() -> None:
    """RFC 8259 §7."""
    text = "[{" * 500 + '"' + "\\"
    message = jsonrpc.parse(call(id=1, method="m", params={"text": text}), LIMITS)
    assert message == Request(1, "m", {"text": text})


@pytest.mark.parametrize("id_", [7, "7", 0, -1, "", 10**30, '"\\', "\N{CAT}"])
def test_the_response_carries_the_id_as_it_came(id_: jsonrpc.Id) -> None:
    """JSON-RPC 2.0 §5: 7 and "7" are different ids."""
    echoed = json.loads(jsonrpc.result_response(id_, b"{}"))["id"]
    assert (type(echoed), echoed) == (type(id_), id_)


def test_an_error_without_a_readable_id_has_none() -> None:
    """MCP 2026-07-28 basic §error-responses."""
    error = json.loads(jsonrpc.error_response(RpcError(-32700, "E-RPC-01", arrived="x")))
    assert "id" not in error
    assert error["error"]["data"]["section"] == "JSON-RPC 2.0 section 5.1"


def fault(body: bytes) -> int | None:
    """The code of what is wrong with a body, None when it is a message."""
    try:
        jsonrpc.parse(body, LIMITS)
    except RpcError as error:
        return error.code
    return None


@given(st.binary(max_size=200))
def test_parsing_gives_a_message_or_its_own_error(body: bytes) -> None:
    """Whatever the octets are."""
    assert fault(body) in {None, -32700, -32600, -32602}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params", "result"]), json_values)
)
def test_any_object_is_a_message_or_refused(members: dict[str, object]) -> None:
    """Whatever the members are."""
    assert fault(json.dumps(members).encode()) in {None, -32700, -32600, -32602}

"""Mirrored header fields: strict values, and a body that says the same."""

from __future__ import annotations

import pytest

from catshop.protocol import mirrors
from catshop.protocol.http1.messages import Fields
from catshop.protocol.jsonrpc import RpcError

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "sure": {"type": "boolean", "x-mcp-header": "Sure"},
        "deep": {"type": "object", "properties": {"er": {"type": "string", "x-mcp-header": "Er"}}},
        "list": {"type": "array", "items": {"type": "string", "x-mcp-header": "Nope"}},
    },
}


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("us-west1", "us-west1"),
        ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, \u4e16\u754c"),
        ("=?base64?IHBhZGRlZCA=?=", " padded "),
        ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
        ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
        ("SGVsbG8=", "SGVsbG8="),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8="),
        ("=?BASE64?SGVsbG8=?=", "=?BASE64?SGVsbG8=?="),
        pytest.param("=?base64?SGVsbG8?=", None, id="bad-padding"),
        pytest.param("=?base64?SGVs!!!bG8=?=", None, id="bad-alphabet"),
        pytest.param("=?base64?SGVsbG9=?=", None, id="trailing-bits"),
        pytest.param("=?base64?/w==?=", None, id="not-utf-8"),
        pytest.param("caf\xe9", None, id="not-ascii"),
    ],
)
def test_a_value_stands_for_the_text_that_the_specification_says(
    sent: str, meant: str | None
) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §value-encoding."""
    assert mirrors.decode(sent) == meant


def test_only_chains_of_properties_are_mirrored() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §schema-extension."""
    assert set(mirrors.annotated(SCHEMA)) == {("region",), ("count",), ("sure",), ("deep", "er")}


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        pytest.param([], {}, id="absent-together"),
        pytest.param([], {"region": None}, id="null-is-absent"),
        pytest.param([("mcp-param-region", "eu")], {"region": "eu"}, id="equal"),
        pytest.param([("mcp-param-region", "=?base64?ZXU=?=")], {"region": "eu"}, id="encoded"),
        pytest.param([("mcp-param-count", "42")], {"count": 42}, id="integer"),
        pytest.param([("mcp-param-count", "42.0")], {"count": 42}, id="K7-42.0-is-42"),
        pytest.param([("mcp-param-sure", "true")], {"sure": True}, id="boolean"),
        pytest.param([("mcp-param-er", "x")], {"deep": {"er": "x"}}, id="nested"),
        pytest.param([("mcp-param-unknown", "y")], {}, id="K7-unknown-is-ignored"),
    ],
)
def test_fields_that_agree_with_the_arguments_pass(
    fields: list[tuple[str, str]], arguments: dict[str, object]
) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §server-behavior-for-custom-headers."""
    mirrors.check_params(mirrors.annotated(SCHEMA), arguments, Fields(fields))


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        pytest.param([], {"region": "eu"}, id="K6-missing"),
        pytest.param([("mcp-param-region", "us")], {"region": "eu"}, id="K6-other-value"),
        pytest.param([("mcp-param-region", "eu")], {"region": None}, id="K6-while-null"),
        pytest.param([("mcp-param-region", "eu")], {}, id="K6-while-absent"),
        pytest.param([("mcp-param-region", "e\x07u")], {"region": "e\x07u"}, id="K6-control"),
        pytest.param([("mcp-param-region", "eu")] * 2, {"region": "eu"}, id="twice"),
        pytest.param([("mcp-param-count", "9007199254740992")], {"count": 2**53}, id="K7-2^53"),
        pytest.param([("mcp-param-count", "042")], {"count": 42}, id="leading-zero"),
        pytest.param([("mcp-param-count", "4.2e1")], {"count": 42}, id="exponent"),
        pytest.param([("mcp-param-sure", "True")], {"sure": True}, id="K7-True"),
        pytest.param([("mcp-param-er", "x")], {"deep": ["x"]}, id="path-through-an-array"),
    ],
)
def test_fields_that_disagree_are_refused_with_header_mismatch(
    fields: list[tuple[str, str]], arguments: dict[str, object]
) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §server-validation."""
    with pytest.raises(RpcError) as caught:
        mirrors.check_params(mirrors.annotated(SCHEMA), arguments, Fields(fields))
    assert (caught.value.code, caught.value.explanation) == (-32020, "E-MIRROR-04")

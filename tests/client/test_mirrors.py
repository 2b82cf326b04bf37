"""Header fields that repeat the body, and tools that ask for impossible ones."""

from __future__ import annotations

from typing import Any

import pytest

from catshop.client.mirrors import InvalidAnnotation, annotated, custom, encode, standard
from catshop.protocol.mirrors import decode


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("us-west1", "us-west1", id="plain"),
        pytest.param("a b", "a b", id="a-space-inside"),
        pytest.param("", "", id="empty"),
        pytest.param("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?=", id="non-ascii"),
        pytest.param(" padded ", "=?base64?IHBhZGRlZCA=?=", id="edges"),
        pytest.param("line1\nline2", "=?base64?bGluZTEKbGluZTI=?=", id="line-break"),
        pytest.param(
            "=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", id="the-sentinel-itself"
        ),
        pytest.param("a\tb", "=?base64?YQli?=", id="tab"),
        pytest.param("=?base64?half", "=?base64?half", id="half-a-sentinel"),
        pytest.param(
            "file:///path/to/file%20name.txt", "file:///path/to/file%20name.txt", id="uri"
        ),
    ],
)
def test_a_value_is_plain_where_it_survives_and_base64_where_it_would_not(
    text: str, value: str
) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §value-encoding, its examples first."""
    assert encode(text) == value
    assert decode(value) == text, "the server's half reads it back"


@pytest.mark.parametrize(
    ("method", "params", "fields"),
    [
        ("tools/call", {"name": "cats"}, {"Mcp-Method": "tools/call", "Mcp-Name": "cats"}),
        ("prompts/get", {"name": "Ü"}, {"Mcp-Method": "prompts/get", "Mcp-Name": encode("Ü")}),
        ("resources/read", {"uri": "a:b"}, {"Mcp-Method": "resources/read", "Mcp-Name": "a:b"}),
        ("tasks/get", {"taskId": "7"}, {"Mcp-Method": "tasks/get", "Mcp-Name": "7"}),
        ("tools/list", {"name": "x"}, {"Mcp-Method": "tools/list"}),
        ("completion/complete", {}, {"Mcp-Method": "completion/complete"}),
    ],
)
def test_every_request_names_its_method_and_some_what_it_is_about(
    method: str, params: dict[str, Any], fields: dict[str, str]
) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §standard-request-headers;
    MCP 2026-07-28 extensions/tasks §streamable-http-routing-headers.
    """
    assert standard(method, params) == fields


def schema(**properties: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def header(name: object = "Region", kind: object = "string") -> dict[str, Any]:
    return {"type": kind, "x-mcp-header": name}


def test_annotated_arguments_become_fields_by_their_exact_path() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §schema-extension, §client-behavior."""
    names = annotated(
        schema(
            region=header(),
            deep=schema(urgent=header("Urgent", "boolean")),
            count=header("Count", "integer"),
            plain={"type": "string"},
        )
    )
    assert names == {("region",): "Region", ("deep", "urgent"): "Urgent", ("count",): "Count"}
    arguments = {"region": "Ü", "deep": {"urgent": False}, "count": -7, "plain": "not sent"}
    assert custom(names, arguments) == {
        "Mcp-Param-Region": encode("Ü"),
        "Mcp-Param-Urgent": "false",
        "Mcp-Param-Count": "-7",
    }


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        pytest.param("", {"Mcp-Param-Region": ""}, id="empty-is-there"),
        pytest.param(None, {}, id="null-is-not"),
        pytest.param(True, {"Mcp-Param-Region": "true"}, id="boolean"),
        pytest.param(42.0, {"Mcp-Param-Region": "42"}, id="integral-number"),
        pytest.param({}, {}, id="not-primitive"),
    ],
)
def test_what_is_null_or_missing_has_no_field(value: object, fields: dict[str, str]) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §value-encoding, §client-behavior."""
    assert custom({("region",): "Region"}, {"region": value}) == fields
    assert custom({("region", "below"): "Region"}, {"region": value}) == {}
    assert custom({("region",): "Region"}, {}) == {}


@pytest.mark.parametrize(
    ("tool", "code"),
    [
        pytest.param(schema(a=header("")), "E-ANNOTATION-01", id="empty"),
        pytest.param(schema(a=header(7)), "E-ANNOTATION-01", id="no-text"),
        pytest.param(schema(a=header("My Region")), "E-ANNOTATION-02", id="space"),
        pytest.param(schema(a=header("Region:")), "E-ANNOTATION-02", id="colon"),
        pytest.param(schema(a=header("Regiön")), "E-ANNOTATION-02", id="non-ascii"),
        pytest.param(schema(a=header("Re\tgion")), "E-ANNOTATION-02", id="tab"),
        pytest.param(schema(a=header("Region\r\nX: y")), "E-ANNOTATION-02", id="line-break"),
        pytest.param(schema(a=header(), b=header()), "E-ANNOTATION-03", id="twice"),
        pytest.param(schema(a=header(), b=header("REGION")), "E-ANNOTATION-03", id="other-case"),
        pytest.param(schema(a=header(kind="object")), "E-ANNOTATION-04", id="object"),
        pytest.param(schema(a=header(kind="array")), "E-ANNOTATION-04", id="array"),
        pytest.param(schema(a=header(kind="number")), "E-ANNOTATION-04", id="number"),
        pytest.param(schema(a=header(kind="null")), "E-ANNOTATION-04", id="null"),
        pytest.param(schema(a={"x-mcp-header": "A"}), "E-ANNOTATION-04", id="no-type"),
        pytest.param(
            schema(a={"type": "array", "items": header()}), "E-ANNOTATION-05", id="in-items"
        ),
        pytest.param(
            {"anyOf": [schema(a=header())], "type": "object"}, "E-ANNOTATION-05", id="in-anyof"
        ),
        pytest.param({"if": schema(a=header()), "type": "object"}, "E-ANNOTATION-05", id="in-if"),
        pytest.param({"$defs": {"a": header()}}, "E-ANNOTATION-05", id="in-defs"),
        pytest.param({**schema(), **header()}, "E-ANNOTATION-05", id="at-the-root"),
    ],
)
def test_a_tool_that_breaks_a_rule_of_annotations_is_not_used(
    tool: dict[str, Any], code: str
) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §schema-extension; RFC 9110 §5.6.2."""
    with pytest.raises(InvalidAnnotation, match=code):
        annotated(tool)


def test_what_only_looks_like_an_annotation_is_none() -> None:
    """A property may have that name, and a default may hold anything.

    MCP 2026-07-28 basic/transports/streamable-http §schema-extension,
    §custom-headers-from-tool-parameters.
    """
    named = {"x-mcp-header": {"type": "string"}}
    literal = {"type": "string", "default": {"x-mcp-header": ""}, "enum": [{"x-mcp-header": ""}]}
    assert annotated(schema(**named, a=literal)) == {}
    assert annotated("no schema") == {}


def test_a_reference_is_neither_followed_nor_fetched() -> None:
    """MCP 2026-07-28 basic §ref-resolution."""
    assert annotated(schema(a={"$ref": "http://127.0.0.1:9/schema.json"})) == {}

"""Header fields that mirror the body: read them strictly, and refuse a request that disagrees.

A gateway routes by `Mcp-Method`, `Mcp-Name` and `Mcp-Param-*` without reading the body; a server
that executes the body without comparing lets one request be two. Values outside plain ASCII travel
as `=?base64?...?=`, and only the canonical encoding counts. Pure; knows no cats and no sockets.
Next: `ladder.py`. MCP 2026-07-28 basic/transports/streamable-http §standard-request-headers.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Final

from catshop.protocol.http1.messages import Fields
from catshop.protocol.jsonrpc import RpcError

HEADER_MISMATCH: Final = -32020
"""MCP 2026-07-28 basic/transports/streamable-http §server-validation."""

NAMED_BY: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Which member of the params `Mcp-Name` mirrors. §standard-request-headers; the tasks extension
adds its own, MCP 2026-07-28 extensions/tasks §streamable-http-routing-headers.
"""

SAFE_INTEGER: Final = 2**53 - 1
"""The largest integer that an annotated argument may have, either way. §schema-extension."""

_SENTINEL = re.compile(r"=\?base64\?(.*)\?=")
_DECIMAL = re.compile(r"-?[0-9]+(?:\.0+)?")
_PLAIN = re.compile(r"[\x20-\x7e\t]*")


def mismatch(code: str, arrived: str) -> RpcError:
    """The refusal of a request whose fields and body disagree."""
    return RpcError(HEADER_MISMATCH, code, arrived=arrived)


def decode(value: str) -> str | None:
    """The text that a mirrored field stands for; None when its encoding is not canonical.

    §value-encoding: the markers are case-sensitive, the alphabet and the padding are strict.
    """
    if not _PLAIN.fullmatch(value):
        return None
    wrapped = _SENTINEL.fullmatch(value)
    if wrapped is None:
        return value
    payload = wrapped[1].encode("ascii")
    try:
        raw = base64.b64decode(payload, validate=True)
        return raw.decode("utf-8") if base64.b64encode(raw) == payload else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def single(fields: Fields, name: str, code: str) -> str:
    """The only value of a required field; missing or repeated is a mismatch."""
    values = fields.all(name)
    if len(values) != 1:
        raise mismatch(code, f"{name} came {len(values)} times")
    return values[0]


def check_name(method: str, params: Mapping[str, object], fields: Fields) -> None:
    """`Mcp-Name` is the body's name or uri, where the method has one. §standard-request-headers."""
    member = NAMED_BY.get(method)
    if member is None:
        return
    value = single(fields, "mcp-name", "E-MIRROR-03")
    named = decode(value)
    if named is None or named != params.get(member):
        raise mismatch("E-MIRROR-03", f"Mcp-Name {value[:80]!a}")


def annotated(schema: object) -> dict[tuple[str, ...], tuple[str, object]]:
    """Path of each property with an `x-mcp-header`, its name and its type. §schema-extension.

    Only chains of `properties` count; `$ref` is never followed.
    """
    return dict(_annotations((), schema))


def _annotations(
    path: tuple[str, ...], schema: object
) -> Iterator[tuple[tuple[str, ...], tuple[str, object]]]:
    if not isinstance(schema, Mapping):
        return
    name = schema.get("x-mcp-header")
    if path and isinstance(name, str):
        yield path, (name, schema.get("type"))
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        for key, below in properties.items():
            yield from _annotations((*path, str(key)), below)


def check_params(
    annotations: Mapping[tuple[str, ...], tuple[str, object]],
    arguments: Mapping[str, object],
    fields: Fields,
) -> None:
    """Each annotated argument and its field are both there and equal, or both absent.

    §server-behavior-for-custom-headers.
    """
    for path, (token, kind) in annotations.items():
        name = f"mcp-param-{token.lower()}"
        sent = fields.all(name)
        value = _at(arguments, path)
        if len(sent) > 1:
            raise mismatch("E-MIRROR-04", f"{name} came {len(sent)} times")
        if value is None and not sent:
            continue
        if value is None or not sent:
            there = "the field" if sent else "the argument"
            raise mismatch("E-MIRROR-04", f"only {there} {'.'.join(path)} is there")
        if not _agrees(decode(sent[0]), value, kind):
            raise mismatch("E-MIRROR-04", f"{name} {sent[0][:80]!a}")


def _at(arguments: Mapping[str, object], path: tuple[str, ...]) -> object:
    """The value at a property path, None when any step is missing."""
    here: object = arguments
    for key in path:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here


def _agrees(text: str | None, value: object, kind: object) -> bool:
    """Compare as the client was told to write it; integers numerically, so that 42.0 is 42."""
    if text is None:
        return False
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if kind == "integer" and isinstance(value, int | float) and value == int(value):
        same = _DECIMAL.fullmatch(text) is not None and text.partition(".")[0] == str(int(value))
        return same and abs(value) <= SAFE_INTEGER
    return text == str(value) if isinstance(value, str | int | float) else False

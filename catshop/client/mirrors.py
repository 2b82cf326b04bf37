"""What of a request's body is repeated in its header fields, and how it is written there.

`Mcp-Method` and `Mcp-Name` stand on every request; a tool may ask for more with `x-mcp-header` in
its schema, and a tool that asks wrongly is shown to nobody: `annotated` says why not. The server's
half of the same chapter is `catshop/protocol/mirrors.py`. Pure. Next: `envelope.py`.
MCP 2026-07-28 basic/transports/streamable-http §custom-headers-from-tool-parameters.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from catshop.client.errors import ClientError
from catshop.protocol.jsonrpc import Params

NAMED_BY: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Which member of the params `Mcp-Name` repeats. MCP 2026-07-28 basic/transports/streamable-http
§standard-request-headers; MCP 2026-07-28 extensions/tasks §streamable-http-routing-headers."""

ANNOTATION: Final = "x-mcp-header"
PRIMITIVE: Final = frozenset({"string", "integer", "boolean"})
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""token = 1*tchar. RFC 9110 §5.6.2."""

Path = tuple[str, ...]
"""The names that lead from the arguments to one value."""

_PLAIN = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
_SENTINEL = re.compile(r"=\?base64\?.*\?=")
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose members have names of the author's own, with a schema below each."""
_LITERAL = frozenset({"default", "const", "enum", "examples", ANNOTATION})
"""Keywords below which there is no schema."""


def encode(text: str) -> str:
    """The field value that stands for `text`; in Base64 where plain text would be changed or taken
    for Base64.

    MCP 2026-07-28 basic/transports/streamable-http §value-encoding.
    """
    if _PLAIN.fullmatch(text) and not _SENTINEL.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8')).decode('ascii')}?="


def standard(method: str, params: Params) -> dict[str, str]:
    """`Mcp-Method`, and `Mcp-Name` where the method has one.

    MCP 2026-07-28 basic/transports/streamable-http §standard-request-headers.
    """
    named = params.get(NAMED_BY.get(method, ""))
    name = {"Mcp-Name": encode(named)} if isinstance(named, str) else {}
    return {"Mcp-Method": method, **name}


def custom(names: Mapping[Path, str], arguments: Params) -> dict[str, str]:
    """`Mcp-Param-*` of a call: one field for each annotated argument that is there and not null.

    MCP 2026-07-28 basic/transports/streamable-http §client-behavior.
    """
    found = {name: _text(_at(arguments, path)) for path, name in names.items()}
    return {f"Mcp-Param-{name}": encode(text) for name, text in found.items() if text is not None}


def _at(arguments: Params, path: Path) -> object:
    here: object = arguments
    for name in path:
        here = here.get(name) if isinstance(here, Mapping) else None
    return here


def _text(value: object) -> str | None:
    """A primitive value as text; None for null and for what no field can carry."""
    match value:
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case int() | str():
            return str(value)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Annotation:
    """One `x-mcp-header`: where it stands, what it says, and the type of what it stands on."""

    path: Path
    """Empty where no chain of `properties` leads there."""
    name: object
    kind: object


class InvalidAnnotation(ClientError):
    """The tool asks for a header field that cannot be, so the tool is not to be used."""


def annotated(schema: object) -> dict[Path, str]:
    """The annotated arguments and their names. InvalidAnnotation where the rules are broken.

    MCP 2026-07-28 basic/transports/streamable-http §schema-extension.
    """
    found = list(_walk(schema, ()))
    for check in CHECKS:
        check(found)
    return {each.path: str(each.name) for each in found}


def _walk(schema: object, path: Path | None) -> Iterator[Annotation]:
    """Every annotation, wherever it stands. No `$ref` is followed, and none is fetched."""
    if isinstance(schema, Mapping):
        if ANNOTATION in schema:
            yield Annotation(path or (), schema[ANNOTATION], schema.get("type"))
        for keyword, below in schema.items():
            for each, where in _below(str(keyword), below, path):
                yield from _walk(each, where)
    elif isinstance(schema, list):
        for each in schema:
            yield from _walk(each, None)


def _below(keyword: str, value: object, path: Path | None) -> Iterator[tuple[object, Path | None]]:
    """The schemas that a keyword holds, each with the way to it; only `properties` is a way."""
    if keyword in _LITERAL:
        return
    if not (isinstance(value, Mapping) and keyword in _NAMED):
        yield value, None
        return
    for name, each in value.items():
        leads = path is not None and keyword == "properties"
        yield each, (*(path or ()), str(name)) if leads else None


def is_named(found: list[Annotation]) -> None:
    """A name is text and not empty."""
    for each in found:
        if not isinstance(each.name, str) or not each.name:
            raise InvalidAnnotation("E-ANNOTATION-01", ascii(each.name)[:80])


def is_token(found: list[Annotation]) -> None:
    """A name can stand in the name of a field: no space, colon, control or non-ASCII character."""
    for each in found:
        if not TOKEN.fullmatch(str(each.name)):
            raise InvalidAnnotation("E-ANNOTATION-02", ascii(each.name)[:80])


def is_unique(found: list[Annotation]) -> None:
    """No two names are the same field, whose name has no case."""
    seen: set[str] = set()
    for each in found:
        if str(each.name).lower() in seen:
            raise InvalidAnnotation("E-ANNOTATION-03", ascii(each.name)[:80])
        seen.add(str(each.name).lower())


def is_primitive(found: list[Annotation]) -> None:
    """What is annotated is a string, an integer or a boolean."""
    for each in found:
        if not isinstance(each.kind, str) or each.kind not in PRIMITIVE:
            raise InvalidAnnotation("E-ANNOTATION-04", f"{each.name} on {each.kind!a}"[:80])


def is_reachable(found: list[Annotation]) -> None:
    """Only `properties` lead from the root to what is annotated."""
    for each in found:
        if not each.path:
            raise InvalidAnnotation("E-ANNOTATION-05", ascii(each.name)[:80])


CHECKS: Final[tuple[Callable[[list[Annotation]], None], ...]] = (
    is_named,
    is_token,
    is_unique,
    is_primitive,
    is_reachable,
)
"""In the order of the specification."""

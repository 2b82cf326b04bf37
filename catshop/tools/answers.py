"""From what a tool returns to what `tools/call` answers: structured content, and the same as text.

A list becomes `{"result": [...]}` with one text block for each element, anything else one object
with one text block. A failure has `isError` and keeps `{"error": ...}` in its structured content,
so that programs and models read the same. MCP 2026-07-28 server/tools §structured-content.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from mcp_types import CallToolResult, ContentBlock, TextContent
from pydantic import ConfigDict

from catshop.tools.faults import ToolFault

Json = dict[str, object]
Answer = Json | list[Json] | CallToolResult
"""What a tool may return."""

CODE: Final = "catshop/code"
"""Where a failed result names its code of the catalogue, in `_meta`."""


class Kept(CallToolResult):
    """An answer that will be given again: it never changes, so the transport may encode it once."""

    model_config = ConfigDict(frozen=True)


def many(items: Sequence[Json], kind: type[CallToolResult] = CallToolResult) -> CallToolResult:
    """The answer of a tool that lists. An empty list says `[]`, for a reader of the text alone."""
    content: list[ContentBlock] = [_text(item) for item in items] or [_text([])]
    return kind(content=content, structured_content={"result": list(items)})


def single(item: Json, kind: type[CallToolResult] = CallToolResult) -> CallToolResult:
    """The answer of a tool that returns one thing."""
    return kind(content=[_text(item)], structured_content=item)


def result(answer: Answer) -> CallToolResult:
    """Whatever a tool returned, as a result."""
    match answer:
        case CallToolResult():
            return answer
        case list():
            return many(answer)
        case _:
            return single(answer)


def failed(fault: ToolFault) -> CallToolResult:
    """A failure that a model can read and act on."""
    item: Json = {"error": fault.text, **fault.extra}
    return CallToolResult(
        content=[_text(item)],
        structured_content=item,
        is_error=True,
        _meta={CODE: fault.code},
    )


def _text(value: object) -> TextContent:
    return TextContent(type="text", text=json.dumps(value, ensure_ascii=False))

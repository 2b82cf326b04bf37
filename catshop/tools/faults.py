"""How a tool says no: in words that a model can act on, named by a code of the catalogue.

Logic raises; `answers.failed` is the one door that turns a fault into a result. What no tool could
answer, because there is none, is a JSON-RPC error instead, and `refusal` words it.
"""

from __future__ import annotations

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from catshop.catalogue import explain


class ToolFault(Exception):
    """The tool cannot do what was asked. MCP 2026-07-28 server/tools §error-handling.

    `text` is what the model reads, by default the catalogue's title; `extra` are further members
    of the structured answer that help it to go on.
    """

    def __init__(self, code: str, text: str | None = None, /, **extra: object) -> None:
        self.code = code
        self.text = explain(code).title if text is None else text
        self.extra = extra
        super().__init__(f"{code}: {self.text}")


def refusal(code: str, arrived: str, rpc: int = INVALID_PARAMS, /, **data: object) -> MCPError:
    """The JSON-RPC error for a name or an argument that means nothing here."""
    words = explain(code)
    told = {
        "code": words.code,
        "arrived": arrived,
        "expected": words.expected,
        "section": words.section,
        "fix": words.fix,
    }
    return MCPError(rpc, f"{words.title}: {arrived}", {**told, **data})

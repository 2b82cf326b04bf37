"""How a tool says no: in words that a model can act on, named by a code of the catalogue.

Logic raises; `answers.failed` is the one door that turns a fault into a result.
"""

from __future__ import annotations

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

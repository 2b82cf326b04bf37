"""What a server may ask of its client: a form to fill in, a sample of a model, the user's folders.

Whoever uses the client says with `Handlers` what it can answer, and only that is declared; a server
that asks for more is refused. A form starts from the defaults of its schema. It makes no difference
here whether the question came as a request of the handshake era, inside a result, or with a task.
Next: `tasks.py`. MCP 2026-07-28 client/elicitation §capabilities.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from catshop.client.errors import ClientError
from catshop.protocol.jsonrpc import Params

Handler = Callable[[Params], Awaitable[Params]]
"""The params of a question -> its result."""

ELICIT: Final = "elicitation/create"
SAMPLE: Final = "sampling/createMessage"
ROOTS: Final = "roots/list"


class NotDeclared(ClientError):
    """The server asks for what this client has not said that it can do."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """Who answers which question; None where nobody does."""

    elicit: Handler | None = None
    sample: Handler | None = None
    roots: Handler | None = None

    @property
    def capabilities(self) -> dict[str, object]:
        """What we declare; an elicitation with nothing in it means forms.

        MCP 2026-07-28 client/elicitation §capabilities.
        """
        can = {"elicitation": self.elicit, "sampling": self.sample, "roots": self.roots}
        return {name: {} for name, handler in can.items() if handler is not None}

    async def answer(self, method: str, params: Params) -> Params:
        """The result for one question. NotDeclared when we never said that we answer it."""
        known = {ELICIT: self.elicit, SAMPLE: self.sample, ROOTS: self.roots}
        handler = known.get(method)
        if handler is None or params.get("mode", "form") != "form":
            raise NotDeclared("E-SERVER-07", ascii(method)[:80])
        return await handler(params)

    async def answer_all(self, requests: Mapping[str, Params]) -> dict[str, Params]:
        """The answers by the keys of the questions, one after the other, as people answer.

        MCP 2026-07-28 basic/patterns/mrtr §inputresponses.
        """
        answers: dict[str, Params] = {}
        for key, request in requests.items():
            params = request.get("params")
            given = params if isinstance(params, Mapping) else {}
            answers[key] = await self.answer(str(request.get("method")), given)
        return answers


def defaults(params: Params) -> dict[str, object]:
    """What the form of an elicitation holds before anybody has typed.

    MCP 2025-11-25 client/elicitation §requested-schema: clients pre-populate forms with defaults.
    """
    schema = params.get("requestedSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return {}
    return {
        name: each["default"]
        for name, each in properties.items()
        if isinstance(each, Mapping) and "default" in each
    }


def accepted(params: Params, content: Params | None = None) -> dict[str, object]:
    """The user agrees: the form's defaults, and over them what was typed.

    MCP 2026-07-28 client/elicitation §response-actions.
    """
    return {"action": "accept", "content": {**defaults(params), **(content or {})}}


DECLINED: Final[Params] = {"action": "decline"}
"""The user said no. MCP 2026-07-28 client/elicitation §response-actions."""

CANCELLED: Final[Params] = {"action": "cancel"}
"""The user said neither. MCP 2026-07-28 client/elicitation §response-actions."""

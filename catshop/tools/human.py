"""The human behind the client, and how a tool asks whether to go on.

A client that can put a form before its user is asked, in the way of its era: in the stateless one
the call ends with the question and comes again with the answer, in the one before the question
travels on the call's own stream. A tool sees none of this; it awaits `agrees` with what it is about
to do, and the answer counts for exactly that. Next: `orders.py`, which asks.
MCP 2026-07-28 basic/patterns/mrtr, client/elicitation.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    ClientCapabilities,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    InputResponseRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

CONFIRM: Final = "confirm"
"""The question, among the input requests; and the one field of its form."""

FORM: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {CONFIRM: {"type": "boolean", "title": "Yes, go ahead"}},
    "required": [CONFIRM],
}


class Human(Protocol):
    """Whoever has the last word."""

    async def agrees(self, question: str, about: str) -> bool:
        """Whether the human agrees to what `about` identifies; True when there is no way to ask.

        May raise `AnswerNeeded`, which ends the call; the tool is then called again from the start.
        """
        ...


class AnswerNeeded(Exception):
    """The call cannot go on without an answer. MCP 2026-07-28 basic/patterns/mrtr §basic-workflow.

    What the answer will be about comes back with it, sealed by the protocol plane.
    """

    def __init__(self, question: str, about: str) -> None:
        super().__init__(question)
        asked = ElicitRequestFormParams(message=question, requested_schema=FORM)
        self.result = InputRequiredResult(
            input_requests={CONFIRM: ElicitRequest(params=asked)}, request_state=about
        )


class Nobody:
    """No way to ask: that a tool was called is the user's word, for which the client answers."""

    async def agrees(self, question: str, about: str) -> bool:
        """Yes."""
        return True


NOBODY: Final = Nobody()


class Later:
    """Asks by ending the call; the answer comes with the next one. MCP 2026-07-28."""

    def __init__(self, params: InputResponseRequestParams) -> None:
        self._answer = (params.input_responses or {}).get(CONFIRM)
        self._about = params.request_state

    async def agrees(self, question: str, about: str) -> bool:
        """What came with this call, if it is about the same; else the question goes out (again)."""
        answer = read(self._answer) if self._about == about else None
        if answer is None:
            raise AnswerNeeded(question, about)
        return answer


class OnTheLine:
    """Asks while the call waits. MCP 2025-11-25 client/elicitation."""

    def __init__(self, ctx: ServerRequestContext[Any]) -> None:
        self._ctx = ctx

    async def agrees(self, question: str, about: str) -> bool:
        """The answer; a client that fails to bring one has brought no agreement."""
        try:
            answer = await self._ctx.session.elicit_form(question, FORM, self._ctx.request_id)
        except (MCPError, TimeoutError, ValueError):
            return False
        return read(answer) or False


class Caller:
    """Whoever sits before the client that called.

    Most tools ask nobody, so what the client can do is looked up when one does.
    """

    def __init__(self, ctx: ServerRequestContext[Any], params: InputResponseRequestParams) -> None:
        self._ctx = ctx
        self._params = params

    async def agrees(self, question: str, about: str) -> bool:
        """The answer, by the way that this client and its revision have."""
        return await self._way().agrees(question, about)

    def _way(self) -> Human:
        session = self._ctx.session
        if not shows_forms(session.client_capabilities):
            return NOBODY
        if self._ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return Later(self._params)
        return OnTheLine(self._ctx) if session.can_send_request else NOBODY


def shows_forms(client: ClientCapabilities | None) -> bool:
    """Whether the client can ask its user. MCP 2026-07-28 client/elicitation §capabilities.

    A capability with nothing in it means forms.
    """
    can = client.elicitation if client else None
    return can is not None and (can.form is not None or can.url is None)


def read(answer: object) -> bool | None:
    """Yes or no; None for what is neither, and has to be asked again."""
    if not isinstance(answer, ElicitResult):
        return None
    if answer.action != "accept":
        return False
    said = (answer.content or {}).get(CONFIRM)
    return said if isinstance(said, bool) else None

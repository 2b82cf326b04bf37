"""What the protocol plane asks of others: who calls, and may they.

Verbs only; `app` brings the OAuth plane's answers. Everything else that a conversation needs
(sessions, event logs, requests in flight) the plane keeps for itself. Next: `endpoint.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from catshop.kernel import Principal
from catshop.protocol.http1.messages import Request


class Gate(Protocol):
    """What stands between a request and its handler."""

    async def authenticate(self, request: Request) -> Principal:
        """Who presents the request. HttpError 401 with a challenge (RFC 9728 §5.1) otherwise."""
        ...

    def authorize(self, principal: Principal, method: str, params: Mapping[str, object]) -> None:
        """Let the call pass, or raise HttpError 403 naming every scope that it needs.

        MCP 2026-07-28 basic/authorization §scope-challenge-handling.
        """
        ...

    async def still_good(self, principal: Principal) -> bool:
        """Whether the token behind `principal` is neither expired nor revoked by now."""
        ...

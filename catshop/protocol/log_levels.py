"""The logging feature: a session says with `logging/setLevel` how loud it wants its log messages.

Since 2026-07-28 there is no such method: each request says it in its envelope, and one that says
nothing hears nothing. Who decides in both eras is `connections.HostedSession`; this only switches
the method on, and with it the `logging` capability. Next: `connections.py`.
MCP 2025-11-25 server/utilities/logging, MCP 2026-07-28 server/utilities/logging.
"""

from __future__ import annotations

from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import EmptyResult, SetLevelRequestParams

from catshop.protocol.connections import hosted


class LogLevels:
    """Lets the clients of a server say how loud it may be."""

    def install(self, server: Server[Any]) -> None:
        """Serve `logging/setLevel`."""
        server.add_request_handler("logging/setLevel", SetLevelRequestParams, self._set_level)

    async def _set_level(
        self, ctx: ServerRequestContext[Any, Any], params: SetLevelRequestParams
    ) -> EmptyResult:
        """From now on, in this session. §setting-log-level."""
        hosted(ctx).set_log_level(params.level)
        return EmptyResult()

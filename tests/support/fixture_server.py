"""A low-level `Server` with one tool for each thing that a handler can do to its transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ElicitRequestedSchema,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)

Context = ServerRequestContext[Any, Any]

MIRRORED = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
}


def said(text: str) -> CallToolResult:
    """A result that says something."""
    return CallToolResult(content=[TextContent(type="text", text=text)])


@dataclass
class Fixture:
    """The server, and the events by which a test watches and moves its handlers."""

    entered: anyio.Event = field(default_factory=anyio.Event)
    release: anyio.Event = field(default_factory=anyio.Event)
    cancelled: anyio.Event = field(default_factory=anyio.Event)
    finished: anyio.Event = field(default_factory=anyio.Event)
    calls: list[str] = field(default_factory=list)

    def build(self) -> Server[Any]:
        """The server."""
        schemas = {"mirrored": MIRRORED}
        return Server(
            "fixture",
            version="1",
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            get_tool_input_schema=schemas.get,
        )

    async def list_tools(
        self, _ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        """All of them."""
        names = ("echo", "progress", "wait", "ask", "leave", "bug", "refuse", "mirrored", "who")
        return ListToolsResult(
            tools=[Tool(name=name, input_schema={"type": "object"}) for name in names]
        )

    async def call_tool(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        """Do what the tool of that name does."""
        self.calls.append(params.name)
        tool = getattr(self, params.name)
        result: CallToolResult = await tool(ctx, params.arguments or {})
        return result

    async def echo(self, _ctx: Context, arguments: dict[str, Any]) -> CallToolResult:
        """Say it back."""
        return said(str(arguments.get("text", "")))

    mirrored = echo

    async def who(self, ctx: Context, _arguments: dict[str, Any]) -> CallToolResult:
        """Say who calls."""
        return said(str(ctx.request.principal.subject if ctx.request else None))

    async def progress(self, ctx: Context, arguments: dict[str, Any]) -> CallToolResult:
        """Report three steps; between the second and the third wait to be released."""
        for step in (1, 2):
            await ctx.session.report_progress(step, 3)
        if arguments.get("hold"):
            self.entered.set()
            await self.release.wait()
        await ctx.session.report_progress(3, 3)
        self.finished.set()
        return said("done")

    async def wait(self, ctx: Context, arguments: dict[str, Any]) -> CallToolResult:
        """Wait until released or cancelled; as a stream if it is asked to."""
        if arguments.get("stream"):
            await ctx.session.report_progress(0)
        self.entered.set()
        try:
            await self.release.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled.set()
            raise
        return said("released")

    async def ask(self, ctx: Context, _arguments: dict[str, Any]) -> CallToolResult:
        """Ask the user something on this call's stream."""
        schema: ElicitRequestedSchema = {"type": "object", "properties": {}}
        answer = await ctx.session.elicit_form("Really?", schema, related_request_id=ctx.request_id)
        return said(answer.action)

    async def crowd(self, ctx: Context, _arguments: dict[str, Any]) -> CallToolResult:
        """Report three steps at once."""
        async with anyio.create_task_group() as tasks:
            for step in (1, 2, 3):
                tasks.start_soon(ctx.session.report_progress, step, 3)
        return said("done")

    async def late(self, ctx: Context, _arguments: dict[str, Any]) -> CallToolResult:
        """Say nothing until released, then report one step."""
        self.entered.set()
        await self.release.wait()
        await ctx.session.report_progress(1, 1)
        self.finished.set()
        return said("kept")

    async def busy(self, ctx: Context, _arguments: dict[str, Any]) -> CallToolResult:
        """Report step after step until released."""
        step = 0
        while not self.release.is_set():
            step += 1
            await ctx.session.report_progress(step)
            self.entered.set()
            await anyio.lowlevel.checkpoint()
        self.finished.set()
        return said("done")

    async def leave(self, ctx: Context, _arguments: dict[str, Any]) -> CallToolResult:
        """Close the connection, and answer later."""
        assert ctx.close_sse_stream is not None
        await ctx.close_sse_stream()
        self.entered.set()
        await self.release.wait()
        return said("later")

    async def bug(self, _ctx: Context, _arguments: dict[str, Any]) -> CallToolResult:
        """Fail in a way that nobody planned."""
        raise RuntimeError("secret inside")

    async def refuse(self, _ctx: Context, _arguments: dict[str, Any]) -> CallToolResult:
        """Refuse with an error of the handler's own."""
        raise MCPError(-31000, "no cats today", {"why": "moon"})

    async def need(self, _ctx: Context, _arguments: dict[str, Any]) -> CallToolResult:
        """Need what the client did not say it has."""
        required = {"requiredCapabilities": {"elicitation": {}}}
        raise MCPError(-32021, "elicitation is needed", required)

"""The shop as an MCP server: the SDK's low-level `Server` with two handlers written by hand.

It knows nothing of HTTP, of tokens or of sessions: who calls stands in the request context, where
whatever hosts the server has put it. What does not change is built once, here.
MCP 2026-07-28 server/tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from pydantic import ConfigDict

from catshop.catalogue import explain
from catshop.kernel import Call, Verdict
from catshop.tools.answers import failed, result
from catshop.tools.arguments import did_you_mean, show
from catshop.tools.composition import tools
from catshop.tools.faults import ToolFault
from catshop.tools.registry import Identity, ToolSpec
from catshop.tools.shop import Shop, ToolCall

INSTRUCTIONS: Final = (
    "A shop for cats and their people. Browse with list_products and search_products, fill the"
    " user's cart with add_to_cart, show it with view_cart, and order with checkout when the user"
    " has agreed. Prices are in dollars."
)

FRESH_MILLISECONDS: Final = 60_000
"""For so long a client may use the list of tools without asking again."""


class Listed(ListToolsResult):
    """The list of tools, the same for everybody until the next start: it is encoded once."""

    model_config = ConfigDict(frozen=True)


def build_server(
    shop: Shop, *, version: str, specs: Mapping[str, ToolSpec] | None = None
) -> Server[Any]:
    """The shop's server, with the tools of `composition` unless others are given."""
    served = tools() if specs is None else specs
    listed = Listed(
        tools=[spec.listed() for spec in served.values()],
        ttl_ms=FRESH_MILLISECONDS,
        cache_scope="public",
    )

    async def on_list_tools(
        _ctx: ServerRequestContext[Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return listed

    async def on_call_tool(
        ctx: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        spec = _known(served, params.name, shop)
        try:
            answer = await _serve(spec, shop, ctx, params.arguments or {})
        except ToolFault as fault:
            shop.trace.check(f"tool.{spec.name}", Verdict.NO, code=fault.code, said=fault.text)
            return failed(fault)
        if shop.trace.observed:
            shop.trace.check(f"tool.{spec.name}", Verdict.OK)
        return answer

    server: Server[Any] = Server(
        "Cat Shop",
        version=version,
        title="Cat Shop",
        instructions=INSTRUCTIONS,
        cache_hints={"server/discover": CacheHint(FRESH_MILLISECONDS, "public")},
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
    )
    # The SDK's default is a span for each message, which costs a tenth of a call even when nobody
    # collects it; what a call did is told to `kernel.Trace` instead.
    server.middleware.clear()
    return server


async def _serve(
    spec: ToolSpec, shop: Shop, ctx: ServerRequestContext[Any], given: Mapping[str, Any]
) -> CallToolResult:
    """One call, in order: who, with what, and then what it does."""
    principal = ctx.request.principal if isinstance(ctx.request, Call) else None
    call = ToolCall(shop, principal, ctx.session)
    if spec.identity is Identity.USER:
        _ = call.user
    return result(await spec.run(call, **spec.arguments.read(given)))


def _known(served: Mapping[str, ToolSpec], name: str, shop: Shop) -> ToolSpec:
    """The tool of that name; a JSON-RPC error, because no tool could answer instead."""
    spec = served.get(name)
    if spec is None:
        words = explain("E-TOOL-01")
        shop.trace.check("tool.known", Verdict.NO, arrived=show(name), expected=words.expected)
        raise MCPError(
            INVALID_PARAMS,
            f"{words.title}: {show(name)}{did_you_mean(name, served)}",
            {
                "code": words.code,
                "arrived": show(name),
                "expected": words.expected,
                "section": words.section,
                "fix": words.fix,
            },
        )
    return spec

"""The shop as an MCP server: the SDK's low-level `Server` with its handlers written by hand.

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
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)
from pydantic import ConfigDict

from catshop.kernel import Call, Verdict
from catshop.tools import completion, prompts, resources
from catshop.tools.answers import failed, result
from catshop.tools.arguments import did_you_mean, show
from catshop.tools.composition import tools
from catshop.tools.faults import ToolFault, refusal
from catshop.tools.human import NOBODY, AnswerNeeded, Caller, Human
from catshop.tools.registry import Identity, ToolSpec
from catshop.tools.shop import Shop, ToolCall

Context = ServerRequestContext[Any]

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
    counter = Counter(shop, served)
    server: Server[Any] = Server(
        "Cat Shop",
        version=version,
        title="Cat Shop",
        instructions=INSTRUCTIONS,
        cache_hints={"server/discover": CacheHint(FRESH_MILLISECONDS, "public")},
        get_tool_input_schema=lambda name: served[name].input_schema if name in served else None,
        on_list_tools=counter.list_tools,
        on_call_tool=counter.call_tool,
        on_list_resources=counter.list_resources,
        on_list_resource_templates=counter.list_resource_templates,
        on_read_resource=counter.read_resource,
        on_list_prompts=counter.list_prompts,
        on_get_prompt=counter.get_prompt,
        on_completion=counter.complete,
    )
    # The SDK's default is a span for each message, which costs a tenth of a call even when nobody
    # collects it; what a call did is told to `kernel.Trace` instead.
    server.middleware.clear()
    return server


class Counter:
    """Where requests are served: a handler for each method, thin in front of what it asks."""

    def __init__(self, shop: Shop, served: Mapping[str, ToolSpec]) -> None:
        self._shop = shop
        self._served = served
        self._listed = Listed(
            tools=[spec.listed() for spec in served.values()],
            ttl_ms=FRESH_MILLISECONDS,
            cache_scope="public",
        )

    async def list_tools(
        self, _ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        """Every tool, the same for everybody."""
        return self._listed

    async def call_tool(
        self, ctx: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        """What the tool answers, a failure that a model can read, or a question to the human."""
        spec, trace = _known(self._served, params.name, self._shop), self._shop.trace
        try:
            answer = await _serve(spec, self._asked(ctx, Caller(ctx, params)), params)
        except AnswerNeeded as needed:
            return needed.result
        except ToolFault as fault:
            told = {"code": fault.code, "said": fault.text}
            trace.check(f"tool.{spec.name}", Verdict.NO, by=fault, **told)
            return failed(fault)
        if trace.observed:
            trace.check(f"tool.{spec.name}", Verdict.OK)
        return answer

    async def list_resources(
        self, ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        """What this caller can read; never kept, because the next caller may have no cart."""
        found = await resources.listed(self._asked(ctx))
        return ListResourcesResult(resources=list(found), ttl_ms=0, cache_scope="private")

    async def list_resource_templates(
        self, _ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        """The shapes of the URIs."""
        return ListResourceTemplatesResult(
            resource_templates=list(resources.TEMPLATES),
            ttl_ms=FRESH_MILLISECONDS,
            cache_scope="public",
        )

    async def read_resource(
        self, ctx: Context, params: ReadResourceRequestParams
    ) -> ReadResourceResult:
        """One resource."""
        return await resources.read(self._asked(ctx), params.uri, ctx.protocol_version)

    async def list_prompts(
        self, ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListPromptsResult:
        """What this caller can ask for."""
        found = [spec.listed() for spec in prompts.offered(self._asked(ctx)).values()]
        return ListPromptsResult(prompts=found, ttl_ms=FRESH_MILLISECONDS, cache_scope="private")

    async def get_prompt(self, ctx: Context, params: GetPromptRequestParams) -> GetPromptResult:
        """One prompt, written for its arguments."""
        return await prompts.get(self._asked(ctx), params.name, params.arguments or {})

    async def complete(self, ctx: Context, params: CompleteRequestParams) -> CompleteResult:
        """Suggestions for one argument."""
        return await completion.complete(self._asked(ctx), params)

    def _asked(self, ctx: Context, human: Human = NOBODY) -> ToolCall:
        """What may be known of the request: who asks, and in which shop."""
        principal = ctx.request.principal if isinstance(ctx.request, Call) else None
        return ToolCall(self._shop, principal, ctx.session, human)


async def _serve(spec: ToolSpec, call: ToolCall, params: CallToolRequestParams) -> CallToolResult:
    """One call, in order: who, with what, and then what it does."""
    if spec.identity is Identity.USER:
        _ = call.user
    return result(await spec.run(call, **spec.arguments.read(params.arguments or {})))


def _known(served: Mapping[str, ToolSpec], name: str, shop: Shop) -> ToolSpec:
    """The tool of that name; a JSON-RPC error, because no tool could answer instead."""
    spec = served.get(name)
    if spec is None:
        shop.trace.check("tool.known", Verdict.NO, arrived=show(name))
        raise refusal("E-TOOL-01", f"{show(name)}{did_you_mean(name, served)}")
    return spec

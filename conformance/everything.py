"""The fixture: a low-level `Server` that has everything the official suite asks for.

It is another server on the same transport: what is written here are tools, prompts and resources;
all else, from the octets to the streams, is `catshop.protocol`, which has never heard of it. The
suite names them all, so the names are not ours. Next: `fixture/`, `host.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, get_args

from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    ListToolsResult,
    PaginatedRequestParams,
)

from catshop.kernel import Changes
from conformance.fixture import asking, content, jobs, prompts, resources, rounds
from conformance.fixture.registry import Answer, Context, Schema

TOOLS: Final = {
    each.listed.name: each for module in (content, asking, rounds, jobs) for each in module.TOOLS
}


async def on_list_tools(ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
    """All of them, in the same order every time."""
    return ListToolsResult(tools=[tool.listed for tool in TOOLS.values()])


async def on_call_tool(ctx: Context, params: CallToolRequestParams) -> Answer:
    """What the tool of that name answers."""
    tool = TOOLS.get(params.name)
    if tool is None:
        raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
    answer: Answer = await tool.run(ctx, params)
    return answer


def input_schema(name: str) -> Schema | None:
    """The schema of the tool of that name, for the header fields that mirror arguments."""
    tool = TOOLS.get(name)
    return None if tool is None else tool.listed.input_schema


def build_server(changes: Changes) -> Server[Changes]:
    """The server; its tools publish `changes`."""

    @asynccontextmanager
    async def lifespan(_server: Server[Changes]) -> AsyncIterator[Changes]:
        yield changes

    return Server(
        "Everything",
        version="1",
        lifespan=lifespan,
        cache_hints={method: CacheHint(60_000, "public") for method in get_args(CacheableMethod)},
        get_tool_input_schema=input_schema,
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
        on_list_resources=resources.on_list_resources,
        on_list_resource_templates=resources.on_list_resource_templates,
        on_read_resource=resources.on_read_resource,
        on_list_prompts=prompts.on_list_prompts,
        on_get_prompt=prompts.on_get_prompt,
        on_completion=prompts.on_completion,
    )

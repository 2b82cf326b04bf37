"""The Python SDK's own server, of the 1.x line, which knows the handshake era alone.

`http` prints its address first; `http own` is its own authorization server; `stdio` is a pipe.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import uvicorn
from mcp import types
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.fastmcp import Context, FastMCP
from provider import SCOPES, Demo, Events, listening
from pydantic import AnyHttpUrl, AnyUrl, BaseModel, Field

MIA = AnyUrl("cats://mia")
given_up = [anyio.Event()]


class Bed(BaseModel):
    """A form with defaults."""

    size: str = Field(default="large")
    soft: bool = Field(default=True)


class Sum(BaseModel):
    """Structured content."""

    sum: int


def add(a: int, b: int) -> Sum:
    """Add two numbers."""
    return Sum(sum=a + b)


async def count(steps: int, ctx: Context) -> str:
    """Count, and say how far."""
    for step in range(1, steps + 1):
        await ctx.report_progress(step, steps, f"step {step}")
    return "counted"


async def order(ctx: Context) -> str:
    """Order a bed."""
    bed = await ctx.elicit("Which bed?", Bed)
    return f"{bed.data.size} {bed.data.soft}"


async def haiku(ctx: Context) -> str:
    """What the model says."""
    text = types.TextContent(type="text", text="A haiku, please.")
    asked = [types.SamplingMessage(role="user", content=text)]
    said = await ctx.session.create_message(asked, max_tokens=9, related_request_id=ctx.request_id)
    return str(said.content.text)


async def folders(ctx: Context) -> str:
    """Where the user works; this SDK asks on the session's own stream."""
    return " ".join(str(root.uri) for root in (await ctx.session.list_roots()).roots)


async def wait(ctx: Context) -> str:
    """Never ends by itself."""
    given_up[0] = anyio.Event()
    await ctx.report_progress(1)
    try:
        await anyio.sleep_forever()
    finally:
        given_up[0].set()
    return ""


async def was_given_up() -> str:
    """Ends once `wait` was cancelled."""
    await given_up[0].wait()
    return "given up"


async def touch(ctx: Context) -> str:
    """Change a cat."""
    await ctx.session.send_resource_updated(MIA)
    return "touched"


async def leave(ctx: Context) -> str:
    """Close the stream, and answer later."""
    await ctx.close_sse_stream()
    return "later"


TOOLS: tuple[Callable[..., Sum | Awaitable[str]], ...] = (
    add,
    count,
    order,
    haiku,
    folders,
    wait,
    was_given_up,
    touch,
    leave,
)


async def subscribed(_uri: AnyUrl) -> None:
    """Anybody is told of everything."""


def build(**auth: Any) -> FastMCP:
    """The server, without anything that our journeys do not need."""
    server = FastMCP("sdk-1", log_level="CRITICAL", event_store=Events(), retry_interval=10, **auth)
    for tool in TOOLS:
        server.tool()(tool)
    server._mcp_server.subscribe_resource()(subscribed)
    server._mcp_server.unsubscribe_resource()(subscribed)

    @server.resource(str(MIA))
    def mia() -> str:
        return "Mia sleeps."

    @server.resource("cats://{name}/photo")
    def photo(name: str) -> str:
        return f"{name}, in ASCII."

    @server.prompt()
    def greet(name: str) -> str:
        return f"Say hello to {name}."

    return server


def guarded(base: str, own: str = "") -> dict[str, Any]:
    """How the server is guarded, in the SDK's own words."""
    if not own:
        return {}
    registration = ClientRegistrationOptions(
        enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES
    )
    settings = AuthSettings(
        issuer_url=AnyHttpUrl(base),
        resource_server_url=AnyHttpUrl(f"{base}/mcp"),
        required_scopes=["cats"],
        client_registration_options=registration,
        revocation_options=RevocationOptions(enabled=True),
    )
    return {"auth": settings, "auth_server_provider": Demo()}


def main(way: str, *auth: str) -> None:
    """Serve until killed."""
    if way == "stdio":
        build().run()
        return
    listener, base = listening()
    config = uvicorn.Config(
        build(**guarded(base, *auth)).streamable_http_app(), log_level="critical", lifespan="on"
    )
    anyio.run(uvicorn.Server(config).serve, [listener])


main(*sys.argv[1:])

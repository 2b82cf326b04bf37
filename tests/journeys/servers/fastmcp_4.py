"""FastMCP 4: both eras at one address, or on a pipe.

`http` prints its address first; `http own` is its own authorization server, FastMCP's in memory;
`http ISSUER` is FastMCP's RemoteAuthProvider, which points to another and asks that about each
token; `http proxy ISSUER CLIENT SECRET` is its OAuthProxy before another.
"""

from __future__ import annotations

import sys
from typing import Any

import anyio
import uvicorn
from fastmcp import Context, FastMCP
from fastmcp.server.auth import OAuthProxy, RemoteAuthProvider
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from fastmcp.server.auth.providers.introspection import IntrospectionTokenVerifier
from fastmcp.server.dependencies import get_access_token
from fastmcp.server.event_store import EventStore
from key_value.aio.stores.memory import MemoryStore
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)
from provider import SCOPES, listening
from pydantic import AnyHttpUrl, BaseModel, Field

given_up = [anyio.Event()]
MODERN = "2026-07-28"


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


def is_modern(ctx: Context) -> bool:
    """Whether there is no asking in the middle of a call."""
    return ctx.request_context is not None and ctx.request_context.protocol_version >= MODERN


async def order(ctx: Context) -> str | InputRequiredResult:
    """Order a bed."""
    if not is_modern(ctx):
        answer = await ctx.elicit("Which bed?", Bed)
        return f"{answer.data.size} {answer.data.soft}"
    if not ctx.input_responses:
        form = ElicitRequestFormParams(
            message="Which bed?", requestedSchema=Bed.model_json_schema()
        )
        return InputRequiredResult(input_requests={"bed": ElicitRequest(params=form)})
    bed = Bed.model_validate(ctx.input_responses["bed"].content)
    return f"{bed.size} {bed.soft}"


async def haiku(ctx: Context) -> str | InputRequiredResult:
    """What the model says."""
    text = TextContent(type="text", text="A haiku, please.")
    asked = [SamplingMessage(role="user", content=text)]
    if not is_modern(ctx):
        said = await ctx.session.create_message(
            asked, max_tokens=9, related_request_id=ctx.request_id
        )
        return str(said.content.text)
    if not ctx.input_responses:
        params = CreateMessageRequestParams(messages=asked, max_tokens=9)
        return InputRequiredResult(input_requests={"haiku": CreateMessageRequest(params=params)})
    return str(ctx.input_responses["haiku"].content.text)


async def folders(ctx: Context) -> str | InputRequiredResult:
    """Where the user works."""
    if not is_modern(ctx):
        found = await ctx.session.list_roots()
    elif not ctx.input_responses:
        return InputRequiredResult(input_requests={"roots": ListRootsRequest()})
    else:
        found = ctx.input_responses["roots"]
    return " ".join(str(root.uri) for root in found.roots)


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


async def leave(ctx: Context) -> str:
    """Close the stream, and answer later."""
    await ctx.close_sse_stream()
    return "later"


def whoami() -> str:
    """The client that was signed in."""
    token = get_access_token()
    return token.client_id if token else "nobody"


TOOLS = (add, count, order, haiku, folders, wait, was_given_up, leave, whoami)


def build(auth: Any = None) -> FastMCP:
    """The server, whose lists have two entries a page."""
    server = FastMCP("fastmcp-4", auth=auth, list_page_size=2)
    for tool in TOOLS:
        server.tool(tool)

    @server.resource("cats://mia")
    def mia() -> str:
        return "Mia sleeps."

    @server.resource("cats://{name}/photo")
    def photo(name: str) -> str:
        return f"{name}, in ASCII."

    @server.prompt
    def greet(name: str) -> str:
        return f"Say hello to {name}."

    return server


def guarded(base: str, issuer: str = "", *proxied: str) -> Any:
    """How the server is guarded, in FastMCP's own words."""
    if not issuer:
        return None
    if issuer == "own":
        return InMemoryOAuthProvider(
            base_url=base,
            required_scopes=["cats"],
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES
            ),
            revocation_options=RevocationOptions(enabled=True),
        )
    if issuer == "proxy":
        return proxy(base, *proxied)
    return RemoteAuthProvider(asking(issuer, "cats"), [AnyHttpUrl(issuer)], base)


def asking(issuer: str, scope: str, client: str = "us", secret: str = "") -> Any:
    """The authorization server is asked about each token. RFC 7662."""
    return IntrospectionTokenVerifier(
        introspection_url=f"{issuer}/introspect",
        client_id=client,
        client_secret=secret or "none",
        required_scopes=[scope],
    )


def proxy(base: str, issuer: str, client: str, secret: str) -> Any:
    """Many clients here, one there."""
    return OAuthProxy(
        upstream_authorization_endpoint=f"{issuer}/authorize",
        upstream_token_endpoint=f"{issuer}/token",
        upstream_client_id=client,
        upstream_client_secret=secret,
        token_verifier=asking(issuer, "read", client, secret),
        base_url=base,
        forward_resource=False,
        require_authorization_consent=False,
        jwt_signing_key="no secret at all, since it is a test",
        client_storage=MemoryStore(),
    )


def main(way: str, *auth: str) -> None:
    """Serve until killed."""
    if way == "stdio":
        build().run(show_banner=False, log_level="CRITICAL")
        return
    listener, base = listening()
    app = build(guarded(base, *auth)).http_app(event_store=EventStore(), retry_interval=10)
    config = uvicorn.Config(app, log_level="critical", lifespan="on")
    anyio.run(uvicorn.Server(config).serve, [listener])


main(*sys.argv[1:])

"""The Python SDK's own server, of the 2.x line: both eras at one address, or on a pipe.

`http` prints its address first; `http own` is its own authorization server, made of the SDK's
provider interface; `http ISSUER` trusts another, which it asks about each token.
"""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import anyio
import httpx2
import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve, Sample
from mcp_types import CreateMessageResult, ListRootsResult, SamplingMessage, TextContent
from provider import SCOPES, Demo, Events, listening
from pydantic import AnyHttpUrl, BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

warnings.simplefilter("ignore")
given_up = [anyio.Event()]


class Bed(BaseModel):
    """A form with defaults."""

    size: str = Field(default="large")
    soft: bool = Field(default=True)


class Sum(BaseModel):
    """Structured content."""

    sum: int


def ask_for_bed() -> Elicit[Bed]:
    """The question."""
    return Elicit("Which bed?", Bed)


def ask_model() -> Sample:
    """The sample."""
    text = TextContent(type="text", text="A haiku, please.")
    return Sample([SamplingMessage(role="user", content=text)], max_tokens=9)


def ask_for_roots() -> ListRoots:
    """The folders."""
    return ListRoots()


def add(a: int, b: int) -> Sum:
    """Add two numbers."""
    return Sum(sum=a + b)


async def count(steps: int, ctx: Context) -> str:
    """Count, and say how far."""
    for step in range(1, steps + 1):
        await ctx.report_progress(step, steps, f"step {step}")
    return "counted"


def order(bed: Annotated[Bed, Resolve(ask_for_bed)]) -> str:
    """Order a bed."""
    return f"{bed.size} {bed.soft}"


def haiku(said: Annotated[CreateMessageResult, Resolve(ask_model)]) -> str:
    """What the model says."""
    return getattr(said.content, "text", "")


def folders(found: Annotated[ListRootsResult, Resolve(ask_for_roots)]) -> str:
    """Where the user works."""
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


async def touch(ctx: Context) -> str:
    """Change a cat."""
    await ctx.notify_resource_updated("cats://mia")
    await ctx.session.send_resource_updated("cats://mia")
    return "touched"


async def leave(ctx: Context) -> str:
    """Close the stream, and answer later."""
    await ctx.close_sse_stream()
    return "later"


def whoami() -> str:
    """The client that was signed in."""
    token = get_access_token()
    return token.client_id if token else "nobody"


TOOLS = (add, count, order, haiku, folders, wait, was_given_up, touch, leave, whoami)


def build(**auth: Any) -> MCPServer[Any]:
    """The server, without anything that our journeys do not need."""
    server = MCPServer("sdk-2", version="1", log_level="ERROR", **auth)
    for tool in TOOLS:
        server.tool()(tool)

    @server.resource("cats://mia")
    def mia() -> str:
        return "Mia sleeps."

    @server.resource("cats://{name}/photo")
    def photo(name: str) -> str:
        return f"{name}, in ASCII."

    @server.prompt()
    def greet(name: str) -> str:
        return f"Say hello to {name}."

    return server


class Introspecting(TokenVerifier):
    """The authorization server is asked about each token. RFC 7662."""

    def __init__(self, issuer: str) -> None:
        self.url = f"{issuer}/introspect"

    async def verify_token(self, token: str) -> AccessToken | None:
        """None unless it is active."""
        async with httpx2.AsyncClient() as http:
            response = await http.post(self.url, data={"token": token})
        found = response.json()
        if not found.get("active"):
            return None
        return AccessToken(
            token=token,
            client_id=found["client_id"],
            scopes=found["scope"].split(),
            resource=found["aud"],
        )


def guarded(base: str, issuer: str = "") -> MCPServer[Any]:
    """The server, guarded as the SDK guards it."""
    if not issuer:
        return build()
    settings = AuthSettings(
        issuer_url=AnyHttpUrl(base if issuer == "own" else issuer),
        resource_server_url=AnyHttpUrl(f"{base}/mcp"),
        required_scopes=["cats"],
        validate_token_resource=True,
        client_registration_options=ClientRegistrationOptions(
            enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES
        ),
        revocation_options=RevocationOptions(enabled=True),
    )
    if issuer != "own":
        return build(auth=settings, token_verifier=Introspecting(issuer))
    demo = Demo()
    server = build(auth=settings, auth_server_provider=demo)

    @server.custom_route("/introspect", methods=["POST"])
    async def introspect(request: Request) -> Response:
        return JSONResponse(demo.introspect((await request.form())["token"]))

    return server


def main(way: str, *issuer: str) -> None:
    """Serve until killed."""
    if way == "stdio":
        build().run()
        return
    listener, base = listening()
    app = guarded(base, *issuer).streamable_http_app(event_store=Events(), retry_interval=10)
    config = uvicorn.Config(app, log_level="critical", lifespan="on")
    anyio.run(uvicorn.Server(config).serve, [listener])


main(*sys.argv[1:])

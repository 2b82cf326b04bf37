"""Our client as the official suite runs it: one scenario, one server, whose URL comes last.

The suite starts this command beside a server of its own and watches what arrives there. The name of
the scenario and its context come from the environment; the revision does, too, but our client finds
it out by asking, as it does anywhere. Each scenario is a function that uses `catshop.client` as any
program would; none knows what is being checked. Next: `run.py`, which runs the suite.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio

from catshop.client.client import Client, Tool
from catshop.client.connect import connect
from catshop.client.errors import Refused
from catshop.client.inputs import Handlers, accepted
from catshop.client.oauth.errors import SignInFailed
from catshop.client.skills import Tampered
from conformance.client_sign_in import account

SECONDS: Final = 150
"""Ends itself before the suite gives up on it, which would leave it running."""

Play = Callable[[Client], Awaitable[None]]

SCENARIOS: dict[str, Play] = {}
"""What is played, by name."""


def scenario(*names: str) -> Callable[[Play], Play]:
    """The function plays the scenarios of these names."""

    def register(play: Play) -> Play:
        SCENARIOS.update(dict.fromkeys(names, play))
        return play

    return register


async def fill_in(params: Mapping[str, object]) -> Mapping[str, object]:
    """A user who agrees to everything, and types only where there is no default."""
    schema = params.get("requestedSchema")
    properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    typed = {name: sample(each) for name, each in properties.items() if "default" not in each}
    return accepted(params, typed)


async def write(_params: Mapping[str, object]) -> Mapping[str, object]:
    """A model that always says the same."""
    content = {"type": "text", "text": "A cat."}
    return {"role": "assistant", "content": content, "model": "none", "stopReason": "endTurn"}


async def folders(_params: Mapping[str, object]) -> Mapping[str, object]:
    """A user with one folder."""
    return {"roots": [{"uri": "file:///cats", "name": "cats"}]}


def sample(schema: Mapping[str, Any]) -> object:
    """Some value of that type."""
    samples = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}, "null": None}
    return samples.get(str(schema.get("type")), "a cat")


def arguments_for(tool: Tool) -> dict[str, object]:
    """The least that a tool takes."""
    schema: Mapping[str, Any] = tool.input_schema
    properties = schema.get("properties", {})
    return {name: sample(properties[name]) for name in schema.get("required", ())}


def context() -> Any:
    """What the suite tells of a scenario."""
    return json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))


@scenario("initialize", "json-schema-ref-no-deref")
async def look(client: Client) -> None:
    """List the tools."""
    await client.tools()


@scenario("tools_call", "request-metadata")
async def add(client: Client) -> None:
    """Add two numbers, when there is something to add with."""
    for tool in await client.tools():
        await client.call(tool.name, {"a": 5, "b": 3} if tool.name == "add_numbers" else {})


@scenario(
    "sse-retry",
    "elicitation-sep1034-client-defaults",
    "http-invalid-tool-headers",
    "sep-2322-client-request-state",
)
async def call_everything(client: Client) -> None:
    """Call each tool that is shown."""
    for tool in await client.tools():
        await client.call(tool.name, arguments_for(tool))


@scenario("json-schema-2020-12-preservation")
async def echo_a_schema(client: Client) -> None:
    """Send a schema back as it came."""
    schemas = {tool.name: tool.input_schema for tool in await client.tools()}
    await client.call("json_schema_echo", {"schema": schemas["json_schema_2020_12_tool"]})


@scenario("http-standard-headers")
async def use_everything(client: Client) -> None:
    """List, call, read and get whatever there is."""
    for tool in await client.tools():
        await client.call(tool.name, arguments_for(tool))
    for resource in await client.resources():
        await client.read(str(resource["uri"]))
    for prompt in await client.prompts():
        await client.prompt(str(prompt["name"]))


@scenario("http-custom-headers")
async def call_as_told(client: Client) -> None:
    """Make the calls that the context lists."""
    await client.tools()
    for call in context()["toolCalls"]:
        await client.call(call["name"], call["arguments"])


@scenario("sep-2640-client-no-prefetch")
async def list_skills(client: Client) -> None:
    """List the skills, and read none."""
    await client.skills()


@scenario(
    "sep-2640-client-verify-digest",
    "sep-2640-client-verify-size",
    "sep-2640-client-verify-frontmatter",
)
async def use_a_skill(client: Client) -> None:
    """Read each skill, and then the files that it refers to."""
    for skill in await client.skills():
        await client.read_skill(skill)
        for uri in skill.files or ():
            await client.read_skill(skill, uri)


async def call_each(client: Client) -> None:
    """List the tools and call each, signed in."""
    for tool in await client.tools():
        await client.call(tool.name, arguments_for(tool))


async def main(url: str) -> int:
    """Play the scenario; 1 when the server has shown that it is not to be trusted."""
    name = os.environ["MCP_CONFORMANCE_SCENARIO"]
    play = call_each if name.startswith("auth/") else SCENARIOS.get(name)
    if play is None:
        print("not a scenario of ours", file=sys.stderr)
        return 2
    handlers = Handlers(elicit=fill_in, sample=write, roots=folders)
    try:
        with anyio.fail_after(SECONDS):
            async with (
                account(url, name, context()) as proof,
                connect(url, handlers, proof) as client,
            ):
                await play(client)
    except (Tampered, SignInFailed, Refused) as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(anyio.run(main, sys.argv[-1]))

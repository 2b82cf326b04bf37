"""Our client at strangers' servers: the SDKs for Python and TypeScript of both lines, and FastMCP.

Each server runs in a process of its own, over a real socket or on a pipe. What our client gets
wrong there is a bug of ours; what a server does not have is said in a table, with the reason, and
the journey then shows what the client makes of that. `make servers` runs them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from catshop.client.changes import Wanted
from catshop.client.client import Client
from catshop.client.connect import Options, connect, launch
from catshop.client.errors import ServerError
from catshop.kernel import Trace
from catshop.protocol.jsonrpc import METHOD_NOT_FOUND
from catshop.protocol.versions import Revision
from tests.journeys.servers.strangers import (
    ANSWERS,
    BOTH_ERAS,
    HANDSHAKE,
    PROGRAMS,
    STATELESS,
    STRANGERS,
    Stranger,
    Watch,
    command,
    quiet,
    running,
)
from tests.support.program import catshop

MIA: Final = "cats://mia"
PHOTO: Final = "cats://mia/photo"
PATIENCE: Final = 30
"""Seconds that a whole conversation may take."""

EVERY: Final = [
    pytest.param(each, id=each.id, marks=pytest.mark.xdist_group(each.name)) for each in STRANGERS
]
IN_SESSIONS: Final = EVERY[len(BOTH_ERAS) :]
NAMES: Final = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in PROGRAMS]

NO_CHANGES: Final = {
    ("python-2.3", HANDSHAKE): "its MCPServer has resources/subscribe in the newer era alone",
    ("fastmcp-4", HANDSHAKE): "it tells nobody of changed resources",
    ("fastmcp-4", STATELESS): "it tells nobody of changed resources",
}
"""Who refuses to say what changes, and why; each says so in its capabilities."""

PAGES: Final = {"fastmcp-4": 5, "typescript-1.32": 4}
"""Who cuts its list of tools, and into how many pages. The other SDKs list everything at once."""

Reach = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def anyio_backend() -> str:
    """Once is enough: what is new here is the other side."""
    return "asyncio"


@pytest.fixture(scope="module")
def address() -> Iterator[Callable[[str], str]]:
    """Where a server is, which is started when somebody first asks."""
    with ExitStack() as stack:
        found: dict[str, str] = {}

        def at(name: str) -> str:
            if name not in found:
                found[name] = f"{stack.enter_context(running(name))}/mcp"
            return found[name]

        yield at


@asynccontextmanager
async def over_http(url: str, speak: Revision | None, watch: Watch) -> AsyncIterator[Client]:
    """A client of ours there."""
    trace = Trace()
    trace.observe(watch)
    with anyio.fail_after(PATIENCE):
        async with connect(url, ANSWERS, options=Options(speak=speak, trace=trace)) as client:
            yield client


@asynccontextmanager
async def on_a_pipe(name: str, speak: Revision | None) -> AsyncIterator[Client]:
    """A client of ours, and a server that it starts."""
    started = launch(command(name, "stdio"), ANSWERS, Options(speak=speak), quiet())
    with anyio.fail_after(PATIENCE):
        async with started as client:
            yield client


@pytest.fixture
def watch() -> Watch:
    """What our client does."""
    return Watch()


@pytest.fixture
def reach(address: Callable[[str], str], stranger: Stranger, watch: Watch) -> Reach:
    """Opens a client in the revision of that stranger."""
    return partial(over_http, address(stranger.name), stranger.revision, watch)


def text_of(result: Mapping[str, Any]) -> str:
    """The first text of a result that is no failure."""
    assert not result.get("isError"), result
    return str(result["content"][0]["text"])


@pytest.mark.parametrize("name", NAMES)
async def test_the_era_of_a_stranger_is_found_out(
    address: Callable[[str], str], name: str, watch: Watch
) -> None:
    """MCP 2026-07-28 basic/versioning
    §backward-compatibility-with-initialization-based-versions.
    """
    newest = next(each.revision for each in STRANGERS if each.name == name)
    async with over_http(address(name), None, watch) as client:
        assert (await client.server()).revision == newest
        assert await client.tools()


@pytest.mark.parametrize("stranger", EVERY)
async def test_its_tools_are_listed_to_the_last_page_and_called(
    reach: Reach, stranger: Stranger, watch: Watch
) -> None:
    """MCP 2026-07-28 server/tools §listing-tools, §calling-tools, §structured-content;
    MCP 2026-07-28 server/utilities/pagination §pagination-flow.
    """
    async with reach() as client:
        names = [tool.name for tool in await client.tools()]
        assert len(names) == len(set(names))
        assert {"add", "count", "order"} <= set(names)
        assert not client.dropped
        result = await client.call("add", {"a": 2, "b": 3})
    assert result["structuredContent"] == {"sum": 5}
    assert watch.methods.count("tools/list") == PAGES.get(stranger.name, 1)


@pytest.mark.parametrize("stranger", EVERY)
async def test_its_progress_is_heard(reach: Reach, stranger: Stranger) -> None:
    """MCP 2026-07-28 basic/patterns/progress §progress-flow."""
    steps: list[tuple[object, object]] = []
    async with reach() as client:
        note = partial(lambda told: steps.append((told["progress"], told["total"])))
        assert text_of(await client.call("count", {"steps": 3}, progress=note)) == "counted"
    assert steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("stranger", EVERY)
async def test_its_form_comes_back_with_its_defaults(reach: Reach, stranger: Stranger) -> None:
    """MCP 2025-11-25 client/elicitation §requested-schema; MCP 2026-07-28 basic/patterns/mrtr."""
    async with reach() as client:
        assert text_of(await client.call("order")).lower() == "large true"


@pytest.mark.parametrize("stranger", EVERY)
async def test_its_model_is_ours(reach: Reach, stranger: Stranger) -> None:
    """MCP 2025-11-25 client/sampling §creating-messages."""
    async with reach() as client:
        assert text_of(await client.call("haiku")) == "cats sleep"


@pytest.mark.parametrize("stranger", EVERY)
async def test_it_learns_our_folders(reach: Reach, stranger: Stranger) -> None:
    """MCP 2025-11-25 client/roots §listing-roots."""
    async with reach() as client:
        assert text_of(await client.call("folders")) == "file:///cats"


@pytest.mark.parametrize("stranger", EVERY)
async def test_what_it_has_to_read_is_read(reach: Reach, stranger: Stranger) -> None:
    """MCP 2026-07-28 server/resources §listing-resources, §resource-templates,
    §reading-resources; MCP 2026-07-28 server/prompts §listing-prompts, §getting-a-prompt.
    """
    async with reach() as client:
        assert [each["uri"] for each in await client.resources()] == [MIA]
        [template] = await client.templates()
        assert template["uriTemplate"] == "cats://{name}/photo"
        read = [(await client.read(uri))["contents"][0]["text"] for uri in (MIA, PHOTO)]  # type: ignore[index]
        assert read == ["Mia sleeps.", "mia, in ASCII."]
        [prompt] = await client.prompts()
        [message] = (await client.prompt(str(prompt["name"]), {"name": "Mia"}))["messages"]  # type: ignore[misc]
    assert message["content"]["text"] == "Say hello to Mia."


@pytest.mark.parametrize("stranger", EVERY)
async def test_what_changes_there_is_told_to_us(reach: Reach, stranger: Stranger) -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §opening-a-stream;
    MCP 2025-11-25 server/resources §subscriptions.
    """
    async with reach() as client:
        if (stranger.name, stranger.revision) in NO_CHANGES:
            with pytest.raises(ServerError) as refused:
                async with client.follow(Wanted((MIA,))):
                    pytest.fail("it has learnt it: take it out of the table")
            assert refused.value.code == METHOD_NOT_FOUND
            return
        async with client.follow(Wanted((MIA,))) as changes:
            assert text_of(await client.call("touch")) == "touched"
            news = await anext(changes)
    assert (news.method, (news.params or {})["uri"]) == ("notifications/resources/updated", MIA)


@pytest.mark.parametrize("stranger", EVERY)
async def test_what_we_give_up_stops_there(reach: Reach, stranger: Stranger) -> None:
    """MCP 2026-07-28 basic/patterns/cancellation §transport-specific-cancellation;
    MCP 2025-11-25 basic/utilities/cancellation §cancellation-flow.
    """
    async with reach() as client:
        await give_up(client)


async def give_up(client: Client) -> None:
    """Cancel a call that has begun; the server says that it has stopped."""
    with anyio.CancelScope() as scope:
        await client.call("wait", progress=lambda _: scope.cancel())
    assert scope.cancelled_caught
    assert text_of(await client.call("was_given_up")) == "given up"


@pytest.mark.parametrize("stranger", IN_SESSIONS)
async def test_a_stream_that_it_closes_is_taken_up_again(
    reach: Reach, stranger: Stranger, watch: Watch
) -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery: each has an event store."""
    async with reach() as client:
        assert text_of(await client.call("leave")) == "later"
    assert len(watch.resumed_after) == 1


@pytest.mark.parametrize("stranger", IN_SESSIONS)
async def test_a_session_is_ended_when_we_leave(
    reach: Reach, stranger: Stranger, watch: Watch
) -> None:
    """MCP 2025-11-25 basic/transports §session-management."""
    async with reach() as client:
        await client.tools()
        session = (await client.server()).session_id
    method, fields = watch.asked[-1]
    assert (method, fields["mcp-session-id"]) == ("DELETE", session)


@pytest.mark.parametrize("name", NAMES)
async def test_its_era_is_found_out_on_a_pipe(name: str) -> None:
    """MCP 2026-07-28 basic/transports/stdio §backward-compatibility."""
    newest = next(each.revision for each in STRANGERS if each.name == name)
    async with on_a_pipe(name, None) as client:
        assert (await client.server()).revision == newest
        assert await client.tools()


@pytest.mark.parametrize("stranger", EVERY)
async def test_it_is_the_same_on_a_pipe(stranger: Stranger) -> None:
    """MCP 2026-07-28 basic/transports/stdio; MCP 2026-07-28 basic/patterns/mrtr."""
    steps: list[object] = []
    async with on_a_pipe(stranger.name, stranger.revision) as client:
        assert (await client.call("add", {"a": 2, "b": 3}))["structuredContent"] == {"sum": 5}
        note = partial(lambda told: steps.append(told["progress"]))
        await client.call("count", {"steps": 3}, progress=note)
        assert text_of(await client.call("order")).lower() == "large true"
        assert text_of(await client.call("haiku")) == "cats sleep"
        assert text_of(await client.call("folders")) == "file:///cats"
        assert (await client.read(MIA))["contents"][0]["text"] == "Mia sleeps."  # type: ignore[index]
        await give_up(client)
    assert steps == [1, 2, 3]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_shops_there(
    tmp_path: Path, address: Callable[[str], str], name: str
) -> None:
    """The commands of this project know no server by name."""
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    asked = ("call", "add", "a=2", "b=3", "--json", "--url", address(name))
    done = catshop(tmp_path, *asked, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["structuredContent"] == {"sum": 5}

"""Servers that misbehave in the middle of a conversation, and what one hears of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from catshop.client.changes import Changes, Wanted
from catshop.client.connect import connect
from catshop.client.errors import Lost, Refused, ServerError
from catshop.client.inputs import Handlers
from catshop.client.skills import Tampered
from catshop.protocol.jsonrpc import Notification
from tests.client.stub import Asked, answer, stream, stubbed
from tests.client.test_streamable import HANDSHAKE, STATELESS, session, tools

URI = "skill://purring/SKILL.md"


def event(**members: Any) -> str:
    """A message as an event."""
    return f"data: {json.dumps({'jsonrpc': '2.0', **members})}"


def subscribed(method: str, **params: Any) -> str:
    """A notification of the first request's subscription, as an event."""
    meta = {"io.modelcontextprotocol/subscriptionId": 1}
    return event(method=f"notifications/{method}", params={**params, "_meta": meta})


async def test_a_skill_that_broke_its_word_is_not_read_from_again() -> None:
    """MCP 2026-07-28 extensions/skills §verification-on-read."""
    files = [{"uri": uri, "digest": "sha256:0", "size": 3} for uri in (URI, "skill://purring/X")]
    entry = {"uri": URI, "frontmatter": {"name": "purring"}, "resources": files}

    def play(asked: Asked) -> bytes:
        if asked.rpc == "skills/list":
            return asked.result(skills=[entry])
        return asked.result(contents=[{"uri": URI, "text": "new"}])

    async with stubbed(play) as stub, connect(stub.url, options=STATELESS) as client:
        [skill] = await client.skills()
        for uri in (URI, URI, "skill://purring/X"):
            with pytest.raises(Tampered, match="E-VERIFY-02"):
                await client.read_skill(skill, uri)
    assert len(stub.of("resources/read")) == 1


async def test_a_server_of_the_stateless_era_may_not_ask_on_a_stream() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §receiving-messages."""

    def play(asked: Asked) -> bytes:
        return stream(event(id="q", method="ping"), f"data: {asked.event(tools=[])}")

    async with stubbed(play) as stub, connect(stub.url, options=STATELESS) as client:
        assert await client.tools() == []
    assert [asked.rpc for asked in stub.asked] == ["tools/list"]


async def test_a_handler_that_fails_is_an_error_to_the_server_and_not_to_us() -> None:
    """JSON-RPC 2.0 §5.1; what went wrong inside stays inside."""
    told: list[Any] = []

    async def fails(_params: Mapping[str, object]) -> Mapping[str, object]:
        raise ValueError("secret inside")

    answered = anyio.Event()

    def play(asked: Asked) -> bytes:
        if asked.verb == "GET":
            return stream(event(id="q", method="elicitation/create", params={}))
        if asked.verb == "POST" and "method" not in asked.message:
            told.append(asked.message["error"])
            answered.set()
        return session(tools())(asked)

    async with (
        stubbed(play, "GET") as stub,
        connect(stub.url, Handlers(elicit=fails), options=HANDSHAKE) as client,
    ):
        await client.server()
        await answered.wait()
        assert await client.tools() == []
    assert told == [{"code": -32603, "message": "ValueError"}]


async def test_the_server_s_own_stream_is_taken_up_after_its_last_event() -> None:
    """MCP 2025-11-25 basic/transports §listening-for-messages-from-the-server,
    §resumability-and-redelivery.
    """
    again = anyio.Event()

    def play(asked: Asked) -> bytes:
        if asked.verb != "GET":
            return session(tools())(asked)
        if "last-event-id" not in asked.fields:
            return stream("id: e7\nretry: 1\ndata:")
        again.set()
        return answer(405)

    async with (
        stubbed(play) as stub,
        connect(stub.url, Handlers(roots=_nothing), options=HANDSHAKE) as client,
    ):
        await client.server()
        await again.wait()
    assert [asked.fields.get("last-event-id") for asked in stub.of("GET")] == [None, "e7"]


async def _nothing(_params: Mapping[str, object]) -> Mapping[str, object]:
    return {}


@pytest.mark.parametrize("goodbye", [answer(401), answer(404), answer(405), b"", answer(204)])
async def test_a_goodbye_that_is_not_taken_well_is_no_fault_of_ours(goodbye: bytes) -> None:
    """MCP 2025-11-25 basic/transports §session-management: a server MAY not allow it."""

    def play(asked: Asked) -> bytes:
        return goodbye if asked.verb == "DELETE" else session(tools())(asked)

    async with stubbed(play) as stub:
        async with connect(stub.url, options=HANDSHAKE) as client:
            await client.tools()
        assert len(stub.of("DELETE")) == 1


async def test_what_goes_wrong_inside_comes_out_as_it_is() -> None:
    """Ours: no group of exceptions with one in it."""

    async def fail(url: str) -> None:
        async with connect(url, options=STATELESS):
            raise KeyError("mine")

    async with stubbed(tools()) as stub:
        with pytest.raises(KeyError, match="mine"):
            await fail(stub.url)


async def test_a_status_that_says_nothing_of_json_rpc_is_told_with_its_method() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §sending-messages."""
    async with (
        stubbed(lambda _: answer(405)) as stub,
        connect(stub.url, options=STATELESS) as client,
    ):
        with pytest.raises(Refused, match="405 tools/list"):
            await client.tools()


ACKNOWLEDGED = subscribed("subscriptions/acknowledged", notifications={"toolsListChanged": True})


@pytest.mark.parametrize(
    ("rest", "held", "fault"),
    [
        pytest.param([], (), Lost, id="broke"),
        pytest.param(
            [event(id=1, error={"code": -31000, "message": "no"})], (), ServerError, id="error"
        ),
        pytest.param([event(id=1, result={})], (), None, id="graceful"),
    ],
)
async def test_whoever_follows_learns_how_it_ended(
    rest: list[str], held: tuple[str, ...], fault: type[Exception] | None
) -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §graceful-closure, §acknowledgment."""
    said = stream(ACKNOWLEDGED, subscribed("tools/list_changed"), *rest)
    async with (
        stubbed(lambda _: said, *held) as stub,
        connect(stub.url, options=STATELESS) as client,
        client.follow(Wanted(lists=("tools", "prompts"))) as changes,
    ):
        assert changes.agreed == {"toolsListChanged": True}
        assert (await anext(changes)).method == "notifications/tools/list_changed"
        with pytest.raises(fault or StopAsyncIteration):
            await anext(changes)
    [asked] = stub.asked
    wanted = {"toolsListChanged": True, "promptsListChanged": True}
    assert asked.message["params"]["notifications"] == wanted


async def test_a_filter_that_the_server_refuses_is_an_error_at_once() -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §opening-a-stream."""
    async with (
        stubbed(lambda asked: asked.error(400, -32602)) as stub,
        connect(stub.url, options=STATELESS) as client,
    ):
        with pytest.raises(ServerError, match="-32602"):
            async with client.follow(Wanted(("cats:all",))):
                pytest.fail("it was refused")


def test_a_session_s_stream_brings_more_than_one_has_asked_for() -> None:
    """MCP 2025-11-25 server/resources §subscriptions."""
    wanted = Wanted(("a",), ("tools",))
    updated = "notifications/resources/updated"
    assert wanted.concerns(Notification(updated, {"uri": "a"}))
    assert not wanted.concerns(Notification(updated, {"uri": "b"}))
    assert wanted.concerns(Notification("notifications/tools/list_changed"))
    assert not wanted.concerns(Notification("notifications/prompts/list_changed"))
    assert not wanted.concerns(Notification("notifications/message"))


async def test_who_falls_behind_loses_the_oldest_news_and_knows_it() -> None:
    """Ours: every buffer has a bound."""
    changes = Changes(2)
    for number in range(5):
        changes.tell(Notification("n", {"number": number}))
    changes.end()
    assert [(each.params or {})["number"] async for each in changes] == [3, 4]
    assert changes.missed == 3

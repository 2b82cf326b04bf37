"""Change notifications: who hears of what, in which order, in both eras."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, listen
from mcp.server.lowlevel import Server
from mcp.shared.subscriptions import ResourceUpdated as Updated
from mcp_types import (
    ListPromptsResult,
    ListResourcesResult,
    ListToolsResult,
    NotificationParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    ServerNotification,
    TextResourceContents,
)

from catshop.kernel import Change, Changes, ListChanged, Listing, ResourceUpdated, Trace
from catshop.limits import Limits, SessionLimits
from catshop.protocol.channels import Backlog, alongside
from catshop.protocol.dispatcher import Dispatcher
from catshop.protocol.stdio import PipeServer
from catshop.protocol.subscriptions import SUBSCRIPTION_ID, Subscriptions
from tests.protocol.test_stdio import handshake, piped
from tests.support.fixture_server import Context, Fixture
from tests.support.hosting import BOTH, ENVELOPE, MODERN, Hosting, OpenGate, hosting, principal
from tests.support.raw import Reading, exchange

pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'http(x2|core2)._:ResourceWarning")
"""The client's own streams, which it leaves to the garbage collector on trio."""

TOOLS, PROMPTS = ListChanged(Listing.TOOLS), ListChanged(Listing.PROMPTS)
RESOURCES = ListChanged(Listing.RESOURCES)
QUICK = SessionLimits(recheck_seconds=0.05)


async def list_tools(_ctx: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
    """None."""
    return ListToolsResult(tools=[])


async def list_prompts(_ctx: Context, _params: PaginatedRequestParams | None) -> ListPromptsResult:
    """None."""
    return ListPromptsResult(prompts=[])


async def list_resources(
    _ctx: Context, _params: PaginatedRequestParams | None
) -> ListResourcesResult:
    """None."""
    return ListResourcesResult(resources=[])


async def read(_ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    """Any."""
    contents = TextResourceContents(uri=params.uri, text="meow")
    return ReadResourceResult(contents=[contents])


EVERYTHING: dict[str, Any] = {
    "on_list_tools": list_tools,
    "on_list_prompts": list_prompts,
    "on_list_resources": list_resources,
    "on_read_resource": read,
}


@asynccontextmanager
async def telling(
    changes: Changes, session: SessionLimits | None = None, **handlers: Any
) -> AsyncIterator[Hosting]:
    """A server that tells of `changes`."""
    limits = replace(Limits(), session=session or SessionLimits())
    server: Server[Any] = Server("fixture", version="1", **(handlers or EVERYTHING))
    Subscriptions(changes, limits.session).install(server)
    async with hosting(server, limits) as host:
        yield host


@asynccontextmanager
async def listening(
    host: Hosting,
    wanted: Mapping[str, object],
    *,
    id: object = 1,  # noqa: A002 - the member's name on the wire
    user: str = "alice",
) -> AsyncIterator[Reading]:
    """A `subscriptions/listen` stream, not read yet."""
    fields = {
        "Accept": BOTH,
        "Content-Type": "application/json",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "subscriptions/listen",
        "Authorization": f"Bearer {user}",
    }
    params = {"_meta": ENVELOPE, "notifications": wanted}
    body = {"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params}
    async with exchange(host.url, "POST", fields, body) as reading:
        yield reading


async def heard(reading: Reading) -> Any:
    """The next message of a stream."""
    with anyio.fail_after(5):
        return json.loads((await reading.next()).data)


async def opened(reading: Reading) -> Any:
    """The filter that was acknowledged."""
    message = await heard(reading)
    assert message["method"] == "notifications/subscriptions/acknowledged"
    return message["params"]["notifications"]


# --- The stateless era ---


@pytest.mark.parametrize("id_", [1, 0, "1", "a-\N{CAT}", 2**53 - 1])
async def test_every_message_of_a_stream_carries_the_id_of_its_request(id_: object) -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §receiving-notifications, §acknowledgment."""
    changes = Changes()
    async with (
        telling(changes) as host,
        listening(
            host, {"toolsListChanged": True, "resourceSubscriptions": ["c://1"]}, id=id_
        ) as it,
    ):
        acknowledged = await heard(it)
        assert (it.status, it.fields["content-type"]) == (200, "text/event-stream")
        changes.publish(ResourceUpdated("c://1"))
        changes.publish(TOOLS)
        updated, listed = await heard(it), await heard(it)
    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    assert updated["method"] == "notifications/resources/updated"
    assert updated["params"]["uri"] == "c://1"
    assert listed["method"] == "notifications/tools/list_changed"
    for message in (acknowledged, updated, listed):
        named = message["params"]["_meta"][SUBSCRIPTION_ID]
        assert (named, type(named)) == (id_, type(id_))
        assert "id" not in message


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({}, []),
        ({"toolsListChanged": False}, []),
        ({"toolsListChanged": True}, ["tools/list_changed"]),
        ({"promptsListChanged": True}, ["prompts/list_changed"]),
        ({"resourcesListChanged": True}, ["resources/list_changed"]),
        ({"resourceSubscriptions": ["c://1"]}, ["resources/updated"]),
        ({"resourceSubscriptions": []}, []),
    ],
)
async def test_a_stream_tells_what_its_filter_names_and_nothing_else(
    wanted: dict[str, object], told: list[str]
) -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §opening-a-stream, §notification-filter."""
    changes = Changes()
    async with telling(changes) as host, listening(host, wanted) as it:
        honoured = await opened(it)
        for change in (
            TOOLS,
            PROMPTS,
            RESOURCES,
            ResourceUpdated("c://1"),
            ResourceUpdated("c://2"),
        ):
            changes.publish(change)
        host.server.drain()
        *notifications, response = [json.loads(event.data) for event in await it.rest()]
    assert honoured == {name: value for name, value in wanted.items() if value}
    assert [each["method"].partition("/")[2] for each in notifications] == told
    assert response["id"] == 1


async def test_what_a_server_does_not_have_is_not_honoured() -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §acknowledgment: it is omitted."""
    wanted = {
        "toolsListChanged": True,
        "promptsListChanged": True,
        "resourcesListChanged": True,
        "resourceSubscriptions": ["c://1"],
        "moonsListChanged": True,
    }
    async with telling(Changes(), on_list_tools=list_tools) as host, listening(host, wanted) as it:
        assert await opened(it) == {"toolsListChanged": True}


async def test_nobody_hears_of_what_is_another_users() -> None:
    """Security case K12; a stream of the owner hears of it, and everybody of what is nobody's."""
    changes = Changes()
    wanted = {"resourceSubscriptions": ["c://cart"]}
    async with (
        telling(changes) as host,
        listening(host, wanted, user="alice") as alices,
        listening(host, wanted, user="bob") as bobs,
    ):
        assert await opened(alices) == await opened(bobs) == wanted
        changes.publish(ResourceUpdated("c://cart", principal("alice").key))
        assert (await heard(alices))["params"]["uri"] == "c://cart"
        changes.publish(ResourceUpdated("c://cart", principal("bob").user))
        assert (await heard(bobs))["params"]["uri"] == "c://cart"
        changes.publish(ResourceUpdated("c://cart"))
        await heard(alices)
        await heard(bobs)
        host.server.drain()
        assert [len(await reading.rest()) for reading in (alices, bobs)] == [1, 1]


async def test_one_principal_has_so_many_streams_and_no_more() -> None:
    """Security case K12: one more is refused with 429; one that ends makes room."""
    changes = Changes()
    async with telling(changes, SessionLimits(listens=2)) as host, AsyncExitStack() as open_:
        first = await open_.enter_async_context(listening(host, {}))
        for reading in (first, await open_.enter_async_context(listening(host, {}))):
            await opened(reading)
        refused = await host.modern("subscriptions/listen", {"notifications": {}}, id=3)
        assert refused.status_code == 429
        assert refused.json()["error"]["data"]["code"] == "E-SUB-01"
        async with listening(host, {}, user="bob") as bobs:
            await opened(bobs)
    assert not changes._listeners[1:]


async def test_a_filter_names_so_many_resources_and_no_more() -> None:
    """House rule: every buffer has a bound."""
    wanted = {"resourceSubscriptions": ["c://1", "c://2", "c://3"]}
    async with telling(Changes(), SessionLimits(subscriptions=2)) as host:
        refused = await host.modern("subscriptions/listen", {"notifications": wanted})
    assert refused.status_code == 400
    assert refused.json()["error"]["data"]["code"] == "E-SUB-02"


async def test_a_server_that_stops_ends_its_streams_with_a_result() -> None:
    """Security case H58. MCP 2026-07-28 basic/patterns/subscriptions §graceful-closure."""
    changes = Changes()
    async with telling(changes) as host, listening(host, {"toolsListChanged": True}, id="7") as it:
        await opened(it)
        changes.publish(TOOLS)
        host.server.drain()
        told, ended = [json.loads(event.data) for event in await it.rest()]
    assert told["method"] == "notifications/tools/list_changed"
    assert (ended["id"], ended["result"]["resultType"]) == ("7", "complete")
    assert ended["result"]["_meta"][SUBSCRIPTION_ID] == "7"


async def test_a_stream_ends_with_the_token_that_opened_it() -> None:
    """MCP 2026-07-28 basic/authorization: a revoked token opens nothing, and keeps nothing open."""
    changes = Changes()
    async with telling(changes, QUICK) as host, listening(host, {"toolsListChanged": True}) as it:
        await opened(it)
        host.gate.revoked.add("alice")
        (ended,) = [json.loads(event.data) for event in await it.rest()]
        assert "result" in ended
        assert (await host.modern("tools/list", Authorization="Bearer alice")).status_code == 401


async def test_a_client_that_leaves_is_no_longer_told() -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §cancellation: closing the stream ends it."""
    changes = Changes()
    async with telling(changes) as host:
        before = len(changes._listeners)
        async with listening(host, {"toolsListChanged": True}) as it:
            await opened(it)
            assert len(changes._listeners) == before + 1
        with anyio.fail_after(5):
            while len(changes._listeners) > before:
                await anyio.lowlevel.checkpoint()


async def test_the_official_client_hears_of_changes_until_the_server_stops() -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions, as the Python SDK reads it."""
    changes = Changes()
    async with (
        telling(changes) as host,
        Client(streamable_http_client(host.url), mode="2026-07-28") as client,
        listen(client.session, resource_subscriptions=["c://1"]) as subscription,
    ):
        changes.publish(ResourceUpdated("c://1"))
        with anyio.fail_after(5):
            assert await anext(subscription) == Updated(uri="c://1")
            host.server.drain()
            with pytest.raises(StopAsyncIteration):
                await anext(subscription)


# --- Capabilities ---


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_the_capabilities_say_what_is_told(era: str) -> None:
    """MCP 2026-07-28 server/discover, MCP 2025-11-25 basic/lifecycle §capability-negotiation."""
    async with telling(Changes()) as host:
        capabilities = await declared(host, era)
    assert capabilities["tools"] == {"listChanged": True}
    assert capabilities["prompts"] == {"listChanged": True}
    assert capabilities["resources"] == {"listChanged": True, "subscribe": True}


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_a_server_that_tells_of_nothing_says_so(era: str) -> None:
    """MCP 2026-07-28 server/discover: a capability is a promise."""
    async with hosting(Server("quiet", version="1", **EVERYTHING)) as host:
        capabilities = await declared(host, era)
        refused = await host.modern("subscriptions/listen", {"notifications": {}})
    assert not capabilities["tools"].get("listChanged")
    assert not capabilities["resources"].get("subscribe")
    assert refused.status_code == 404


async def declared(host: Hosting, era: str) -> Any:
    """The capabilities that a client of this era is told."""
    if era == "stateless":
        return (await host.modern("server/discover")).json()["result"]["capabilities"]
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    return (await host.post(message)).json()["result"]["capabilities"]


CLIENT = {"name": "test", "version": "1"}


# --- The handshake era ---


@asynccontextmanager
async def standalone(host: Hosting, session: dict[str, str]) -> AsyncIterator[Reading]:
    """The stream of a session that belongs to no request."""
    async with exchange(host.url, "GET", {"Accept": "text/event-stream", **session}) as reading:
        assert reading.status == 200
        yield reading


async def test_a_session_hears_of_lists_unasked_and_of_resources_it_subscribed_to() -> None:
    """MCP 2025-11-25 server/resources §subscriptions, §list-changed-notification."""
    changes = Changes()
    async with telling(changes) as host:
        session = await host.open()
        subscribed = await host.call(session, "resources/subscribe", {"uri": "c://1"})
        assert subscribed.json()["result"] == {}
        async with standalone(host, session) as it:
            for change in (TOOLS, ResourceUpdated("c://2"), ResourceUpdated("c://1"), PROMPTS):
                changes.publish(change)
            told = [await heard(it) for _ in range(3)]
    assert told == [
        {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"},
        {
            "jsonrpc": "2.0",
            "method": "notifications/resources/updated",
            "params": {"uri": "c://1"},
        },
        {"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"},
    ]


async def test_an_unsubscribed_session_hears_no_more_of_the_resource() -> None:
    """MCP 2025-11-25 server/resources §subscriptions; both methods are idempotent."""
    changes = Changes()
    async with telling(changes) as host:
        session = await host.open()
        await host.call(session, "resources/unsubscribe", {"uri": "c://1"})
        for method in ("subscribe", "subscribe", "unsubscribe", "unsubscribe"):
            answer = await host.call(session, f"resources/{method}", {"uri": "c://1"})
            assert answer.json()["result"] == {}
        changes.publish(ResourceUpdated("c://1"))
        changes.publish(TOOLS)
        async with standalone(host, session) as it:
            assert (await heard(it))["method"] == "notifications/tools/list_changed"


async def test_a_session_hears_nothing_of_what_another_subscribed_to_or_owns() -> None:
    """Security case K12, in the era of sessions: no delivery across sessions."""
    changes = Changes()
    async with telling(changes) as host:
        alices, bobs = await host.open(), await host.open(user="bob")
        idle = await host.open()
        for session in (alices, bobs):
            await host.call(session, "resources/subscribe", {"uri": "c://cart"})
        changes.publish(ResourceUpdated("c://cart", principal("alice").user))
        changes.publish(TOOLS)
        first = []
        for session in (alices, bobs, idle):
            async with standalone(host, session) as it:
                first.append((await heard(it))["method"])
    assert first == ["notifications/resources/updated", *["notifications/tools/list_changed"] * 2]


async def test_what_a_session_has_not_read_yet_is_not_told_it_twice() -> None:
    """House rule: a session that nobody reads costs no more than there are things to say."""
    changes = Changes()
    async with telling(changes) as host:
        session = await host.open()
        await host.call(session, "resources/subscribe", {"uri": "c://1"})
        for _ in range(1000):
            changes.publish(ResourceUpdated("c://1"))
            changes.publish(TOOLS)
        async with standalone(host, session) as it:
            unread = [(await heard(it))["method"] for _ in range(2)]
            for _ in range(20):
                changes.publish(TOOLS)
                assert (await heard(it))["method"] == "notifications/tools/list_changed"
    assert unread == ["notifications/resources/updated", "notifications/tools/list_changed"]


async def test_a_session_that_has_not_finished_its_handshake_hears_nothing() -> None:
    """MCP 2025-11-25 basic/lifecycle §initialization: no notifications before it is initialized."""
    changes = Changes()
    async with telling(changes) as host:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}
        answer = await host.post(
            {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        )
        session = {"Mcp-Session-Id": answer.headers["mcp-session-id"]}
        changes.publish(TOOLS)
        noted = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await host.post(noted, **session)).status_code == 202
        changes.publish(PROMPTS)
        async with standalone(host, session) as it:
            assert (await heard(it))["method"] == "notifications/prompts/list_changed"


async def test_a_session_subscribes_to_so_many_resources_and_no_more() -> None:
    """House rule: every buffer has a bound."""
    async with telling(Changes(), SessionLimits(subscriptions=1)) as host:
        session = await host.open()
        await host.call(session, "resources/subscribe", {"uri": "c://1"})
        refused = await host.call(session, "resources/subscribe", {"uri": "c://2"})
    assert refused.json()["error"]["data"]["code"] == "E-SUB-02"


async def test_the_methods_of_one_era_are_not_there_in_the_other() -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions: it replaces resources/subscribe."""
    async with telling(Changes()) as host:
        session = await host.open()
        listen_ = await host.call(session, "subscriptions/listen", {"notifications": {}})
        assert listen_.json()["error"]["code"] == -32601
        for method in ("resources/subscribe", "resources/unsubscribe"):
            assert (await host.modern(method, {"uri": "c://1"})).status_code == 404
        async with Client(streamable_http_client(host.url), mode="legacy") as client:
            with pytest.raises(ListenNotSupportedError):
                async with listen(client.session, tools_list_changed=True):
                    pass


async def test_a_server_may_have_its_own_handler_for_the_end_of_the_handshake() -> None:
    """House rule: a feature takes nothing away from the server that it is switched on for."""
    changes, seen = Changes(), anyio.Event()
    server: Server[Any] = Server("fixture", version="1", **EVERYTHING)

    async def on_initialized(_ctx: Context, _params: Any) -> None:
        seen.set()

    server.add_notification_handler("notifications/initialized", NotificationParams, on_initialized)
    Subscriptions(changes).install(server)
    async with hosting(server) as host:
        session = await host.open()
        assert seen.is_set()
        changes.publish(TOOLS)
        async with standalone(host, session) as it:
            await heard(it)


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_the_official_client_of_the_handshake_era_hears_of_changes() -> None:
    """MCP 2025-11-25 server/resources §subscriptions, as the Python SDK reads it."""
    changes = Changes()
    send, receive = anyio.create_memory_object_stream[ServerNotification](10)

    async def on_message(message: Any) -> None:
        await send.send(message)

    async with (
        telling(changes) as host,
        send,
        receive,
        Client(
            streamable_http_client(host.url), mode="legacy", message_handler=on_message
        ) as client,
    ):
        await client.session.subscribe_resource("c://1")
        changes.publish(ResourceUpdated("c://1"))
        with anyio.fail_after(5):
            message = await receive.receive()
    assert message.method == "notifications/resources/updated"
    assert str(message.params.uri) == "c://1"


# --- A pipe ---


@dataclass
class Telling(Fixture):
    """The fixture's tools, and lists that change."""

    changes: Changes = field(default_factory=Changes)

    def build(self) -> Server[Any]:
        """The server."""
        server = super().build()
        server.add_request_handler("resources/read", ReadResourceRequestParams, read)
        Subscriptions(self.changes).install(server)
        return server


def listen_line(id_: object, **wanted: object) -> dict[str, object]:
    """A `subscriptions/listen` request."""
    params = {"_meta": ENVELOPE, "notifications": wanted}
    return {"jsonrpc": "2.0", "id": id_, "method": "subscriptions/listen", "params": params}


async def test_many_streams_share_a_pipe_and_each_message_says_whose_it_is() -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §multiple-concurrent-subscriptions."""
    server = Telling()
    async with piped(server) as pipe:
        await pipe.say(listen_line(1, toolsListChanged=True))
        assert (await pipe.hear())["params"]["_meta"] == {SUBSCRIPTION_ID: 1}
        await pipe.say(listen_line("1", toolsListChanged=True, resourceSubscriptions=["c://1"]))
        assert (await pipe.hear())["params"]["_meta"] == {SUBSCRIPTION_ID: "1"}
        server.changes.publish(TOOLS)
        both = [await pipe.hear(), await pipe.hear()]
        server.changes.publish(ResourceUpdated("c://1"))
        one = await pipe.hear()
        assert (await pipe.ask("server/discover", {"_meta": ENVELOPE}, 2))["id"] == 2
    assert {repr(message["params"]["_meta"][SUBSCRIPTION_ID]) for message in both} == {"1", "'1'"}
    assert one["params"] == {"uri": "c://1", "_meta": {SUBSCRIPTION_ID: "1"}}


async def test_a_stream_on_a_pipe_is_cancelled_by_its_id_and_says_nothing_more() -> None:
    """MCP 2026-07-28 basic/transports/stdio §cancellation."""
    server = Telling()
    async with piped(server) as pipe:
        for id_ in (1, 2):
            await pipe.say(listen_line(id_, toolsListChanged=True))
            await pipe.hear()
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
        await pipe.say({**cancel, "params": {"requestId": 1}})
        assert (await pipe.ask("server/discover", {"_meta": ENVELOPE}, 3))["id"] == 3
        server.changes.publish(TOOLS)
        assert (await pipe.hear())["params"]["_meta"] == {SUBSCRIPTION_ID: 2}
        assert (await pipe.ask("server/discover", {"_meta": ENVELOPE}, 4))["id"] == 4


@pytest.mark.parametrize("end", ["the input ends", "the server stops"])
async def test_the_end_of_a_pipe_ends_its_streams_in_both_ways(end: str) -> None:
    """MCP 2026-07-28 basic/patterns/cancellation: a server names the stream that it tears down.

    The response comes first, as MCP 2026-07-28 basic/patterns/subscriptions §graceful-closure has
    it: whoever waits for it knows that the stream did not break.
    """
    async with piped(Telling()) as pipe:
        await pipe.say(listen_line("s", toolsListChanged=True))
        await pipe.hear()
        if end == "the server stops":
            pipe.server.drain()
        else:
            await pipe.end()
        response, cancelled = await pipe.hear(), await pipe.hear()
    assert (response["id"], response["result"]["resultType"]) == ("s", "complete")
    assert cancelled["method"] == "notifications/cancelled"
    assert cancelled["params"] == {"requestId": "s", "_meta": {SUBSCRIPTION_ID: "s"}}


async def test_a_pipe_of_the_handshake_era_hears_of_changes_once_it_is_initialized() -> None:
    """MCP 2025-11-25 server/resources §subscriptions, §list-changed-notification."""
    server = Telling()
    async with piped(server) as pipe:
        server.changes.publish(TOOLS)
        await handshake(pipe)
        assert (await pipe.ask("resources/subscribe", {"uri": "c://1"}))["result"] == {}
        server.changes.publish(TOOLS)
        server.changes.publish(ResourceUpdated("c://1"))
        server.changes.publish(TOOLS)
        methods = [(await pipe.hear())["method"] for _ in range(2)]
        assert (await pipe.ask("ping"))["result"] == {}
    assert methods == ["notifications/tools/list_changed", "notifications/resources/updated"]


async def test_a_request_cancelled_while_its_line_is_written_leaves_no_half_line() -> None:
    """MCP 2026-07-28 basic/transports/stdio: nothing but messages on the way out."""
    written: list[bytes] = []
    writing, go_on = anyio.Event(), anyio.Event()

    async def write(data: bytes) -> None:
        written.append(data[:10])
        if b"acknowledged" in data:
            writing.set()
            await go_on.wait()
        written.append(data[10:])

    lines, read_ = anyio.create_memory_object_stream[bytes](10)
    async with (
        lines,
        read_,
        Dispatcher(Telling().build(), Trace()) as dispatcher,
        anyio.create_task_group() as tasks,
    ):
        pipe = PipeServer(dispatcher, OpenGate(), principal("alice"), write, Limits())
        tasks.start_soon(pipe.serve, read_)
        await lines.send(json.dumps(listen_line(1)).encode())
        with anyio.fail_after(5):
            await writing.wait()
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
        await lines.send(json.dumps({**cancel, "params": {"requestId": 1}}).encode())
        await lines.send(json.dumps({**cancel, "id": 2, "method": "nothing"}).encode())
        await lines.aclose()
        go_on.set()
    whole = b"".join(written).splitlines()
    assert [json.loads(line).get("id") for line in whole] == [None, 2]


# --- Backlogs ---


async def test_a_change_that_still_waits_is_told_once_and_in_its_first_place() -> None:
    """House rule: a backlog is never longer than there are different things to say."""
    backlog: Backlog[Change] = Backlog()
    for change in (TOOLS, ResourceUpdated("c://1"), TOOLS, PROMPTS, ResourceUpdated("c://1")):
        backlog.put(change)
    assert len(backlog) == 3
    backlog.end()
    told = []
    while (change_ := await backlog.take()) is not None:
        told.append(change_)
    assert told == [TOOLS, ResourceUpdated("c://1"), PROMPTS]


@given(st.lists(st.one_of(st.none(), st.integers(0, 3))))
def test_everything_that_is_put_is_taken_later_and_in_order(steps: list[int | None]) -> None:
    """House rule: nothing is lost or reordered; a number is put, and None takes."""
    backlog: Backlog[int] = Backlog()
    model: list[int] = []
    for step in steps:
        if step is not None:
            backlog.put(step)
            model += [] if step in model else [step]
        elif model:
            assert run(backlog) == model.pop(0)
    backlog.end()
    assert [run(backlog) for _ in model] == model
    assert run(backlog) is None


def run(backlog: Backlog[int]) -> int | None:
    """Take what is there, without an event loop: it must not wait."""
    taking = backlog.take()
    with pytest.raises(StopIteration) as done:
        taking.send(None)
    return cast("int | None", done.value.value)


async def test_whoever_takes_from_an_empty_backlog_waits_for_the_next_thing() -> None:
    """House rule: nothing is lost between two looks."""
    backlog: Backlog[int] = Backlog()
    taken: list[int] = []

    async def take() -> None:
        while (item := await backlog.take()) is not None:
            taken.append(item)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            for item in range(3):
                await anyio.lowlevel.checkpoint()
                backlog.put(item)
            await anyio.lowlevel.checkpoint()
            backlog.put(3)
            backlog.end()
    assert taken == [0, 1, 2, 3]


async def test_an_exception_beside_other_work_comes_out_bare() -> None:
    """House rule: who left is told apart from what broke."""
    with pytest.raises(LookupError):
        async with alongside(anyio.sleep_forever):
            raise LookupError

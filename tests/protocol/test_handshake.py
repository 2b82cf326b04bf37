"""The 2025-11-25 era on a real socket: sessions, streams, resumption, cancellation."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import anyio
import httpx2
import pytest
from anyio.abc import SocketAttribute

from catshop.limits import HttpLimits, Limits, SessionLimits
from tests.support.fixture_server import Fixture
from tests.support.hosting import Hosting, hosting, principal
from tests.support.raw import Reading, exchange, sent

PROGRESS = {"_meta": {"progressToken": "p"}}


def listen(
    host: Hosting, session: dict[str, str], **headers: str
) -> AbstractAsyncContextManager[Reading]:
    """Open a GET stream."""
    fields = {"Accept": "text/event-stream", **session, **headers}
    return exchange(host.url, "GET", fields)


def call_body(name: str, id_: object = 1, **arguments: object) -> dict[str, Any]:
    """A call of a tool that wants progress."""
    params = {"name": name, "arguments": arguments, **PROGRESS}
    return {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": params}


def started(
    host: Hosting, session: dict[str, str], body: dict[str, Any]
) -> AbstractAsyncContextManager[Reading]:
    """Send a call and look at its answer while it comes."""
    accept = "application/json, text/event-stream"
    fields = {"Accept": accept, "Content-Type": "application/json", **session}
    return exchange(host.url, "POST", fields, body)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2025-11-25"),
        ("2099-01-01", "2025-11-25"),
    ],
)
async def test_initialize_settles_on_a_version_and_opens_a_session(asked: str, given: str) -> None:
    """MCP 2025-11-25 basic/lifecycle §version-negotiation."""
    async with hosting(Fixture().build()) as host:
        params = {
            "protocolVersion": asked,
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        message = {"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": params}
        response = await host.post(message)
    result = response.json()["result"]
    assert (response.json()["id"], result["protocolVersion"]) == ("a", given)
    assert result["serverInfo"] == {"name": "fixture", "version": "1"}
    assert "resultType" not in result
    assert all("!" <= character <= "~" for character in response.headers["mcp-session-id"])


async def test_a_call_in_a_session_answers_with_json() -> None:
    """MCP 2025-11-25 basic/transports §sending-messages-to-the-server."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        response = await host.call(
            session, "tools/call", {"name": "echo", "arguments": {"text": "a"}}
        )
    assert response.headers["content-type"] == "application/json"
    assert response.json()["result"] == {
        "content": [{"type": "text", "text": "a"}],
        "isError": False,
    }


async def test_ping_is_answered_with_an_empty_result() -> None:
    """MCP 2025-11-25 basic/utilities/ping."""
    async with hosting(Fixture().build()) as host:
        response = await host.call(await host.open(), "ping")
    assert response.json()["result"] == {}


async def test_without_a_session_nothing_but_initialize_is_served() -> None:
    """Z1. MCP 2025-11-25 basic/transports §session-management."""
    async with hosting(Fixture().build()) as host:
        response = await host.call({}, "tools/list")
    assert (response.status_code, response.json()["code"]) == (400, "E-SES-01")


async def test_a_session_is_initialized_once() -> None:
    """Z12. MCP 2025-11-25 basic/lifecycle §initialization."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        response = await host.call(session, "initialize", {"protocolVersion": "2025-03-26"})
        assert (response.status_code, response.json()["error"]["code"]) == (400, -32600)
        assert (await host.call(session, "ping")).status_code == 200


@pytest.mark.parametrize("version", ["bogus", "", "2025-11-25, 2025-06-18"])
async def test_a_version_that_nobody_speaks_is_refused(version: str) -> None:
    """Z18. MCP 2025-11-25 basic/transports §protocol-version-header."""
    async with hosting(Fixture().build()) as host:
        session = {**await host.open(), "MCP-Protocol-Version": version}
        assert (await host.call(session, "ping")).status_code == 400


async def test_without_the_version_field_the_negotiated_one_holds() -> None:
    """Z18. MCP 2025-11-25 basic/transports §protocol-version-header."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        del session["MCP-Protocol-Version"]
        assert (await host.call(session, "ping")).status_code == 200


async def test_another_users_token_finds_no_session() -> None:
    """Z4: POST, GET and DELETE answer as for an unknown id, and the session lives on."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        other = {**session, "Authorization": "Bearer bob"}
        unknown = {**other, "Mcp-Session-Id": "unknown"}
        for method in ("POST", "GET", "DELETE"):
            stolen, missing = [
                await host.client.request(
                    method,
                    host.url,
                    headers={"Accept": "application/json, text/event-stream", **headers},
                    json=call_body("echo") if method == "POST" else None,
                )
                for headers in (other, unknown)
            ]
            assert stolen.status_code == missing.status_code == 404
            assert _without_id(stolen) == _without_id(missing)
        assert (await host.call(session, "ping")).status_code == 200


def _without_id(response: httpx2.Response) -> dict[str, Any]:
    return {name: value for name, value in response.json().items() if name != "request_id"}


async def test_a_deleted_session_is_not_found_any_more() -> None:
    """MCP 2025-11-25 basic/transports §session-management."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        assert (await host.client.delete(host.url, headers=session)).status_code == 200
        response = await host.call(session, "ping")
    assert (response.status_code, response.json()["code"]) == (404, "E-SES-03")


async def test_an_unknown_method_is_a_json_rpc_error_in_a_good_answer() -> None:
    """Q15. JSON-RPC 2.0 §5.1."""
    async with hosting(Fixture().build()) as host:
        response = await host.call(await host.open(), "unknown/method")
    assert (response.status_code, response.json()["error"]["code"]) == (200, -32601)


async def test_a_stream_begins_with_an_empty_event_and_ends_with_the_response() -> None:
    """MCP 2025-11-25 basic/transports §sending-messages-to-the-server."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        async with started(host, session, call_body("progress")) as response:
            events = await response.rest()
    assert [event.id for event in events] == [f"1-{n}" for n in range(1, 6)]
    assert (events[0].data, events[0].retry) == ("", 1000)
    assert [json.loads(e.data)["params"]["progress"] for e in events[1:4]] == [1, 2, 3]
    assert json.loads(events[-1].data)["id"] == 1


async def test_before_2025_11_25_a_stream_has_no_empty_event() -> None:
    """MCP 2025-06-18 basic/transports: every event is a message."""
    async with hosting(Fixture().build()) as host:
        session = await host.open("2025-06-18")
        async with started(host, session, call_body("progress")) as response:
            events = await response.rest()
    assert all(json.loads(event.data) for event in events)


@pytest.mark.parametrize("seen", [1, 2, 3])
async def test_a_broken_stream_is_read_on_from_the_last_event(seen: int) -> None:
    """H55, Z9. MCP 2025-11-25 basic/transports §resumability-and-redelivery."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        session = await host.open()
        async with started(host, session, call_body("progress", hold=True)) as response:
            last = [await response.next() for _ in range(seen)][-1].id
            with anyio.fail_after(5):
                await fixture.entered.wait()
        fixture.release.set()
        async with listen(host, session, **{"Last-Event-ID": last}) as resumed:
            rest = await resumed.rest()
    assert [event.id for event in rest] == [f"1-{n}" for n in range(seen + 1, 6)]
    assert json.loads(rest[-1].data)["result"]["content"][0]["text"] == "done"


async def test_a_handler_can_end_the_connection_and_answer_on_the_next() -> None:
    """MCP 2025-11-25 basic/transports §sending-messages-to-the-server: polling."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        session = await host.open()
        async with started(host, session, call_body("leave")) as response:
            first = await response.rest()
        assert [(event.data, event.id) for event in first] == [("", "1-1")]
        fixture.release.set()
        async with listen(host, session, **{"Last-Event-ID": "1-1"}) as resumed:
            rest = await resumed.rest()
    assert json.loads(rest[-1].data)["result"]["content"][0]["text"] == "later"


async def test_an_event_that_is_gone_is_told_so() -> None:
    """The log is bounded, and honest."""
    limits = Limits(session=replace(SessionLimits(), events=2))
    async with hosting(Fixture().build(), limits) as host:
        session = await host.open()
        async with started(host, session, call_body("progress")) as response:
            await response.rest()
        async with listen(host, session, **{"Last-Event-ID": "1-1"}) as resumed:
            assert resumed.status == 410


async def test_a_stream_of_another_session_cannot_be_read() -> None:
    """Z16: what belongs to one session stays there."""
    async with hosting(Fixture().build()) as host:
        mine, theirs = await host.open(), await host.open(user="bob")
        async with started(host, theirs, call_body("progress")) as response:
            await response.rest()
        async with listen(host, mine, **{"Last-Event-ID": "1-1"}) as stolen:
            assert stolen.status == 410


async def test_the_standalone_stream_has_one_reader() -> None:
    """Z6: the second is refused, the first goes on."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        async with listen(host, session) as first:
            assert first.status == 200
            async with listen(host, session) as second:
                assert second.status == 409
            found = host.sessions.find((session["Mcp-Session-Id"],), principal("alice"))
            await found.connection.notify("notifications/tools/list_changed", None)
            with anyio.fail_after(5):
                event = await first.next()
    assert json.loads(event.data)["method"] == "notifications/tools/list_changed"


async def test_what_nobody_heard_waits_for_the_next_reader() -> None:
    """A notification sent while nobody listens is delivered once somebody does."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        found = host.sessions.find((session["Mcp-Session-Id"],), principal("alice"))
        await found.connection.notify("notifications/tools/list_changed", None)
        async with listen(host, session) as reader:
            with anyio.fail_after(5):
                event = await reader.next()
    assert event.id == "0-1"


async def test_a_get_without_event_stream_is_not_acceptable() -> None:
    """MCP 2025-11-25 basic/transports §listening-for-messages-from-the-server."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        response = await host.client.get(
            host.url, headers={**session, "Accept": "application/json"}
        )
    assert response.status_code == 406


async def test_a_notification_cancels_a_call_which_then_has_no_response() -> None:
    """MCP 2025-11-25 basic/utilities/cancellation."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        session = await host.open()
        async with started(host, session, call_body("wait", "x", stream=True)) as response:
            _ = [await response.next() for _ in range(2)]
            cancel = {"requestId": "x", "reason": "enough"}
            noted = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel}
            assert (await host.post(noted, **session)).status_code == 202
            with anyio.fail_after(5):
                rest = await response.rest()
        assert (rest, fixture.cancelled.is_set()) == ([], True)


async def test_another_session_cannot_cancel() -> None:
    """Z16."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        session, other = await host.open(), await host.open(user="bob")
        async with started(host, session, call_body("wait", "x", stream=True)) as response:
            await response.next()
            params = {"requestId": "x"}
            noted = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
            assert (await host.post(noted, **other)).status_code == 202
            fixture.release.set()
            rest = await response.rest()
    assert json.loads(rest[-1].data)["result"]["content"][0]["text"] == "released"


async def test_deleting_the_session_cancels_its_calls() -> None:
    """Z15."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        session = await host.open()
        async with started(host, session, call_body("wait", stream=True)) as response:
            await response.next()
            await host.client.delete(host.url, headers=session)
            with anyio.fail_after(5):
                await response.rest()
    assert fixture.cancelled.is_set()


async def test_an_id_that_is_in_flight_is_refused() -> None:
    """Z11. MCP 2026-07-28 basic §requests: the first call is still answered."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        session = await host.open()
        async with started(host, session, call_body("wait", 7, stream=True)) as response:
            await response.next()
            second = await host.call(session, "tools/call", {"name": "echo"}, id=7)
            assert (second.status_code, second.json()["error"]["code"]) == (400, -32600)
            text = await host.call(session, "tools/call", {"name": "echo"}, id="7")
            assert text.status_code == 200
            fixture.release.set()
            rest = await response.rest()
    assert json.loads(rest[-1].data)["id"] == 7


async def test_a_server_asks_on_the_stream_of_the_call_and_the_answer_comes_by_post() -> None:
    """MCP 2025-11-25 client/elicitation."""
    async with hosting(Fixture().build()) as host:
        session, other = await host.open(), await host.open(user="bob")
        async with started(host, session, call_body("ask")) as response:
            question = json.loads([await response.next() for _ in range(2)][-1].data)
            assert question["method"] == "elicitation/create"
            answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
            assert (await host.post(answer, **{**other})).status_code == 202
            stolen = {**session, "Authorization": "Bearer bob"}
            assert (await host.post(answer, **stolen)).status_code == 404
            right = {**answer, "result": {"action": "accept", "content": {}}}
            accepted = await host.post(right, **session)
            assert (accepted.status_code, accepted.content) == (202, b"")
            final = (await response.rest())[-1]
    assert json.loads(final.data)["result"]["content"][0]["text"] == "accept"


async def test_a_token_that_is_revoked_closes_its_stream() -> None:
    """Z19: within the time that a stream may go unasked."""
    limits = Limits(session=replace(SessionLimits(), recheck_seconds=0.05))
    async with hosting(Fixture().build(), limits) as host:
        session = await host.open()
        async with listen(host, session) as stream:
            host.gate.revoked.add("alice")
            with anyio.fail_after(5):
                assert await stream.rest() == []


async def test_draining_ends_the_streams() -> None:
    """H58."""
    limits = Limits(http=replace(HttpLimits(), drain_seconds=5))
    async with hosting(Fixture().build(), limits) as host:
        session = await host.open()
        async with listen(host, session) as stream:
            host.server.drain()
            host.sessions.drain()
            with anyio.fail_after(3):
                assert await stream.rest() == []


# --- What a hostile or unlucky client may try ---


@pytest.mark.parametrize("name", ["progress", "echo"])
async def test_a_connection_serves_on_after_a_stream(name: str) -> None:
    """RFC 9112 §9.3: nobody said that it would close."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        async with started(host, session, call_body(name)) as response:
            for _ in range(3):
                await response.rest()
                assert (response.status, response.fields.get("connection")) == (200, None)
                accept = "application/json, text/event-stream"
                fields = {"Accept": accept, "Content-Type": "application/json", **session}
                await response.again(host.url, "POST", fields, call_body(name))


async def test_streams_that_are_over_hold_neither_their_session_nor_their_place() -> None:
    """Z13: nobody reads what has ended, and the oldest of it is forgotten."""
    limits = Limits(session=replace(SessionLimits(), streams=3))
    async with hosting(Fixture().build(), limits) as host:
        session = await host.open()
        for _ in range(5):
            async with started(host, session, call_body("progress")) as response:
                await response.rest()
        found = host.sessions.find((session["Mcp-Session-Id"],), principal("alice"))
        assert not found.log.read
        async with listen(host, session, **{"Last-Event-ID": "1-1"}) as forgotten:
            assert forgotten.status == 410


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18"])
async def test_events_that_are_sent_at_once_all_arrive_in_the_order_of_their_ids(
    version: str,
) -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery."""
    async with hosting(Fixture().build()) as host:
        session = await host.open(version)
        async with started(host, session, call_body("crowd")) as response:
            events = await response.rest()
    expected = 5 if version == "2025-11-25" else 4
    assert [event.id for event in events] == [f"1-{n}" for n in range(1, expected + 1)]


async def test_a_call_whose_client_left_before_the_first_event_is_kept_for_its_return() -> None:
    """H55. MCP 2025-11-25 basic/transports §sending-messages-to-the-server."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        session = await host.open()
        await _leave_before_the_answer(host, session, fixture)
        fixture.release.set()
        with anyio.fail_after(5):
            await fixture.finished.wait()
        async with listen(host, session, **{"Last-Event-ID": "1-1"}) as resumed:
            rest = await resumed.rest()
    assert json.loads(rest[-1].data)["result"]["content"][0]["text"] == "kept"


async def _leave_before_the_answer(
    host: Hosting, session: dict[str, str], fixture: Fixture
) -> None:
    """Send a call and reset the connection while its handler runs."""
    accept = {"Accept": "application/json, text/event-stream"}
    fields = {**accept, "Content-Type": "application/json", **session}
    async with sent(host.url, "POST", fields, call_body("late")) as stream:
        with anyio.fail_after(5):
            await fixture.entered.wait()
        raw = stream.extra_attributes[SocketAttribute.raw_socket]()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_a_revoked_token_hears_no_more_however_busy_its_stream_is() -> None:
    """Z19: the call goes on, but not for whoever has lost the right to hear of it."""
    fixture = Fixture()
    limits = Limits(session=replace(SessionLimits(), recheck_seconds=0.02))
    async with hosting(fixture.build(), limits) as host:
        session = await host.open()
        async with started(host, session, call_body("busy")) as response:
            with anyio.fail_after(5):
                await fixture.entered.wait()
            host.gate.revoked.add("alice")
            await response.rest()
            assert not fixture.finished.is_set()
            fixture.release.set()


async def test_a_session_ends_with_the_token_that_listens_to_it() -> None:
    """Z19."""
    limits = Limits(session=replace(SessionLimits(), recheck_seconds=0.02))
    async with hosting(Fixture().build(), limits) as host:
        session = await host.open()
        async with listen(host, session) as stream:
            host.gate.revoked.add("alice")
            await stream.rest()
    assert len(host.sessions) == 0


async def test_a_call_finishes_when_only_the_server_stops() -> None:
    """H58."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        session = await host.open()
        async with started(host, session, call_body("wait", stream=True)) as response:
            with anyio.fail_after(5):
                await fixture.entered.wait()
            host.sessions.drain()
            host.server.drain()
            fixture.release.set()
            events = await response.rest()
    assert json.loads(events[-1].data)["result"]["content"][0]["text"] == "released"


async def test_head_looks_and_takes_nothing_over() -> None:
    """RFC 9110 §9.2.1."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        async with listen(host, session):
            fields = {**session, "Accept": "text/event-stream", "Last-Event-ID": "0-0"}
            looked = await host.client.head(host.url, headers=fields)
            found = host.sessions.find((session["Mcp-Session-Id"],), principal("alice"))
            assert (looked.status_code, looked.content) == (200, b"")
            assert found.log.standalone.read


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("version", ["bogus", ""])
async def test_every_method_looks_at_the_version(method: str, version: str) -> None:
    """Z18. MCP 2025-11-25 basic/transports §protocol-version-header."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        fields = {**session, "Accept": "text/event-stream", "MCP-Protocol-Version": version}
        refused = await host.client.request(method, host.url, headers=fields)
        assert (refused.status_code, (await host.call(session, "ping")).status_code) == (400, 200)


async def test_a_session_keeps_only_so_much_of_what_its_client_says() -> None:
    """A name of megabytes would be kept as long as the session."""
    async with hosting(Fixture().build()) as host:
        info = {"name": "x" * 70_000, "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        response = await host.post(message)
    assert (response.status_code, response.json()["error"]["code"]) == (400, -32602)


async def test_one_user_cannot_take_every_session() -> None:
    """RFC 6585 §4: whoever has too many is told, and others are served."""
    limits = Limits(session=replace(SessionLimits(), sessions_of_one=2))
    async with hosting(Fixture().build(), limits) as host:
        await host.open()
        mine = await host.open()
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": INFO}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        refused = await host.post(message, Authorization="Bearer alice")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        await host.open(user="bob")
        await host.client.delete(host.url, headers=mine)
        await host.open()


INFO = {"name": "t", "version": "1"}

"""The 2026-07-28 era on a real socket: one request, one answer."""

from __future__ import annotations

import json
import logging
from typing import Any

import anyio
import httpx2
import pytest

from catshop.protocol.http1.sse import Decoder
from catshop.protocol.versions import Era
from tests.support.fixture_server import Fixture
from tests.support.hosting import BOTH, ENVELOPE, MODERN, Hosting, hosting
from tests.support.raw import exchange

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"


def events(text: str) -> list[Any]:
    """The messages in an event stream."""
    decoder = Decoder()
    return [json.loads(event.data) for event in decoder.receive(text.encode()) if event.data]


def code(response: httpx2.Response) -> tuple[int, int]:
    """Status and error code."""
    return response.status_code, response.json()["error"]["code"]


async def test_a_call_needs_no_handshake_and_no_session() -> None:
    """A000-10. MCP 2026-07-28 basic §statelessness, MCP 2026-07-28 basic §responses."""
    async with hosting(Fixture().build()) as host:
        response = await host.modern("tools/list")
    result = response.json()["result"]
    assert response.status_code == 200
    assert "mcp-session-id" not in response.headers
    assert (result["resultType"], result["cacheScope"], result["ttlMs"]) == (
        "complete",
        "private",
        0,
    )
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "fixture"


async def test_discover_names_versions_capabilities_and_server() -> None:
    """MCP 2026-07-28 server/discover."""
    async with hosting(Fixture().build()) as host:
        result = (await host.modern("server/discover")).json()["result"]
    assert result["supportedVersions"] == [MODERN]
    assert "tools" in result["capabilities"]


@pytest.mark.parametrize("id_", [7, "7", 0, "", 2**53 + 1, -3, "\N{CAT}"])
async def test_the_answer_has_the_id_of_the_request(id_: object) -> None:
    """JSON-RPC 2.0 §5: with its type."""
    async with hosting(Fixture().build()) as host:
        echoed = (await host.modern("tools/list", id=id_)).json()["id"]
    assert (type(echoed), echoed) == (type(id_), id_)


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
async def test_both_spellings_of_the_endpoint_answer_without_a_redirect(path: str) -> None:
    """A redirect would lose the token on the way."""
    async with hosting(Fixture().build()) as host:
        host.url = host.url.removesuffix("/mcp") + path
        assert (await host.modern("tools/list")).status_code == 200


LADDER = [
    pytest.param({"_meta": {}}, {}, (400, -32602), id="K8-empty-meta"),
    pytest.param({"_meta": None}, {}, (400, -32602), id="K8-no-meta"),
    pytest.param({"_meta": {CAPABILITIES_KEY: {}}}, {}, (400, -32602), id="K8-no-version"),
    pytest.param({"_meta": {VERSION_KEY: MODERN}}, {}, (400, -32602), id="K8-no-capabilities"),
    pytest.param(
        {"_meta": {**ENVELOPE, VERSION_KEY: 5}}, {}, (400, -32602), id="version-is-a-number"
    ),
    pytest.param({}, {"MCP-Protocol-Version": "2025-11-25"}, (400, -32020), id="K1-other"),
    pytest.param({}, {"MCP-Protocol-Version": ""}, (400, -32020), id="K1-empty"),
    pytest.param(
        {"_meta": {**ENVELOPE, VERSION_KEY: "v999"}},
        {"MCP-Protocol-Version": "v999"},
        (400, -32022),
        id="K2-unknown",
    ),
    pytest.param(
        {"_meta": {**ENVELOPE, VERSION_KEY: "v999"}},
        {},
        (400, -32020),
        id="mismatch-before-support",
    ),
    pytest.param({}, {"Mcp-Method": "tools/call"}, (400, -32020), id="K3-wrong"),
    pytest.param({}, {"Mcp-Method": "TOOLS/LIST"}, (400, -32020), id="K3-case"),
    pytest.param({}, {"Mcp-Method": ""}, (400, -32020), id="K3-empty"),
]


@pytest.mark.parametrize(("params", "headers", "expected"), LADDER)
async def test_the_first_rung_that_breaks_is_the_answer(
    params: dict[str, Any], headers: dict[str, str], expected: tuple[int, int]
) -> None:
    """MCP 2026-07-28 basic §_meta, basic/transports/streamable-http §server-validation."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        response = await host.modern("tools/list", params, **headers)
    assert code(response) == expected
    assert response.json()["id"] == 1
    assert response.json()["error"]["data"]["section"]


async def test_an_unsupported_version_is_told_what_is_supported() -> None:
    """MCP 2026-07-28 basic/versioning §protocol-version-negotiation."""
    async with hosting(Fixture().build()) as host:
        params = {"_meta": {**ENVELOPE, VERSION_KEY: "v999.0.0"}}
        headers = {"MCP-Protocol-Version": "v999.0.0"}
        data = (await host.modern("server/discover", params, **headers)).json()["error"]["data"]
    assert (data["supported"], data["requested"]) == ([MODERN], "v999.0.0")


@pytest.mark.parametrize("missing", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"])
async def test_a_required_field_that_is_missing_is_a_mismatch(missing: str) -> None:
    """K1, K3, K4. MCP 2026-07-28 basic/transports/streamable-http §standard-request-headers."""
    fields = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
    del fields[missing]
    params = {"name": "echo", "_meta": ENVELOPE}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        response = await host.post(message, **fields)
    assert (code(response), fixture.calls) == ((400, -32020), [])


@pytest.mark.parametrize("name", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"])
async def test_a_required_field_that_comes_twice_is_a_mismatch(name: str) -> None:
    """K1, K3, K4: two readers would pick differently."""
    fixture = Fixture()
    params = {"name": "echo", "_meta": ENVELOPE}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    values = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
    headers = [("Accept", BOTH), *values.items(), (name, values[name])]
    async with hosting(fixture.build()) as host:
        response = await host.client.post(host.url, json=message, headers=headers)
    assert (code(response), fixture.calls) == ((400, -32020), [])


@pytest.mark.parametrize(
    ("sent", "status"),
    [("echo", 200), ("=?base64?ZWNobw==?=", 200), ("who", 400)],
)
async def test_the_name_in_the_field_is_the_name_in_the_body(sent: str, status: int) -> None:
    """K4, K11. MCP 2026-07-28 basic/transports/streamable-http §value-encoding."""
    async with hosting(Fixture().build()) as host:
        response = await host.modern("tools/call", {"name": "echo"}, **{"Mcp-Name": sent})
    assert response.status_code == status


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({"Mcp-Param-Region": "eu"}, 200), ({}, 400), ({"Mcp-Param-Region": "us"}, 400)],
)
async def test_a_marked_argument_is_mirrored_in_its_field(
    headers: dict[str, str], expected: int
) -> None:
    """K6. MCP 2026-07-28 basic/transports/streamable-http §custom-headers-from-tool-parameters."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        params = {"name": "mirrored", "arguments": {"region": "eu"}}
        response = await host.modern("tools/call", params, **headers)
    assert response.status_code == expected
    assert fixture.calls == (["mirrored"] if expected == 200 else [])


@pytest.mark.parametrize(
    "method",
    [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "unknown/method",
        "tools/lis",
    ],
)
async def test_a_method_that_is_gone_or_was_never_there_is_not_found(method: str) -> None:
    """Q15. MCP 2026-07-28 basic/transports/streamable-http §protocol-version-header."""
    async with hosting(Fixture().build()) as host:
        assert code(await host.modern(method)) == (404, -32601)


async def test_params_that_do_not_fit_name_the_member() -> None:
    """JSON-RPC 2.0 §5.1."""
    async with hosting(Fixture().build()) as host:
        response = await host.modern(
            "tools/call", {"name": "echo", "arguments": "text"}, **{"Mcp-Name": "echo"}
        )
    assert code(response) == (400, -32602)
    assert "arguments" in response.json()["error"]["data"]["arrived"]


async def test_a_handlers_own_error_goes_out_as_it_is() -> None:
    """JSON-RPC 2.0 §5.1."""
    async with hosting(Fixture().build()) as host:
        response = await host.modern("tools/call", {"name": "refuse"})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["data"]) == (200, -31000, {"why": "moon"})


async def test_a_capability_that_the_client_lacks_is_a_bad_request() -> None:
    """K9. MCP 2026-07-28 basic §error-codes."""
    async with hosting(Fixture().build()) as host:
        response = await host.modern("tools/call", {"name": "need"})
    assert code(response) == (400, -32021)
    assert response.json()["error"]["data"] == {"requiredCapabilities": {"elicitation": {}}}


async def test_a_fault_of_ours_shows_nothing_of_its_inside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Q18: the exchange's id finds it in the log."""
    with caplog.at_level(logging.ERROR):
        async with hosting(Fixture().build()) as host:
            response = await host.modern("tools/call", {"name": "bug"})
    assert code(response) == (500, -32603)
    assert "secret" not in response.text
    assert response.json()["error"]["data"]["exchange"] in caplog.text


async def test_a_notification_is_accepted_with_an_empty_body() -> None:
    """Q16. MCP 2026-07-28 basic/transports/streamable-http §sending-messages."""
    async with hosting(Fixture().build()) as host:
        message = {"jsonrpc": "2.0", "method": "notifications/whatever"}
        response = await host.post(message, **{"MCP-Protocol-Version": MODERN})
    assert (response.status_code, response.content) == (202, b"")


async def test_a_response_is_refused() -> None:
    """Q16. MCP 2026-07-28 basic/transports/streamable-http §sending-messages."""
    async with hosting(Fixture().build()) as host:
        message = {"jsonrpc": "2.0", "id": 1, "result": {}}
        response = await host.post(message, **{"MCP-Protocol-Version": MODERN})
    assert code(response) == (400, -32600)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_there_is_no_stream_and_no_session_to_end(method: str) -> None:
    """K10. MCP 2026-07-28 basic/transports/streamable-http §earlier-streamable-http-revisions."""
    async with hosting(Fixture().build()) as host:
        response = await host.client.request(
            method, host.url, headers={"MCP-Protocol-Version": MODERN, "Accept": BOTH}
        )
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_session_and_event_ids_are_ignored() -> None:
    """K10. MCP 2026-07-28 basic/transports/streamable-http §earlier-streamable-http-revisions."""
    async with hosting(Fixture().build()) as host:
        ignored = {"Mcp-Session-Id": "x", "Last-Event-ID": "1-1"}
        response = await host.modern("tools/list", **ignored)
    assert response.status_code == 200
    assert "mcp-session-id" not in response.headers


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (BOTH, 200),
        ("*/*", 200),
        ("application/json", 406),
        ("text/event-stream", 406),
        ("text/html", 406),
        ("application/json, text/event-stream;q=0", 406),
    ],
)
async def test_the_client_reads_json_and_event_streams(accept: str, status: int) -> None:
    """Q17. MCP 2026-07-28 basic/transports/streamable-http §sending-messages."""
    async with hosting(Fixture().build()) as host:
        assert (await host.modern("tools/list", Accept=accept)).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 200),
        ({"Content-Type": "Application/JSON; charset=UTF-8"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
    ],
)
async def test_the_body_is_json(headers: dict[str, str], status: int) -> None:
    """H42, N8. RFC 9110 §15.5.16."""
    async with hosting(Fixture().build()) as host:
        assert (await host.modern("tools/list", **headers)).status_code == status


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"jsonrpc":"2.0","id":null,"method":"m"}'])
async def test_what_is_no_message_is_a_bad_request_without_an_id(body: bytes) -> None:
    """Q1, Q2. MCP 2026-07-28 basic §error-responses."""
    async with hosting(Fixture().build()) as host:
        headers = {"Accept": BOTH, "Content-Type": "application/json"}
        response = await host.client.post(host.url, content=body, headers=headers)
    assert response.status_code == 400
    assert "id" not in response.json()


async def test_progress_turns_the_answer_into_a_stream_that_ends_with_the_response() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §receiving-messages."""
    async with hosting(Fixture().build()) as host:
        meta = {**ENVELOPE, "progressToken": "p"}
        response = await host.modern("tools/call", {"name": "progress", "_meta": meta}, id="x")
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["x-accel-buffering"] == "no"
    *notes, final = events(response.text)
    assert [note["params"]["progress"] for note in notes] == [1, 2, 3]
    assert {note["params"]["progressToken"] for note in notes} == {"p"}
    assert (final["id"], final["result"]["resultType"]) == ("x", "complete")


async def test_events_that_are_sent_at_once_all_arrive() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §receiving-messages."""
    async with hosting(Fixture().build()) as host:
        meta = {**ENVELOPE, "progressToken": "p"}
        response = await host.modern("tools/call", {"name": "crowd", "_meta": meta})
    *notes, final = events(response.text)
    assert sorted(note["params"]["progress"] for note in notes) == [1, 2, 3]
    assert final["result"]["resultType"] == "complete"


async def test_several_lines_of_accept_are_one_list() -> None:
    """RFC 9110 §5.3."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": ENVELOPE}}
    fields = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/list"}
    accept = [("Accept", "application/json"), ("Accept", "text/event-stream")]
    async with hosting(Fixture().build()) as host:
        headers = [*accept, *fields.items()]
        response = await host.client.post(host.url, json=message, headers=headers)
    assert response.status_code == 200


async def test_without_a_token_nobody_is_told_of_progress() -> None:
    """MCP 2026-07-28 basic/patterns/progress §progress-flow."""
    async with hosting(Fixture().build()) as host:
        response = await host.modern("tools/call", {"name": "progress"})
    assert response.headers["content-type"] == "application/json"


async def test_a_server_cannot_ask_in_this_era() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §receiving-messages."""
    async with hosting(Fixture().build()) as host:
        response = await host.modern("tools/call", {"name": "ask"})
    assert "error" in response.json()


async def test_closing_the_stream_cancels_the_call() -> None:
    """H54. MCP 2026-07-28 basic/transports/streamable-http §cancellation."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        await _leave_in_the_middle(host, fixture)
        with anyio.fail_after(5):
            await fixture.cancelled.wait()


async def _leave_in_the_middle(host: Hosting, fixture: Fixture) -> None:
    """Begin a streaming call and go away once it runs."""
    meta = {**ENVELOPE, "progressToken": "p"}
    params = {"name": "wait", "arguments": {"stream": True}, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "Accept": BOTH,
        "Content-Type": "application/json",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "wait",
    }
    async with exchange(host.url, "POST", headers, message):
        with anyio.fail_after(5):
            await fixture.entered.wait()


async def test_a_call_that_lacks_a_scope_never_reaches_its_handler() -> None:
    """S8: after the method is known to exist, before its arguments are looked at."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host:
        host.gate.forbidden.add("tools/call")
        response = await host.modern("tools/call", {"name": "echo", "arguments": {"text": 5}})
    assert (response.status_code, fixture.calls) == (403, [])


async def test_an_era_that_is_switched_off_says_what_is_served() -> None:
    """MCP 2026-07-28 basic/versioning."""
    async with hosting(Fixture().build(), eras=frozenset({Era.HANDSHAKE})) as host:
        response = await host.modern("tools/list")
    assert code(response) == (400, -32022)
    assert response.json()["error"]["data"]["supported"][0] == "2025-11-25"

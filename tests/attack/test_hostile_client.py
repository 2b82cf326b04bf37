"""What a client does that wants harm, and what everybody else sees of it: nothing."""

from __future__ import annotations

import base64
import socket
import struct
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest

from tests.support.fixture_server import Fixture
from tests.support.hosting import BOTH, ENVELOPE, MODERN, Hosting, hosting
from tests.support.raw import exchange


def call(tool: str, id_: object = 1) -> dict[str, Any]:
    """A call of a tool."""
    params = {"name": tool, "arguments": {}}
    return {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": params}


def sentinel(octets: bytes) -> str:
    """Octets as a mirrored field carries what is not plain ASCII."""
    return f"=?base64?{base64.b64encode(octets).decode()}?="


@pytest.mark.parametrize(
    "request_id",
    [
        pytest.param("1", id="a string that looks like it"),
        pytest.param(1.0, id="a fraction that equals it"),
        pytest.param([1], id="a list that holds it"),
        pytest.param({"1": 1}, id="an object"),
        pytest.param(None, id="null"),
    ],
)
async def test_only_the_id_itself_cancels_a_request(request_id: object) -> None:
    """MCP 2025-11-25 basic/utilities/cancellation §behavior-requirements."""
    fixture = Fixture()
    async with hosting(fixture.build()) as host, anyio.create_task_group() as tasks:
        session = await host.open()
        answers = []

        async def wait() -> None:
            answers.append(await host.post(call("wait"), **session))

        tasks.start_soon(wait)
        await fixture.entered.wait()
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
        accepted = await host.post({**cancelled, "params": {"requestId": request_id}}, **session)
        assert accepted.status_code == 202
        fixture.release.set()
    assert "released" in answers[0].text
    assert not fixture.cancelled.is_set()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(sentinel(b"echo\0"), id="NUL"),
        pytest.param(sentinel(b"echo\n"), id="newline"),
        pytest.param(sentinel(b" echo"), id="space before"),
        pytest.param(sentinel(b"\xff\xfe"), id="not UTF-8"),
        pytest.param(sentinel(sentinel(b"echo").encode()), id="wrapped twice"),
        pytest.param("=?base64?ZWNobx==?=", id="bits that nobody reads"),
        pytest.param("=?base64?ZWNo bw==?=", id="space inside"),
        pytest.param("=?base64?ZWNobw?=", id="no padding"),
        pytest.param("=?BASE64?ZWNobw==?=", id="upper case"),
        pytest.param("echo\xa0", id="no-break space"),
        pytest.param("ECHO", id="other case"),
        pytest.param("", id="empty"),
    ],
)
async def test_a_tool_is_not_run_under_a_name_in_disguise(name: str) -> None:
    """K4: MCP 2026-07-28 basic/transports/streamable-http §value-encoding, §server-validation."""
    fixture = Fixture()
    body = call("echo")
    body["params"]["_meta"] = ENVELOPE
    async with hosting(fixture.build()) as host:
        fields: dict[str, Any] = {
            "Accept": BOTH,
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": name.encode("latin-1"),
        }
        response = await host.client.post(host.url, json=body, headers=fields)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020
    assert fixture.calls == []


async def test_of_many_listeners_that_race_one_listens() -> None:
    """Z6: one answer of 200, the others 409."""
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        statuses: list[int] = []
        over = anyio.Event()

        async def listen() -> None:
            fields = {"Accept": "text/event-stream", **session}
            async with exchange(host.url, "GET", fields) as reading:
                statuses.append(reading.status)
                if len(statuses) == 6:
                    over.set()
                await over.wait()

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(6):
                    tasks.start_soon(listen)
    assert sorted(statuses) == [200, 409, 409, 409, 409, 409]


def reset_after(host: Hosting, session: dict[str, str], body: bytes) -> None:
    """Send a request and reset the connection at once."""
    parts = urlsplit(host.url)
    fields = {"Host": parts.netloc, "Accept": BOTH, "Content-Type": "application/json", **session}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"POST /mcp HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.sendall(head.encode() + body)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_a_crowd_that_resets_its_connections_leaves_nothing_behind() -> None:
    """H53: no connection, no request in flight; the next client is served."""
    body = b'{"jsonrpc":"2.0","id":%d,"method":"tools/list"}'
    async with hosting(Fixture().build()) as host:
        session = await host.open()
        for number in range(60):
            reset_after(host, session, body % number)
        with anyio.fail_after(10):
            while host.server.connections > 1:
                await anyio.lowlevel.checkpoint()
        answer = await host.call(session, "tools/list", id=0)
    assert answer.status_code == 200

"""Log messages: those that the client asked for, where it asked for them, and no others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
)

from catshop.protocol.connections import LEVELS, LOG_LEVEL
from catshop.protocol.log_levels import LogLevels
from tests.support.fixture_server import Context, said
from tests.support.hosting import ENVELOPE, Hosting, hosting
from tests.support.raw import exchange


async def talk(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Log one message of each level, on this call's stream or beside it, in each way there is."""
    related = None if params.name == "beside" else ctx.request_id
    for level in LEVELS:
        if params.name == "raw":
            message = LoggingMessageNotificationParams(level=level, data=level)
            notification = LoggingMessageNotification(params=message)
            await ctx.session.send_notification(notification, related)
        else:
            await ctx.session.send_log_message(level, level, "cats", related_request_id=related)
    return said("done")


@asynccontextmanager
async def talking() -> AsyncIterator[Hosting]:
    """A server that logs."""
    server: Server[Any] = Server("fixture", version="1", on_call_tool=talk)
    LogLevels().install(server)
    async with hosting(server) as host:
        yield host


def levels(response: httpx2.Response) -> list[str]:
    """The levels of the messages before the response."""
    if response.headers["content-type"] == "application/json":
        return []
    lines = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    messages = [json.loads(line) for line in lines if line]
    return [each["params"]["level"] for each in messages if "method" in each]


@pytest.mark.parametrize("tool", ["on", "raw", "beside"])
@pytest.mark.parametrize("level", [None, *LEVELS])
async def test_a_request_hears_what_it_asks_for_on_its_own_stream(
    tool: str, level: str | None
) -> None:
    """MCP 2026-07-28 server/utilities/logging §per-request-log-level: without it, nothing.

    The order of the levels is that of RFC 5424 §6.2.1.
    """
    meta = ENVELOPE if level is None else {**ENVELOPE, LOG_LEVEL: level}
    async with talking() as host:
        response = await host.modern("tools/call", {"_meta": meta, "name": tool})
    wanted = [] if level is None else LEVELS[LEVELS.index(level) :]  # type: ignore[arg-type]  # a level
    assert levels(response) == list(wanted)


@pytest.mark.parametrize("level", ["loud", "INFO", "", 7])
async def test_a_level_that_is_none_is_refused(level: object) -> None:
    """MCP 2026-07-28 server/utilities/logging §error-handling, and MCP 2025-11-25 the same."""
    async with talking() as host:
        meta = {**ENVELOPE, LOG_LEVEL: level}
        modern = await host.modern("tools/call", {"_meta": meta, "name": "on"})
        session = await host.open()
        legacy = await host.call(session, "logging/setLevel", {"level": level})
    assert modern.json()["error"]["code"] == legacy.json()["error"]["code"] == -32602


@pytest.mark.parametrize("tool", ["on", "raw"])
async def test_a_session_hears_what_it_asked_for_and_other_sessions_what_they_did(
    tool: str,
) -> None:
    """MCP 2025-11-25 server/utilities/logging §setting-log-level."""
    async with talking() as host:
        quiet, quieter, silent = [await host.open() for _ in range(3)]
        for session, level in ((quiet, "error"), (quieter, "warning"), (quieter, "alert")):
            answer = await host.call(session, "logging/setLevel", {"level": level})
            assert answer.json()["result"] == {}
        heard = [
            levels(await host.call(session, "tools/call", {"name": tool}))
            for session in (quiet, quieter, silent)
        ]
    assert heard == [
        ["error", "critical", "alert", "emergency"],
        ["alert", "emergency"],
        list(LEVELS),
    ]


async def test_messages_beside_all_requests_are_filtered_too() -> None:
    """MCP 2025-11-25 server/utilities/logging §log-message-notifications."""
    async with talking() as host:
        session = await host.open()
        await host.call(session, "logging/setLevel", {"level": "emergency"})
        response = await host.call(session, "tools/call", {"name": "beside"})
        assert response.headers["content-type"] == "application/json"
        fields = {"Accept": "text/event-stream", **session}
        async with exchange(host.url, "GET", fields) as reading:
            with anyio.fail_after(5):
                message = json.loads((await reading.next()).data)
    assert message["params"] == {"level": "emergency", "logger": "cats", "data": "emergency"}


async def test_a_server_that_logs_says_so() -> None:
    """MCP 2026-07-28 server/utilities/logging §capabilities; the method is of the older era."""
    async with talking() as host:
        discovered = (await host.modern("server/discover")).json()["result"]
        gone = await host.modern("logging/setLevel", {"level": "info"})
    assert discovered["capabilities"]["logging"] == {}
    assert gone.status_code == 404

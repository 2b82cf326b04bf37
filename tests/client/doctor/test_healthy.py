"""Healthy servers are healthy: our own shop in every way, and the official Python SDK's server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Timer
from typing import Any

import anyio
import pytest

from catshop.client.doctor.authority import taken_back
from catshop.client.doctor.chart import Chart, Health
from catshop.client.doctor.ladder import LADDER, climb, drive, enough
from catshop.client.oauth.grants import Tokens
from catshop.client.oauth.memory import Held, Memory
from catshop.client.oauth.sending import sending
from catshop.client.oauth.steps import Ask, Reply, Sources
from catshop.kernel import Secret, Trace, utc_now
from catshop.protocol.http1.messages import Answer
from tests.client.doctor.ward import Healthy, Open, admitted, examine
from tests.support.program import PATIENCE, ROOT, environment
from tests.support.shop import open_shop
from tests.support.shopper import token_of

SERVER = ROOT / "tests/journeys/servers/sdk_2.py"

TOLD = {"E-DOC-12", "E-DOC-14", "E-DOC-24"}
"""What the doctor warns of in servers that work: redirects, pages, ports."""


@pytest.fixture(scope="module", params=[(), ("own",)], ids=["open", "guarded"])
def official(request: pytest.FixtureRequest) -> Iterator[str]:
    """The SDK's server, and once with the authorization server that it brings along."""
    command = [sys.executable, str(SERVER), "http", *request.param]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        watchdog = Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            watchdog.cancel()
            assert address, f"it ended without a word: {process.wait()}"
            yield f"{address}/mcp"
        finally:
            watchdog.cancel()
            process.kill()


async def test_the_official_server_is_healthy(official: str) -> None:
    """Warned of what it does otherwise, and failed in nothing."""
    with anyio.fail_after(30):
        examined = await examine(official)
    assert {rung.finding.code for rung in examined.words} <= TOLD
    assert {rung.finding.health for rung in examined.words} <= {Health.WARN}
    assert len(examined.rungs) == len(LADDER)


def fresh(url: str, memory: Memory | None = None) -> Chart:
    """An empty chart."""
    return Chart(url, Sources(utc_now, lambda: "r" * 43), memory or Memory())


async def test_our_shop_is_healthy_and_keeps_nothing(tmp_path: Path) -> None:
    """No warning, and the registration is gone. RFC 7592 §2.3."""
    async with open_shop(tmp_path) as shop, sending(Trace(), enough) as send:
        chart = fresh(shop.mcp)
        rungs = await climb(chart, send, lambda _rung: None)
        assert chart.registered
        assert await shop.house.administration.clients()
        assert await drive(taken_back(chart), send) == ""
        assert not await shop.house.administration.clients()
    assert not [rung for rung in rungs if rung.finding.code]


async def test_our_shop_is_healthy_behind_the_door(tmp_path: Path) -> None:
    """With a token every rung is climbed. MCP 2026-07-28 server/tools §listing-tools."""
    async with open_shop(tmp_path) as shop:
        token = await token_of(shop, "alice")
        tokens = Tokens(shop.url, shop.mcp, "cat", Secret(token), scopes=("read",))
        held = Memory(held={(shop.url, shop.mcp): Held(tokens)})
        examined = await examine(shop.mcp, held)
    assert not examined.words
    assert not [rung for rung in examined.rungs if rung.finding.health is Health.NOT_RUN]
    told = {rung.name: rung.finding.told for rung in examined.rungs}
    assert told["every tool can be called"].endswith("definitions")
    assert told["the older era lists the same"].endswith("in 2025-11-25")


async def test_two_eras_with_two_lists_are_told(tmp_path: Path) -> None:
    """MCP 2026-07-28 basic/versioning §protocol-version-negotiation: one server, whoever asks."""
    async with open_shop(tmp_path) as shop, sending(Trace(), enough) as send:
        tokens = Tokens(shop.url, shop.mcp, "cat", Secret(await token_of(shop, "alice")))

        async def renamed(asked: Ask) -> Reply:
            reply = await send(asked)
            if asked.purpose != "tools/list after the handshake":
                return reply
            return replace(reply, body=reply.body.replace(b'"checkout"', b'"check_in"'))

        chart = fresh(shop.mcp, Memory(held={(shop.url, shop.mcp): Held(tokens)}))
        rungs = await climb(chart, renamed, lambda _rung: None)
        await drive(taken_back(chart), send)
    [cause] = [rung for rung in rungs if rung.finding.health is Health.FAIL]
    assert (cause.name, cause.finding.code) == ("the older era lists the same", "E-DOC-40")
    assert cause.finding.told == "only in one: check_in, checkout"


class Ended(Healthy):
    """Takes another token than the one that is held."""

    token = "ended"


async def test_a_token_that_has_ended_is_told_apart_from_one_that_is_refused() -> None:
    """OAuth 2.1 §5.3.2: both come as 401; the clock knows which it is."""
    over = utc_now() - timedelta(seconds=1)
    async with admitted(Ended) as patient:
        refused = await examine(patient.url, patient.memory())
        tokens = Tokens(patient.base, patient.url, "cat", Secret("ended"), expires_at=over)
        held = Memory(held={(patient.base, patient.url): Held(tokens)})
        ended = await examine(patient.url, held)
    assert [rung.finding.code for rung in refused.words] == ["E-DOC-25"]
    assert [rung.finding.code for rung in ended.words] == ["E-DOC-26"]


async def test_a_registration_that_cannot_be_removed_is_told() -> None:
    """RFC 7592 is not everybody's: the user learns what stays behind."""
    async with admitted(Healthy) as patient, sending(Trace(), enough) as send:
        chart = fresh(patient.url, patient.memory())
        await climb(chart, send, lambda _rung: None)
        assert "client cat" in await drive(taken_back(chart), send)


class SessionsAlone(Open):
    """Says 404, and nothing else, to whatever is no session's."""

    def message(self, message: Mapping[str, Any], session: str | None) -> Answer:
        """The handshake, or a session."""
        stranger = session is None and message["method"] != "initialize"
        return Answer(404) if stranger else super().message(message, session)


async def test_a_server_of_sessions_alone_may_say_404_to_a_stranger() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §backward-compatibility."""
    async with admitted(SessionsAlone) as patient:
        examined = await examine(patient.url)
    assert not examined.words

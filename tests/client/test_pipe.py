"""Servers that are programs, each with an oddity of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from catshop.client.client import Client
from catshop.client.connect import Options, launch
from catshop.client.errors import Lost, NotMcp, Unreachable
from catshop.client.pipe import Lines
from catshop.limits import ClientLimits

PROGRAM = Path(__file__).parent / "odd_program.py"
HURRIED = replace(ClientLimits(), exit_seconds=0.3)


@asynccontextmanager
async def program(oddity: str, log: Path, limits: ClientLimits = HURRIED) -> AsyncIterator[Client]:
    """A client of the program with that oddity, which writes down what it has read."""
    command = [sys.executable, str(PROGRAM), oddity, str(log)]
    with anyio.fail_after(30):
        async with launch(command, options=Options(limits=limits)) as client:
            yield client


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the program has read, in lines."""
    return tmp_path / "log.txt"


def words(log: Path) -> list[str]:
    """All that it has read and noted."""
    return log.read_text("utf-8").split()


@pytest.mark.parametrize("oddity", ["none", "noisy"])
async def test_an_error_to_discover_means_the_handshake_whatever_its_code(
    oddity: str, log: Path
) -> None:
    """MCP 2026-07-28 basic/transports/stdio §backward-compatibility; lines that are no messages
    are passed over.
    """
    async with program(oddity, log) as client:
        await client.tools()
        assert (await client.server()).revision.name == "2025-11-25"
    begun = ["server/discover", "initialize", "notifications/initialized", "tools/list"]
    assert words(log) == [*begun, "EOF"]


async def test_a_program_that_says_nothing_to_discover_means_the_handshake(log: Path) -> None:
    """MCP 2026-07-28 basic/transports/stdio §backward-compatibility: or does not respond."""
    async with program("silent", log, replace(HURRIED, probe_seconds=0.1)) as client:
        await client.tools()
    assert words(log)[:2] == ["server/discover", "initialize"]


async def test_a_program_that_can_be_discovered_is_spoken_to_at_once(log: Path) -> None:
    """MCP 2026-07-28 basic/transports/stdio §backward-compatibility."""
    async with program("modern", log) as client:
        await client.tools()
    assert words(log) == ["server/discover", "tools/list", "EOF"]


@pytest.mark.parametrize("oddity", ["none", "modern"])
async def test_leaving_a_request_is_told_on_a_pipe_in_both_eras(oddity: str, log: Path) -> None:
    """MCP 2026-07-28 basic/transports/stdio §cancellation."""
    async with program(oddity, log) as client:
        await client.server()
        async with anyio.create_task_group() as tasks:
            arrived = anyio.Event()
            call = partial(client.call, "never answered", progress=lambda _: arrived.set())
            tasks.start_soon(call)
            await arrived.wait()
            tasks.cancel_scope.cancel()
    *_, cancelled, id_, end = words(log)
    assert (cancelled, end) == ("notifications/cancelled", "EOF")
    assert id_.isdigit()


async def test_a_program_that_ends_leaves_nobody_waiting(log: Path) -> None:
    """MCP 2026-07-28 basic/transports/stdio §unexpected-termination."""
    async with program("dies", log) as client:
        with pytest.raises(Lost, match="E-SERVER-04"):
            await client.tools()
        with pytest.raises(Lost, match="the program"):
            await client.tools()


@pytest.mark.parametrize(
    ("oddity", "goodbye"),
    [
        pytest.param("none", ["EOF"], id="goes-by-itself"),
        pytest.param("stays", ["EOF", "SIGTERM"], id="has-to-be-asked"),
        pytest.param("deaf", ["EOF", "SIGTERM"], id="has-to-be-killed"),
    ],
)
async def test_a_program_is_seen_out_in_the_order_of_the_specification(
    oddity: str, goodbye: list[str], log: Path
) -> None:
    """MCP 2026-07-28 basic/transports/stdio §shutdown."""
    async with program(oddity, log) as client:
        await client.tools()
    assert words(log)[4:] == goodbye


async def test_a_program_that_cannot_be_started_is_unreachable() -> None:
    """MCP 2025-11-25 basic/transports §stdio."""
    with pytest.raises(Unreachable, match="E-SERVER-01"):
        async with launch(["/nowhere/cats"]):
            pytest.fail("there is no such program")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_line_is_whole_in_whatever_pieces_it_comes(size: int) -> None:
    """MCP 2026-07-28 basic/transports/stdio: delimited by newlines, and by nothing else."""
    octets, lines = b'{"a":1}\n\n{"b":"\r\x0b\x85"}\nrest', Lines(100)
    found = [
        line
        for start in range(0, len(octets), size)
        for line in lines.receive(octets[start : start + size])
    ]
    assert found == [b'{"a":1}', b"", b'{"b":"\r\x0b\x85"}']


def test_a_line_that_never_ends_is_given_up() -> None:
    """Ours: every buffer has a bound."""
    with pytest.raises(NotMcp, match="E-SERVER-09"):
        Lines(100).receive(b"x" * 101)

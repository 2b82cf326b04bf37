"""Whoever does not read what the shop says cannot stop it, and learns how much was lost."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from catshop.cli.logs import ROOM, Outlet
from tests.support.program import PATIENCE, environment

REQUESTS: Final = 2_000
GET: Final = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
LOST: Final = re.compile(r"WARNING catshop\.log (\d+) lines were dropped")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that is full to the last octet."""
    reader, writer = os.pipe()
    _fill(writer)
    yield reader, writer
    for end in (reader, writer):
        try:
            os.close(end)
        except OSError:
            continue


def _fill(writer: int) -> None:
    os.set_blocking(writer, False)
    for size in (4096, 1):
        while True:
            try:
                os.write(writer, b"." * size)
            except BlockingIOError:
                break
    os.set_blocking(writer, True)


def read_until(reader: int, mark: str) -> str:
    """What comes up to `mark`, without what filled the pipe."""
    text = ""
    while mark not in text:
        text += os.read(reader, 65536).decode().lstrip(".")
    return text


def asked(port: int, times: int) -> int:
    """How many of so many requests on one connection are answered."""
    address = ("127.0.0.1", port)
    with (
        socket.create_connection(address, timeout=PATIENCE) as client,
        client.makefile("rb") as answers,
    ):
        for number in range(times):
            client.sendall(GET)
            length = 0
            if not answers.readline().startswith(b"HTTP/1.1 200 "):
                return number
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            answers.read(length)
    return times


@contextmanager
def shop(
    folder: Path, flags: tuple[str, ...], errors: int, closing: str = ""
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The real program with this stderr, and its port."""
    command = f'exec {sys.executable} -m catshop serve --port 0 "$@" {closing}'
    process = subprocess.Popen(
        ["/bin/sh", "-c", command, "sh", *flags],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            address = next(line for line in process.stdout if line.strip().startswith("at "))
            yield process, int(address.rpartition(":")[2])
        finally:
            process.kill()


@pytest.mark.parametrize("flags", [(), ("--trace",)], ids=["log", "trace"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_pipe_that_nobody_reads_stops_no_request(
    tmp_path: Path, pipe: tuple[int, int], backend: str, flags: tuple[str, ...]
) -> None:
    """A log is written beside the work, never in its way."""
    reader, writer = pipe
    with shop(tmp_path, ("--backend", backend, *flags), writer) as (process, port):
        assert asked(port, REQUESTS) == REQUESTS
        process.terminate()
        os.close(writer)
        said = b""
        while octets := os.read(reader, 65536):
            said += octets
        assert process.wait(PATIENCE) == 0
    text = said.decode().lstrip(".")
    answered, lost = text.count("GET /health 200"), LOST.search(text)
    assert answered == REQUESTS or lost


def test_what_does_not_fit_is_counted_and_told_once_there_is_room(pipe: tuple[int, int]) -> None:
    """Nobody may believe that a log is whole when it is not."""
    reader, writer = pipe
    out = Outlet(writer, room=100)
    for number in range(50):
        out.write(f"line {number:4}\n")
    first = read_until(reader, "lines were dropped: nobody read them\n")
    out.write("and on it goes\n")
    assert read_until(reader, "on it goes\n") == "and on it goes\n"
    out.end(PATIENCE)
    assert first.startswith("line    0\n")
    told = sum(int(count) for count in LOST.findall(first))
    assert len(re.findall(r"^line", first, re.MULTILINE)) + told == 50


def test_at_the_end_what_is_queued_is_written_unless_nobody_reads(pipe: tuple[int, int]) -> None:
    """An end that waits for a reader would be none."""
    reader, writer = pipe
    out = Outlet(writer)
    out.write("the last words\n")
    out.end(0.01)
    out.write("too late\n")
    assert read_until(reader, "last words\n") == "the last words\n"
    out.end(PATIENCE)
    os.close(writer)
    assert os.read(reader, 10) == b""


def test_a_pipe_that_others_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    """The flag belongs to everybody who has the pipe open."""
    reader, writer = pipe
    os.set_blocking(writer, False)
    out = Outlet(writer)
    out.write("x" * ROOM)
    out.end(0.01)
    assert len(read_until(reader, "x" * ROOM)) == ROOM
    out.end(PATIENCE)


def test_without_a_reader_nothing_is_kept() -> None:
    """A reader that has left never comes back."""
    reader, writer = os.pipe()
    os.close(reader)
    out = Outlet(writer, room=10)
    for _ in range(100):
        assert out.write("12345\n") == 6
    out.flush()
    out.end(PATIENCE)
    os.close(writer)


@pytest.mark.parametrize("closing", ["", "2>&-"], ids=["reader-gone", "never-opened"])
def test_a_shop_to_which_nobody_listens_serves_all_the_same(tmp_path: Path, closing: str) -> None:
    """Its last line has nowhere to go, and that is all."""
    reader, writer = os.pipe()
    os.close(reader)
    with shop(tmp_path, ("--trace",), writer, closing) as (process, port):
        os.close(writer)
        assert asked(port, 20) == 20
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_a_pipe_can_be_served_without_stderr(tmp_path: Path) -> None:
    """`2>&-`: there is nowhere to complain, and no reason to."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} -m catshop stdio </dev/null 2>&-"],
        cwd=tmp_path,
        env=environment(),
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0

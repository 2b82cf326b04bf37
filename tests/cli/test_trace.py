"""`catshop trace`: a recording on the screen, one that grows, and somebody else's server."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Timer

import httpx2
import pytest

from catshop.inspector.files import Files
from catshop.inspector.recording import Answer, Check, Ended, Request, Started, read
from tests.cli.conftest import Command
from tests.support.program import PATIENCE, catshop, environment, serving

LINES = (
    Request(n=1, method="POST", target="/mcp"),
    Check(n=1, name="host.listed", verdict="ok", source="a.py:1"),
    Answer(n=1, status=401),
    Ended(n=1, status=401, ms=1.0),
    Request(n=2, method="GET", target="/health"),
    Answer(n=2, status=200),
    Ended(n=2, status=200, ms=2.0),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    files = Files(tmp_path / "r.jsonl", Started())
    for line in LINES:
        files(line)
    files.close()
    return tmp_path / "r.jsonl"


def test_a_recording_is_shown_an_exchange_a_block(cli: Command, file: Path) -> None:
    said = cli("trace", str(file))
    heads = [line.split()[:4] for line in said.out.splitlines() if line.startswith("#")]
    assert (said.status, heads) == (
        0,
        [["#1", "client▸mcp", "POST", "/mcp"], ["#2", "client▸auth", "GET", "/health"]],
    )


def test_a_filter_keeps_back_what_nobody_wants(cli: Command, file: Path) -> None:
    said = cli("trace", str(file), "--filter", "status>=400 check=host")
    assert (said.status, said.out.count("#")) == (0, 1)


def test_a_ladder_is_drawn_of_the_same(cli: Command, file: Path) -> None:
    """The same lines as those of `catshop demo`, in signs that every terminal has if need be."""
    said = cli("trace", str(file), "--ladder", "--ascii", "--filter", "n=2")
    first, *rungs = said.out.splitlines()
    assert first.split() == ["client", "browser", "auth", "mcp", "db"]
    assert rungs[0].endswith("GET /health")
    assert "-->" in rungs[0]
    assert said.out.isascii()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "E-REC-06"),
        (("r.jsonl", "--proxy", "http://127.0.0.1:1"), "E-REC-06"),
        (("nothing.jsonl",), "E-REC-01"),
        (("r.jsonl", "--filter", "colour=red"), "E-REC-05"),
        (("--proxy", "127.0.0.1:8000"), "E-PROXY-02"),
    ],
)
def test_what_cannot_be_shown_is_told_with_a_way_out(
    cli: Command, file: Path, arguments: tuple[str, ...], code: str
) -> None:
    said = cli("trace", *arguments)
    assert said.status == 1
    assert said.err.startswith(f"catshop: {code}: ")


def test_follow_shows_what_is_added_and_goes_on_in_the_file_that_comes_next(
    tmp_path: Path,
) -> None:
    files = Files(tmp_path / "r.jsonl", Started(), octets=600)
    with subprocess.Popen(
        [sys.executable, "-m", "catshop", "trace", "r.jsonl", "--follow"],
        cwd=tmp_path,
        env=environment(PYTHONIOENCODING="utf-8"),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        killer = Timer(PATIENCE, process.kill)
        killer.start()
        assert process.stdout is not None
        for number in range(1, 7):
            files(Request(n=number, method="GET", target=f"/{number}" + "x" * 80))
            files(Answer(n=number, status=200))
            files(Ended(n=number, status=200, ms=1.0))
            assert f"GET /{number}x" in process.stdout.readline()
            assert process.stdout.readline() == "  < 200\n"
        assert (tmp_path / "r.jsonl.1").exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        killer.cancel()
    files.close()


def test_a_proxy_shows_and_records_what_passes(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as shop,
        subprocess.Popen(
            [sys.executable, "-m", "catshop", "trace", "--proxy", shop.mcp, "--record", "p.jsonl"],
            cwd=tmp_path,
            env=environment(PYTHONIOENCODING="utf-8"),
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        killer = Timer(PATIENCE, process.kill)
        killer.start()
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"give your client (\S+)", first)
        assert found, first
        assert found[1].endswith("/mcp")
        answer = httpx2.post(found[1])
        assert f'"{found[1].removesuffix("/mcp")}/.well-known' in answer.headers["www-authenticate"]
        process.send_signal(signal.SIGTERM)
        shown = process.stdout.read()
        assert process.wait(PATIENCE) == 0
        killer.cancel()
    assert "client▸mcp  POST /mcp" in shown
    assert [each.status for each in read(tmp_path / "p.jsonl").exchanges.values()] == [401]


def test_a_port_that_is_taken_is_told_with_who_has_it_and_a_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = catshop(tmp_path, "trace", "--proxy", "http://127.0.0.1:1/mcp", "--port", port)
    assert said.returncode == 1
    assert f"127.0.0.1:{port} is taken by " in said.stderr
    assert "trace --proxy http://127.0.0.1:1/mcp --port 0" in said.stderr


def test_the_help_names_every_option(tmp_path: Path) -> None:
    said = catshop(tmp_path, "trace", "--help", env={"COLUMNS": "200"}).stdout
    for option in ("--follow", "--ladder", "--filter", "--proxy", "--port", "--record"):
        assert option in said

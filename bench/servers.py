"""The servers that are measured: how they are started, asked, and ended.

Servers on one core, whoever asks on another, loopback only, every wait bounded. What is done with
them and what it means is for `compare.py` and `overhead.py` to say. Next: `load.py`.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

HERE: Final = Path(__file__).parent
CATSHOP: Final = [sys.executable, "-m", "catshop"]
CORES: Final = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]

PROTOCOL: Final = "io.modelcontextprotocol"


@dataclass(frozen=True, slots=True)
class Work:
    """What a server is asked to do: one tool, always with the same arguments."""

    tool: str
    arguments: Mapping[str, object] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What to call it."""
        return f"tools/call {self.tool}"

    def body(self) -> str:
        """The call in the era without a handshake."""
        return json.dumps(
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {
                    "name": self.tool,
                    "arguments": self.arguments,
                    "_meta": {
                        f"{PROTOCOL}/protocolVersion": "2026-07-28",
                        f"{PROTOCOL}/clientInfo": {"name": "bench", "version": "1"},
                        f"{PROTOCOL}/clientCapabilities": {},
                    },
                },
            }
        )


LIST: Final = Work("list_products")


@dataclass(frozen=True, slots=True)
class Runner:
    """A server that is measured: where it is, what it calls itself, and what it has printed."""

    name: str
    port: int
    authority: str
    token: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def request(self, work: Work) -> bytes:
        """One call, as it goes over the wire."""
        body = work.body()
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: {self.authority}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
            "Accept: application/json, text/event-stream\r\nAccept-Encoding: identity\r\n"
            "User-Agent: bench\r\nMCP-Protocol-Version: 2026-07-28\r\n"
            f"Mcp-Method: tools/call\r\nMcp-Name: {work.tool}\r\nContent-Length: {len(body)}\r\n"
        )
        return f"{head}\r\n{body}".encode()

    def cpu_seconds(self) -> float:
        """What the process has used of the processor, to the nanosecond; NaN where nobody tells.

        `clock_getcpuclockid` of POSIX.1-2001: threads that have ended are in it.
        """
        clock = ctypes.c_int()
        ask = getattr(ctypes.CDLL(None), "clock_getcpuclockid", None)
        if ask is None or ask(self.process.pid, ctypes.byref(clock)):
            return math.nan
        return time.clock_gettime(clock.value)

    def answer(self, work: Work) -> object:
        """What it answers, without what is its own."""
        octets = self.request(work).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(octets)
            octets = b"".join(iter(lambda: connection.recv(65536), b""))
        result = json.loads(octets.partition(b"\r\n\r\n")[2])["result"]
        texts = [json.loads(block["text"]) for block in result["content"]]
        return result["structuredContent"], texts

    def said(self) -> str:
        """What it has printed so far."""
        return os.pread(self.output.fileno(), 65536, 0).decode()


def same_answer(runners: Sequence[Runner], work: Work) -> None:
    """SystemExit unless all of them do the same work."""
    first, *others = (runner.answer(work) for runner in runners)
    if any(other != first for other in others):
        raise SystemExit("the servers do not give the same answer; nothing was measured")


@dataclass(frozen=True, slots=True)
class House:
    """A database of our own with an account and its token, and the settings that go with it.

    Several servers may serve it, each at a port of its own, all under the same name.
    """

    environ: Mapping[str, str]
    port: int
    token: str

    @contextmanager
    def served(self, name: str, program: Sequence[str], port: int) -> Iterator[Runner]:
        """By a program of this folder, for as long as the context is open."""
        command = [sys.executable, str(HERE / program[0]), *program[1:]]
        settings = {**self.environ, "CATSHOP_PORT": str(port)}
        authority = f"127.0.0.1:{self.port}"
        with serving(name, port, command, settings) as (process, output):
            yield Runner(name, port, authority, self.token, process, output)


def house(folder: Path, backend: str) -> House:
    """An account and a token in a new database below `folder`."""
    folder.mkdir()
    port = free_port()
    environ = {
        **os.environ,
        "CATSHOP_BACKEND": backend,
        "CATSHOP_DATABASE": str(folder / "shop.db"),
        "CATSHOP_ISSUER": f"http://127.0.0.1:{port}",
        "CATSHOP_PORT": str(port),
    }
    catshop(environ, "user", "add", "bench", "--password-stdin", said=secrets.token_urlsafe(16))
    token = catshop(environ, "token", "issue", "--user", "bench", "--scope", "read write").strip()
    return House(environ, port, token)


def catshop(environ: Mapping[str, str], *arguments: str, said: str = "") -> str:
    """What the command prints."""
    command = [*CATSHOP, *arguments]
    done = subprocess.run(
        command, env=environ, input=said, capture_output=True, text=True, check=True
    )
    return done.stdout


@contextmanager
def serving(
    name: str, port: int, command: Sequence[str], environ: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A server of our own and what it prints, for as long as the context is open."""
    with tempfile.TemporaryFile() as output:
        with on_core(0):
            process = subprocess.Popen(command, env=environ, stdout=output)
        with process:
            try:
                wait_for(name, port, process)
                yield process, output
            finally:
                process.terminate()


def wait_for(name: str, port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the port answers, for at most 30 seconds."""
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{name}: does not serve")


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Keep to one core, as do programs that are started now, where there are two to choose from."""
    if len(CORES) < 2:
        yield
        return
    os.sched_setaffinity(0, {CORES[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

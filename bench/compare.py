"""Measure `tools/call list_products` on the shop and on the SDK's own server, in one run.

`make bench`, or `python bench/compare.py --help`. Both do the same work: a bearer token checked
against SQLite, the same eight products, structured and as text. The runs are interleaved and the
medians compared, the server on one core and the load on another, because absolute figures do not
travel between machines; the ratio within one run does. Reported, never a gate.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

HERE: Final = Path(__file__).parent
CATSHOP: Final = [sys.executable, "-m", "catshop"]
CORES: Final = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
TICKS: Final = os.sysconf("SC_CLK_TCK")

PROTOCOL: Final = "io.modelcontextprotocol"
CALL: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "list_products",
        "arguments": {},
        "_meta": {
            f"{PROTOCOL}/protocolVersion": "2026-07-28",
            f"{PROTOCOL}/clientInfo": {"name": "bench", "version": "1"},
            f"{PROTOCOL}/clientCapabilities": {},
        },
    },
}


@dataclass(slots=True)
class Runner:
    """A server that is measured: where it is, how to ask it, and what was found."""

    name: str
    port: int
    token: str
    process: subprocess.Popen[bytes]
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def request(self) -> str:
        """One call in the era without a handshake, as it goes over the wire."""
        body = json.dumps(CALL)
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
            "Accept: application/json, text/event-stream\r\nAccept-Encoding: identity\r\n"
            "User-Agent: bench\r\nMCP-Protocol-Version: 2026-07-28\r\n"
            f"Mcp-Method: tools/call\r\nMcp-Name: list_products\r\nContent-Length: {len(body)}\r\n"
        )
        return f"{head}\r\n{body}"

    def measure(self, connections: int, seconds: float) -> None:
        """One run, which adds to what was found."""
        before = self.cpu_seconds()
        plan = {"port": self.port, "request": self.request(), "connections": connections}
        done = subprocess.run(
            [*pinned(-1), sys.executable, str(HERE / "load.py")],
            input=json.dumps({**plan, "seconds": seconds}),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 30,
        )
        if done.returncode:
            raise SystemExit(f"{self.name}: {done.stderr.strip().splitlines()[-1]}")
        found = json.loads(done.stdout)
        self.rates.append(found["requests"] / found["seconds"])
        self.cpu.append((self.cpu_seconds() - before) / found["requests"] * 1e6)
        self.p50.append(found["p50"])
        self.p99.append(found["p99"])

    def forget(self) -> None:
        """Drop what was found while the server was cold."""
        for found in (self.rates, self.cpu, self.p50, self.p99):
            found.clear()

    def cpu_seconds(self) -> float:
        """What the process has used of the processor; 0 where that cannot be asked."""
        try:
            words = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2]
        except OSError:
            return 0.0
        user, system = words.split()[11:13]
        return (int(user) + int(system)) / TICKS

    def answer(self) -> object:
        """What it answers to the call, without what is its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(
                self.request().replace("\r\n", "\r\nConnection: close\r\n", 1).encode()
            )
            octets = b"".join(iter(lambda: connection.recv(65536), b""))
        result = json.loads(octets.partition(b"\r\n\r\n")[2])["result"]
        texts = [json.loads(block["text"]) for block in result["content"]]
        return result["structuredContent"], texts


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of one run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each server")
    parser.add_argument("--connections", type=int, default=32, help="kept alive")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = (peer(), shop(folder, "asyncio"), shop(folder, "trio"))
        runners = [stack.enter_context(server) for server in servers]
        if any(runner.answer() != runners[0].answer() for runner in runners):
            raise SystemExit("the servers do not give the same answer; nothing was measured")
        for runner in runners:
            runner.measure(options.connections, seconds=0.5)
            runner.forget()
        for _ in range(options.rounds):
            for runner in runners:
                runner.measure(options.connections, options.seconds)
    tell(runners)
    return 0


def tell(runners: list[Runner]) -> None:
    """The table of medians; the first runner is what the others are compared with."""
    table = Table(title="tools/call list_products, medians")
    for column in ("server", "requests/s", "to the SDK", "CPU us/request", "p50 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for runner in runners:
        ratio = median(runner.rates) / median(runners[0].rates)
        figures = (median(runner.cpu), median(runner.p50), median(runner.p99))
        table.add_row(
            runner.name,
            f"{median(runner.rates):,.0f}",
            f"{ratio:.2f}",
            *(f"{figure:.1f}" for figure in figures),
        )
    Console(width=100).print(table)


@contextmanager
def peer() -> Iterator[Runner]:
    """The SDK's server."""
    port, token = free_port(), secrets.token_urlsafe(32)
    command = [sys.executable, str(HERE / "peer.py"), str(port), token]
    with serving("SDK low-level Server, uvicorn", port, token, command, dict(os.environ)) as runner:
        yield runner


@contextmanager
def shop(folder: Path, backend: str) -> Iterator[Runner]:
    """The shop, as anybody would start it, with an account and a token of its own."""
    port = free_port()
    environ = {
        **os.environ,
        "CATSHOP_BACKEND": backend,
        "CATSHOP_DATABASE": str(folder / f"{backend}.db"),
        "CATSHOP_PORT": str(port),
    }
    catshop(environ, "user", "add", "bench", "--password-stdin", said=secrets.token_urlsafe(16))
    token = catshop(environ, "token", "issue", "--user", "bench", "--scope", "read write").strip()
    command = [sys.executable, str(HERE / "shop.py")]
    with serving(f"Cat Shop, {backend}", port, token, command, environ) as runner:
        yield runner


def catshop(environ: dict[str, str], *arguments: str, said: str = "") -> str:
    """What the command prints."""
    command = [*CATSHOP, *arguments]
    done = subprocess.run(
        command, env=environ, input=said, capture_output=True, text=True, check=True
    )
    return done.stdout


@contextmanager
def serving(
    name: str, port: int, token: str, command: list[str], environ: dict[str, str]
) -> Iterator[Runner]:
    """A server of our own, on its own core, for as long as the context is open."""
    with subprocess.Popen(
        [*pinned(0), *command], env=environ, stdout=subprocess.DEVNULL
    ) as process:
        try:
            wait_for(port, process)
            yield Runner(name, port, token, process)
        finally:
            process.terminate()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the port answers, for at most 30 seconds."""
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{process.args!r} does not serve")


def pinned(core: int) -> list[str]:
    """The words that keep a command on one core, where there are two to choose from."""
    if len(CORES) < 2 or not Path("/usr/bin/taskset").exists():
        return []
    return ["/usr/bin/taskset", "--cpu-list", str(CORES[core])]


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())

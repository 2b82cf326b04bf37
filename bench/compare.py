"""Measure `tools/call list_products` on the shop and on the SDK's own server, in one run.

`make bench`, or `python bench/compare.py --help`. Both do the same work: a bearer token checked
against SQLite, the same eight products, structured and as text. The runs are interleaved and the
medians compared, the server on one core and the load on another, because absolute figures do not
travel between machines; the ratio within one run does. Reported, never a gate. Next: `servers.py`.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from bench import record
from bench.load import crowd
from bench.record import Row, figure
from bench.servers import HERE, LIST, Runner, free_port, house, on_core, same_answer, serving

PEER: Final = "SDK low-level Server, uvicorn"
PROGRAMS: Final = ("mcp", "uvicorn", "uvloop", "httptools")
"""Whose versions belong to the result."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run found: how fast, at what price in microseconds of the processor, how late."""

    rate: float
    cpu: float
    p50: float
    p99: float


Samples = dict[str, list[Sample]]
"""The runs of each server, by its name; the first server is what the others are compared with."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="of one run")
    parser.add_argument("--rounds", type=int, default=9, help="runs of each server")
    parser.add_argument("--connections", type=int, default=32, help="kept alive")
    parser.add_argument("--save", action="store_true", help="make this the record")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = (peer(), shop(folder, "asyncio"), shop(folder, "trio"))
        runners = [stack.enter_context(server) for server in servers]
        same_answer(runners, LIST)
        for runner in runners:
            measure(runner, options.connections, seconds=0.5)
        samples: Samples = {runner.name: [] for runner in runners}
        for _ in range(options.rounds):
            for runner in runners:
                found = measure(runner, options.connections, options.seconds)
                samples[runner.name].append(found)
    compared = rows(samples)
    tell(samples, compared)
    if options.save:
        facts = {name: version(name) for name in PROGRAMS}
        tables = {LIST.title: [row for row in compared if row.name != PEER]}
        record.write("compare", record.of_now("python bench/compare.py --save", facts, tables))
    return 0


def measure(runner: Runner, connections: int, seconds: float) -> Sample:
    """One run."""
    before = runner.cpu_seconds()
    with on_core(-1), crowd(runner.port, runner.request(LIST), connections) as asking:
        latencies, took = asking.keep_asking(seconds)
    cpu = (runner.cpu_seconds() - before) / len(latencies) * 1e6
    latencies.sort()
    p50, p99 = (latencies[len(latencies) * part // 100] * 1000 for part in (50, 99))
    return Sample(len(latencies) / took, cpu, p50, p99)


def rows(samples: Samples) -> list[Row]:
    """Each server beside the first: the runs of one round are compared with each other."""
    first = next(iter(samples.values()))
    return [
        Row(
            name,
            figure([[each.cpu / than.cpu for each, than in zip(found, first, strict=True)]]),
            figure([[each.rate / than.rate for each, than in zip(found, first, strict=True)]]),
        )
        for name, found in samples.items()
    ]


def tell(samples: Samples, compared: Sequence[Row]) -> None:
    """The table of medians."""
    table = Table(title=f"{LIST.title}, medians")
    for column in ("server", "requests/s", "to the SDK", "CPU us/request", "p50 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for row in compared:
        found = samples[row.name]
        table.add_row(
            row.name,
            f"{median(each.rate for each in found):,.0f}",
            f"{row.rate.median:.2f}",
            f"{median(each.cpu for each in found):.1f}",
            f"{median(each.p50 for each in found):.1f}",
            f"{median(each.p99 for each in found):.1f}",
        )
    Console(width=100).print(table)


@contextmanager
def peer() -> Iterator[Runner]:
    """The SDK's server."""
    port, token = free_port(), secrets.token_urlsafe(32)
    command = [sys.executable, str(HERE / "peer.py"), str(port), token]
    with serving(PEER, port, command, os.environ) as (process, output):
        yield Runner(PEER, port, f"127.0.0.1:{port}", token, process, output)


@contextmanager
def shop(folder: Path, backend: str) -> Iterator[Runner]:
    """The shop, as anybody would start it, with an account and a token of its own."""
    ours = house(folder / backend, backend)
    with ours.served(f"Cat Shop, {backend}", ["shop.py"], ours.port) as runner:
        yield runner


if __name__ == "__main__":
    sys.exit(main())

"""Measure what the trace costs: while nobody watches, and while somebody records.

`make bench`, or `python bench/overhead.py --help`. The shop is compared with itself without the
trace (`without_trace.py`). Servers are asked in turns of a few milliseconds, because whatever slows
a machine down lasts longer and meets both alike; and they are started many times, because two
processes of one program differ, too. What is judged is the time of the processor that a request
takes: on one busy core throughput is its reciprocal, and neighbours disturb it less. Reported,
never a gate. Next: `record.py`, where figures are made of ratios.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench import record
from bench.load import Crowd, crowd
from bench.record import Record, Row, figure
from bench.servers import LIST, House, Runner, Work, free_port, house, on_core, same_answer

WITHOUT: Final = "without the trace"
PROGRAMS: Final[Mapping[str, Sequence[str]]] = {
    WITHOUT: ("without_trace.py",),
    record.NOBODY: ("shop.py", "nobody"),
    "recorded in memory, as for `--inspect`": ("shop.py", "memory"),
    "recorded in a file, `--record`": ("shop.py", "file"),
    "printed, `--trace`": ("shop.py", "printer"),
}
"""What is compared, and the program of this folder that serves it."""

PAIR: Final = (WITHOUT, record.NOBODY)
WATCHED: Final = tuple(name for name in PROGRAMS if name != record.NOBODY)
"""What serves in one sitting. Recording costs so much that few sittings show it."""

WORKS: Final = (LIST, Work("update_cart_quantity", {"product_id": 1, "quantity": 2}))
"""A call that reads one row, and one that writes in a transaction."""

FILLED: Final = Work("add_to_cart", {"product_id": 1})
"""What has to be done before."""

CONNECTIONS: Final = 8
WARM: Final = 2
"""What each asks when a server's turn comes, uncounted: the caches are full of another server."""

TURN: Final = 10
"""What each asks then."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn took of the processor, and how fast it was."""

    cpu: float
    rate: float

    def beside(self, other: Turn) -> Turn:
        """Both as ratios."""
        return Turn(self.cpu / other.cpu, self.rate / other.rate)


Found = dict[tuple[str, str], list[list[Turn]]]
"""Of each tool and each server: for every sitting its rounds, beside those without the trace."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sittings", type=int, default=10, help="with nobody watching")
    parser.add_argument("--watched", type=int, default=2, help="sittings with everybody watching")
    parser.add_argument("--seconds", type=float, default=2.5, help="of each work in a sitting")
    parser.add_argument("--save", action="store_true", help="make this the record")
    options = parser.parse_args()
    found: Found = {}
    facts = {"sittings": str(options.sittings)}
    with tempfile.TemporaryDirectory() as folder:
        ours = house(Path(folder) / "shop", "asyncio")
        for names in [PAIR] * options.sittings + [WATCHED] * options.watched:
            facts |= sit(ours, names, options.seconds, found)
    tables = {work.title: rows(found, work) for work in WORKS}
    measured = record.of_now("python bench/overhead.py --save", facts, tables)
    tell(measured)
    if options.save:
        record.write("overhead", measured)
    return 0


def sit(ours: House, names: Sequence[str], seconds: float, found: Found) -> Mapping[str, str]:
    """Start a server for each name, and add to what was found; how much trace was taken out."""
    with ExitStack() as stack:
        runners = {
            name: stack.enter_context(ours.served(name, PROGRAMS[name], free_port()))
            for name in names
        }
        runners[WITHOUT].answer(FILLED)
        for work in WORKS:
            same_answer(tuple(runners.values()), work)
            ratios = list(rounds(runners, work, seconds))
            for name in names:
                found.setdefault((work.tool, name), []).append([each[name] for each in ratios])
        removed: dict[str, int] = json.loads(runners[WITHOUT].said())
    return {what: str(count) for what, count in removed.items()}


def rounds(
    runners: Mapping[str, Runner], work: Work, seconds: float
) -> Iterator[Mapping[str, Turn]]:
    """Rounds in which each server has one turn, forth and then back, until the time is over."""
    with ExitStack() as stack:
        stack.enter_context(on_core(-1))
        crowds: dict[str, Crowd] = {}
        for name, runner in runners.items():
            asking = crowd(runner.port, runner.request(work), CONNECTIONS)
            crowds[name] = stack.enter_context(asking)
            # At once, because a server does not wait for a first request for long.
            crowds[name].ask(5 * TURN)
        order, until = list(runners), time.monotonic() + seconds
        while time.monotonic() < until:
            turns = {name: turn(runners[name], crowds[name]) for name in order}
            yield {name: each.beside(turns[WITHOUT]) for name, each in turns.items()}
            order.reverse()


def turn(runner: Runner, asking: Crowd) -> Turn:
    """One turn."""
    asking.ask(WARM)
    before = runner.cpu_seconds()
    took = asking.ask(TURN)
    return Turn(runner.cpu_seconds() - before, 1 / took)


def rows(found: Found, work: Work) -> list[Row]:
    """Everybody beside the shop without the trace."""
    return [
        Row(
            name,
            figure([[each.cpu for each in sitting] for sitting in found[work.tool, name]]),
            figure([[each.rate for each in sitting] for sitting in found[work.tool, name]]),
        )
        for name in PROGRAMS
        if name != WITHOUT
    ]


def tell(measured: Record) -> None:
    """What was found, and whether the promise holds."""
    console, facts = Console(width=100), measured.facts
    console.print(f"taken out: {facts['places']} places in {facts['modules']} modules")
    for title, found in measured.tables.items():
        table = Table(title=f"{title}, beside the shop without the trace")
        for column in ("the trace", "processor", "throughput"):
            table.add_column(column)
        for row in found:
            table.add_row(row.name, str(row.cpu), str(row.rate))
        console.print(table)
    verdict = record.judged(measured)
    console.print(f"under {record.PROMISE * 100:.0f} % while nobody watches: {verdict}")


if __name__ == "__main__":
    sys.exit(main())

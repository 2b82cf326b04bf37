"""What was measured when it was last saved, and what follows from it.

One file of `results/` for each program that measures, written by `--save`; from them
`docs/reference/performance.md` is printed, so that nobody types a figure. Ratios within one run
alone: they travel between machines, and seconds do not. Knows nothing of how they are measured.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results"

NOBODY: Final = "nobody watches"
PROMISE: Final = 0.02
"""What the trace may cost of the throughput then."""

RESAMPLED: Final = 1000
"""How often the interval of a median draws its samples anew."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio: the median of what was found, and the two ends of its interval."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        digits = 3 if self.median < 2 else 1
        low, middle, high = (f"{each:.{digits}f}" for each in (self.low, self.median, self.high))
        return f"{middle} ({low} to {high})"


@dataclass(frozen=True, slots=True)
class Row:
    """One server beside the one that it is compared with: what a request costs, how many fit."""

    name: str
    cpu: Figure
    rate: Figure


@dataclass(frozen=True, slots=True)
class Record:
    """What one program measured: on which day, in what, how it was called; rows by kind of work."""

    date: str
    python: str
    command: str
    facts: Mapping[str, str]
    tables: Mapping[str, Sequence[Row]]


class Verdict(StrEnum):
    """Whether the promise holds, as far as the measurement can tell."""

    HELD = "held"
    BROKEN = "not held"
    OPEN = "not decided"


def unwatched(record: Record) -> list[Figure]:
    """What a request takes of the processor while nobody watches, for each kind of work."""
    return [row.cpu for rows in record.tables.values() for row in rows if row.name == NOBODY]


def judged(record: Record) -> Verdict:
    """Held when every interval ends below what was promised; not held when one begins above it."""
    costs = unwatched(record)
    if any(cost.low > 1 + PROMISE for cost in costs):
        return Verdict.BROKEN
    held = costs and all(cost.high < 1 + PROMISE for cost in costs)
    return Verdict.HELD if held else Verdict.OPEN


def figure(sittings: Sequence[Sequence[float]]) -> Figure:
    """The median of all, and its interval of 95 %, for ratios that were found in several sittings.

    Two processes of the same program differ by more than two rounds do, so sittings are drawn
    first, and then rounds of each (a bootstrap in two stages). The same ratios, the same figure.
    """
    chance = Random(0)  # noqa: S311 - it picks samples and guards nothing
    drawn = sorted(
        median(
            ratio
            for sitting in chance.choices(sittings, k=len(sittings))
            for ratio in chance.choices(sitting, k=len(sitting))
        )
        for _ in range(RESAMPLED)
    )
    middle = median(ratio for sitting in sittings for ratio in sitting)
    low, high = drawn[RESAMPLED // 40], drawn[-RESAMPLED // 40]
    return Figure(*(round(each, 4) for each in (low, middle, high)))


def of_now(command: str, facts: Mapping[str, str], tables: Mapping[str, Sequence[Row]]) -> Record:
    """The record of what has just been measured."""
    today = datetime.now(UTC).date().isoformat()
    return Record(today, platform.python_version(), command, facts, tables)


def read(name: str, folder: Path = RESULTS) -> Record:
    """The record of one program."""
    told: dict[str, Any] = json.loads((folder / f"{name}.json").read_text("utf-8"))
    tables = {work: tuple(map(_row, rows)) for work, rows in told.pop("tables").items()}
    return Record(**told, tables=tables)


def write(name: str, record: Record, folder: Path = RESULTS) -> None:
    """Make this the record."""
    folder.mkdir(exist_ok=True)
    text = json.dumps(asdict(record), indent=2, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", "utf-8")


def _row(told: dict[str, Any]) -> Row:
    return Row(told["name"], Figure(**told["cpu"]), Figure(**told["rate"]))

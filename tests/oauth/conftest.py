"""A house for every test: an authorization server on a fresh database, and a clock to turn."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from catshop.kernel import Secret, Trace
from catshop.limits import OAuthLimits, StorageLimits
from catshop.oauth.metadata import OAUTH
from catshop.oauth.settings import OAuthSettings, TokenFormat
from catshop.storage.migrate import migrate
from catshop.storage.oauth import stores as stores_on
from catshop.storage.sqlite import SqliteDatabase
from tests.oauth.house import ISSUER, Clock, House

BOTH_FORMATS = ("test_refresh", "test_introspection", "test_token")
"""Modules whose every test holds for opaque tokens and for signed ones. RFC 9068 §4."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.endswith(BOTH_FORMATS) and "house" in metafunc.fixturenames:
        kinds = [pytest.param(kind, id=str(kind.value)) for kind in TokenFormat]
        metafunc.parametrize("token_format", kinds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits() -> OAuthLimits:
    return OAuthLimits()


@pytest.fixture
def token_format() -> TokenFormat:
    return TokenFormat.OPAQUE


@pytest.fixture
def settings(limits: OAuthLimits, token_format: TokenFormat) -> OAuthSettings:
    key = Secret("k" * 43)
    return OAuthSettings(ISSUER, f"{ISSUER}/mcp", key, limits, token_format=token_format)


@pytest.fixture
async def house(
    tmp_path: Path,
    settings: OAuthSettings,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    quick_passwords: None,
) -> AsyncIterator[House]:
    """A house without users and clients.

    In the end it still answers, nothing has crashed, nothing of it is left open or running, and
    its file is whole.
    """
    files, tasks = open_files(), len(anyio.get_running_tasks())
    database = SqliteDatabase.open(tmp_path / "shop.db", StorageLimits(), Trace())
    await migrate(database, clock())
    found = House(settings, stores_on(database), database, clock)
    yield found
    assert (await found.get(f"{OAUTH}{settings.prefix}")).status == 200
    await database.close()
    assert faults_of(tmp_path / "shop.db") == []
    assert [line.getMessage() for line in caplog.get_records("call") if line.exc_info] == []
    assert len(anyio.get_running_tasks()) == tasks
    assert open_files() <= files + 2


def open_files() -> int:
    """How many files and sockets this process has open, where one can tell."""
    listed = Path("/dev/fd")
    return len(os.listdir(listed)) if listed.is_dir() else 0


def faults_of(path: Path) -> list[object]:
    """What SQLite finds wrong in the file: damage, and rows that refer to nothing."""
    with closing(sqlite3.connect(path)) as connection:
        damage = connection.execute("PRAGMA integrity_check").fetchall()
        return [
            *(row for row in damage if row != ("ok",)),
            *connection.execute("PRAGMA foreign_key_check"),
        ]

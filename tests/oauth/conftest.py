"""A house for every test: an authorization server on a fresh database, and a clock to turn."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from catshop.kernel import Secret, Trace
from catshop.limits import OAuthLimits, StorageLimits
from catshop.oauth.settings import OAuthSettings, TokenFormat
from catshop.storage.migrate import migrate
from catshop.storage.oauth import stores as stores_on
from catshop.storage.sqlite import SqliteDatabase
from tests.oauth.house import ISSUER, Clock, House

BOTH_FORMATS = ("test_refresh", "test_introspection")
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
    tmp_path: Path, settings: OAuthSettings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[House]:
    """A house without users and clients; in the end its file is whole and nothing has crashed."""
    database = SqliteDatabase.open(tmp_path / "shop.db", StorageLimits(), Trace())
    await migrate(database, clock())
    yield House(settings, stores_on(database), database, clock)
    await database.close()
    assert faults_of(tmp_path / "shop.db") == []
    assert [line.getMessage() for line in caplog.get_records("call") if line.exc_info] == []


def faults_of(path: Path) -> list[object]:
    """What SQLite finds wrong in the file: damage, and rows that refer to nothing."""
    with closing(sqlite3.connect(path)) as connection:
        damage = connection.execute("PRAGMA integrity_check").fetchall()
        return [
            *(row for row in damage if row != ("ok",)),
            *connection.execute("PRAGMA foreign_key_check"),
        ]

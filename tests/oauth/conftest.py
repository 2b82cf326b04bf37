"""A house for every test: an authorization server on a fresh database, and a clock to turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from catshop.kernel import Secret, Trace
from catshop.limits import OAuthLimits, StorageLimits
from catshop.oauth.settings import OAuthSettings
from catshop.storage.migrate import migrate
from catshop.storage.oauth import stores as stores_on
from catshop.storage.sqlite import SqliteDatabase
from tests.oauth.house import ISSUER, Clock, House


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits() -> OAuthLimits:
    return OAuthLimits()


@pytest.fixture
def settings(limits: OAuthLimits) -> OAuthSettings:
    return OAuthSettings(ISSUER, f"{ISSUER}/mcp", Secret("k" * 43), limits)


@pytest.fixture
async def house(tmp_path: Path, settings: OAuthSettings, clock: Clock) -> AsyncIterator[House]:
    """A house without users and clients."""
    database = SqliteDatabase.open(tmp_path / "shop.db", StorageLimits(), Trace())
    await migrate(database, clock())
    yield House(settings, stores_on(database), database, clock)
    await database.close()

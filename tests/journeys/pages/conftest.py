"""A shop and a browser, for whoever looks at its pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.chromium import Chromium, chromium, missing
from tests.support.shop import Open, open_shop


@pytest.fixture
def anyio_backend() -> str:
    """Playwright knows asyncio alone."""
    return "asyncio"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Open]:
    """A shop on a real socket."""
    async with open_shop(tmp_path) as opened:
        yield opened


@pytest.fixture
async def browser() -> AsyncIterator[Chromium]:
    """A browser that has nothing to complain about in the end."""
    if reason := missing():
        pytest.skip(reason)
    async with chromium() as started:
        yield started

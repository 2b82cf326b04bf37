"""What every test may ask for. Async tests run twice: on asyncio and on trio."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop that this run of the test uses."""
    return str(request.param)

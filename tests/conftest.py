"""What every test may ask for. Async tests run twice: on asyncio and on trio."""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from catshop.oauth import passwords
from tests.oauth.cases import name_after_rows
from tests.support.visit import Visit, visited

settings.register_profile(
    "catshop",
    derandomize=True,  # the same examples in every run: a red build is red again
    deadline=None,  # machines are shared and noisy; time is bench/'s business
    suppress_health_check=[HealthCheck.too_slow],  # for the same reason
)
settings.load_profile("catshop")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop that this run of the test uses."""
    return str(request.param)


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that cost nothing, for tests of something else: argon2id at its least."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", quick)
    monkeypatch.setattr(passwords, "NOBODY", quick.hash("nobody has it"))


@pytest.fixture(autouse=True)
def rows_held() -> str:
    """The rows of the table of OAuth cases that the test holds; see tests/oauth/cases.py."""
    return ""


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that holds rows of that table carries them in its id."""
    name_after_rows(metafunc)


@pytest.fixture
async def visit(tmp_path: Path) -> Visit:
    """A person signs in, a client errs once and then calls a tool that streams."""
    return await visited(tmp_path)

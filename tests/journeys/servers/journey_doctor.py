"""The doctor at strangers' servers: what works is called healthy, and what does not has a cause.

`make servers` runs it with the other journeys there.
"""

from __future__ import annotations

from typing import Final

import anyio
import pytest

from catshop.client.doctor.chart import Health
from tests.client.doctor.ward import examine
from tests.journeys.servers.strangers import PROGRAMS, running

WARNED: Final = {"E-DOC-12", "E-DOC-14", "E-DOC-24"}
"""They redirect slashes, are not for pages, and know one port: each works none the less."""

OWN: Final = {
    "python-2.3": set[str](),
    "python-1.30": set[str](),
    "fastmcp-4": set[str](),
    "typescript-1.32": {"E-DOC-18"},
}
"""Who brings an authorization server along, and what fails there: the provider of the TypeScript
examples says 500 of a token that nobody gave, so that no client knows that a new one would help."""


@pytest.fixture
def anyio_backend() -> str:
    """Once is enough: what is new here is the other side."""
    return "asyncio"


@pytest.mark.parametrize("name", PROGRAMS)
async def test_an_open_server_is_healthy(name: str) -> None:
    """To the last rung, in whichever era it speaks."""
    with running(name) as url, anyio.fail_after(30):
        examined = await examine(f"{url}/mcp")
    assert {rung.finding.code for rung in examined.words} <= WARNED
    assert not [rung for rung in examined.rungs if rung.finding.health is Health.NOT_RUN]


@pytest.mark.parametrize(("name", "fails"), OWN.items(), ids=list(OWN))
async def test_a_guarded_server_is_healthy_up_to_the_sign_in(name: str, fails: set[str]) -> None:
    """Or named by what fails. OAuth 2.1 §5.3.2."""
    with running(name, "own") as url, anyio.fail_after(30):
        examined = await examine(f"{url}/mcp")
    failed = [rung for rung in examined.words if rung.finding.health is Health.FAIL]
    assert {rung.finding.code for rung in failed} == fails
    assert {rung.finding.code for rung in examined.words} <= WARNED | fails

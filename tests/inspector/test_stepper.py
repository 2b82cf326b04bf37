"""The stepper, from outside: what is held, what goes on, and what is refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import pytest

from tests.support.inspected import Inspected, inspected


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Inspected]:
    async with inspected(tmp_path) as opened:
        yield opened


async def press(http: httpx2.AsyncClient, shop: Inspected, **form: str) -> int:
    """Press a button of the page."""
    page = (await http.get("/-/oauth")).text
    csrf = re.findall(r'name="csrf" value="(\w+)"', page)[0]
    origin = {"Origin": shop.home}
    answer = await http.post("/-/oauth/step", data={"csrf": csrf, **form}, headers=origin)
    return answer.status_code


async def held(http: httpx2.AsyncClient) -> dict[str, object]:
    """The first request that is held, once there is one."""
    with anyio.fail_after(5):
        while True:
            told = (await http.get("/-/oauth.json")).json()["held"]
            if told:
                return dict(told[0])


async def test_a_held_request_goes_on_as_it_came_or_is_refused_with_503(
    watched: Inspected,
) -> None:
    """RFC 9110 §15.6.4: and until then nothing is decided."""
    answers: list[httpx2.Response] = []
    async with watched.visitor() as http, httpx2.AsyncClient() as anybody:

        async def ask() -> None:
            form = {"grant_type": "refresh_token", "refresh_token": "none"}
            answers.append(await anybody.post(f"{watched.url}/token", data=form))

        assert await press(http, watched, do="on") == 200
        for button, status in (("abort", 503), ("continue", 401)):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                waiting = await held(http)
                assert "pkce.s256" in str(waiting["ahead"])
                before = len(answers)
                assert await press(http, watched, do=button, id=str(waiting["id"])) == 200
            assert len(answers) == before + 1
            assert answers[-1].status_code == status
        assert answers[0].json()["code"] == "E-INSPECT-08"


async def test_what_is_not_part_of_a_sign_in_is_never_held(watched: Inspected) -> None:
    async with watched.visitor() as http, httpx2.AsyncClient() as anybody:
        await press(http, watched, do="on")
        assert (await anybody.get(f"{watched.url}/health")).status_code == 200
        assert await press(http, watched, do="continue", id="never-was") == 404


async def test_switching_it_off_lets_everything_go_on(watched: Inspected) -> None:
    async with watched.visitor() as http, httpx2.AsyncClient() as anybody:
        await press(http, watched, do="on")
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anybody.get, f"{watched.url}/authorize?state=a-state")
                assert "a-state" in str((await held(http))["target"])
                await press(http, watched, do="off")
        assert (await http.get("/-/oauth.json")).json()["held"] == []


async def test_a_server_that_stops_waits_for_nobody(watched: Inspected) -> None:
    """What is held goes on at once when the server drains."""
    answers: list[int] = []
    async with watched.visitor() as http, httpx2.AsyncClient() as anybody:
        await press(http, watched, do="on")

        async def ask() -> None:
            answers.append((await anybody.post(f"{watched.url}/token")).status_code)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await held(http)
                watched.server.drain()
    assert answers == [415]

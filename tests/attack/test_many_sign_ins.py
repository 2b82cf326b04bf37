"""Two hundred sign-ins at once: so many are judged, the rest are told to wait, and the shop serves.

Everything is real: sockets, pages, and passwords at their full price.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import anyio
import httpx2

from tests.oauth.cases import case
from tests.support.person import forms_of
from tests.support.shop import open_shop
from tests.support.terminal import PASSWORD
from tests.support.visits import client_of

MANY = 200
PATIENT = {
    "oauth.login_failures": MANY * 2,
    "oauth.login_failures_per_address": MANY * 2,
    "oauth.login_failures_per_account": MANY * 2,
    "oauth.hashing_threads": 1,
    "oauth.hashing_queue": 8,
    "storage.busy_seconds": 30.0,
}
"""Nobody is locked out here, and a slow machine is no fault; a short queue is sooner judged."""


@case("L6", "of 200 sign-ins at once as many as fit are judged, the rest are 503 with Retry-After")
async def test_two_hundred_sign_ins_at_once_do_not_stop_the_shop(tmp_path: Path) -> None:
    """RFC 9110 §15.6.4; RFC 9106 §4."""
    answers: list[httpx2.Response] = []
    async with (
        open_shop(tmp_path, **PATIENT) as shop,
        client_of(shop) as alice,
        httpx2.AsyncClient(limits=httpx2.Limits(max_connections=None), timeout=30) as crowd,
    ):
        await alice.redeem(await alice.code("alice"))
        page = await crowd.get(alice.asking(), follow_redirects=True)
        form = dict(forms_of(page)[0].values) | {"username": "alice", "action": "sign-in"}

        async def sign_in(password: str) -> httpx2.Response:
            return await crowd.post(f"{shop.url}/login", data={**form, "password": password})

        async def guess() -> None:
            answers.append(await sign_in("not hers at all"))

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for _ in range(MANY):
                    tasks.start_soon(guess)
                for _ in range(20):
                    assert (await alice.ask("tools/list")).status_code == 200
        told = Counter(answer.status_code for answer in answers)
        assert set(told) == {401, 503}
        assert told[401] >= 1 + 8
        waits = {each.headers.get("retry-after") for each in answers if each.status_code == 503}
        assert waits == {"5"}
        assert (await sign_in(PASSWORD)).status_code == 303

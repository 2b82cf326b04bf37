"""The page of faults: it is there with a laboratory alone, and breaks nothing for a stranger."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2

from catshop.lab.faults import FAULTS
from tests.support.inspected import inspected
from tests.support.laboratory import laboratory


def csrf_of(page: httpx2.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    return found[1]


async def test_a_button_breaks_the_shop_and_another_mends_it(tmp_path: Path) -> None:
    """Every page then says which fault is on, and so does every answer of the shop."""
    async with laboratory(tmp_path) as opened, opened.visitor() as http:
        page = await http.get("/-/faults")
        assert all(f'value="{name}"' in page.text for name in FAULTS)
        form = {"csrf": csrf_of(page), "fault": "pkce-skipped"}
        own = {"Origin": opened.home}
        page = await http.post("/-/faults/turn", data=form, headers=own)
        assert "fault: pkce-skipped" in page.text
        assert (await http.get("/-/faults.json")).json()["fault"] == "pkce-skipped"
        health = f"{opened.url}/healthz"
        assert (await http.get(health)).headers["x-catshop-fault"] == "pkce-skipped"
        page = await http.post("/-/faults/turn", data={**form, "fault": ""}, headers=own)
        assert "fault: none" in page.text
        assert "x-catshop-fault" not in (await http.get(health)).headers


async def test_nobody_breaks_the_shop_without_cookie_origin_and_token(tmp_path: Path) -> None:
    """OAuth 2.1 §7.9: a form of another page presses no button here."""
    async with laboratory(tmp_path) as opened, opened.visitor() as http:
        csrf, own = csrf_of(await http.get("/-/faults")), {"Origin": opened.home}
        form = {"csrf": csrf, "fault": "pkce-skipped"}
        async with httpx2.AsyncClient(base_url=opened.home) as stranger:
            answers = [await stranger.post("/-/faults/turn", data=form, headers=own)]
        answers += [
            await http.post("/-/faults/turn", data=form),
            await http.post("/-/faults/turn", data=form, headers={"Origin": "http://evil.example"}),
            await http.post("/-/faults/turn", data={**form, "csrf": "guess"}, headers=own),
        ]
        assert [answer.status_code for answer in answers] == [403] * 4
        odd = await http.post("/-/faults/turn", data={**form, "fault": "none"}, headers=own)
        assert (odd.status_code, "E-LAB-03" in odd.text) == (404, True)
        assert "fault: none" in (await http.get("/-/faults")).text


async def test_without_a_laboratory_there_is_no_such_page(tmp_path: Path) -> None:
    async with inspected(tmp_path) as opened, opened.visitor() as http:
        assert "/-/faults" not in (await http.get("/-/journey")).text
        assert (await http.get("/-/faults")).status_code == 404

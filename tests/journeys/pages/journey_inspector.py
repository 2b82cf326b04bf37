"""The inspector in a real browser: for everybody, as things happen, and down to the line of code.

`make pages` runs these. `SHOTS=folder make pages` leaves a picture of each page.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio
import httpx2
import pytest
from playwright.async_api import Page

from tests.journeys.pages.journey_looks import shot
from tests.support.chromium import DESK, PHONE, Chromium, overflow, violations
from tests.support.inspected import Inspected, inspected
from tests.support.terminal import Terminal
from tests.support.visits import wrong_verifier

PLACES: Final = {
    "journey": "/-/journey",
    "wire": "/-/wire",
    "exchange": "/-/wire/{refused}",
    "filtered": "/-/wire?q=status:4xx",
    "store": "/-/store?n={refused}",
    "stepper": "/-/oauth",
    "playground": "/-/play",
    "decode": "/-/decode",
    "connect": "/-/connect",
    "explain": "/-/explain/E-PKCE-06",
    "codes": "/-/explain",
    "nothing": "/-/wire/9999",
}


WATCH: Final = """
window.came = [];
const see = () => window.came.push(Date.now());
new MutationObserver(see).observe(document.getElementById("seq"), { childList: true });
"""
"""The page itself tells when a row has come, so that the way to the test is not counted."""


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Inspected]:
    """A shop with an inspector."""
    async with inspected(tmp_path) as opened:
        yield opened


async def refused(page: Page, shop: Inspected) -> str:
    """The number of the exchange that was refused last."""
    answer = await page.context.request.get(f"{shop.home}/-/wire.json?q=status:400")
    return str((await answer.json())["rows"][-1]["n"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
async def test_a_page_of_the_inspector_is_for_everybody(
    watched: Inspected, browser: Chromium, place: str, scheme: str
) -> None:
    """WCAG 2.2 §1.4.3, §1.4.10, §4.1.2, as far as a program can tell."""
    await wrong_verifier(watched.url)
    page = await browser.page(color_scheme=scheme, viewport={"width": 1440, "height": 900})
    await page.goto(watched.link)
    number = await refused(page, watched)
    await page.goto(watched.home + PLACES[place].format(refused=number))
    await shot(page, f"inspector-{place}-{scheme}-1440")
    for size in (DESK, PHONE):
        await page.set_viewport_size(size)
        assert await violations(page) == []
        assert await overflow(page) == 0
        await shot(page, f"inspector-{place}-{scheme}-{size['width']}")


async def test_a_wrong_verifier_is_seen_down_to_the_line(
    watched: Inspected, browser: Chromium
) -> None:
    """RFC 7636 §4.6: the exchange, the check, the line, the difference and the fix."""
    page = await browser.page(java_script_enabled=False)
    await page.goto(watched.link)
    await wrong_verifier(watched.url)
    await page.get_by_role("link", name="Wire", exact=True).click()
    await page.locator("li.refused a").last.click()
    why = await page.locator(".why").inner_text()
    assert "E-PKCE-06" in why
    assert "Fix:" in why
    checks = await page.locator("tr.bad", has_text="NO").inner_text()
    assert "pkce" in checks
    assert "oauth/" in checks
    difference = await page.locator(".diff").inner_text()
    assert "- code_verifier=‹" in difference.replace("-   ", "- ")
    assert "+ HTTP/1.1 200 OK" in difference
    assert "this is what was refused" in await page.locator("tr.bad", has_text="form").inner_text()
    await page.get_by_role("link", name="explain E-PKCE-06").click()
    assert await page.get_by_role("heading", name="E-PKCE-06").is_visible()


async def test_a_row_appears_soon_after_its_exchange(watched: Inspected, browser: Chromium) -> None:
    """WHATWG HTML §9.2: within 300 ms, without a reload."""
    page = await browser.page()
    await page.goto(watched.link)
    await page.goto(f"{watched.home}/-/wire")
    await page.locator("body[data-live=yes]").wait_for()
    await page.evaluate(WATCH)
    late = []
    async with httpx2.AsyncClient() as http:
        for number in range(5):
            await http.get(f"{watched.url}/health?{number}")
            ended = time.time()
            await page.wait_for_function("number => window.came.length > number", arg=number)
            late.append(float(await page.evaluate("window.came.at(-1)")) / 1000 - ended)
    assert sorted(late)[2] < 0.3, late


async def test_the_keyboard_walks_the_wire(watched: Inspected, browser: Chromium) -> None:
    """WCAG 2.2 §2.1.1, §2.4.7: j and k move, Enter opens, p pauses; every stop can be seen."""
    await wrong_verifier(watched.url)
    page = await browser.page()
    await page.goto(watched.link)
    await page.goto(f"{watched.home}/-/wire")
    await page.locator("body[data-live=yes]").wait_for()
    for key in ("j", "j", "k"):
        await page.keyboard.press(key)
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    await page.keyboard.press("p")
    assert await page.locator("#live").inner_text() == "Live view paused"
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/-/wire/*")
    assert "Client to MCP endpoint · 401" in await page.locator("#hd").inner_text()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts-on", "scripts-off"])
async def test_the_stepper_holds_a_sign_in_and_lets_it_go_on(
    watched: Inspected, browser: Chromium, *, scripts: bool
) -> None:
    """RFC 9110 §15.6.4: each decision waits for its button, and the flow ends with tokens."""
    page = await browser.page(java_script_enabled=scripts)
    await page.goto(watched.link)
    await page.get_by_role("link", name="OAuth stepper").click()
    await page.get_by_role("button", name="Hold requests").click()
    ended = anyio.Event()
    async with (
        httpx2.AsyncClient(timeout=60) as http,
        httpx2.AsyncClient(timeout=60) as person,
        anyio.create_task_group() as tasks,
    ):
        client = Terminal(watched.url, http, person)

        async def flow() -> None:
            await client.register()
            assert (await client.redeem(await client.code("alice"))).status_code == 200
            ended.set()

        tasks.start_soon(flow)
        for stop in ("/register", "/authorize", "/login", "/consent", "/token"):
            await held_at(page, stop, watched, scripts=scripts)
            assert not ended.is_set()
            await page.get_by_role("button", name="Continue").click()
        with anyio.fail_after(10):
            await ended.wait()


async def held_at(page: Page, stop: str, shop: Inspected, *, scripts: bool) -> None:
    """Wait until the page shows that a request for `stop` is held; without scripts, ask again."""
    shown = page.locator("article h3", has_text=stop)
    if scripts:
        await shown.wait_for()
    with anyio.fail_after(10):
        while not await shown.count():
            await page.goto(f"{shop.home}/-/oauth")

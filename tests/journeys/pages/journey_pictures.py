"""The pictures of the documentation: made of a run that is always the same, and compared.

`make pictures` takes them anew, `make pages` compares. A sign-in with a wrong verifier and the trip
of `catshop demo` are recorded for real; what differs from one run to the next is made the same
before it is shown (`catshop/inspector/still.py`), on the pages that need the running shop in the
browser itself. The numbers of lines move when the code does, and two processors do not smooth a
letter alike, so a few pixels may differ; whatever moves on a page is more than that.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import httpx2
import pytest
from PIL import Image, ImageChops
from playwright.async_api import Page

from catshop.cli.demo import trip
from catshop.cli.inspecting import entered_by, opened
from catshop.inspector.recording import Recording
from catshop.inspector.redact import Redactor
from catshop.inspector.still import Still, still
from catshop.inspector.web.desk import Desk, Ports
from catshop.inspector.web.frame import Place
from catshop.kernel import Trace
from catshop.limits import HttpLimits
from tests.support.chromium import PHONE, Chromium
from tests.support.inspected import Inspected, inspected
from tests.support.laboratory import laboratory
from tests.support.shop import open_shop
from tests.support.terminal import Terminal
from tests.support.visit import recorder
from tests.support.visits import wrong_verifier

IMAGES: Final = Path(__file__).parents[3] / "docs/images"
WIDE: Final = {"width": 1440, "height": 900}
BASE: Final = "http://127.0.0.1:8000"

NOTICED: Final = 48
"""Of 255: from here on a pixel is another one."""

MOST: Final = 0.004
"""Of all pixels may differ; a line of text that has moved by one line is twice as much."""

TOOK: Final = re.compile(r"[\d.]+ ms\b")

CALM: Final = """async () => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walk.nextNode()) found.push(walk.currentNode);
  for (const node of found) if (node.nodeValue.trim()) node.nodeValue = await still(node.nodeValue);
}"""
"""Puts something that stays in place of all that differs, text by text."""


async def refused(folder: Path) -> Recording:
    """A client comes in as it should, and then has not the verifier that it began with."""
    trace, (made, memory) = Trace(), recorder()
    trace.observe(made)
    async with open_shop(folder, trace) as shop:
        await wrong_verifier(shop.url)
    return memory.recording()


async def bought(_folder: Path) -> Recording:
    """Alice buys a Whisker Wand."""
    return await trip()


@asynccontextmanager
async def shown(recording: Recording, page: Page) -> AsyncIterator[str]:
    """The pages of the recording, and `page` let in to them."""
    desk = Desk(Place(BASE), entered_by("t"), Redactor(b"a key of this test"), Ports())
    desk.show(still(recording))
    async with opened(desk, HttpLimits()) as home:
        await page.goto(f"{home}/-/?t=t")
        yield home


async def take(page: Page, name: str) -> None:
    """Take the picture; it is the one of the documentation, or becomes it."""
    IMAGES.mkdir(exist_ok=True)
    kept = IMAGES / f"{name}.png"
    await page.evaluate("document.activeElement.blur()")
    if os.environ.get("PICTURES"):
        await page.screenshot(path=kept)
        return
    assert kept.exists(), f"there is no {kept.name}: run `make pictures` and look at it"
    now = kept.parents[2] / f".cache/pictures/{name}.png"
    now.parent.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=now)
    share = difference(kept, now)
    look = f"look at .cache/pictures/{now.name}; if it is right: make pictures"
    assert share <= MOST, f"{share:.2%} of {kept.name} is not what it was: {look}"


def difference(one: Path, other: Path) -> float:
    """Which share of the pixels is another; 1 for pictures of different sizes."""
    with Image.open(one) as first, Image.open(other) as second:
        if first.size != second.size:
            return 1.0
        bands = ImageChops.difference(first.convert("RGB"), second.convert("RGB")).split()
        worst = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
        noticed = sum(worst.histogram()[NOTICED:])
        return noticed / (first.size[0] * first.size[1])


@pytest.fixture(autouse=True)
def our_own_browser() -> None:
    """The font is in the picture."""
    if os.environ.get("CATSHOP_CHROMIUM"):
        pytest.skip(
            "pictures are compared in the browser that make pages unpacks: its font is known"
        )


@pytest.mark.parametrize(
    ("name", "story", "number", "options"),
    [
        pytest.param("refused-light", refused, 10, {"viewport": WIDE}, id="light"),
        pytest.param(
            "refused-dark", refused, 10, {"viewport": WIDE, "color_scheme": "dark"}, id="dark"
        ),
        pytest.param("refused-phone", refused, 10, {"viewport": PHONE}, id="phone"),
        pytest.param("purchase", bought, 16, {"viewport": WIDE}, id="purchase"),
    ],
)
async def test_the_wire(
    tmp_path: Path,
    browser: Chromium,
    name: str,
    story: Callable[[Path], Awaitable[Recording]],
    number: int,
    options: dict[str, object],
) -> None:
    page = await browser.page(**options)
    async with shown(await story(tmp_path), page) as home:
        await page.goto(f"{home}/-/wire/{number}")
        if options["viewport"] is PHONE:
            await page.locator("#detail").scroll_into_view_if_needed()
            await page.evaluate("document.getElementById('detail').scrollIntoView()")
        await take(page, name)


async def live(page: Page, name: str, url: str) -> None:
    """A page of the running shop, its text made calm."""
    await page.goto(url)
    await page.evaluate(CALM)
    await take(page, name)


async def let_in(page: Page, shop: Inspected) -> None:
    calm = Still({}, {}, {shop.url.rpartition(":")[2]: "8000"})
    await page.expose_function("still", lambda text: TOOK.sub("1.0 ms", calm(text)))
    await page.goto(shop.link)


async def test_the_store_and_the_stepper(tmp_path: Path, browser: Chromium) -> None:
    """The exchange of a code: held before it is judged, and what it has written."""
    page = await browser.page(viewport=WIDE)
    async with (
        inspected(tmp_path) as shop,
        httpx2.AsyncClient(timeout=60) as http,
        anyio.create_task_group() as tasks,
    ):
        client = Terminal(shop.url, http, http)
        await client.register()
        code = await client.code("alice")
        await let_in(page, shop)
        await page.goto(f"{shop.home}/-/oauth")
        await page.get_by_role("button", name="Hold requests").click()
        tasks.start_soon(client.redeem, code)
        await page.locator("article h3", has_text="/token").wait_for()
        await live(page, "stepper", f"{shop.home}/-/oauth")
        await page.goto(f"{shop.home}/-/oauth")
        await page.get_by_role("button", name="Continue").click()
        number = await held_exchange(page, shop)
        await live(page, "store", f"{shop.home}/-/store?n={number}")


async def held_exchange(page: Page, shop: Inspected) -> int:
    """The number of the exchange at /token, once its rows are known."""
    with anyio.fail_after(10):
        while True:
            told = await (await page.context.request.get(f"{shop.home}/-/wire.json")).json()
            number = int(told["rows"][-1]["n"])
            asked = f"{shop.home}/-/store.json?n={number}"
            tables = (await (await page.context.request.get(asked)).json())["tables"]
            if any(table["fresh"] for table in tables if table["name"] == "oauth_access_tokens"):
                return number


async def test_the_faults(tmp_path: Path, browser: Chromium) -> None:
    """With one of them on."""
    page = await browser.page(viewport=WIDE)
    async with laboratory(tmp_path) as shop:
        await let_in(page, shop)
        await page.goto(f"{shop.home}/-/faults")
        await page.get_by_role("button", name="Break pkce-skipped").click()
        await live(page, "faults", f"{shop.home}/-/faults")


async def test_an_explanation(tmp_path: Path, browser: Chromium) -> None:
    """Reached from the refusal."""
    page = await browser.page(viewport=WIDE)
    async with shown(await refused(tmp_path), page) as home:
        await page.goto(f"{home}/-/explain/E-PKCE-06")
        await take(page, "explain")

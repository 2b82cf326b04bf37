"""A real browser: Chromium without a screen, that keeps what its pages complain about.

`make pages` unpacks it into .cache/chromium; CATSHOP_CHROMIUM names another one. Whatever a page
reports while it is looked at (a rule of its policy that was broken, a script that failed, a dialog)
is kept in `complaints`, and a test that ends with one has failed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from platform import machine
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.async_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Dialog,
        Page,
        Response,
    )

ROOT: Final = Path(__file__).parents[2]
UNPACKED: Final = ROOT / ".cache/chromium"
AXE: Final = ROOT / "conformance/node_modules/axe-core/axe.min.js"

BESIDE: Final = {
    "LD_LIBRARY_PATH": str(UNPACKED / "lib"),
    "FONTCONFIG_FILE": str(UNPACKED / "fonts.conf"),
}
"""Where the unpacked one finds the libraries and the font that came with it."""

QUIET: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""It asks nobody but the shop for anything."""

PARTS: Final = {"stylesheet", "image", "script", "font"}
"""What a page asks for by itself, and must get."""

PATIENCE: Final = 10_000
"""Milliseconds for whatever a page is to do."""

PHONE: Final = {"width": 390, "height": 844}
DESK: Final = {"width": 1280, "height": 800}


@dataclass
class Chromium:
    """The browser, and what its pages complained about."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)

    async def context(self, **options: Any) -> BrowserContext:
        """Somebody new at the browser, without a cookie; `options` are Playwright's own."""
        context = await self.browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        context.on("page", self._listen)
        return context

    async def page(self, **options: Any) -> Page:
        """An empty page of somebody new."""
        return await (await self.context(**options)).new_page()

    def _listen(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("response", self._response)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("dialog", self._dialog)

    def _console(self, said: ConsoleMessage) -> None:
        if not said.text.startswith("Failed to load resource"):  # a refusal is a page of ours, too
            self.complaints.append(f"{said.type}: {said.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type in PARTS:
            self.complaints.append(f"{response.status}: {response.url}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        await dialog.dismiss()


def missing() -> str:
    """Why there can be no browser here; empty where there is one."""
    if os.environ.get("CATSHOP_CHROMIUM") or (sys.platform, machine()) == ("linux", "x86_64"):
        return ""
    return f"npm has no Chromium for {sys.platform} {machine()}: name one in CATSHOP_CHROMIUM"


@asynccontextmanager
async def chromium() -> AsyncIterator[Chromium]:
    """Start it, with a profile that is gone afterwards; asyncio alone, as Playwright is."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - `make test` has no browser

    own = os.environ.get("CATSHOP_CHROMIUM")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=own or UNPACKED / "chromium",
            args=QUIET,
            env={**os.environ} if own else {**os.environ, **BESIDE},
            chromium_sandbox=False,
        )
        found = Chromium(browser)
        yield found
        await browser.close()
    assert not found.complaints, found.complaints


async def violations(page: Page) -> list[str]:
    """What axe finds wrong with the page as it is shown; its script is no part of the page."""
    await page.evaluate(AXE.read_text("utf-8"))
    found = await page.evaluate("axe.run()")
    assert found["passes"], "axe has looked at nothing"
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


async def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    return int(
        await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
    )

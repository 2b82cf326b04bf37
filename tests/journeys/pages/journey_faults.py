"""The page of faults in a real browser: for everybody, with and without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.pages.journey_looks import shot
from tests.support.chromium import DESK, PHONE, Chromium, overflow, violations
from tests.support.laboratory import laboratory


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_of_faults_is_for_everybody(
    tmp_path: Path, browser: Chromium, scheme: str
) -> None:
    """WCAG 2.2 §1.4.3, §1.4.10, §4.1.2: whole, and with a fault on."""
    async with laboratory(tmp_path) as opened:
        page = await browser.page(color_scheme=scheme, java_script_enabled=True)
        await page.goto(opened.link)
        await page.get_by_role("link", name="Faults", exact=True).click()
        for size in (DESK, PHONE):
            await page.set_viewport_size(size)
            assert await violations(page) == []
            assert await overflow(page) == 0
        await page.get_by_role("button", name="Break pkce-skipped", exact=True).click()
        await page.get_by_role("button", name="Mend it").wait_for()
        for size in (DESK, PHONE):
            await page.set_viewport_size(size)
            assert await violations(page) == []
            assert await overflow(page) == 0
            await shot(page, f"inspector-faults-{scheme}-{size['width']}")


async def test_without_scripts_the_keyboard_breaks_and_mends(
    tmp_path: Path, browser: Chromium
) -> None:
    """WCAG 2.2 §2.1.1: a button is a button."""
    async with laboratory(tmp_path) as opened:
        page = await browser.page(java_script_enabled=False)
        await page.goto(opened.link)
        await page.goto(f"{opened.home}/-/faults")
        await page.get_by_role("button", name="Break pkce-skipped", exact=True).focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("status").filter(has_text="fault: pkce-skipped").wait_for()
        await page.get_by_role("button", name="Mend it").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("status").filter(has_text="fault: none").wait_for()

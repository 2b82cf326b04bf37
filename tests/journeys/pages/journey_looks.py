"""How our pages look, to everybody: in the light and in the dark, on a phone and on a desk.

Each place is somewhere a person can come to. There axe must find nothing, and nothing may lie
beside the window. `SHOTS=folder make pages` leaves a picture of each, for somebody to look at.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import httpx2
import pytest
from playwright.async_api import Page

from tests.support.chromium import DESK, PHONE, Chromium, overflow, violations
from tests.support.shop import Open
from tests.support.terminal import Terminal
from tests.support.visits import allow, client_of, native, sign_in, sign_up

Place = Callable[[Page, Terminal], Awaitable[None]]

NARROW: Final = {"width": 320, "height": 568}
"""As narrow as a page may be asked to become. WCAG 2.2 §1.4.10."""


async def login(page: Page, client: Terminal) -> None:
    await page.goto(client.asking())


async def login_refused(page: Page, client: Terminal) -> None:
    await login(page, client)
    await sign_in(page, "alice", "not her password")


async def signing_up(page: Page, client: Terminal) -> None:
    await login(page, client)
    await page.get_by_text("New here?").click()


async def sign_up_refused(page: Page, client: Terminal) -> None:
    await login(page, client)
    await sign_up(page, "no name")


async def consent(page: Page, client: Terminal) -> None:
    await login(page, client)
    await sign_up(page)


async def consent_to_nothing(page: Page, client: Terminal) -> None:
    await consent(page, client)
    for box in await page.get_by_role("checkbox").all():
        await box.uncheck()
    await allow(page)


async def device(page: Page, client: Terminal) -> None:
    await page.goto(f"{client.url}/device")


async def device_refused(page: Page, client: Terminal) -> None:
    await device(page, client)
    await page.get_by_label("Code").fill("BCDF-GHJK")
    await page.get_by_role("button", name="Continue").click()


async def device_consent(page: Page, client: Terminal) -> None:
    await page.goto(await shown_by_a_device(client))
    await page.get_by_role("button", name="Continue").click()
    await sign_up(page)


async def device_connected(page: Page, client: Terminal) -> None:
    await device_consent(page, client)
    await allow(page)


async def device_denied(page: Page, client: Terminal) -> None:
    await device_consent(page, client)
    await page.get_by_role("button", name="Do not allow").click()


async def apps(page: Page, client: Terminal) -> None:
    await consent(page, client)
    await allow(page)
    await page.wait_for_url(f"{client.callback}?*")
    await page.goto(f"{client.url}/apps")


async def apps_of_nobody(page: Page, client: Terminal) -> None:
    await page.goto(f"{client.url}/apps")


async def logout(page: Page, client: Terminal) -> None:
    await consent(page, client)
    await page.goto(f"{client.url}/logout")


async def logged_out(page: Page, client: Terminal) -> None:
    await logout(page, client)
    await page.get_by_role("button", name="Sign out").click()


async def error(page: Page, client: Terminal) -> None:
    await page.goto(client.asking(redirect_uri="https://elsewhere.example/a-callback?of=somebody"))


async def error_without_a_request(page: Page, client: Terminal) -> None:
    await page.goto(f"{client.url}/login?req=never-was")


PLACES: Final[dict[str, Place]] = {
    "login": login,
    "login-refused": login_refused,
    "sign-up": signing_up,
    "sign-up-refused": sign_up_refused,
    "consent": consent,
    "consent-to-nothing": consent_to_nothing,
    "device": device,
    "device-refused": device_refused,
    "device-consent": device_consent,
    "device-connected": device_connected,
    "device-denied": device_denied,
    "apps": apps,
    "apps-of-nobody": apps_of_nobody,
    "logout": logout,
    "logged-out": logged_out,
    "error": error,
    "error-without-a-request": error_without_a_request,
}


async def shown_by_a_device(client: Terminal) -> str:
    """The address, with its code, that a device shows."""
    asked = {
        "client_name": "A television",
        "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"],
        "token_endpoint_auth_method": "none",
    }
    async with httpx2.AsyncClient(base_url=client.url) as http:
        told = (await http.post("/register", json=asked)).json()
        form = {"client_id": told["client_id"], "scope": "read write"}
        begun = (await http.post("/device_authorization", data=form)).json()
    return str(begun["verification_uri_complete"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
async def test_a_page_is_for_everybody(
    shop: Open, browser: Chromium, place: str, scheme: str
) -> None:
    """WCAG 2.2 §1.4.3, §1.4.10, §3.3.1, §4.1.2, as far as a program can tell."""
    name = "A client with quite a long name for one"
    async with native() as program, client_of(shop, name=name, callback=program.callback) as client:
        page = await browser.page(color_scheme=scheme)
        await PLACES[place](page, client)
        for size in (DESK, PHONE, NARROW):
            await page.set_viewport_size(size)
            assert await violations(page) == []
            assert await overflow(page) == 0
            await shot(page, f"{place}-{scheme}-{size['width']}")


async def shot(page: Page, name: str) -> None:
    """A picture, where somebody has asked for pictures."""
    if folder := os.environ.get("SHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

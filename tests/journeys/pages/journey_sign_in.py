"""A person at a real browser: from a client's address through our pages, and back to the client.

`make pages` runs these; `make test` does not collect them, as they need a browser.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.async_api import Page

from tests.oauth.cases import case
from tests.support.chromium import ROOT, Chromium
from tests.support.shop import Open, open_shop
from tests.support.terminal import PASSWORD
from tests.support.visits import allow, client_of, native, sign_in, sign_up

HERE: Final = Path(__file__).parent
OAUTH4WEBAPI: Final = ROOT / "conformance/node_modules/oauth4webapi/build/index.js"
APP: Final = "(await import('/app.mjs'))"

CUSTOM: Final = "com.example.app:/cb"
HOSTILE: Final = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"
SCRIPTS: Final = [pytest.param(True, id="scripts-on"), pytest.param(False, id="scripts-off")]


@case("L22", "a browser arrives at a port of this machine, with scripts and without")
@pytest.mark.parametrize("scripts", SCRIPTS)
async def test_a_browser_arrives_at_a_callback_on_this_machine(
    shop: Open, browser: Chromium, *, scripts: bool
) -> None:
    """OAuth 2.1 §4.1.2, §8.4.2: and the code that it brings is good."""
    async with native() as program, client_of(shop, callback=program.callback) as client:
        page = await browser.page(java_script_enabled=scripts)
        await page.goto(client.asking(state="as sent"))
        await sign_up(page)
        await allow(page)
        answer = await program.answer()
        assert (answer["state"], answer["iss"]) == ("as sent", shop.url)
        assert (await client.redeem(answer["code"])).status_code == 200


@case("L22", "a browser goes to the scheme of an app, with scripts and without")
@pytest.mark.parametrize("scripts", SCRIPTS)
async def test_a_browser_goes_to_the_scheme_of_an_app(
    shop: Open, browser: Chromium, *, scripts: bool
) -> None:
    """OAuth 2.1 §8.4.3: no policy of ours keeps it from the redirect."""
    async with client_of(shop, callback=CUSTOM) as client:
        page = await browser.page(java_script_enabled=scripts)
        await page.goto(client.asking())
        await sign_up(page)
        async with page.expect_request(lambda sent: sent.url.startswith(CUSTOM)) as sent:
            await allow(page)
        answer = parse_qs(urlsplit((await sent.value).url).query)
        assert (await client.redeem(answer["code"][0])).status_code == 200


async def test_the_keyboard_is_enough(shop: Open, browser: Chromium) -> None:
    """WCAG 2.2 §2.1.1, §2.4.7: each stop on the way can be seen."""
    async with native() as program, client_of(shop, callback=program.callback) as client:
        page = await browser.page()
        await page.goto(client.asking())
        await tab_to(page, "summary")
        await page.keyboard.press("Enter")
        await tab_to(page, "#new-username")
        await page.keyboard.type("alice")
        await tab_to(page, "#new-password")
        await page.keyboard.type(PASSWORD)
        async with page.expect_navigation(url="**/consent?*"):
            await page.keyboard.press("Enter")
        await tab_to(page, "button[value=approve]")
        await page.keyboard.press("Enter")
        assert "code" in await program.answer()


async def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until that element has the focus; every stop shows that it has it."""
    for _ in range(20):
        await page.keyboard.press("Tab")
        style = await page.evaluate("getComputedStyle(document.activeElement).outline")
        assert "none" not in style, style
        if await page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


async def test_enter_in_the_consent_form_allows_nothing(shop: Open, browser: Chromium) -> None:
    """OAuth 2.1 §7.9: the first button of the form is the one that denies."""
    async with native() as program, client_of(shop, callback=program.callback) as client:
        page = await browser.page()
        await page.goto(client.asking())
        await sign_up(page)
        await page.get_by_role("checkbox").first.press("Enter")
        assert (await program.answer())["error"] == "access_denied"


@case("L14", "a hostile name, state, username or address is shown as text, and nothing runs")
async def test_hostile_text_is_only_ever_text(shop: Open, browser: Chromium) -> None:
    """OAuth 2.1 §7.11: no dialog, no report of the policy, no element that was not ours."""
    async with (
        native() as program,
        client_of(shop, name=HOSTILE, callback=program.callback) as client,
    ):
        page = await browser.page()
        await page.goto(client.asking(state=HOSTILE))
        await shows_only_text(page)
        await sign_in(page, HOSTILE, HOSTILE)
        await shows_only_text(page)
        await sign_up(page)
        await shows_only_text(page)
        await allow(page)
        assert (await program.answer())["state"] == HOSTILE
        await page.goto(client.asking(redirect_uri=f"https://evil.example/{HOSTILE}"))
        await shows_only_text(page, "https://evil.example/")
        await page.goto(f"{shop.url}/device?user_code={quote(HOSTILE)}")
        assert await page.get_by_label("Code").input_value() == HOSTILE[:20]
        await page.get_by_role("button", name="Continue").click()
        assert await page.locator("script, img").count() == 0


async def shows_only_text(page: Page, text: str = HOSTILE) -> None:
    """The hostile text can be read on the page, and has made nothing of it."""
    assert text in await page.inner_text("body")
    assert await page.locator("script, img").count() == 0


@case("L21", "the consent pages of two tabs both go to their clients")
async def test_two_tabs_can_both_be_allowed(shop: Open, browser: Chromium) -> None:
    """OAuth 2.1 §7.9: one form says nothing of the other."""
    person = await browser.context()
    first, second = await person.new_page(), await person.new_page()
    async with (
        native() as one,
        native() as other,
        client_of(shop, callback=one.callback) as mine,
        client_of(shop, callback=other.callback) as yours,
    ):
        await first.goto(mine.asking())
        await second.goto(yours.asking())
        await sign_up(first)
        await sign_in(second, "alice")
        for page in (second, first):
            await page.wait_for_url("**/consent?*")
            await allow(page)
        assert (await mine.redeem((await one.answer())["code"])).status_code == 200
        assert (await yours.redeem((await other.answer())["code"])).status_code == 200


async def test_a_person_ends_what_they_have_allowed(shop: Open, browser: Chromium) -> None:
    """OAuth 2.1 §7.9: the application is listed by its name, and then it is not."""
    async with native() as program, client_of(shop, callback=program.callback) as client:
        page = await browser.page(java_script_enabled=False)
        await page.goto(client.asking())
        await sign_up(page)
        await allow(page)
        await page.wait_for_url(f"{program.callback}?*")
        assert (await client.redeem((await program.answer())["code"])).status_code == 200
        await page.goto(f"{shop.url}/apps")
        await page.get_by_role("button", name=f"Sign it out: {client.name}").click()
        await page.get_by_text("No application is signed in.").wait_for()
        assert (await client.refresh()).status_code == 400
        await page.get_by_role("button", name="Sign out of this browser").click()
        await page.get_by_text("Nobody is signed in").wait_for()


async def test_no_page_can_read_the_cookie(shop: Open, browser: Chromium) -> None:
    """RFC 6265bis §5.7: kept for our pages, sent when a client leads here, read by no script."""
    async with client_of(shop) as client:
        page = await browser.page()
        await page.goto(client.asking())
        [before] = await page.context.cookies()
        await sign_up(page)
        [after] = await page.context.cookies()
        kept = (after["path"], after["httpOnly"], after["sameSite"])
        assert kept == ("/", True, "Lax")
        assert before["value"] != after["value"]
        assert await page.evaluate("document.cookie") == ""


@case("P15", "a page of another origin reads the challenge and the nonce, and is a DPoP client")
@case("M7", "a page of another origin reads the documents")
async def test_a_page_of_another_origin_is_a_client(tmp_path: Path, browser: Chromium) -> None:
    """RFC 9449 §8.2, §9; Fetch §3.3: it takes up the nonces of both ends, which it has to read."""
    async with open_shop(tmp_path, dpop_nonce=True) as shop, native() as program:
        page = await browser.page()
        home = program.callback.removesuffix("/callback")
        await page.route(f"{home}/app.mjs", lambda route: route.fulfill(path=HERE / "app.mjs"))
        await page.route(f"{home}/oauth4webapi.js", lambda route: route.fulfill(path=OAUTH4WEBAPI))
        await page.goto(home)
        about = [shop.url, program.callback]
        await page.goto(await page.evaluate(f"async about => {APP}.begin(...about)", about))
        await sign_up(page)
        await allow(page)
        await program.answer()
        seen = await page.evaluate(f"async about => {APP}.finish(...about)", about)
        assert seen == {"type": "dpop", "asked": 2, "status": 400}

"""The way back from the browser. RFC 8252 §7.3, §8.3."""

from __future__ import annotations

import anyio
import httpx2
import pytest

from catshop.cli import callback
from catshop.cli.callback import PATH, Loopback, loopback, nothing
from catshop.client.oauth.errors import SignInFailed
from catshop.protocol.http1.server import bind, port_of

PAGE = "https://auth.example/authorize?state=s"


async def come_back(browser: Loopback, query: str, path: str = PATH) -> httpx2.Response:
    """What the user's browser does after the consent."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        return await http.get(browser.redirect_uri.removesuffix(PATH) + path + query)


async def test_the_query_of_the_redirect_is_handed_over_as_it_came() -> None:
    """OAuth 2.1 §4.1.2; the page says nothing of how it went and loads nothing. RFC 9700 §4.2.4."""
    said: list[str] = []
    answers: list[httpx2.Response] = []
    opened: list[str] = []

    async with loopback(said.append, open_page=lambda url: not opened.append(url)) as browser:

        async def person() -> None:
            answers.append(await come_back(browser, "", "/favicon.ico"))
            answers.append(await come_back(browser, "?code=a%20b&state=s"))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(person)
                assert await browser.visit(PAGE) == "code=a%20b&state=s"
    assert opened == [PAGE]
    assert [answer.status_code for answer in answers] == [404, 200]
    assert answers[1].headers["referrer-policy"] == "no-referrer"
    assert answers[1].headers["cache-control"] == "no-store"
    assert "a b" not in answers[1].text
    assert PAGE in said[0]


async def test_what_answers_another_request_is_not_heard() -> None:
    """RFC 8252 §8.9: any page can send the browser here, but none knows the state."""
    answers: list[httpx2.Response] = []
    async with loopback(lambda _: None, open_page=nothing) as browser:

        async def others() -> None:
            for query in ("", "?code=c", "?code=c&state=t", "?state=s&state=t", "?code=c&state=s"):
                answers.append(await come_back(browser, query))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(others)
                assert await browser.visit(PAGE) == "code=c&state=s"
    assert [answer.status_code for answer in answers] == [400, 400, 400, 400, 200]


async def test_a_step_up_comes_back_to_the_same_address() -> None:
    """RFC 8252 §8.3: one listener on the loopback interface, for as long as it is needed."""
    async with loopback(lambda _: None, open_page=nothing) as browser:
        for code in ("1", "2"):
            with anyio.fail_after(10):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(come_back, browser, f"?code={code}&state=s")
                    assert await browser.visit(PAGE) == f"code={code}&state=s"


async def test_where_no_browser_can_be_had_the_address_is_printed() -> None:
    """--no-browser: somebody else opens it."""
    said: list[str] = []
    async with loopback(said.append, open_page=nothing) as browser:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(come_back, browser, "?code=1&state=s")
                await browser.visit(PAGE)
    assert said == [f"Sign in at auth.example, in the browser: {PAGE}"]


async def test_a_port_that_is_taken_gives_way_to_the_next() -> None:
    """RFC 8252 §7.3: any port will do."""
    (taken,) = await bind(("127.0.0.1",), 0)
    async with taken, loopback(lambda _: None, ports=(port_of(taken), 0)) as browser:
        assert f":{port_of(taken)}/" not in browser.redirect_uri


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words say what to do where the browser is on another machine."""
    monkeypatch.setattr(callback, "SECONDS", 0)
    async with loopback(lambda _: None, open_page=nothing) as browser:
        with pytest.raises(SignInFailed, match="E-OAC-25"):
            await browser.visit(PAGE)

"""Somebody at a browser: follows links, fills in forms, keeps cookies, runs no scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider

CALLBACK = "http://127.0.0.1:47111/callback"
"""Where the client would listen; the person carries the answer over instead."""


@dataclass
class Form:
    """A form: where it goes, and what it holds before anybody fills it in."""

    action: str
    values: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Forms(HTMLParser):
    """Finds the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms, their fields and their buttons."""
        values = {name: value or "" for name, value in attrs}
        pair = (values.get("name", ""), values.get("value", ""))
        if tag == "form":
            self.found.append(Form(values.get("action", "")))
        elif tag == "button":
            self.found[-1].buttons.append(pair)
        elif tag == "input" and (pair[1] or values.get("type") in {"hidden", "checkbox"}):
            self.found[-1].values.append(pair)


def forms_of(page: httpx2.Response) -> list[Form]:
    """The forms of a page."""
    parser = Forms()
    parser.feed(page.text)
    return parser.found


class Person:
    """Signs up, and allows what a client asks for. `provider` is that client's, once it has one."""

    provider: OAuthClientProvider

    def __init__(self, client: httpx2.AsyncClient, name: str, password: str) -> None:
        self._client = client
        self._name = name
        self._password = password
        self.pages: list[str] = []
        self.answer = AuthorizationCodeResult(code="")
        self.arrived = ""

    async def open(self, url: str) -> None:
        """Open an authorization URL and go all the way to the client's callback."""
        await self._allow(await self._follow(await self._client.get(url)))
        found = parse_qs(urlsplit(self.arrived).query)
        values = {name: value[0] for name, value in found.items()}
        self.answer = AuthorizationCodeResult.model_validate(values)

    async def connect(self, url: str) -> None:
        """Open the page that a device shows, and allow the device. RFC 8628 §3.3."""
        page = await self._follow(await self._client.get(url))
        await self._allow(await self._press(page))

    async def callback(self) -> AuthorizationCodeResult:
        """What the client's callback was told."""
        return self.answer

    async def _allow(self, page: httpx2.Response) -> None:
        """Sign up, and say yes; `arrived` is where that leads."""
        page = await self._press(page, "action", "sign-up", password=True)
        page = await self._press(page, "decision", "approve")
        self.arrived = page.headers.get("location", str(page.url))

    async def _press(
        self, page: httpx2.Response, name: str = "", value: str = "", *, password: bool = False
    ) -> httpx2.Response:
        """Fill in the form that has this button, and press it."""
        form = next(form for form in forms_of(page) if (name, value) in form.buttons)
        data: dict[str, str | list[str]] = {}
        for key, held in form.values:
            data.setdefault(key, []).append(held)  # type: ignore[union-attr]  # lists, until here
        if name:
            data[name] = value
        if password:
            data.update(username=self._name, password=self._password)
        url = urljoin(str(page.url), form.action)
        return await self._follow(await self._client.post(url, data=data))

    async def _follow(self, response: httpx2.Response) -> httpx2.Response:
        """Follow redirects on our own site; stop at the one that leads to the client."""
        self.pages.append(str(response.url.path))
        while response.is_redirect:
            target = urljoin(str(response.url), response.headers["location"])
            if target.startswith(CALLBACK):
                return response
            response = await self._client.get(target)
            self.pages.append(str(response.url.path))
        assert response.status_code == 200, response.text
        return response

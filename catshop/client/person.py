"""Alice: somebody at a browser who reads pages, fills in their forms and keeps cookies.

For `catshop demo`, where nobody sits at the terminal. She runs no scripts, because no page of ours
needs one, and follows each redirect with a request of its own, as browsers do.
Next: `catshop/cli/demo.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

import httpx2

NAME: Final = "alice"
PASSWORD: Final = "the cat sleeps on the keyboard"  # noqa: S105 - of an account in a shop that is thrown away

HEADERS: Final = {"Accept": "text/html", "User-Agent": "Alice's browser"}

HOPS: Final = 10
"""Redirects in a row, before she closes the page."""


@dataclass
class Form:
    """A form: where it goes, what it holds before anybody fills it in, and its buttons."""

    action: str
    values: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Forms(HTMLParser):
    """Finds the forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A form, a button, or a field that has a value already."""
        told = {name: value or "" for name, value in attrs}
        pair = (told.get("name", ""), told.get("value", ""))
        if tag == "form":
            self.found.append(Form(told.get("action", "")))
        elif tag == "button" and self.found:
            self.found[-1].buttons.append(pair)
        elif tag == "input" and self.found and pair[1]:
            self.found[-1].values.append(pair)


def sign_up_and_allow(url: str) -> bool:
    """Open the page that a client sends one to, and go on until the client has its answer.

    True, as `webbrowser.open` says when a page was opened. Blocks: it is called in a thread.
    """
    with httpx2.Client(headers=HEADERS, trust_env=False) as http:
        page = _follow(http, http.get(url))
        page = _press(http, page, ("action", "sign-up"), username=NAME, password=PASSWORD)
        _press(http, page, ("decision", "approve"))
    return True


def _press(
    http: httpx2.Client, page: httpx2.Response, button: tuple[str, str], **typed: str
) -> httpx2.Response:
    """Fill in the form that has this button, and press it."""
    form = next(form for form in Forms(page.text).found if button in form.buttons)
    data: dict[str, list[str]] = {}
    for name, value in (*form.values, button, *typed.items()):
        data.setdefault(name, []).append(value)
    return _follow(http, http.post(urljoin(str(page.url), form.action), data=data))


def _follow(http: httpx2.Client, page: httpx2.Response) -> httpx2.Response:
    """The page at the end of the redirects."""
    for _ in range(HOPS):
        if not page.is_redirect:
            break
        page = http.get(urljoin(str(page.url), page.headers["location"]))
    return page.raise_for_status()

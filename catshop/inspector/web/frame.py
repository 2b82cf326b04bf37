"""What stands around every page of the inspector: who may see it, its two shapes, its refusals.

A page is a function from a request to a `Page`. The frame asks for the cookie first, answers in
HTML or, at an address that ends with `.json`, as JSON, and turns a refusal into a page too. Each
page says what this is: for developers only, where, that secrets are hidden, and which fault is on.
Next: `desk.py`, the pages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from catshop.inspector.web import pages
from catshop.inspector.web.entry import Entry
from catshop.inspector.web.pages import Page
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.forms import Form, parse_form
from catshop.protocol.http1.guard import Cors
from catshop.protocol.http1.messages import Answer, Handler, Request, Streamed
from catshop.protocol.http1.routes import Route

JSON: Final = ".json"

Links = tuple[tuple[str, str], ...]
"""Where each page is, and its name."""

Maker = Callable[[Request], Awaitable[Page]]
User = Callable[[Form], Awaitable[Page]]
Doer = Callable[[Form], Awaitable[str]]
"""Does what a form asks for, and says which page to see next."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the shop is, which fault it has been given, and the pages that there are."""

    base: str
    fault: Callable[[], str] = str
    links: Links = ()

    @property
    def status_line(self) -> str:
        """What every page says."""
        address = self.base.partition("://")[2]
        return f"DEV ONLY · {address} · secrets redacted · fault: {self.fault() or 'none'}"


class Frame:
    """Makes handlers and routes of pages."""

    def __init__(self, place: Place, entry: Entry) -> None:
        self.place = place
        self.entry = entry

    def both(self, path: str, make: Maker) -> tuple[Route, Route]:
        """A page, and the same page as JSON, for visitors with the cookie."""
        return self.get(path, self.shown(make)), self.get(path + JSON, self.shown(make))

    def public(self, path: str, make: Maker) -> tuple[Route, ...]:
        """A page that holds nothing of anybody, for whoever can reach it."""
        handler = self._answering(make)
        whole = () if path.endswith("*") else (self.get(path + JSON, handler),)
        return (self.get(path, handler), *whole)

    def shown(self, make: Maker) -> Handler:
        """The page for a visitor with the cookie."""

        async def make_for_visitor(request: Request) -> Page:
            self.entry.check_visitor(request)
            return await make(request)

        return self._answering(make_for_visitor)

    def done(self, do: Doer) -> Handler:
        """What a form of ours asks for, then See Other. RFC 9110 §15.4.4."""

        async def handler(request: Request) -> Answer:
            self.entry.check_visitor(request)
            where = await do(await self.entry.form_of(request))
            return Answer(303, (("location", where), *pages.FIELDS))

        return self._refusing(handler)

    def form(self, path: str, make: Maker, use: User) -> Route:
        """A page with a form that is answered at the same address, and changes nothing."""

        async def used(request: Request) -> Answer:
            self.entry.check_visitor(request)
            return self._answer(request, await use(await self.entry.form_of(request)))

        read = self._refusing(self.shown(make))
        return Route(path, {"GET": read, "POST": self._refusing(used)}, Cors.NONE)

    def get(self, path: str, handler: Handler) -> Route:
        """A route for reading, refusals told as pages."""
        return Route(path, {"GET": self._refusing(handler)}, Cors.NONE)

    def _answering(self, make: Maker) -> Handler:
        async def handler(request: Request) -> Answer:
            return self._answer(request, await make(request))

        return handler

    def _refusing(self, handler: Handler) -> Handler:
        """The same handler; what it refuses becomes a page."""

        async def answer(request: Request) -> Answer | Streamed:
            try:
                return await handler(request)
            except HttpError as error:
                request.notes.setdefault("code", error.code)
                words = error.explanation
                model = {"words": words, "arrived": error.arrived}
                return self._answer(request, Page("error.html", words.title, model, error.status))

        return answer

    def _answer(self, request: Request, page: Page) -> Answer:
        path = request.head.path
        if path.endswith(JSON):
            return pages.document(page)
        around = {
            "status_line": self.place.status_line,
            "links": self.place.links,
            "here": next((to for to, _ in self.place.links[::-1] if path.startswith(to)), ""),
            "csrf": self.entry.csrf,
        }
        return pages.html(page, around)


def asked(request: Request, name: str) -> str:
    """A parameter of the query; empty without it."""
    return parse_form(request.head.query).one(name) or ""


def last(request: Request) -> str:
    """The last segment of the path."""
    return request.head.path.rpartition("/")[2].removesuffix(JSON)

"""The inspector as a set of pages: which page is where, and what it is made of.

It has a port, and so an origin, of its own, and watches the shop through a recording alone. What it
may do beyond watching comes in as ports. Nothing here knows the shop, its grants or its store.
Next: `frame.py`, who may see; `overview.py` and `exchanges.py`, what there is to see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from catshop.catalogue import catalogue
from catshop.catalogue.page import found, page_of
from catshop.inspector.recorder import Memory, Recorder
from catshop.inspector.recording import Check, Recording
from catshop.inspector.redact import Redactor
from catshop.inspector.web import pages
from catshop.inspector.web.decoders import TOOLS, Said
from catshop.inspector.web.entry import Entry, guard
from catshop.inspector.web.exchanges import detail
from catshop.inspector.web.frame import Frame, Links, Place, asked, last
from catshop.inspector.web.live import Bell, Live
from catshop.inspector.web.overview import LANES, chosen, journey, rows
from catshop.inspector.web.pages import Page
from catshop.inspector.web.playground import Play, Playground
from catshop.inspector.web.source import code_at
from catshop.inspector.web.stepper import Stepper
from catshop.inspector.web.store import Read, Store
from catshop.inspector.web.switches import PATH as FAULTS
from catshop.inspector.web.switches import Faulty, Switches
from catshop.kernel import Trace
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.forms import Form
from catshop.protocol.http1.messages import Answer, Handler, Request, Streamed
from catshop.protocol.http1.routes import Route, Router

SHOWN: Final = 500
"""Rows on one page: the latest."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """How one program is told of the shop."""

    title: str
    text: str
    then: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ports:
    """What the pages show beyond the recording; a page without its port is not there."""

    read: Read | None = None
    stepper: Stepper | None = None
    snippets: tuple[Snippet, ...] = ()
    faulty: Faulty | None = None
    play: Play | None = None

    @property
    def links(self) -> Links:
        """The pages, in the order of their head."""
        links = (
            ("/-/", "Journey", True),
            ("/-/wire", "Wire", True),
            ("/-/oauth", "OAuth stepper", self.stepper),
            ("/-/play", "Playground", self.play),
            ("/-/store", "Store", self.read),
            ("/-/decode", "Decode", True),
            ("/-/connect", "Connect", self.snippets),
            ("/-/explain", "Explain", True),
            (FAULTS, "Faults", self.faulty),
        )
        return tuple((path, name) for path, name, there in links if there)


class Desk:
    """Every page of the inspector of the shop at `place`."""

    def __init__(self, place: Place, entry: Entry, redactor: Redactor, ports: Ports) -> None:
        self.recorder: Final = Recorder(redactor=redactor)
        self._frame = Frame(replace(place, links=ports.links), entry)
        self._lab = Switches(self._frame, ports.faulty).routes() if ports.faulty else ()
        self._ports = ports
        self._play = Playground(ports.play, redactor) if ports.play else None
        self._memory = Memory()
        self._bell = Bell()
        self._live = Live(entry, self._memory, self._bell)
        self._store = Store(ports.read, redactor, self._memory) if ports.read else None
        self.recorder.watch(self._memory)
        self.recorder.watch(self._bell)

    def show(self, recording: Recording) -> None:
        """Show what was recorded before."""
        for exchange in recording.exchanges.values():
            for line in exchange.lines:
                self._memory(line)

    async def follow(self) -> None:
        """See who changes the store; ends when it is cancelled."""
        if self._store is not None:
            await self._store.follow(self._bell)

    def router(self, port: int) -> Router:
        """The handler that answers at our own port, and under no foreign name."""
        return Router(self._routes(), guard(port), Trace())

    def _routes(self) -> tuple[Route, ...]:
        frame, ports = self._frame, self._ports
        return (
            frame.get("/-/", self.begin),
            *frame.both("/-/journey", self.journey),
            *frame.both("/-/wire", self.wire),
            frame.get("/-/wire/events", self._live.events),
            frame.get("/-/wire/*", frame.shown(self.exchange)),
            *(ports.stepper.routes(frame) if ports.stepper else ()),
            *(self._play.routes(frame) if self._play else ()),
            *(frame.both("/-/store", partial(store, self._store)) if self._store else ()),
            frame.form("/-/decode", self.decoders, self.decode),
            frame.get("/-/decode.json", frame.shown(self.decoders)),
            *(frame.both("/-/connect", self.connect) if ports.snippets else ()),
            *frame.public("/-/explain", self.codes),
            *frame.public("/-/explain/*", self.explain),
            *self._lab,
            *(frame.get(f"/-/{name}", _file(name)) for name in pages.FILES),
        )

    async def begin(self, request: Request) -> Answer | Streamed:
        """The first page; for the link, the cookie and an address without the link."""
        if link := asked(request, "t"):
            cookie = ("set-cookie", self._frame.entry.swap(link))
            return Answer(303, (("location", "/-/"), cookie, *pages.FIELDS))
        return await self._frame.shown(self.journey)(request)

    async def journey(self, _request: Request) -> Page:
        """How far the conversation has come."""
        return Page("journey.html", "Journey", {"journey": journey(self._memory.recording())})

    async def wire(self, request: Request) -> Page:
        """Every message, oldest first."""
        return self._wire(request, 0)

    async def exchange(self, request: Request) -> Page:
        """One exchange beside the others; 404 for one that is not kept."""
        number = _number(last(request))
        if number not in self._memory.recording().exchanges:
            raise HttpError(404, "E-INSPECT-04", arrived=last(request)[:20])
        return self._wire(request, number)

    def _wire(self, request: Request, number: int) -> Page:
        recording, query = self._memory.recording(), asked(request, "q")
        exchange = recording.exchanges.get(number)
        flow = recording.flow(exchange.flow) if exchange else []
        base = self._frame.place.base
        checks = exchange.every(Check) if exchange else []
        kept = list(recording.exchanges.values())
        model = {
            "rows": chosen(rows(kept if query else kept[-SHOWN:]), query)[-SHOWN:],
            "detail": detail(exchange, flow, base) if exchange else None,
            "stored": self._store is not None,
            "code": {each.source: code_at(each.source) for each in checks},
            "journey": journey(recording),
            "lanes": LANES,
            "query": query,
            "last": max(recording.exchanges, default=0),
            "started": exchange.request.at if exchange else 0.0,
            "base": base,
        }
        return Page("wire.html", f"#{number}" if exchange else "Wire", model)

    async def decoders(self, _request: Request) -> Page:
        """A form for each decoder."""
        return _decoded("", ())

    async def decode(self, form: Form) -> Page:
        """What the text says, read as the form names."""
        tool = next((each for each in TOOLS if each.name == form.one("as")), TOOLS[0])
        return _decoded(tool.name, tuple(tool.decode(form.one("text") or "")))

    async def connect(self, _request: Request) -> Page:
        """How programs are told of the shop."""
        return Page("connect.html", "Connect", {"snippets": self._ports.snippets})

    async def codes(self, _request: Request) -> Page:
        """Every code with its title."""
        titles = {code: words.title for code, words in catalogue().items()}
        return Page("codes.html", "Explain", {"codes": titles})

    async def explain(self, request: Request) -> Page:
        """One code: what happened, what was expected, why, who says so, and what to do next."""
        words = found(last(request))
        if words is None:
            raise HttpError(404, "E-INSPECT-05", arrived=last(request)[:20])
        page = page_of(words)
        model = {"code": page.code, "parts": page.parts, "neighbours": page.neighbours}
        return Page("explain.html", page.code, {**model, "command": page.command})


async def store(tables: Store, request: Request) -> Page:
    """Every table, and what one exchange has changed."""
    number = _number(asked(request, "n"))
    model = {"tables": await tables.tables(number), "number": number}
    return Page("store.html", "Store", model)


def _decoded(chosen_tool: str, said: tuple[Said, ...]) -> Page:
    tools = [{"name": each.name, "title": each.title, "hint": each.hint} for each in TOOLS]
    return Page("decode.html", "Decode", {"tools": tools, "chosen": chosen_tool, "said": said})


def _number(text: str) -> int:
    """The number of an exchange; 0, which none has, for anything else."""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _file(name: str) -> Handler:
    async def handler(_request: Request) -> Answer:
        return pages.file(name)

    return handler

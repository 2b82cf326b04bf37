"""The wire at a glance: one row for each message, and how far the conversation has come.

Pure: from a recording to rows and steps. A row goes from one lane to another; what an exchange has
written into the store is a row of its own under it. A step is done once an exchange of its kind
has ended well, whichever client did it. Next: `exchanges.py`, one exchange in detail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from catshop.inspector.recording import Ended, Exchange, Message, Recording, Sql
from catshop.inspector.rungs import Lane, callee, caller, rungs
from catshop.inspector.web.exchanges import refused

WRITES: Final = re.compile(r"(INSERT)(?: OR \w+)? INTO (\w+)|(UPDATE) (\w+)|(DELETE) FROM (\w+)")

LANES: Final = {
    Lane.CLIENT: "Client",
    Lane.BROWSER: "Browser",
    Lane.AUTHORIZATION: "Authorization server",
    Lane.MCP: "MCP endpoint",
    Lane.DATABASE: "SQLite",
}
"""Who takes part, from left to right, and what a person calls them."""

ORDER: Final = tuple(LANES)


class Tone(StrEnum):
    """What became of it; the words of the row say it, too."""

    OK = "ok"
    CHALLENGED = "challenged"
    REFUSED = "refused"
    STORED = "stored"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Row:
    """One arrow: whose exchange it is, from whom to whom, what is said, and how it ended."""

    n: int
    flow: int
    start: Lane
    end: Lane
    said: str
    ended: str
    tone: Tone
    note: str = ""
    at: float = 0.0
    fault: str = ""
    """What was broken on purpose while it happened."""
    back: bool = False
    """Whether the arrow goes from right to left."""


def rows(exchanges: Iterable[Exchange]) -> Iterator[Row]:
    """Every exchange, and below it what it has written."""
    for exchange in exchanges:
        start, end = caller(exchange), callee(exchange)
        said, refusal = next(iter(rungs([exchange]))).said, refused(exchange)
        status = str(exchange.status or "...")
        note = f"{refusal.words.code} {refusal.words.title}" if refusal and refusal.words else ""
        row = partial(Row, exchange.n, exchange.flow, at=exchange.request.at, fault=exchange.fault)
        back = ORDER.index(end) < ORDER.index(start)
        yield row(start, end, said, status, _tone(exchange), note, back=back)
        for wrote, count in written(exchange).items():
            counted = f"{count} row{'s' * (count != 1)}"
            yield row(end, Lane.DATABASE, wrote, counted, Tone.STORED)


def _tone(exchange: Exchange) -> Tone:
    if exchange.status == 401 and callee(exchange) is Lane.MCP:
        return Tone.CHALLENGED
    if exchange.status >= 400:
        return Tone.REFUSED
    return Tone.OK if exchange.status and exchange.first(Ended) else Tone.OPEN


def written(exchange: Exchange) -> dict[str, int]:
    """Verb and table of every statement that has changed a row, with how many."""
    found: dict[str, int] = {}
    for statement in exchange.every(Sql):
        match = WRITES.match(statement.sql)
        if match and statement.rows:
            name = " ".join(filter(None, match.groups()))
            found[name] = found.get(name, 0) + statement.rows
    return found


def changed(exchange: Exchange) -> frozenset[str]:
    """The tables that the exchange has written to."""
    return frozenset(name.partition(" ")[2] for name in written(exchange))


def chosen(found: Iterable[Row], query: str) -> list[Row]:
    """The rows that fit every word: `status:4xx`, `lane:auth`, `flow:3`, or any text in them."""
    words = query.lower().split()
    return [row for row in found if all(_fits(row, word) for word in words)]


def _fits(row: Row, word: str) -> bool:
    name, colon, value = word.partition(":")
    match name if colon else "":
        case "status":
            return re.fullmatch(re.escape(value).replace("x", r"\d"), row.ended) is not None
        case "lane":
            return value in {row.start.value, row.end.value}
        case "flow":
            return value == str(row.flow)
        case "fault":
            return value in row.fault
        case _:
            return word in f"{row.said} {row.ended} {row.note} {row.fault}".lower()


class Done(StrEnum):
    """How far a step has come."""

    DONE = "done"
    REFUSED = "refused"
    NEXT = "next"
    LATER = "to do"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way from a stranger to a customer; `n` is the exchange that shows it."""

    title: str
    done: Done
    n: int = 0


Is = Callable[[Exchange], bool]


def _path(method: str, ending: str) -> Is:
    def fits(exchange: Exchange) -> bool:
        path = urlsplit(exchange.request.target).path
        return exchange.request.method == method and ending in path

    return fits


def _grant(kind: str) -> Is:
    def fits(exchange: Exchange) -> bool:
        form = dict(parse_qsl(exchange.body(">").text))
        return _path("POST", "/token")(exchange) and form.get("grant_type") == kind

    return fits


def _calls(*methods: str) -> Is:
    def fits(exchange: Exchange) -> bool:
        return any(message.method in methods for message in exchange.every(Message))

    return fits


def _challenge(exchange: Exchange) -> bool:
    return _tone(exchange) is Tone.CHALLENGED


STEPS: Final[tuple[tuple[str, Is], ...]] = (
    ("Challenge: 401 says where to ask", _challenge),
    ("Metadata of the resource", _path("GET", "/.well-known/oauth-protected-resource")),
    ("Metadata of the server", _path("GET", "/.well-known/oauth-authorization-server")),
    ("Registration of the client", _path("POST", "/register")),
    ("Authorization request with PKCE", _path("GET", "/authorize")),
    ("Sign in", _path("POST", "/login")),
    ("Consent", _path("POST", "/consent")),
    ("Token for the code", _grant("authorization_code")),
    ("Hello: initialize or discover", _calls("initialize", "server/discover")),
    ("List of tools", _calls("tools/list")),
    ("Call of a tool", _calls("tools/call")),
    ("Refresh", _grant("refresh_token")),
    ("Revocation", _path("POST", "/revoke")),
)
"""The steps in order, each with what shows it."""


def journey(recording: Recording) -> list[Step]:
    """Which steps have been made, which was refused last, and which comes next."""
    exchanges = list(recording.exchanges.values())
    found = [_step(title, [each for each in exchanges if fits(each)]) for title, fits in STEPS]
    reached = max((at for at, step in enumerate(found) if step.n), default=-1)
    following = next((at for at in range(reached + 1, len(found))), None)
    if following is None or (reached >= 0 and found[reached].done is Done.REFUSED):
        return found
    found[following] = Step(found[following].title, Done.NEXT)
    return found


def _step(title: str, made: list[Exchange]) -> Step:
    well = [each for each in made if 0 < each.status < 400 or _challenge(each)]
    if well:
        return Step(title, Done.DONE, well[-1].n)
    ended = [each for each in made if each.status]
    return Step(title, Done.REFUSED, ended[-1].n) if ended else Step(title, Done.LATER)

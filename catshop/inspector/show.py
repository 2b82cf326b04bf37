"""An exchange as a person reads it: `>` came in, `<` went out, `·` happened inside.

One heading tells who asked whom for what and how it ended, with the code of a refusal; below it
stands everything in the order of its happening, on the right the section that gives a field its
meaning and the line of ours that decided a check. Two secrets that are the same have the same mark.
Pure, but for remembering exchanges that have not ended; all text loses whatever a terminal would
obey. Next: `printer.py`, which shows a server at work, and `ladder.py`, the same as a picture.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from catshop.catalogue import catalogue
from catshop.inspector.annotations import reason
from catshop.inspector.recording import (
    Answer,
    Body,
    Check,
    Ended,
    Exchange,
    Frame,
    Joined,
    Line,
    Message,
    Pairs,
    Request,
    Sql,
    State,
)
from catshop.inspector.redact import printable
from catshop.inspector.rungs import asked, callee, caller, event

WIDTH: Final = 400
"""The longest text that stands on the screen, unless somebody asks for the whole of it."""

STATEMENT: Final = 68
"""Of a statement less: its first words say which one it is."""

COLUMN: Final = 71
"""Where the right-hand column begins."""

EVENTS: Final = "text/event-stream"
FORM: Final = "application/x-www-form-urlencoded"

REMEMBERED: Final = 1024
"""Exchanges that have not ended and are remembered; then the oldest is forgotten."""

CODE: Final = re.compile(r"\b[EW]-[A-Z]+-\d+\b")
"""How a refusal is called, wherever it stands."""

Keep = Callable[[Exchange], bool]
Draw = Callable[[Exchange], Iterator[str]]


def block(exchange: Exchange, most: int = WIDTH) -> Iterator[str]:
    """Everything about one exchange; no text of more than `most` characters."""
    yield heading(exchange)
    for line in exchange.lines:
        yield from rows(line, exchange, most)


def heading(exchange: Exchange) -> str:
    """Who asked for what, how it ended, how long it took, the codes of refusals, and its flow."""
    ended = exchange.first(Ended)
    told = asked(exchange) if exchange.request.method else "(no request)"
    text = f"#{exchange.n} {caller(exchange)}▸{callee(exchange)}  {_safe(told)}"
    status = "open" if ended is None else str(ended.status or "the client has gone")
    took = "" if ended is None else f"{ended.ms:>7.1f} ms"
    broken = [f"fault: {_safe(exchange.fault)}"] if exchange.fault else []
    flow = [f"flow {exchange.flow}"] if exchange.flow else []
    return " ".join([f"{text:<{COLUMN}}", f"{status:<4}{took}", *codes(exchange), *flow, *broken])


def codes(exchange: Exchange) -> list[str]:
    """The codes of refusals, in the order of their appearance."""
    told = [check.told.get("code", "") for check in exchange.every(Check) if check.verdict == "NO"]
    fields = [value for _, value in exchange.answer.fields]
    found = CODE.findall(" ".join([*told, exchange.body("<").text, *fields]))
    return list(dict.fromkeys(found))


def rows(line: Line, exchange: Exchange, most: int = WIDTH) -> Iterator[str]:
    """One line of a recording as rows of the screen; the heading has told of the request line."""
    for left, right in _parts(line, exchange):
        yield _two(left, right, STATEMENT if isinstance(line, Sql) and most == WIDTH else most)


Parts = Iterator[tuple[str, str]]
"""What stands on the left, and on the right."""


def _parts(line: Line, exchange: Exchange) -> Parts:
    match line:
        case Request(target=target, fields=fields):
            for pair in filter(None, target.partition("?")[2].split("&")):
                yield f"  ? {pair}", reason("query", pair.partition("=")[0]).section
            yield from _fields(">", "header", fields)
        case Body():
            yield from _body(line, exchange)
        case Answer(status=status, reason=words, fields=fields):
            yield f"  < {status} {words}", ""
            yield from _fields("<", "answer header", fields)
        case Frame(text=text):
            id_, said = event(line)
            since = (line.at - exchange.request.at) * 1000
            told = f"id={id_}  " if id_ else ""
            yield f"  < event  {told}+{since:.0f} ms  {said or line.note}", ""
            yield from ((f"  <   {each}", "") for each in text.split("\n") if each)
        case _:
            yield from _inside(line)


def _fields(way: str, place: str, fields: Pairs) -> Parts:
    """Field lines, each with the section that gives it its meaning."""
    for name, value in fields:
        yield f"  {way} {name}: {value}", reason(place, name).section


def _body(body: Body, exchange: Exchange) -> Parts:
    """A form a parameter a line; of a refusal, the section that it comes from."""
    if body.type.startswith(FORM) and body.text:
        for pair in body.text.split("&"):
            yield f"  {body.way} {pair}", reason("form", pair.partition("=")[0]).section
        return
    refused = codes(exchange) if body.way == "<" else []
    words = catalogue().get(refused[0]) if refused else None
    section = words.section.replace(" section ", " §") if words else ""
    for told in filter(None, (body.text, body.note)):
        yield f"  {body.way} {told}", section


def _inside(line: Line) -> Parts:
    match line:
        case Sql(sql=sql, rows=count, ms=ms):
            took = f"  {ms:.1f} ms" if ms else ""
            yield f"  · sql    {sql}", f"{count} {'row' if count == 1 else 'rows'}{took}"
        case Check(name=name, verdict=verdict, told=told):
            yield f"  · check  {name:<23} {verdict:<3} {_told(told)}", line.source
        case Message(method=method, told=told):
            yield f"  · rpc    {method:<23} {_told(told)}", ""
        case State(name=name, told=told):
            yield f"  · state  {name:<23} {_told(told)}", ""
        case _:
            pass


class Showing:
    """Turns lines into rows as they come: an exchange when it ends, one that streams at once.

    `seen` counts the exchanges that have ended or begun to stream, `shown` those that were wanted.
    """

    def __init__(
        self, keep: Keep | None = None, draw: Draw = block, *, streams: bool = True
    ) -> None:
        self._keep = keep
        self._draw = draw
        self._streams = streams
        self._open: OrderedDict[int, Exchange] = OrderedDict()
        self._begun: set[int] = set()
        self.seen = self.shown = 0

    def __call__(self, line: Line) -> Iterator[str]:
        """What is to be shown now that `line` is known."""
        if not line.n:
            if self._streams and self._keep is None and isinstance(line, Check | State):
                yield from rows(line, Exchange(0))
            return
        exchange = self._open.setdefault(line.n, Exchange(line.n))
        exchange.lines.append(line)
        if isinstance(line, Joined):
            exchange.flow = line.flow
        yield from self._now(exchange, line)
        while len(self._open) > REMEMBERED:
            self._begun.discard(self._open.popitem(last=False)[0])

    def rest(self) -> Iterator[str]:
        """What has not ended where the recording ends."""
        for n, exchange in self._open.items():
            if n not in self._begun and self._wanted(exchange):
                yield from self._draw(exchange)

    def _wanted(self, exchange: Exchange) -> bool:
        wanted = self._keep is None or self._keep(exchange)
        self.seen += 1
        self.shown += wanted
        return wanted

    def _now(self, exchange: Exchange, line: Line) -> Iterator[str]:
        n = exchange.n
        if isinstance(line, Ended):
            del self._open[n]
            if n in self._begun:
                self._begun.discard(n)
                yield heading(exchange)
            elif self._wanted(exchange):
                yield from self._draw(exchange)
        elif n in self._begun:
            if isinstance(line, Frame):
                exchange.lines.pop()  # it has been shown, and there may be thousands
            yield from (f"#{n} {row.strip()}" for row in rows(line, exchange))
        elif self._streams and _is_stream(line) and self._fits(exchange):
            self._begun.add(n)
            self._wanted(exchange)
            yield from self._draw(exchange)

    def _fits(self, exchange: Exchange) -> bool:
        return self._keep is None or self._keep(exchange)


def _is_stream(line: Line) -> bool:
    """Whether events are yet to come: the head of the answer says so, or one has come."""
    fields = line.fields if isinstance(line, Answer) else ()
    kinds = (value for name, value in fields if name.lower() == "content-type")
    return isinstance(line, Frame) or any(kind.startswith(EVENTS) for kind in kinds)


def _two(left: str, right: str, most: int) -> str:
    """Two columns, where there is something in the second."""
    shown = _safe(left, most)
    return f"{shown:<{COLUMN}} {_safe(right, most)}".rstrip() if right else shown.rstrip()


def _told(told: Mapping[str, str]) -> str:
    return "  ".join(f"{name}={value}" for name, value in told.items())


def _safe(text: str, most: int = WIDTH) -> str:
    shown = printable(text)
    return shown if len(shown) <= most else f"{shown[:most]}... ({len(shown)} characters)"

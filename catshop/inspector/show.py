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
from catshop.inspector.rungs import callee, caller

WIDTH: Final = 400
"""The longest text that one value may take on the screen."""

STATEMENT: Final = 60
"""The longest piece of a statement: its first words say which one it is."""

COLUMN: Final = 71
"""Where the right-hand column begins."""

FORM: Final = "application/x-www-form-urlencoded"

REMEMBERED: Final = 1024
"""Exchanges that have not ended and are remembered; then the oldest is forgotten."""

CODE: Final = re.compile(r"\b[EW]-[A-Z]+-\d+\b")
"""How a refusal is called, wherever it stands."""

Keep = Callable[[Exchange], bool]
Draw = Callable[[Exchange], Iterator[str]]


def block(exchange: Exchange) -> Iterator[str]:
    """Everything about one exchange."""
    yield heading(exchange)
    for line in exchange.lines:
        yield from rows(line, exchange)


def heading(exchange: Exchange) -> str:
    """Who asked for what, how it ended, how long it took, and the codes of what was refused."""
    request, ended = exchange.request, exchange.first(Ended)
    asked = f"{request.method} {request.target}" if request.method else "(no request)"
    text = f"#{exchange.n} {caller(exchange)}▸{callee(exchange)}  {_safe(asked)}"
    if ended is None:
        return text
    status = str(ended.status or "the client has gone")
    broken = [f"fault: {_safe(exchange.fault)}"] if exchange.fault else []
    told = f"{status:<4}{ended.ms:>7.1f} ms"
    return " ".join([f"{text:<{COLUMN}}", told, *codes(exchange), *broken])


def codes(exchange: Exchange) -> list[str]:
    """The codes of refusals, in the order of their appearance."""
    told = [check.told.get("code", "") for check in exchange.every(Check) if check.verdict == "NO"]
    fields = [value for _, value in exchange.answer.fields]
    found = CODE.findall(" ".join([*told, exchange.body("<").text, *fields]))
    return list(dict.fromkeys(found))


def rows(line: Line, exchange: Exchange) -> Iterator[str]:
    """One line of a recording as rows of the screen; the heading has told of the request line."""
    match line:
        case Request(fields=fields):
            yield from _fields(">", "header", fields)
        case Body():
            yield from _body(line, exchange)
        case Answer(status=status, reason=words, fields=fields):
            yield f"  < {status} {_safe(words)}".rstrip()
            yield from _fields("<", "answer header", fields)
        case Frame(text=text):
            since = (line.at - exchange.request.at) * 1000
            said = text.replace("data: ", "").replace("\n", "  ") or line.note
            yield f"  < event  +{since:.0f} ms  {_safe(said)}"
        case _:
            yield from _inside(line)


def _fields(way: str, place: str, fields: Pairs) -> Iterator[str]:
    """Field lines, each with the section that gives it its meaning."""
    for name, value in fields:
        yield _two(f"  {way} {_safe(name)}: {_safe(value)}", reason(place, name).section)


def _body(body: Body, exchange: Exchange) -> Iterator[str]:
    """A form a parameter a line; of a refusal, the section that it comes from."""
    if body.type.startswith(FORM) and body.text:
        for pair in body.text.split("&"):
            name = pair.partition("=")[0]
            yield _two(f"  {body.way} {_safe(pair)}", reason("form", name).section)
        return
    refused = codes(exchange) if body.way == "<" else []
    words = catalogue().get(refused[0]) if refused else None
    told = f"  {body.way} {_safe(body.text or body.note)}"
    yield _two(told, words.section.replace(" section ", " §") if words else "")


def _inside(line: Line) -> Iterator[str]:
    match line:
        case Sql(sql=sql, rows=count, ms=ms):
            shown = sql if len(sql) <= STATEMENT else f"{sql[: STATEMENT - 3]}..."
            took = f"  {ms:.1f} ms" if ms else ""
            counted = f"{count} {'row' if count == 1 else 'rows'}"
            yield _two(f"  · sql    {_safe(shown)}", f"{counted}{took}")
        case Check(name=name, verdict=verdict, told=told):
            yield _two(f"  · check  {_safe(name):<23} {verdict:<3} {_told(told)}", line.source)
        case Message(method=method, told=told):
            yield f"  · rpc    {_safe(method):<23} {_told(told)}".rstrip()
        case State(name=name, told=told):
            yield f"  · state  {_safe(name):<23} {_told(told)}".rstrip()
        case _:
            pass


class Showing:
    """Turns lines into rows as they come: an exchange when it ends, one that streams at once."""

    def __init__(self, keep: Keep | None = None, draw: Draw = block) -> None:
        self._keep = keep
        self._draw = draw
        self._live = keep is None and draw is block
        self._open: OrderedDict[int, Exchange] = OrderedDict()
        self._begun: set[int] = set()

    def __call__(self, line: Line) -> Iterator[str]:
        """What is to be shown now that `line` is known."""
        if not line.n:
            if self._live and isinstance(line, Check | State):
                yield from rows(line, Exchange(0))
            return
        exchange = self._open.setdefault(line.n, Exchange(line.n))
        exchange.lines.append(line)
        if isinstance(line, Joined):
            exchange.flow = line.flow
        yield from self._now(exchange, line)
        while len(self._open) > REMEMBERED:
            self._begun.discard(self._open.popitem(last=False)[0])

    def _now(self, exchange: Exchange, line: Line) -> Iterator[str]:
        n = exchange.n
        if isinstance(line, Ended):
            del self._open[n]
            if n in self._begun:
                self._begun.discard(n)
                yield heading(exchange)
            elif self._keep is None or self._keep(exchange):
                yield from self._draw(exchange)
        elif n in self._begun:
            yield from (f"#{n} {row.strip()}" for row in rows(line, exchange))
        elif isinstance(line, Frame) and self._live:
            self._begun.add(n)
            yield from block(exchange)


def _two(left: str, right: str) -> str:
    """Two columns, where there is something in the second."""
    return f"{left:<{COLUMN}} {_safe(right)}".rstrip() if right else left.rstrip()


def _told(told: Mapping[str, str]) -> str:
    return "  ".join(f"{_safe(name)}={_safe(value)}" for name, value in told.items())


def _safe(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= WIDTH else f"{shown[:WIDTH]}... ({len(shown)} characters)"

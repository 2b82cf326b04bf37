"""Records what a trace tells: into memory for whoever looks, and into whatever else takes lines.

An observer of `kernel.Trace`. What it is told has been decided before, so the checks saw the real
octets; it hides every secret before anything is kept, with a key that dies with the process.
Memory is bounded: the oldest goes first. It never fails those it watches.
Next: `recording.py`, the lines; `files.py`, where they are kept for later.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from threading import RLock
from typing import Final

from catshop.inspector.exact import frame_text, kept
from catshop.inspector.flows import Flows
from catshop.inspector.recording import (
    Answer,
    Body,
    Check,
    Ended,
    Exchange,
    Frame,
    Line,
    Message,
    Pairs,
    Recording,
    Request,
    Sql,
    Started,
    State,
    written,
)
from catshop.inspector.redact import Redactor
from catshop.kernel import Event, Kind, Secret

log: Final = logging.getLogger("catshop.recorder")

EXCHANGES: Final = 2000
OCTETS: Final = 8 * 1024 * 1024
"""What memory holds at most, of whichever there is more."""

FRAME_OCTETS: Final = 64 * 1024
"""The largest server-sent event that is kept."""

Sink = Callable[[Line], object]


class Recorder:
    """Turns events into lines, and hands each line to its sinks: `memory`, files, watchers."""

    def __init__(self, program: str = "catshop", *, redactor: Redactor | None = None) -> None:
        self._redactor = redactor or Redactor(secrets.token_bytes(32))
        self._lock = RLock()
        self._zero = time.monotonic()
        self._flows = Flows()
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._count = 0
        self._asked: dict[int, float] = {}
        self._pieces: dict[int, bytes] = {}
        self._skipping: set[int] = set()
        self._sinks: tuple[Sink, ...] = ()
        self.started: Final = Started(
            program=program, began=datetime.now(UTC).isoformat(timespec="milliseconds")
        )

    def __call__(self, event: Event) -> None:
        """Record `event`; the signature of `kernel.Observer`. Called from any thread."""
        try:
            with self._lock:
                for line in self._lines(event):
                    self._hand_on(line)
        except Exception:
            log.exception("an event could not be recorded")

    def watch(self, sink: Sink) -> Callable[[], None]:
        """Hand every later line to `sink`, from whatever thread; call what is returned to stop."""
        with self._lock:
            self._sinks = (*self._sinks, sink)

        def stop() -> None:
            with self._lock:
                self._sinks = tuple(each for each in self._sinks if each is not sink)

        return stop

    def number(self, exchange: str) -> int:
        """The number of an exchange by the id that the trace calls it; 0 for an unknown one."""
        return self._numbers.get(exchange, 0)

    def _hand_on(self, line: Line) -> None:
        for each in (line, *self._flows.joins(line)):
            for sink in self._sinks:
                sink(each)

    def _lines(self, event: Event) -> Iterator[Line]:
        """The lines that `event` becomes, without any secret."""
        if event.kind is Kind.BYTES:
            return
        n, at = self._numbered(event.exchange), round(event.at - self._zero, 6)
        match event.kind, event.name:
            case Kind.HTTP, "request":
                self._asked[n] = event.at
                yield self._request(event, n, at)
            case Kind.HTTP, "body":
                yield self._body(event.fields, n, at, ">")
            case Kind.HTTP, "stream":
                self._pieces[n] = b""
                yield self._answer(event.fields, n, at)
            case Kind.HTTP, "event":
                yield from self._frames(event.fields, n, at)
            case Kind.HTTP, "answer":
                yield from self._end(event, n, at)
            case _:
                yield self._inside(event, n, at)

    def _numbered(self, exchange: str) -> int:
        if not exchange:
            return 0
        if exchange not in self._numbers:
            self._count += 1
            self._numbers[exchange] = self._count
            while len(self._numbers) > EXCHANGES:
                self._forget()
        return self._numbers[exchange]

    def _forget(self) -> None:
        """The number of the oldest exchange that has ended; of the oldest one if none has."""
        ended = (id_ for id_, n in self._numbers.items() if n not in self._asked)
        n = self._numbers.pop(next(ended, next(iter(self._numbers))))
        self._asked.pop(n, None)
        self._pieces.pop(n, None)
        self._skipping.discard(n)

    def _request(self, event: Event, n: int, at: float) -> Request:
        told = event.fields
        lines = _head(told)
        pairs = _raw(lines[1:]) if lines else list(_given(told.get("fields")))
        return Request(
            at=at,
            n=n,
            id=event.exchange,
            method=str(told.get("method", "")),
            target=self._redactor.target(_plain(told.get("target", told.get("path", "")))),
            version=str(told.get("version", "1.1")),
            fields=self._fields(pairs),
        )

    def _answer(self, told: Mapping[str, object], n: int, at: float) -> Answer:
        lines = _head(told)
        pairs = _raw(lines[1:]) if lines else list(_given(told.get("fields")))
        reason = lines[0].split(" ", 2)[2] if lines and lines[0].count(" ") > 1 else ""
        status = int(str(told.get("status") or 0))
        return Answer(at=at, n=n, status=status, reason=reason, fields=self._fields(pairs))

    def _fields(self, pairs: Iterable[tuple[str, str]]) -> Pairs:
        redact = self._redactor
        return tuple((redact.ours(name), redact.header(name, value)) for name, value in pairs)

    def _body(self, told: Mapping[str, object], n: int, at: float, way: str) -> Body:
        octets, kind = _octets(told.get("body", b"")), str(told.get("content_type", ""))
        text, note = kept(self._redactor, kind, octets)
        kind = self._redactor.text(kind)
        return Body(at=at, n=n, way=way, type=kind, text=text, size=len(octets), note=note)

    def _frames(self, told: Mapping[str, object], n: int, at: float) -> Iterator[Frame]:
        """The events that are whole by now; what is not waits for its end, within bounds."""
        octets = self._pieces.get(n, b"") + _octets(told.get("body", b""))
        octets = octets.replace(b"\r\n", b"\n")
        if n in self._skipping:
            _, ended, octets = octets.partition(b"\n\n")
            if not ended:
                return
            self._skipping.discard(n)
        *whole, rest = octets.split(b"\n\n")
        for each in whole:
            text = frame_text(self._redactor, each.decode("utf-8", "replace"))
            yield _frame(text, n, at)
        if len(rest) > FRAME_OCTETS:
            yield Frame(at=at, n=n, note=f"more than {FRAME_OCTETS} octets: the event is not shown")
            self._skipping.add(n)
            rest = b""
        self._pieces[n] = rest

    def _end(self, event: Event, n: int, at: float) -> Iterator[Line]:
        told = event.fields
        status = int(str(told.get("status") or 0))
        self._skipping.discard(n)
        if self._pieces.pop(n, None) is None and status:
            answer = self._answer(told, n, at)
            yield answer
            if octets := _octets(told.get("body", b"")):
                named = (value for name, value in answer.fields if name.lower() == "content-type")
                kind = next(named, "")
                yield self._body({"body": octets, "content_type": kind}, n, at, "<")
        began = self._asked.pop(n, event.at)
        yield Ended(at=at, n=n, status=status, ms=round((event.at - began) * 1000, 3))

    def _inside(self, event: Event, n: int, at: float) -> Line:
        told, name = event.fields, self._redactor.text(event.name)
        if event.kind is Kind.SQL:
            rows, ms = told.get("rows"), told.get("ms")
            sql = self._redactor.text(str(told.get("sql", "")))
            rows = rows if isinstance(rows, int) else 0
            return Sql(at=at, n=n, sql=sql, rows=rows, ms=ms if isinstance(ms, float) else 0.0)
        shown = {
            key: self._redactor.value(key, value) for key, value in told.items() if value != ""
        }
        if event.kind is Kind.CHECK:
            verdict = event.verdict.value if event.verdict else ""
            return Check(at=at, n=n, name=name, verdict=verdict, source=event.source, told=shown)
        if event.kind is Kind.RPC:
            return Message(at=at, n=n, method=name, told=shown)
        return State(at=at, n=n, name=name, told=shown)


class Memory:
    """The last exchanges: a sink. What is read from it is a copy."""

    def __init__(
        self, exchanges: int = EXCHANGES, octets: int = OCTETS, *, started: Started | None = None
    ) -> None:
        self._most = exchanges
        self._octets = octets
        self._held = Recording(started or Started())
        self._sizes: dict[int, int] = {}
        self._size = 0
        self._lock = RLock()

    def __call__(self, line: Line) -> None:
        """Keep `line`, and forget the oldest exchange where there is no room."""
        with self._lock:
            self._held.add(line)
            if line.n:
                size = len(written(line).encode("utf-8", "replace"))
                self._sizes[line.n] = self._sizes.get(line.n, 0) + size
                self._size += size
            while len(self._held.exchanges) > self._most or self._size > self._octets:
                self._forget()

    def recording(self) -> Recording:
        """What is held now."""
        with self._lock:
            held = self._held.exchanges.values()
            copies = {each.n: Exchange(each.n, each.flow, list(each.lines)) for each in held}
            return Recording(self._held.started, copies)

    def _forget(self) -> None:
        oldest = next(iter(self._held.exchanges))
        del self._held.exchanges[oldest]
        self._size -= self._sizes.pop(oldest)


def _frame(text: str, n: int, at: float) -> Frame:
    if len(text) <= FRAME_OCTETS:
        return Frame(at=at, n=n, text=text)
    return Frame(at=at, n=n, text=text[:FRAME_OCTETS], note=f"cut: {len(text)} characters")


def _head(told: Mapping[str, object]) -> list[str]:
    """The lines of a head as it was on the wire, where that is known."""
    raw = _plain(told.get("octets", "")).partition("\r\n\r\n")[0]
    return raw.split("\r\n") if raw else []


def _raw(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition(":")
        yield name, value.strip(" \t")


def _given(pairs: object) -> Iterator[tuple[str, str]]:
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    if isinstance(items, Iterable):
        for name, value in items:
            yield str(name), _plain(value)


def _plain(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _octets(body: object) -> bytes:
    if isinstance(body, Secret):
        return body.reveal().encode("utf-8", "surrogatepass")
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else str(body).encode()

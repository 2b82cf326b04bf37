"""Shows a conversation as it happens: `>` came in, `<` went out, `·` happened inside.

An observer of `kernel.Trace`. Lines of one exchange stand under its number, which is repeated when
another exchange spoke in between. It knows the few events that have a direction by their kind and
name; every other event is a `·` line with its name, verdict and fields, so that a new check shows
up here without a line of code. All text passes `redact`, then loses whatever a terminal would obey.
It never fails those it watches: a stream that cannot be written to ends the show.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from catshop.inspector.redact import Redactor, printable
from catshop.kernel import Event, Kind, Secret, Verdict

WIDTH: Final = 400
"""The longest text that one value may take on the screen."""

STATEMENT: Final = 90
"""The longest piece of a statement: its first words say which one it is."""

REMEMBERED: Final = 1024
"""Requests whose start is remembered, to tell how long the answer took."""

INCOMING: Final = frozenset({"request", "received", "body"})
OUTGOING: Final = frozenset({"answer", "sent", "stream", "event", "frame"})
"""Names of BYTES and HTTP events with a direction; the rest happened inside."""


class Paper(Protocol):
    """What can be printed on: a file, or whatever passes text on to one."""

    def write(self, text: str, /) -> object:
        """Take some text."""
        ...

    def flush(self) -> object:
        """Let it be read."""
        ...


class Printer:
    """Writes one line or a few for each event to `stream`."""

    def __init__(self, stream: Paper, *, redactor: Redactor | None = None) -> None:
        self._stream = stream
        self._redactor = redactor or Redactor(secrets.token_bytes(32))
        self._exchange = ""
        self._began: dict[str, float] = {}
        self._works = True

    def __call__(self, event: Event) -> None:
        """Show `event`; the signature of `kernel.Observer`."""
        if not self._works:
            return
        try:
            for line in self.lines(event):
                self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._works = False

    def lines(self, event: Event) -> Iterator[str]:
        """What is shown of `event`, with the number of its exchange where that changes."""
        if event.exchange != self._exchange:
            self._exchange = event.exchange
            yield f"#{self._safe(event.exchange)}" if event.exchange else ""
        directed = event.name in INCOMING | OUTGOING
        if directed and event.kind is Kind.HTTP:
            yield from self._message(event)
        elif directed and event.kind is Kind.BYTES:
            yield f"  {_sign(event)} {event.fields.get('octets', 'some')} octets"
        elif event.kind is Kind.SQL:
            yield self._statement(event.fields)
        else:
            yield self._inside(event)

    def _message(self, event: Event) -> Iterator[str]:
        """An HTTP message, or a piece of one: its first line, its fields, its body."""
        sign, fields = _sign(event), dict(event.fields)
        head, body = list(_pairs(fields.pop("fields", ()))), fields.pop("body", b"")
        kinds = [value for name, value in head if name.lower() == "content-type"]
        kind = str(fields.pop("content_type", next(iter(kinds), "")))
        opening = self._opening(event, fields)
        if opening:
            yield f"  {sign} {opening}"
        for name, value in head:
            yield f"  {sign} {self._safe(name)}: {self._safe(self._redactor.header(name, value))}"
        if body:
            yield f"  {sign} {self._safe(self._redactor.body(kind, _octets(body)))}"

    def _opening(self, event: Event, fields: dict[str, object]) -> str:
        """Method and target, or status and the time since the request, then what else is told."""
        words = []
        for name in ("path" if "target" in fields else "", "version", "octets"):
            fields.pop(name, None)
        if "method" in fields:
            self._began[event.exchange] = event.at
            self._forget_the_oldest()
            words.append(str(fields.pop("method")))
        for name in ("target", "path"):
            if name in fields:
                target = fields.pop(name)
                plain = target.reveal() if isinstance(target, Secret) else str(target)
                words.append(self._redactor.target(plain))
        if "status" in fields:
            words.append(str(fields.pop("status") or "the client has gone"))
            if (began := self._began.pop(event.exchange, None)) is not None:
                words.append(f" {(event.at - began) * 1000:.1f} ms")
        return " ".join([*map(self._safe, words), *self._told(fields)])

    def _forget_the_oldest(self) -> None:
        """Requests that were never answered must not add up."""
        while len(self._began) > REMEMBERED:
            del self._began[next(iter(self._began))]

    def _statement(self, fields: Mapping[str, object]) -> str:
        """A statement, cut where the screen ends, and how many rows it gave or changed."""
        sql, rows = self._safe(str(fields.get("sql", ""))), fields.get("rows", 0)
        shown = sql if len(sql) <= STATEMENT else f"{sql[: STATEMENT - 3]}..."
        return f"  · sql     {shown}  {rows} {'row' if rows == 1 else 'rows'}"

    def _inside(self, event: Event) -> str:
        """`· check  pkce.s256               NO   expected=... arrived=...`."""
        verdict = "" if event.verdict is None else str(Verdict(event.verdict))
        told = "  ".join(self._told(event.fields))
        name = self._safe(event.name)
        return f"  · {event.kind.value:<8}{name:<30}{verdict:<4}{told}".rstrip()

    def _told(self, fields: Mapping[str, object]) -> Iterator[str]:
        for name, value in fields.items():
            yield f"{self._safe(name)}={self._safe(self._redactor.value(name, value))}"

    def _safe(self, text: str) -> str:
        shown = printable(self._redactor.ours(text))
        return shown if len(shown) <= WIDTH else f"{shown[:WIDTH]}... ({len(shown)} characters)"


def _sign(event: Event) -> str:
    return ">" if event.name in INCOMING else "<"


def _pairs(fields: object) -> Iterable[tuple[str, Secret | str]]:
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    if isinstance(pairs, Iterable):
        for name, value in pairs:
            yield str(name), value if isinstance(value, Secret) else str(value)


def _octets(body: object) -> bytes:
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else str(body).encode()

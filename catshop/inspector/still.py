"""A recording without what differs from one run to the next: for pages that print it, and pictures.

Secrets are numbered in the order of their appearance, ports, dates and random words get one text
each that is as long as theirs, and everything happens at an even pace. The same thing is the same
text throughout; what was decided, and why, stays as it was. Pure. Next: `recording.py`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from catshop.inspector.recording import Ended, Exchange, Line, Recording, Sql, Started
from catshop.inspector.redact import MARK

BEGAN: Final = "2026-01-01T00:00:00.000+00:00"
PORT: Final = 8000
"""Of whom is named first; then the next one."""
STEP: Final = 0.001
"""Seconds from one line to the next."""

ADDRESS: Final = re.compile(r"((?:127\.0\.0\.1|localhost)(?::|%3A))(\d+)")
DATE: Final = re.compile(r"\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
TIME: Final = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00|Z)?")
SECONDS: Final = re.compile(r"\b1[0-9]{9}\b")
WORD: Final = re.compile(
    r"\b(?:cat|tok)_[\w-]{8,}|\b[0-9A-F]{16}\b|\b[0-9a-f]{16,}\b"
    r"|(?P<long>(?<![\w-])[\w-]{22}(?![\w-])|[\w.~-]{32,})",
    re.ASCII,
)
"""Names of clients, tokens, orders and exchanges; and whatever is as long as our other ids."""

SHOWN: Final = re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
STAYS: Final = (
    (SHOWN, "2026-01-01 00:00:00.000"),
    (DATE, "Thu, 01 Jan 2026 00:00:00 GMT"),
    (TIME, BEGAN),
    (SECONDS, "1767225600"),
)
RANDOM: Final = re.compile(r"(?=.*[A-Z])(?=.*[a-z]).*")
"""A long word that nobody has chosen: in as many characters of base64url, both are there."""


@dataclass
class Still:
    """Puts something that stays in place of all that differs."""

    marks: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)

    def __call__(self, text: str) -> str:
        """The text; the same secret is the same mark in all texts."""
        text = MARK.sub(lambda found: self._mark(found[0]), text)
        for pattern, stays in STAYS:
            text = pattern.sub(stays, text)
        text = WORD.sub(lambda found: self._word(found[0], found["long"]), text)
        return ADDRESS.sub(lambda found: found[1] + self._port(found[2]), text)

    def _port(self, port: str) -> str:
        return self.ports.setdefault(port, str(PORT + len(self.ports)))

    def _mark(self, mark: str) -> str:
        digest = hashlib.sha256(str(len(self.marks)).encode()).hexdigest()
        return self.marks.setdefault(mark, f"‹{digest[:6]}›")

    def _word(self, word: str, long: str | None) -> str:
        """A word of the same length and letters, made of how many there were before."""
        if long and not RANDOM.fullmatch(long):
            return word
        if word not in self.words:
            digest = hashlib.sha512(str(len(self.words)).encode()).digest()
            prefix = word[:4] if word.startswith(("cat_", "tok_")) else ""
            self.words[word] = prefix + _spelled(digest, word)[: len(word) - len(prefix)]
        return self.words[word]


def _spelled(digest: bytes, like: str) -> str:
    """The digest as text of the alphabet that `like` has."""
    if re.fullmatch(r"[0-9a-f]+", like):
        return digest.hex()
    if re.fullmatch(r"[0-9A-F]+", like):
        return digest.hex().upper()
    return base64.b32encode(digest).decode().lower().rstrip("=") * (1 + len(like) // 64)


def still(recording: Recording) -> Recording:
    """The whole recording, exchange after exchange."""
    calm, at = Still(), 0
    made = Recording(replace(recording.started, began=BEGAN))
    for exchange in recording.exchanges.values():
        lines = [_line(line, calm, at + n) for n, line in enumerate(exchange.lines)]
        made.exchanges[exchange.n] = Exchange(exchange.n, exchange.flow, list(_paced(lines)))
        at += len(lines)
    return made


def _line(line: Line, calm: Still, number: int) -> Line:
    said: dict[str, Any] = {
        each.name: _value(getattr(line, each.name), calm)
        for each in fields(line)
        if each.name not in {"at", "n"} and not isinstance(line, Started)
    }
    if isinstance(line, Sql):
        said["ms"] = 0.1
    return replace(line, at=round(number * STEP, 6), **said)


def _value(value: object, calm: Still) -> object:
    if isinstance(value, str):
        return calm(value)
    if isinstance(value, tuple):
        return tuple((name, calm(text)) for name, text in value)
    if isinstance(value, dict):
        return {name: calm(text) for name, text in value.items()}
    return value


def _paced(lines: list[Line]) -> Iterable[Line]:
    """The lines, and the end with the time that they took by now."""
    for line in lines:
        took = round((line.at - lines[0].at) * 1000, 3)
        yield replace(line, ms=took) if isinstance(line, Ended) else line

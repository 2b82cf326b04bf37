"""Rungs as lines of text: a lane for each who takes part, an arrow for each message, and words.

Pure. The words stand right of the lanes, because no lane is as wide as an address; they are wrapped
to the width of the paper and lose whatever a terminal would obey. Next: `rungs.py`, where they come
from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

from catshop.inspector.redact import printable
from catshop.inspector.rungs import Lane, Rung, Tone


@dataclass(frozen=True, slots=True)
class Alphabet:
    """What lanes and arrows are drawn with."""

    lane: str
    shaft: str
    right: str
    left: str
    start: str
    end: str
    dot: str
    cut: str


LINES: Final = Alphabet("│", "─", "▶", "◀", "├", "┤", "●", "…")
ASCII: Final = Alphabet("|", "-", ">", "<", "+", "+", "*", "...")

FIRST: Final = 6
"""The column of the first lane."""

APART: Final = 9
"""Columns from one lane to the next."""

LANES: Final = tuple(Lane)
LABEL: Final = FIRST + APART * (len(LANES) - 1) + 3
"""The column in which the words begin."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a ladder looks: its signs, how wide it may be, and whether it tells how long all took."""

    alphabet: Alphabet = LINES
    width: int = 100
    times: bool = True


MOST: Final = 4
"""Lines that the words of one rung may take."""

Paint = Callable[[Tone, str], str]


def unpainted(_tone: Tone, text: str) -> str:
    """No colour: the words say it all."""
    return text


def ladder(found: Iterable[Rung], style: Style, paint: Paint = unpainted) -> Iterator[str]:
    """The lines, the names of the lanes above them; `paint` may colour the words of a rung."""
    yield _heading()
    for rung in found:
        lanes = _drawn(rung, style.alphabet)
        for words in _wrapped(_words(rung, style), style):
            yield f"{lanes}{paint(rung.tone, words)}".rstrip()
            lanes = _lanes(style.alphabet)


def _heading() -> str:
    names = "".join(lane.value.center(APART) for lane in LANES)
    return (" " * (FIRST - APART // 2) + names).rstrip()


def _lanes(signs: Alphabet) -> str:
    row = list(" " * LABEL)
    for index in range(len(LANES)):
        row[_column(index)] = signs.lane
    return "".join(row)


def _drawn(rung: Rung, signs: Alphabet) -> str:
    """The lanes, with the arrow of this rung across them."""
    row = list(_lanes(signs))
    start, end = (_column(LANES.index(lane)) for lane in (rung.start, rung.end))
    left, right = min(start, end), max(start, end)
    row[left + 1 : right] = signs.shaft * max(0, right - left - 1)
    if start < end:
        row[start], row[end - 1] = signs.start, signs.right
    elif end < start:
        row[start], row[end + 1] = signs.end, signs.left
    else:
        row[start] = signs.dot
    number = f"{rung.n:>3}" if rung.tone is Tone.ASKED else ""
    row[: len(number)] = number
    return "".join(row)


def _column(index: int) -> int:
    return FIRST + APART * index


def _words(rung: Rung, style: Style) -> str:
    took = f" {rung.ms:.1f} ms" if style.times and rung.ms else ""
    status = f"{rung.status}{took}  " if rung.status else ""
    said = printable(f"{status}{rung.said}").rstrip()
    return said if style.alphabet is LINES else plain(said)


def plain(text: str) -> str:
    """Marks and signs in ASCII."""
    text = text.replace("‹", "<").replace("›", ">")
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _wrapped(text: str, style: Style) -> list[str]:
    room = max(20, style.width - LABEL)
    found = wrap(
        text[: room * (MOST + 1)],
        room,
        max_lines=MOST,
        placeholder=f" {style.alphabet.cut}",
        break_on_hyphens=False,
    )
    return found or [""]

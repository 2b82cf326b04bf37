"""The code that ran: the function of ours in which a check was decided, as it stands on disk.

A check tells its line, such as `oauth/pkce.py:88`; a reader wants the sentence around it. What is
looked up is a Python file of the package and nothing else, whatever a line says.
Next: `exchanges.py`, which shows the checks of one exchange.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from catshop.kernel import PACKAGE

PLACE: Final = re.compile(r"((?:[a-z0-9_]+/)*[a-z0-9_]+\.py):([0-9]{1,5})")

AROUND: Final = 3
"""Lines before and after one that stands in no function: a row of a table."""

LINES: Final = 60
"""Of a function at most, from the line that decided."""


@dataclass(frozen=True, slots=True)
class Text:
    """One line of a file; `decided` is the one that the check tells."""

    number: int
    text: str
    decided: bool


def code_at(place: str) -> tuple[Text, ...]:
    """The lines of the function at `place`; none where there is no such place in the package."""
    found = PLACE.fullmatch(place)
    if found is None:
        return ()
    lines, line = _lines(found[1]), int(found[2])
    if not 0 < line <= len(lines):
        return ()
    first, last = _around(found[1], line)
    return tuple(
        Text(number, lines[number - 1], number == line)
        for number in range(max(1, first), min(last, line + LINES, len(lines)) + 1)
    )


@cache
def _lines(name: str) -> list[str]:
    path = PACKAGE / name
    return path.read_text("utf-8").splitlines() if path.is_file() else []


@cache
def _functions(name: str) -> tuple[tuple[int, int], ...]:
    """The first and the last line of every function, the inner ones last."""
    tree = ast.parse("\n".join(_lines(name)))
    return tuple(sorted(_spans(tree), key=lambda span: span[0] - span[1]))


def _spans(tree: ast.Module) -> Iterator[tuple[int, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            begun = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            yield begun, node.end_lineno or node.lineno


def _around(name: str, line: int) -> tuple[int, int]:
    within = [span for span in _functions(name) if span[0] <= line <= span[1]]
    return within[-1] if within else (line - AROUND, line + AROUND)

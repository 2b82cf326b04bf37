"""Octets as two digits each, sixteen a row, with their characters beside them.

What was recorded holds marks in place of secrets, and a mark says nothing of how long its secret
is. So a mark is one cell, `‹›`, and offsets count it as one octet. Pure. Next: `exchanges.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from catshop.inspector.redact import MARK

ROW: Final = 16
ROWS: Final = 256
"""At most; what is longer is cut, with a note."""

CELL: Final = "‹›"
"""A whole secret."""


def dump(text: str) -> Iterator[str]:
    """The rows: offset, octets, characters."""
    cells = _cells(text)
    for start in range(0, ROW * ROWS, ROW):
        row = list(islice(cells, ROW))
        if not row:
            return
        digits = " ".join(two for two, _ in row)
        yield f"{start:06x}  {digits:<{ROW * 3 - 1}}  {''.join(sign for _, sign in row)}"
    if next(cells, None):
        yield f"... more than {ROW * ROWS} octets"


def _cells(text: str) -> Iterator[tuple[str, str]]:
    for piece in re.split(f"({MARK.pattern})", text):
        if MARK.fullmatch(piece):
            yield CELL, "?"
            continue
        for octet in piece.encode("utf-8", "surrogatepass"):
            yield f"{octet:02x}", chr(octet) if 0x20 <= octet < 0x7F else "."

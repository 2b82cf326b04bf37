"""What storage refuses, in the words of the catalogue: before the start, and while it runs.

Before the start a fault is a `StartRefused`: the program says one clear line and exits, and the
file is left exactly as it was found. While it runs a fault is `kernel.Unavailable`: nothing was
changed, and the same request may be tried again. Both name an `E-DB-` code. Next: `sqlite.py`.
"""

from __future__ import annotations

from catshop.catalogue import explain
from catshop.kernel import Unavailable


class StartRefused(Exception):
    """The program cannot start on this store, and has changed nothing in it.

    `str()` is the one line for the operator: what is wrong, with which file, and what to do next.
    """

    def __init__(self, code: str, where: str, detail: str = "") -> None:
        words = explain(code)
        said = f" ({detail})" if detail else ""
        super().__init__(f"{code} {where}: {words.title}{said}. {words.fix}")
        self.code = code
        self.where = where


def unavailable(code: str, detail: str = "") -> Unavailable:
    """The fault that the caller of a read or a write meets; `detail` is for the log alone."""
    title = explain(code).title
    return Unavailable(code, f"{title}: {detail}" if detail else title)

"""The switch: a small file beside the database that says which fault is on.

A laboratory puts it there when it starts and takes it away when it ends; whoever may write the
database may write it, and nobody else (mode 0600), so there is no port and no password to guard. It
is replaced as a whole, so that it is never found half written. Next: `bench.py`, which obeys it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

OFF = "off"
"""What no fault is called."""

Stamp = tuple[int, int, int]
"""Tells one writing of the file from the next."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where the laboratory is, and which fault is on: None for none."""

    url: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class Switch:
    """The file."""

    path: Path

    @classmethod
    def beside(cls, database: str) -> Switch:
        """The switch of the laboratory that serves this database."""
        return cls(Path(f"{database}.lab"))

    def set(self, position: Position) -> None:
        """Write it, as a whole."""
        told = json.dumps({"url": position.url, "fault": position.fault})
        with NamedTemporaryFile(
            "w", dir=self.path.parent, prefix=f"{self.path.name}.", delete=False
        ) as draft:
            draft.write(told)
        os.replace(draft.name, self.path)

    def read(self) -> Position | None:
        """What it says; None where no laboratory runs, and for a file that another user has put."""
        try:
            if hasattr(os, "getuid") and self.path.stat().st_uid != os.getuid():
                return None
            told = json.loads(self.path.read_text("utf-8"))
            url, fault = told["url"], told["fault"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        known = isinstance(url, str) and isinstance(fault, str | None)
        return Position(url, fault) if known else None

    def stamp(self) -> Stamp | None:
        """What is another after each writing; cheap enough for every request."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def remove(self, url: str) -> None:
        """The laboratory at `url` ends; what another one has put there stays."""
        position = self.read()
        if position is not None and position.url == url:
            self.path.unlink(missing_ok=True)

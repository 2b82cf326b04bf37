"""Shows a conversation as it happens, on whatever takes text.

An observer of `kernel.Trace`: what the recorder makes of each event, written as `show.py` says. It
never fails those it watches: a stream that cannot be written to ends the show.
"""

from __future__ import annotations

from typing import Protocol

from catshop.inspector.recorder import Recorder
from catshop.inspector.recording import Line
from catshop.inspector.redact import Redactor
from catshop.inspector.show import Showing
from catshop.kernel import Event


class Paper(Protocol):
    """What can be printed on: a file, or whatever passes text on to one."""

    def write(self, text: str, /) -> object:
        """Take some text."""
        ...

    def flush(self) -> object:
        """Let it be read."""
        ...


class Printer:
    """Writes each exchange to `stream` when it ends, and one that streams while it does."""

    def __init__(self, stream: Paper, *, redactor: Redactor | None = None) -> None:
        self._stream = stream
        self._showing = Showing()
        self._works = True
        self._recorder = Recorder(redactor=redactor)
        self._recorder.watch(self._show)

    def __call__(self, event: Event) -> None:
        """Show `event`; the signature of `kernel.Observer`."""
        if self._works:
            self._recorder(event)

    def _show(self, line: Line) -> None:
        try:
            for row in self._showing(line):
                self._stream.write(row + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._works = False

"""Where the log and the trace go, so that nobody who does not read them can stop the shop.

A pipe that is full makes its writer wait, and the writer would be the event loop. So lines are
handed to a thread over a queue of bounded size; what does not fit is dropped and counted, and the
count is told once there is room again. What cannot be written because nobody is there any more is
forgotten. At the end, whatever is queued is written, unless that takes too long. Next: `serve.py`.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Thread
from typing import Final, TextIO

STDERR: Final = 2
ROOM: Final = 1024 * 1024
"""Characters that may wait to be written."""

PARTING_SECONDS: Final = 1.0
"""For writing what is queued when the process ends."""


@contextmanager
def outlet(stream: TextIO | None) -> Iterator[Outlet]:
    """An `Outlet` for a stream such as `sys.stderr`, which is None where it was never opened."""
    _occupy()
    out = Outlet(STDERR if stream is None else stream.fileno())
    try:
        yield out
    finally:
        out.end(PARTING_SECONDS)


def _occupy() -> None:
    """Open standard streams that were not: a socket with such a number aborts some event loops."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(descriptor)


class Outlet:
    """A text stream on a file descriptor whose `write` never waits and never fails."""

    def __init__(self, descriptor: int, room: int = ROOM) -> None:
        self.descriptor: Final = descriptor
        self._room = room
        self._waiting: list[str] = []
        self._size = self._dropped = 0
        self._changed = Condition()
        self._open = True
        self._thread = Thread(target=self._pass_on, name="log", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Queue `text`, or drop it where there is no room."""
        with self._changed:
            if self._open and self._size + len(text) > self._room:
                self._dropped += 1
            elif self._open and text:
                self._waiting.append(text)
                self._size += len(text)
                self._changed.notify()
        return len(text)

    def flush(self) -> None:
        """Nothing: what is queued is written as soon as it can be."""

    def end(self, seconds: float) -> None:
        """Take nothing more; wait for so long until what is queued is written."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join(seconds)

    def _pass_on(self) -> None:
        try:
            while text := self._next():
                self._put(text.encode("utf-8", "backslashreplace"))
        except OSError:  # nobody is there any more
            with self._changed:
                self._open = False
                self._waiting.clear()

    def _next(self) -> str:
        """Everything that waits, once anything does; nothing after the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
            text, dropped = "".join(self._waiting), self._dropped
            self._waiting.clear()
            self._size = self._dropped = 0
        lost = f"WARNING catshop.log {dropped} lines were dropped: nobody read them\n"
        return text + lost if dropped else text

    def _put(self, octets: bytes) -> None:
        # Not through sys.stderr: a thread that holds its lock when the process ends would crash it.
        while octets:
            try:
                octets = octets[os.write(self.descriptor, octets) :]
            except BlockingIOError:  # whoever shares the pipe with us has made it so
                select.select((), (self.descriptor,), ())

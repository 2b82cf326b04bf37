"""A recording as a file of lines: for its owner alone, of bounded size, and never over another's.

A file that is there already is set aside when it is a recording, like one that is full; anything
else is refused, because somebody may want it. While it is written to it is locked, so that two
programs never mix their lines. Next: `recording.py`, which reads it again.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from catshop.inspector.recording import Line, RecordingRefused, Started, is_recording, written

if sys.platform != "win32":
    import fcntl

log: Final = logging.getLogger("catshop.recorder")

FILE_OCTETS: Final = 16 * 1024 * 1024
"""A file that would be larger is set aside as `NAME.1`, and `NAME.1` as `NAME.2`."""

NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)

ASIDE: Final = 3
"""Files set aside at most."""


class Files:
    """The file and those that were set aside: a sink."""

    def __init__(self, path: Path, started: Started, octets: int = FILE_OCTETS) -> None:
        """Take the path; RecordingRefused when it is somebody else's, OSError when it cannot be."""
        self._path = path
        self._octets = octets
        self._started = started
        self._part = 0
        self._size = 0
        self._file: IO[str] | None = None
        if is_recording(path):
            with _locked(path):
                self._rotate()
        self._begin()

    def located(self, url: str) -> None:
        """Say where the server is, now that it is known: a line like the first one."""
        self._started = replace(self._started, url=url)
        self(replace(self._started, part=self._part))

    def __call__(self, line: Line) -> None:
        """Write `line`. A file that cannot be written to ends the recording, and nothing else."""
        if self._file is None:
            return
        try:
            self._head()
            text = written(line) + "\n"
            if self._size + len(text.encode("utf-8", "replace")) > self._octets:
                self.close()
                self._rotate()
                self._begin()
                self._head()
            self._write(text)
        except (OSError, ValueError, RecordingRefused) as error:
            log.warning("the recording ends: %s", error)
            self._file = None

    def close(self) -> None:
        """Nothing more is written. Idempotent."""
        if self._file is not None:
            self._head()
            self._file.close()
        self._file = None

    def _begin(self) -> None:
        self._part += 1
        self._size = 0
        self._file = _locked(self._path)

    def _head(self) -> None:
        """The first line of a file, before any other."""
        if self._size == 0:
            self._write(written(replace(self._started, part=self._part)) + "\n")

    def _write(self, text: str) -> None:
        if self._file is not None:
            self._size += len(text.encode("utf-8", "replace"))
            self._file.write(text.encode("utf-8", "replace").decode("utf-8"))

    def _rotate(self) -> None:
        """Set the file aside, and the ones that were by one further; the last one goes."""
        for number in range(ASIDE, 0, -1):
            older = self._path if number == 1 else self._aside(number - 1)
            if older.exists():
                older.replace(self._aside(number))

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _locked(path: Path) -> IO[str]:
    """The file itself, empty or a recording, for us alone; a link leads to somebody else's."""
    made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_LINK, 0o600)
    file = os.fdopen(made, "a", encoding="utf-8", buffering=1)
    try:
        path.chmod(0o600)
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_size and not is_recording(path):
            raise RecordingRefused("E-REC-11", str(path))
    except BlockingIOError:
        file.close()
        raise RecordingRefused("E-REC-12", str(path)) from None
    except RecordingRefused:
        file.close()
        raise
    return file

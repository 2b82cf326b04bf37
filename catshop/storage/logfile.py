"""A log that outlives the process that wrote it, shared by all that write.

A line is one write at the end of the file, so those of several processes never mix; it begins with
the time in UTC. Whoever rotates the file moves it away and lets the processes start anew.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

LINE: Final = "%(asctime)s.%(msecs)03dZ %(message)s"
TIME: Final = "%Y-%m-%dT%H:%M:%S"


class _Form(logging.Formatter):
    converter = staticmethod(time.gmtime)


@asynccontextmanager
async def appended(log: logging.Logger, path: Path | None) -> AsyncIterator[None]:
    """Append what is logged there to the file, which its owner alone can read; None: do not."""
    if path is None:
        yield
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        handler, level = logging.StreamHandler(file), log.level
        handler.setFormatter(_Form(LINE, TIME))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.removeHandler(handler)
            log.setLevel(level)

"""Who holds a TCP port, as far as this machine tells.

Linux says it in /proc: the table of sockets names an inode, and one of the processes has it open.
Elsewhere, and for other people's processes, nobody is named. Next: `serve.py`, which asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LISTEN: Final = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def holder_of(port: int, proc: Path = Path("/proc")) -> str | None:
    """`name (process 123)` of whoever listens on `port`; None when that cannot be seen."""
    inodes = {f"socket:[{inode}]" for inode in _listening(port, proc)}
    for process in _numbered(proc) if inodes else ():
        if inodes.intersection(_links(process / "fd")):
            name = (process / "comm").read_text("utf-8", "replace").strip()
            return f"{name} (process {process.name})"
    return None


def _listening(port: int, proc: Path) -> Iterator[str]:
    """The inodes of the sockets that listen on `port`."""
    for table in (proc / "net/tcp", proc / "net/tcp6"):
        try:
            rows = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for columns in map(str.split, rows):
            if columns[3] == LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                yield columns[9]


def _numbered(folder: Path) -> Iterator[Path]:
    """The folders of processes."""
    return (entry for entry in folder.iterdir() if entry.name.isdigit())


def _links(folder: Path) -> set[str]:
    """What the descriptors of a process point at; nothing for one that is not ours to look at."""
    found = set()
    try:
        for name in os.listdir(folder):
            found.add(os.readlink(folder / name))
    except OSError:
        # Another user's process, or one that ended while we looked.
        return found
    return found

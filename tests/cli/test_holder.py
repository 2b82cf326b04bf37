"""Who holds a port, read from a /proc that stands in a folder."""

from __future__ import annotations

import socket
from pathlib import Path

from catshop.cli.holder import holder_of

HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout\n"
)
ROW = (
    "   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  0  0 {inode} 1\n"
)


def proc(folder: Path, rows: str, *, table: str = "tcp") -> Path:
    """A /proc with these connections, and one process that holds the socket 4711."""
    (folder / "net").mkdir()
    (folder / "net" / table).write_text(HEAD + rows)
    descriptors = folder / "42" / "fd"
    descriptors.mkdir(parents=True)
    (folder / "42" / "comm").write_text("hungry cat\n")
    (descriptors / "3").symlink_to("socket:[4711]")
    (folder / "self").mkdir()
    return folder


def test_a_listener_is_found_by_its_socket(tmp_path: Path) -> None:
    """The table gives the inode, and one of the process's descriptors points at it."""
    row = ROW.format(address="0100007F:1F40", state="0A", inode=4711)
    assert holder_of(8000, proc(tmp_path, row)) == "hungry cat (process 42)"


def test_a_listener_on_ipv6_is_found_too(tmp_path: Path) -> None:
    """Its address is longer, and the port still comes last."""
    row = ROW.format(address=f"{'0' * 32}:1F40", state="0A", inode=4711)
    assert holder_of(8000, proc(tmp_path, row, table="tcp6")) == "hungry cat (process 42)"


def test_a_connection_is_no_listener(tmp_path: Path) -> None:
    """Somebody whose browser left from that port does not hold it."""
    row = ROW.format(address="0100007F:1F40", state="01", inode=4711)
    assert holder_of(8000, proc(tmp_path, row)) is None


def test_a_holder_that_cannot_be_seen_has_no_name(tmp_path: Path) -> None:
    """Another user's process hides its descriptors, and other systems have no /proc."""
    row = ROW.format(address="0100007F:1F40", state="0A", inode=1)
    assert holder_of(8000, proc(tmp_path, row)) is None
    assert holder_of(8000, tmp_path / "none") is None


def test_this_very_process_is_found(tmp_path: Path) -> None:
    """Wherever there is a /proc to read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = holder_of(listener.getsockname()[1])
    assert found is None if not Path("/proc/net/tcp").exists() else "process" in str(found)

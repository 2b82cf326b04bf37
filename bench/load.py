"""A load generator for one answer: keep-alive connections, one request in flight on each.

It sends the same octets again and again and reads answers by their `Content-Length`, so that it
costs less than any server it measures. Loopback only; a server that says nothing for a while ends
it.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

PATIENCE: Final = 10
"""Seconds for a server to say anything at all."""


@dataclass(slots=True)
class Connection:
    """One connection: the answer as far as it came, and when its request was sent."""

    socket: socket.socket
    sent_at: float = 0.0
    buffer: bytearray = field(default_factory=bytearray)
    whole: int = 0
    """How long the answer is, head and body, once its head has come."""
    left: int = 0
    """How often it still asks, where that is counted."""

    def send(self, request: bytes) -> None:
        """Ask again."""
        self.sent_at = time.perf_counter()
        self.buffer.clear()
        self.whole = 0
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what came; whether the answer is complete. OSError unless it says 200."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server hung up")
        self.buffer += data
        if not self.whole and (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.buffer, 0, end)
            if not self.buffer.startswith(b"HTTP/1.1 200 ") or length is None:
                raise ConnectionError(f"not the answer that is measured: {self.buffer[:200]!r}")
            self.whole = end + 4 + int(length[1])
        return 0 < self.whole <= len(self.buffer)


class Crowd:
    """Connections to one server that all ask the same, for as long as the context is open."""

    def __init__(self, selector: selectors.BaseSelector, request: bytes) -> None:
        self._selector = selector
        self._request = request

    def ask(self, times: int) -> float:
        """Have each connection ask so often; the seconds until the last of them has its answer."""
        began = time.perf_counter()
        asking = self._everybody()
        for connection in asking:
            connection.left = times
            connection.send(self._request)
        left = times * len(asking)
        while left:
            for connection in self._answered():
                left -= 1
                connection.left -= 1
                if connection.left:
                    connection.send(self._request)
        return time.perf_counter() - began

    def keep_asking(self, seconds: float) -> tuple[list[float], float]:
        """Keep everybody busy for so long: each answer's latency, and the seconds that it took."""
        latencies: list[float] = []
        began = now = time.perf_counter()
        for connection in self._everybody():
            connection.send(self._request)
        while now - began < seconds:
            for connection in self._answered():
                now = time.perf_counter()
                latencies.append(now - connection.sent_at)
                connection.send(self._request)
        return latencies, now - began

    def _everybody(self) -> list[Connection]:
        return [key.data for key in self._selector.get_map().values()]

    def _answered(self) -> Iterator[Connection]:
        """Those whose answer has just become complete."""
        ready = self._selector.select(timeout=PATIENCE)
        if not ready:
            raise ConnectionError("the server has gone quiet")
        return (key.data for key, _events in ready if key.data.receive())


@contextmanager
def crowd(port: int, request: bytes, connections: int) -> Iterator[Crowd]:
    """So many connections to a port of this machine."""
    with selectors.DefaultSelector() as selector:
        try:
            for _ in range(connections):
                made = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(made, selectors.EVENT_READ, Connection(made))
            yield Crowd(selector, request)
        finally:
            for key in tuple(selector.get_map().values()):
                key.data.socket.close()

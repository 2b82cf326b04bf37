"""A load generator for one answer: keep-alive connections, one request in flight on each.

It sends the same octets again and again and reads answers by their `Content-Length`, so that it
costs less than any server it measures. Loopback only, bounded in time, ends by itself. Prints one
line of JSON: requests, seconds, and the latencies' median and 99th percentile in milliseconds.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Connection:
    """One connection: the answer as far as it came, and when its request was sent."""

    socket: socket.socket
    sent_at: float = 0.0
    buffer: bytearray = field(default_factory=bytearray)
    whole: int = 0
    """How long the answer is, head and body, once its head has come."""

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


def measure(port: int, request: bytes, connections: int, seconds: float) -> dict[str, float]:
    """Keep `connections` busy for `seconds`."""
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = Connection(socket.create_connection(("127.0.0.1", port), timeout=10))
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(request)
        began = now = time.perf_counter()
        while now - began < seconds:
            ready = selector.select(timeout=10)
            if not ready:
                raise ConnectionError("the server has gone quiet")
            for key, _events in ready:
                connection = key.data
                if connection.receive():
                    now = time.perf_counter()
                    latencies.append(now - connection.sent_at)
                    connection.send(request)
        for key in tuple(selector.get_map().values()):
            key.data.socket.close()
    latencies.sort()
    return {
        "requests": len(latencies),
        "seconds": now - began,
        "p50": latencies[len(latencies) // 2] * 1000,
        "p99": latencies[len(latencies) * 99 // 100] * 1000,
    }


if __name__ == "__main__":
    plan = json.load(sys.stdin)
    print(json.dumps(measure(**{**plan, "request": plan["request"].encode()})))

"""A recording as a capture file: Wireshark shows it as it shows a network.

The octets of the messages are what was recorded, marks such as (7f3a1c) in place of secrets, which
a target may hold. What carries them is made up: each exchange is a TCP connection of its own over
IPv4 on this machine, opened and closed as the book says, with correct lengths and checksums. A body
whose length has changed with its secrets says its new length, and one that streamed is chunked
again, a server-sent event a chunk, each at its time. Pure. Next: `recording.py`. RFC 9293, RFC 791.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from catshop.inspector.recording import Body, Ended, Exchange, Frame, Pairs, Started
from catshop.inspector.redact import MARK

RAW_IP: Final = 101
"""LINKTYPE_RAW: packets begin with the IP header."""

LOOPBACK: Final = bytes((127, 0, 0, 1))
FIRST_PORT: Final = 20_000
SERVER_PORT: Final = 80
"""Where readers look for HTTP."""

MOST: Final = 16_384
"""Octets of one segment."""

FIN, SYN, PSH, ACK = 1, 2, 8, 16

FRAMING: Final = frozenset({"content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Piece:
    """Some octets that one side sent, and when."""

    at: float
    mine: bool
    octets: bytes


def pcapng(started: Started, exchanges: Iterable[Exchange]) -> bytes:
    """The file."""
    began = datetime.fromisoformat(started.began).timestamp() if started.began else 0.0
    packets = [packet for each in exchanges if each.request.method for packet in _packets(each)]
    packets.sort(key=lambda packet: packet[0])
    blocks = (_packet(began + at, octets) for at, octets in packets)
    return b"".join([_SECTION, _INTERFACE, *blocks])


def pieces(exchange: Exchange) -> Iterator[Piece]:
    """The two messages as octets: head and body of the request, then those of the answer."""
    request, answer, ended = exchange.request, exchange.answer, exchange.first(Ended)
    first = f"{request.method} {request.target} HTTP/{request.version}"
    yield Piece(request.at, mine=True, octets=_message(first, request.fields, exchange.body(">")))
    if not answer.status:
        return
    first, frames = f"HTTP/1.1 {answer.status} {answer.reason}", exchange.every(Frame)
    if not any(name.lower() == "transfer-encoding" for name, _ in answer.fields):
        whole = _message(first, answer.fields, exchange.body("<"))
        yield Piece(answer.at, mine=False, octets=whole)
        return
    fields = "".join(f"{name}: {value}\r\n" for name, value in answer.fields)
    yield Piece(answer.at, mine=False, octets=octets_of(f"{first}\r\n{fields}\r\n"))
    for frame in frames:
        text = octets_of(f"{frame.text}\n\n")
        yield Piece(frame.at, mine=False, octets=b"%x\r\n%s\r\n" % (len(text), text))
    yield Piece(ended.at if ended else answer.at, mine=False, octets=b"0\r\n\r\n")


def octets_of(text: str) -> bytes:
    """The octets of a text, its marks in ASCII, as heads want it. RFC 3986 §2.2."""
    return MARK.sub(lambda found: f"({found[0][1:-1]})", text).encode()


def _message(first: str, fields: Pairs, body: Body) -> bytes:
    """A message whose length is that of what was recorded."""
    octets = octets_of(body.text)
    kept = [(name, value) for name, value in fields if name.lower() not in FRAMING]
    framed = any(name.lower() in FRAMING for name, _ in fields)
    length = [("Content-Length", str(len(octets)))] if octets or framed else []
    lines = [first, *(f"{name}: {value}" for name, value in [*kept, *length]), "", ""]
    return octets_of("\r\n".join(lines)) + octets


def _packets(exchange: Exchange) -> Iterator[tuple[float, bytes]]:
    """The exchange as a connection: opened, used, closed by both. RFC 9293 §3.5, §3.6."""
    port = FIRST_PORT + exchange.n % 40_000
    sent = {True: exchange.n * 1000 % 2**32, False: exchange.n * 7000 % 2**32}
    at = exchange.request.at

    def segment(flags: int, octets: bytes = b"", *, mine: bool) -> tuple[float, bytes]:
        ports = (port, SERVER_PORT) if mine else (SERVER_PORT, port)
        known = sent[not mine] if flags & ACK else 0
        packet = _ip(_tcp(ports, (sent[mine], known), flags, octets))
        sent[mine] = (sent[mine] + len(octets) + bool(flags & (SYN | FIN))) % 2**32
        return at, packet

    yield segment(SYN, mine=True)
    yield segment(SYN | ACK, mine=False)
    yield segment(ACK, mine=True)
    for piece in pieces(exchange):
        at = max(at, piece.at)
        for start in range(0, len(piece.octets), MOST):
            yield segment(PSH | ACK, piece.octets[start : start + MOST], mine=piece.mine)
    yield segment(FIN | ACK, mine=False)
    yield segment(FIN | ACK, mine=True)
    yield segment(ACK, mine=False)


def _tcp(ports: tuple[int, int], numbers: tuple[int, int], flags: int, octets: bytes) -> bytes:
    """A segment with its checksum. RFC 9293 §3.1."""
    head = struct.pack(">HHIIBBHHH", *ports, *numbers, 5 << 4, flags, 65_535, 0, 0)
    pseudo = LOOPBACK + LOOPBACK + struct.pack(">BBH", 0, 6, len(head) + len(octets))
    sum_ = checksum(pseudo + head + octets)
    return head[:16] + struct.pack(">H", sum_) + head[18:] + octets


def _ip(payload: bytes) -> bytes:
    """A packet with the checksum of its header. RFC 791 §3.1."""
    size = 20 + len(payload)
    head = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0x4000, 64, 6, 0) + LOOPBACK + LOOPBACK
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def checksum(octets: bytes) -> int:
    """The complement of the sum of all words, in ones' complement. RFC 1071 §1."""
    padded = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _block(kind: int, body: bytes) -> bytes:
    """A block: its type, its length at both ends, padded to words of four octets."""
    padded = body + b"\0" * (-len(body) % 4)
    size = len(padded) + 12
    return struct.pack("<II", kind, size) + padded + struct.pack("<I", size)


def _packet(at: float, octets: bytes) -> bytes:
    moment = round(at * 1_000_000)
    sizes = (len(octets), len(octets))
    return _block(6, struct.pack("<IIIII", 0, moment >> 32, moment % 2**32, *sizes) + octets)


_SECTION: Final = _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
_INTERFACE: Final = _block(1, struct.pack("<HHI", RAW_IP, 0, 0))

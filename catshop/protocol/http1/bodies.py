"""A request body: how many octets of the connection belong to it, and which of them are data.

Pure. h11 hides chunk lines, so that nothing built on it could count or check them; the chunked
coding is therefore read here, stricter than h11 reads it, and a test holds that both read the same
wherever this one accepts. Trailers are read and dropped: a field that comes after the decisions
must not change them. Next: `connection.py`. RFC 9112 §6, §7.1.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, Protocol

from catshop.limits import HttpLimits
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import Head
from catshop.protocol.http1.targets import shown

_TOKEN: Final = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
CHUNK_LINE: Final = re.compile(
    rb"(?P<size>[0-9A-Fa-f]{1,16})"
    rb"(?P<ext>(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb'|"[\t !#-\[\]-~\x80-\xff]*"))?)*)'
)
"""chunk-size [ chunk-ext ], without the bad whitespace that the grammar allows. RFC 9112 §7.1.1."""

FIELD_LINE: Final = re.compile(_TOKEN + rb":[\t\x20-\x7e\x80-\xff]*")
"""field-line = field-name ":" OWS field-value OWS. RFC 9112 §5."""


class Body(Protocol):
    """The body that is being read from a connection."""

    @property
    def done(self) -> bool:
        """Whether its last octet, framing included, has been taken."""
        ...

    @property
    def remaining(self) -> int | None:
        """How many octets are still to come, where the framing tells."""
        ...

    def take(self, buffer: bytearray) -> bytes:
        """Take what is there of it out of `buffer`; give the data. HttpError when malformed."""
        ...


def framing(head: Head, limits: HttpLimits) -> Body:
    """The body that `head` announces; without an announcement it has none. RFC 9112 §6.3."""
    if "transfer-encoding" in head.fields:
        return Chunked(limits)
    return Counted(int(head.fields.get("content-length") or 0))


class Counted:
    """A body of a known length. RFC 9112 §6.2."""

    __slots__ = ("_remaining",)

    def __init__(self, length: int) -> None:
        self._remaining = length

    @property
    def done(self) -> bool:
        """Whether every octet has come."""
        return self._remaining == 0

    @property
    def remaining(self) -> int | None:
        """How many octets are still to come."""
        return self._remaining

    def take(self, buffer: bytearray) -> bytes:
        """Take at most what belongs to this body."""
        data = bytes(buffer[: self._remaining])
        del buffer[: len(data)]
        self._remaining -= len(data)
        return data


class Part(Enum):
    """What a chunked body has to bring next."""

    SIZE = "size"
    DATA = "data"
    DATA_END = "end of data"
    TRAILER = "trailer"
    DONE = "done"


class Chunked:
    """A body in chunks; its framing may not outweigh its data. RFC 9112 §7.1."""

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._part = Part.SIZE
        self._fault: HttpError | None = None
        self._chunk = self._extensions = self._overhead = self._payload = self._trailers = 0

    @property
    def done(self) -> bool:
        """Whether the empty line after the trailers has come."""
        return self._part is Part.DONE

    @property
    def remaining(self) -> int | None:
        """Nobody knows before the last chunk."""
        return None

    def take(self, buffer: bytearray) -> bytes:
        """Decode all that is there; what is left in `buffer` is an unfinished line, or not ours.

        Data that came before a fault is given first, and the fault raised at the next call, as it
        would be had the two come apart.
        """
        if self._fault is not None:
            raise self._fault
        pieces: list[bytes] = []
        at: int | None = 0
        while at is not None and self._part is not Part.DONE:
            read = at
            try:
                at = self._step(buffer, read, pieces)
            except HttpError as fault:
                self._fault, at = fault, None
        del buffer[: read if at is None else at]
        if self._fault is not None and not pieces:
            raise self._fault
        return b"".join(pieces)

    def _step(self, buffer: bytearray, at: int, pieces: list[bytes]) -> int | None:
        """Read one part from `at`; where the next begins, or None when more must come."""
        if self._part is Part.DATA:
            piece = bytes(buffer[at : at + self._chunk])
            if not piece:
                return None
            pieces.append(piece)
            return self._after_data(at, len(piece))
        if self._part is Part.DATA_END:
            return self._end_of_data(buffer, at)
        line = self._line(buffer, at)
        if line is None:
            return None
        self._on_line(line)
        return at + len(line) + 2

    def _after_data(self, at: int, octets: int) -> int:
        self._chunk -= octets
        self._payload += octets
        if self._chunk == 0:
            self._part = Part.DATA_END
        return at + octets

    def _end_of_data(self, buffer: bytearray, at: int) -> int | None:
        end = bytes(buffer[at : at + 2])
        if not b"\r\n".startswith(end):
            raise HttpError(400, "E-HTTP-15", arrived="data longer than its chunk", close=True)
        if len(end) < 2:
            return None
        self._part = Part.SIZE
        return at + 2

    def _line(self, buffer: bytearray, at: int) -> bytes | None:
        """The line at `at`, once it is whole; refused as soon as it is too long or unclean."""
        most = self._allowance()
        end = buffer.find(b"\r\n", at, at + most + 2)
        raw = bytes(buffer[at:end] if end >= 0 else buffer[at : at + most + 2])
        tail = raw[:-1] if end < 0 and raw.endswith(b"\r") else raw
        if len(tail) <= most and not _is_clean(tail):
            raise HttpError(400, "E-HTTP-15", arrived="a control character", close=True)
        if len(tail) > most:
            raise self._too_long(tail, most)
        return raw if end >= 0 else None

    def _allowance(self) -> int:
        if self._part is Part.TRAILER:
            return self._limits.head - self._trailers
        return 16 + self._limits.chunk_extensions - self._extensions

    def _too_long(self, line: bytes, most: int) -> HttpError:
        if not _is_clean(line[:most]):
            return HttpError(400, "E-HTTP-15", arrived="a control character", close=True)
        if self._part is Part.TRAILER:
            return HttpError(431, "E-HTTP-17", arrived=f"over {self._limits.head}", close=True)
        arrived = f"over {self._limits.chunk_extensions} octets"
        return HttpError(413, "E-HTTP-16", arrived=arrived, close=True)

    def _on_line(self, line: bytes) -> None:
        if self._part is Part.TRAILER:
            self._on_trailer(line)
            return
        match = CHUNK_LINE.fullmatch(line)
        if match is None:
            raise HttpError(400, "E-HTTP-15", arrived=shown(line.decode("latin-1")), close=True)
        self._chunk = int(match["size"], 16)
        self._extensions += len(match["ext"])
        self._overhead += len(line) + 4
        self._part = Part.DATA if self._chunk else Part.TRAILER
        self._refuse_excess()

    def _refuse_excess(self) -> None:
        """Refuse more framing than data (RFC 9112 §7.1.1), and chunks that can never fit."""
        if self._extensions > self._limits.chunk_extensions:
            arrived = f"over {self._limits.chunk_extensions} octets"
            raise HttpError(413, "E-HTTP-16", arrived=arrived, close=True)
        if self._overhead > self._payload + self._limits.read_size:
            arrived = f"{self._overhead} octets of framing for {self._payload} of data"
            raise HttpError(413, "E-HTTP-16", arrived=arrived, close=True)
        if self._payload + self._chunk > self._limits.body:
            arrived = f"{self._payload + self._chunk} octets"
            raise HttpError(413, "E-HTTP-31", arrived=arrived, close=True)

    def _on_trailer(self, line: bytes) -> None:
        """Trailers are checked, counted and forgotten. RFC 9110 §6.5.1."""
        if not line:
            self._part = Part.DONE
        elif FIELD_LINE.fullmatch(line) is None:
            raise HttpError(400, "E-HTTP-02", close=True)
        self._trailers += len(line) + 2


def _is_clean(line: bytes) -> bool:
    """Whether a line holds only what a field may: no control, no CR or LF of its own."""
    return _UNCLEAN.search(line) is None


_UNCLEAN: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

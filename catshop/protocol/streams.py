"""Event streams that survive a broken connection: events in order, numbered, kept for a while.

Each stream of a session numbers its own events (`2-4`: stream 2, event 4), so that a
`Last-Event-ID` names both, and what belongs to another stream can never be replayed on this one. A
stream has at most one reader; whoever resumes takes over. The log is bounded, and says so when the
event that a client asks for is gone. Knows no messages. Next: `sessions.py`.
MCP 2025-11-25 basic/transports §resumability-and-redelivery.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Final

import anyio

from catshop.limits import SessionLimits
from catshop.protocol.http1 import sse
from catshop.protocol.http1.errors import HttpError

STANDALONE: Final = 0
"""The number of the stream that a GET without `Last-Event-ID` reads."""

_EVENT_ID = re.compile(r"(\d{1,9})-(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a reader stands: after event `event` of stream `stream`."""

    stream: int
    event: int

    @classmethod
    def parse(cls, last_event_id: str) -> Cursor:
        """The cursor that a `Last-Event-ID` names. HttpError 400 when it is none of ours."""
        found = _EVENT_ID.fullmatch(last_event_id)
        if found is None:
            raise HttpError(400, "E-STREAM-01", arrived=f"Last-Event-ID: {last_event_id[:40]}")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.stream}-{self.event}"


class Reader:
    """Somebody who reads a stream; only its identity matters."""


class EventStream:
    """One stream: the last events it sent, whether it has ended, and who reads it."""

    def __init__(self, number: int, limits: SessionLimits) -> None:
        self.number = number
        self.ended = False
        self.begun = 0
        """The last event that a reader may have seen."""
        self.delivered = 0
        """The last event that was sent whole."""
        self._limits = limits
        self._frames: deque[tuple[int, bytes]] = deque()
        self._octets = 0
        self._last = 0
        self._reader: Reader | None = None
        self._changed = anyio.Event()

    @property
    def read(self) -> bool:
        """Whether somebody reads it now."""
        return self._reader is not None

    def read_by(self, reader: Reader) -> bool:
        """Whether `reader` still is the one."""
        return self._reader is reader

    def attach(self) -> Reader:
        """Become the reader; an earlier one finds out at once."""
        self._reader = Reader()
        self._wake()
        return self._reader

    def detach(self, reader: Reader) -> None:
        """Stop reading, if `reader` still was the one."""
        if self._reader is reader:
            self._reader = None

    def append(self, data: str, *, retry: int | None = None) -> bytes:
        """Add an event; its encoded frame, for a reader that waits for it right here."""
        self._last += 1
        frame = sse.event(data, id=str(Cursor(self.number, self._last)), retry=retry)
        self._frames.append((self._last, frame))
        self._octets += len(frame)
        while len(self._frames) > 1 and (
            len(self._frames) > self._limits.events or self._octets > self._limits.event_octets
        ):
            self._octets -= len(self._frames.popleft()[1])
        self._wake()
        return frame

    def end(self) -> None:
        """No event will follow."""
        self.ended = True
        self._wake()

    @property
    def newest(self) -> int:
        """The number of the last event; 0 where there was none."""
        return self._last

    @property
    def oldest(self) -> int:
        """The number of the oldest event that is kept, or of the next where none is."""
        return self._frames[0][0] if self._frames else self._last + 1

    def since(self, event: int) -> list[tuple[int, bytes]]:
        """The events after `event`. HttpError 410 when some of them are no longer kept."""
        if event > self._last:
            raise HttpError(400, "E-STREAM-01", arrived=f"{self.number}-{event}")
        if event < self.oldest - 1:
            raise HttpError(410, "E-STREAM-02", arrived=f"after {event}; kept from {self.oldest}")
        return [(number, frame) for number, frame in self._frames if number > event]

    async def change(self) -> None:
        """Wait for the next event, the end, or another reader."""
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class EventLog:
    """The streams of one session, as many as may be kept."""

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._opened = STANDALONE
        self._streams = {STANDALONE: EventStream(STANDALONE, limits)}

    @property
    def standalone(self) -> EventStream:
        """The stream that no request began."""
        return self._streams[STANDALONE]

    def open(self) -> EventStream:
        """A new stream; where there are too many, the oldest that nobody reads is forgotten."""
        self._opened += 1
        stream = self._streams[self._opened] = EventStream(self._opened, self._limits)
        if len(self._streams) > self._limits.streams:
            self._forget_one()
        return stream

    def find(self, cursor: Cursor) -> EventStream:
        """The stream that a cursor names. HttpError 410 when it is not kept, or never was."""
        stream = self._streams.get(cursor.stream)
        if stream is None:
            raise HttpError(410, "E-STREAM-02", arrived=f"stream {cursor.stream}")
        return stream

    def end(self) -> None:
        """End every stream."""
        for stream in self._streams.values():
            stream.end()

    @property
    def read(self) -> bool:
        """Whether anybody reads any of the streams."""
        return any(stream.read for stream in self._streams.values())

    def _forget_one(self) -> None:
        idle = (n for n, stream in self._streams.items() if n and stream.ended and not stream.read)
        oldest = next(idle, None)
        if oldest is not None:
            del self._streams[oldest]

"""Faults of what lasts: sessions, event streams, and what can be read again.

Next: `shop.py`, behind the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from catshop.lab.model import Fault, Plane
from catshop.lab.swaps import Swap, instead
from catshop.protocol.http1 import sse
from catshop.protocol.http1.messages import Answer, Leave
from catshop.protocol.stateless import STREAM_FIELDS

PROGRESS: Final = b'"notifications/progress"'


def _counted(original: Any) -> Callable[..., Any]:
    """Sessions are called 1, 2, 3."""

    def open_(self: Any, *given: Any) -> Any:
        random, self._new_id = self._new_id, lambda: str(len(self._live) + 1)
        try:
            return original(self, *given)
        finally:
            self._new_id = random

    return open_


def _anybodys(original: Any) -> Callable[..., Any]:
    """Whoever names a session is its owner."""

    def find(self: Any, ids: tuple[str, ...], caller: Any) -> Any:
        there = self._live.get(ids[0]) if ids else None
        if there is not None:
            client_id, issuer, subject = there.owner
            caller = replace(caller, client_id=client_id, issuer=issuer, subject=subject)
        return original(self, ids, caller)

    return find


def _kept(*_: object) -> Answer:
    """The end of a session that goes on."""
    return Answer(200)


def _newest(_original: Any) -> Callable[..., Any]:
    """Whatever stream was asked for, the newest is read from its beginning."""

    def place(session: Any, last_event_id: str | None) -> tuple[Any, int]:
        streams = session.log._streams
        return (streams[max(streams)], 0) if last_event_id else (session.log.standalone, 0)

    return place


def _nameless(original: Any) -> Callable[..., bytes]:
    """An event without its id, in the log and on the wire."""

    def append(self: Any, data: str, **named: Any) -> bytes:
        original(self, data, **named)
        frame = sse.event(data, retry=named.get("retry"))
        self._frames[-1] = (self._last, frame)
        return frame

    return append


def _afterwards(original: Any) -> Callable[..., Any]:
    """Progress waits until the response is out."""

    async def emit(self: Any, message: bytes) -> None:
        late = self.__dict__.setdefault("_late", [])
        if PROGRESS in message:
            late.append(message)
            if self._sink is None:
                self._sink = await self._request.stream(200, STREAM_FIELDS, leave=Leave.CANCELS)
            return
        await original(self, message)
        for held in late:
            await original(self, held)

    return emit


def _first_only(original: Any) -> Callable[..., Any]:
    """A stream that was broken off begins anew, whatever was read of it."""

    def place(session: Any, last_event_id: str | None) -> Any:
        stream, after = original(session, last_event_id)
        return (stream, 0) if last_event_id else (stream, after)

    return place


FAULTS: Final = (
    Fault(
        "session-guessable",
        Plane.PROTOCOL,
        "session.new_id",
        "Sessions are called 1, 2, 3.",
        "Whoever can count knows the name of the next session.",
        "a look at Mcp-Session-Id",
        "MCP 2025-11-25 basic/transports section session-management",
        (Swap("catshop.protocol.sessions:Sessions.open", _counted),),
    ),
    Fault(
        "session-not-bound",
        Plane.PROTOCOL,
        "session.owner",
        "A session serves whoever names it, whatever token comes along.",
        "Another user reads the streams of a session.",
        "E-SES-03",
        "MCP 2025-11-25 tutorials/security/security_best_practices section session-hijacking",
        (Swap("catshop.protocol.sessions:Sessions.find", _anybodys),),
    ),
    Fault(
        "session-not-ended",
        Plane.PROTOCOL,
        "session.delete",
        "DELETE is answered with 200, and the session goes on.",
        "A client that has left can still be spoken for.",
        "E-SES-03",
        "MCP 2025-11-25 basic/transports section session-management",
        (instead("catshop.protocol.handshake:HandshakeEra.delete", _kept),),
    ),
    Fault(
        "replay-on-wrong-stream",
        Plane.PROTOCOL,
        "stream.place",
        "Last-Event-ID gives events of another stream.",
        "The answer to one call is read as that to another.",
        "a comparison of the ids of the events",
        "MCP 2025-11-25 basic/transports section resumability-and-redelivery",
        (Swap("catshop.protocol.handshake:_place", _newest),),
    ),
    Fault(
        "replay-from-the-start",
        Plane.PROTOCOL,
        "stream.since",
        "Last-Event-ID is ignored: every event comes again.",
        "A client that acts on each event acts twice.",
        "a comparison of the ids of the events",
        "MCP 2025-11-25 basic/transports section resumability-and-redelivery",
        (Swap("catshop.protocol.handshake:_place", _first_only),),
    ),
    Fault(
        "events-without-ids",
        Plane.PROTOCOL,
        "stream.append",
        "Events of a session have no id.",
        "A client whose connection breaks cannot go on where it was.",
        "a look for an id in each event",
        "MCP 2025-11-25 basic/transports section resumability-and-redelivery",
        (Swap("catshop.protocol.streams:EventStream.append", _nameless),),
    ),
    Fault(
        "progress-after-result",
        Plane.PROTOCOL,
        "stream.order",
        "Progress is told when the result is out.",
        "A client hears of a call that it has forgotten.",
        "a look at the order of the events",
        "MCP 2026-07-28 basic/patterns/progress section implementation-notes",
        (Swap("catshop.protocol.stateless:ResponseStream.emit", _afterwards),),
    ),
)
"""Of sessions and streams."""

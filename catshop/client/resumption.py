"""A stream that breaks before its answer: whether, when and where it is taken up again.

Only the handshake era resumes, and only a stream that has named an event. The server says how long
to wait; a connection that brings nothing new counts against it, one that brings something starts
the count anew. Pure. Next: `streamable.py`, which reads the streams.
MCP 2025-11-25 basic/transports §resumability-and-redelivery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from catshop.limits import ClientLimits


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stream has come."""

    last_event_id: str = ""
    retry: int | None = None
    """Milliseconds, as the server last set them."""
    in_vain: int = 0
    """Connections since the last one that brought an event."""

    def after(self, event_id: str, retry: int | None) -> Position:
        """One event further. An event without a `retry` leaves the last one in force."""
        return replace(
            self,
            last_event_id=event_id or self.last_event_id,
            retry=self.retry if retry is None else retry,
            in_vain=0,
        )

    def connected(self) -> Position:
        """One more connection, which has brought nothing yet."""
        return replace(self, in_vain=self.in_vain + 1)


@dataclass(frozen=True, slots=True)
class Resume:
    """Connect again in so many seconds, and say which event was the last."""

    seconds: float
    last_event_id: str


def after_break(position: Position, limits: ClientLimits) -> Resume | None:
    """What follows when the stream of a request ends early; None when its answer is lost.

    Without the id of an event there is nothing to take up. MCP 2025-11-25 basic/transports
    §resumability-and-redelivery.
    """
    return reconnect(position, limits) if position.last_event_id else None


def reconnect(position: Position, limits: ClientLimits) -> Resume | None:
    """What follows when any stream ends: "the client MUST respect the `retry` field".

    MCP 2025-11-25 basic/transports §sending-messages-to-the-server.
    """
    if position.in_vain >= limits.resumptions:
        return None
    wait = limits.retry_milliseconds if position.retry is None else position.retry
    return Resume(min(wait / 1000, limits.longest_retry_seconds), position.last_event_id)

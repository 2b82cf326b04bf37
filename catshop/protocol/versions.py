"""The revisions of MCP that we speak, and the two eras they fall into.

A revision of the handshake era opens a session with `initialize`; one of the stateless era carries
its version, identity and capabilities in every request. Everything that differs by revision is a
column of the one table below, so that no other module compares dates. Pure. Next: `ladder.py`.
MCP 2026-07-28 basic/versioning.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Era(Enum):
    """How a revision begins a conversation. MCP 2026-07-28 basic/versioning."""

    HANDSHAKE = "handshake"
    STATELESS = "stateless"


class Priming(Enum):
    """Whether a stream begins with an event that carries only an id, to reconnect by."""

    EMPTY_EVENT = "empty event"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision: its name on the wire, its era, and how its streams begin."""

    name: str
    era: Era
    priming: Priming = Priming.NONE


REVISIONS: Final = (
    Revision("2026-07-28", Era.STATELESS),
    Revision("2025-11-25", Era.HANDSHAKE, Priming.EMPTY_EVENT),
    Revision("2025-06-18", Era.HANDSHAKE),
    Revision("2025-03-26", Era.HANDSHAKE),
)
"""Newest first."""

BY_NAME: Final = {revision.name: revision for revision in REVISIONS}
STATELESS: Final = tuple(r.name for r in REVISIONS if r.era is Era.STATELESS)
HANDSHAKE: Final = tuple(r.name for r in REVISIONS if r.era is Era.HANDSHAKE)
LATEST_HANDSHAKE: Final = HANDSHAKE[0]


def negotiate(requested: str) -> Revision:
    """The revision a handshake settles on: the client's if we speak it, else our newest.

    MCP 2025-11-25 basic/lifecycle §version-negotiation.
    """
    known = BY_NAME.get(requested)
    return known if known and known.era is Era.HANDSHAKE else BY_NAME[LATEST_HANDSHAKE]

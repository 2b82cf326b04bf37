"""Sessions of the handshake era: who opened them, how far they are, when they are over.

A session belongs to the principal that opened it; anybody else's token finds nothing, in the same
words as if there were nothing. Its life is two enums and one table. Sessions live in this process
and end with it: a client that comes back is told 404, and begins again. Knows no HTTP exchange.
Next: `handshake.py`. MCP 2025-11-25 basic/transports §session-management.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from mcp.server.connection import Connection
from mcp_types import InitializeRequestParams

from catshop.kernel import Clock, Kind, Principal, Trace, Unavailable
from catshop.limits import Limits
from catshop.protocol import jsonrpc
from catshop.protocol.channels import ConnectionOutlet, InFlight, Questions
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.jsonrpc import INVALID_REQUEST, Params, RpcError
from catshop.protocol.streams import EventLog
from catshop.protocol.versions import Revision

PrincipalKey = tuple[str, str, str | None]


class State(Enum):
    """How far a session is. MCP 2025-11-25 basic/lifecycle."""

    OPEN = "open"
    READY = "ready"
    OVER = "over"


class Happening(Enum):
    """What moves a session."""

    INITIALIZED = "notifications/initialized"
    DELETED = "DELETE"
    EXPIRED = "idle for too long"
    DRAINED = "the server stops"
    REVOKED = "its token is no longer good"


TRANSITIONS: Final = {
    (State.OPEN, Happening.INITIALIZED): State.READY,
    (State.READY, Happening.INITIALIZED): State.READY,
    (State.OPEN, Happening.DELETED): State.OVER,
    (State.READY, Happening.DELETED): State.OVER,
    (State.OPEN, Happening.EXPIRED): State.OVER,
    (State.READY, Happening.EXPIRED): State.OVER,
    (State.OPEN, Happening.DRAINED): State.OVER,
    (State.READY, Happening.DRAINED): State.OVER,
    (State.OPEN, Happening.REVOKED): State.OVER,
    (State.READY, Happening.REVOKED): State.OVER,
}
"""The whole life of a session; what is not here cannot happen."""


@dataclass(eq=False)
class Session:
    """One conversation: its owner, its revision, and everything that is under way in it."""

    id: str
    owner: PrincipalKey
    revision: Revision
    last_seen: datetime
    log: EventLog
    in_flight: InFlight
    questions: Questions = field(default_factory=Questions)
    state: State = State.OPEN
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        """Give the SDK its view of the session, with the standalone stream as its way out."""
        self.connection = Connection.for_loop(
            Standalone(self), session_id=self.id, protocol_version_hint=self.revision.name
        )

    def advance(self, happening: Happening) -> None:
        """Move to the next state, the only way there is. KeyError for what cannot happen.

        Calls under way are cancelled with their session, but finish when only the server stops.
        """
        self.state = TRANSITIONS[self.state, happening]
        if self.state is State.READY:
            self.connection.initialized.set()
        if happening is Happening.DRAINED:
            self.log.standalone.end()
        elif self.state is State.OVER:
            self.in_flight.cancel_all()
            self.log.end()


class Standalone(ConnectionOutlet):
    """The SDK's way to send what belongs to no request: the session's standalone stream."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._posted: dict[bytes, int] = {}

    can_ask = True

    async def emit(self, message: bytes) -> None:
        """Put a message on the standalone stream; a GET reads it now or later."""
        self._session.log.standalone.append(message.decode("utf-8"))

    def post(self, message: bytes) -> None:
        """The same, unless the very same message waits there to be read."""
        stream = self._session.log.standalone
        unread = max(stream.begun + 1, stream.oldest)
        self._posted = {known: at for known, at in self._posted.items() if at >= unread}
        if message not in self._posted:
            stream.append(message.decode("utf-8"))
            self._posted[message] = stream.newest

    async def ask(self, method: str, params: Params | None, seconds: float | None) -> Params:
        """Ask on the standalone stream."""
        patience = seconds if seconds is not None else ANSWER_SECONDS
        return await self._session.questions.ask(self, method, params, patience)


ANSWER_SECONDS: Final = Limits().session.answer_seconds


class Sessions:
    """All live sessions, by their id."""

    def __init__(
        self, limits: Limits, *, clock: Clock, new_id: Callable[[], str], trace: Trace
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._trace = trace
        self._live: dict[str, Session] = {}
        self._owned: Counter[PrincipalKey] = Counter()

    def open(
        self, owner: Principal, revision: Revision, params: InitializeRequestParams
    ) -> Session:
        """A new session for `owner`; Unavailable when there are too many, 429 when all are its."""
        limits = self._limits.session
        if len(self._live) >= limits.sessions or self._owned[owner.key] >= limits.sessions_of_one:
            self.sweep()
        if self._owned[owner.key] >= limits.sessions_of_one:
            wait = ("retry-after", "30")
            raise HttpError(429, "E-SES-06", arrived=f"{self._owned[owner.key]}", fields=(wait,))
        if len(self._live) >= limits.sessions:
            raise Unavailable("E-SES-05", f"{len(self._live)} sessions", retry_after=30)
        session = Session(
            id=self._new_id(),
            owner=owner.key,
            revision=revision,
            last_seen=self._clock(),
            log=EventLog(self._limits.session),
            in_flight=InFlight(self._limits.rpc.in_flight),
        )
        session.connection.client_params = params
        self._live[session.id] = session
        self._owned[session.owner] += 1
        self._trace.note(Kind.STATE, "session.opened", session=session.id[:8])
        return session

    def find(self, ids: tuple[str, ...], caller: Principal) -> Session:
        """The caller's session. HttpError 400 without one id, 404 when it is over or another's.

        MCP 2025-11-25 basic/transports §session-management, rules 2 and 3.
        """
        if len(ids) != 1 or len(ids[0]) > self._limits.rpc.id_length:
            raise HttpError(400, "E-SES-01", arrived=f"{len(ids)} Mcp-Session-Id fields")
        session = self._live.get(ids[0])
        if session is not None and self._expired(session):
            self.end(session, Happening.EXPIRED)
            session = None
        if session is None or session.owner != caller.key:
            raise HttpError(404, "E-SES-03")
        session.last_seen = self._clock()
        return session

    def end(self, session: Session, happening: Happening) -> None:
        """The session is over: its calls are cancelled, its streams end, its id means nothing."""
        if self._live.pop(session.id, None) is not None:
            self._owned -= Counter((session.owner,))
            session.advance(happening)
            self._trace.note(Kind.STATE, "session.over", session=session.id[:8])

    def sweep(self) -> None:
        """End what has been idle for too long."""
        for session in [kept for kept in self._live.values() if self._expired(kept)]:
            self.end(session, Happening.EXPIRED)

    async def sweep_now(self, _now: datetime) -> None:
        """`sweep`, in the manner of the other clean-ups."""
        self.sweep()

    def drain(self) -> None:
        """End every session, because the server stops."""
        for session in list(self._live.values()):
            self.end(session, Happening.DRAINED)

    def _expired(self, session: Session) -> bool:
        """Idle for too long, with no call under way and nobody reading."""
        idle = self._clock() - session.last_seen
        busy = len(session.in_flight) or session.log.read
        return not busy and idle > timedelta(seconds=self._limits.session.idle_seconds)

    def __len__(self) -> int:
        return len(self._live)


def refuse_second_initialize(ids: tuple[str, ...], id_: jsonrpc.Id) -> None:
    """A session is initialized once. MCP 2025-11-25 basic/lifecycle §initialization."""
    if ids:
        raise RpcError(INVALID_REQUEST, "E-SES-02", id=id_)

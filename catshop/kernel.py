"""The few words that every plane shares: who calls, what time it is, what was seen, what is secret.

Everything here is small enough to carry through all planes, and knows none of them: no bytes, no
grants, no cats. `Principal` is the answer of the OAuth plane that the tools plane reads; `Trace` is
how a decision becomes visible without the decider knowing who watches. Next: `catshop/limits.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from traceback import walk_tb
from types import CodeType
from typing import Final

Clock = Callable[[], datetime]
"""Tells the time in UTC. Time comes in as an argument, so that no test has to freeze a clock."""


def utc_now() -> datetime:
    """The time now, aware and in UTC. Only shells call this; pure code is handed a `now`."""
    return datetime.now(UTC)


class Secret:
    """Text that must never be printed: a token, a code, a password, a verifier.

    `repr` and `str` show nothing of it, comparison takes the same time wherever the first
    difference is, and storage is only ever given its `digest`.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the one place that has to put it on the wire or into a hash."""
        return self._value

    def digest(self) -> str:
        """SHA-256 as 64 lower-case hex digits: enough for secrets of 128 random bits or more."""
        return hashlib.sha256(self._value.encode("utf-8", "surrogatepass")).hexdigest()

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        ours, theirs = (text._value.encode("utf-8", "surrogatepass") for text in (self, other))
        return hmac.compare_digest(ours, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self.digest()))


SHAPE: Final = re.compile(
    r"cat(?:_|%5f)(?:at|rt|ac|dc|cs|ra)(?:_|%5f)[a-z0-9_.%-]{8,}", re.ASCII | re.IGNORECASE
)
"""What a token, code or secret that this server has issued looks like, also in a URL."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as the presented access token proves it.

    `subject` is the user's stable id at `issuer`, or None when a client acts for itself alone;
    `username` is for greeting, never for deciding. A token whose `audience` is not this server
    never becomes a Principal (RFC 8707 §2).
    """

    issuer: str
    subject: str | None
    username: str | None
    client_id: str
    audience: str
    scopes: frozenset[str]
    token_id: str
    expires_at: datetime
    jkt: str | None = None
    """The thumbprint of the key that the caller holds, when the token is bound to one."""

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What a session or a subscription belongs to: the same user through the same client."""
        return (self.client_id, self.issuer, self.subject)

    @property
    def user(self) -> tuple[str, str | None]:
        """What a cart belongs to: the same user through whatever client."""
        return (self.issuer, self.subject)


@dataclass(frozen=True, slots=True)
class Call:
    """What a tool handler may know of the request it serves (`ctx.request` in the SDK's terms)."""

    principal: Principal
    exchange: str
    over: Callable[[], Awaitable[None]] | None = None
    """Returns when a call that stays open should end by itself: the server stops, or the token has
    ended. None where nothing but the client ends it."""


class Unavailable(Exception):
    """State cannot be read or written now; nothing was changed and the same request may be retried.

    The door of each plane answers it with 503 and `Retry-After` (RFC 9110 §15.6.4).
    """

    def __init__(self, code: str, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after


class Kind(StrEnum):
    """What sort of thing a trace event tells of."""

    BYTES = "bytes"
    HTTP = "http"
    RPC = "jsonrpc"
    CHECK = "check"
    SQL = "sql"
    STATE = "state"


class Verdict(StrEnum):
    """How a named check ended."""

    OK = "ok"
    NO = "NO"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, in the exchange it happened in.

    `exchange` is the id of the HTTP request (or stdio message) being served, empty outside one;
    `at` is in seconds of a monotonic clock; `fields` may hold `Secret`s, which every printer hides;
    `source` is the line of ours that decided a check, such as `oauth/pkce.py:88`.
    """

    kind: Kind
    name: str
    exchange: str = ""
    verdict: Verdict | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    at: float = field(default_factory=time.monotonic)
    source: str = ""


PACKAGE: Final = Path(__file__).parent


def line_of(code: CodeType, line: int | None = None) -> str:
    """A line of ours below the package; of anybody else's file no more than its name."""
    return f"{_named(code.co_filename)}:{line or code.co_firstlineno}"


@cache
def _named(filename: str) -> str:
    path = Path(filename)
    named = path.relative_to(PACKAGE) if path.is_relative_to(PACKAGE) else Path(path.name)
    return named.as_posix()


def decided_by(what: Callable[..., object] | Exception | None) -> str:
    """Where a function of ours begins, or where an error was raised in ours; empty for neither."""
    if isinstance(what, Exception):
        return raised_at(what)
    function = what.func if isinstance(what, partial) else what
    code = getattr(function, "__code__", None)
    return line_of(code) if code else ""


def raised_at(error: Exception) -> str:
    """The innermost line of ours that an error came by; empty for one that was never raised."""
    lines = [
        line_of(frame.f_code, line)
        for frame, line in walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename).is_relative_to(PACKAGE)
    ]
    return lines[-1] if lines else ""


Observer = Callable[[Event], None]

current_exchange: Final[ContextVar[str]] = ContextVar("current_exchange", default="")
"""The id of the exchange that this task serves; set once, where the exchange begins."""

_said_no: Final[ContextVar[list[str]]] = ContextVar("said_no")
"""The checks that have said no in this exchange, of those that somebody watched."""


def begin_exchange(name: str) -> None:
    """Whatever this task and those that it starts tell from here on belongs to the exchange."""
    current_exchange.set(name)
    _said_no.set([])


def has_refused() -> bool:
    """Whether a check has said no in the current exchange, while somebody watched."""
    return bool(_said_no.get(()))


class Trace:
    """Hands events to whoever observes. With no observer nothing is built and nothing is called.

    A caller on a hot path asks `trace.observed` before it builds the fields.
    """

    __slots__ = ("_observers",)

    def __init__(self) -> None:
        self._observers: tuple[Observer, ...] = ()

    @property
    def observed(self) -> bool:
        """Whether anybody watches."""
        return bool(self._observers)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Send every later event to `observer`; call what is returned to stop."""
        self._observers = (*self._observers, observer)

        def stop() -> None:
            self._observers = tuple(kept for kept in self._observers if kept is not observer)

        return stop

    def note(
        self, kind: Kind, name: str, /, *, verdict: Verdict | None = None, **fields: object
    ) -> None:
        """Tell the observers of one event in the current exchange."""
        if not self._observers:
            return
        event = Event(kind, name, current_exchange.get(), verdict, fields)
        for observer in self._observers:
            observer(event)

    def check(
        self,
        name: str,
        verdict: Verdict,
        /,
        *,
        by: Callable[..., object] | Exception | None = None,
        **fields: object,
    ) -> None:
        """Tell the observers how a named check ended, and where.

        That is the function `by`; or the line that raised, when `by` is what was raised; or else
        the line of the caller.
        """
        if not self._observers:
            return
        if verdict is Verdict.NO:
            _said_no.get([]).append(name)
        caller = sys._getframe(1)
        source = decided_by(by) or line_of(caller.f_code, caller.f_lineno)
        event = Event(
            Kind.CHECK, name, current_exchange.get(), verdict, fields, time.monotonic(), source
        )
        for observer in self._observers:
            observer(event)


@dataclass(frozen=True, slots=True)
class ResourceUpdated:
    """What a URI names is not what it was.

    `owner` is a `Principal.key` when only that principal may learn of it, even that it exists; or
    a `Principal.user`, when that user may, through whatever client.
    """

    uri: str
    owner: tuple[str | None, ...] | None = None

    def concerns(self, principal: Principal) -> bool:
        """Whether this principal may learn of it."""
        return self.owner in {None, principal.key, principal.user}


class Listing(StrEnum):
    """A list whose entries a client may have read, by the member of the wire."""

    TOOLS = "tools"
    PROMPTS = "prompts"
    RESOURCES = "resources"


@dataclass(frozen=True, slots=True)
class ListChanged:
    """A list has other entries than it had."""

    kind: Listing


Change = ResourceUpdated | ListChanged


class Changes:
    """Tells whoever listens in this process that something has changed.

    Who publishes and who listens never meet: a listener is called at once, in order, and must not
    wait; what has to wait belongs into a queue of its own.
    """

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[Change], None], ...] = ()

    def publish(self, change: Change) -> None:
        """Tell every listener of one change, after it has become true."""
        for listener in self._listeners:
            listener(change)

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Hand every later change to `listener`; call what is returned to stop."""
        self._listeners = (*self._listeners, listener)

        def stop() -> None:
            self._listeners = tuple(kept for kept in self._listeners if kept is not listener)

        return stop

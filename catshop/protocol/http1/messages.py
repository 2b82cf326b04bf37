"""The nouns of HTTP: a head, its fields, a request, an answer, a stream.

Values only, and the one interface (`Channel`) behind which a socket, an ASGI server or a test can
stand. A handler takes a `Request` and returns an `Answer`; one that has to stream asks the request
for a `Sink` and returns `STREAMED` once it is done. Next: `connection.py`. RFC 9110 §6, RFC 9112.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from catshop.kernel import Secret
from catshop.protocol.http1.errors import HttpError

SECRET_FIELDS: Final = frozenset({"authorization", "cookie", "set-cookie", "dpop"})
"""Fields whose values are never shown."""


class Fields:
    """Header fields in the order they came; names in lower case. RFC 9110 §5.

    `get` is for fields where a repetition does no harm: it gives the first. `one` is for fields on
    which a decision stands: a repetition is refused, because two readers would pick differently.
    """

    __slots__ = ("_first", "_items")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = tuple(items)
        self._first: dict[str, str] = {}
        for name, value in self._items:
            self._first.setdefault(name, value)

    def get(self, name: str) -> str | None:
        """The first value of the field `name`, or None."""
        return self._first.get(name)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of the field `name`, in order."""
        return tuple(value for known, value in self._items if known == name)

    def one(self, name: str) -> str | None:
        """The only value of `name`, or None; a repeated field is refused with 400 (E-HTTP-20)."""
        values = self.all(name)
        if len(values) > 1:
            raise HttpError(400, "E-HTTP-20", arrived=f"{name}: {len(values)} times")
        return values[0] if values else None

    def __contains__(self, name: str) -> bool:
        return name in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        shown = ((n, Secret(v) if n in SECRET_FIELDS else v) for n, v in self._items)
        return f"Fields({list(shown)!r})"


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request, parsed and found sound. RFC 9112 §3.

    `target` is as it was sent, `path` its path with nothing decoded, `query` what follows the first
    `?` (empty when absent), `authority` the host and port it is for, `version` `1.0` or `1.1`, as
    which any later minor version is processed.
    """

    method: str
    target: str
    path: str
    query: str
    authority: str
    fields: Fields
    version: str = "1.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. The shell adds Date, Content-Length, Connection and the common fields."""

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Streamed(Enum):
    """What a handler returns when it has already sent its answer through a sink."""

    STREAMED = "streamed"


STREAMED: Final = Streamed.STREAMED


class Leave(Enum):
    """What the departure of the client means to a handler that streams."""

    CANCELS = "cancels"
    """The handler is cancelled (MCP 2026-07-28 basic/transports/streamable-http §cancellation)."""
    CONTINUES = "continues"
    """The handler runs on, unheard (MCP 2025-11-25 basic/transports)."""


class ClientGone(Exception):
    """The client no longer reads; nothing more can be sent on this exchange."""


class Sink(Protocol):
    """The body of a streaming answer, open for writing."""

    async def send(self, data: bytes) -> None:
        """Send one piece now; waits while the client is slow. ClientGone when it has left."""
        ...

    async def close(self) -> None:
        """End the body properly. Idempotent; never raises because the client has gone."""
        ...


class Channel(Protocol):
    """What a request's carrier must be able to do: our server, an ASGI server, or a test."""

    async def read_body(self, limit: int) -> bytes:
        """The whole body. HttpError 413 (E-HTTP-31) past `limit` octets, 408 past the deadline."""
        ...

    async def open_stream(
        self, status: int, fields: tuple[tuple[str, str], ...], leave: Leave
    ) -> Sink:
        """Send the head of a streaming answer and hand out its body. At most once a request."""
        ...

    async def wait_draining(self) -> None:
        """Return once the server begins to shut down; a long stream should then end by itself."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """What was raised, with its code, with what arrived, and which check it is the no of."""

    error: Exception
    code: str
    arrived: str
    check: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request as its handler sees it.

    `id` names the exchange in logs, traces and the `X-Request-Id` field; `address` is the peer's
    network address, without its port.
    """

    head: Head
    channel: Channel
    id: str
    address: str
    body_limit: int
    notes: dict[str, str] = field(default_factory=dict)
    """What a handler wants the access log to say: short words, never a secret."""
    refusals: list[Refused] = field(default_factory=list)
    """How it was refused, by whichever door it left."""

    @property
    def fields(self) -> Fields:
        """The fields of the head."""
        return self.head.fields

    def refuse(
        self, error: Exception, code: str, arrived: str = "", check: str = "request.taken"
    ) -> None:
        """Leave word of what refused it, for the log and the trace; `arrived` is safe to show."""
        if code:
            self.notes["code"] = code
        self.refusals.append(Refused(error, code, arrived, check))

    async def body(self, limit: int | None = None) -> bytes:
        """The whole body, at most `limit` octets (the server's limit when None)."""
        allowed = self.body_limit if limit is None else min(limit, self.body_limit)
        return await self.channel.read_body(allowed)

    async def stream(
        self, status: int, fields: tuple[tuple[str, str], ...] = (), *, leave: Leave
    ) -> Sink:
        """Begin a streaming answer; the handler then returns `STREAMED`.

        For HEAD the head is sent and ClientGone raised, which the handler lets pass.
        """
        return await self.channel.open_stream(status, fields, leave)

    async def wait_draining(self) -> None:
        """Return once the server begins to shut down; after `drain_seconds` streams are cut."""
        await self.channel.wait_draining()


Handler = Callable[[Request], Awaitable[Answer | Streamed]]
"""What answers a request. It raises HttpError for a refusal; one door turns that into bytes."""

NO_STORE: Final = ("cache-control", "no-store")
JSON: Final = ("content-type", "application/json")


def json_answer(status: int, value: Mapping[str, object], *fields: tuple[str, str]) -> Answer:
    """An answer whose body is `value` as JSON. RFC 8259; never NaN, never an escaped non-ASCII."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Answer(status, (JSON, *fields), text.encode("utf-8"))

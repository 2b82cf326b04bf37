"""One connection without I/O: octets in, events out; answers in, octets out.

`receive` what came, ask `next_event` until it says `NeedData`, hand the octets that the writing
methods return to the wire. Where the conversation stands is one `State`, and `TRANSITIONS` is the
only thing that moves it. It knows no sockets, no clocks and no handlers. Next: `conversation.py`,
the shell that does the I/O. RFC 9112 §9.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from catshop.limits import HttpLimits
from catshop.protocol.http1 import responses
from catshop.protocol.http1.bodies import Body, Counted, framing
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.heads import read_head, take_head
from catshop.protocol.http1.messages import Answer, Head
from catshop.protocol.http1.responses import Common


class State(Enum):
    """Where a conversation stands."""

    HEAD = "a head is awaited"
    EXPECTED = "the client waits for 100 before it sends the body"
    BODY = "the body is being read"
    READ = "the request is read, its answer is owed"
    DRAIN = "the answer is sent, what is left of the body is thrown away"
    STREAM = "an answer is being streamed"
    CLOSED = "nothing more is read or written"


class Step(Enum):
    """What moves a conversation on."""

    HEAD_READ = "head read"
    EXPECTING_HEAD_READ = "head with an expectation read"
    CONTINUED = "100 sent"
    BODY_READ = "body read"
    ANSWERED = "whole answer sent"
    STREAM_BEGUN = "head of a stream sent"
    STREAM_ENDED = "stream ended"
    CLOSE = "closed"


TRANSITIONS: Final[dict[tuple[State, Step], State]] = {
    (State.HEAD, Step.HEAD_READ): State.BODY,
    (State.HEAD, Step.EXPECTING_HEAD_READ): State.EXPECTED,
    (State.EXPECTED, Step.CONTINUED): State.BODY,
    (State.EXPECTED, Step.BODY_READ): State.READ,
    (State.BODY, Step.BODY_READ): State.READ,
    (State.BODY, Step.ANSWERED): State.DRAIN,
    (State.DRAIN, Step.BODY_READ): State.HEAD,
    (State.READ, Step.ANSWERED): State.HEAD,
    (State.READ, Step.STREAM_BEGUN): State.STREAM,
    (State.STREAM, Step.STREAM_ENDED): State.HEAD,
    **{(state, Step.CLOSE): State.CLOSED for state in State},
}
"""What is not in this table cannot happen. A stream begins only once the request is read."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request has begun; its body comes next."""

    head: Head


@dataclass(frozen=True, slots=True)
class BodyPart:
    """Some octets of the body, decoded."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EndOfRequest:
    """The request is read; its answer is owed."""


@dataclass(frozen=True, slots=True)
class NeedData:
    """Nothing more can be said before more has come."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What came is no request; answer with `error`, close, throw the rest away."""

    error: HttpError


@dataclass(frozen=True, slots=True)
class Closed:
    """The client has ended the conversation, properly or in the middle of something."""


Happening = RequestHead | BodyPart | EndOfRequest | NeedData | Refusal | Closed


_CLOSE: Final = ("connection", "close")
_CLOSING: Final = "connection: close\r\n"


class Connection:
    """The server's side of one conversation."""

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._state = State.HEAD
        self._buffer = bytearray()
        self._seen = 0
        self._ended = False
        self._body: Body = Counted(0)
        self._method = "GET"
        self._version = "1.1"
        self._reusable = False
        self.octets = b""
        """The head of the request that is being served, as it came."""

    @property
    def state(self) -> State:
        """Where the conversation stands."""
        return self._state

    @property
    def method(self) -> str:
        """The method of the request that is being served."""
        return self._method

    @property
    def buffered(self) -> int:
        """Octets that have come and were not consumed."""
        return len(self._buffer)

    @property
    def ended(self) -> bool:
        """Whether the client has said that it will send nothing more."""
        return self._ended

    @property
    def remaining(self) -> int | None:
        """How much of the body is still to come, where its framing tells."""
        return self._body.remaining

    def receive(self, data: bytes) -> None:
        """Take what came from the client."""
        self._buffer += data

    def receive_eof(self) -> None:
        """The client will send nothing more; it may still be listening. RFC 9112 §9.6."""
        self._ended = True

    def next_event(self) -> Happening:
        """What has happened; `NeedData` when that is all for now."""
        try:
            if self._state is State.DRAIN:
                self._drain()
            if self._state is State.HEAD:
                return self._next_head()
            if self._state in {State.BODY, State.EXPECTED}:
                return self._next_part()
        except HttpError as error:
            return self._refuse(error)
        return Closed() if self._state is State.CLOSED else self._wanting()

    def proceed(self) -> bytes:
        """The interim answer that lets an expecting client send its body; else nothing."""
        if self._state is not State.EXPECTED:
            return b""
        self._advance(Step.CONTINUED)
        return responses.CONTINUE

    def answer(self, answer: Answer, common: Common) -> bytes:
        """The whole answer. Afterwards the next head is awaited, or the connection is closed."""
        closes = self._must_close(answer)
        closing = _CLOSING if closes and _CLOSE not in answer.fields else ""
        octets = responses.whole(answer, common, self._method, closing)
        self._advance(Step.CLOSE if closes else Step.ANSWERED)
        return octets

    def begin_stream(
        self, status: int, fields: tuple[tuple[str, str], ...], common: Common
    ) -> bytes:
        """The head of an answer whose length nobody knows yet. The request must have been read."""
        framed = "transfer-encoding: chunked\r\n" if self._version == "1.1" else ""
        framed += "" if self._reusable else _CLOSING
        octets = responses.head_octets(status, responses.field_text(fields), common, framed)
        self._advance(Step.STREAM_BEGUN)
        return octets

    def stream_part(self, data: bytes) -> bytes:
        """`data` as a piece of the streamed body; nothing for HEAD, which has none."""
        if not data or self._method == "HEAD":
            return b""
        return responses.chunk(data) if self._version == "1.1" else data

    def end_stream(self) -> bytes:
        """What ends the streamed body; HTTP/1.0 knows the end by the close. RFC 9112 §6.3."""
        self._advance(Step.STREAM_ENDED if self._reusable else Step.CLOSE)
        return responses.LAST_CHUNK if self._version == "1.1" and self._method != "HEAD" else b""

    def retire(self) -> None:
        """Let this exchange be the last one of the connection. RFC 9112 §9.6."""
        self._reusable = False

    def close(self) -> None:
        """Nothing more is read or written. Idempotent."""
        self._advance(Step.CLOSE)

    def _advance(self, step: Step) -> None:
        self._state = TRANSITIONS[self._state, step]

    def _wanting(self) -> NeedData | Closed:
        return Closed() if self._ended else NeedData()

    def _next_head(self) -> Happening:
        """The next head; empty lines before it are skipped. RFC 9112 §2.2."""
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
        octets = take_head(self._buffer, self._seen, self._limits)
        if octets is None:
            self._seen = len(self._buffer)
            return self._wanting()
        self._seen, self.octets = 0, octets
        head = read_head(octets, self._limits)
        self._body = framing(head, self._limits)
        self._method, self._version = head.method, head.version
        self._reusable = head.version == "1.1" and not _asks_to_close(head)
        expecting = head.version == "1.1" and "expect" in head.fields and not self._body.done
        self._advance(Step.EXPECTING_HEAD_READ if expecting else Step.HEAD_READ)
        return RequestHead(head)

    def _refuse(self, error: HttpError) -> Refusal:
        """A head that is refused belongs to no request, so least of all to the one before it."""
        if self._state is State.HEAD:
            self._method, self._version = "GET", "1.1"
        self._reusable = False
        self._advance(Step.CLOSE)
        return Refusal(error)

    def _next_part(self) -> Happening:
        data = self._body.take(self._buffer)
        if data:
            return BodyPart(data)
        if not self._body.done:
            return self._wanting()
        self._advance(Step.BODY_READ)
        return EndOfRequest()

    def _drain(self) -> None:
        while self._body.take(self._buffer):
            pass
        if self._body.done:
            self._advance(Step.BODY_READ)

    def _must_close(self, answer: Answer) -> bool:
        """Whether no further request can follow on this connection. RFC 9112 §9.3, §9.6."""
        if not self._reusable or _CLOSE in answer.fields:
            return True
        return self._state is not State.READ and not self._can_skip_body()

    def _can_skip_body(self) -> bool:
        """Whether the rest of an unread body is here, or small, and certain to come.

        A client that waits for 100 may never send it. RFC 9110 §10.1.1.
        """
        while isinstance(event := self.next_event(), BodyPart):
            pass
        if isinstance(event, EndOfRequest):
            return True
        remaining = self._body.remaining
        waiting = isinstance(event, NeedData) and self._state is State.BODY
        return waiting and remaining is not None and remaining <= self._limits.read_size


def _asks_to_close(head: Head) -> bool:
    """Whether `close` is among the connection options. RFC 9112 §9.6."""
    return any(
        option.strip().lower() == "close"
        for value in head.fields.all("connection")
        for option in value.split(",")
    )

"""How TCP cuts a stream into pieces never changes what the stream means: row H28.

The connection is sans-I/O, so the property is checked on it directly: whole, octet by octet, and in
pieces that hypothesis chooses, the same requests are read, the same octets answered, the same fault
found. RFC 9112 §2.1.
"""

from __future__ import annotations

import h11
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from catshop.limits import HttpLimits
from catshop.protocol.http1.bodies import Chunked
from catshop.protocol.http1.connection import (
    BodyPart,
    Closed,
    Connection,
    EndOfRequest,
    NeedData,
    Refusal,
    RequestHead,
    State,
)
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import Answer
from catshop.protocol.http1.responses import Common

LIMITS = HttpLimits(request_line=60, head=160, fields=4, chunk_extensions=12, body=64, read_size=48)
COMMON = Common("Thu, 01 Jan 1970 00:00:00 GMT", "id")

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: x\r\n"
LINES = [
    b"GET ", b"POST ", b"/a", b"*", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0", b"\r\n", b"\r", b"\n",
    b"Host: x", b"Host: y", b"Content-Length: 5", b"Content-Length: 0",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Expect: 100-continue",
    b"Connection: close", b": ", b" ", b"\t",
    b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n", b"5;a=b", b"0\r\nX: y\r\n\r\n", b"\x00", b"\xff",
    b"a" * 70, GET, POST, POST + b"Content-Length: 5\r\n\r\nhello",
    POST + b"Transfer-Encoding: chunked\r\n\r\n",
]  # fmt: skip

streams = st.lists(st.sampled_from(LINES), max_size=12).map(b"".join)


def outcome(pieces: list[bytes]) -> tuple[list[str], bytes]:
    """What a connection that is fed with `pieces` reads, and what it writes."""
    connection, read, written = Connection(LIMITS), list[str](), b""
    for piece in pieces:
        connection.receive(piece)
        while not isinstance(happening := connection.next_event(), NeedData | Closed):
            if isinstance(happening, RequestHead):
                read += [f"{happening.head.method} {happening.head.path} ", ""]
            elif isinstance(happening, BodyPart):
                read[-1] += happening.data.decode("latin-1")
            elif isinstance(happening, EndOfRequest):
                read.append("read")
                written += connection.answer(Answer(200, body=b"ok"), COMMON)
            elif isinstance(happening, Refusal):
                read.append(str(happening.error))
                written += connection.answer(Answer(happening.error.status), COMMON)
        if connection.state is State.CLOSED:
            break
    return read, written


@st.composite
def cut(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    stream = draw(streams)
    points = sorted(draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *points], [*points, len(stream)], strict=True)]
    return stream, pieces


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cut())
def test_the_same_stream_in_any_pieces_means_the_same(case: tuple[bytes, list[bytes]]) -> None:
    """Row H28. RFC 9112 §2.1."""
    stream, pieces = case
    assert outcome(pieces) == outcome([stream])


@settings(max_examples=400, deadline=None)
@given(streams)
@example(b"a" * 59 + b"\r\n" + b"b: \x00")
@example(b"GET /" + b"a" * 55 + b"\r")
@example(b"GET /" + b"a" * 55 + b"\n")
@example(POST + b"X: " + b"a" * 200)
@example(POST + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"a" * 60 + b"\x00")
def test_the_same_stream_octet_by_octet_means_the_same(stream: bytes) -> None:
    """Row H28. RFC 9112 §2.1."""
    assert outcome([bytes([octet]) for octet in stream]) == outcome([stream])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([
            b"0\r\n\r\n", b"1\r\na\r\n", b"5\r\nhello\r\n", b"A;x=y\r\n0123456789\r\n", b"5 \r\n",
            b"0\r\n", b"\r\n", b"X: y\r\n", b"x", b"5\n", b"b\r\n", b";q",
        ]),
        max_size=8,
    ).map(b"".join)
)  # fmt: skip
def test_what_our_chunk_reader_accepts_h11_reads_alike(stream: bytes) -> None:
    """Stricter than h11, never different from it. RFC 9112 §7.1."""
    body, buffer, ours = Chunked(HttpLimits()), bytearray(stream), b""
    try:
        while data := body.take(buffer):
            ours += data
    except HttpError:
        return
    theirs = h11.Connection(h11.SERVER)
    theirs.receive_data(POST + b"Transfer-Encoding: chunked\r\n\r\n" + stream)
    theirs.next_event()
    read = b""
    while isinstance(event := theirs.next_event(), h11.Data):
        read += event.data
    assert read == ours
    assert isinstance(event, h11.EndOfMessage) is body.done
    if body.done:
        assert bytes(buffer) == theirs.trailing_data[0]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_data_before_a_faulty_chunk_is_given_before_the_fault(count: int) -> None:
    """RFC 9112 §7.1."""
    body, buffer = Chunked(HttpLimits()), bytearray(b"1\r\na\r\n" * count + b"?\r\n")
    assert body.take(buffer) == b"a" * count
    with pytest.raises(HttpError, match="E-HTTP-15"):
        body.take(buffer)

"""Where one request ends and the next begins: rows H1 to H27, over a real socket.

Every case is followed by `GET /canary`. A refused message takes the connection with it, so the
canary is never answered; otherwise it is answered exactly once. No path is ever served that the
client did not ask for. RFC 9112 §6, §7.1, §11.2.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest

from catshop.protocol.http1.messages import Answer, Request

Opener = Callable[..., AbstractAsyncContextManager[Any]]

CANARY = b"GET /canary HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: shop\r\n\r\n"


def post(*lines: str, body: bytes = b"") -> bytes:
    head = "\r\n".join(("POST /p HTTP/1.1", "Host: shop", *lines))
    return head.encode("latin-1") + b"\r\n\r\n" + body


def chunked(body: bytes) -> bytes:
    return post("Transfer-Encoding: chunked", body=body)


REFUSED = [
    (
        "H1-CL-then-TE",
        post("Content-Length: 6", "Transfer-Encoding: chunked", body=b"0\r\n\r\nG"),
        400,
    ),
    (
        "H1-TE-then-CL",
        post("TRANSFER-ENCODING: Chunked", "content-length: 4", body=b"0\r\n\r\n"),
        400,
    ),
    (
        "H2-smuggled-request",
        post("Content-Length: 40", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
        400,
    ),
    ("H3-two-lengths", post("Content-Length: 5", "Content-Length: 6", body=b"hello"), 400),
    ("H4-same-length-twice", post("Content-Length: 5", "Content-Length: 5", body=b"hello"), 400),
    ("H4-list-of-lengths", post("Content-Length: 5, 5", body=b"hello"), 400),
    *(
        (f"H5-length-{value!r}", post(f"Content-Length: {value}", body=b"hello"), 400)
        for value in ("+5", "-1", "-0", "0x5", "5_0", "\u00b2", "5 5", "")
    ),
    ("H6-leading-zeros", post("Content-Length: 0005", body=b"hello"), 400),
    ("H7-twenty-digits", post("Content-Length: 11111111111111111111", body=b"hello"), 413),
    ("H7-chunk-of-sixteen-F", chunked(b"FFFFFFFFFFFFFFFF\r\nabc"), 413),
    ("H7-chunk-of-twenty-F", chunked(b"F" * 20 + b"\r\nabc"), 400),
    *(
        (f"H8-coding-{value!r}", post(f"Transfer-Encoding: {value}", body=b"0\r\n\r\n"), 501)
        for value in (
            "xchunked",
            "gzip, chunked",
            "chunked, identity",
            "identity",
            "",
            ", chunked",
            "\tgzip",
        )
    ),
    (
        "H8-coding-twice",
        post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        501,
    ),
    ("H9-vertical-tab", post("Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"), 400),
    ("H9-space-before-colon-TE", post("Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
    ("H9-space-before-colon-CL", post("Content-Length : 5", body=b"hello"), 400),
    ("H10-folded-field", post("X: a\r\n b", body=b""), 400),
    ("H10-folded-coding", post("Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"), 400),
    (
        "H11-chunks-in-1.0",
        b"POST /p HTTP/1.0\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("H13-LF-after-request-line", b"GET /p HTTP/1.1\nHost: shop\r\n\r\n", 400),
    ("H13-LF-after-field", b"GET /p HTTP/1.1\r\nHost: shop\nX: y\r\n\r\n", 400),
    ("H13-LF-only", b"GET /p HTTP/1.1\nHost: shop\n\n", 400),
    ("H13-LF-after-chunk-size", chunked(b"5\nhello\r\n0\r\n\r\n"), 400),
    ("H13-LF-after-extension", chunked(b"5;a\nhello\r\n0\r\n\r\n"), 400),
    ("H13-LF-in-trailer", chunked(b"0\r\nX: y\n\r\n"), 400),
    ("H14-CR-only", b"GET /p HTTP/1.1\rHost: shop\r\r", 400),
    *(
        (f"H15-control-{octet:02x}", post(f"X: a{chr(octet)}b"), 400)
        for octet in (0x00, 0x07, 0x0C, 0x1B, 0x7F)
    ),
    *(
        (f"H16-name-{line!r}", post(line), 400)
        for line in ("X[]: v", ": v", "Xyz", "X\t: v", "\u00e9: v")
    ),
    ("H16-space-before-first-field", b"GET /p HTTP/1.1\r\n Host: shop\r\n\r\n", 400),
    *(
        (f"H17-chunk-size-{size!r}", chunked(size + b"\r\nhello\r\n0\r\n\r\n"), 400)
        for size in (b"0x5", b"+5", b"0_5", b" 5", b"-1", b"", b"0" * 20 + b"5")
    ),
    ("H18-space-after-chunk-size", chunked(b"5 \r\nhello\r\n0\r\n\r\n"), 400),
    ("H19-chunk-end-missing", chunked(b"5\r\nhelloXX\r\n0\r\n\r\n"), 400),
    ("H19-chunk-spill", chunked(b"5\r\nhello!!0\r\n\r\n"), 400),
    ("H21-one-long-extension", chunked(b"1;" + b"a" * 65536 + b"\r\nh\r\n0\r\n\r\n"), 413),
    ("H21-many-extensions", chunked((b"1;" + b"a" * 2048 + b"\r\nh\r\n") * 50), 413),
    ("H21-tiny-chunks", chunked(b"1\r\nh\r\n" * 100_000), 413),
    ("H21-bare-semicolon", chunked(b"5;\r\nhello\r\n0\r\n\r\n"), 400),
    ("H21-NUL-in-extension", chunked(b"5;a=\x00\r\nhello\r\n0\r\n\r\n"), 400),
    ("H21-CR-in-extension", chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), 400),
    ("H22-long-trailers", chunked(b"0\r\n" + b"X: " + b"a" * 17408 + b"\r\n\r\n"), 431),
]


@pytest.mark.parametrize(
    ("payload", "status"), [pytest.param(p, s, id=name) for name, p, s in REFUSED]
)
async def test_ambiguous_framing_is_refused_and_ends_the_connection(
    open_shop: Opener, payload: bytes, status: int
) -> None:
    """RFC 9112 §2.2, §5.1, §5.2, §6.1, §6.3, §7.1, §7.1.1; RFC 9110 §5.5, §6.5.1, §8.6."""
    async with open_shop() as shop:
        assert await shop.statuses(payload + CANARY) == [status]
        assert set(shop.paths) <= {"/p"}


ACCEPTED = [
    ("no-body", b"GET /p HTTP/1.1\r\nHost: shop\r\n\r\n", ""),
    ("empty-line-before", b"\r\nGET /p HTTP/1.1\r\nHost: shop\r\n\r\n", ""),
    ("length", post("Content-Length: 5", body=b"hello"), "hello"),
    ("length-after-tab", post("Content-Length:\t5 ", body=b"hello"), "hello"),
    ("chunks", chunked(b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), "hello"),
    ("chunk-extension", chunked(b'5;a=b;c="d e"\r\nhello\r\n0\r\n\r\n'), "hello"),
    ("chunked-in-any-case", post("Transfer-Encoding: ChunKed", body=b"0\r\n\r\n"), ""),
    ("H12-Content_Length", post("Content_Length: 100", "Content-Length: 2", body=b"hi"), "hi"),
    (
        "H12-Transfer_Encoding",
        post("Transfer_Encoding: chunked", "Content-Length: 2", body=b"hi"),
        "hi",
    ),
    (
        "H22-trailers",
        chunked(b"2\r\nhi\r\n0\r\nAuthorization: Bearer x\r\nContent-Length: 9\r\n\r\n"),
        "hi",
    ),
    ("obs-text", post("X: \u00e9"), ""),
    (
        "body-that-looks-like-a-request",
        post(f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED),
        None,
    ),
    *(
        (
            f"H25-{method}-with-a-body",
            method.encode() + post(f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED)[4:],
            None,
        )
        for method in ("GET", "HEAD", "OPTIONS")
    ),
]


@pytest.mark.parametrize(
    ("payload", "body"), [pytest.param(p, b, id=name) for name, p, b in ACCEPTED]
)
async def test_sound_framing_is_served_and_the_connection_serves_on(
    open_shop: Opener, payload: bytes, body: str | None
) -> None:
    """RFC 9112 §2.2, §6.2, §7.1, §9.3; RFC 9110 §6.4, §9.3.1."""
    async with open_shop() as shop:
        answer = await shop.talk(payload + CANARY)
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert shop.paths == ["/p", "/canary"]
        if body is not None:
            assert f'"body":"{body}"'.encode() in answer


@pytest.mark.parametrize("cut", [20, -3], ids=["in-the-head", "in-the-body"])
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(post("Content-Length: 5", body=b"hello"), id="length"),
        pytest.param(chunked(b"5\r\nhello\r\n0\r\n\r\n"), id="chunks"),
    ],
)
async def test_an_unfinished_request_is_not_served(
    open_shop: Opener, payload: bytes, cut: int
) -> None:
    """Row H23. RFC 9112 §6.3, §8."""
    bodies: list[bytes] = []

    async def handler(request: Request) -> Answer:
        bodies.append(await request.body())
        return Answer(200)

    async with open_shop(handler) as shop, await shop.connect() as stream:
        await stream.send(payload[:cut])
        await stream.send_eof()
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()
    assert bodies == []


async def test_octets_after_an_empty_body_are_another_request(open_shop: Opener) -> None:
    """Row H24. RFC 9112 §6.3."""
    async with open_shop() as shop:
        poison = post("Content-Length: 0", body=b"X\r\n\r\n")
        assert await shop.statuses(poison + CANARY) == [200, 400]


async def test_pipelined_requests_are_answered_in_order(open_shop: Opener) -> None:
    """Row H26. RFC 9112 §9.3.2."""
    requests = [b"GET /%d HTTP/1.1\r\nHost: shop\r\n\r\n" % number for number in range(1000)]
    async with open_shop() as shop:
        assert await shop.statuses(b"".join(requests) + CANARY) == [200] * 1001
        assert shop.paths == [*(f"/{number}" for number in range(1000)), "/canary"]


async def test_nothing_is_read_after_the_request_that_closes(open_shop: Opener) -> None:
    """Row H27. RFC 9112 §9.6."""
    async with open_shop() as shop:
        last = b"GET /last HTTP/1.1\r\nHost: shop\r\nConnection: x, CLOSE\r\n\r\n"
        answer = await shop.talk(last + CANARY)
        assert answer.count(b"HTTP/1.1 200") == 1
        assert b"connection: close\r\n" in answer
        assert shop.paths == ["/last"]

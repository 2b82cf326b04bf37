"""Answers, time, connections and shutdown on a real socket: rows H39 to H60."""

from __future__ import annotations

import errno
import importlib.util
import logging
import os
import re
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketStream

from catshop.kernel import Event, Kind, Secret, Trace, Unavailable, current_exchange
from catshop.limits import HttpLimits
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import (
    STREAMED,
    Answer,
    Leave,
    Request,
    Streamed,
    json_answer,
)
from catshop.protocol.http1.server import REFUSALS, DateLine, Server, bind, new_request_id, port_of

Opener = Callable[..., AbstractAsyncContextManager[Any]]
Reader = Callable[[SocketStream, bytes], Awaitable[bytes]]
LIMITS = HttpLimits(linger_seconds=0.2, drain_seconds=3.0)

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"


def post(*lines: str, body: bytes = b"") -> bytes:
    head = "\r\n".join(("POST / HTTP/1.1", "Host: shop", *lines))
    return head.encode() + b"\r\n\r\n" + body


async def test_an_answer_has_the_fields_that_every_answer_has(open_shop: Opener) -> None:
    """Row H60. RFC 9112 §4, RFC 9110 §6.6.1, §5.6.7."""
    async with open_shop() as shop:
        head, _, body = (await shop.talk(LAST)).partition(b"\r\n\r\n")
    assert re.search(rb"\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", head)
    assert b"\r\ncontent-type: application/json\r\n" in head
    assert b"\r\nx-content-type-options: nosniff\r\n" in head
    assert b"\r\nx-request-id: id-1\r\n" in head
    assert b"\r\ncontent-length: %d" % len(body) in head
    assert b"server:" not in head


async def test_head_is_answered_like_get_without_the_body(open_shop: Opener) -> None:
    """Row H39. RFC 9110 §9.3.2."""
    async with open_shop() as shop:
        by_get = await shop.talk(LAST)
        by_head = await shop.talk(LAST.replace(b"GET", b"HEAD"))
    strip = re.compile(rb"(date|x-request-id): [^\r]*\r\n")
    assert strip.sub(b"", by_head) == strip.sub(b"", by_get.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_an_answer_without_content_has_no_length(open_shop: Opener, status: int) -> None:
    """RFC 9110 §6.4.1, §8.6."""

    async def handler(_: Request) -> Answer:
        return Answer(status, body=b"never sent")

    async with open_shop(handler) as shop:
        answer = await shop.talk(LAST)
    assert b"content-length" not in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_http_1_0_is_answered_and_the_connection_closed(open_shop: Opener) -> None:
    """RFC 9112 §9.3."""
    async with open_shop() as shop:
        answer = await shop.talk(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"connection: close\r\n" in answer


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        pytest.param(post("Content-Length: 65", body=b"a" * 65), 413, id="H40-by-length"),
        pytest.param(post("Content-Length: 65"), 413, id="H40-before-it-came"),
        pytest.param(
            post("Transfer-Encoding: chunked", body=b"41\r\n"), 413, id="H40-by-chunk-size"
        ),
        pytest.param(
            post("Transfer-Encoding: chunked", body=(b"20\r\n" + b"a" * 32 + b"\r\n") * 3),
            413,
            id="H40-by-sum-of-chunks",
        ),
        pytest.param(
            post("Content-Length: 65", "Expect: 100-continue"), 413, id="H41-too-big-without-100"
        ),
    ],
)
async def test_a_body_that_is_too_large_is_refused(
    open_shop: Opener, payload: bytes, status: int
) -> None:
    """RFC 9110 §15.5.14, §10.1.1."""
    async with open_shop(limits=replace(LIMITS, body=64)) as shop:
        assert await shop.statuses(payload) == [status]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(post("Content-Length: 5", body=b"hello"), id="by-length"),
        pytest.param(
            post("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"), id="chunked"
        ),
    ],
)
async def test_a_handler_may_allow_less_than_the_server(open_shop: Opener, payload: bytes) -> None:
    """RFC 9110 §15.5.14."""

    async def handler(request: Request) -> Answer:
        await request.body(4)
        return Answer(200)

    async with open_shop(handler) as shop:
        assert await shop.statuses(payload) == [413]


async def test_a_body_can_be_read_again_but_not_beyond_a_smaller_limit(open_shop: Opener) -> None:
    """RFC 9110 §15.5.14."""

    async def handler(request: Request) -> Answer:
        assert await request.body() == await request.body()
        await request.body(4)
        return Answer(200)

    async with open_shop(handler) as shop:
        assert await shop.statuses(post("Content-Length: 5", body=b"hello")) == [413]


async def test_a_client_that_expects_100_gets_it_when_the_body_is_wanted(
    open_shop: Opener, read_until: Reader
) -> None:
    """Row H41. RFC 9110 §10.1.1."""
    async with open_shop() as shop, await shop.connect() as stream:
        await stream.send(post("Content-Length: 5", "Expect: 100-Continue"))
        assert await read_until(stream, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await stream.send(b"hello")
        assert b'"body":"hello"' in await read_until(stream, b"}")


async def test_a_client_that_expects_100_is_refused_without_it(open_shop: Opener) -> None:
    """Row H41: the body that may never come is not waited for. RFC 9110 §10.1.1."""

    async def handler(_: Request) -> Answer:
        return Answer(401)

    async with open_shop(handler) as shop:
        answer = await shop.talk(post("Content-Length: 5", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"connection: close\r\n" in answer


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(
            post("Content-Length: 5", "Expect: 100-continue", "Connection: close", body=b"hello"),
            id="body-came-along",
        ),
        pytest.param(
            b"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello", id="1.0"
        ),
    ],
)
async def test_100_is_not_sent_where_nobody_waits_for_it(open_shop: Opener, payload: bytes) -> None:
    """Row H41. RFC 9110 §10.1.1."""
    async with open_shop() as shop:
        assert await shop.statuses(payload) == [200]


async def test_an_unread_body_is_thrown_away_if_it_is_small(
    open_shop: Opener, read_until: Reader
) -> None:
    """RFC 9112 §9.3."""

    async def handler(_: Request) -> Answer:
        return json_answer(200, {})

    async with open_shop(handler) as shop, await shop.connect() as stream:
        await stream.send(post("Content-Length: 5", body=b"he"))
        await read_until(stream, b"{}")
        await stream.send(b"llo" + GET)
        assert b"200 OK" in await read_until(stream, b"{}")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(post("Content-Length: 99999999", body=b"a"), id="large"),
        pytest.param(post("Transfer-Encoding: chunked", body=b"5\r\nh"), id="of-unknown-length"),
        pytest.param(post("Transfer-Encoding: chunked", body=b"?\r\n"), id="malformed"),
    ],
)
async def test_an_unread_body_closes_the_connection_if_it_cannot_be_skipped(
    open_shop: Opener, payload: bytes
) -> None:
    """RFC 9112 §9.3."""

    async def handler(_: Request) -> Answer:
        return Answer(401)

    async with open_shop(handler) as shop:
        answer = await shop.talk(payload)
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"connection: close\r\n" in answer


def field(name: str, value: str) -> Callable[[Request], Awaitable[Answer | Streamed]]:
    async def handler(_: Request) -> Answer:
        return Answer(200, ((name, value),))

    return handler


def streamed_field(name: str, value: str) -> Callable[[Request], Awaitable[Answer | Streamed]]:
    async def handler(request: Request) -> Streamed:
        await request.stream(200, ((name, value),), leave=Leave.CANCELS)
        return STREAMED

    return handler


def raising(error: Exception) -> Callable[[Request], Awaitable[Answer | Streamed]]:
    async def handler(_: Request) -> Answer:
        raise error

    return handler


async def streamless(_: Request) -> Streamed:
    return STREAMED


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        pytest.param(field("x", "a\r\nset-cookie: b"), 500, id="H46-CRLF"),
        pytest.param(field("x", "a\nb"), 500, id="H46-LF"),
        pytest.param(field("x", "\u0101"), 500, id="H46-not-latin-1"),
        pytest.param(field("x: y\r\nz", "a"), 500, id="H46-name"),
        pytest.param(streamed_field("x", "a\r\nb"), 500, id="H46-stream"),
        pytest.param(raising(RuntimeError("hush")), 500, id="H47-before-the-answer"),
        pytest.param(streamless, 500, id="no-stream"),
        pytest.param(raising(Unavailable("E-HTTP-53", "hush", retry_after=7)), 503, id="busy"),
        pytest.param(raising(HttpError(418, "E-HTTP-40", arrived="/tea")), 418, id="refusal"),
    ],
)
async def test_a_failure_is_answered_in_json_without_its_inside(
    open_shop: Opener, handler: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9110 §15, §15.6.1, §15.6.4, §10.2.3; RFC 9112 §11.1."""
    caplog.set_level(logging.INFO, "catshop.http")
    async with open_shop(handler) as shop:
        answer = await shop.talk(LAST)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b'"request_id":"id-1"' in answer
    assert b"hush" not in answer
    assert b"Traceback" not in answer
    assert b"set-cookie" not in answer
    assert (b"retry-after: 7\r\n" in answer) is (status == 503)
    assert "id-1" in caplog.text


async def test_a_failing_handler_leaves_the_connection_usable(open_shop: Opener) -> None:
    """Row H47. RFC 9112 §9.3."""
    async with open_shop(raising(RuntimeError())) as shop:
        assert await shop.statuses(GET + LAST) == [500, 500]


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        pytest.param(b"", b"", id="H48-no-octets"),
        pytest.param(b"GET / HT", b"HTTP/1.1 408 ", id="H48-half-a-head"),
    ],
)
async def test_a_head_that_does_not_come_ends_the_connection(
    open_shop: Opener, sent: bytes, answered: bytes
) -> None:
    """RFC 9110 §15.5.9, RFC 9112 §9.5."""
    async with open_shop(limits=replace(LIMITS, head_seconds=0.1)) as shop:
        answer = await (shop.talk(sent) if sent else shop.talk())
    assert answer.startswith(answered)
    assert bool(answer) is bool(answered)
    assert not shop.paths


async def test_a_trickle_of_octets_wins_no_time_for_a_head(open_shop: Opener) -> None:
    """Row H48. RFC 9112 §9.5."""
    limits = replace(LIMITS, head_seconds=0.3)
    answer = b""
    async with open_shop(limits=limits) as shop, await shop.connect() as stream:
        with anyio.fail_after(3):
            for octet in b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000:
                await stream.send(bytes([octet]))
                with anyio.move_on_after(0.02):
                    answer = await stream.receive()
                    break
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("body", [pytest.param(b"", id="none"), pytest.param(b"he", id="part")])
@pytest.mark.parametrize("coding", ["Content-Length: 5", "Transfer-Encoding: chunked"])
async def test_a_body_that_does_not_keep_up_is_refused(
    open_shop: Opener, coding: str, body: bytes
) -> None:
    """Row H49. RFC 9110 §15.5.9."""
    async with open_shop(limits=replace(LIMITS, body_grace_seconds=0.1)) as shop:
        assert await shop.statuses(post(coding, body=body)) == [408]


async def test_a_body_that_keeps_up_is_cut_off_all_the_same_in_the_end(open_shop: Opener) -> None:
    """Row H49. RFC 9110 §15.5.9."""
    limits = replace(LIMITS, body_rate=1, body_seconds=0.1)
    async with open_shop(limits=limits) as shop:
        assert await shop.statuses(post("Content-Length: 999", body=b"a" * 500)) == [408]


async def test_an_idle_connection_is_closed_without_a_word(
    open_shop: Opener, converse: Callable[..., Awaitable[bytes]]
) -> None:
    """Row H50. RFC 9112 §9.3, §9.5."""
    async with open_shop(limits=replace(LIMITS, idle_seconds=0.1)) as shop:
        assert await shop.statuses(GET) == [200]


async def trickle(stream: SocketStream) -> None:
    """Empty lines, octet by octet, until the server has had enough."""
    while True:
        for octet in (b"\r", b"\n"):
            await stream.send(octet)
            with anyio.move_on_after(0.02):
                assert b" 408 " in await stream.receive()


async def test_a_trickle_of_empty_lines_wins_no_time_between_requests(open_shop: Opener) -> None:
    """Rows H48, H50: every deadline counts from the same moment. RFC 9112 §2.2, §9.5."""
    limits = replace(LIMITS, idle_seconds=0.3, head_seconds=0.6)
    async with open_shop(limits=limits) as shop, await shop.connect() as stream:
        await stream.send(GET)
        with anyio.fail_after(5):
            while b"}" not in await stream.receive():
                pass
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await trickle(stream)
        await shop.all_gone()


async def test_a_client_that_does_not_read_is_cut_off(open_shop: Opener) -> None:
    """Row H51. RFC 9112 §9.5."""
    entered = anyio.Event()

    async def handler(_: Request) -> Answer:
        entered.set()
        return Answer(200, body=b"a" * 50_000_000)

    limits = replace(LIMITS, write_seconds=0.2)
    async with open_shop(handler, limits) as shop, await shop.connect() as stream:
        await stream.send(GET)
        await entered.wait()
        await shop.all_gone()


async def test_a_half_closed_client_gets_its_answer(open_shop: Opener) -> None:
    """Row H52. RFC 9112 §9.6."""
    async with open_shop() as shop, await shop.connect() as stream:
        await stream.send(GET)
        await stream.send_eof()
        with anyio.fail_after(5):
            received = b"".join([data async for data in stream])
    assert received.startswith(b"HTTP/1.1 200 OK")


async def test_clients_that_reset_in_mid_handler_harm_nobody(
    open_shop: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """Row H53. RFC 9112 §9.5."""
    entered, release = anyio.Semaphore(0), anyio.Event()

    async def handler(request: Request) -> Answer:
        if request.head.path == "/wait":
            entered.release()
            await release.wait()
        return json_answer(200, {})

    async with open_shop(handler) as shop:
        for _ in range(50):
            stream = await shop.connect()
            raw = stream.extra_attributes[anyio.abc.SocketAttribute.raw_socket]()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await stream.send(GET.replace(b"/ ", b"/wait ", 1))
            with anyio.fail_after(5):
                await entered.acquire()
            await stream.aclose()
        release.set()
        assert await shop.statuses(LAST) == [200]
        await shop.all_gone()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(replace(LIMITS, connections=2), id="in-all"),
        pytest.param(replace(LIMITS, connections_per_address=2), id="from-one-address"),
    ],
)
async def test_a_connection_too_many_is_told_503(
    open_shop: Opener, read_until: Reader, limits: HttpLimits
) -> None:
    """Row H56. RFC 9110 §15.6.4."""
    async with open_shop(limits=limits) as shop:
        async with await shop.connect() as first, await shop.connect() as second:
            for stream in (first, second):
                await stream.send(GET)
                await read_until(stream, b"}")
            assert await shop.statuses() == [503]
            await first.send(GET)
            assert b"200 OK" in await read_until(first, b"}")
        await shop.all_gone()
        assert await shop.statuses(LAST) == [200]


async def test_draining_ends_idle_connections_and_finishes_what_is_in_flight(
    open_shop: Opener, read_until: Reader
) -> None:
    """Row H58. RFC 9112 §9.6."""
    entered, release = anyio.Event(), anyio.Event()

    async def handler(request: Request) -> Answer:
        if request.head.path == "/wait":
            entered.set()
            await release.wait()
        return json_answer(200, {})

    async with (
        open_shop(handler) as shop,
        await shop.connect() as idle,
        await shop.connect() as busy,
    ):
        await idle.send(GET)
        await read_until(idle, b"{}")
        await busy.send(GET.replace(b"/ ", b"/wait ", 1))
        with anyio.fail_after(5):
            await entered.wait()
            shop.server.drain()
            with pytest.raises(anyio.EndOfStream):
                await idle.receive()
        with pytest.raises(OSError, match=r"connection|refused|failed"):
            await shop.connect()
        release.set()
        answer = await read_until(busy, b"{}")
        assert b"connection: close\r\n" in answer


@pytest.mark.parametrize("half", [b"GET / HT", b"\r", b"\r\n"])
async def test_draining_ends_connections_without_a_whole_head_at_once(
    open_shop: Opener, read_until: Reader, half: bytes
) -> None:
    """Row H58: no request, so nothing that could be in flight. RFC 9112 §9.6."""
    async with (
        open_shop(limits=replace(LIMITS, drain_seconds=30)) as shop,
        await shop.connect() as new,
        await shop.connect() as used,
    ):
        await used.send(GET)
        await read_until(used, b"}")
        for stream in (new, used):
            await stream.send(half)
        while shop.server.connections < 2:
            await anyio.lowlevel.checkpoint()
        shop.server.drain()
        with anyio.fail_after(2):
            for stream in (new, used):
                with pytest.raises(anyio.EndOfStream):
                    await stream.receive()
        await shop.all_gone()


async def test_draining_lets_an_answer_survive_whose_body_nobody_wanted(
    open_shop: Opener, read_until: Reader
) -> None:
    """Row H58. RFC 9112 §9.6."""

    async def handler(_: Request) -> Answer:
        return Answer(200, body=b"enough")

    async with open_shop(handler) as shop, await shop.connect() as stream:
        await stream.send(post("Content-Length: 5"))
        await read_until(stream, b"enough")
        shop.server.drain()
        with anyio.fail_after(2), pytest.raises(anyio.EndOfStream):
            await stream.receive()


async def test_what_cannot_finish_is_cut_at_the_end_of_the_drain(open_shop: Opener) -> None:
    """Row H59. RFC 9112 §9.6."""
    entered = anyio.Event()

    async def handler(_: Request) -> Answer:
        entered.set()
        await anyio.sleep_forever()
        raise AssertionError

    limits = replace(LIMITS, drain_seconds=0.1)
    async with open_shop(handler, limits) as shop, await shop.connect() as stream:
        await stream.send(GET)
        with anyio.fail_after(5):
            await entered.wait()
            shop.server.drain()
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await stream.receive()


async def test_a_busy_port_is_an_oserror_and_leaves_nothing_open() -> None:
    listeners = await bind(["127.0.0.1"], 0)
    try:
        with pytest.raises(OSError, match=r"in use") as error:
            await bind(["127.0.0.1"], port_of(listeners[0]))
        assert error.value.errno == errno.EADDRINUSE
    finally:
        for listener in listeners:
            await listener.aclose()


async def test_an_address_that_is_not_ours_leaves_the_others_unbound() -> None:
    with pytest.raises(OSError, match=r".") as error:
        await bind(["127.0.0.1", "192.0.2.1"], 0)
    assert error.value.errno == errno.EADDRNOTAVAIL


async def test_a_server_that_is_stopped_before_it_serves_ends_at_once() -> None:
    """RFC 9112 §9.6."""
    server = Server(raising(RuntimeError()), limits=LIMITS, trace=Trace())
    server.stop()
    with anyio.fail_after(5):
        await server.serve(await bind(["127.0.0.1"], 0))


async def test_a_flood_of_connections_is_closed_without_a_word(
    open_shop: Opener, read_until: Reader
) -> None:
    """Row H56. RFC 9110 §15.6.4."""
    limits = replace(LIMITS, connections=1, linger_seconds=5.0)
    async with open_shop(limits=limits) as shop, await shop.connect() as served:
        await served.send(GET)
        await read_until(served, b"}")
        turned_away = [await shop.connect() for _ in range(REFUSALS)]
        for stream in turned_away:
            await read_until(stream, b"E-HTTP-53")
        assert await shop.talk() == b""
        for stream in turned_away:
            await stream.aclose()


async def test_all_hosts_get_the_same_free_port() -> None:
    listeners = await bind(["127.0.0.1", "127.0.0.2"], 0)
    try:
        assert len({port_of(listener) for listener in listeners}) == 1
    finally:
        for listener in listeners:
            await listener.aclose()


async def test_a_log_line_tells_of_each_request_but_never_its_query(
    open_shop: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9110 §17.9."""

    async def handler(request: Request) -> Answer:
        request.notes["tool"] = "list_products"
        return Answer(204)

    caplog.set_level(logging.INFO, "catshop.http")
    async with open_shop(handler) as shop:
        await shop.talk(LAST.replace(b"/ ", b"/a?code=hush ", 1))
        await shop.talk(b"\x1b[31m")
    assert re.search(r"GET /a 204 [\d.]+ms id-1 tool=list_products", caplog.text)
    assert "- - 400 - id-2 code=E-HTTP-03" in caplog.text
    assert "hush" not in caplog.text
    assert "\x1b" not in caplog.text


async def test_a_trace_sees_octets_and_messages_and_can_show_no_secret(open_shop: Opener) -> None:
    seen: list[Event] = []
    trace = Trace()
    trace.observe(seen.append)
    async with open_shop(trace=trace) as shop:
        await shop.talk(LAST.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer hush\r\n\r\n"))
    assert {(event.kind, event.name) for event in seen} >= {
        (Kind.BYTES, "received"),
        (Kind.BYTES, "sent"),
        (Kind.HTTP, "request"),
        (Kind.HTTP, "answer"),
    }
    assert "hush" not in repr(seen)
    request = next(event for event in seen if event.name == "request")
    assert request.exchange == "id-1"
    assert ("authorization", Secret("Bearer hush")) in request.fields["fields"]  # type: ignore[operator] # pairs


async def test_the_exchange_is_named_while_it_is_served(open_shop: Opener) -> None:
    names: list[str] = []

    async def handler(_: Request) -> Answer:
        names.append(current_exchange.get())
        return Answer(204)

    async with open_shop(handler) as shop:
        await shop.talk(GET + LAST)
    assert names == ["id-1", "id-2"]


def test_the_date_is_made_once_a_second() -> None:
    """RFC 9110 §5.6.7."""
    now = [0.0]
    date = DateLine(lambda: now[0])
    first = date()
    now[0] = 0.9
    assert date() is first == "Thu, 01 Jan 1970 00:00:00 GMT"
    now[0] = 1.0
    assert date() == "Thu, 01 Jan 1970 00:00:01 GMT"


def test_a_request_id_is_sixteen_hex_digits() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", new_request_id())
    assert new_request_id() != new_request_id()


@pytest.fixture
def few_descriptors() -> Iterator[Callable[[int], None]]:
    """Lower the limit so that so many more descriptors can be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def lower(more: int) -> None:
        limit = 0
        while more:
            more -= not _is_open(limit)
            limit += 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))

    yield lower
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


async def test_accepting_pauses_when_descriptors_run_out_and_recovers(
    open_shop: Opener,
    read_until: Reader,
    few_descriptors: Callable[[int], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Row H57. RFC 9112 §9.5."""
    async with open_shop() as shop:
        few_descriptors(3)  # both ends of the first connection, one of the second
        async with await shop.connect() as first:
            await first.send(GET)
            await read_until(first, b"}")
            second = await shop.connect()
            await second.send(GET)
            with anyio.move_on_after(0.3) as waited:
                await second.receive()
            assert waited.cancelled_caught
            assert 1 <= caplog.text.count("pausing") <= 5
        async with second:
            await read_until(second, b"}")


LOOPS = [("asyncio", {"use_uvloop": True})] if importlib.util.find_spec("uvloop") else []


@pytest.mark.parametrize("anyio_backend", [*LOOPS, "asyncio"], ids=str)
async def test_a_connection_is_served_on_any_event_loop(
    open_shop: Opener, read_until: Reader
) -> None:
    """Rows H26, H52, H54. RFC 9112 §9.3.2."""
    cancelled = anyio.Event()

    async def handler(request: Request) -> Answer | Streamed:
        if request.head.path == "/":
            return json_answer(200, {})
        sink = await request.stream(
            200, (("content-type", "text/event-stream"),), leave=Leave.CANCELS
        )
        await sink.send(b"data: ready\n\n")
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()
        return STREAMED

    async with open_shop(handler, replace(LIMITS, probe_seconds=0.05)) as shop:
        assert await shop.statuses(GET * 100 + LAST) == [200] * 101
        async with await shop.connect() as stream:
            await stream.send(GET.replace(b"/ ", b"/events ", 1))
            await read_until(stream, b"ready\n\n")
        with anyio.fail_after(1):
            await cancelled.wait()

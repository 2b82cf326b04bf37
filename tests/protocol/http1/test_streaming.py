"""Answers that stream: chunks, clients that leave or half-close, shutdown: rows H47, H51 to H59."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Final

import anyio
import pytest
from anyio.abc import SocketStream

from catshop.limits import HttpLimits
from catshop.protocol.http1.messages import (
    STREAMED,
    Answer,
    ClientGone,
    Leave,
    Request,
    Streamed,
)

Opener = Callable[..., AbstractAsyncContextManager[Any]]
Reader = Callable[[SocketStream, bytes], Awaitable[bytes]]

LIMITS: Final = HttpLimits(linger_seconds=0.2, drain_seconds=3.0, probe_seconds=0.05)
EVENTS: Final = (("content-type", "text/event-stream"),)
GET: Final = b"GET /events HTTP/1.1\r\nHost: shop\r\n\r\n"
LAST: Final = b"GET /events HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"


async def three(request: Request) -> Answer | Streamed:
    sink = await request.stream(200, EVENTS, leave=Leave.CANCELS)
    for number in range(3):
        await sink.send(b"data: %d\n\n" % number)
    await sink.send(b"")
    return STREAMED


CHUNKS: Final = b"9\r\ndata: 0\n\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n"


async def test_a_stream_is_sent_in_chunks_and_the_connection_serves_on(open_shop: Opener) -> None:
    """RFC 9112 §7.1, §9.3."""
    async with open_shop(three) as shop:
        answer = await shop.talk(GET + LAST)
    assert answer.count(b"transfer-encoding: chunked\r\n") == 2
    assert answer.count(b"\r\n\r\n" + CHUNKS) == 2
    assert answer.count(b"connection: close") == 1


@pytest.mark.parametrize("leave", Leave)
async def test_a_handler_that_returns_ends_its_stream_and_not_the_connection(
    open_shop: Opener, read_until: Reader, leave: Leave
) -> None:
    """One after the other, each asked for once the last is read. RFC 9112 §9.3."""

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, EVENTS, leave=leave)
        await sink.send(b"data: 0\n\n")
        return STREAMED

    async with open_shop(handler) as shop, await shop.connect() as stream:
        for _ in range(3):
            await stream.send(GET)
            answer = await read_until(stream, b"\r\n0\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"connection: close" not in answer
            assert shop.server.connections == 1


async def test_http_1_0_knows_the_end_of_a_stream_by_the_close(open_shop: Opener) -> None:
    """RFC 9112 §6.3, §7."""
    async with open_shop(three) as shop:
        answer = await shop.talk(b"GET /events HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\ndata: 0\n\ndata: 1\n\ndata: 2\n\n")
    assert b"transfer-encoding" not in answer


async def test_head_of_a_stream_has_no_body(open_shop: Opener) -> None:
    """Row H39. RFC 9110 §9.3.2."""
    async with open_shop(three) as shop:
        answer = await shop.talk(LAST.replace(b"GET", b"HEAD") + GET)
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1


async def test_the_rest_of_a_request_is_read_before_a_stream_begins(open_shop: Opener) -> None:
    """RFC 9112 §9.3."""
    async with open_shop(three) as shop:
        post = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\n"
        assert await shop.statuses(post, b"hello", LAST) == [200, 200]


async def test_a_handler_that_fails_leaves_its_stream_without_an_end(open_shop: Opener) -> None:
    """Row H47: the client sees that it is not whole. RFC 9112 §8."""

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, EVENTS, leave=Leave.CANCELS)
        await sink.send(b"data: 0\n\n")
        raise RuntimeError

    async with open_shop(handler) as shop:
        answer = await shop.talk(GET)
    assert answer.endswith(b"9\r\ndata: 0\n\n\r\n")


async def test_closing_a_sink_ends_the_connection_while_the_handler_runs_on(
    open_shop: Opener,
) -> None:
    """RFC 9112 §9.6."""
    release, finished = anyio.Event(), anyio.Event()

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, EVENTS, leave=Leave.CONTINUES)
        await sink.close()
        await sink.close()
        await release.wait()
        with pytest.raises(ClientGone):
            await sink.send(b"data: late\n\n")
        finished.set()
        return STREAMED

    async with open_shop(handler) as shop:
        answer = await shop.talk(GET)
        assert answer.endswith(b"0\r\n\r\n")
        release.set()
        with anyio.fail_after(5):
            await finished.wait()


class Endless:
    """A handler that streams until something ends it, and says what."""

    def __init__(self, leave: Leave, fields: Any = EVENTS, padding: bytes = b"") -> None:
        self.leave, self.fields, self.padding = leave, fields, padding
        self.gone, self.cancelled, self.go_on = anyio.Event(), anyio.Event(), anyio.Event()

    async def __call__(self, request: Request) -> Streamed:
        sink = await request.stream(200, self.fields, leave=self.leave)
        await sink.send(b"data: ready\n\n")
        try:
            await self.go_on.wait()
            while True:
                await sink.send(b"data: more" + self.padding + b"\n\n")
        except ClientGone:
            self.gone.set()
        except anyio.get_cancelled_exc_class():
            self.cancelled.set()
            raise
        return STREAMED


@pytest.mark.parametrize("leaving", ["close", "reset"])
async def test_where_leaving_cancels_the_handler_is_cancelled_within_a_second(
    open_shop: Opener, read_until: Reader, leaving: str
) -> None:
    """Row H54. MCP 2026-07-28 basic/transports/streamable-http §cancellation."""
    handler = Endless(Leave.CANCELS)
    async with open_shop(handler, replace(LIMITS, probe_seconds=0.25)) as shop:
        stream = await shop.connect()
        await stream.send(GET)
        await read_until(stream, b"ready\n\n\r\n")
        if leaving == "reset":
            await stream.send(b"octets that nobody reads")
        await stream.aclose()
        with anyio.fail_after(1):
            await handler.cancelled.wait()
        await shop.all_gone()


async def test_where_leaving_changes_nothing_the_handler_runs_on_unheard(
    open_shop: Opener, read_until: Reader
) -> None:
    """Row H55. MCP 2025-11-25 basic/transports §sending-messages-to-the-server."""
    handler = Endless(Leave.CONTINUES)
    async with open_shop(handler, LIMITS) as shop:
        stream = await shop.connect()
        await stream.send(GET)
        await read_until(stream, b"ready\n\n\r\n")
        await stream.aclose()
        handler.go_on.set()
        with anyio.fail_after(5):
            await handler.gone.wait()
        assert not handler.cancelled.is_set()
        await shop.all_gone()


async def test_a_half_closed_client_is_probed_with_comments_and_still_served(
    open_shop: Opener, read_until: Reader
) -> None:
    """Row H52: an end of its sending is no leave. RFC 9112 §9.6, WHATWG HTML §9.2.7."""
    handler = Endless(Leave.CANCELS)
    async with open_shop(handler, LIMITS) as shop, await shop.connect() as stream:
        await stream.send(GET)
        await stream.send_eof()
        await read_until(stream, b"3\r\n:\n\n\r\n3\r\n:\n\n\r\n")
        assert not handler.cancelled.is_set()
        handler.go_on.set()
        await read_until(stream, b"data: more\n\n")


async def test_a_quiet_event_stream_gets_comments(open_shop: Opener, read_until: Reader) -> None:
    """WHATWG HTML §9.2.7."""
    limits = replace(LIMITS, keepalive_comment_seconds=0.05)
    async with (
        open_shop(Endless(Leave.CANCELS), limits) as shop,
        await shop.connect() as stream,
    ):
        await stream.send(GET)
        await read_until(stream, b"3\r\n:\n\n\r\n3\r\n:\n\n\r\n")


async def test_a_stream_that_is_no_event_stream_gets_nothing_but_its_data(
    open_shop: Opener, read_until: Reader
) -> None:
    """RFC 9110 §8.3."""
    handler = Endless(Leave.CANCELS, (("content-type", "text/plain"),))
    limits = replace(LIMITS, keepalive_comment_seconds=0.02)
    async with open_shop(handler, limits) as shop, await shop.connect() as stream:
        await stream.send(GET)
        await stream.send_eof()
        await read_until(stream, b"ready\n\n\r\n")
        with anyio.move_on_after(0.1) as quiet:
            await stream.receive()
        assert quiet.cancelled_caught


@pytest.mark.parametrize("leave", Leave)
async def test_a_client_that_never_reads_its_events_is_given_up(
    open_shop: Opener, leave: Leave
) -> None:
    """Row H51. RFC 9112 §9.5."""
    handler = Endless(leave, padding=b"." * 65536)
    handler.go_on.set()
    async with (
        open_shop(handler, replace(LIMITS, write_seconds=0.2)) as shop,
        await shop.connect() as stream,
    ):
        await stream.send(GET)
        with anyio.fail_after(5):
            await handler.gone.wait()
        await shop.all_gone()


@pytest.mark.parametrize("leave", Leave)
async def test_a_stream_whose_write_was_cancelled_is_cut_and_never_ended(
    open_shop: Opener, converse: Callable[..., Awaitable[bytes]], leave: Leave
) -> None:
    """A last chunk inside another chunk would be data. RFC 9112 §7.1, §8."""
    cancelled = anyio.Event()

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, EVENTS, leave=leave)
        with anyio.move_on_after(0.2) as scope:
            await sink.send(b"." * 50_000_000)
        assert scope.cancelled_caught
        cancelled.set()
        with pytest.raises(ClientGone):
            await sink.send(b"data: late\n\n")
        await sink.close()
        return STREAMED

    async with open_shop(handler, LIMITS) as shop, await shop.connect() as stream:
        await stream.send(GET)
        with anyio.fail_after(5):
            await cancelled.wait()
        received = await converse(stream)
        assert not received.endswith(b"0\r\n\r\n")
        await shop.all_gone()


async def test_a_write_that_was_cancelled_before_it_began_leaves_the_stream_whole(
    open_shop: Opener,
) -> None:
    """RFC 9112 §7.1."""

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, EVENTS, leave=Leave.CANCELS)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await sink.send(b"data: never\n\n")
        await sink.send(b"data: bye\n\n")
        return STREAMED

    async with open_shop(handler, LIMITS) as shop:
        answer = await shop.talk(LAST)
    assert answer.endswith(b"\r\n\r\nb\r\ndata: bye\n\n\r\n0\r\n\r\n")


async def test_what_a_client_sends_while_it_is_streamed_to_waits_its_turn(
    open_shop: Opener, read_until: Reader
) -> None:
    """Row H26. RFC 9112 §9.3.2."""
    release = anyio.Event()

    async def handler(request: Request) -> Answer | Streamed:
        if request.head.path != "/events":
            return Answer(204)
        sink = await request.stream(200, EVENTS, leave=Leave.CANCELS)
        await sink.send(b"data: ready\n\n")
        await release.wait()
        return STREAMED

    async with open_shop(handler, replace(LIMITS, read_size=512)) as shop:
        async with await shop.connect() as stream:
            await stream.send(GET)
            await read_until(stream, b"ready\n\n\r\n")
            await stream.send(b"GET /next HTTP/1.1\r\nHost: shop\r\n\r\n" * 10)
            release.set()
            answer = await read_until(stream, b"204")
            while answer.count(b"204 No Content") < 10:
                answer += await read_until(stream, b"204")
        assert shop.paths == ["/events"] + ["/next"] * 10


@pytest.mark.parametrize("leave", Leave)
async def test_a_client_that_sends_more_than_may_wait_while_it_is_streamed_to_is_cut(
    open_shop: Opener, read_until: Reader, leave: Leave
) -> None:
    """Row H54: only who reads on notices a reset. RFC 9112 §9.3.2, §9.5."""
    handler = Endless(leave)
    async with open_shop(handler, replace(LIMITS, read_size=64)) as shop:
        stream = await shop.connect()
        await stream.send(GET)
        await read_until(stream, b"ready\n\n\r\n")
        await stream.send(b"octets that nobody asked for, " * 3)
        if leave is Leave.CANCELS:
            with anyio.fail_after(1):
                await handler.cancelled.wait()
        handler.go_on.set()
        await shop.all_gone()
        await stream.aclose()


async def patient(request: Request) -> Answer | Streamed:
    """A handler that says STREAMED even when nobody is there to stream to."""
    try:
        return await three(request)
    except ClientGone:
        return STREAMED


async def test_head_of_a_stream_is_no_failure_of_its_handler(
    open_shop: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9110 §9.3.2."""
    head = GET.replace(b"GET", b"HEAD")
    async with open_shop(patient) as shop:
        assert await shop.statuses(head + head + LAST.replace(b"GET", b"HEAD")) == [200] * 3
    assert not [found for found in caplog.records if found.levelno >= logging.WARNING]


async def test_a_client_that_left_before_its_stream_began_is_no_failure_of_its_handler(
    open_shop: Opener, read_until: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    """Row H53. RFC 9112 §9.5."""
    over = anyio.Event()

    async def handler(request: Request) -> Answer | Streamed:
        try:
            return await patient(request)
        finally:
            over.set()

    async with open_shop(handler) as shop:
        stream = await shop.connect()
        expecting = (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        await stream.send(expecting)
        await read_until(stream, b"100 Continue\r\n\r\n")
        await stream.aclose()
        with anyio.fail_after(5):
            await over.wait()
        await shop.all_gone()
    assert not [found for found in caplog.records if found.levelno >= logging.WARNING]


async def test_a_handler_whose_stream_could_not_begin_in_time_can_say_nothing_else(
    open_shop: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a head may be out. RFC 9112 §8."""

    async def handler(request: Request) -> Answer:
        with anyio.CancelScope() as scope:
            await request.body()
            scope.cancel()
            await request.stream(200, EVENTS, leave=Leave.CANCELS)
        return Answer(200, body=b"something else")

    async with open_shop(handler) as shop:
        assert b"something else" not in await shop.talk(GET)
    assert not [found for found in caplog.records if found.levelno >= logging.WARNING]


async def test_a_handler_that_forgot_its_stream_is_told_500(
    open_shop: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9110 §15.6.1."""

    async def handler(_: Request) -> Streamed:
        return STREAMED

    async with open_shop(handler) as shop:
        assert await shop.statuses(LAST) == [500]
    assert "said STREAMED without a stream" in caplog.text


async def test_a_stream_is_told_when_the_server_drains(
    open_shop: Opener, read_until: Reader
) -> None:
    """Row H58. RFC 9112 §9.6."""

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, EVENTS, leave=Leave.CANCELS)
        await sink.send(b"data: ready\n\n")
        await request.wait_draining()
        await sink.send(b"data: bye\n\n")
        return STREAMED

    async with open_shop(handler, LIMITS) as shop, await shop.connect() as stream:
        await stream.send(GET)
        await read_until(stream, b"ready\n\n\r\n")
        shop.server.drain()
        assert b"data: bye\n\n\r\n0\r\n\r\n" in await read_until(stream, b"0\r\n\r\n")
        with anyio.fail_after(1), pytest.raises(anyio.EndOfStream):
            await stream.receive()


async def test_a_stream_that_begins_while_the_server_drains_is_the_last(
    open_shop: Opener, read_until: Reader
) -> None:
    """Row H58. RFC 9112 §9.6."""
    entered = anyio.Event()

    async def handler(request: Request) -> Answer | Streamed:
        entered.set()
        await request.wait_draining()
        return await three(request)

    async with open_shop(handler, LIMITS) as shop, await shop.connect() as stream:
        await stream.send(GET)
        with anyio.fail_after(5):
            await entered.wait()
        shop.server.drain()
        answer = await read_until(stream, b"0\r\n\r\n")
        assert b"connection: close\r\n" in answer
        assert answer.endswith(CHUNKS)


async def test_a_stream_that_does_not_listen_is_cut_at_the_end_of_the_drain(
    open_shop: Opener, read_until: Reader
) -> None:
    """Row H59. RFC 9112 §9.6."""
    handler = Endless(Leave.CONTINUES)
    limits = replace(LIMITS, drain_seconds=0.1)
    async with open_shop(handler, limits) as shop, await shop.connect() as stream:
        await stream.send(GET)
        await read_until(stream, b"ready\n\n\r\n")
        shop.server.drain()
        with anyio.fail_after(5):
            await handler.cancelled.wait()

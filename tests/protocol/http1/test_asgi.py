"""The same handlers inside somebody else's ASGI server: by raw calls, and inside uvicorn."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import anyio
import pytest
import uvicorn

from catshop.kernel import Event, Kind, Trace
from catshop.limits import HttpLimits
from catshop.protocol.http1.asgi import asgi_app
from catshop.protocol.http1.guard import Cors, Guard
from catshop.protocol.http1.messages import (
    STREAMED,
    Answer,
    ClientGone,
    Handler,
    Leave,
    Request,
    Streamed,
    json_answer,
)
from catshop.protocol.http1.routes import Route, Router
from catshop.protocol.http1.server import bind, port_of

LIMITS: Final = HttpLimits(body=64)
EVENTS: Final = (("content-type", "text/event-stream"),)


async def echo(request: Request) -> Answer | Streamed:
    body = await request.body()
    assert await request.body() == body
    head = request.head
    return json_answer(200, {"path": head.path, "query": head.query, "body": body.decode()})


async def stream(request: Request) -> Answer | Streamed:
    sink = await request.stream(200, EVENTS, leave=Leave.CANCELS)
    await sink.send(b"data: 1\n\n")
    await sink.send(b"data: 2\n\n")
    return STREAMED


def scope(method: str = "GET", path: str = "/p", **more: Any) -> dict[str, Any]:
    return {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": b"", "root_path": "", "http_version": "1.1", "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"shop")], **more,
    }  # fmt: skip


class Host:
    """An ASGI server made of two lists: what the client does, and what it gets."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.sent: list[Any] = []
        self.gone = anyio.Event()
        self._messages = list(messages or [{"type": "http.request"}])

    async def receive(self) -> Any:
        if self._messages:
            return self._messages.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    async def call(
        self,
        handler: Handler,
        requested: dict[str, Any],
        limits: HttpLimits = LIMITS,
        trace: Trace | None = None,
    ) -> Host:
        app = asgi_app(handler, limits=limits, trace=trace or Trace(), new_id=lambda: "id-1")
        with anyio.fail_after(5):
            await app(requested, self.receive, self.send)
        return self


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_request_is_answered_as_on_our_own_server() -> None:
    """RFC 9110 §6.4."""
    host = await Host(part(b"he", more=True), part(b"llo")).call(
        echo, scope("POST", "/a%20b", query_string=b"x=%20")
    )
    assert host.body == b'{"path":"/a%20b","query":"x=%20","body":"hello"}'
    headers = dict(host.sent[0]["headers"])
    assert headers[b"content-length"] == b"%d" % len(host.body)
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"x-request-id"] == b"id-1"


@pytest.mark.parametrize(
    ("requested", "path"),
    [
        pytest.param(scope(path="/shop/p", root_path="/shop"), "/p", id="path-with-mount"),
        pytest.param(scope(path="/p", root_path="/shop"), "/p", id="path-without-mount"),
        pytest.param(scope(path="/shop", root_path="/shop"), "/", id="mount-itself"),
        pytest.param(scope(path="/\u00e9 %", raw_path=None), "/%C3%A9%20%25", id="no-raw-path"),
        pytest.param(scope(path="/p", raw_path=b"/p?q"), "/p", id="query-in-raw-path"),
    ],
)
async def test_the_mount_point_is_taken_off_the_path(requested: dict[str, Any], path: str) -> None:
    """RFC 9112 §3.2."""
    host = await Host().call(echo, requested)
    assert f'"path":"{path}"'.encode() in host.body


@pytest.mark.parametrize(
    ("requested", "status"),
    [
        pytest.param(scope(headers=[]), 400, id="H29-no-host"),
        pytest.param(scope(headers=[(b"host", b"a")] * 2), 400, id="H29-two-hosts"),
        pytest.param(scope(headers=[(b"host", b"a/b")]), 400, id="bad-host"),
        pytest.param(scope(path="/%00"), 400, id="H32-target"),
        pytest.param(scope("BREW"), 501, id="H38-method"),
        pytest.param(
            scope("POST", headers=[(b"host", b"a"), (b"content-length", b"65")]), 413, id="H40"
        ),
    ],
)
async def test_heads_are_held_to_our_own_rules(requested: dict[str, Any], status: int) -> None:
    """RFC 9112 §3.2, RFC 9110 §15.5.14."""
    assert (await Host().call(echo, requested)).status == status


async def test_white_space_around_a_value_is_no_part_of_it() -> None:
    """RFC 9110 §5.5."""
    values: list[str | None] = []

    async def handler(request: Request) -> Answer:
        values.append(request.fields.get("mcp-name"))
        return json_answer(200, {})

    headers = [(b"host", b"shop"), (b"mcp-name", b" \tname \t")]
    assert (await Host().call(handler, scope(headers=headers))).status == 200
    assert values == ["name"]


async def test_a_body_is_bounded_however_it_comes() -> None:
    """Row H40. RFC 9110 §15.5.14."""
    host = Host(part(b"a" * 60, more=True), part(b"a" * 5, more=True))
    assert (await host.call(echo, scope("POST"))).status == 413


async def test_a_body_that_does_not_come_is_refused() -> None:
    """Row H49. RFC 9110 §15.5.9."""
    host = Host(part(b"a", more=True))
    assert (await host.call(echo, scope("POST"), replace(LIMITS, body_seconds=0.05))).status == 408


async def test_a_client_that_leaves_in_its_body_is_not_answered() -> None:
    """Row H23. RFC 9112 §8."""
    host = Host(part(b"a", more=True))
    host.gone.set()
    assert not (await host.call(echo, scope("POST"))).sent


async def test_a_stream_is_sent_piece_by_piece() -> None:
    host = await Host().call(stream, scope())
    assert [message.get("more_body") for message in host.sent] == [None, True, True, False]
    assert host.body == b"data: 1\n\ndata: 2\n\n"


@pytest.mark.parametrize("handler", [echo, stream])
async def test_head_has_no_body(handler: Handler) -> None:
    """Row H39. RFC 9110 §9.3.2."""
    host = await Host().call(handler, scope("HEAD"))
    assert host.status == 200
    assert host.body == b""


async def test_an_answer_without_content_has_no_length() -> None:
    """RFC 9110 §8.6."""

    async def handler(_: Request) -> Answer:
        return Answer(204)

    assert b"content-length" not in dict((await Host().call(handler, scope())).sent[0]["headers"])


@pytest.mark.parametrize("leave", Leave)
async def test_leaving_means_what_the_handler_says(leave: Leave) -> None:
    """Rows H54, H55. MCP 2026-07-28 basic/transports/streamable-http §cancellation."""
    host, ended = Host(), list[str]()

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, EVENTS, leave=leave)
        host.gone.set()
        try:
            if leave is Leave.CANCELS:
                await anyio.sleep_forever()
            while True:
                await sink.send(b"x")
        except ClientGone:
            ended.append("gone")
        except anyio.get_cancelled_exc_class():
            ended.append("cancelled")
            raise
        return STREAMED

    await host.call(handler, scope())
    assert ended == ["cancelled" if leave is Leave.CANCELS else "gone"]


async def test_a_host_that_cannot_send_means_that_the_client_has_gone() -> None:
    """Row H53."""
    host, ended = Host(), list[str]()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, EVENTS, leave=Leave.CONTINUES)
        try:
            await sink.send(b"x")
        except ClientGone:
            ended.append("gone")
        return STREAMED

    await asgi_app(handler, limits=LIMITS, trace=Trace())(scope(), host.receive, send)
    assert ended == ["gone"]


async def test_a_quiet_event_stream_gets_comments() -> None:
    """WHATWG HTML §9.2.7."""
    host = Host()
    commented = anyio.Event()

    async def send(message: Any) -> None:
        if message.get("body") == b":\n\n":
            commented.set()

    async def handler(request: Request) -> Streamed:
        await request.stream(200, EVENTS, leave=Leave.CANCELS)
        await commented.wait()
        return STREAMED

    limits = replace(LIMITS, keepalive_comment_seconds=0.02)
    with anyio.fail_after(5):
        await asgi_app(handler, limits=limits, trace=Trace())(scope(), host.receive, send)


def told(trace: Trace) -> list[tuple[str, dict[str, Any]]]:
    """What the observers are told of HTTP, as it is told."""
    events: list[tuple[str, dict[str, Any]]] = []

    def hear(event: Event) -> None:
        if event.kind is not Kind.BYTES:
            events.append((event.name, dict(event.fields)))

    trace.observe(hear)
    return events


async def test_an_observer_sees_bodies_and_events_as_on_our_own_server() -> None:
    """A recording of a mounted shop says no less than one of a shop that serves."""
    trace = Trace()
    heard = told(trace)
    kind = [(b"host", b"shop"), (b"content-type", b"text/plain")]
    await Host(part(b"hello")).call(echo, scope("POST", headers=kind), trace=trace)
    assert [name for name, _ in heard] == ["request", "body", "answer"]
    assert (heard[1][1]["content_type"], heard[1][1]["body"]) == ("text/plain", b"hello")
    assert b'"body":"hello"' in heard[2][1]["body"]
    assert ("content-type", "application/json") in heard[2][1]["fields"]
    heard.clear()
    await Host().call(stream, scope(), trace=trace)
    assert [name for name, _ in heard] == ["request", "stream", "event", "event", "answer"]
    assert [fields["body"] for name, fields in heard if name == "event"] == [
        b"data: 1\n\n",
        b"data: 2\n\n",
    ]
    heard.clear()
    await Host().call(echo, scope("BREW"), trace=trace)
    assert [name for name, _ in heard] == ["request.sound", "answer"]


async def test_failures_leave_by_the_same_door() -> None:
    """Rows H46, H47. RFC 9110 §15.6.1, RFC 9112 §11.1."""

    async def fails(_: Request) -> Answer:
        raise RuntimeError("hush")

    async def splits(_: Request) -> Answer:
        return Answer(200, (("x", "a\r\nb"),))

    async def streamless(_: Request) -> Streamed:
        return STREAMED

    for handler in (fails, splits, streamless):
        host = await Host().call(handler, scope())
        assert host.status == 500
        assert b"E-HTTP-50" in host.body
        assert b"hush" not in host.body


async def test_a_handler_that_fails_leaves_its_stream_without_an_end() -> None:
    """Row H47. RFC 9112 §8."""

    async def handler(request: Request) -> Streamed:
        await request.stream(200, EVENTS, leave=Leave.CANCELS)
        raise RuntimeError

    assert len((await Host().call(handler, scope())).sent) == 1


async def test_a_lifespan_is_entered_around_everything() -> None:
    steps: list[str] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        steps.append("up")
        yield
        steps.append("down")

    host = Host({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    app = asgi_app(echo, limits=LIMITS, trace=Trace(), lifespan=lifespan)
    await app({"type": "lifespan"}, host.receive, host.send)
    assert steps == ["up", "down"]
    assert [message["type"] for message in host.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


@pytest.mark.parametrize("phase", ["startup", "shutdown"])
async def test_a_lifespan_that_fails_says_so(phase: str) -> None:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        if phase == "startup":
            raise RuntimeError("no disk")
        yield
        raise RuntimeError("no disk")

    host = Host({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    app = asgi_app(echo, limits=LIMITS, trace=Trace(), lifespan=lifespan)
    with pytest.raises(RuntimeError, match="no disk"):
        await app({"type": "lifespan"}, host.receive, host.send)
    assert host.sent[-1] == {"type": f"lifespan.{phase}.failed", "message": "no disk"}


async def test_a_stream_learns_of_the_shutdown_that_the_host_announces() -> None:
    """Row H58."""
    told, host = anyio.Event(), Host()
    app_host = Host({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})

    async def handler(request: Request) -> Answer:
        await request.wait_draining()
        told.set()
        return Answer(204)

    app = asgi_app(handler, limits=LIMITS, trace=Trace())
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(app, scope(), host.receive, host.send)
            tasks.start_soon(app, {"type": "lifespan"}, app_host.receive, app_host.send)
    assert told.is_set()


async def test_websockets_are_declined_and_strangers_refused() -> None:
    host = Host()
    app = asgi_app(echo, limits=LIMITS, trace=Trace())
    await app({"type": "websocket"}, host.receive, host.send)
    assert host.sent == [{"type": "websocket.close", "code": 1000}]
    with pytest.raises(ValueError, match="no such ASGI scope"):
        await app({"type": "tea"}, host.receive, host.send)


ROUTER: Final = Router(
    [
        Route("/echo", {"POST": echo, "GET": echo}, Cors.NONE),
        Route("/events", {"GET": stream}, Cors.LISTED),
    ],
    Guard(),
    Trace(),
)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_uvicorn_can_host_it_on_a_real_socket(
    converse: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Uvicorn knows asyncio alone. RFC 9112 §7.1."""
    caplog.set_level(logging.INFO, "catshop.http")
    listeners = await bind(["127.0.0.1"], 0)
    raw = listeners[0].extra_attributes[anyio.abc.SocketAttribute.raw_socket]()
    app = asgi_app(ROUTER, limits=LIMITS, trace=Trace())
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on", http="h11"))
    requests = (
        b"POST /echo?a=%20b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
        b"GET /events HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:1\r\n\r\n"
        b"GET /echo HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n"
    )
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [raw.dup()])
            stream = await anyio.connect_tcp("127.0.0.1", port_of(listeners[0]))
            async with stream:
                answer = await converse(stream, requests)
            server.should_exit = True
    await listeners[0].aclose()
    assert b'{"path":"/echo","query":"a=%20b","body":"hello"}' in answer
    assert b"9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n" in answer
    assert b"access-control-allow-origin: http://localhost:1\r\n" in answer
    assert b"HTTP/1.1 421 Misdirected Request" in answer
    assert "POST /echo 200" in caplog.text

"""A proxy that both sides can live with: what it changes, what it must not, and what it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import anyio
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catshop.inspector.proxy import Swap, origin_of, proxying
from catshop.inspector.recorder import Memory, Recorder
from catshop.inspector.recording import Frame, RecordingRefused
from catshop.kernel import Trace
from catshop.limits import HttpLimits
from catshop.protocol.http1.messages import STREAMED, Answer, Leave, Request, Streamed
from catshop.protocol.http1.server import Server, bind, port_of
from tests.support.hosting import BOTH
from tests.support.person import CALLBACK, Person
from tests.support.shop import open_shop
from tests.support.terminal import Terminal
from tests.support.visit import recorder

THERE, HERE = "http://127.0.0.1:80", "http://127.0.0.1:9999"
SSE = (("content-type", "text/event-stream"),)

Served = Callable[[Request], Awaitable[Answer | Streamed]]


@asynccontextmanager
async def served(handler: Served, trace: Trace | None = None) -> AsyncIterator[str]:
    """A handler on a free port: its origin."""
    listeners = await bind(("127.0.0.1",), 0)
    server = Server(handler, limits=HttpLimits(), trace=trace or Trace())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, listeners)
        yield f"http://127.0.0.1:{port_of(listeners[0])}"
        server.stop()
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def before(server: str, trace: Trace | None = None) -> AsyncIterator[str]:
    """A proxy before that server: its origin."""
    listeners = await bind(("127.0.0.1",), 0)
    here = f"http://127.0.0.1:{port_of(listeners[0])}"
    async with proxying(server, here) as proxy, anyio.create_task_group() as tasks:
        passing = Server(proxy, limits=HttpLimits(), trace=trace or Trace())
        tasks.start_soon(passing.serve, listeners)
        yield here
        passing.stop()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        pytest.param(f"{THERE}/mcp", f"{HERE}/mcp", id="plain"),
        pytest.param(f'"{THERE}"', f'"{HERE}"', id="quoted"),
        pytest.param("http%3A%2F%2F127.0.0.1%3A80%2F", "http%3A%2F%2F127.0.0.1%3A9999%2F", id="%"),
        pytest.param("http%3a%2f%2f127.0.0.1%3a80&", "http%3a%2f%2f127.0.0.1%3a9999&", id="small"),
        pytest.param(r"http:\/\/127.0.0.1:80\/", r"http:\/\/127.0.0.1:9999\/", id="json"),
        pytest.param("http://127.0.0.1:8000/mcp", "http://127.0.0.1:8000/mcp", id="another-port"),
        pytest.param("http://127.0.0.1:80.example", "http://127.0.0.1:80.example", id="a-name"),
        pytest.param("http://x:80", "http://x:80", id="another-host"),
    ],
)  # fmt: skip
def test_an_origin_is_swapped_however_it_is_spelled_and_no_other(text: str, swapped: str) -> None:
    assert Swap(THERE, HERE).text(text) == swapped


@given(st.lists(st.integers(0, 60), max_size=6))
def test_a_stream_in_pieces_is_swapped_as_a_whole_one_is(cuts: list[int]) -> None:
    """Wherever the network cuts it, and nothing but the beginning of an origin is held back."""
    swap, text = Swap(THERE, HERE), f"data: {THERE}/a http:/ {THERE}\n\nh".encode()
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    sent, held = b"", b""
    for start, end in pairwise(edges):
        ready, held = swap.split(held + text[start:end])
        sent += ready
        assert held in b"".join([THERE.encode(), b" h"])
    assert sent + swap(held) == swap(text)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://x/", "http:///mcp", "http://u:p@x/", "http://x/?a", "http://x/#a"]
)  # fmt: skip
def test_what_is_no_address_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(RecordingRefused) as refused:
        origin_of(url)
    assert refused.value.code == "E-PROXY-02"


async def test_a_whole_sign_in_passes_and_both_sides_find_their_own_address(tmp_path: Path) -> None:
    """RFC 9728 §3.3, RFC 8414 §3.3, RFC 8707 §2: each is compared with what the client typed."""
    trace, (made, memory) = Trace(), recorder()
    trace.observe(made)
    async with (
        open_shop(tmp_path) as shop,
        before(shop.url, trace) as here,
        httpx2.AsyncClient() as client,
    ):
        challenge = (await client.post(f"{here}/mcp")).headers["www-authenticate"]
        assert f'resource_metadata="{here}/.well-known/oauth-protected-resource/mcp"' in challenge
        resource = (await client.get(f"{here}/.well-known/oauth-protected-resource/mcp")).json()
        assert (resource["resource"], resource["authorization_servers"]) == (f"{here}/mcp", [here])
        server = (await client.get(f"{here}/.well-known/oauth-authorization-server")).json()
        assert server["issuer"] == here
        wanted = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        born = (await client.post(server["registration_endpoint"], json=wanted)).json()
        asked = {
            "response_type": "code",
            "client_id": born["client_id"],
            "redirect_uri": CALLBACK,
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
            "resource": f"{here}/mcp",
        }
        person = Person(client, "alice", "correct horse battery")
        await person.open(f"{server['authorization_endpoint']}?{httpx2.QueryParams(asked)}")
        assert person.answer.iss == here
        form = {
            "grant_type": "authorization_code",
            "code": person.answer.code,
            "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "client_id": born["client_id"],
            "redirect_uri": CALLBACK,
            "resource": f"{here}/mcp",
        }
        answer = await client.post(server["token_endpoint"], data=form)
        assert answer.status_code == 200, answer.text
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}", "Accept": BOTH}
        assert (await client.post(f"{here}/mcp", headers=bearer, json=[])).status_code == 400
    seen = memory.recording().exchanges
    assert len(seen) == 11
    assert seen[len(seen)].flow == seen[4].flow != 0


async def test_an_event_passes_before_the_next_one_is_made(tmp_path: Path) -> None:
    """Nothing is buffered: the server waits until the client has the first event."""
    arrived, trace, memory = anyio.Event(), Trace(), Memory()
    recorder = Recorder()
    recorder.watch(memory)
    trace.observe(recorder)

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, SSE, leave=Leave.CANCELS)
        await sink.send(b"data: one\n\n")
        await arrived.wait()
        await sink.send(b"data: two\n\n")
        return STREAMED

    with anyio.fail_after(10):
        async with (
            served(handler) as there,
            before(there, trace) as here,
            httpx2.AsyncClient() as client,
            client.stream("GET", here) as answer,
        ):
            pieces = answer.aiter_bytes()
            assert await anext(pieces) == b"data: one\n\n"
            arrived.set()
            assert await anext(pieces) == b"data: two\n\n"
            assert [piece async for piece in pieces] == []
    (exchange,) = memory.recording().exchanges.values()
    assert [frame.text for frame in exchange.every(Frame)] == ["data: one", "data: two"]


async def test_a_client_that_leaves_is_gone_for_the_server_too() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §cancellation."""
    gone = anyio.Event()

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, SSE, leave=Leave.CANCELS)
        try:
            await sink.send(b"data: one\n\n")
            await anyio.sleep_forever()
        finally:
            gone.set()
        return STREAMED

    with anyio.fail_after(10):
        async with served(handler) as there, before(there) as here:
            stream = await anyio.connect_tcp("127.0.0.1", int(here.rpartition(":")[2]))
            async with stream:
                await stream.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                while b"data: one" not in await stream.receive():
                    pass
            await gone.wait()


async def test_a_stream_that_breaks_off_breaks_off_for_the_client() -> None:
    """RFC 9112 §8: an incomplete answer must not look complete."""

    async def handler(request: Request) -> Streamed:
        sink = await request.stream(200, SSE, leave=Leave.CANCELS)
        await sink.send(b"data: one\n\n")
        raise RuntimeError

    async with served(handler) as there, before(there) as here, httpx2.AsyncClient() as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get(here)


async def test_fields_pass_but_for_those_of_the_hop() -> None:
    """RFC 9110 §7.6.1. The Host is the server's, and an Origin of ours becomes its own."""
    seen: list[dict[str, str]] = []

    async def handler(request: Request) -> Answer:
        seen.append(dict(request.fields))
        fields = (("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-own", "1"))
        return Answer(200, fields, await request.body())

    async with served(handler) as there, before(there) as here, httpx2.AsyncClient() as client:
        sent = {"Origin": here, "Connection": "x-hop", "X-Hop": "1", "X-End": "1", "TE": "trailers"}
        answer = await client.post(f"{here}/a?b=c", headers=sent, content=b"\x00\xff")
    (arrived,) = seen
    assert (arrived["host"], arrived["origin"]) == (there.removeprefix("http://"), there)
    assert (arrived["x-end"], arrived["accept-encoding"]) == ("1", "identity")
    assert not {"x-hop", "te"} & arrived.keys()
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert (answer.headers["x-own"], answer.content) == ("1", b"\x00\xff")
    assert len(answer.headers.get_list("date")) == 1


async def test_a_server_that_is_not_there_is_a_502() -> None:
    """RFC 9110 §15.6.3."""
    async with before("http://127.0.0.1:9") as here, httpx2.AsyncClient() as client:
        answer = await client.get(here)
    assert (answer.status_code, answer.json()["code"]) == (502, "E-PROXY-01")


async def test_who_asks_for_another_host_is_refused() -> None:
    """A page that was tricked into talking to us gets nothing. MCP 2025-11-25 basic/transports
    §security-warning.
    """
    async with before("http://127.0.0.1:9") as here, httpx2.AsyncClient() as client:
        answer = await client.get(here, headers={"Host": "evil.example"})
    assert answer.status_code == 421


async def test_the_proxy_keeps_no_cookie_of_anybody(tmp_path: Path) -> None:
    """RFC 6265 §5.3: who signs in through it is nobody else, and no request is more than it was."""
    async with open_shop(tmp_path) as shop, before(shop.url) as here:
        async with httpx2.AsyncClient() as http, httpx2.AsyncClient() as browser:
            client = Terminal(here, http, browser)
            await client.register()
            await client.code("alice")
            assert (await browser.get(f"{here}/apps")).status_code == 200
        async with httpx2.AsyncClient() as stranger:
            assert (await stranger.get(f"{here}/apps")).status_code == 303


async def test_a_path_passes_as_it_is(tmp_path: Path) -> None:
    """RFC 3986 §6.2.2.3: what is shown is what the server was sent, dots and all."""
    trace, (made, memory) = Trace(), recorder()
    trace.observe(made)
    async with open_shop(tmp_path, trace) as shop, before(shop.url) as here:
        port = here.rpartition(":")[2]
        async with await anyio.connect_tcp("127.0.0.1", int(port)) as stream:
            await stream.send(
                f"GET /a/../b/./c HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
            )
            assert b" 404 " in await stream.receive()
    [seen] = memory.recording().exchanges.values()
    assert seen.request.target == "/a/../b/./c"

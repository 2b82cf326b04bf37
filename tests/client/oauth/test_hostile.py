"""Servers that mean harm: what they may say, and what this client then does not do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketStream

from catshop.client.oauth import sending as sending_module
from catshop.client.oauth.discovery import discover, read_server
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.sending import sending
from catshop.client.oauth.steps import Ask, fetch, within
from catshop.kernel import Trace
from catshop.protocol.http1.server import bind, port_of
from tests.client.oauth.play import NOT_FOUND, URL, json_reply, metadata, play, protected


@pytest.mark.parametrize(
    ("server", "place", "goes"),
    [
        ("http://127.0.0.1:1/mcp", "http://localhost:2/x", True),
        ("http://127.0.0.1:1/mcp", "https://auth.example/x", True),
        ("https://10.0.0.1/mcp", "https://10.0.0.2/x", True),
        ("https://10.0.0.1/mcp", "http://127.0.0.1/x", False),
        ("https://10.0.0.1/mcp", "https://localhost/x", False),
        ("https://10.0.0.1/mcp", "https://0.0.0.0/x", False),
        ("https://10.0.0.1/mcp", "https://[::ffff:127.0.0.1]/x", False),
        ("https://10.0.0.1/mcp", "https://2130706433/x", False),
    ],
)
def test_who_is_inside_may_point_outwards_and_beside(server: str, place: str, goes: bool) -> None:  # noqa: FBT001 -- a column
    """RFC 9728 §7.7: a server on this machine is how everybody begins."""
    played = play(within(server, fetch("a document", place)), [NOT_FOUND] if goes else [])
    assert (played.failed is None) is goes


@pytest.mark.parametrize("issuer", ["https://[", "https://x:y/", "\x00", "//auth.example"])
def test_an_issuer_that_is_no_address_ends_the_sign_in(issuer: str) -> None:
    """RFC 8414 §2: in an error of ours, and not in a stack."""
    document = json_reply(protected(authorization_servers=[issuer]))
    assert play(discover(URL, None, frozenset()), [document]).code == "E-OAC-01"


def test_a_server_of_2025_03_26_may_close_its_name_with_a_slash() -> None:
    """MCP 2025-03-26 basic/authorization §authorization-base-url: nobody else has named it."""
    named = json_reply(metadata("https://shop.example/"))
    found = play(discover(URL, None, frozenset()), [NOT_FOUND, NOT_FOUND, named]).result
    assert found.server.issuer == "https://shop.example/"
    with pytest.raises(SignInFailed, match="E-OAC-06"):
        read_server(named, "https://shop.example")


# --- On a real socket ---

Serve = Callable[[SocketStream], Awaitable[None]]


@asynccontextmanager
async def answering(serve: Serve) -> AsyncIterator[str]:
    """A server that answers every connection so; its address."""
    [listener] = await bind(("127.0.0.1",), 0)

    async def one(stream: SocketStream) -> None:
        async with stream:
            try:
                await stream.receive()
                await serve(stream)
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                return

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, one)
        yield f"http://127.0.0.1:{port_of(listener)}"
        tasks.cancel_scope.cancel()


async def endless(stream: SocketStream) -> None:
    """A document that never ends."""
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        await stream.send(b" " * 65536)


async def drip(stream: SocketStream) -> None:
    """A document that comes an octet at a time, and never too late."""
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        await stream.send(b" ")


async def elsewhere(stream: SocketStream) -> None:
    """A redirect to where the request was not meant to go."""
    await stream.send(b"HTTP/1.1 307 x\r\nLocation: /stolen\r\nContent-Length: 0\r\n\r\n")


async def mute(stream: SocketStream) -> None:
    """Nothing at all, until the other side has enough."""
    await stream.receive()


@pytest.mark.parametrize(
    ("serve", "code"), [(endless, "E-OAC-23"), (drip, "E-OAC-24"), (mute, "E-OAC-24")]
)
async def test_a_document_is_waited_for_and_read_within_bounds(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, code: str
) -> None:
    """RFC 9728 §3.2, RFC 8414 §3.2: metadata is small, and comes at once."""
    if serve is not endless:
        monkeypatch.setattr(sending_module, "IN_ALL", 0.3)
    async with answering(serve) as url, sending(Trace()) as send:
        with anyio.fail_after(20), pytest.raises(SignInFailed, match=code):
            await send(Ask("a document", "GET", url))


async def test_a_secret_is_not_sent_on_to_where_a_server_points() -> None:
    """RFC 9700 §4.12: a redirect of the token endpoint is an answer, and no good one."""
    seen: list[bytes] = []

    async def watch(stream: SocketStream) -> None:
        seen.append(b"")
        await elsewhere(stream)

    async with answering(watch) as url, sending(Trace()) as send:
        reply = await send(Ask("access token", "POST", url, body=b"code=secret"))
    assert (reply.status, len(seen)) == (307, 1)

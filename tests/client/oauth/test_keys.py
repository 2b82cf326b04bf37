"""What the client signs with. RFC 7638; RFC 7517; RFC 9449 §4.2, §8.2."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import anyio
import httpx2
import jwt
import pytest
from anyio.abc import SocketAttribute, SocketStream

from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.keys import SigningKey, hashed, public
from catshop.client.oauth.possession import Possession
from catshop.client.oauth.sending import BODY, Sender
from catshop.client.oauth.steps import Ask, Reply
from catshop.kernel import Trace
from tests.client.oauth.play import sources


def test_a_thumbprint_is_the_hash_of_what_makes_the_key_what_it_is() -> None:
    """RFC 7638 §3, §3.2; RFC 9449 §6.1. The reader of the field's library agrees."""
    key = SigningKey.generate()
    members = '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' % (key.jwk["x"], key.jwk["y"])  # noqa: UP031 -- the braces are the point
    assert key.thumbprint == hashed(members)


def test_no_private_member_of_a_key_is_ever_shown() -> None:
    """RFC 7517 §9.2."""
    assert set(public({"kty": "EC", "crv": "P-256", "x": "1", "y": "2", "d": "3", "kid": "4"})) == {
        "kty",
        "crv",
        "x",
        "y",
    }


def test_a_key_of_our_own_signs_with_what_every_server_reads() -> None:
    """RFC 7518 §3.4."""
    proof = SigningKey.generate().proof("GET", "https://h.example/mcp?x=1#f", sources(), {})
    header = jwt.get_unverified_header(proof)
    assert (header["alg"], set(header["jwk"])) == ("ES256", {"kty", "crv", "x", "y"})
    claims = jwt.decode(proof, options={"verify_signature": False})
    assert claims["htu"] == "https://h.example/mcp"


def test_each_origin_has_its_own_nonce_and_the_newest_counts() -> None:
    """RFC 9449 §8.2."""
    held = Possession(SigningKey.generate())
    held.learn("https://a.example/token", "a1")
    held.learn("https://a.example/other", "a2")
    held.learn("https://a.example/none", None)
    held.learn("https://b.example/token", "b1")
    assert held.nonces == {"https://a.example": "a2", "https://b.example": "b1"}


PORT = SocketAttribute.local_port
Serve = Callable[[bytes], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Answers one connection after the other with octets of the test's; gives the address."""
    async with AsyncExitStack() as listeners, anyio.create_task_group() as tasks:

        async def start(answer: bytes) -> str:
            async def handle(stream: SocketStream) -> None:
                async with stream:
                    await stream.receive()
                    with suppress(anyio.BrokenResourceError):
                        await stream.send(answer)

            listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
            await listeners.enter_async_context(listener)
            tasks.start_soon(listener.serve, handle)
            return f"http://127.0.0.1:{listener.extra_attributes[PORT]()}"

        yield start
        tasks.cancel_scope.cancel()


async def fetched(url: str) -> Reply:
    async with httpx2.AsyncClient(trust_env=False) as http:
        with anyio.fail_after(10):
            return await Sender(http, Trace())(Ask("a document", "GET", url))


async def test_a_redirect_is_an_answer_and_leads_nowhere(serve: Serve) -> None:
    """RFC 8414 §3.2: the document is where its address says; RFC 9728 §3.2 alike."""
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    reply = await fetched(await serve(answer))
    assert (reply.status, reply.first("location")) == (302, "http://127.0.0.1:1/")


async def test_a_cookie_that_is_set_is_not_kept(serve: Serve) -> None:
    """RFC 6265 §5.3 lets a client ignore it: a flow that needs one is the browser's."""
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: who=us\r\nContent-Length: 0\r\n\r\n"
    url = await serve(answer)
    async with httpx2.AsyncClient(trust_env=False) as http:
        with anyio.fail_after(10):
            reply = await Sender(http, Trace())(Ask("a document", "GET", url))
        assert reply.first("set-cookie") == "who=us"
        assert not http.cookies


async def test_an_answer_without_end_is_cut_off(serve: Serve) -> None:
    """RFC 9110 §17.5."""
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * (BODY + 1)
    with pytest.raises(SignInFailed, match="E-OAC-23"):
        await fetched(await serve(body))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1", "http://127.0.0.1:x/"])
async def test_a_server_that_is_not_there_is_named(url: str) -> None:
    """The address without its query, which may hold a code."""
    with pytest.raises(SignInFailed, match="E-OAC-24"):
        await fetched(url + "?code=secret")

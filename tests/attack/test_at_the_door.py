"""At the door of the resource: what a socket sees of a refusal, and what the refusal leaves behind.

The whole shop answers here; what the parts decide is in tests/oauth/test_resource.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest

from catshop.kernel import Trace
from catshop.limits import Limits
from tests.oauth.cases import case
from tests.support.hosting import ENVELOPE, MODERN
from tests.support.raw import exchange
from tests.support.shop import Open, open_shop
from tests.support.shopper import token_of
from tests.support.visits import client_of

BOTH = "application/json, text/event-stream"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
UNNAMED = "Bearer resource_metadata="
"""How a challenge begins that names no error."""


@pytest.fixture
def seen() -> list[str]:
    """Everything that the trace told."""
    return []


@pytest.fixture
async def shop(tmp_path: Path, seen: list[str]) -> AsyncIterator[Open]:
    trace = Trace()
    trace.observe(lambda event: seen.append(repr(event)))
    async with open_shop(tmp_path, trace) as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(headers={"Accept": BOTH}, timeout=10) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def session_of(shop: Open, http: httpx2.AsyncClient, token: str) -> dict[str, str]:
    """The fields that name an open session."""
    opened = await http.post(shop.mcp, json=INITIALIZE, headers=bearer(token))
    assert opened.status_code == 200, opened.text
    named = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
    noted = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    await http.post(shop.mcp, json=noted, headers={**named, **bearer(token)})
    return named


@case("S1", "without a token the way is shown, no error is named, and no session is made")
@pytest.mark.parametrize("sent", [{}, {"Authorization": "Basic YTpi"}], ids=["none", "basic"])
async def test_whoever_brings_no_token_is_shown_the_way(
    shop: Open, http: httpx2.AsyncClient, sent: dict[str, str]
) -> None:
    """OAuth 2.1 §5.3.2; RFC 9728 §5.1; RFC 9449 §7.1: whichever scheme it takes."""
    answer = await http.post(shop.mcp, json=INITIALIZE, headers=sent)
    challenge, other = answer.headers.get_list("www-authenticate")
    assert answer.status_code == 401
    assert challenge.startswith(f'{UNNAMED}"{shop.url}/.well-known/oauth-protected-resource/mcp"')
    assert 'scope="' in challenge
    assert other.startswith('DPoP algs="')
    assert "error=" not in challenge + other
    assert "mcp-session-id" not in answer.headers
    assert len(shop.house.sessions) == 0


@case("S2", "what is no token at all is an invalid one")
@pytest.mark.parametrize(
    "sent", [b"Bearer", b"Bearer a b", "Bearer é".encode(), b"Bearer \xe9"], ids=repr
)
async def test_what_is_no_token_is_invalid(
    shop: Open, http: httpx2.AsyncClient, sent: bytes
) -> None:
    """OAuth 2.1 §5.1.1, §5.3.2."""
    headers = [(b"authorization", sent), (b"accept", BOTH.encode())]
    answer = await http.post(shop.mcp, json=INITIALIZE, headers=headers)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert len(shop.house.sessions) == 0


@case("S5", "a token in the address or in a form is not looked at, and no log keeps it")
async def test_a_token_elsewhere_is_not_looked_at(
    shop: Open, http: httpx2.AsyncClient, seen: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """OAuth 2.1 §5.1."""
    token = await token_of(shop, "alice")
    for answer in (
        await http.post(f"{shop.mcp}?access_token={token}", json=INITIALIZE),
        await http.post(shop.mcp, data={"access_token": token}),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith(UNNAMED)
        assert token not in answer.text
    assert seen
    assert token not in f"{seen} {caplog.text}"


@case("S6", "two Authorization fields are a bad request, even when both are good")
async def test_two_authorization_fields_are_a_bad_request(
    shop: Open, http: httpx2.AsyncClient
) -> None:
    """OAuth 2.1 §5.3.2."""
    token = await token_of(shop, "alice")
    headers = [*bearer(token).items()] * 2
    answer = await http.post(shop.mcp, json=INITIALIZE, headers=headers)
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]
    assert len(shop.house.sessions) == 0


@case("S7", "the name of the scheme has no case")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_has_no_case(shop: Open, http: httpx2.AsyncClient, scheme: str) -> None:
    """OAuth 2.1 §5.1.1; RFC 9110 §11.1."""
    sent = {"Authorization": f"{scheme} {await token_of(shop, 'alice')}"}
    assert (await http.post(shop.mcp, json=INITIALIZE, headers=sent)).status_code == 200


@case(
    "S10", "a stranger's hundred megabytes are refused by their head, and the connection is closed"
)
async def test_what_a_stranger_uploads_is_not_read(shop: Open) -> None:
    """RFC 9110 §15.5.2; RFC 9112 §9.6."""
    place = urlsplit(shop.mcp)
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
        "Content-Length: 100000000\r\n\r\n"
    )
    async with await anyio.connect_tcp(str(place.hostname), place.port or 0) as stream:
        await stream.send(head.encode() + b"x" * 10_000)
        answer = b""
        with anyio.fail_after(10):
            while True:
                try:
                    answer += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    break
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer.lower()
    assert answer.count(b"HTTP/1.1 ") == 1


@case("S11", "a session does not stand for a token: each request brings its own, and nothing ends")
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_a_session_does_not_stand_for_a_token(
    shop: Open, http: httpx2.AsyncClient, method: str
) -> None:
    """MCP 2026-07-28 basic/authorization §token-requirements."""
    token = await token_of(shop, "alice")
    named = await session_of(shop, http, token)
    body: dict[str, Any] = {"json": PING} if method == "POST" else {}
    for sent in (named, {**named, **bearer("cat_at_wrong")}):
        answer = await http.request(method, shop.mcp, headers=sent, **body)
        assert answer.status_code == 401
    alive = await http.post(shop.mcp, json=PING, headers={**named, **bearer(token)})
    assert (alive.status_code, alive.json()["result"]) == (200, {})


@case("S12", "a stream ends with the token that opened it, and nothing is said after that")
async def test_a_stream_ends_with_its_token(tmp_path: Path) -> None:
    """OAuth 2.1 §5.2."""
    async with (
        open_shop(tmp_path, **{"session.recheck_seconds": 0.05}) as shop,
        httpx2.AsyncClient(headers={"Accept": BOTH}, timeout=10) as http,
    ):
        await token_of(shop, "alice")
        scopes = frozenset({"read", "write"})
        token, _ = await shop.house.administration.issue_token("alice", scopes, 2)
        named = await session_of(shop, http, token.reveal())
        sent = {"Accept": "text/event-stream", **named, **bearer(token.reveal())}
        async with exchange(shop.mcp, "GET", sent) as stream:
            assert stream.status == 200
            with anyio.fail_after(2 + 5):
                assert [event.data for event in await stream.rest() if event.data] == []
        assert (await http.get(shop.mcp, headers=sent)).status_code == 401


@case("V6", "event streams of both eras close within 5 s of the revocation of their grant")
async def test_the_streams_of_a_grant_close_soon_after_it_is_over(tmp_path: Path) -> None:
    """RFC 7009 §2.1: a look of the stream, and the time for which a token is believed, are 5 s."""
    usual = Limits()
    assert usual.session.recheck_seconds + usual.oauth.token_cache_seconds <= 5
    closed: list[str] = []
    async with (
        open_shop(tmp_path, **{"session.recheck_seconds": 0.2}) as shop,
        httpx2.AsyncClient(headers={"Accept": BOTH}, timeout=10) as http,
        client_of(shop) as alice,
    ):
        await alice.redeem(await alice.code("alice"))
        token = alice.tokens["access_token"]
        named = await session_of(shop, http, token)

        async def outlive(url: str, *request: Any) -> None:
            async with exchange(url, *request) as stream:
                assert stream.status == 200
                opened.release()
                await stream.rest()
                closed.append(request[0])

        opened = anyio.Semaphore(0)
        listening = {"Accept": "text/event-stream", **named, **bearer(token)}
        asked = {"notifications": {"toolsListChanged": True}, "_meta": ENVELOPE}
        message = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": asked}
        fields = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "subscriptions/listen"}
        posting = {"Content-Type": "application/json", "Accept": BOTH, **fields, **bearer(token)}
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(outlive, shop.mcp, "GET", listening)
                tasks.start_soon(outlive, shop.mcp, "POST", posting, message)
                for _ in range(2):
                    await opened.acquire()
                form = {"client_id": alice.client_id, "token": alice.tokens["refresh_token"]}
                assert (await http.post(f"{shop.url}/revoke", data=form)).status_code == 200
                tasks.cancel_scope.deadline = anyio.current_time() + 5
    assert sorted(closed) == ["GET", "POST"]


@case("A20", "an authorization request longer than 8 KiB is 414")
async def test_a_very_long_authorization_request_is_414(
    shop: Open, http: httpx2.AsyncClient
) -> None:
    """RFC 9110 §15.5.15; RFC 9112 §3."""
    answer = await http.get(f"{shop.url}/authorize?state={'x' * 8200}")
    assert answer.status_code == 414
    assert "location" not in answer.headers
    assert (await http.get(f"{shop.url}/authorize?state={'x' * 8000}")).status_code == 400


@case("L13", "no browser may guess what a page is")
async def test_a_page_is_what_it_says(shop: Open, http: httpx2.AsyncClient) -> None:
    """RFC 9700 §4.16; Fetch §3.6."""
    answer = await http.get(f"{shop.url}/authorize")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"


@case("M9", "the answer to HEAD has the fields of GET, its length among them, and no body")
async def test_head_has_no_body(shop: Open, http: httpx2.AsyncClient) -> None:
    """RFC 9110 §9.3.2."""
    for path in (
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource/mcp",
        "/jwks",
    ):
        head, get = await http.head(shop.url + path), await http.get(shop.url + path)
        assert head.content == b""
        moving = {"date", "x-request-id"}
        for answer in (head, get):
            assert answer.status_code == 200
        assert {n: v for n, v in head.headers.items() if n not in moving} == {
            n: v for n, v in get.headers.items() if n not in moving
        }

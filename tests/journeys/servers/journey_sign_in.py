"""Our client signs in where strangers guard their servers, each in the way that its authors offer.

Their own authorization server beside the resource, one that stands elsewhere, and a proxy before
ours. The browser is one request for those that agree at once, and a person for our own pages. What
was given is then used up: renewed before it ends, renewed after it was refused, and given back.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import anyio
import httpx2
import pytest

from catshop.client.client import Client
from catshop.client.connect import Options, connect
from catshop.client.errors import Refused
from catshop.client.oauth.account import Account, NoBrowser, run
from catshop.client.oauth.memory import Held, InMemory
from catshop.client.oauth.registration import Introduction
from catshop.client.oauth.revocation import revoke
from catshop.client.oauth.sending import Sender
from catshop.client.oauth.sign_in import Way
from catshop.client.oauth.steps import Sources
from catshop.kernel import Secret, Trace, utc_now
from catshop.protocol.versions import Revision
from tests.journeys.servers.strangers import (
    BOTH_ERAS,
    HANDSHAKE,
    STATELESS,
    Stranger,
    Watch,
    running,
)
from tests.support.person import CALLBACK, Person
from tests.support.program import catshop, serving

PATIENCE: Final = 30
ISSUER: Final = "python-2.3"
"""Whose demonstration of an authorization server the others trust."""


def _param(name: str, revision: Revision) -> Any:
    stranger = Stranger(name, revision)
    return pytest.param(stranger, id=stranger.id, marks=pytest.mark.xdist_group(f"auth {name}"))


def _eras(*names: str) -> list[Any]:
    both = [(name, STATELESS) for name in names if name in BOTH_ERAS]
    return [_param(*each) for each in (*both, *((name, HANDSHAKE) for name in names))]


OWN: Final = _eras("python-2.3", "python-1.30", "fastmcp-4", "typescript-1.32")
"""Who brings an authorization server along; TypeScript 2.x leaves that to others."""

ONCE: Final = [each for each in OWN if each.values[0].revision == each.values[0].newest]
"""The same, each in its newest era: what follows the sign-in knows no eras."""

ELSEWHERE: Final = _eras("python-2.3", "fastmcp-4", "typescript-2.3")
"""Who can point to one that stands elsewhere."""


REVOKING: Final = ("python-2.3", "python-1.30", "fastmcp-4")
"""The provider of the TypeScript examples does not revoke."""

MUTE: Final = {
    "typescript-1.32": "the provider of its examples says 500 of a token it has forgotten"
}
"""Who does not answer 401, so that nobody can know that a new token would help (RFC 6750 §3.1)."""

Start = Callable[..., str]
Make = Callable[..., "Visitor"]


@pytest.fixture
def anyio_backend() -> str:
    """Once is enough: what is new here is the other side."""
    return "asyncio"


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Where a guarded server is, which is started when somebody first asks."""
    with ExitStack() as stack:
        found: dict[tuple[str, ...], str] = {}

        def at(*how: str) -> str:
            if how not in found:
                found[how] = stack.enter_context(running(*how))
            return found[how]

        yield at


@dataclass
class Redirects:
    """A browser before somebody who agrees to everything; it follows redirects, and counts."""

    http: httpx2.AsyncClient
    visited: list[str] = field(default_factory=list)

    async def visit(self, url: str) -> str:
        """The query with which it comes back."""
        self.visited.append(url)
        while not url.startswith(CALLBACK):
            response = await self.http.get(url)
            assert response.is_redirect, response.text
            url = urljoin(url, response.headers["location"])
        return urlsplit(url).query


@dataclass
class Human(Redirects):
    """Somebody who signs up on our own pages, and allows what they are asked."""

    async def visit(self, url: str) -> str:
        """The query with which the browser comes back."""
        self.visited.append(url)
        person = Person(self.http, f"user-{secrets.token_hex(4)}", "whiskers and string")
        await person.open(url)
        return urlsplit(person.arrived).query


@dataclass
class Later:
    """A clock that can be put forward."""

    by: timedelta = timedelta()

    def __call__(self) -> datetime:
        """The time."""
        return utc_now() + self.by


@dataclass
class Visitor:
    """A client that can sign in, and all that it is told and does."""

    url: str
    browser: Redirects
    store: InMemory = field(default_factory=InMemory)
    clock: Later = field(default_factory=Later)
    watch: Watch = field(default_factory=Watch)

    @asynccontextmanager
    async def at(self, speak: Revision | None) -> AsyncIterator[Client]:
        """A client of the server, with what the store holds."""
        trace = Trace()
        trace.observe(self.watch)
        sources = Sources(self.clock, lambda: secrets.token_urlsafe(32))
        way = Way(Introduction("A visitor", CALLBACK))
        async with httpx2.AsyncClient(timeout=10) as http:
            send = Sender(http, trace)
            account = Account(
                self.url, way, self.store, send, browser=self.browser, sources=sources
            )
            with anyio.fail_after(PATIENCE):
                async with connect(
                    self.url, None, account, Options(speak=speak, trace=trace)
                ) as client:
                    yield client

    @property
    def held(self) -> Held:
        """The one thing that is held."""
        [held] = self.store.load().held.values()
        return held

    def spoil(self) -> None:
        """As if the server had forgotten the access token."""
        held = self.held
        spoilt = replace(held, tokens=replace(held.tokens, access_token=Secret("forgotten")))
        self.store.change(lambda memory: memory.with_held(spoilt))


@pytest.fixture
async def visitor() -> AsyncIterator[Make]:
    """Makes a visitor of a server."""
    async with httpx2.AsyncClient(timeout=10) as http:

        def make(base: str, browser: type[Redirects] = Redirects) -> Visitor:
            return Visitor(f"{base}/mcp", browser(http))

        yield make


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our program, and a proxy of FastMCP's that is its client; the port of that does not matter.

    RFC 8252 §7.3.
    """
    folder = tmp_path_factory.mktemp("shop")
    callback = ("--redirect-uri", "http://127.0.0.1/auth/callback")
    method = ("--method", "client_secret_basic")
    with serving(folder) as shop:
        added = catshop(folder, "client", "add", "FastMCP", *callback, *method)
        assert added.returncode == 0, added.stderr
        client = json.loads(added.stdout)
        told = (client["client_id"], client["client_secret"])
        with running("fastmcp-4", "proxy", shop.url, *told) as base:
            yield base


async def add(guest: Visitor, speak: Revision) -> None:
    """Call a tool, as whoever is signed in."""
    async with guest.at(speak) as client:
        assert (await client.call("add", {"a": 2, "b": 3}))["structuredContent"] == {"sum": 5}


@pytest.mark.parametrize("stranger", OWN)
async def test_its_own_authorization_server_lets_us_in(
    start: Start, visitor: Make, stranger: Stranger
) -> None:
    """MCP 2026-07-28 basic/authorization §authorization-flow-steps: and once is enough."""
    guest = visitor(start(stranger.name, "own"))
    await add(guest, stranger.revision)
    await add(guest, stranger.revision)
    assert len(guest.browser.visited) == 1
    assert guest.held.tokens.resource == guest.url
    assert guest.held.tokens.scopes == ("cats",)


@pytest.mark.parametrize("stranger", ONCE)
async def test_a_token_is_renewed_before_it_ends(
    start: Start, visitor: Make, stranger: Stranger
) -> None:
    """OAuth 2.1 §4.3: and the user is left alone."""
    guest = visitor(start(stranger.name, "own"))
    await add(guest, stranger.revision)
    before = guest.held.tokens
    guest.clock.by = timedelta(hours=2)
    guest.watch.statuses.clear()
    await add(guest, stranger.revision)
    assert guest.held.tokens.access_token != before.access_token
    assert (len(guest.browser.visited), 401 in guest.watch.statuses) == (1, False)


@pytest.mark.parametrize("stranger", ONCE)
async def test_a_token_that_is_refused_is_renewed(
    start: Start, visitor: Make, stranger: Stranger
) -> None:
    """OAuth 2.1 §5.3.2, §4.3: and the user is left alone."""
    guest = visitor(start(stranger.name, "own"))
    await add(guest, stranger.revision)
    guest.spoil()
    if stranger.name in MUTE:
        with pytest.raises(Refused, match="500"):
            await add(guest, stranger.revision)
        return
    await add(guest, stranger.revision)
    assert (len(guest.browser.visited), 401 in guest.watch.statuses) == (1, True)


@pytest.mark.parametrize("stranger", [each for each in ONCE if each.values[0].name in REVOKING])
async def test_what_is_given_back_opens_nothing_more(
    start: Start, visitor: Make, stranger: Stranger
) -> None:
    """RFC 7009 §2.1: the refresh token takes the access token along."""
    guest = visitor(start(stranger.name, "own"))
    await add(guest, stranger.revision)
    tokens = guest.held.tokens
    known = guest.store.load().clients[tokens.issuer]
    async with httpx2.AsyncClient(timeout=10) as http:
        told = revoke(tokens, known, Sources(utc_now, secrets.token_urlsafe))
        assert await run(told, Sender(http, Trace()), NoBrowser())
    await add(guest, stranger.revision)
    assert len(guest.browser.visited) == 2, "neither token was good any more"


@pytest.mark.parametrize("stranger", ELSEWHERE)
async def test_an_authorization_server_elsewhere_lets_us_in(
    start: Start, visitor: Make, stranger: Stranger
) -> None:
    """RFC 9728 §3.3, RFC 8414 §3.3, RFC 8707 §2: two origins, and each says who it is."""
    issuer = start(ISSUER, "own")
    guest = visitor(start(stranger.name, issuer))
    await add(guest, stranger.revision)
    tokens = guest.held.tokens
    assert (tokens.issuer.rstrip("/"), tokens.resource) == (issuer, guest.url)
    assert len(guest.browser.visited) == 1


@pytest.mark.parametrize("stranger", _eras("typescript-2.3"))
async def test_a_tool_that_wants_more_gets_all_of_it(
    start: Start, visitor: Make, stranger: Stranger
) -> None:
    """MCP 2026-07-28 basic/authorization §step-up-authorization-flow: the union, and one page."""
    guest = visitor(start(stranger.name, start(ISSUER, "own")))
    await add(guest, stranger.revision)
    async with guest.at(stranger.revision) as client:
        assert (await client.call("feed"))["content"] == [{"type": "text", "text": "fed"}]
    assert set(guest.held.tokens.scopes) == {"cats", "food"}
    assert len(guest.browser.visited) == 2


@pytest.mark.parametrize("stranger", _eras("fastmcp-4"))
async def test_a_proxy_before_our_own_server_lets_us_in(
    proxy: str, visitor: Make, stranger: Stranger
) -> None:
    """MCP 2026-07-28 basic/authorization §authorization-flow-steps: through two servers."""
    guest = visitor(proxy, Human)
    await add(guest, stranger.revision)
    guest.spoil()
    await add(guest, stranger.revision)
    assert len(guest.browser.visited) == 1

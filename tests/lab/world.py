"""A shop to break, and guests that talk to it: what every probe is handed.

A probe is a small journey from outside. It ends quietly on a healthy server, and raises `Seen` when
it meets what its fault does; anything else that goes wrong is a mistake of the probe.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import anyio
import httpx2

from catshop.app import listening, open_house
from catshop.kernel import Trace, utc_now
from catshop.protocol.http1.server import Server
from tests.support.hosting import BOTH, ENVELOPE, MODERN
from tests.support.person import Form, Person, forms_of
from tests.support.shop import Open, config_in
from tests.support.shopper import token_of
from tests.support.terminal import PASSWORD, Terminal


class Seen(AssertionError):
    """The fault shows."""


def hold(truth: object, what: object) -> None:
    """What a healthy server does; `what` came instead."""
    if not truth:
        raise Seen(str(what))


@dataclass
class Turned:
    """A clock that somebody can turn forward."""

    by: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return utc_now() + self.by

    def forward(self, seconds: float) -> None:
        self.by += timedelta(seconds=seconds)


@dataclass
class World:
    """An open shop, its clock, and whoever comes."""

    shop: Open
    clock: Turned
    trace: Trace
    http: httpx2.AsyncClient
    closing: AsyncExitStack

    @property
    def url(self) -> str:
        return self.shop.url

    @property
    def mcp(self) -> str:
        return self.shop.mcp

    def name(self) -> str:
        """A name that nobody had before."""
        return f"cat-{secrets.token_hex(4)}"

    async def browser(self) -> httpx2.AsyncClient:
        """A browser that nobody has used."""
        return await self.closing.enter_async_context(httpx2.AsyncClient(timeout=10))

    async def guest(self, callback: str = "", **asked: object) -> Guest:
        """A registered client, with a browser for its user."""
        guest = Guest(self.url, self.http, await self.browser(), clock=self.clock)
        guest.callback = callback or guest.callback
        body = {
            "redirect_uris": [guest.callback],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
            **asked,
        }
        answer = await self.http.post(f"{self.url}/register", json=body)
        assert answer.status_code == 201, answer.text
        guest.client_id = answer.json()["client_id"]
        guest.registered = answer.json()
        return guest

    async def signed_in(self, **more: str) -> Guest:
        """A client with tokens."""
        guest = await self.guest()
        answer = await guest.redeem(await guest.code_for(self.name(), **more))
        assert answer.status_code == 200, answer.text
        return guest

    async def bearer(self, *scopes: str) -> Guest:
        """A client with an access token of a new user, without the pages."""
        held = frozenset(scopes or ("read", "write"))
        guest = Guest(self.url, self.http, self.http, clock=self.clock)
        guest.tokens = {"access_token": await token_of(self.shop, self.name(), held)}
        return guest

    async def tell(self, sql: str, *values: str | int) -> None:
        """Change what is stored, as only somebody inside could."""
        await self.shop.house.database.write(lambda statements: statements.run(sql, *values))


@dataclass
class Guest(Terminal):
    """A client by hand, that may also be careless or worse."""

    clock: Turned = field(default_factory=Turned)
    registered: dict[str, Any] = field(default_factory=dict)

    async def authorize(self, **more: str) -> httpx2.Response:
        """What the authorization endpoint answers at once."""
        return await self.browser.get(self.asking(**more))

    async def told(self, **more: str) -> dict[str, str]:
        """What it tells the client at once, by a redirect; nothing when it does not."""
        return query(await self.authorize(**more))

    async def answered(self, name: str, **more: str) -> dict[str, str]:
        """What it tells the client once a new user of that name has said yes."""
        person = Person(self.browser, name, PASSWORD)
        await self.arrive(person, self.asking(**more))
        return members(person.arrived)

    async def arrive(self, person: Person, url: str) -> None:
        """Go all the way, without looking at what came."""
        page = await person._follow(await self.browser.get(url))
        await person._allow(page)

    async def code_for(self, name: str, **more: str) -> str:
        """The code for what a new user of that name allows."""
        return (await self.answered(name, **more))["code"]

    async def consent_page(self, name: str, **more: str) -> tuple[httpx2.Response, Form]:
        """The page that asks a new user, and its form."""
        person = Person(self.browser, name, PASSWORD)
        page = await person._follow(await self.authorize(**more))
        page = await person._press(page, "action", "sign-up", password=True)
        return page, forms_of(page)[0]

    async def decide(
        self, page: httpx2.Response, form: Form, values: list[tuple[str, str]]
    ) -> httpx2.Response:
        """Press the button that says yes, with these values beside it."""
        data: dict[str, list[str]] = {"decision": ["approve"]}
        for key, value in values:
            data.setdefault(key, []).append(value)
        return await self.browser.post(urljoin(str(page.url), form.action), data=data)

    async def grant(self, kind: str, /, **sent: str) -> httpx2.Response:
        """What the token endpoint answers; no tokens are kept."""
        form = {"grant_type": kind, "client_id": self.client_id, **sent}
        return await self.http.post(f"{self.url}/token", data=form)

    async def redeemed(self, code: str, **more: str) -> httpx2.Response:
        """What it answers to this code."""
        sent = {"code": code, "code_verifier": self.verifier, "redirect_uri": self.callback}
        return await self.grant("authorization_code", **{**sent, **more})

    async def refreshed(self, token: str, **more: str) -> httpx2.Response:
        """What it answers to this refresh token."""
        return await self.grant("refresh_token", refresh_token=token, **more)

    async def lists(self, token: str | None = None) -> httpx2.Response:
        """One call that any good token may make."""
        if token is not None:
            self.tokens = {"access_token": token}
        return await self.ask("tools/list")

    async def tool(self, name: str, meta: object = None, **arguments: object) -> dict[str, Any]:
        """The result of a tool, be it good or bad."""
        more = {} if meta is None else {"_meta": meta}
        answer = await self.ask("tools/call", name=name, arguments=arguments, **more)
        found = answer.json()
        return dict(found.get("result") or found["error"])

    async def session(self) -> dict[str, str]:
        """A session of the older era: the headers that name it."""
        params = {"protocolVersion": "2025-11-25", "capabilities": {}}
        asked = {**params, "clientInfo": {"name": "guest", "version": "1"}}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": asked}
        answer = await self.post(message)
        assert answer.status_code == 200, answer.text
        return {"Mcp-Session-Id": answer.headers["mcp-session-id"]}

    async def in_session(self, session: dict[str, str], method: str, **params: object) -> Any:
        """One request in a session."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return await self.post(message, **session)

    def bears(self) -> dict[str, str]:
        """The fields with which its token is shown."""
        return {"Authorization": f"Bearer {self.tokens['access_token']}", "Accept": BOTH}


def message(method: str = "tools/list", **params: object) -> dict[str, Any]:
    """A request of the stateless era."""
    body = {"_meta": ENVELOPE, **params}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": body}


def fields(method: str = "tools/list") -> dict[str, str]:
    """The fields that go with it."""
    return {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}


def members(url: str) -> dict[str, str]:
    """What stands in the query of an address."""
    return {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}


def query(answer: httpx2.Response) -> dict[str, str]:
    """What stands in the query of the address that an answer leads to."""
    return members(answer.headers.get("location", ""))


Probe = Callable[[World], Awaitable[None]]
PROBES: dict[str, Probe] = {}
"""The probe of each fault, by its name."""


def probe(name: str) -> Callable[[Probe], Probe]:
    """The probe that sees the fault of that name."""

    def add(found: Probe) -> Probe:
        assert name not in PROBES, f"two probes for {name}"
        PROBES[name] = found
        return found

    return add


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """A shop on a real socket, whose clock can be turned."""
    clock, trace = Turned(), Trace()
    async with (
        AsyncExitStack() as closing,
        listening(config_in(folder)) as (config, listeners),
        open_house(config, trace=trace, clock=clock) as house,
        anyio.create_task_group() as tasks,
        httpx2.AsyncClient(timeout=10) as http,
    ):
        server = Server(house.router, limits=config.limits.http, trace=trace)
        tasks.start_soon(server.serve, listeners)
        yield World(Open(config.issuer, house, server), clock, trace, http, closing)
        house.sessions.drain()
        server.drain()

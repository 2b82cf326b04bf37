"""A whole authorization server without a socket: real routes, a real database, a clock to turn.

`House` drives the handlers through the router as a client would, `Visitor` is a browser with its
cookies. Both see nothing but requests and answers.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from catshop.kernel import Secret, Trace
from catshop.limits import FetchLimits
from catshop.oauth.administration import Administration
from catshop.oauth.audited import AuditedGrants, audited
from catshop.oauth.endpoints import AuthorizationServer
from catshop.oauth.fetch import Fetcher, Reach
from catshop.oauth.passwords import Passwords
from catshop.oauth.ports import Stores
from catshop.oauth.resource import ResourceServer
from catshop.oauth.settings import OAuthSettings
from catshop.protocol.http1.door import admitted
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.guard import Guard
from catshop.protocol.http1.messages import Answer, Fields, Head, Leave, Request, Sink
from catshop.protocol.http1.routes import Router
from catshop.storage.sqlite import SqliteDatabase
from tests.oauth.world import World, trusting

ISSUER = "http://127.0.0.1:8000"
CALLBACK = "http://127.0.0.1:9999/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
"""The code_verifier of RFC 7636 Appendix B."""
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""The code_challenge of RFC 7636 Appendix B."""
PASSWORD = "whiskers and paws"


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Body:
    """A channel that carries one body and nothing back."""

    octets: bytes

    async def read_body(self, limit: int) -> bytes:
        if len(self.octets) > limit:
            raise HttpError(413, "E-HTTP-31", arrived=f"{len(self.octets)} octets")
        return self.octets

    async def open_stream(
        self, status: int, fields: tuple[tuple[str, str], ...], leave: Leave
    ) -> Sink:
        raise AssertionError("nothing streams here")

    async def wait_draining(self) -> None:
        raise AssertionError("nothing waits here")


def request_of(
    method: str,
    target: str,
    body: bytes = b"",
    fields: Mapping[str, str] | tuple[tuple[str, str], ...] = (),
    address: str = "192.0.2.1",
) -> Request:
    """The request that a server would have read from its socket."""
    parts = urlsplit(target)
    items = fields.items() if isinstance(fields, Mapping) else fields
    path = parts.path or "/"
    shown = f"{path}?{parts.query}" if parts.query else path
    head = Head(method, shown, path, parts.query, parts.netloc or "127.0.0.1:8000", Fields(items))
    return Request(head, Body(body), id="test", address=address, body_limit=4 * 1024 * 1024)


NO_PLANE: Final = re.compile("E-(HTTP-[24][0-9]|ORIGIN-[0-9]+|HOST-[0-9]+)")
"""Refusals of the HTTP floor, which come before any plane is asked."""

MINTED: Final = re.compile(r"cat_[a-z]{2}_[A-Za-z0-9_.\-]{30,}|eyJ[A-Za-z0-9_\-]+\.|argon2")
"""What every secret of ours looks like, and every token that is signed."""

_heard: Final[ContextVar[list[str] | None]] = ContextVar("heard", default=None)


class _Listener(logging.Handler):
    """Hands each line to whoever listens in the task that writes it."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = _heard.get()
        if lines is not None:
            lines.append(record.getMessage())


logging.getLogger("catshop.audit").setLevel(logging.INFO)
logging.getLogger("catshop.audit").addHandler(_Listener())


@contextmanager
def audit_lines() -> Iterator[list[str]]:
    """The lines of the audit that are written in here, by this task."""
    lines: list[str] = []
    token = _heard.set(lines)
    try:
        yield lines
    finally:
        _heard.reset(token)
        outer = _heard.get()
        if outer is not None:
            outer.extend(lines)


def check_audit(request: Request, answer: Answer, lines: list[str]) -> None:
    """Who was refused has one line, who was given a token another, and no line holds a secret."""
    code = request.notes.get("code", "")
    refused = [line for line in lines if line.startswith("refused ")]
    expected = bool(code) and not NO_PLANE.fullmatch(code)
    assert len(refused) == expected, (code, answer.status, lines)
    assert not expected or f"code={code}" in refused[0]
    given = answer.status == 200 and b'"access_token"' in answer.body
    assert sum(line.startswith("granted ") for line in lines) == given, lines
    assert not any(MINTED.search(line) for line in lines), lines


def json_of(answer: Answer) -> dict[str, Any]:
    """The JSON object in the body."""
    parsed = json.loads(answer.body)
    assert isinstance(parsed, dict)
    return parsed


def field_of(answer: Answer, name: str) -> str | None:
    """The first field of that name."""
    return Fields(answer.fields).get(name)


def query_of(address: str) -> dict[str, str]:
    """The parameters of an address, each of which comes once."""
    pairs = parse_qs(urlsplit(address).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in pairs.values())
    return {name: values[0] for name, values in pairs.items()}


@dataclass
class House:
    """An authorization server and a resource server on one database."""

    settings: OAuthSettings
    stores: Stores
    database: SqliteDatabase
    clock: Clock
    trace: Trace = field(default_factory=Trace)
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        if not isinstance(self.stores.grants, AuditedGrants):
            self.stores = audited(self.stores)
        self.server = AuthorizationServer(
            self.settings,
            self.stores,
            clock=self.clock,
            mint=lambda: secrets.token_urlsafe(32),
            trace=self.trace,
            fetcher=Fetcher(
                FetchLimits(),
                self.trace,
                Reach.PUBLIC if self.settings.is_https else Reach.DEVELOPMENT,
                internet=self.world,
                tls=trusting,
            ),
        )
        self.resource = ResourceServer(
            self.settings, self.stores, clock=self.clock, trace=self.trace
        )
        hosts = frozenset({"127.0.0.1", "localhost", urlsplit(self.settings.issuer).hostname or ""})
        self.router = Router(self.server.routes(), Guard(hosts), self.trace)
        self.administration = Administration(
            self.settings,
            self.stores,
            self.clock,
            lambda: secrets.token_urlsafe(32),
            Passwords(self.settings.limits),
        )

    async def ask(self, request: Request) -> Answer:
        """The answer to a request, refusals included: each of those is in the audit, once."""
        request.notes.clear()  # whoever asks again is another
        with audit_lines() as lines:
            answer = await admitted(self.router, request)
        assert isinstance(answer, Answer)
        check_audit(request, answer, lines)
        return answer

    async def get(self, target: str, **fields: str) -> Answer:
        return await self.ask(request_of("GET", target, fields=fields))

    async def post(
        self, target: str, form: Mapping[str, Any], address: str = "192.0.2.1", **more: str
    ) -> Answer:
        body = urlencode(form, doseq=True).encode()
        fields = {"content-type": "application/x-www-form-urlencoded", **more}
        return await self.ask(request_of("POST", target, body, fields, address))

    async def register(self, address: str = "192.0.2.1", **metadata: object) -> Answer:
        sent = {"redirect_uris": [CALLBACK], "client_name": "Paws", **metadata}
        body = json.dumps(sent).encode()
        fields = {"content-type": "application/json"}
        return await self.ask(request_of("POST", "/register", body, fields, address))

    async def client(self, **metadata: object) -> str:
        """The id of a newly registered client."""
        answer = await self.register(**metadata)
        assert answer.status == 201, answer.body
        return str(json_of(answer)["client_id"])

    async def user(self, name: str = "alice") -> None:
        await self.administration.add_user(name, Secret(PASSWORD))

    def visitor(self) -> Visitor:
        return Visitor(self)

    async def code(self, client_id: str, visitor: Visitor | None = None, **more: str) -> str:
        """A code for that client, as alice gives it."""
        browser = visitor or self.visitor()
        answer = await browser.authorize(client_id, **more)
        answer = await browser.through(answer)
        return query_of(field_of(answer, "location") or "")["code"]

    async def redeem(self, client_id: str, code: str, /, **more: Any) -> Answer:
        form = {
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": code,
            "code_verifier": VERIFIER,
            **more,
        }
        return await self.post("/token", {k: v for k, v in form.items() if v is not None})

    async def refresh(self, client_id: str, token: str, /, **more: Any) -> Answer:
        form = {
            "grant_type": "refresh_token",
            "client_id": client_id,
            "refresh_token": token,
            **more,
        }
        return await self.post("/token", form)

    async def tokens(self, client_id: str, **more: str) -> dict[str, Any]:
        """A token response for that client."""
        answer = await self.redeem(client_id, await self.code(client_id, **more))
        assert answer.status == 200, answer.body
        return json_of(answer)

    async def call(self, token: str) -> Any:
        """The principal of a call of the resource with that token."""
        fields = {"authorization": f"Bearer {token}"}
        return await self.resource.authenticate(request_of("POST", "/mcp", fields=fields))

    async def is_good(self, token: str) -> bool:
        """Whether the resource takes the token."""
        try:
            await self.call(token)
        except HttpError as error:
            return error.status != 401
        return True

    async def count(self, table: str) -> int:
        row = await self.database.one(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 - a test
        assert row is not None
        return int(row["n"] or 0)


@dataclass
class Visitor:
    """A browser: follows our redirects, keeps our cookie, fills in our forms."""

    house: House
    cookie: str | None = None
    address: str = "192.0.2.1"
    site: str | None = "cross-site"

    async def get(self, target: str) -> Answer:
        return await self._send("GET", target, b"", ())

    async def post(self, target: str, form: Mapping[str, Any]) -> Answer:
        body = urlencode(form, doseq=True).encode()
        fields = (("content-type", "application/x-www-form-urlencoded"),)
        return await self._send("POST", target, body, fields)

    async def _send(
        self, method: str, target: str, body: bytes, fields: tuple[tuple[str, str], ...]
    ) -> Answer:
        held = () if self.cookie is None else (("cookie", self.cookie),)
        came = () if self.site is None else (("sec-fetch-site", self.site),)
        request = request_of(method, target, body, (*fields, *held, *came), self.address)
        answer = await self.house.ask(request)
        if fresh := field_of(answer, "set-cookie"):
            self.cookie = fresh.partition(";")[0]
        return answer

    async def authorize(self, client_id: str, **more: Any) -> Answer:
        """Ask for a code; what is None is left out."""
        sent = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "scope": "read write",
            "state": "xyz",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **more,
        }
        query = urlencode({k: v for k, v in sent.items() if v is not None}, doseq=True)
        return await self.get(f"/authorize?{query}")

    async def follow(self, answer: Answer) -> Answer:
        """The page that a redirect to ourselves leads to."""
        while (field_of(answer, "location") or "").startswith(self.house.settings.issuer):
            answer = await self.get(field_of(answer, "location") or "")
        return answer

    def hidden(self, page: Answer) -> dict[str, str]:
        """The hidden inputs of the first form."""
        form = page.body.decode().partition("</form>")[0]
        pairs = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
        return {name: unescape(value) for name, value in pairs}

    async def sign_in(
        self, page: Answer, name: str = "alice", password: str = PASSWORD, action: str = "sign-in"
    ) -> Answer:
        """Fill in the login page."""
        form = {**self.hidden(page), "username": name, "password": password, "action": action}
        return await self.post("/login", form)

    async def decide(self, page: Answer, decision: str = "approve", **more: Any) -> Answer:
        """Answer the consent page, with every box checked unless told otherwise."""
        boxes = re.findall(r'name="scope" value="([\w:]+)"', page.body.decode())
        form = {**self.hidden(page), "decision": decision, "scope": boxes, **more}
        return await self.post("/consent", form)

    async def through(self, answer: Answer) -> Answer:
        """Sign in if asked, agree, and return the redirect to the client."""
        page = await self.follow(answer)
        if b'name="password"' in page.body:
            page = await self.follow(await self.sign_in(page))
        if page.status == 303:
            return page
        return await self.decide(page)

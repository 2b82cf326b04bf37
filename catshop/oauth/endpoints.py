"""The authorization server: every address of the OAuth plane, and who answers there.

The shell around the pure parts: it reads the clock, mints the randomness, asks storage, and turns
what was decided into answers. Errors of the JSON endpoints leave by one door, `api`; those of the
pages by that of `browser.py`. Read `metadata.py` first for what there is. OAuth 2.1 §3; RFC 7591;
RFC 7009; RFC 8414; RFC 9728.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import wraps
from typing import Final

from catshop.kernel import Clock, Kind, Trace, Unavailable
from catshop.oauth import (
    apps,
    audit,
    client_credentials,
    clients,
    devices,
    grants,
    jwt_bearer,
    metadata,
    pages,
    throttle,
    token_exchange,
    tokens,
)
from catshop.oauth.browser import Browser
from catshop.oauth.checks import settle
from catshop.oauth.client_auth import ClientAuthentication
from catshop.oauth.documents import ClientDocuments
from catshop.oauth.dpop import Possession
from catshop.oauth.errors import (
    InvalidClient,
    InvalidGrant,
    OAuthError,
    TemporarilyUnavailable,
    UnauthorizedClient,
    plain,
    render,
)
from catshop.oauth.fetch import Fetcher
from catshop.oauth.introspection import Introspection
from catshop.oauth.keys import Keyring
from catshop.oauth.management import Management
from catshop.oauth.model import Client
from catshop.oauth.parameters import (
    DEVICE_CODE,
    JWT_BEARER,
    TOKEN_EXCHANGE,
    CodeGrant,
    Parameters,
    RefreshGrant,
    client_credentials_grant,
    code_grant,
    grant_type,
    of_body,
    refresh_grant,
)
from catshop.oauth.parking import APPS
from catshop.oauth.ports import Decision, FoundCode, FoundRefresh, Issue, Refuse, Stores
from catshop.oauth.revocation import Revocation
from catshop.oauth.settings import OAuthSettings, Registration
from catshop.oauth.throttle import Throttle, Throttled
from catshop.oauth.tokens import Lifetimes, Mint, Minted
from catshop.oauth.upstream import CALLBACK, proxy
from catshop.protocol.http1.guard import Cors
from catshop.protocol.http1.messages import (
    NO_STORE,
    Answer,
    Handler,
    Request,
    json_answer,
)
from catshop.protocol.http1.routes import Route

DOCUMENT_CACHE: Final = ("cache-control", "public, max-age=300")
"""Metadata may be kept for five minutes: a change of ours is followed soon."""

Endpoint = Callable[["AuthorizationServer", Request], Awaitable[Answer]]


def api(endpoint: Endpoint) -> Endpoint:
    """The one door of the JSON endpoints. RFC 6749 §5.2."""

    @wraps(endpoint)
    async def answered(self: AuthorizationServer, request: Request) -> Answer:
        try:
            return await endpoint(self, request)
        except OAuthError as error:
            request.refuse(error, error.reference, plain(error.arrived))
            refusal = error
        except Unavailable as error:
            request.refuse(error, error.code)
            retry = ("retry-after", str(error.retry_after))
            refusal = TemporarilyUnavailable(error.code, fields=(retry,))
        audit.seen(error=refusal.code)
        return render(refusal)

    return answered


class AuthorizationServer:
    """Every endpoint of the authorization server, for one issuer and one resource."""

    def __init__(
        self,
        settings: OAuthSettings,
        stores: Stores,
        *,
        clock: Clock,
        mint: Mint,
        trace: Trace,
        fetcher: Fetcher,
    ) -> None:
        limiter = Throttle(stores.attempts, clock, mint)
        documents = ClientDocuments(
            stores.clients, fetcher, limiter, clock=clock, limits=settings.limits
        )
        stores = replace(stores, clients=documents)
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._mint = mint
        self._trace = trace
        self._keyring = Keyring(settings, stores.keys, clock, mint)
        self._throttle = limiter
        self._possession = Possession(settings, stores.proofs, clock=clock, trace=trace)
        self._revocation = Revocation(stores, clock, trace)
        self._clients = ClientAuthentication(
            settings, stores, documents.keys_at, clock=clock, mint=mint, trace=trace
        )
        self._management = Management(settings, stores, clock=clock, mint=mint, trace=trace)
        self._vouching = jwt_bearer.JwtBearer(
            settings, stores, clock=clock, mint=mint, fetcher=fetcher
        )
        self._exchanges = token_exchange.Exchanges(settings, stores, clock=clock, mint=mint)
        self._devices = devices.Devices(settings, stores, clock=clock, mint=mint, trace=trace)
        self._introspection = Introspection(settings, stores, clock=clock, mint=mint, trace=trace)
        self._browser = Browser(
            settings, stores, clock=clock, mint=mint, trace=trace, documents=documents
        )
        self._upstream = proxy(settings, stores, fetcher, clock=clock, mint=mint, trace=trace)
        if self._upstream is not None:
            self._browser.sign_in_elsewhere(self._upstream)

    async def begin(self) -> None:
        """What must be known before anybody is served; Unavailable when it cannot be."""
        if self._upstream is not None:
            await self._upstream.begin()

    def routes(self) -> tuple[Route, ...]:
        """Every route of this plane, each with its refusals in the audit."""
        return tuple(audit.watched(route) for route in self._all_routes())

    def _all_routes(self) -> tuple[Route, ...]:
        settings, browser, prefix = self._settings, self._browser, self._settings.prefix
        return (
            *_documents(metadata.server_paths(settings), lambda: metadata.server(settings)),
            *_documents(metadata.resource_paths(settings), lambda: metadata.resource(settings)),
            Route(f"{prefix}{metadata.JWKS}", {"GET": self.jwks}, Cors.ANY),
            *self._registration(),
            Route(f"{prefix}{metadata.TOKEN}", {"POST": self.token}, Cors.LISTED),
            Route(f"{prefix}{metadata.REVOKE}", {"POST": self.revoke}, Cors.LISTED),
            Route(f"{prefix}{metadata.INTROSPECT}", {"POST": self.introspect}, Cors.LISTED),
            Route(
                f"{prefix}{metadata.AUTHORIZE}",
                {"GET": browser.authorize, "POST": browser.authorize},
                Cors.NONE,
            ),
            *self._sign_in_routes(),
            Route(
                f"{prefix}/consent",
                {"GET": browser.show_consent, "POST": browser.consent},
                Cors.NONE,
            ),
            *self._device_routes(),
            *self._own_pages(),
            Route(f"{prefix}{pages.STYLE_PATH}", {"GET": browser.style}, Cors.NONE),
        )

    def _sign_in_routes(self) -> tuple[Route, ...]:
        """Where users sign in, or come back from where they have."""
        browser, prefix = self._browser, self._settings.prefix
        if self._upstream is not None:
            back = self._upstream.handlers(browser)
            return (Route(f"{prefix}{CALLBACK}", back, Cors.NONE),)
        own = {"GET": browser.show_login, "POST": browser.login}
        return (Route(f"{prefix}/login", own, Cors.NONE),)

    def _device_routes(self) -> tuple[Route, ...]:
        """Where a device begins, and where its user goes on. RFC 8628 §3."""
        enter, done = self._devices.handlers(self._browser)
        prefix = self._settings.prefix
        return (
            Route(f"{prefix}{metadata.DEVICE_AUTHORIZATION}", {"POST": self.device}, Cors.LISTED),
            Route(f"{prefix}{devices.ENTER}", enter, Cors.NONE),
            Route(f"{prefix}{devices.DONE}", done, Cors.NONE),
        )

    def _own_pages(self) -> tuple[Route, ...]:
        """Where users who sign in here see what they granted, and sign out. OAuth 2.1 §4.3.3."""
        if self._settings.upstream is not None:
            return ()
        own = apps.Apps(self._settings, self._stores, self._clock, self._trace)
        listing, leaving = own.handlers(self._browser)
        prefix = self._settings.prefix
        return (
            Route(f"{prefix}{APPS}", listing, Cors.NONE),
            Route(f"{prefix}{apps.LOGOUT}", leaving, Cors.NONE),
        )

    def _registration(self) -> tuple[Route, ...]:
        """Where strangers register clients, while they may. RFC 7591 §3."""
        if self._settings.registration is Registration.CLOSED:
            return ()
        path = f"{self._settings.prefix}{metadata.REGISTER}"
        own = dict.fromkeys(("GET", "PUT", "DELETE"), self.registration)
        return (
            Route(path, {"POST": self.register}, Cors.LISTED),
            Route(f"{path}/*", own, Cors.LISTED),
        )

    @api
    async def jwks(self, _: Request) -> Answer:
        """The public keys of every signature that is still good. RFC 7517 §5, §9."""
        return json_answer(200, await self._keyring.public(), DOCUMENT_CACHE)

    @api
    async def register(self, request: Request) -> Answer:
        """Register a client. RFC 7591 §3."""
        asked = await clients.of_body(request, self._settings.limits.form)
        client = clients.accept(asked, f"cat_{tokens.short(self._mint)}", self._clock())
        client, secret = clients.armed(client, self._mint)
        client, handle = self._management.entrusted(client)
        async with self._admitted(request):
            await self._stores.clients.add(client)
        self._trace.note(Kind.STATE, "client.registered", client_id=client.id)
        return json_answer(201, {**clients.answer(client, secret), **handle}, NO_STORE)

    @api
    async def registration(self, request: Request) -> Answer:
        """Let a client read, replace or remove its registration. RFC 7592 §2."""
        match request.head.method:
            case "PUT":
                return await self._management.update(request)
            case "DELETE":
                return await self._management.delete(request)
            case _:
                return await self._management.read(request)

    @api
    async def token(self, request: Request) -> Answer:
        """Issue tokens for a code or a refresh token. OAuth 2.1 §3.2."""
        arrived = self._clock()
        sent = await of_body(request, self._settings.limits.form)
        asked = grant_type(sent)
        audit.seen(grant=asked)
        client = await self._vouching.client(request, sent)
        client = client or await self._clients.authenticate(request, sent)
        if asked not in client.grant_types:
            raise UnauthorizedClient("E-TOKEN-02", arrived=asked)
        jkt = await self._possession.at_token_endpoint(request, client)
        if asked == "refresh_token":
            answer = await self._refresh(refresh_grant(sent), client, arrived, jkt)
        elif asked == "client_credentials":
            answer = await self._credentials(sent, client, jkt)
        elif asked == JWT_BEARER:
            answer = await self._vouched(sent, client, request.address, jkt)
        elif asked == TOKEN_EXCHANGE:
            answer = await self._exchange(sent, client, request.address, jkt)
        elif asked == DEVICE_CODE:
            answer = await self._redeem(*await self._devices.poll(sent, client), client, jkt)
        else:
            grant = code_grant(sent)
            answer = await self._redeem(grant.code.digest(), grant, client, jkt)
        return answer if jkt is None else self._possession.with_nonce(answer)

    @api
    async def revoke(self, request: Request) -> Answer:
        """Take a token back. RFC 7009 §2."""
        sent = await of_body(request, self._settings.limits.form)
        await self._revocation.revoke(sent, await self._clients.authenticate(request, sent))
        return Answer(200, (NO_STORE,))

    @api
    async def device(self, request: Request) -> Answer:
        """Begin the sign-in of a device. RFC 8628 §3.1, §3.2."""
        sent = await of_body(request, self._settings.limits.form)
        client = await self._clients.authenticate(request, sent)
        told = await self._devices.authorize(sent, client, request.address)
        return json_answer(200, told, NO_STORE)

    @api
    async def introspect(self, request: Request) -> Answer:
        """Say what a token is worth to whoever asks. RFC 7662 §2."""
        sent = await of_body(request, self._settings.limits.form)
        caller = await self._clients.confidential(request, sent)
        told = await self._introspection.introspect(sent, caller)
        return json_answer(200, told, NO_STORE)

    async def _redeem(
        self, digest: str, asked: CodeGrant, client: Client, jkt: str | None
    ) -> Answer:
        """The code grant. The decision is taken where the code is marked. OAuth 2.1 §4.1.3."""
        lifetimes = self._lifetimes()
        minted = await self._minted(tokens.short(self._mint), jkt)

        def decide(found: FoundCode) -> Decision:
            return grants.decide_code(found, asked, client, (minted, lifetimes))

        return self._settle(await self._stores.grants.redeem(digest, decide), minted)

    async def _refresh(
        self, asked: RefreshGrant, client: Client, arrived: datetime, jkt: str | None
    ) -> Answer:
        """The refresh grant. What was under way together is told by `arrived`. OAuth 2.1 §4.3.1."""
        family_id = tokens.family_id_of(asked.refresh_token)
        if family_id is None:
            raise InvalidGrant("E-REF-01")
        minted = await self._minted(family_id, jkt)

        def decide(found: FoundRefresh) -> Decision:
            issuing = (minted, self._lifetimes())
            return grants.decide_refresh(found, asked, client, arrived, issuing)

        digest = asked.refresh_token.digest()
        if self._upstream is not None:
            await self._upstream.confirm(digest, family_id, decide)
        return self._settle(await self._stores.grants.rotate(digest, family_id, decide), minted)

    async def _vouched(
        self, sent: Parameters, client: Client, address: str, jkt: str | None
    ) -> Answer:
        """The jwt-bearer grant. RFC 7523 §2.1."""
        issuing = minted, _ = await self._minted(tokens.short(self._mint), jkt), self._lifetimes()
        return self._settle(await self._vouching.decision(sent, client, address, issuing), minted)

    async def _exchange(
        self, sent: Parameters, client: Client, address: str, jkt: str | None
    ) -> Answer:
        """The exchange of a token, which says what kind it has issued. RFC 8693 §2.2.1."""
        issuing = minted, _ = await self._minted(tokens.short(self._mint), jkt), self._lifetimes()
        decision = await self._exchanges.decision(sent, client, address, issuing)
        return self._settle(decision, minted, issued_token_type=token_exchange.ACCESS_TOKEN)

    async def _credentials(self, sent: Parameters, client: Client, jkt: str | None) -> Answer:
        """The client credentials grant. OAuth 2.1 §4.2.1."""
        asked = client_credentials_grant(sent)
        minted = await self._minted(tokens.short(self._mint), jkt)
        asking = client_credentials.Asking(asked, client, self._settings.resource)
        decision = client_credentials.decide(asking, minted, self._lifetimes())
        if isinstance(decision, Issue) and not await self._stores.grants.issue(decision):
            raise InvalidClient("E-TOKEN-03", arrived=client.id)
        return self._settle(decision, minted)

    def _settle(self, decision: Decision, minted: Minted, **more: str) -> Answer:
        """Tell what was decided: to the trace, to whoever remembers tokens, to the client."""
        if isinstance(decision, Refuse) and decision.family_id is not None:
            self._stores.notices.ended(decision.family_id)
            self._trace.note(Kind.STATE, "family.revoked", cause=decision.findings.failed)
        settle(decision.findings, self._trace)
        if not isinstance(decision, Issue):
            raise TypeError("a refusal has a finding that failed")
        self._stores.notices.ended(decision.family.id)
        told = tokens.answer(minted, decision.family, decision.access, decision.refresh)
        return json_answer(200, {**told, **more}, NO_STORE)

    async def _minted(self, family_id: str, jkt: str | None) -> Minted:
        return Minted.of(family_id, self._mint, await self._keyring.writer(), jkt)

    def _lifetimes(self) -> Lifetimes:
        return Lifetimes(self._clock(), self._settings.limits)

    @asynccontextmanager
    async def _admitted(self, request: Request) -> AsyncIterator[None]:
        """Let only so many registrations through from one address. RFC 7591 §5."""
        budget = throttle.registration(request.address, self._settings.limits)
        try:
            async with self._throttle.spending(budget):
                yield
        except Throttled as wait:
            retry = ("retry-after", str(wait.retry_after))
            raise TemporarilyUnavailable("E-REG-12", status=429, fields=(retry,)) from None


def _documents(paths: tuple[str, ...], body: Callable[[], dict[str, object]]) -> tuple[Route, ...]:
    """A public document at each of its addresses. RFC 8414 §3.2; RFC 9728 §3.2."""

    async def document(_: Request) -> Answer:
        return json_answer(200, body(), DOCUMENT_CACHE)

    handler: Handler = document
    return tuple(Route(path, {"GET": handler}, Cors.ANY) for path in paths)

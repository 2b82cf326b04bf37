"""The authorization server: every address of the OAuth plane, and who answers there.

The shell around the pure parts: it reads the clock, mints the randomness, asks storage, and turns
what was decided into answers. Errors of the JSON endpoints leave by one door, `api`; those of the
pages by that of `browser.py`. Read `metadata.py` first for what there is. OAuth 2.1 §3; RFC 7591;
RFC 7009; RFC 8414; RFC 9728.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final

from catshop.kernel import Clock, Kind, Trace, Unavailable
from catshop.oauth import clients, grants, metadata, pages, throttle, tokens
from catshop.oauth.browser import Browser
from catshop.oauth.checks import settle
from catshop.oauth.errors import (
    InvalidClient,
    InvalidGrant,
    OAuthError,
    TemporarilyUnavailable,
    UnauthorizedClient,
    render,
)
from catshop.oauth.model import Client
from catshop.oauth.parameters import (
    Parameters,
    code_grant,
    grant_type,
    of_body,
    refresh_grant,
)
from catshop.oauth.ports import Decision, FoundCode, FoundRefresh, Issue, Refuse, Stores
from catshop.oauth.revocation import Revocation
from catshop.oauth.settings import OAuthSettings
from catshop.oauth.throttle import Throttle, Throttled
from catshop.oauth.tokens import Lifetimes, Mint, Minted
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.fields import parse_media_type
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
            refusal = error
        except Unavailable as error:
            retry = ("retry-after", str(error.retry_after))
            refusal = TemporarilyUnavailable(error.code, fields=(retry,))
        request.notes["code"] = refusal.reference
        return render(refusal)

    return answered


class AuthorizationServer:
    """Every endpoint of the authorization server, for one issuer and one resource."""

    def __init__(
        self, settings: OAuthSettings, stores: Stores, *, clock: Clock, mint: Mint, trace: Trace
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._mint = mint
        self._trace = trace
        self._throttle = Throttle(stores.attempts, clock, mint)
        self._revocation = Revocation(stores, clock, trace)
        self._browser = Browser(settings, stores, clock=clock, mint=mint, trace=trace)

    def routes(self) -> tuple[Route, ...]:
        """Every route of this plane."""
        settings, browser, prefix = self._settings, self._browser, self._settings.prefix
        return (
            *_documents(metadata.server_paths(settings), metadata.server(settings)),
            *_documents(metadata.resource_paths(settings), metadata.resource(settings)),
            Route(f"{prefix}{metadata.REGISTER}", {"POST": self.register}, Cors.LISTED),
            Route(f"{prefix}{metadata.TOKEN}", {"POST": self.token}, Cors.LISTED),
            Route(f"{prefix}{metadata.REVOKE}", {"POST": self.revoke}, Cors.LISTED),
            Route(
                f"{prefix}{metadata.AUTHORIZE}",
                {"GET": browser.authorize, "POST": browser.authorize},
                Cors.NONE,
            ),
            Route(f"{prefix}/login", {"GET": browser.show_login, "POST": browser.login}, Cors.NONE),
            Route(
                f"{prefix}/consent",
                {"GET": browser.show_consent, "POST": browser.consent},
                Cors.NONE,
            ),
            Route(f"{prefix}{pages.STYLE_PATH}", {"GET": browser.style}, Cors.NONE),
        )

    @api
    async def register(self, request: Request) -> Answer:
        """Register a client. RFC 7591 §3."""
        sent = request.fields.one("content-type")
        media_type = parse_media_type(sent)
        if media_type is None or media_type.name != "application/json":
            raise HttpError(415, "E-REG-11", arrived=sent or "no Content-Type")
        asked = clients.read(await request.body(self._settings.limits.form))
        client = clients.accept(asked, f"cat_{tokens.short(self._mint)}", self._clock())
        await self._admit(request)
        await self._stores.clients.add(client)
        self._trace.note(Kind.STATE, "client.registered", client_id=client.id)
        return json_answer(201, clients.answer(client), NO_STORE)

    @api
    async def token(self, request: Request) -> Answer:
        """Issue tokens for a code or a refresh token. OAuth 2.1 §3.2."""
        sent = await of_body(request, self._settings.limits.form)
        asked = grant_type(sent)
        client = await self._client(request, sent)
        if asked not in client.grant_types:
            raise UnauthorizedClient("E-TOKEN-02", arrived=asked)
        if asked == "refresh_token":
            return await self._refresh(sent, client)
        return await self._redeem(sent, client)

    @api
    async def revoke(self, request: Request) -> Answer:
        """Take a token back. RFC 7009 §2."""
        sent = await of_body(request, self._settings.limits.form)
        await self._revocation.revoke(sent, await self._client(request, sent))
        return Answer(200, (NO_STORE,))

    async def _redeem(self, sent: Parameters, client: Client) -> Answer:
        """The code grant. The decision is taken where the code is marked. OAuth 2.1 §4.1.3."""
        asked, lifetimes = code_grant(sent), self._lifetimes()
        minted = Minted.of(tokens.short(self._mint), self._mint)

        def decide(found: FoundCode) -> Decision:
            return grants.decide_code(found, asked, client, (minted, lifetimes))

        return self._settle(await self._stores.grants.redeem(asked.code.digest(), decide), minted)

    async def _refresh(self, sent: Parameters, client: Client) -> Answer:
        """The refresh grant. OAuth 2.1 §4.3.1."""
        asked, arrived = refresh_grant(sent), self._clock()
        family_id = tokens.family_id_of(asked.refresh_token)
        if family_id is None:
            raise InvalidGrant("E-REF-01")
        minted = Minted.of(family_id, self._mint)

        def decide(found: FoundRefresh) -> Decision:
            issuing = (minted, self._lifetimes())
            return grants.decide_refresh(found, asked, client, arrived, issuing)

        digest = asked.refresh_token.digest()
        return self._settle(await self._stores.grants.rotate(digest, family_id, decide), minted)

    def _settle(self, decision: Decision, minted: Minted) -> Answer:
        """Tell what was decided: to the trace, to whoever remembers tokens, to the client."""
        if isinstance(decision, Refuse) and decision.family_id is not None:
            self._stores.notices.ended(decision.family_id)
            self._trace.note(Kind.STATE, "family.revoked", cause=decision.findings.failed)
        settle(decision.findings, self._trace)
        if not isinstance(decision, Issue):
            raise TypeError("a refusal has a finding that failed")
        self._stores.notices.ended(decision.family.id)
        return json_answer(200, tokens.answer(minted, decision.access, decision.refresh), NO_STORE)

    def _lifetimes(self) -> Lifetimes:
        return Lifetimes(self._clock(), self._settings.limits)

    async def _client(self, request: Request, sent: Parameters) -> Client:
        """The public client that `client_id` names. OAuth 2.1 §2.4, §3.2.1.

        Whoever tries to prove more than we know is refused: such a client believes itself to be
        another kind than it is registered as.
        """
        if "authorization" in request.fields:
            basic = ("www-authenticate", 'Basic realm="Cat Shop"')
            raise InvalidClient("E-TOKEN-04", arrived="an Authorization field", fields=(basic,))
        for name in ("client_secret", "client_assertion"):
            if sent.one(name) is not None:
                raise InvalidClient("E-TOKEN-04", arrived=name)
        identifier = sent.one("client_id")
        client = await self._stores.clients.find(identifier or "")
        if client is None:
            raise InvalidClient("E-TOKEN-03", arrived=identifier or "no client_id")
        return client

    async def _admit(self, request: Request) -> None:
        """Let only so many registrations through from one address. RFC 7591 §5."""
        try:
            await self._throttle.spend(
                throttle.registration(request.address, self._settings.limits)
            )
        except Throttled as wait:
            retry = ("retry-after", str(wait.retry_after))
            raise TemporarilyUnavailable("E-REG-12", status=429, fields=(retry,)) from None


def _documents(paths: tuple[str, ...], body: dict[str, object]) -> tuple[Route, ...]:
    """A public document at each of its addresses. RFC 8414 §3.2; RFC 9728 §3.2."""
    answer = json_answer(200, body, DOCUMENT_CACHE)

    async def document(_: Request) -> Answer:
        return answer

    handler: Handler = document
    return tuple(Route(path, {"GET": handler}, Cors.ANY) for path in paths)

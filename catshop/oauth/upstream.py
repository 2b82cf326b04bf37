"""The proxy: users sign in at an upstream issuer that knows only us, and clients know only us.

The upstream sees one client, so it cannot tell a user whom they let in: that is asked here, first,
on our own page, for each client. Only then is a trip begun; only the browser in which somebody
agreed can end it, once. What it brings is a user, who gets a code of ours; the upstream's tokens go
no further. Its refresh token is kept sealed, and asked for whenever ours is used, so that who is
locked out there is locked out here. MCP 2026-07-28 basic/authorization/security-considerations
§confused-deputy-problem; RFC 9207 §2.4; RFC 9700 §4.4; docs/why/0020-consent-before-the-upstream.md
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import urlencode

import anyio

from catshop.kernel import Clock, Kind, Secret, Trace, Unavailable, Verdict
from catshop.oauth import pkce, scopes, tokens
from catshop.oauth.browser import Browser, page
from catshop.oauth.errors import InvalidGrant
from catshop.oauth.fetch import Fetcher
from catshop.oauth.model import AuthorizationRequest, Family, Refusal, Trip, UpstreamToken, User
from catshop.oauth.parameters import Parameters, of_query
from catshop.oauth.ports import Decision, FoundRefresh, Issue, Stores
from catshop.oauth.seals import Seal
from catshop.oauth.settings import OAuthSettings
from catshop.oauth.tokens import Mint
from catshop.oauth.upstream_identity import Identity, issuer_is_named, told
from catshop.oauth.upstream_issuer import UpstreamIssuer
from catshop.oauth.upstream_ports import Claimed
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.fields import Cookie, parse_cookies, set_cookie
from catshop.protocol.http1.messages import NO_STORE, Answer, Handler, Request
from catshop.signing import Signer

CALLBACK: Final = "/upstream/callback"
"""Our redirect_uri at the upstream."""

TRAVELLER: Final = "catshop.upstream.browser"
VERIFIER: Final = "catshop.upstream.verifier"
NONCE: Final = "catshop.upstream.nonce"
SEALED: Final = "catshop.upstream.token"
"""Purposes, each with a key of its own."""

NO_PASSWORD: Final = "!"  # noqa: S105 - the hash of nothing: who has this has no password here
"""Kept where a local account has the hash of its password. No password matches it."""


class UpstreamProxy:
    """Takes browsers to the upstream and back, and asks it about users who have been there."""

    def __init__(
        self,
        settings: OAuthSettings,
        stores: Stores,
        issuer: UpstreamIssuer,
        *,
        clock: Clock,
        mint: Mint,
        trace: Trace,
    ) -> None:
        keys = (settings.secret_key, settings.previous_keys)
        self._settings = settings
        self._stores = stores
        self._issuer = issuer
        self._clock = clock
        self._mint = mint
        self._trace = trace
        self._signer = Signer(*keys, clock=clock)
        self._seal = Seal(*keys, SEALED)
        name = "catshop-upstream"
        self._cookie = f"__Host-{name}" if settings.is_https else name

    async def begin(self) -> None:
        """Read the upstream's metadata, so that a wrong one is found before anybody is served."""
        await self._issuer.endpoints()

    async def leave(
        self, request: Request, waiting: AuthorizationRequest, granted: frozenset[str]
    ) -> Answer:
        """Off to the upstream, now that the user has agreed; the cookie is set with this answer.

        MCP 2026-07-28 basic/authorization/security-considerations §confused-deputy-problem.
        """
        target = (await self._issuer.endpoints()).authorization
        seconds = self._settings.limits.request_seconds
        state, browser = Secret(self._mint()), self._traveller(request) or Secret(self._mint())
        ends = self._clock() + timedelta(seconds=seconds)
        trip = Trip(state.digest(), browser.digest(), waiting.id, granted, ends)
        if not await self._stores.upstreams.depart(trip):
            raise HttpError(400, "E-LOGIN-01")
        self._trace.note(Kind.STATE, "upstream.leave", client_id=waiting.client_id)
        signed = self._signer.sign(browser.reveal(), TRAVELLER)
        secure = self._settings.is_https
        cookie = Cookie(self._cookie, signed, max_age=seconds, secure=secure)
        joint = "&" if "?" in target else "?"
        location = ("location", f"{target}{joint}{urlencode(self._asked(state))}")
        quiet = ("referrer-policy", "no-referrer")
        return Answer(303, (location, NO_STORE, quiet, set_cookie(cookie)))

    def handlers(self, browser: Browser) -> dict[str, Handler]:
        """Who answers at `CALLBACK`; what is refused leaves by the door of the pages."""
        return {"GET": partial(page(self._back), browser)}

    async def _back(self, browser: Browser, request: Request) -> Answer:
        """From the upstream's answer to ours. Its state is worth nothing from here on."""
        sent = of_query(request)
        state = Secret(sent.one("state") or "")
        trip = await self._arrived(request, state)
        waiting = await browser.waiting(request, trip.request_id)
        issuer_is_named(sent, self._issuer.who.issuer, await self._issuer.endpoints())
        self._trace.check("upstream.iss", Verdict.OK)
        error = sent.one("error")
        if error is not None:
            refusal = told(error)
            request.notes["code"] = refusal.reference
            return await browser.deny(waiting, Refusal(refusal.code, refusal.description))
        user, refresh_token = await self._signed_in(sent, state)
        granted = scopes.common(trip.scopes, waiting.scopes)
        if not user.active:
            raise HttpError(403, "E-LOGIN-04")
        if not granted:
            raise HttpError(400, "E-LOGIN-01")
        code = tokens.mint_code(self._mint)
        if refresh_token is not None:
            kept = UpstreamToken(code.digest(), self._seal.close(refresh_token.reveal().encode()))
            await self._stores.upstreams.keep(kept, self._clock())
        return await browser.approve(waiting, user, granted, code)

    async def confirm(
        self, refresh: str, family_id: str, decide: Callable[[FoundRefresh], Decision]
    ) -> None:
        """Ask the upstream before our refresh token is used, if ours would be good at all.

        InvalidGrant, and the family's end, when the upstream refuses; Unavailable, and nothing
        changed, when it cannot say, or says it to somebody else just now.
        """
        decision = decide(await self._stores.grants.look(refresh, family_id))
        if not isinstance(decision, Issue):
            return
        now = self._clock()
        until = now + timedelta(seconds=self._settings.limits.upstream_claim_seconds)
        held = await self._stores.upstreams.claim(family_id, now, until)
        if isinstance(held, Claimed):
            raise Unavailable("E-UPS-12", "another refresh asks just now")
        if held is not None:
            # An upstream that rotates has done so even if our client has hung up meanwhile.
            with anyio.CancelScope(shield=True):
                await self._renew(held, decision.family)

    async def _renew(self, held: UpstreamToken, family: Family) -> None:
        opened = self._seal.open(held.sealed)
        try:
            if opened is None:
                raise InvalidGrant("E-UPS-11", arrived="a seal that is not ours")
            fresh = await self._issuer.renew(Secret(opened.decode()))
        except InvalidGrant:
            await self._stores.grants.revoke_family(family.id, self._clock())
            self._stores.notices.ended(family.id)
            self._trace.check("upstream.stands", Verdict.NO)
            raise
        except Unavailable:
            await self._stores.upstreams.give_back(held)
            raise
        sealed = self._seal.close(fresh.reveal().encode())
        await self._stores.upstreams.give_back(UpstreamToken(held.code, sealed))
        self._trace.check("upstream.stands", Verdict.OK)

    async def _arrived(self, request: Request, state: Secret) -> Trip:
        """The trip that ends here: begun by us, not long ago, in this browser. RFC 9700 §4.7."""
        trip = await self._stores.upstreams.arrive(state.digest())
        if trip is None or self._clock() >= trip.expires_at:
            self._trace.check("upstream.state", Verdict.NO)
            raise HttpError(400, "E-UPS-03")
        self._trace.check("upstream.state", Verdict.OK)
        browser = self._traveller(request)
        if browser is None or browser.digest() != trip.browser:
            self._trace.check("upstream.browser", Verdict.NO)
            raise HttpError(403, "E-UPS-04")
        self._trace.check("upstream.browser", Verdict.OK)
        return trip

    async def _signed_in(self, sent: Parameters, state: Secret) -> tuple[User, Secret | None]:
        """The account of whoever signed in there, and what to ask with after them later."""
        code = sent.secret("code")
        if code is None:
            raise HttpError(400, "E-UPS-06", arrived="no code")
        verifier, nonce = Secret(self._mark(state, VERIFIER)), self._mark(state, NONCE)
        back = self._settings.url(CALLBACK)
        brought = await self._issuer.redeem(code, verifier, back, nonce)
        return await self._resident(brought.identity), brought.refresh_token

    async def _resident(self, who: Identity) -> User:
        newcomer = User(tokens.short(self._mint), who.name, NO_PASSWORD, self._clock())
        return await self._stores.upstreams.resident(who.issuer, who.subject, newcomer)

    def _asked(self, state: Secret) -> dict[str, str]:
        """Our authorization request. OAuth 2.1 §4.1.1; OpenID Connect Core 1.0 §3.1.2.1, §11."""
        who = self._issuer.who
        verifier = Secret(self._mark(state, VERIFIER))
        members = {
            "response_type": "code",
            "client_id": who.client_id,
            "redirect_uri": self._settings.url(CALLBACK),
            "scope": " ".join(who.scopes),
            "state": state.reveal(),
            "code_challenge": pkce.derive(verifier),
            "code_challenge_method": pkce.METHOD,
        }
        if "openid" in who.scopes:
            members["nonce"] = self._mark(state, NONCE)
        if "offline_access" in who.scopes:
            members["prompt"] = "consent"
        return members

    def _mark(self, state: Secret, purpose: str) -> str:
        """A secret of this trip that is kept nowhere: it follows from the state and our key.

        43 characters, as RFC 7636 §4.1 wants of a verifier.
        """
        return self._signer.mark(state.reveal(), purpose)

    def _traveller(self, request: Request) -> Secret | None:
        """The id that this browser got when somebody agreed in it; None without, or too old."""
        cookies = parse_cookies(request.fields.get("cookie"))
        signed = cookies.get(self._cookie, "")
        found = self._signer.read(signed, self._settings.limits.request_seconds, TRAVELLER)
        return None if found is None else Secret(found)


def proxy(
    settings: OAuthSettings,
    stores: Stores,
    fetcher: Fetcher,
    *,
    clock: Clock,
    mint: Mint,
    trace: Trace,
) -> UpstreamProxy | None:
    """The proxy that the settings ask for."""
    if settings.upstream is None:
        return None
    issuer = UpstreamIssuer(settings.upstream, fetcher, clock, trace)
    return UpstreamProxy(settings, stores, issuer, clock=clock, mint=mint, trace=trace)

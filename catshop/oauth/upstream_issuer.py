"""Asks the upstream issuer: what it is, what a code is worth, whether a user still stands.

To the upstream the shop is one client, with its own credentials; nothing that an MCP client sent is
ever sent on, and what comes back stays here but for who signed in, and a refresh token to seal. The
upstream's access token is used for one question at most, and forgotten. A refusal of the upstream
is `InvalidGrant`, everything else that goes wrong `Unavailable`. RFC 6749 §4.1.3, §6;
RFC 7636 §4.5; RFC 7662 §2.1; OpenID Connect Core 1.0 §3.1.3, §5.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catshop.kernel import Clock, Secret, Trace, Unavailable
from catshop.oauth import strict
from catshop.oauth.checks import examine, settle
from catshop.oauth.errors import InvalidGrant, plain
from catshop.oauth.federation import IssuerKeys, basic, discover
from catshop.oauth.fetch import Ask, Fetcher, FetchFailed
from catshop.oauth.jwt import unverified_header
from catshop.oauth.settings import Upstream
from catshop.oauth.upstream_identity import (
    ID_TOKEN,
    Endpoints,
    Identity,
    Shown,
    endpoints,
    identity,
)

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Brought:
    """What a code of the upstream was worth."""

    identity: Identity
    refresh_token: Secret | None


class UpstreamIssuer:
    """The upstream issuer, as its one client sees it."""

    def __init__(self, who: Upstream, fetcher: Fetcher, clock: Clock, trace: Trace) -> None:
        self.who = who
        self._fetcher = fetcher
        self._clock = clock
        self._trace = trace
        self._keys = IssuerKeys(who.issuer, fetcher, clock)
        self._endpoints: Endpoints | None = None

    async def endpoints(self) -> Endpoints:
        """Read once, and only from the issuer that was configured. RFC 8414 §3.3."""
        if self._endpoints is None:
            try:
                found = await discover(self.who.issuer, self._fetcher)
                self._endpoints = endpoints(found, self._fetcher.reach)
            except FetchFailed as failure:
                raise Unavailable("E-UPS-01", str(failure)) from None
            except ValueError as error:
                raise Unavailable("E-UPS-02", str(error), retry_after=60) from None
        return self._endpoints

    async def redeem(self, code: Secret, verifier: Secret, back: str, nonce: str) -> Brought:
        """Who signed in; InvalidGrant when the code is not good for this trip."""
        form = (
            ("grant_type", "authorization_code"),
            ("code", code.reveal()),
            ("redirect_uri", back),
            ("code_verifier", verifier.reveal()),
        )
        answer = await self._tokens(form, "E-UPS-06")
        claims = await self._claims(answer, nonce)
        kept = answer.get("refresh_token")
        found = identity(self.who.issuer, claims, self.who.host)
        return Brought(found, Secret(kept) if isinstance(kept, str) and kept else None)

    async def renew(self, refresh_token: Secret) -> Secret:
        """The refresh token to use next; InvalidGrant when the user stands no longer."""
        form = (("grant_type", "refresh_token"), ("refresh_token", refresh_token.reveal()))
        fresh = (await self._tokens(form, "E-UPS-11")).get("refresh_token")
        return Secret(fresh) if isinstance(fresh, str) and fresh else refresh_token

    async def _tokens(self, form: Pairs, refused: str) -> strict.Members:
        """What the token endpoint says. Only `invalid_grant` is about the user. RFC 6749 §5.2."""
        known = await self.endpoints()
        status, answer = await self._post(known.token, form)
        if status == 200:
            return answer
        error = plain(str(answer.get("error", "no error")))
        if error == InvalidGrant.code:
            raise InvalidGrant(refused)
        raise Unavailable("E-UPS-08", f"the token endpoint says {error}")

    async def _claims(self, answer: strict.Members, nonce: str) -> Mapping[str, object]:
        """What the upstream says of the user: in an ID token, or when asked."""
        token, access = answer.get("id_token"), Secret(str(answer.get("access_token", "")))
        if isinstance(token, str):
            return await self._verified(Secret(token), nonce)
        if "openid" in self.who.scopes:
            raise InvalidGrant("E-UPS-07", arrived="no id_token")
        return await self._asked(access)

    async def _verified(self, token: Secret, nonce: str) -> Mapping[str, object]:
        """OpenID Connect Core 1.0 §3.1.3.7."""
        kid = unverified_header(token).get("kid")
        keys = await self._keys.current(kid if isinstance(kid, str) else None)
        now = self._clock()
        shown = Shown(token, self.who.issuer, self.who.client_id, nonce, now, keys)
        shown, findings = examine(ID_TOKEN, shown)
        settle(findings, self._trace)
        return shown.claims

    async def _asked(self, access: Secret) -> strict.Members:
        """Without OpenID the upstream is asked whose its token is. RFC 7662 §2.1."""
        known = await self.endpoints()
        if known.userinfo is not None:
            return await self._get(known.userinfo, access)
        if known.introspection is None:
            raise Unavailable("E-UPS-02", "it does not say who signed in")
        status, told = await self._post(known.introspection, (("token", access.reveal()),))
        ours = told.get("client_id", self.who.client_id) == self.who.client_id
        if status != 200 or told.get("active") is not True or not ours:
            raise InvalidGrant("E-UPS-07", arrived="an inactive token")
        return told

    async def _get(self, url: str, access: Secret) -> strict.Members:
        """OpenID Connect Core 1.0 §5.3.1."""
        limits = self._fetcher.limits
        bearer = f"Bearer {access.reveal()}"
        return (await self._fetch(url, Ask(limits.key_octets, limits.seconds, (), bearer)))[1]

    async def _post(self, url: str, form: Pairs) -> tuple[int, strict.Members]:
        """A form with our own credentials, and nobody else's. RFC 6749 §2.3.1, §3.2.1."""
        known, limits, who = await self.endpoints(), self._fetcher.limits, self.who
        proof = ""
        if who.secret is None or not known.takes_basic:
            form = (*form, ("client_id", who.client_id))
        if who.secret is not None and known.takes_basic:
            proof = basic(who.client_id, who.secret).reveal()
        elif who.secret is not None:
            form = (*form, ("client_secret", who.secret.reveal()))
        ask = Ask(limits.key_octets, limits.seconds, form, proof, (400, 401))
        return await self._fetch(url, ask)

    async def _fetch(self, url: str, ask: Ask) -> tuple[int, strict.Members]:
        try:
            fetched = await self._fetcher.fetch(url, ask)
            return fetched.status, strict.members(fetched.body)
        except (FetchFailed, ValueError) as failure:
            raise Unavailable("E-UPS-08", str(failure)) from None

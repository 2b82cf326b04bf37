"""Client authentication: whoever names a client shows that it is that client, as it registered.

A request says at most once who it comes from, and by one method; a proof of another kind than was
registered is no proof. An unknown client and a wrong secret get the same answer. An assertion is
good once: its `jti` is spent in storage, where a restart or a second process finds it. Pure down to
`ClientAuthentication`, which asks storage. OAuth 2.1 §2.4; RFC 6749 §2.3.1; RFC 7521 §4.2;
RFC 7523 §3.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote_to_bytes

from catshop.kernel import Clock, Secret, Trace
from catshop.oauth import assertions, audit, jwt, throttle
from catshop.oauth.checks import Checks, examine, settle
from catshop.oauth.errors import InvalidClient, InvalidRequest, TemporarilyUnavailable
from catshop.oauth.metadata import TOKEN
from catshop.oauth.model import Client
from catshop.oauth.parameters import Parameters
from catshop.oauth.ports import Stores
from catshop.oauth.settings import AssertionAudience, OAuthSettings
from catshop.oauth.throttle import Throttle, Throttled
from catshop.oauth.tokens import Mint
from catshop.protocol.http1.messages import Request

BASIC: Final = ("www-authenticate", 'Basic realm="Cat Shop", charset="UTF-8"')
"""What a client is told that tried the Authorization field. RFC 6749 §5.2; RFC 7617 §2.1."""

BROKEN: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")

Method = str
"""A token_endpoint_auth_method. RFC 7591 §2."""


KeysAt = Callable[[str], Awaitable[str]]
"""Reads the keys at a jwks_uri, as JSON; InvalidClient when they cannot be read."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a request says that it comes from, and what it shows for that."""

    method: Method
    client_id: str | None
    proof: Secret | None = None


def read(request: Request, sent: Parameters) -> Claim:
    """The one claim of a request. OAuth 2.1 §2.4: no more than one method at a time."""
    claims = [claim for claim in (_basic(request), _post(sent), _assertion(sent)) if claim]
    if len(claims) > 1:
        raise InvalidRequest("E-CLIENT-01", arrived=" and ".join(c.method for c in claims))
    claim = claims[0] if claims else Claim("none", None)
    named = sent.one("client_id")
    if named is not None and claim.client_id is not None and named != claim.client_id:
        raise InvalidRequest("E-CLIENT-02", arrived=f"{claim.client_id} and {named}")
    return replace(claim, client_id=named or claim.client_id)


def _basic(request: Request) -> Claim | None:
    """Id and secret, each form-encoded, in the Authorization field. RFC 6749 §2.3.1."""
    sent = request.fields.all("authorization")
    if not sent:
        return None
    if len(sent) > 1:
        raise InvalidRequest("E-CLIENT-01", arrived=f"{len(sent)} Authorization fields")
    scheme, _, credentials = sent[0].partition(" ")
    try:
        text = base64.b64decode(credentials.strip(" "), validate=True).decode("utf-8")
        name, colon, secret = text.partition(":")
        if scheme.lower() == "basic" and colon:
            return Claim("client_secret_basic", _decoded(name), Secret(_decoded(secret)))
    except ValueError:
        pass
    raise InvalidClient("E-CLIENT-03")


def _decoded(text: str) -> str:
    """A form-encoded value. RFC 6749 Appendix B."""
    if BROKEN.search(text):
        raise ValueError("a percent sign that encodes nothing")
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")


def _post(sent: Parameters) -> Claim | None:
    secret = sent.secret("client_secret")
    return None if secret is None else Claim("client_secret_post", None, secret)


def _assertion(sent: Parameters) -> Claim | None:
    """One signed assertion, and its type. RFC 7521 §4.2, §4.2.1."""
    types, found = sent.all("client_assertion_type"), sent.all("client_assertion")
    if not types and not found:
        return None
    if types != (assertions.TYPE,) or len(found) != 1:
        kinds = " ".join(types) or "no client_assertion_type"
        raise InvalidClient("E-CLIENT-06", arrived=f"{kinds}, {len(found)} client_assertion")
    assertion = Secret(found[0])
    return Claim("private_key_jwt", assertions.named_by(assertion), assertion)


@dataclass(frozen=True, slots=True)
class Proving:
    """A claim next to the client that it names; None when there is none of that id."""

    claim: Claim
    client: Client | None


def client_is_known(proving: Proving) -> Proving:
    """Without a proof, an unknown id is all that is wrong. OAuth 2.1 §3.2.4."""
    if proving.client is None and proving.claim.proof is None:
        raise InvalidClient("E-TOKEN-03", arrived=proving.claim.client_id or "no client_id")
    return proving


def method_is_the_registered(proving: Proving) -> Proving:
    """A client proves itself in the one way that it registered. OAuth 2.1 §2.4."""
    client, method = proving.client, proving.claim.method
    if client is not None and method != client.auth_method:
        raise InvalidClient("E-TOKEN-04" if client.public else "E-CLIENT-05", arrived=method)
    return proving


def secret_is_right(proving: Proving) -> Proving:
    """The hash of the secret is that of the client, compared in constant time. OAuth 2.1 §2.4.1."""
    client, proof = proving.client, proving.claim.proof
    if proof is None or proving.claim.method == "private_key_jwt":
        return proving
    kept = client.secret_hash if client else None
    if not hmac.compare_digest(proof.digest(), kept or "") or kept is None:
        raise InvalidClient("E-CLIENT-04")
    return proving


CLIENT: Final[Checks[Proving]] = (
    ("client.known", client_is_known),
    ("client.method", method_is_the_registered),
    ("client.secret", secret_is_right),
)
"""What needs no clock and no storage; an assertion goes on to `assertions.py`."""


class ClientAuthentication:
    """Finds out which client sends a request, for every endpoint that clients call directly."""

    def __init__(
        self,
        settings: OAuthSettings,
        stores: Stores,
        keys_at: KeysAt,
        *,
        clock: Clock,
        mint: Mint,
        trace: Trace,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._keys_at = keys_at
        self._clock = clock
        self._trace = trace
        self._throttle = Throttle(stores.attempts, clock, mint)
        endpoint = settings.assertion_audience is AssertionAudience.TOKEN_ENDPOINT
        self._ours = (settings.issuer, *((settings.url(TOKEN),) if endpoint else ()))

    async def authenticate(self, request: Request, sent: Parameters) -> Client:
        """The client that sends this, or the refusal that fits its way of asking.

        OAuth 2.1 §3.2.4: who tried the Authorization field is told the scheme that fits.
        """
        try:
            return await self._guarded(read(request, sent), request.address)
        except InvalidClient as refusal:
            if "authorization" in request.fields:
                refusal.fields = (*refusal.fields, BASIC)
            raise

    async def confidential(self, request: Request, sent: Parameters) -> Client:
        """The same, for what no public client may ask. RFC 7662 §2.1."""
        client = await self.authenticate(request, sent)
        if client.public:
            raise InvalidClient("E-CLIENT-09", arrived=client.id, fields=(BASIC,))
        return client

    async def _guarded(self, claim: Claim, address: str) -> Client:
        """Count failed proofs, and let nobody try on who failed too often. OAuth 2.1 §7.7."""
        budget = throttle.client_failures(claim.client_id or "", address, self._settings.limits)
        if claim.proof is None:
            return await self._proven(claim)
        try:
            await self._throttle.look(budget)
            return await self._proven(claim)
        except InvalidClient:
            with suppress(Throttled):
                await self._throttle.spend(budget)
            raise
        except Throttled as wait:
            retry = ("retry-after", str(wait.retry_after))
            raise TemporarilyUnavailable("E-CLIENT-08", status=429, fields=(retry,)) from None

    async def _proven(self, claim: Claim) -> Client:
        client = await self._stores.clients.find(claim.client_id or "")
        audit.seen(client=client.id if client else None)
        _, findings = examine(CLIENT, Proving(claim, client))
        settle(findings, self._trace)
        if claim.method == "private_key_jwt":
            client = await self._signed(claim, client)
        if client is None:
            raise TypeError("a client that is not known has failed a check")
        return client

    async def _signed(self, claim: Claim, client: Client | None) -> Client:
        """The client whose key signed this very assertion, which nobody showed before."""
        if client is None or claim.proof is None:
            raise InvalidClient("E-CLIENT-04")
        subject = assertions.Shown(claim.proof, client, self._ours, self._clock())
        if client.jwks_uri is not None:
            subject = replace(subject, client=await self._keyed(subject, client.jwks_uri))
        shown, findings = examine(assertions.ASSERTION, subject)
        settle(findings, self._trace)
        name = "\0".join(("client_assertion", client.id, shown.jti))
        spent = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
        if not await self._stores.proofs.spend(spent, shown.until):
            raise InvalidClient("E-CLIENT-07")
        return client

    async def _keyed(self, shown: assertions.Shown, jwks_uri: str) -> Client:
        """The client with its keys, which are fetched for nothing that no key could make good."""
        claims = jwt.unverified_claims(shown.assertion)
        settle(examine(assertions.CLAIMS, replace(shown, claims=claims))[1], self._trace)
        return replace(shown.client, jwks=await self._keys_at(jwks_uri))

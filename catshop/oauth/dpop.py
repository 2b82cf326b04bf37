"""DPoP: whoever shows a token, or asks for one, proves that it holds a key.

A stolen token is then worth nothing, because each request brings a proof of its own: signed with
the key that came along, about this method and this address, made just now, good once. Which key it
was is all that is known afterwards: its thumbprint. Pure down to `Possession`, which knows the time
and has the proof remembered, where a restart or a second process finds it. Next: `resource.py`.
RFC 9449.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit

from catshop.kernel import Clock, Secret, Trace, Verdict
from catshop.oauth import jwt
from catshop.oauth.checks import Checks, examine, settle
from catshop.oauth.errors import InvalidDpopProof, UseDpopNonce
from catshop.oauth.metadata import TOKEN
from catshop.oauth.model import Client
from catshop.oauth.ports import Proofs
from catshop.oauth.settings import DpopNonce, OAuthSettings
from catshop.protocol.http1.messages import Answer, Request
from catshop.signing import Signer

FIELD: Final = "dpop"
"""The field of the proof. RFC 9449 §4.1."""

TYPE: Final = "dpop+jwt"
"""RFC 9449 §4.2."""

ALGORITHMS: Final = " ".join(jwt.SUPPORTED)
"""What a challenge says that a proof may be signed with. RFC 9449 §7.1."""

JTI_LENGTH: Final = 256
"""Characters of a `jti`."""

PORTS: Final = {"http": 80, "https": 443}

ESCAPED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
PLAIN: Final = re.compile(r"[A-Za-z0-9\-._~]")
"""unreserved. RFC 3986 §2.3."""


class End(Enum):
    """Who gives a nonce out takes it back, and nobody else does. RFC 9449 §9."""

    AUTHORIZATION = "authorization"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Nonces:
    """What a proof has to answer to: whether it must, and how a nonce of ours is known."""

    rule: DpopNonce
    is_fresh: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Shown:
    """A proof on its way through the checks: what came, what it has to be about, what is learned.

    `token` is the access token that it came with, if it came with one.
    """

    sent: tuple[str, ...] = field(repr=False)
    method: str
    uri: str
    nonces: Nonces
    now: datetime
    window: float
    token: Secret | None = None
    header: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)
    key: jwt.Key | None = None
    jkt: str = ""

    @property
    def proof(self) -> Secret:
        """The JWT itself."""
        return Secret(self.sent[0])


def proof_comes_once(shown: Shown) -> Shown:
    """Two proofs could be about two keys. RFC 9449 §4.3, 1."""
    if len(shown.sent) != 1:
        raise InvalidDpopProof("E-DPOP-01", arrived=f"{len(shown.sent)} DPoP fields")
    return shown


def proof_is_a_jwt(shown: Shown) -> Shown:
    """One JWT, of a length that somebody can mean. RFC 9449 §4.3, 2."""
    header, claims = jwt.unverified_header(shown.proof), jwt.unverified_claims(shown.proof)
    if not header or not claims:
        raise InvalidDpopProof("E-DPOP-01", arrived=f"{len(shown.sent[0])} characters")
    return replace(shown, header=header, claims=claims)


def claims_are_there(shown: Shown) -> Shown:
    """What a proof must say, each in its own type. RFC 9449 §4.2; §4.3, 3."""
    texts = ("jti", "htm", "htu", *(("ath",) if shown.token else ()))
    for name in texts:
        if not isinstance(shown.claims.get(name), str):
            raise InvalidDpopProof("E-DPOP-02", arrived=f"no {name}")
    iat = shown.claims.get("iat")
    if isinstance(iat, bool) or not isinstance(iat, int | float) or not 0 <= iat < 2**53:
        raise InvalidDpopProof("E-DPOP-02", arrived="no iat")
    length = len(shown.claims["jti"])
    if not 0 < length <= JTI_LENGTH:
        raise InvalidDpopProof("E-DPOP-02", arrived=f"a jti of {length} characters")
    return shown


def type_is_dpop(shown: Shown) -> Shown:
    """No JWT of another purpose passes for a proof. RFC 9449 §4.3, 4; RFC 8725 §3.11."""
    if shown.header.get("typ") != TYPE:
        raise InvalidDpopProof("E-DPOP-03", arrived=f"typ {shown.header.get('typ')}")
    return shown


def algorithm_is_ours(shown: Shown) -> Shown:
    """An asymmetric algorithm of those that are advertised. RFC 9449 §4.3, 5; §11.6."""
    if shown.header.get("alg") not in jwt.SUPPORTED:
        raise InvalidDpopProof("E-DPOP-03", arrived=f"alg {shown.header.get('alg')}")
    return shown


def key_is_public(shown: Shown) -> Shown:
    """The key that came along is public, and no burden to compute with. RFC 9449 §4.3, 7."""
    kid = shown.header.get("kid")
    try:
        key = jwt.public_key(shown.header.get("jwk"))
    except jwt.BadKey as error:
        raise InvalidDpopProof("E-DPOP-03", arrived=str(error)) from None
    # A `kid` beside the key names nothing but that key.
    key = replace(key, kid=kid if isinstance(kid, str) else None)
    return replace(shown, key=key, jkt=jwt.thumbprint(key))


def signature_is_the_keys(shown: Shown) -> Shown:
    """Whoever made the proof holds the key. RFC 9449 §4.3, 6."""
    try:
        jwt.verified_claims(shown.proof, [shown.key] if shown.key else [])
    except jwt.BadToken as error:
        raise InvalidDpopProof("E-DPOP-04", arrived=str(error)) from None
    return shown


def method_is_the_requests(shown: Shown) -> Shown:
    """The proof is about this method. RFC 9449 §4.3, 8."""
    if shown.claims["htm"] != shown.method:
        raise InvalidDpopProof("E-DPOP-05", arrived=f"htm {shown.claims['htm']}")
    return shown


def uri_is_the_requests(shown: Shown) -> Shown:
    """The proof is about this address, whatever its query. RFC 9449 §4.3, 9."""
    told = normalized(shown.claims["htu"])
    if told is None or told != normalized(shown.uri):
        raise InvalidDpopProof("E-DPOP-05", arrived=f"htu {shown.claims['htu']}")
    return shown


def nonce_is_ours(shown: Shown) -> Shown:
    """A nonce that is there is one of ours and fresh; whether one must be is a setting.

    RFC 9449 §4.3, 10; §8; §9.
    """
    nonce = shown.claims.get("nonce")
    if nonce is None and shown.nonces.rule is DpopNonce.OFFERED:
        return shown
    if not isinstance(nonce, str) or not shown.nonces.is_fresh(nonce):
        raise UseDpopNonce("E-DPOP-06", arrived="no nonce" if nonce is None else "another nonce")
    return shown


def time_is_now(shown: Shown) -> Shown:
    """The proof was made just now, as far as clocks agree. RFC 9449 §4.3, 11; §11.1."""
    off = shown.now.timestamp() - shown.claims["iat"]
    if abs(off) > shown.window:
        arrived = f"iat {abs(off):.0f} s {'ago' if off > 0 else 'ahead'}"
        raise InvalidDpopProof("E-DPOP-07", arrived=arrived)
    return shown


def token_is_the_one(shown: Shown) -> Shown:
    """The proof is about the token that it came with. RFC 9449 §4.3, 12."""
    if shown.token is not None and shown.claims["ath"] != hashed(shown.token):
        raise InvalidDpopProof("E-DPOP-08")
    return shown


PROOF: Final[Checks[Shown]] = (
    ("dpop.once", proof_comes_once),
    ("dpop.jwt", proof_is_a_jwt),
    ("dpop.claims", claims_are_there),
    ("dpop.typ", type_is_dpop),
    ("dpop.alg", algorithm_is_ours),
    ("dpop.jwk", key_is_public),
    ("dpop.signature", signature_is_the_keys),
    ("dpop.htm", method_is_the_requests),
    ("dpop.htu", uri_is_the_requests),
    ("dpop.nonce", nonce_is_ours),
    ("dpop.iat", time_is_now),
    ("dpop.ath", token_is_the_one),
)
"""The list of RFC 9449 §4.3, in its order, but that the key is looked at before it is used."""


def hashed(token: Secret) -> str:
    """`ath`: the SHA-256 of the token, in base64url. RFC 9449 §4.2."""
    digest = hashlib.sha256(token.reveal().encode("ascii", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def normalized(uri: str) -> tuple[str, str, int | None, str] | None:
    """What two spellings of one address have in common; None for what is none of ours.

    Neither query nor fragment count. RFC 9449 §4.3; RFC 3986 §6.2.2, §6.2.3.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), parts.hostname
    if scheme not in PORTS or not host or "@" in parts.netloc or not uri.isascii():
        return None
    return scheme, host, port or PORTS[scheme], ESCAPED.sub(_unescaped, parts.path) or "/"


def _unescaped(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if PLAIN.fullmatch(character) else found[0].upper()


class Possession:
    """Takes proofs at one end: where tokens are issued, or where they are shown."""

    def __init__(
        self,
        settings: OAuthSettings,
        spent: Proofs,
        end: End = End.AUTHORIZATION,
        *,
        clock: Clock,
        trace: Trace,
    ) -> None:
        self._settings = settings
        self._spent = spent
        self._purpose = ("catshop.dpop", end.value)
        self._clock = clock
        self._trace = trace
        self._signer = Signer(settings.secret_key, settings.previous_keys, clock)
        self._nonces = Nonces(settings.dpop_nonce, self._is_fresh)

    async def at_token_endpoint(self, request: Request, client: Client) -> str | None:
        """The key that a token is to be bound to; None without one. RFC 9449 §5, §5.2."""
        if FIELD in request.fields:
            return await self.proven(request, self._settings.url(TOKEN))
        if client.dpop_bound:
            raise InvalidDpopProof("E-DPOP-10")
        return None

    async def at_resource(self, request: Request, token: Secret) -> str:
        """The key that is proved together with this token. RFC 9449 §7.1."""
        ours = urlsplit(self._settings.resource)
        uri = f"{ours.scheme}://{ours.netloc}{request.head.path}"
        return await self.proven(request, uri, token)

    async def proven(self, request: Request, uri: str, token: Secret | None = None) -> str:
        """The thumbprint of the key; InvalidDpopProof or UseDpopNonce for what proves nothing.

        A proof is good once: of many who show it together one is believed. RFC 9449 §11.1.
        """
        sent, now = request.fields.all(FIELD), self._clock()
        window = self._settings.limits.dpop_seconds
        subject = Shown(sent, request.head.method, uri, self._nonces, now, window, token)
        shown, findings = examine(PROOF, subject)
        if isinstance(findings.error, UseDpopNonce):
            findings.error.fields = (self.nonce(),)
        settle(findings, self._trace)
        name = "\0".join(("dpop", shown.jkt, shown.claims["jti"]))
        spent = hashlib.sha256(name.encode("utf-8")).hexdigest()
        until = datetime.fromtimestamp(shown.claims["iat"], UTC) + timedelta(seconds=window + 1)
        if not await self._spent.spend(spent, until):
            self._trace.check("dpop.jti", Verdict.NO)
            raise InvalidDpopProof("E-DPOP-09")
        self._trace.check("dpop.jti", Verdict.OK)
        return shown.jkt

    def nonce(self) -> tuple[str, str]:
        """The field with a fresh nonce: our signature over the time. RFC 9449 §8, §8.1."""
        return ("dpop-nonce", self._signer.sign("nonce", *self._purpose))

    def with_nonce(self, answer: Answer) -> Answer:
        """The answer with a nonce for the next proof. RFC 9449 §8.2."""
        return replace(answer, fields=(*answer.fields, self.nonce()))

    def _is_fresh(self, nonce: str) -> bool:
        seconds = self._settings.limits.dpop_nonce_seconds
        return self._signer.read(nonce, seconds, *self._purpose) is not None

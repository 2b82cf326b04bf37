"""Other people's tokens: what a token of an issuer that we trust is worth here.

Where the settings name an issuer, its access tokens are taken beside our own: verified by its
published keys, or by asking it, as the settings say. Nothing in a token decides how it is verified:
the issuer is configured, its keys are found by discovery, and no header leads anywhere. When the
issuer cannot be asked nobody is let in, and told 503 and not 401, because the token may be good.
RFC 9068 §4; RFC 7662 §2; RFC 8725 §3; RFC 8414 §3.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from urllib.parse import quote_plus, urlsplit

import anyio

from catshop.kernel import Clock, Kind, Principal, Secret, Trace, Unavailable
from catshop.oauth import jwt, scopes, strict
from catshop.oauth.checks import Checks, examine, settle
from catshop.oauth.errors import InvalidToken
from catshop.oauth.fetch import Ask, Fetcher, FetchFailed

LEEWAY: Final = timedelta(seconds=30)
"""By how much an issuer's clock may differ from ours. RFC 9068 §4."""

SOONEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Between them every moment can be moved by the leeway."""

TYPES: Final = frozenset({"at+jwt", "application/at+jwt", "jwt"})
"""RFC 9068 §4 wants the first; issuers that came before it say the last, or nothing else."""

NO_ACCESS: Final = frozenset({"id", "refresh", "offline", "logout"})
"""What Keycloak says in a claim `typ` of its other tokens."""

SCOPE_CLAIMS: Final = ("scope", "scp", "permissions")
"""RFC 9068 §2.2.3 has the first; Okta and Entra say the second, Auth0 the third.

The third is all that the user may do, whatever the client was given, so it is read last.
"""

OUR_FAULT: Final = frozenset({"invalid_client", "unauthorized_client"})
"""Errors that are about whoever asks. Others are about the token. RFC 7662 §2.3."""


class Others(Protocol):
    """Whoever else's tokens are taken."""

    async def principal(self, token: Secret) -> Principal:
        """Whoever the token says; InvalidToken, or Unavailable when nobody can tell now."""
        ...


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose tokens are taken, for which audience, and signed how."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...] = jwt.SUPPORTED


@dataclass(frozen=True, slots=True)
class Shown:
    """A token on its way through the checks."""

    token: Secret
    trust: Trust
    now: datetime
    keys: tuple[jwt.Key, ...] = ()
    claims: Mapping[str, object] = field(default_factory=dict, repr=False)


def type_is_access_token(shown: Shown) -> Shown:
    """No token of another purpose passes for this one. RFC 8725 §3.11; RFC 9068 §4."""
    header = jwt.unverified_header(shown.token)
    if str(header.get("typ", "")).lower() not in TYPES:
        raise InvalidToken("E-EXT-04", arrived="another typ")
    if header.get("alg") not in shown.trust.algorithms:
        raise InvalidToken("E-EXT-04", arrived="another alg")
    return shown


def signature_is_the_issuers(shown: Shown) -> Shown:
    """One of the issuer's own keys signed it. RFC 8725 §3.1, §3.8."""
    try:
        return replace(shown, claims=jwt.verified_claims(shown.token, shown.keys))
    except jwt.BadToken as error:
        raise InvalidToken("E-EXT-04", arrived=str(error)) from None


def issuer_is_trusted(shown: Shown) -> Shown:
    """The issuer is the configured one, letter by letter. RFC 8725 §3.8."""
    if shown.claims.get("iss") != shown.trust.issuer:
        raise InvalidToken("E-EXT-05", arrived=str(shown.claims.get("iss")))
    return shown


def audience_is_ours(shown: Shown) -> Shown:
    """The token is for us, by name. RFC 8725 §3.9; RFC 8707 §2."""
    sent = shown.claims.get("aud")
    named = sent if isinstance(sent, list) else [sent]
    if shown.trust.audience not in named:
        raise InvalidToken("E-EXT-06", arrived=str(sent))
    return shown


def time_is_now(shown: Shown) -> Shown:
    """Neither over nor yet to come. RFC 9068 §4; RFC 7519 §4.1.4, §4.1.5."""
    if shown.now - LEEWAY >= _moment(shown.claims.get("exp")):
        raise InvalidToken("E-EXT-07", arrived="an expired token")
    for name in ("nbf", "iat"):
        if name in shown.claims and _moment(shown.claims[name]) > shown.now + LEEWAY:
            raise InvalidToken("E-EXT-07", arrived=f"{name} in the future")
    return shown


def subject_is_named(shown: Shown) -> Shown:
    """Somebody is meant, and the token is to call with. RFC 9068 §2.2."""
    subject = shown.claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise InvalidToken("E-EXT-08", arrived="no sub")
    if str(shown.claims.get("typ", "")).lower() in NO_ACCESS:
        raise InvalidToken("E-EXT-08", arrived="another kind of token")
    return shown


CLAIMS: Final[Checks[Shown]] = (
    ("external.iss", issuer_is_trusted),
    ("external.aud", audience_is_ours),
    ("external.time", time_is_now),
    ("external.sub", subject_is_named),
)
"""What must be true, whoever vouches for it."""

SIGNED: Final[Checks[Shown]] = (
    ("external.typ", type_is_access_token),
    ("external.signature", signature_is_the_issuers),
    *CLAIMS,
)
"""A token that vouches for itself."""


def principal_of(shown: Shown, trace: Trace) -> Principal:
    """Who calls. The issuer is part of who: its users are not ours. RFC 9068 §5."""
    claims = shown.claims
    client = claims.get("client_id", claims.get("azp", ""))
    name = claims.get("preferred_username", claims.get("username"))
    return Principal(
        issuer=shown.trust.issuer,
        subject=str(claims["sub"]),
        username=name if isinstance(name, str) else None,
        client_id=str(client),
        audience=shown.trust.audience,
        scopes=scopes.reach(scopes_in(claims, trace)),
        token_id=str(claims.get("jti") or shown.token.digest()[:22]),
        expires_at=_moment(claims.get("exp")),
        jkt=_key_of(claims.get("cnf")),
    )


def _key_of(confirmation: object) -> str | None:
    """The key that the token is bound to; InvalidToken when it is bound to what we cannot check.

    RFC 7800 §3.1; RFC 9449 §6.1.
    """
    if confirmation is None:
        return None
    members = confirmation if isinstance(confirmation, Mapping) else {}
    jkt = members.get("jkt")
    if not isinstance(jkt, str) or len(members) != 1:
        raise InvalidToken("E-EXT-09", arrived="another cnf")
    return jkt


def scopes_in(claims: Mapping[str, object], trace: Trace) -> frozenset[str]:
    """Those of our scopes that the token grants, in the first claim that names any of them.

    RFC 9068 §2.2.3. Commas in place of spaces are read, with a warning; we never write them.
    """
    named = (_named(claims.get(name), trace) for name in SCOPE_CLAIMS)
    return next(filter(None, named), frozenset())


def _named(value: object, trace: Trace) -> frozenset[str]:
    """Those of our scopes that one claim names."""
    listed = value if isinstance(value, list) else []
    if isinstance(value, str):
        if "," in value:
            trace.note(Kind.STATE, "scope.commas", warning="RFC 6749 section 3.3 wants spaces")
        listed = value.replace(",", " ").split()
    return frozenset(each for each in listed if isinstance(each, str)) & scopes.CATALOGUE.keys()


class SignedTokens:
    """Tokens that are verified by their issuer's keys."""

    def __init__(self, trust: Trust, fetcher: Fetcher, clock: Clock, trace: Trace) -> None:
        self._trust = trust
        self._keys = IssuerKeys(trust.issuer, fetcher, clock)
        self._clock = clock
        self._trace = trace

    async def principal(self, token: Secret) -> Principal:
        """See `Others`."""
        kid = jwt.unverified_header(token).get("kid")
        shown = Shown(token, self._trust, self._clock())
        if jwt.unverified_claims(token):  # what is no token at all is not worth a fetch
            keys = await self._keys.current(kid if isinstance(kid, str) else None)
            shown = replace(shown, keys=keys)
        shown, findings = examine(SIGNED, shown)
        settle(findings, self._trace)
        return principal_of(shown, self._trace)


class IntrospectedTokens:
    """Tokens that their issuer is asked about. RFC 7662 §2."""

    def __init__(
        self,
        trust: Trust,
        asked_at: tuple[str, Secret],
        fetcher: Fetcher,
        clock: Clock,
        trace: Trace,
    ) -> None:
        self._trust = trust
        self._endpoint, self._credentials = asked_at
        self._fetcher = fetcher
        self._clock = clock
        self._trace = trace

    async def principal(self, token: Secret) -> Principal:
        """See `Others`. RFC 7662 §2.2: only `active: true` is worth anything."""
        told = await self._asked(token)
        if told.get("active") is not True:
            raise InvalidToken("E-EXT-04", arrived="an inactive token")
        claims = {"iss": self._trust.issuer, **told}
        shown = Shown(token, self._trust, self._clock(), claims=claims)
        shown, findings = examine(CLAIMS, shown)
        settle(findings, self._trace)
        return principal_of(shown, self._trace)

    async def _asked(self, token: Secret) -> strict.Members:
        """RFC 7662 §2.1, §4. What cannot be told now is nobody's fault: 503.

        An issuer that refuses to look at such a token at all has told enough.
        """
        limits = self._fetcher.limits
        form = (("token", token.reveal()), ("token_type_hint", "access_token"))
        proof = self._credentials.reveal()
        ask = Ask(limits.key_octets, limits.introspection_seconds, form, proof, (400,))
        try:
            fetched = await self._fetcher.fetch(self._endpoint, ask)
            told = strict.members(fetched.body)
        except (FetchFailed, ValueError) as failure:
            raise Unavailable("E-EXT-02", str(failure)) from None
        if fetched.status == 400 and told.get("error") in OUR_FAULT:
            raise Unavailable("E-EXT-02", str(told["error"]))
        return told if fetched.status == 200 else {"active": False}


def basic(client_id: str, secret: Secret) -> Secret:
    """The credentials of a client, as they stand in the Authorization field. RFC 6749 §2.3.1."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret.reveal())}"
    return Secret("Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii"))


class IssuerKeys:
    """The keys of one issuer, found by discovery, fetched no more often than is good for it."""

    def __init__(self, issuer: str, fetcher: Fetcher, clock: Clock) -> None:
        self._issuer = issuer
        self._fetcher = fetcher
        self._clock = clock
        self._lock = anyio.Lock()
        self._keys: tuple[jwt.Key, ...] = ()
        self._fetched: datetime | None = None
        self._tried: datetime | None = None

    async def current(self, kid: str | None) -> tuple[jwt.Key, ...]:
        """The keys, fetched anew when they are old or do not know `kid`; at most once a minute."""
        limits = self._fetcher.limits
        async with self._lock:
            known = kid is None or any(key.kid == kid for key in self._keys)
            fresh = known and self._younger(self._fetched, limits.key_seconds)
            if not fresh and not self._younger(self._tried, limits.key_pause_seconds):
                await self._renew()
        if not self._younger(self._fetched, limits.key_grace_seconds):
            raise Unavailable("E-EXT-01", self._issuer, retry_after=limits.key_pause_seconds)
        return self._keys

    def _younger(self, moment: datetime | None, seconds: float) -> bool:
        return moment is not None and self._clock() - moment < timedelta(seconds=seconds)

    async def _renew(self) -> None:
        """Whatever goes wrong, the old keys stay."""
        self._tried = self._clock()
        try:
            jwks_uri = str((await discover(self._issuer, self._fetcher)).get("jwks_uri", ""))
            found = usable_keys(await document(jwks_uri, self._fetcher))
        except (FetchFailed, ValueError):
            return
        self._keys, self._fetched = found, self._clock()


async def discover(issuer: str, fetcher: Fetcher) -> strict.Members:
    """The metadata of an issuer; FetchFailed, or ValueError for none or somebody else's.

    RFC 8414 §3.1, §3.3.
    """
    parts = urlsplit(issuer)
    openid = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    inserted = f"/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"
    try:
        found = await document(openid, fetcher)
    except FetchFailed:
        found = await document(f"{parts.scheme}://{parts.netloc}{inserted}", fetcher)
    if found.get("issuer") != issuer:
        raise ValueError("the metadata of another issuer")
    return found


async def document(url: str, fetcher: Fetcher) -> strict.Members:
    """The JSON object at an address that an issuer or the operator has named."""
    ask = Ask(fetcher.limits.key_octets, fetcher.limits.seconds)
    return strict.members((await fetcher.fetch(url, ask)).body)


def usable_keys(jwks: strict.Members) -> tuple[jwt.Key, ...]:
    """The keys of a set that can verify; those of other uses are ignored. RFC 7517 §4.2, §5."""
    listed = jwks.get("keys")
    if not isinstance(listed, list) or len(listed) > jwt.KEYS:
        raise ValueError("no key set")
    found = []
    for each in listed:
        try:
            found.append(jwt.public_key(each))
        except jwt.BadKey:
            continue
    names = [key.kid for key in found if key.kid is not None]
    if not found or len(set(names)) != len(names):
        raise ValueError("no usable key, or two of one name")
    return tuple(found)


def moment(value: object) -> datetime | None:
    """A NumericDate as a moment; None for what is none, and past the ends of the calendar.

    RFC 7519 §2.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError, ValueError, OSError):
            found = datetime.fromtimestamp(value, UTC)
            return found if SOONEST < found < LATEST else None
    return None


def _moment(value: object) -> datetime:
    found = moment(value)
    if found is None:
        raise InvalidToken("E-EXT-07", arrived="no date")
    return found

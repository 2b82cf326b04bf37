"""Who signed in at the upstream issuer: what its metadata, its answer and its ID token must say.

Everything that comes from there passes here before it means anything: the metadata is that of the
configured issuer, the answer says which issuer gave it, and the ID token is for us, for this very
trip, and signed by that issuer's key. A subject is somebody only together with its issuer. Pure;
`upstream_issuer.py` asks. RFC 8414 §3.3; RFC 9207 §2.4; OpenID Connect Core 1.0 §3.1.3.7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from catshop.kernel import Secret
from catshop.oauth import jwt, strict
from catshop.oauth.checks import Checks
from catshop.oauth.errors import AccessDenied, InvalidGrant, OAuthError, ServerError
from catshop.oauth.errors import TemporarilyUnavailable as Later
from catshop.oauth.federation import LEEWAY, moment
from catshop.oauth.fetch import Reach, permitted
from catshop.oauth.parameters import Parameters

SUBJECT_LENGTH: Final = 255
"""OpenID Connect Core 1.0 §2."""

NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,30}")
"""What of a name from elsewhere a page, a log or a path can show without harm."""

NAMES: Final = ("preferred_username", "username", "nickname")

USERS_DOING: Final = frozenset(
    {
        "access_denied",
        "login_required",
        "interaction_required",
        "consent_required",
        "account_selection_required",
    }
)
"""Errors after which the user has not signed in. OpenID Connect Core 1.0 §3.1.2.6."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What of the upstream's metadata is used. RFC 8414 §2; RFC 9207 §3."""

    authorization: str
    token: str
    userinfo: str | None
    introspection: str | None
    says_iss: bool
    takes_basic: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, as the upstream knows them. `name` is for people."""

    issuer: str
    subject: str
    name: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An ID token on its way through the checks."""

    token: Secret
    issuer: str
    client_id: str
    nonce: str
    now: datetime
    keys: tuple[jwt.Key, ...] = ()
    claims: Mapping[str, object] = field(default_factory=dict, repr=False)


def endpoints(found: strict.Members, reach: Reach) -> Endpoints:
    """The endpoints that the metadata names; FetchFailed when a browser may not be sent there.

    ValueError for a list that is none. RFC 8414 §2.
    """
    permitted(str(found.get("authorization_endpoint", "")), reach)
    permitted(str(found.get("token_endpoint", "")), reach)
    userinfo, introspection = found.get("userinfo_endpoint"), found.get("introspection_endpoint")
    name = "token_endpoint_auth_methods_supported"
    methods = strict.strings(found, name) if name in found else ("client_secret_basic",)
    return Endpoints(
        authorization=str(found["authorization_endpoint"]),
        token=str(found["token_endpoint"]),
        userinfo=str(userinfo) if userinfo else None,
        introspection=str(introspection) if introspection else None,
        says_iss=found.get("authorization_response_iss_parameter_supported") is True,
        takes_basic="client_secret_basic" in methods,
    )


def issuer_is_named(sent: Parameters, issuer: str, known: Endpoints) -> None:
    """An answer comes from the issuer that was asked; InvalidGrant otherwise. RFC 9207 §2.4."""
    named = sent.one("iss")
    if named is None and not known.says_iss:
        return
    if named != issuer:
        raise InvalidGrant("E-UPS-05", arrived=named or "no iss")


def told(error: str) -> OAuthError:
    """The upstream's refusal as our own: its words stay with us. OAuth 2.1 §4.1.2.1."""
    if error in USERS_DOING:
        return AccessDenied("E-UPS-09")
    return Later("E-UPS-08") if error == Later.code else ServerError("E-UPS-10")


def signature_is_the_upstreams(shown: Shown) -> Shown:
    """One of the upstream's own keys signed it. OpenID Connect Core 1.0 §3.1.3.7."""
    try:
        return replace(shown, claims=jwt.verified_claims(shown.token, shown.keys))
    except jwt.BadToken as error:
        raise InvalidGrant("E-UPS-07", arrived=str(error)) from None


def issuer_is_the_upstream(shown: Shown) -> Shown:
    """`iss` is the configured one, letter by letter. RFC 8725 §3.8."""
    if shown.claims.get("iss") != shown.issuer:
        raise InvalidGrant("E-UPS-07", arrived="another iss")
    return shown


def audience_is_the_shop(shown: Shown) -> Shown:
    """It is for us, and for nobody beside us. OpenID Connect Core 1.0 §3.1.3.7."""
    if shown.claims.get("aud") not in (shown.client_id, [shown.client_id]):
        raise InvalidGrant("E-UPS-07", arrived="another aud")
    if shown.claims.get("azp", shown.client_id) != shown.client_id:
        raise InvalidGrant("E-UPS-07", arrived="another azp")
    return shown


def time_is_now(shown: Shown) -> Shown:
    """Made before now, and not over. OpenID Connect Core 1.0 §3.1.3.7."""
    ends, made = moment(shown.claims.get("exp")), moment(shown.claims.get("iat"))
    if ends is None or made is None or not made - LEEWAY <= shown.now < ends + LEEWAY:
        raise InvalidGrant("E-UPS-07", arrived="an exp or iat that is not now")
    return shown


def nonce_is_the_trips(shown: Shown) -> Shown:
    """It was made for this trip, so no other trip's code was slipped in. OAuth 2.1 §7.5.1."""
    if shown.claims.get("nonce") != shown.nonce:
        raise InvalidGrant("E-UPS-07", arrived="another nonce")
    return shown


ID_TOKEN: Final[Checks[Shown]] = (
    ("upstream.signature", signature_is_the_upstreams),
    ("upstream.iss", issuer_is_the_upstream),
    ("upstream.aud", audience_is_the_shop),
    ("upstream.time", time_is_now),
    ("upstream.nonce", nonce_is_the_trips),
)
"""In the order in which a claim may be believed."""


def identity(issuer: str, claims: Mapping[str, object], host: str) -> Identity:
    """Who the claims are about; InvalidGrant when they are about nobody. RFC 9068 §5."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LENGTH:
        raise InvalidGrant("E-UPS-07", arrived="no sub")
    called = [str(claims[name]) for name in NAMES if name in claims]
    shown = next(filter(NAME.fullmatch, (*called, subject)), "somebody")
    return Identity(issuer, subject, f"{shown}@{host}")

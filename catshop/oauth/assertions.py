"""The assertion by which a client with a key of its own proves who it is: private_key_jwt.

It is for us alone, and short-lived, and names itself, so that it can be good once. Each check hands
on what it has learned; only after the signature is a claim believed. Pure: `client_auth.py` spends
the `jti`. RFC 7523 §2.2, §3; RFC 8725 §3.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from catshop.kernel import Secret
from catshop.oauth import jwt
from catshop.oauth.checks import Checks
from catshop.oauth.errors import InvalidClient
from catshop.oauth.model import Client

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""client_assertion_type. RFC 7523 §2.2."""

LONGEST: Final = timedelta(seconds=300)
"""How far ahead an assertion may expire: its `jti` is remembered as long."""

LEEWAY: Final = timedelta(seconds=30)
"""How far the clocks of two machines may differ."""

JTI_LENGTH: Final = 256
"""Characters of a `jti`."""

NEVER: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Shown:
    """An assertion, whose it should be, whom it may be for, and what has been learned of it."""

    assertion: Secret
    client: Client
    ours: tuple[str, ...]
    now: datetime
    claims: Mapping[str, object] = field(default_factory=dict)
    jti: str = ""
    until: datetime = NEVER


def named_by(assertion: Secret) -> str | None:
    """The client that an assertion says it is from; nothing of this is believed yet."""
    subject = jwt.unverified_claims(assertion).get("sub")
    return subject if isinstance(subject, str) else None


def signature_is_the_clients(shown: Shown) -> Shown:
    """One of the client's registered keys signed, by an algorithm that suits it. RFC 8725 §3.1."""
    if shown.client.jwks is None:
        raise InvalidClient("E-CLIENT-06", arrived="a client without keys")
    try:
        keys = jwt.public_keys(json.loads(shown.client.jwks))
        return replace(shown, claims=jwt.verified_claims(shown.assertion, keys))
    except (jwt.BadKey, jwt.BadToken) as error:
        raise InvalidClient("E-CLIENT-06", arrived=str(error)) from None


def issuer_is_the_client(shown: Shown) -> Shown:
    """A client speaks for itself: `iss` and `sub` are its id. RFC 7523 §3."""
    for name in ("iss", "sub"):
        if shown.claims.get(name) != shown.client.id:
            raise InvalidClient("E-CLIENT-06", arrived=f"another {name}")
    return shown


def audience_is_ours(shown: Shown) -> Shown:
    """`aud` is us, as one string: a second audience could show it to us. RFC 7523 §3."""
    audience = shown.claims.get("aud")
    if audience not in shown.ours:
        raise InvalidClient("E-CLIENT-06", arrived=f"aud {json.dumps(audience)}")
    return shown


def time_is_right(shown: Shown) -> Shown:
    """`exp` is ahead, but not far; `nbf` and `iat`, where there are any, are not. RFC 7523 §3."""
    ends = _time(shown, "exp")
    soon = shown.now + LONGEST + LEEWAY  # added to our own clock: `exp` may be the end of time
    if ends is None or not shown.now - LEEWAY < ends <= soon:
        raise InvalidClient("E-CLIENT-06", arrived=f"exp {_ago(shown.now, ends)}")
    for name in ("nbf", "iat"):
        begins = _time(shown, name)
        if begins is not None and begins > shown.now + LEEWAY:
            raise InvalidClient("E-CLIENT-06", arrived=f"{name} {_ago(shown.now, begins)}")
    return replace(shown, until=ends + LEEWAY)


def name_is_given(shown: Shown) -> Shown:
    """`jti` names the assertion, so that it can be told from the next. RFC 7523 §3."""
    jti = shown.claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= JTI_LENGTH:
        raise InvalidClient("E-CLIENT-06", arrived="no jti")
    return replace(shown, jti=jti)


CLAIMS: Final[Checks[Shown]] = (
    ("assertion.issuer", issuer_is_the_client),
    ("assertion.audience", audience_is_ours),
    ("assertion.time", time_is_right),
    ("assertion.jti", name_is_given),
)
"""The claims, in the order of RFC 7523 §3."""

ASSERTION: Final[Checks[Shown]] = (("assertion.signature", signature_is_the_clients), *CLAIMS)
"""The whole assertion."""


def _time(shown: Shown, name: str) -> datetime | None:
    """A claim that holds a moment; anything else in its place is refused."""
    value = shown.claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidClient("E-CLIENT-06", arrived=f"{name} that is no number")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidClient("E-CLIENT-06", arrived=f"{name} that is no time") from None


def _ago(now: datetime, then: datetime | None) -> str:
    if then is None:
        return "missing"
    seconds = round((now - then).total_seconds())
    return f"{seconds} s ago" if seconds > 0 else f"{-seconds} s ahead"

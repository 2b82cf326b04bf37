"""What the OAuth plane is told when it is built, and every address that follows from it.

All addresses are made of the configured issuer, verbatim, and never of a `Host` field: the sender
chooses that one. No slash is added to the issuer, because clients compare it character by
character. RFC 8414 §2, §3.1; RFC 9728 §3.1; RFC 9207 §2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from catshop.kernel import Secret
from catshop.limits import OAuthLimits


class SignUp(Enum):
    """Whether strangers may make themselves an account on the login page."""

    OPEN = "open"
    CLOSED = "closed"


class Registration(Enum):
    """Whether strangers may register clients."""

    OPEN = "open"
    CLOSED = "closed"


class Logout(Enum):
    """What happens to the tokens that a user has granted, when the user signs out of a browser."""

    KEEP = "keep"
    """They are the applications', not the browser's."""
    REVOKE = "revoke"
    """They end, all of them."""


class TokenFormat(Enum):
    """What access tokens look like."""

    OPAQUE = "opaque"
    """Randomness, which says nothing to anybody."""
    JWT = "jwt"
    """Signed claims, which other resource servers can read, too. RFC 9068 §2."""


class SigningAlgorithm(Enum):
    """What a new key signs access tokens with. RFC 7518 §3.4; RFC 8037 §3.1."""

    EDDSA = "EdDSA"
    ES256 = "ES256"


class AssertionAudience(Enum):
    """How a client may address us in its assertion. RFC 7523 §3."""

    ISSUER = "issuer"
    """By our issuer, and in no other way."""
    TOKEN_ENDPOINT = "token_endpoint"  # noqa: S105 - a kind of address
    """Also by the address of the token endpoint."""


class DpopNonce(Enum):
    """Whether a DPoP proof has to carry a nonce of ours. RFC 9449 §8."""

    OFFERED = "offered"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Upstream:
    """The issuer that signs our users in, and who we are there. No secret: a public client."""

    issuer: str
    client_id: str
    secret: Secret | None = None
    scopes: tuple[str, ...] = ("openid",)

    @property
    def host(self) -> str:
        """What a person is shown of it."""
        return urlsplit(self.issuer).netloc


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """`issuer` and `resource` as they were configured; `previous_keys` still verify, never sign."""

    issuer: str
    resource: str
    secret_key: Secret
    limits: OAuthLimits = field(default_factory=OAuthLimits)
    signup: SignUp = SignUp.OPEN
    registration: Registration = Registration.OPEN
    previous_keys: tuple[Secret, ...] = ()
    token_format: TokenFormat = TokenFormat.OPAQUE
    trusted_issuer: str = ""
    upstream: Upstream | None = None
    dpop_nonce: DpopNonce = DpopNonce.OFFERED
    assertion_issuers: tuple[str, ...] = ()
    token_algorithm: SigningAlgorithm = SigningAlgorithm.EDDSA
    assertion_audience: AssertionAudience = AssertionAudience.ISSUER
    logout: Logout = Logout.KEEP

    @property
    def base(self) -> str:
        """The issuer without a closing slash: what every path of ours is appended to."""
        return self.issuer.rstrip("/")

    @property
    def prefix(self) -> str:
        """The path of the issuer, under which the endpoints are; mostly empty."""
        return urlsplit(self.base).path

    @property
    def resource_metadata(self) -> str:
        """Where the metadata of the resource is, with its path inserted. RFC 9728 §3.1."""
        parts = urlsplit(self.resource)
        path = "" if parts.path == "/" else parts.path
        return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{path}"

    @property
    def is_https(self) -> bool:
        """Whether browsers reach us over TLS, so that cookies may say so."""
        return urlsplit(self.issuer).scheme == "https"

    def url(self, path: str) -> str:
        """The public address of a path of ours."""
        return f"{self.base}{path}"

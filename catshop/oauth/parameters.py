"""From raw forms to typed requests: past this file no parameter is a loose string in a dictionary.

A parameter without a value counts as omitted, a repeated one is refused by name, an unknown one is
ignored, and nothing is read from a query where a body is asked for. OAuth 2.1 §3.1, §3.2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from catshop.kernel import Secret
from catshop.oauth import scopes
from catshop.oauth.errors import InvalidRequest, UnsupportedGrantType, plain
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.fields import parse_media_type
from catshop.protocol.http1.forms import MEDIA_TYPE, FormError, parse_form
from catshop.protocol.http1.messages import Request


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request, where each may come once."""

    pairs: tuple[tuple[str, str], ...]

    def joined(self, other: Parameters) -> Parameters:
        """The parameters of both; one that is in both has come twice."""
        return Parameters(self.pairs + other.pairs)

    @property
    def names(self) -> frozenset[str]:
        """What was sent, known or not."""
        return frozenset(name for name, _ in self.pairs)

    def one(self, name: str) -> str | None:
        """The value of `name`; None when it is absent or empty. OAuth 2.1 §3.1."""
        values = self._values(name)
        if len(values) > 1:
            raise InvalidRequest("E-REQ-01", arrived=f"{name}: {len(values)} times")
        return values[0] or None if values else None

    def need(self, name: str) -> str:
        """The value of `name`, which must be there."""
        value = self.one(name)
        if value is None:
            raise InvalidRequest("E-REQ-03", arrived=f"no {name}")
        return value

    def secret(self, name: str) -> Secret | None:
        """The value of `name`, from here on unprintable."""
        value = self.one(name)
        return None if value is None else Secret(value)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter that may come more than once (RFC 8707 §2: `resource`)."""
        return tuple(value for value in self._values(name) if value)

    def _values(self, name: str) -> tuple[str, ...]:
        return tuple(value for known, value in self.pairs if known == name)


class Query(Enum):
    """Whether a request with a body may have a query, too."""

    FORBIDDEN = "forbidden"
    ALLOWED = "allowed"


async def of_body(request: Request, limit: int, query: Query = Query.FORBIDDEN) -> Parameters:
    """The form in the body. Another media type is 415, a parameter in the query 400.

    OAuth 2.1 §3.2.2: credentials never stand in an address, where logs would keep them.
    """
    sent = request.fields.one("content-type")
    media_type = parse_media_type(sent)
    if media_type is None or media_type.name != MEDIA_TYPE:
        raise HttpError(415, "E-REQ-02", arrived=plain(sent or "no Content-Type"))
    if request.head.query and query is Query.FORBIDDEN:
        raise InvalidRequest("E-REQ-04")
    return _parsed(await request.body(limit))


def of_query(request: Request) -> Parameters:
    """The parameters in the query."""
    return _parsed(request.head.query)


def _parsed(text: str | bytes) -> Parameters:
    try:
        return Parameters(tuple(parse_form(text)))
    except FormError as error:
        raise InvalidRequest("E-REQ-05", arrived=error.arrived) from None


@dataclass(frozen=True, slots=True)
class CodeGrant:
    """A token request with a code. OAuth 2.1 §4.1.3."""

    code: Secret
    code_verifier: Secret | None
    redirect_uri: str | None
    resource: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    """A token request with a refresh token. OAuth 2.1 §4.3.1."""

    refresh_token: Secret
    scopes: frozenset[str] | None
    resource: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClientCredentialsGrant:
    """A token request of a client for itself. OAuth 2.1 §4.2.1."""

    scopes: frozenset[str] | None
    resource: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JwtBearerGrant:
    """A token request with somebody's word for whoever asks. RFC 7523 §2.1."""

    assertion: Secret
    scopes: frozenset[str] | None
    resource: tuple[str, ...]


DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
"""RFC 8628 §3.4."""

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""RFC 7523 §2.1."""

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a grant
"""RFC 8693 §2.1."""

PROFILE: Final = "urn:ietf:params:oauth:grant-profile:id-jag"
"""The kind of assertion that speaks of a user, as metadata names it."""

GRANT_TYPES: Final = (
    "authorization_code",
    "refresh_token",
    "client_credentials",
    DEVICE_CODE,
    JWT_BEARER,
    TOKEN_EXCHANGE,
)
"""What the token endpoint answers, as the metadata says. OAuth 2.1 §4."""


def grant_type(sent: Parameters) -> str:
    """The grant that is asked for. OAuth 2.1 §3.2.2."""
    name = sent.need("grant_type")
    if name not in GRANT_TYPES:
        raise UnsupportedGrantType("E-TOKEN-01", arrived=name)
    return name


def code_grant(sent: Parameters) -> CodeGrant:
    """The parameters of the code grant. OAuth 2.1 §4.1.3."""
    return CodeGrant(
        code=Secret(sent.need("code")),
        code_verifier=sent.secret("code_verifier"),
        redirect_uri=sent.one("redirect_uri"),
        resource=sent.all("resource"),
    )


def refresh_grant(sent: Parameters) -> RefreshGrant:
    """The parameters of the refresh grant. OAuth 2.1 §4.3.1."""
    return RefreshGrant(
        refresh_token=Secret(sent.need("refresh_token")),
        scopes=scopes_of(sent),
        resource=sent.all("resource"),
    )


def client_credentials_grant(sent: Parameters) -> ClientCredentialsGrant:
    """The parameters of the client credentials grant. OAuth 2.1 §4.2.1."""
    return ClientCredentialsGrant(scopes=scopes_of(sent), resource=sent.all("resource"))


def jwt_bearer_grant(sent: Parameters) -> JwtBearerGrant:
    """The parameters of the jwt-bearer grant. RFC 7523 §2.1: exactly one assertion."""
    return JwtBearerGrant(
        assertion=Secret(sent.need("assertion")),
        scopes=scopes_of(sent),
        resource=sent.all("resource"),
    )


def scopes_of(sent: Parameters) -> frozenset[str] | None:
    """The scopes that are asked for; None when none is named."""
    scope = sent.one("scope")
    return None if scope is None else scopes.parse(scope)

"""The authorization request as a list of checks, in the order of the specification.

The order is the security: as long as the client and its redirect_uri are not known to be good, a
failure is told on a page of ours; from then on it is told to the client, by a redirect. Each check
hands on what it has learned. Pure; `browser.py` acts on the outcome. OAuth 2.1 §4.1.1, §4.1.2.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

from catshop.oauth import audience, pkce, redirects, scopes
from catshop.oauth.checks import Checks
from catshop.oauth.errors import (
    ConsentRequired,
    InvalidRequest,
    InvalidScope,
    LoginRequired,
    OAuthError,
    RequestNotSupported,
    RequestUriNotSupported,
    UnsupportedResponseType,
)
from catshop.oauth.model import AuthorizationRequest, Client, Code, Refusal, User
from catshop.oauth.parameters import Parameters
from catshop.oauth.settings import OAuthSettings

NOBODY: Final = Client("", "", (), (), frozenset(), datetime.fromtimestamp(0, UTC))
"""The client that an unknown client_id stands for: it may do nothing."""

THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_\-]{43}")
"""SHA-256 in base64url. RFC 9449 §10; RFC 7638 §3.1."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A request on its way through the checks: what was sent, and what has been learned of it."""

    sent: Parameters
    client: Client
    settings: OAuthSettings
    redirect_uri: str = ""
    challenge: str = ""
    scopes: frozenset[str] = field(default_factory=frozenset)
    resource: str = ""
    dpop_jkt: str | None = None


def client_is_known(draft: Draft) -> Draft:
    """No client, no answer but a page of ours. OAuth 2.1 §4.1.2.1."""
    if draft.client is NOBODY:
        raise InvalidRequest("E-AUTHZ-02", arrived=draft.sent.one("client_id") or "no client_id")
    return draft


def redirect_uri_is_registered(draft: Draft) -> Draft:
    """The answer goes where the client said when it registered. OAuth 2.1 §2.3.1, §4.1.1."""
    presented = draft.sent.one("redirect_uri")
    chosen = redirects.select(presented, draft.client.redirect_uris)
    return replace(draft, redirect_uri=chosen)


def parameters_come_once(draft: Draft) -> Draft:
    """What comes twice could be read two ways; only `resource` may. OAuth 2.1 §3.1; RFC 8707 §2."""
    for name in sorted(draft.sent.names - {"resource"}):
        draft.sent.one(name)
    return draft


def state_is_short(draft: Draft) -> Draft:
    """What is only given back is kept meanwhile, for strangers too, so it has a bound."""
    length = len(draft.sent.one("state") or "")
    if length > draft.settings.limits.state_length:
        raise InvalidRequest("E-AUTHZ-12", arrived=f"{length} characters")
    return draft


def no_request_object(draft: Draft) -> Draft:
    """Nothing is fetched, and nothing hidden in a JWT. OpenID Connect Core 1.0 §6."""
    if draft.sent.one("request") is not None:
        raise RequestNotSupported("E-AUTHZ-08")
    if draft.sent.one("request_uri") is not None:
        raise RequestUriNotSupported("E-AUTHZ-08")
    return draft


def response_type_is_code(draft: Draft) -> Draft:
    """Only codes travel through a browser. OAuth 2.1 §4.1.1."""
    asked = draft.sent.one("response_type")
    if asked is None:
        raise InvalidRequest("E-AUTHZ-05")
    if asked != "code":
        raise UnsupportedResponseType("E-AUTHZ-06", arrived=asked)
    return draft


def response_mode_is_query(draft: Draft) -> Draft:
    """A code has one way back. OAuth 2.0 Multiple Response Type Encoding Practices §2.1."""
    asked = draft.sent.one("response_mode")
    if asked not in {None, "query"}:
        raise InvalidRequest("E-AUTHZ-07", arrived=str(asked))
    return draft


def challenge_is_s256(draft: Draft) -> Draft:
    """No request without PKCE. RFC 7636 §4.4.1; OAuth 2.1 §4.1.1."""
    method = draft.sent.one("code_challenge_method")
    challenge = pkce.Challenge.parse(draft.sent.one("code_challenge"), method)
    return replace(draft, challenge=challenge.value)


def dpop_jkt_is_a_thumbprint(draft: Draft) -> Draft:
    """A client may say which key the code will be redeemed with. RFC 9449 §10."""
    jkt = draft.sent.one("dpop_jkt")
    if jkt is not None and not THUMBPRINT.fullmatch(jkt):
        raise InvalidRequest("E-DPOP-13", arrived=f"{len(jkt)} characters")
    return replace(draft, dpop_jkt=jkt)


def scope_is_known(draft: Draft) -> Draft:
    """What is granted is never more than what was registered; without a wish, the least.

    OAuth 2.1 §1.4.1. A scope of ours that the client did not register is dropped, and the token
    response says so; nothing left is an error.
    """
    text = draft.sent.one("scope") or ""
    asked = scopes.parse(text) or scopes.DEFAULT
    granted = scopes.common(asked, draft.client.scopes & scopes.ORDINARY)
    if not granted:
        raise InvalidScope("E-SCOPE-04", arrived=scopes.write(asked))
    return replace(draft, scopes=granted)


def resource_is_ours(draft: Draft) -> Draft:
    """The token will be for one resource, and for no other. RFC 8707 §2."""
    resource = audience.resolve(draft.sent.all("resource"), draft.settings.resource)
    return replace(draft, resource=resource)


ON_OUR_PAGE: Final[Checks[Draft]] = (
    ("authorize.client", client_is_known),
    ("authorize.redirect_uri", redirect_uri_is_registered),
)
"""While these have not passed, a redirect could lead anywhere."""

AT_THE_CLIENT: Final[Checks[Draft]] = (
    ("authorize.once", parameters_come_once),
    ("authorize.state", state_is_short),
    ("authorize.request", no_request_object),
    ("authorize.response_type", response_type_is_code),
    ("authorize.response_mode", response_mode_is_query),
    ("pkce.challenge", challenge_is_s256),
    ("authorize.dpop_jkt", dpop_jkt_is_a_thumbprint),
    ("authorize.scope", scope_is_known),
    ("authorize.resource", resource_is_ours),
)
"""These fail at the client: it is told by a redirect."""

AUTHORIZE: Final[Checks[Draft]] = (*ON_OUR_PAGE, *AT_THE_CLIENT)
"""The whole endpoint."""


def pending(
    draft: Draft, request_id: str, browser: str, now: datetime, refusal: Refusal | None
) -> AuthorizationRequest:
    """The request as it waits for its user."""
    return AuthorizationRequest(
        id=request_id,
        browser=browser,
        client_id=draft.client.id,
        redirect_uri=draft.redirect_uri,
        state=state_of(draft),
        code_challenge=draft.challenge,
        scopes=draft.scopes,
        resource=draft.resource or draft.settings.resource,
        created_at=now,
        expires_at=now + timedelta(seconds=draft.settings.limits.request_seconds),
        refusal=refusal,
        dpop_jkt=draft.dpop_jkt,
        prompt="consent" if insists(draft.sent) else "",
    )


def code_for(
    request: AuthorizationRequest,
    user: User,
    granted: frozenset[str],
    code_hash: str,
    lifetime: tuple[datetime, datetime],
) -> Code:
    """What the code stands for once the user has agreed to `granted`. OAuth 2.1 §4.1.2."""
    return Code(
        hash=code_hash,
        client_id=request.client_id,
        user_id=user.id,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        scopes=granted,
        resource=request.resource,
        created_at=lifetime[0],
        expires_at=lifetime[1],
        dpop_jkt=request.dpop_jkt,
    )


def state_of(draft: Draft) -> str | None:
    """`state`, to be given back as it came; nothing when it came twice, or is too long to keep.

    OAuth 2.1 §4.1.2.1.
    """
    values, longest = draft.sent.all("state"), draft.settings.limits.state_length
    return values[0] if len(values) == 1 and len(values[0]) <= longest else None


def location(redirect_uri: str, issuer: str, state: str | None, **members: str) -> str:
    """The address of an authorization response: its members, `state`, and `iss`. RFC 9207 §2."""
    named = {**members, **({} if state is None else {"state": state}), "iss": issuer}
    mark = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{mark}{urlencode(named, quote_via=quote)}"


def insists(sent: Parameters) -> bool:
    """With `prompt=consent` the page is shown. OpenID Connect Core 1.0 §3.1.2.1."""
    return any("consent" in value.split() for value in sent.all("prompt"))


def silent(sent: Parameters, *, signed_in: bool) -> OAuthError | None:
    """With `prompt=none` no page may be shown. OpenID Connect Core 1.0 §3.1.2.1."""
    prompts = (sent.one("prompt") or "").split()
    if "none" not in prompts:
        return None
    return ConsentRequired("E-AUTHZ-10") if signed_in else LoginRequired("E-AUTHZ-09")


def may_return_at_once(error: OAuthError, redirect_uri: str) -> bool:
    """Whether an anonymous browser may be sent on with this error.

    Anybody can register an address, so a redirect without the user's doing would make us an open
    redirector (OAuth 2.1 §7.12.2): they sign in first. The user's own machine is no such danger,
    and `prompt=none` forbids to ask.
    """
    return redirects.is_loopback(redirect_uri) or isinstance(error, LoginRequired)

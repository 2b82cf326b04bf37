"""The grants: each is a form for the token endpoint, and what had to be done to fill it in.

A person signs in with a code (OAuth 2.1 §4.1), later the refresh token speaks for them (§4.3); a
program signs in as itself (§4.2); an enterprise's identity provider vouches for its people, and a
platform for what runs on it (RFC 7523 §2.1). All name the resource that the token is for
(RFC 8707 §2.2), and all end in the same answer. Pure, but for what it yields. Next: `account.py`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from catshop.client.oauth.discovery import Guarded, Server
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.possession import CODE, NONCE, Possession
from catshop.client.oauth.registration import Client, prove, said
from catshop.client.oauth.steps import Reply, Sources, Steps, ask, basic, browse, post, safe
from catshop.kernel import Secret

BEARER_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""RFC 7523 §2.1."""

EXCHANGE_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
"""RFC 8693 §2.1."""

ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 -- a type of token, RFC 8693 section 3
ID_JAG: Final = "urn:ietf:params:oauth:token-type:id-jag"
"""The assertion that an identity provider makes out for another authorization server."""


TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""b64token: what a field Authorization can carry. OAuth 2.1 §5.1.1."""

SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
"""scope-token. RFC 6749 §3.3."""

YEAR: Final = 31_536_000
"""Seconds; a server that says more means for ever, which no clock can add."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a grant ended in. `scopes` is what was granted, `asked` what was asked for."""

    issuer: str
    resource: str
    client_id: str
    access_token: Secret
    token_type: str = "Bearer"  # noqa: S105 -- a type of token, OAuth 2.1 section 1.4
    refresh_token: Secret | None = None
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asking:
    """Everything that a grant needs: for whom, where, with what, and for which scopes."""

    guarded: Guarded
    client: Client
    sources: Sources
    scopes: tuple[str, ...] = ()
    possession: Possession | None = None

    @property
    def server(self) -> Server:
        """The authorization server that is asked."""
        return self.guarded.server

    @property
    def aim(self) -> Mapping[str, str]:
        """The parameters that every grant shares. RFC 8707 §2; OAuth 2.1 §1.4.1."""
        scope = {"scope": " ".join(self.scopes)} if self.scopes else {}
        return {"resource": self.guarded.resource.resource, **scope}


@dataclass(frozen=True, slots=True)
class Provider:
    """An enterprise's identity provider, and who we are there."""

    token_endpoint: str
    client_id: str
    id_token: Secret
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """An authorization request, and what its answer must match. OAuth 2.1 §4.1.1."""

    url: str = field(repr=False)
    verifier: Secret
    state: str = field(repr=False)


def code_grant(asking: Asking, redirect_uri: str) -> Steps[Tokens]:
    """A person agrees in the browser, and the code is redeemed. OAuth 2.1 §4.1."""
    opened = authorization_request(asking, redirect_uri)
    query = yield from browse(opened.url)
    code = read_redirect(query, opened, asking.server)
    form = {
        "grant_type": "authorization_code",
        "code": code.reveal(),
        "redirect_uri": redirect_uri,
        "code_verifier": opened.verifier.reveal(),
        "resource": asking.guarded.resource.resource,
    }
    return (yield from _redeem(asking, form))


def refresh_grant(asking: Asking, held: Tokens) -> Steps[Tokens]:
    """The refresh token, for the scopes that it has; another may take its place. OAuth 2.1 §4.3."""
    if held.refresh_token is None:
        raise SignInFailed("E-OAC-12", arrived="no refresh token")
    form = {
        "grant_type": "refresh_token",
        "refresh_token": held.refresh_token.reveal(),
        "resource": held.resource,
    }
    fresh = yield from _redeem(replace(asking, scopes=held.scopes), form)
    kept = fresh.refresh_token or held.refresh_token
    return replace(fresh, refresh_token=kept, asked=held.asked)


def credentials_grant(asking: Asking) -> Steps[Tokens]:
    """The client for itself. OAuth 2.1 §4.2."""
    return (yield from _redeem(asking, {"grant_type": "client_credentials", **asking.aim}))


def workload_grant(asking: Asking, assertion: Secret) -> Steps[Tokens]:
    """The platform's word for what runs on it, shown once: no is an answer. RFC 7523 §2.1."""
    form = {"grant_type": BEARER_GRANT, "assertion": assertion.reveal(), **asking.aim}
    return (yield from _redeem(asking, form))


def enterprise_grant(asking: Asking, provider: Provider) -> Steps[Tokens]:
    """The identity provider's word for one of its people: an ID-JAG, and what it is good for.

    RFC 8693 §2.1, then RFC 7523 §2.1.
    """
    form = {
        "grant_type": EXCHANGE_GRANT,
        "requested_token_type": ID_JAG,
        "audience": asking.server.issuer,
        **asking.aim,
        "subject_token": provider.id_token.reveal(),
        "subject_token_type": ID_TOKEN,
    }
    fields: Mapping[str, str] = {}
    if provider.secret is None:
        form["client_id"] = provider.client_id
    else:
        fields = {"Authorization": basic(provider.client_id, provider.secret)}
    reply = yield from ask(post("token exchange", provider.token_endpoint, form, fields))
    assertion = _answer(reply).get("access_token")
    if not isinstance(assertion, str):
        raise SignInFailed("E-OAC-13", arrived="no access_token")
    return (yield from workload_grant(asking, Secret(assertion)))


def authorization_request(asking: Asking, redirect_uri: str) -> Opened:
    """The address that the user visits. OAuth 2.1 §4.1.1; RFC 7636 §4.1 to §4.3; RFC 8707 §2.1."""
    server = asking.server
    if server.authorization_endpoint is None:
        raise SignInFailed("E-OAC-05", arrived="no authorization_endpoint")
    if not server.s256:
        raise SignInFailed("E-OAC-14", arrived=server.issuer)
    verifier, state = Secret(asking.sources.random()), asking.sources.random()
    parameters = {
        "response_type": "code",
        "client_id": asking.client.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        **asking.aim,
    }
    if asking.possession is not None:
        parameters["dpop_jkt"] = asking.possession.key.thumbprint
    joint = "&" if urlsplit(server.authorization_endpoint).query else "?"
    return Opened(server.authorization_endpoint + joint + urlencode(parameters), verifier, state)


def challenge_of(verifier: Secret) -> str:
    """S256: the hash that gives nothing of the verifier away. RFC 7636 §4.2."""
    digest = hashlib.sha256(verifier.reveal().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def read_redirect(query: str, opened: Opened, server: Server) -> Secret:
    """The code, if this is the answer to our request and from the server that we asked.

    Who answers is settled first, because nothing that a stranger says is acted on or shown.
    RFC 9207 §2.4; OAuth 2.1 §4.1.2; MCP 2026-07-28 basic/authorization
    §authorization-response-validation.
    """
    found = parse_qs(query, keep_blank_values=True)
    if found.get("state") != [opened.state]:
        raise SignInFailed("E-OAC-15", arrived="another state")
    issuers = found.get("iss")
    if issuers is None and server.names_itself:
        raise SignInFailed("E-OAC-16", arrived="no iss")
    if issuers is not None and issuers != [server.issuer]:
        raise SignInFailed("E-OAC-16", arrived=" and ".join(issuers))
    if "error" in found:
        words = ": ".join(found["error"] + found.get("error_description", []))
        raise SignInFailed("E-OAC-17", arrived=words, error=found["error"][0])
    codes = found.get("code", [])
    if len(codes) != 1 or not codes[0]:
        raise SignInFailed("E-OAC-15", arrived=f"{len(codes)} codes")
    return Secret(codes[0])


def _redeem(asking: Asking, form: Mapping[str, str]) -> Steps[Tokens]:
    """The token endpoint, asked once, and once more where it wants a nonce. RFC 9449 §8."""
    reply = yield from _ask_for_token(asking, form)
    possession = asking.possession
    if possession is not None:
        possession.learn(asking.server.token_endpoint, reply.first(NONCE))
        if reply.first(NONCE) and _error(reply) == CODE:
            reply = yield from _ask_for_token(asking, form)
            possession.learn(asking.server.token_endpoint, reply.first(NONCE))
    return read_tokens(_answer(reply), asking)


def _ask_for_token(asking: Asking, form: Mapping[str, str]) -> Steps[Reply]:
    server = asking.server
    proven, fields = prove(asking.client, server, form, asking.sources)
    if asking.possession is not None:
        url = server.token_endpoint
        fields = {**fields, **asking.possession.proof("POST", url, asking.sources)}
    return (yield from ask(post("access token", safe(server.token_endpoint), proven, fields)))


def read_tokens(found: Mapping[str, Any], asking: Asking) -> Tokens:
    """What the token endpoint gave. OAuth 2.1 §3.2.3; RFC 9449 §5."""
    token, kind = found.get("access_token"), str(found.get("token_type", ""))
    wanted = ("dpop",) if asking.possession is not None else ("bearer",)
    if kind.lower() not in wanted:
        raise SignInFailed("E-OAC-13", arrived=f"token_type {kind}")
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise SignInFailed("E-OAC-13", arrived="no access_token, or none that can be shown")
    refresh, scope = found.get("refresh_token"), found.get("scope")
    return Tokens(
        issuer=asking.server.issuer,
        resource=asking.guarded.resource.resource,
        client_id=asking.client.client_id,
        access_token=Secret(token),
        token_type="DPoP" if kind.lower() == "dpop" else "Bearer",
        refresh_token=Secret(refresh) if isinstance(refresh, str) and refresh else None,
        expires_at=_end(found.get("expires_in"), asking.sources.clock()),
        scopes=_granted(scope) if isinstance(scope, str) else asking.scopes,
        asked=asking.scopes,
    )


def _granted(scope: str) -> tuple[str, ...]:
    """The scopes in a server's answer; what is none is not kept, nor shown. RFC 6749 §3.3."""
    return tuple(name for name in scope.split() if SCOPE.fullmatch(name))


def _end(seconds: object, now: datetime) -> datetime | None:
    """When the token ends; None where the server does not say, or says what is no time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        return None
    return now + timedelta(seconds=min(seconds, YEAR))


def _answer(reply: Reply) -> Mapping[str, Any]:
    """A successful answer's members; else the refusal, in its own words. OAuth 2.1 §3.2.4."""
    try:
        found = reply.members()
    except (ValueError, RecursionError) as error:
        raise SignInFailed("E-OAC-13", arrived=f"{reply.status}: {error}") from None
    if reply.status != 200:
        error_code = found.get("error")
        raise SignInFailed(
            "E-OAC-18",
            arrived=said(reply.status, found),
            error=error_code if isinstance(error_code, str) else None,
        )
    return found


def _error(reply: Reply) -> object:
    try:
        return reply.members().get("error")
    except (ValueError, RecursionError):
        return None

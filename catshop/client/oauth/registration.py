"""Who the client is at an authorization server, and how it proves that at the token endpoint.

A client_id means something to the server that knows it and to no other, so credentials are kept
with the issuer that gave them and are never shown elsewhere. The order is the specification's:
what was agreed beforehand, then the client's own document, then registration on the spot.
Pure, but for what it yields. MCP 2026-07-28 basic/authorization/client-registration;
RFC 7591 §2, §3; OAuth 2.1 §2.4. Next: `grants.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from catshop.client.oauth.discovery import Server
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.keys import SigningKey
from catshop.client.oauth.steps import LOCAL, Ask, Reply, Sources, Steps, ask, basic
from catshop.kernel import Secret

JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 §2.2."""

WITH_SECRET: Final = ("client_secret_post", "client_secret_basic")
"""How a secret may be shown; the first is what every server must support, and in the second too
many servers misread an encoded part, or look for a client_id beside it. OAuth 2.1 §2.4.1."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client_id, and what goes with it. `issuer` is None where every server may read it."""

    client_id: str
    issuer: str | None = None
    secret: Secret | None = None
    key: SigningKey | None = None
    method: str | None = None
    """The token_endpoint_auth_method that the registration fixed, if it fixed one."""
    redirect_uris: tuple[str, ...] = ()
    registration: Mapping[str, str] = field(default_factory=dict, repr=False)
    """registration_client_uri and registration_access_token, where they were given. RFC 7592 §3."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What the client would say of itself, and what it was given beforehand."""

    client_name: str
    redirect_uri: str
    agreed: Client | None = None
    """Pre-registered credentials."""
    document: str | None = None
    """The https address of the client's own metadata document, which is its client_id."""


def identify(server: Server, who: Introduction, known: Client | None) -> Steps[Client]:
    """The credentials for this server; `known` are those that it gave us before, if any."""
    if who.agreed is not None:
        return _agreed(who.agreed, server)
    if who.document is not None and server.reads_documents:
        return Client(who.document, redirect_uris=(who.redirect_uri,), method="none")
    if known is not None and who.redirect_uri in known.redirect_uris:
        return known
    if server.registration_endpoint is None:
        raise SignInFailed("E-OAC-07", arrived=server.issuer)
    reply = yield from ask(registration(server, who))
    return read_registration(reply, server, who)


def registration(server: Server, who: Introduction) -> Ask:
    """The request to be known. MCP 2026-07-28 basic/authorization/client-registration
    §application-type-and-redirect-uri-constraints."""
    document = {
        "client_name": who.client_name,
        "redirect_uris": [who.redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": asked_method(server),
        "application_type": application_type(who.redirect_uri),
    }
    fields = {"Accept": "application/json", "Content-Type": "application/json"}
    body = json.dumps(document).encode("utf-8")
    return Ask("client registration", "POST", server.registration_endpoint or "", fields, body)


def application_type(redirect_uri: str) -> str:
    """A program on the user's machine, or a site. OpenID Connect Registration 1.0 §2."""
    parts = urlsplit(redirect_uri)
    site = parts.scheme == "https" and (parts.hostname or "") not in LOCAL
    return "web" if site else "native"


def read_registration(reply: Reply, server: Server, who: Introduction) -> Client:
    """What the server registered, which is what counts. RFC 7591 §3.2.1."""
    try:
        found = reply.members()
    except (ValueError, RecursionError) as error:
        raise SignInFailed("E-OAC-08", arrived=f"{reply.status}: {error}") from None
    client_id = found.get("client_id")
    if reply.status not in (200, 201) or not isinstance(client_id, str):
        raise SignInFailed("E-OAC-08", arrived=said(reply.status, found), error=found.get("error"))
    secret, method = found.get("client_secret"), found.get("token_endpoint_auth_method")
    return Client(
        client_id=client_id,
        issuer=server.issuer,
        secret=Secret(secret) if isinstance(secret, str) else None,
        method=method if method in server.auth_methods else asked_method(server),
        redirect_uris=(who.redirect_uri,),
        registration={
            name: found[name]
            for name in ("registration_client_uri", "registration_access_token")
            if isinstance(found.get(name), str)
        },
    )


def asked_method(server: Server) -> str:
    """How a client that registers itself will prove itself: by no secret, where that may be."""
    return choose_method(server.auth_methods, ("none", *WITH_SECRET))


def choose_method(offered: tuple[str, ...], able: tuple[str, ...]) -> str:
    """The first way that both sides know. OAuth 2.1 §2.4."""
    for method in able:
        if method in offered:
            return method
    raise SignInFailed("E-OAC-09", arrived=", ".join(offered))


def prove(
    client: Client, server: Server, form: Mapping[str, str], sources: Sources
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The form and the fields of a request to the token endpoint, with the client's proof in them.

    The client proves itself in one way, the one that it registered or the first that the server
    offers (OAuth 2.1 §2.4), and an assertion names the issuer as its audience (RFC 7523 §3).
    """
    method = client.method or choose_method(server.auth_methods, _able(client))
    named = {**form, "client_id": client.client_id}
    if method == "private_key_jwt" and client.key is not None:
        assertion = client.key.assertion(client.client_id, server.issuer, sources)
        return {**named, "client_assertion_type": JWT_BEARER, "client_assertion": assertion}, {}
    if method == "client_secret_post" and client.secret is not None:
        return {**named, "client_secret": client.secret.reveal()}, {}
    if method == "client_secret_basic" and client.secret is not None:
        return form, {"Authorization": basic(client.client_id, client.secret)}
    if method == "none":
        return named, {}
    raise SignInFailed("E-OAC-09", arrived=f"{method} without what it needs")


def _able(client: Client) -> tuple[str, ...]:
    if client.key is not None:
        return ("private_key_jwt",)
    return (*WITH_SECRET, "none") if client.secret is not None else ("none",)


def _agreed(client: Client, server: Server) -> Client:
    """Credentials that another server gave are not shown to this one."""
    if client.issuer is not None and client.issuer != server.issuer:
        raise SignInFailed("E-OAC-10", arrived=server.issuer)
    return client


def said(status: int, found: Mapping[str, Any]) -> str:
    """A server's own words for a refusal. RFC 6749 §5.2."""
    words = [str(found[name]) for name in ("error", "error_description") if name in found]
    return f"{status} " + ": ".join(words)

"""Dynamic registration: a stranger names itself and gets a client_id.

Anybody may register, so a registration is worth nothing but its redirect_uris: they are where a
code may go. A client is public unless it asks to be more: a secret that every copy of an
application holds is none. Nothing that a registration names is fetched. Decides alone: storing
is for `endpoints.py`, asking for the proof for `client_auth.py`. RFC 7591 §2, §3; OAuth 2.1 §2.1.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from catshop.kernel import Secret
from catshop.oauth import jwt, redirects, scopes, strict
from catshop.oauth.errors import (
    InvalidClientMetadata,
    InvalidRedirectUri,
    InvalidScope,
    InvalidSoftwareStatement,
)
from catshop.oauth.model import Client, Origin
from catshop.oauth.parameters import DEVICE_CODE, GRANT_TYPES, TOKEN_EXCHANGE
from catshop.oauth.tokens import Mint
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.fields import parse_media_type
from catshop.protocol.http1.messages import Request

NAME_LENGTH: Final = 200
"""Characters of a client_name: more than fits in a line of the consent page."""

REDIRECT_URIS: Final = 20
"""Of one client."""

METHODS: Final = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")
"""Ways in which a client proves who it is at the token endpoint. RFC 7591 §2."""

CONFIDENTIAL: Final = tuple(method for method in METHODS if method != "none")
"""Those that prove anything. OAuth 2.1 §2.1."""

WITH_SECRET: Final = frozenset({"client_secret_basic", "client_secret_post"})
"""Those for which it is given a secret."""

BY_USERS: Final = ("authorization_code", "refresh_token")
"""The grants of a client that names none. RFC 7591 §2 would leave refresh_token out; all ask."""

ANSWERS: Final = {True: ("code",), False: ()}
"""response_types of a client that acts for users, or only for itself. RFC 7591 §2.1."""

WEB_PAGES: Final = ("client_uri", "logo_uri", "policy_uri", "tos_uri")
"""Members that name pages of the client; they are looked at, and not kept."""

ALLOWED: Final = {
    Origin.ITSELF: scopes.ORDINARY,
    Origin.OPERATOR: frozenset(scopes.CATALOGUE),
}
"""What a client may be registered for, by who brings it here."""

Metadata = Mapping[str, object]


def read(body: bytes) -> Metadata:
    """The members of a registration request, in the one way they can be read. RFC 7591 §3.1."""
    try:
        sent = strict.members(body)
    except ValueError as error:
        raise InvalidClientMetadata("E-REG-01", arrived=str(error)) from None
    return {name: value for name, value in sent.items() if value is not None and value != ""}


async def of_body(request: Request, limit: int) -> Metadata:
    """The members of a registration in the body of a request, which says that it is JSON."""
    told = request.fields.one("content-type")
    media_type = parse_media_type(told)
    if media_type is None or media_type.name != "application/json":
        raise HttpError(415, "E-REG-11", arrived=told or "no Content-Type")
    return read(await request.body(limit))


def accept(sent: Metadata, client_id: str, now: datetime, origin: Origin = Origin.ITSELF) -> Client:
    """The client that `sent` describes, or the first rule that it breaks. RFC 7591 §2.

    For the scopes that are the operator's to give nobody registers by itself.
    """
    if "software_statement" in sent:
        raise InvalidSoftwareStatement("E-REG-10")
    _web_pages(sent)
    method = _method(sent.get("token_endpoint_auth_method", "none"))
    grant_types = _grant_types(_strings(sent, "grant_types", BY_USERS), method)
    by_users = "authorization_code" in grant_types
    _response_types(_strings(sent, "response_types", ANSWERS[by_users]), ANSWERS[by_users])
    return Client(
        id=client_id,
        name=_name(sent.get("client_name", "")),
        redirect_uris=_redirect_uris(sent) if by_users else (),
        grant_types=grant_types,
        scopes=_scopes(sent.get("scope", ""), ALLOWED[origin]),
        created_at=now,
        application_type=_application_type(sent.get("application_type", "native")),
        auth_method=method,
        jwks=_jwks(sent, method),
        jwks_uri=_jwks_uri(sent),
        origin=origin,
        dpop_bound=_dpop_bound(sent.get("dpop_bound_access_tokens", False)),
    )


def armed(client: Client, mint: Mint) -> tuple[Client, Secret | None]:
    """The client with a secret of its own, where its method takes one. OAuth 2.1 §2.4.1."""
    if client.auth_method not in WITH_SECRET:
        return replace(client, secret_hash=None), None
    secret = Secret(f"cat_cs_{mint()}")
    return replace(client, secret_hash=secret.digest()), secret


def answer(client: Client, secret: Secret | None = None) -> dict[str, object]:
    """What the client is told: its id, its secret this once, and every member as it was registered.

    RFC 7591 §3.2.1. A secret does not expire: `client_secret_expires_at` is 0.
    """
    proof: dict[str, object] = {}
    if secret is not None:
        proof |= {"client_secret": secret.reveal(), "client_secret_expires_at": 0}
    if client.jwks is not None:
        proof["jwks"] = json.loads(client.jwks)
    if client.jwks_uri is not None:
        proof["jwks_uri"] = client.jwks_uri
    if client.dpop_bound:
        proof["dpop_bound_access_tokens"] = True
    return {
        "client_id": client.id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "response_types": list(ANSWERS["authorization_code" in client.grant_types]),
        "token_endpoint_auth_method": client.auth_method,
        "scope": scopes.write(client.scopes),
        "application_type": client.application_type,
        **proof,
    }


def _method(asked: object) -> str:
    if not isinstance(asked, str) or asked not in METHODS:
        raise InvalidClientMetadata("E-REG-05", arrived=str(asked))
    return asked


def _jwks(sent: Metadata, method: str) -> str | None:
    """The public keys of the client, as they came. RFC 7591 §2; RFC 8725 §3.5.

    What is wrong with a key is told, the key itself never: it may be a private one.
    """
    jwks = sent.get("jwks")
    if jwks is None:
        if method == "private_key_jwt" and "jwks_uri" not in sent:
            raise InvalidClientMetadata("E-REG-13", arrived="no jwks")
        return None
    try:
        jwt.public_keys(jwks)
    except jwt.BadKey as error:
        raise InvalidClientMetadata("E-REG-13", arrived=str(error)) from None
    return json.dumps(jwks, separators=(",", ":"))


def _jwks_uri(sent: Metadata) -> str | None:
    """Where the keys of the client are, when it did not send them. RFC 7591 §2.

    Nothing is fetched before a proof is shown; the address of somebody's own network is refused
    here, and once more where the socket would be opened.
    """
    address = sent.get("jwks_uri")
    if address is None:
        return None
    if "jwks" in sent:
        raise InvalidClientMetadata("E-REG-15", arrived="jwks and jwks_uri")
    if not isinstance(address, str) or not redirects.is_public_page(address):
        raise InvalidClientMetadata("E-REG-15", arrived=str(address))
    return address


def _dpop_bound(asked: object) -> bool:
    """Whether the client wants no token without a key. RFC 9449 §5.2."""
    if not isinstance(asked, bool):
        raise InvalidClientMetadata("E-REG-06", arrived="dpop_bound_access_tokens")
    return asked


def _web_pages(sent: Metadata) -> None:
    """Pages that a user may be sent to are public ones. RFC 7591 §2, §5."""
    for name in WEB_PAGES:
        if name in sent and not redirects.is_public_page(sent[name]):
            raise InvalidClientMetadata("E-REG-14", arrived=name)


def _strings(sent: Metadata, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = sent.get(name, list(default))
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidClientMetadata("E-REG-06", arrived=name)
    return tuple(dict.fromkeys(value))


def _grant_types(asked: tuple[str, ...], method: str) -> tuple[str, ...]:
    """Code, with or without refresh, and what a client with a proof may ask for itself.

    RFC 7591 §2.1; OAuth 2.1 §4.2: a public client has no credentials.
    """
    strange = [name for name in asked if name not in GRANT_TYPES]
    alone = "refresh_token" in asked and not {"authorization_code", DEVICE_CODE} & set(asked)
    unproven = {"client_credentials", TOKEN_EXCHANGE} & set(asked) and method == "none"
    if strange or alone or unproven or not asked:
        raise InvalidClientMetadata("E-REG-07", arrived=" ".join(asked) or "none")
    return asked


def _response_types(asked: tuple[str, ...], fit: tuple[str, ...]) -> None:
    if asked != fit:
        raise InvalidClientMetadata("E-REG-08", arrived=" ".join(asked) or "none")


def _redirect_uris(sent: Metadata) -> tuple[str, ...]:
    asked = sent.get("redirect_uris")
    if not isinstance(asked, list) or not asked:
        raise InvalidRedirectUri("E-REG-02", arrived="none")
    if len(asked) > REDIRECT_URIS:
        raise InvalidRedirectUri("E-REG-02", arrived=f"{len(asked)} of them")
    return tuple(dict.fromkeys(redirects.registrable(uri) for uri in asked))


def _name(asked: object) -> str:
    """A name to show: without controls, so that it cannot turn the line that it stands in."""
    if not isinstance(asked, str) or len(asked) > NAME_LENGTH:
        raise InvalidClientMetadata("E-REG-09", arrived=f"{len(str(asked))} characters")
    shown = "".join(c for c in asked if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
    return " ".join(shown.split())


def _scopes(asked: object, allowed: frozenset[str]) -> frozenset[str]:
    """The scopes that the client may ask for: enough to shop, unless it names some. RFC 7591 §2."""
    if not isinstance(asked, str):
        raise InvalidClientMetadata("E-REG-06", arrived="scope")
    try:
        named = scopes.parse(asked)
    except InvalidScope as error:
        raise InvalidClientMetadata(error.reference, arrived=error.arrived) from None
    if not named <= allowed:
        raise InvalidClientMetadata("E-SCOPE-05", arrived=scopes.write(named - allowed))
    return named or scopes.UMBRELLAS


def _application_type(asked: object) -> str:
    """MCP 2026-07-28 basic/authorization/client-registration §dynamic-client-registration."""
    if not isinstance(asked, str) or asked not in {"native", "web"}:
        raise InvalidClientMetadata("E-REG-06", arrived="application_type")
    return asked

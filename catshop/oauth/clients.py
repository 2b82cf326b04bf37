"""Dynamic registration: a stranger names itself and gets a client_id.

Anybody may register, so a registration is worth nothing but its redirect_uris: they are where a
code may go. Only public clients so far: a secret that every copy of an application holds is none.
Pure; `endpoints.py` stores what comes out. RFC 7591 §2, §3; OAuth 2.1 §2.1.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from catshop.oauth import redirects, scopes
from catshop.oauth.errors import (
    InvalidClientMetadata,
    InvalidRedirectUri,
    InvalidScope,
    InvalidSoftwareStatement,
)
from catshop.oauth.model import Client
from catshop.oauth.parameters import GRANT_TYPES

NAME_LENGTH: Final = 200
"""Characters of a client_name: more than fits in a line of the consent page."""

REDIRECT_URIS: Final = 20
"""Of one client."""

METHODS: Final = ("none",)
"""Ways in which a client proves who it is at the token endpoint. RFC 7591 §2."""

Metadata = Mapping[str, object]


def read(body: bytes) -> Metadata:
    """The members of a registration request. RFC 7591 §3.1."""
    try:
        sent = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidClientMetadata("E-REG-01") from None
    if not isinstance(sent, dict):
        raise InvalidClientMetadata("E-REG-01", arrived=type(sent).__name__)
    return {name: value for name, value in sent.items() if value is not None and value != ""}


def accept(sent: Metadata, client_id: str, now: datetime) -> Client:
    """The client that `sent` describes, or the first rule that it breaks. RFC 7591 §2."""
    if "software_statement" in sent:
        raise InvalidSoftwareStatement("E-REG-10")
    _public(sent.get("token_endpoint_auth_method", "none"))
    grant_types = _grant_types(_strings(sent, "grant_types", GRANT_TYPES))
    _response_types(_strings(sent, "response_types", ("code",)))
    return Client(
        id=client_id,
        name=_name(sent.get("client_name", "")),
        redirect_uris=_redirect_uris(sent.get("redirect_uris")),
        grant_types=grant_types,
        scopes=_scopes(sent.get("scope", "")),
        created_at=now,
        application_type=_application_type(sent.get("application_type", "native")),
    )


def answer(client: Client) -> dict[str, object]:
    """What the client is told: its id, and every member as it was registered. RFC 7591 §3.2.1."""
    return {
        "client_id": client.id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": scopes.write(client.scopes),
        "application_type": client.application_type,
    }


def _public(method: object) -> None:
    if method not in METHODS:
        raise InvalidClientMetadata("E-REG-05", arrived=str(method))


def _strings(sent: Metadata, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = sent.get(name, list(default))
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidClientMetadata("E-REG-06", arrived=name)
    return tuple(dict.fromkeys(value))


def _grant_types(asked: tuple[str, ...]) -> tuple[str, ...]:
    """Code, with or without refresh. RFC 7591 §2.1: a response_type needs its grant."""
    strange = [name for name in asked if name not in GRANT_TYPES]
    if strange or "authorization_code" not in asked:
        raise InvalidClientMetadata("E-REG-07", arrived=" ".join(asked) or "none")
    return asked


def _response_types(asked: tuple[str, ...]) -> None:
    if asked != ("code",):
        raise InvalidClientMetadata("E-REG-08", arrived=" ".join(asked) or "none")


def _redirect_uris(asked: object) -> tuple[str, ...]:
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


def _scopes(asked: object) -> frozenset[str]:
    """The scopes that the client may ask for: all of ours, unless it names fewer. RFC 7591 §2."""
    if not isinstance(asked, str):
        raise InvalidClientMetadata("E-REG-06", arrived="scope")
    try:
        return scopes.parse(asked) or frozenset(scopes.CATALOGUE)
    except InvalidScope as error:
        raise InvalidClientMetadata(error.reference, arrived=error.arrived) from None


def _application_type(asked: object) -> str:
    """MCP 2026-07-28 basic/authorization/client-registration §dynamic-client-registration."""
    if not isinstance(asked, str) or asked not in {"native", "web"}:
        raise InvalidClientMetadata("E-REG-06", arrived="application_type")
    return asked

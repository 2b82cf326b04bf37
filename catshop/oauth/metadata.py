"""The two documents with which a client finds its way: of the server, and of the resource.

They advertise what exists and nothing else, and say the issuer and the resource exactly as they
were configured, because clients compare them character by character. Pure. RFC 8414 §2, §3;
RFC 9728 §2, §3; RFC 9207 §3; MCP 2026-07-28 basic/authorization/authorization-server-discovery.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from catshop.oauth.clients import CONFIDENTIAL, METHODS
from catshop.oauth.jwt import SUPPORTED
from catshop.oauth.parameters import GRANT_TYPES, JWT_BEARER, PROFILE
from catshop.oauth.pkce import METHOD
from catshop.oauth.scopes import OFFLINE, ORDINARY, UMBRELLAS, write
from catshop.oauth.settings import OAuthSettings, Registration, TokenFormat

AUTHORIZE: Final = "/authorize"
TOKEN: Final = "/token"  # noqa: S105 - a path
REGISTER: Final = "/register"
REVOKE: Final = "/revoke"
INTROSPECT: Final = "/introspect"
DEVICE_AUTHORIZATION: Final = "/device_authorization"

JWKS: Final = "/jwks"

OAUTH: Final = "/.well-known/oauth-authorization-server"
OPENID: Final = "/.well-known/openid-configuration"
RESOURCE: Final = "/.well-known/oauth-protected-resource"


def server(settings: OAuthSettings) -> dict[str, object]:
    """The metadata of the authorization server. RFC 8414 §2; RFC 9207 §3; RFC 9449 §5.1."""
    signed = settings.token_format is TokenFormat.JWT
    return {
        "issuer": settings.issuer,
        "authorization_endpoint": settings.url(AUTHORIZE),
        "token_endpoint": settings.url(TOKEN),
        **registration(settings),
        "revocation_endpoint": settings.url(REVOKE),
        "introspection_endpoint": settings.url(INTROSPECT),
        "device_authorization_endpoint": settings.url(DEVICE_AUTHORIZATION),
        "scopes_supported": [*write(ORDINARY).split(), OFFLINE],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        **grants(settings),
        "token_endpoint_auth_methods_supported": list(METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(SUPPORTED),
        "revocation_endpoint_auth_methods_supported": list(METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(SUPPORTED),
        "introspection_endpoint_auth_methods_supported": list(CONFIDENTIAL),
        "introspection_endpoint_auth_signing_alg_values_supported": list(SUPPORTED),
        "dpop_signing_alg_values_supported": list(SUPPORTED),
        "code_challenge_methods_supported": [METHOD],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
        "protected_resources": [settings.resource],
        **({"jwks_uri": settings.url(JWKS)} if signed else {}),
    }


def grants(settings: OAuthSettings) -> dict[str, object]:
    """What the token endpoint answers; whose word is taken there is told to nobody.

    RFC 8414 §2; draft-ietf-oauth-identity-assertion-authz-grant: a profile is named, no issuer.
    """
    if settings.assertion_issuers:
        profiles = {"authorization_grant_profiles_supported": [PROFILE]}
        return {"grant_types_supported": list(GRANT_TYPES), **profiles}
    return {"grant_types_supported": [name for name in GRANT_TYPES if name != JWT_BEARER]}


def registration(settings: OAuthSettings) -> dict[str, object]:
    """Where clients register, if strangers may. RFC 8414 §2."""
    if settings.registration is Registration.CLOSED:
        return {}
    return {"registration_endpoint": settings.url(REGISTER)}


def resource(settings: OAuthSettings, supported: frozenset[str] = UMBRELLAS) -> dict[str, object]:
    """The metadata of the protected resource: no more scopes than it takes to shop. RFC 9728 §2.

    MCP 2026-07-28 basic/authorization §scope-selection-strategy.
    """
    return {
        "resource": settings.resource,
        "authorization_servers": [*filter(None, (settings.trusted_issuer,)), settings.issuer],
        "scopes_supported": write(supported).split(),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(SUPPORTED),
        "dpop_bound_access_tokens_required": False,
        "resource_name": "Cat Shop",
    }


def server_paths(settings: OAuthSettings) -> tuple[str, ...]:
    """Where the server's document is: inserted before the issuer's path, and appended for OpenID.

    RFC 8414 §3.1, §5; OpenID Connect Discovery 1.0 §4.
    """
    prefix = settings.prefix
    inserted = (f"{OAUTH}{prefix}", f"{OPENID}{prefix}")
    return (*inserted, f"{prefix}{OPENID}") if prefix else inserted


def resource_paths(settings: OAuthSettings) -> tuple[str, ...]:
    """Where the resource's document is: with its path inserted, and at the root. RFC 9728 §3.1."""
    return tuple(dict.fromkeys((urlsplit(settings.resource_metadata).path, RESOURCE)))

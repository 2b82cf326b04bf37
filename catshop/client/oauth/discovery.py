"""Discovery: from the address of an MCP server to the authorization server that guards it.

Two documents lead there. The resource says what it is called and who guards it; the authorization
server says where its endpoints are. Either may be a lie, so each is believed only when it names
what was asked for, letter by letter: the resource the server that we are about to call, the
metadata the issuer from which its address was made. A server of 2025-03-26 has no first document,
and perhaps no second. Pure, but for what it yields. Next: `registration.py`.
MCP 2026-07-28 basic/authorization/authorization-server-discovery; RFC 9728 §3; RFC 8414 §3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from catshop.client.oauth.challenges import Challenge
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.steps import Reply, Steps, fetch, origin, safe

PROTECTED: Final = "/.well-known/oauth-protected-resource"
"""RFC 9728 §3."""

OAUTH: Final = "/.well-known/oauth-authorization-server"
"""RFC 8414 §3."""

OPENID: Final = "/.well-known/openid-configuration"
"""OpenID Connect Discovery 1.0 §4."""


METHODS: Final = ("client_secret_basic",)
"""token_endpoint_auth_methods_supported of metadata that does not say. RFC 8414 §2."""

GRANTS: Final = ("authorization_code", "implicit")
"""grant_types_supported of metadata that does not say. RFC 8414 §2."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What an MCP server says of itself. RFC 9728 §2."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes: tuple[str, ...] | None = None
    """None where the document has no scopes_supported, which is not the same as an empty list."""
    bound: bool = False
    """dpop_bound_access_tokens_required. RFC 9728 §2."""


@dataclass(frozen=True, slots=True)
class Server:
    """What an authorization server says of itself. RFC 8414 §2."""

    issuer: str
    authorization_endpoint: str | None
    token_endpoint: str
    registration_endpoint: str | None = None
    revocation_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    auth_methods: tuple[str, ...] = METHODS
    grant_types: tuple[str, ...] = GRANTS
    scopes: tuple[str, ...] = ()
    s256: bool = False
    names_itself: bool = False
    """authorization_response_iss_parameter_supported. RFC 9207 §3."""
    reads_documents: bool = False
    """client_id_metadata_document_supported."""
    dpop: tuple[str, ...] = ()
    """dpop_signing_alg_values_supported. RFC 9449 §5.1."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A resource, and the authorization server that was chosen for it."""

    resource: Resource
    server: Server


def canonical(url: str) -> str:
    """The server's own identifier: its address without fragment. RFC 8707 §2."""
    return urlunsplit(urlsplit(url)._replace(fragment=""))


def identifiers(url: str) -> tuple[str, ...]:
    """What the resource at this address may be called: itself, and each path that it lies under.

    The names are compared as strings, and no name of another origin is among them.
    RFC 9728 §3.3; MCP 2026-07-28 basic/authorization §canonical-server-uri.
    """
    parts = urlsplit(canonical(url))
    segments = parts.path.split("/")[1:]
    base = origin(url)
    paths = ["/" + "/".join(segments[:count]) for count in range(len(segments), 0, -1)]
    named = [canonical(url), *(base + path for path in paths), base, base + "/"]
    return tuple(dict.fromkeys(named))


def resource_urls(url: str) -> tuple[str, ...]:
    """Where the resource's document may lie: under its path, then at the root. RFC 9728 §3.1."""
    path = urlsplit(url).path.rstrip("/")
    root = origin(url) + PROTECTED
    return tuple(dict.fromkeys((root + path, root)))


def server_urls(issuer: str) -> tuple[str, ...]:
    """Where an issuer's metadata may lie, in the order of the specification. RFC 8414 §3.1, §5."""
    base, path = origin(issuer), urlsplit(issuer).path.rstrip("/")
    appended = (base + path + OPENID,) if path else ()
    return (base + OAUTH + path, base + OPENID + path, *appended)


def discover(url: str, challenge: Challenge | None, known: frozenset[str]) -> Steps[Guarded]:
    """Who guards `url`; `known` are issuers at which this client has credentials already."""
    resource = yield from find_resource(url, challenge)
    if resource is None:
        return (yield from _before_there_were_resources(url))
    server = yield from find_server(choose(resource.authorization_servers, known))
    return Guarded(resource, server)


def find_resource(url: str, challenge: Challenge | None) -> Steps[Resource | None]:
    """The resource's document: where the challenge says, else where it may lie; None without one.

    MCP 2026-07-28 basic/authorization/authorization-server-discovery
    §protected-resource-metadata-discovery-requirements.
    """
    told = challenge.resource_metadata if challenge else None
    for place in (told,) if told else resource_urls(url):
        reply = yield from fetch("protected resource metadata", place)
        if reply.status == 200:
            return read_resource(reply, url)
        if told or reply.status >= 500:
            raise SignInFailed("E-OAC-02", arrived=f"{reply.status} from {place}")
    return None


def read_resource(reply: Reply, url: str) -> Resource:
    """The document, if it is about the server that is to be called. RFC 9728 §3.3."""
    found = _members(reply, "E-OAC-02")
    resource = found.get("resource")
    if resource not in identifiers(url):
        raise SignInFailed("E-OAC-03", arrived=str(resource))
    issuers = _texts(found.get("authorization_servers"))
    if not issuers:
        raise SignInFailed("E-OAC-04", arrived=str(found.get("authorization_servers")))
    scopes = found.get("scopes_supported")
    return Resource(
        resource,
        issuers,
        None if scopes is None else _texts(scopes),
        found.get("dpop_bound_access_tokens_required") is True,
    )


def choose(issuers: tuple[str, ...], known: frozenset[str]) -> str:
    """One of several: where there are credentials already, else the first. RFC 9728 §7.6."""
    return next((issuer for issuer in issuers if issuer in known), issuers[0])


def find_server(issuer: str) -> Steps[Server]:
    """The issuer's metadata, from the first place that has it."""
    for place in server_urls(safe(issuer)):
        reply = yield from fetch("authorization server metadata", place)
        if reply.status == 200:
            return read_server(reply, issuer)
    raise SignInFailed("E-OAC-05", arrived=f"no metadata of {issuer}")


def read_server(reply: Reply, issuer: str) -> Server:
    """The metadata, if it is the issuer's own and this client can work with it.

    `issuer` is compared as a string (RFC 8414 §3.3), and without S256 there is no going on
    (MCP 2026-07-28 basic/authorization/security-considerations §authorization-code-protection).
    """
    found = _members(reply, "E-OAC-05")
    if found.get("issuer") != issuer:
        raise SignInFailed("E-OAC-06", arrived=str(found.get("issuer")))
    return Server(
        issuer=issuer,
        authorization_endpoint=_endpoint(found, "authorization_endpoint"),
        token_endpoint=_endpoint(found, "token_endpoint") or _missing("token_endpoint"),
        registration_endpoint=_endpoint(found, "registration_endpoint"),
        revocation_endpoint=_endpoint(found, "revocation_endpoint"),
        device_authorization_endpoint=_endpoint(found, "device_authorization_endpoint"),
        auth_methods=_listed(found, "token_endpoint_auth_methods_supported", METHODS),
        grant_types=_listed(found, "grant_types_supported", GRANTS),
        scopes=_texts(found.get("scopes_supported")),
        s256="S256" in _texts(found.get("code_challenge_methods_supported")),
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        reads_documents=found.get("client_id_metadata_document_supported") is True,
        dpop=_texts(found.get("dpop_signing_alg_values_supported")),
    )


def legacy(url: str) -> Server:
    """The endpoints of a server without metadata. MCP 2025-03-26 basic/authorization
    §fallbacks-for-servers-without-metadata-discovery."""
    base = origin(url)
    return Server(
        issuer=base,
        authorization_endpoint=safe(base + "/authorize"),
        token_endpoint=safe(base + "/token"),
        registration_endpoint=safe(base + "/register"),
        auth_methods=("none", "client_secret_basic", "client_secret_post"),
        s256=True,
    )


def _before_there_were_resources(url: str) -> Steps[Guarded]:
    """A server of 2025-03-26: its own origin is the authorization server.

    Nobody has told its issuer, so an origin with a closing slash is the same name; both make the
    same address of the metadata. MCP 2025-03-26 basic/authorization §authorization-base-url.
    """
    base = origin(url)
    reply = yield from fetch("authorization server metadata", base + OAUTH)
    if reply.status != 200:
        return Guarded(Resource(canonical(url), (base,)), legacy(url))
    named = _members(reply, "E-OAC-05").get("issuer")
    issuer = base + "/" if named == base + "/" else base
    return Guarded(Resource(canonical(url), (issuer,)), read_server(reply, issuer))


def _members(reply: Reply, code: str) -> Mapping[str, Any]:
    try:
        return reply.members()
    except (ValueError, RecursionError) as error:
        raise SignInFailed(code, arrived=str(error)) from None


def _texts(value: object) -> tuple[str, ...]:
    """A list of strings, without what is none: a stranger's list is read as far as it goes."""
    return tuple(_strings(value))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def _listed(found: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    return _texts(found[name]) if name in found else default


def _endpoint(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    return safe(value) if isinstance(value, str) else None


def _missing(name: str) -> str:
    raise SignInFailed("E-OAC-05", arrived=f"no {name}")

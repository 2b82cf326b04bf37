"""Who may talk to this server: the Host it is asked for, and the Origin of the page that asks.

Pure. A browser that was tricked into talking to us (DNS rebinding, a hostile page) betrays itself
in one of these two fields, and both are compared whole, never by prefix. Next: `routes.py`.
MCP 2025-11-25 basic/transports §security-warning, RFC 9110 §7.4, RFC 6454, Fetch §3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.fields import TOKEN
from catshop.protocol.http1.messages import Head
from catshop.protocol.http1.targets import (
    DEFAULT_PORTS,
    Origin,
    parse_authority,
    parse_origin,
    shown,
)

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Names that never leave this machine. RFC 6761 §6.3."""

EXPOSED: Final = "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, DPoP-Nonce, X-Request-Id"
"""Fields of an answer that scripts of another origin may read."""

ALLOWED: Final = (
    "Authorization, Content-Type, Accept, DPoP, Last-Event-ID, MCP-Protocol-Version, "
    "Mcp-Session-Id, Mcp-Method, Mcp-Name"
)
"""Fields that scripts of another origin may send; every `Mcp-Param-*` that they name is added."""

PREFLIGHT_SECONDS: Final = "600"


class Cors(Enum):
    """What pages of other origins may do with a route."""

    NONE = "pages: requests of our own pages alone"
    ANY = "public documents: every origin may read"
    LISTED = "the service: listed origins alone"


class LoopbackOrigins(Enum):
    """Whether pages of this machine, on any port, count as listed."""

    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Guard:
    """The allow-lists. `hosts` are names, good with any port, or `name:port`, good with that one;
    `origins` are serialised origins such as `https://app.example`.

    Our own pages send `Referrer-Policy: same-origin`, which keeps browsers from sending
    `Origin: null` with their forms.
    """

    hosts: frozenset[str] = LOOPBACK
    origins: frozenset[str] = frozenset()
    loopback_origins: LoopbackOrigins = LoopbackOrigins.ALLOWED

    def check_host(self, head: Head) -> None:
        """Refuse with 421 a request for somebody else. RFC 9110 §7.4."""
        authority = parse_authority(head.authority)
        if authority is None or not {authority.host, str(authority)} & self.hosts:
            raise HttpError(421, "E-HOST-01", arrived=shown(head.authority), close=True)

    def check_origin(self, head: Head, cors: Cors) -> Origin | None:
        """The page's origin if the request names one; 403 if `cors` does not let it in.

        `null` is the origin of nobody in particular, so it is on no list.
        """
        text = head.fields.one("origin")
        if text is None or cors is Cors.ANY:
            return None
        origin = parse_origin(text)
        if origin is None or not self._admits(origin, head, cors):
            raise HttpError(403, "E-ORIGIN-01", arrived=shown(text))
        return origin

    def _admits(self, origin: Origin, head: Head, cors: Cors) -> bool:
        if _is_own(origin, head):
            return True
        if cors is Cors.NONE:
            return False
        loopback = self.loopback_origins is LoopbackOrigins.ALLOWED
        return str(origin) in self.origins or (loopback and origin.authority.host in LOOPBACK)


def _is_own(origin: Origin, head: Head) -> bool:
    """Whether the page came from the host that the request is for, which was checked before.

    Either scheme is taken: behind a TLS proxy we do not see which one the browser used.
    """
    named = parse_authority(head.authority)
    if named is None or named.host != origin.authority.host:
        return False
    default = DEFAULT_PORTS[origin.scheme]
    return (named.port or default) == (origin.authority.port or default)


def cors_fields(origin: Origin | None, cors: Cors) -> tuple[tuple[str, str], ...]:
    """What an answer says to the page's browser, errors included. Never credentials. Fetch §3.3."""
    if cors is Cors.ANY:
        return (("access-control-allow-origin", "*"),)
    if cors is Cors.NONE or origin is None:
        return ()
    return (
        ("access-control-allow-origin", str(origin)),
        ("access-control-expose-headers", EXPOSED),
        ("vary", "Origin"),
    )


def is_preflight(head: Head) -> bool:
    """Whether a browser asks on behalf of a page before it sends the request itself."""
    fields = head.fields
    asks = "origin" in fields and "access-control-request-method" in fields
    return head.method == "OPTIONS" and asks


def preflight_fields(head: Head, methods: str) -> tuple[tuple[str, str], ...]:
    """What a page may send: the methods of the route, and the fields of the protocol.

    Only what can be the name of a field is said back. RFC 9110 §5.6.2.
    """
    asked = (head.fields.get("access-control-request-headers") or "").split(",")
    named = (name.strip(" \t") for name in asked)
    parameters = [n for n in named if n.lower().startswith("mcp-param-") and TOKEN.fullmatch(n)]
    return (
        ("access-control-allow-methods", methods),
        ("access-control-allow-headers", ", ".join([ALLOWED, *parameters])),
        ("access-control-max-age", PREFLIGHT_SECONDS),
    )

"""Redirect URIs: which may be registered, and which presented one is a registered one.

The code travels there, so a mistake here gives it away. Registered is an https address, an http
address of the user's own machine, or a private-use scheme that reads like a reversed domain. The
match is exact, character by character; only the port of a loopback address is free, because a
native app takes whatever port the system gives it. Pure. OAuth 2.1 §2.3, §8.4; RFC 8252 §7, §8.4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import SplitResult, unquote_plus, urlsplit

from catshop.oauth.errors import InvalidRedirectUri, InvalidRequest

LENGTH: Final = 2048
"""Characters of one redirect_uri; browsers take no longer address with certainty."""

CLEAN: Final = re.compile(r"(?:[!$&'()+,\-./0-9:;=?@A-Z\[\]_a-z~]|%[0-9A-Fa-f]{2})+")
"""RFC 3986 §2, without `#` (OAuth 2.1 §2.3) and without `*`, which some read as a wildcard."""

AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+)(?::[1-9][0-9]{0,4})?")
"""Host and port as everybody reads them: no encoding, no zone, no future kind. RFC 3986 §3.2.2."""

ODD_PORT: Final = re.compile(r":(?:0[0-9]*)?\Z")
"""A port that is missing, or that begins with a zero. RFC 3986 §6.2.3."""

LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?")
"""Letters, digits and hyphens between two dots of a name. RFC 1123 §2.1."""

NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
"""A last label that makes a browser read the whole host as an IPv4 address."""

NAME: Final = 253
"""Characters of a host name. RFC 1035 §2.3.4."""

PRIVATE: Final = re.compile(r"[a-z][a-z0-9+\-]*(?:\.[a-z0-9+\-]+)+")
"""A private-use scheme: a reversed domain name. RFC 8252 §7.1."""

SLASH: Final = re.compile(r"/|%2f|%5c", re.IGNORECASE)
"""What one reader or another takes for the end of a path segment."""

ANSWERED: Final = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})
"""Members of our answer: each is there once, and from us. OAuth 2.1 §4.1.2; RFC 9207 §2."""

DOTS: Final = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)
"""A path segment that a browser would resolve away. RFC 3986 §5.2.4."""

LOOPBACK: Final = re.compile(
    r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([1-9][0-9]{0,4}))?([/?].*)?"
)
"""An address of the user's own machine: origin without port, port, the rest. RFC 8252 §7.3."""

OURS_ALONE: Final = frozenset({"internal", "local", "localhost"})
"""Top-level names that lead nowhere in public. RFC 6761 §6; RFC 6762 §3."""


def registrable(uri: object) -> str:
    """`uri`, when a client may register it. RFC 7591 §5, OAuth 2.1 §2.3.1."""
    if not isinstance(uri, str) or len(uri) > LENGTH or not CLEAN.fullmatch(uri):
        raise InvalidRedirectUri("E-REG-03", arrived=str(uri))
    parts = _split(uri)
    if parts is None or _has_dots(parts.path) or _names(parts.query) & ANSWERED:
        raise InvalidRedirectUri("E-REG-03", arrived=uri)
    if not (parts.scheme == "https" or is_loopback(uri) or _is_private(parts)):
        raise InvalidRedirectUri("E-REG-04", arrived=uri)
    return uri


def select(presented: str | None, registered: Sequence[str]) -> str:
    """Where the answer goes: the presented redirect_uri, or the only registered one.

    OAuth 2.1 §2.3.2, §4.1.1. A failure must never lead to a redirect (§4.1.2.1).
    """
    if presented is None:
        if len(registered) != 1:
            raise InvalidRequest("E-AUTHZ-03")
        return registered[0]
    if not any(matches(presented, known) for known in registered):
        raise InvalidRequest("E-AUTHZ-04", arrived=presented)
    return presented


def matches(presented: str, registered: str) -> bool:
    """Whether they are the same, the port of a loopback address apart. OAuth 2.1 §2.3.1, §8.4.2."""
    if presented == registered:
        return True
    ours, theirs = LOOPBACK.fullmatch(registered), LOOPBACK.fullmatch(presented)
    if ours is None or theirs is None or not CLEAN.fullmatch(presented):
        return False
    return (ours[1], ours[3]) == (theirs[1], theirs[3]) and _is_port(theirs[2])


def is_loopback(uri: str) -> bool:
    """Whether `uri` leads nowhere but to the user's own machine."""
    found = LOOPBACK.fullmatch(uri)
    return found is not None and _is_port(found[2])


def without_port(uri: str) -> str:
    """`uri` as it is the same each time: without the port that a native app has just got.

    RFC 8252 §7.3.
    """
    found = LOOPBACK.fullmatch(uri)
    return f"{found[1]}{found[3] or ''}" if found else uri


def is_public_page(uri: object) -> bool:
    """Whether `uri` is an https address of a host with a public name. RFC 7591 §5.

    A host that ends in a number is an address however it is spelled, and no name. RFC 3986 §3.2.2.
    """
    if not isinstance(uri, str) or len(uri) > LENGTH or not CLEAN.fullmatch(uri):
        return False
    parts = _split(uri)
    if parts is None or parts.scheme != "https":
        return False
    labels = (parts.hostname or "").rstrip(".").split(".")
    return len(labels) > 1 and labels[-1] not in OURS_ALONE and labels[-1][:1].isalpha()


def destination(uri: str) -> str:
    """The part of a redirect_uri that a user can judge: its host, or its private scheme."""
    parts = urlsplit(uri)
    return parts.netloc if parts.scheme in {"http", "https"} else f"{parts.scheme}:"


def _split(uri: str) -> SplitResult | None:
    """The parts, unless somebody else could take another host or port from it."""
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises when it is no port
    except ValueError:
        return None
    if parts.scheme != "https":
        return None if "@" in parts.netloc or ODD_PORT.search(parts.netloc) else parts
    found = AUTHORITY.fullmatch(parts.netloc)
    return parts if found and _is_host(found[1]) else None


def _is_host(text: str) -> bool:
    """Whether it is a name of plain labels, or an address in its usual form."""
    labels = text.split(".")
    try:
        if text.startswith("["):
            return bool(IPv6Address(text[1:-1]))
        if NUMBER.fullmatch(labels[-1]):
            return bool(IPv4Address(text))
    except ValueError:
        return False
    return len(text) <= NAME and all(LABEL.fullmatch(label) for label in labels)


def _has_dots(path: str) -> bool:
    return any(DOTS.fullmatch(segment) for segment in SLASH.split(path))


def _names(query: str) -> frozenset[str]:
    """The names in a query, decoded, whatever separates them."""
    pairs = re.split("[&;]", query)
    return frozenset(unquote_plus(pair.partition("=")[0]).strip().lower() for pair in pairs)


def _is_port(text: str | None) -> bool:
    return text is None or 0 < int(text) < 65536


def _is_private(parts: SplitResult) -> bool:
    return PRIVATE.fullmatch(parts.scheme) is not None and bool(
        parts.netloc + parts.path.strip("/")
    )

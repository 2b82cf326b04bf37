"""The audience of a token: the one resource that it is for.

A token that names its audience cannot be replayed somewhere else, so there is no token without one.
Clients spell the address in more ways than one; here it is read generously and kept in one form.
Pure. RFC 8707 §2; MCP 2026-07-28 basic/authorization §canonical-server-uri.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from catshop.oauth.errors import InvalidTarget

VISIBLE: Final = re.compile(r"[\x21-\x7E]+")
"""No address has spaces or controls; `urlsplit` would drop some of them silently."""


def resolve(asked: Sequence[str], ours: str) -> str:
    """`ours`, when every asked resource is a spelling of it, or when none is asked. RFC 8707 §2."""
    for resource in asked:
        if not same(resource, ours):
            raise InvalidTarget("E-AUD-01", arrived=resource)
    return ours


def same(resource: str, ours: str) -> bool:
    """Whether they differ at most in the case of scheme and host and in one closing slash."""
    return canonical(resource) == canonical(ours)


def canonical(resource: str) -> str | None:
    """In lower case and without a closing slash; None for what is no absolute URI. RFC 8707 §2."""
    try:
        parts = urlsplit(resource)
    except ValueError:
        return None
    absolute = bool(parts.scheme and parts.netloc)
    if not absolute or "#" in resource or not VISIBLE.fullmatch(resource):
        return None
    path = parts.path[:-1] if parts.path.endswith("/") else parts.path
    query = f"?{parts.query}" if "?" in resource else ""
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{path}{query}"

"""Where a request wants to go: request targets, authorities and origins, parsed to the last octet.

Pure. Nothing here is ever decoded: a path is compared as it was sent, so that no two readers of it
can disagree. A form that a URI cannot have is refused here and never reaches a router or an
allow-list. Next: `heads.py`, which calls this; `guard.py`, which decides who is let in.
RFC 9112 §3.2, RFC 3986 §3, RFC 6454 §6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from catshop.protocol.http1.errors import HttpError

_PCHAR: Final = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
"""pchar = unreserved / pct-encoded / sub-delims / ":" / "@". RFC 3986 §3.3."""

PATH: Final = re.compile(rf"/(?:{_PCHAR}|/)*")
"""absolute-path = 1*( "/" segment ). RFC 9110 §4.1."""

QUERY: Final = re.compile(rf"(?:{_PCHAR}|[/?\[\]{{}}|^`])*")
"""query = *( pchar / "/" / "?" ), and the six that browsers send unencoded. RFC 3986 §3.4."""

HOST: Final = r"\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._\-]*[A-Za-z0-9.])?"
"""uri-host, without the registered names that DNS cannot have. RFC 9110 §4.2.1."""

AUTHORITY: Final = re.compile(rf"(?P<host>{HOST})(?::(?P<port>[0-9]{{1,5}}))?")
"""authority = uri-host [ ":" port ], never with userinfo. RFC 9110 §4.2.4, §7.2."""

ABSOLUTE: Final = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?P<authority>[^/?]*)(?P<rest>.*)", re.DOTALL
)
"""absolute-form = absolute-URI, of the schemes that we serve. RFC 9112 §3.2.2."""

ENCODED_CONTROL: Final = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")
"""A control character in disguise."""

DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Target:
    """A request target taken apart; `authority` is None unless the target itself names one."""

    path: str
    query: str
    authority: str | None = None


@dataclass(frozen=True, slots=True)
class Authority:
    """A host and, where it is given, a port; the host in lower case. RFC 9110 §4.2.3."""

    host: str
    port: str | None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a page; a port that the scheme implies is None. RFC 6454 §4."""

    scheme: str
    authority: Authority

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def parse_authority(text: str) -> Authority | None:
    """The host and port that `text` is exactly, or None."""
    match = AUTHORITY.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65535:
        return None
    return Authority(match["host"].lower(), match["port"])


def parse_origin(text: str) -> Origin | None:
    """The one origin that `text` serialises, or None: for `null`, a list, userinfo or a path.

    RFC 6454 §6.2.
    """
    match = ABSOLUTE.fullmatch(text)
    if match is None or match["rest"]:
        return None
    authority = parse_authority(match["authority"])
    if authority is None:
        return None
    scheme = match["scheme"].lower()
    if authority.port == DEFAULT_PORTS[scheme]:
        authority = Authority(authority.host, None)
    return Origin(scheme, authority)


def parse_target(method: str, target: str) -> Target:
    """The target in origin-form, absolute-form or, for OPTIONS alone, as `*`. RFC 9112 §3.2."""
    if target.startswith("/"):
        return _origin_form(target)
    if target == "*" and method == "OPTIONS":
        return Target("*", "")
    match = ABSOLUTE.fullmatch(target)
    if match is None:
        raise HttpError(400, "E-HTTP-07", arrived=shown(target), close=True)
    return _absolute_form(method, match["authority"], match["rest"])


def _absolute_form(method: str, authority: str, rest: str) -> Target:
    """The authority of the target is the one that counts, whatever Host says. RFC 9112 §3.2.2."""
    parsed = parse_authority(authority)
    if parsed is None:
        raise HttpError(400, "E-HOST-02", arrived=shown(authority), close=True)
    if not rest and method == "OPTIONS":
        return Target("*", "", str(parsed))
    local = _origin_form(rest if rest.startswith("/") else "/" + rest)
    return Target(local.path, local.query, str(parsed))


def _origin_form(target: str) -> Target:
    path, _, query = target.partition("?")
    if not (PATH.fullmatch(path) and QUERY.fullmatch(query) and _is_text(path)):
        raise HttpError(400, "E-HTTP-07", arrived=shown(path), close=True)
    return Target(path, query)


def _is_text(path: str) -> bool:
    """Whether the path, once somebody decodes it, is UTF-8 without controls. RFC 3629 §3."""
    if "%" not in path:
        return True
    if ENCODED_CONTROL.search(path):
        return False
    try:
        unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def shown(text: str, most: int = 80) -> str:
    """What arrived, cut short and in printable ASCII, as a refusal may show it."""
    clean = "".join(c if " " <= c <= "~" and c not in '"\\' else "." for c in text[: most + 1])
    return clean if len(clean) <= most else clean[:most] + "..."

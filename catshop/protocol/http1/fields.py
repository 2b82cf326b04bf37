"""What single fields say: Accept, Content-Type, Cookie, Authorization.

Pure: text in, values out. A field that is absent or malformed is a value too, because each caller
refuses it in the words of its own protocol. Next: `forms.py`. RFC 9110 §8.3, §11.4, §12.5.1,
RFC 6265 §4, §5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

TOKEN: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
"""token = 1*tchar. RFC 9110 §5.6.2."""

_WEIGHT: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_PARAMETER: Final = re.compile(
    r"[ \t]*;[ \t]*(?:(?P<name>[-!#$%&'*+.^_`|~0-9A-Za-z]+)="
    r'(?:(?P<token>[-!#$%&\'*+.^_`|~0-9A-Za-z]+)|"(?P<quoted>(?:[^"\\]|\\.)*)"))?'
)
_RANGE: Final = re.compile(r"[ \t]*([-!#$%&'*+.^_`|~0-9A-Za-z]+/[-!#$%&'*+.^_`|~0-9A-Za-z]+)")
_ELEMENT: Final = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')
REMEMBERED: Final = 128
"""Values whose meaning is remembered: clients say the same thing in every request."""
_COOKIE_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")
"""cookie-octet = visible ASCII without quote, comma, semicolon, backslash. RFC 6265 §4.1.1."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type in lower case, with its parameters by name. RFC 9110 §8.3.1."""

    name: str
    parameters: Mapping[str, str]

    @property
    def charset(self) -> str | None:
        """The charset in lower case, or None when none is named. RFC 9110 §8.3.2."""
        named = self.parameters.get("charset")
        return None if named is None else named.lower()


@lru_cache(maxsize=REMEMBERED)
def parse_media_type(value: str | None) -> MediaType | None:
    """The media type that a Content-Type names; None when it is absent or malformed."""
    match = _RANGE.match(value or "")
    if value is None or match is None or "*" in match[1]:
        return None
    parameters = _parameters(value, match.end())
    return None if parameters is None else MediaType(match[1].lower(), parameters)


@lru_cache(maxsize=REMEMBERED)
def accepts(accept: str | None, media_type: str) -> bool:
    """Whether `media_type` is acceptable; the most specific range decides. RFC 9110 §12.5.1.

    Without the field everything is; with a weight of 0 nothing is (§12.4.2). A malformed element
    accepts nothing. Parameters of a range other than `q` are not compared: we serve none.
    """
    if accept is None:
        return True
    major = media_type.partition("/")[0]
    weights = {name: weight for name, weight in map(_weighted, _ELEMENT.findall(accept))}
    for name in (media_type, f"{major}/*", "*/*"):
        if name in weights:
            return weights[name] > 0
    return False


def names(accept: str | None, media_type: str) -> bool:
    """Whether Accept lists `media_type` by its own name, with a weight above 0."""
    elements = map(_weighted, _ELEMENT.findall(accept or ""))
    return any(name == media_type and weight > 0 for name, weight in elements)


def _weighted(element: str) -> tuple[str, float]:
    match = _RANGE.match(element)
    parameters = None if match is None else _parameters(element, match.end())
    if match is None or parameters is None:
        return "", 0.0
    weight = parameters.get("q", "1")
    return match[1].lower(), float(weight) if _WEIGHT.fullmatch(weight) else 0.0


def _parameters(text: str, at: int) -> dict[str, str] | None:
    """What `*( OWS ";" OWS [ parameter ] )` says; None when malformed. RFC 9110 §5.6.6."""
    found: dict[str, str] = {}
    text = text.rstrip(" \t")
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            return None
        if match["name"]:
            quoted = match["quoted"]
            value = match["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            if found.setdefault(match["name"].lower(), value) != value:
                return None
        at = match.end()
    return found


def split_authorization(value: str | None) -> tuple[str, str] | None:
    """Scheme in lower case, and what follows it; None when absent or malformed. RFC 9110 §11.4."""
    scheme, _, credentials = (value or "").partition(" ")
    if not TOKEN.fullmatch(scheme):
        return None
    return scheme.lower(), credentials.strip(" ")


def parse_cookies(value: str | None) -> dict[str, str]:
    """The cookies by name; of two with one name the first, more specific one. RFC 6265 §5.4."""
    found: dict[str, str] = {}
    for pair in (value or "").split(";"):
        name, equals, text = pair.strip(" \t").partition("=")
        if equals and TOKEN.fullmatch(name):
            found.setdefault(name, text.removeprefix('"').removesuffix('"'))
    return found


class SameSite(StrEnum):
    """Which requests from other sites may carry a cookie."""

    STRICT = "Strict"
    LAX = "Lax"


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to set, never readable by scripts; without `max_age` it ends with the browser."""

    name: str
    value: str
    path: str = "/"
    max_age: int | None = None
    same_site: SameSite = SameSite.LAX
    secure: bool = True


def set_cookie(cookie: Cookie) -> tuple[str, str]:
    """The Set-Cookie field for `cookie`. ValueError when it cannot be one. RFC 6265 §4.1."""
    if not (TOKEN.fullmatch(cookie.name) and _COOKIE_VALUE.fullmatch(cookie.value)):
        raise ValueError(f"the cookie {cookie.name!r} has a character that no cookie may have")
    parts = [f"{cookie.name}={cookie.value}", f"Path={cookie.path}"]
    if cookie.max_age is not None:
        parts.append(f"Max-Age={cookie.max_age}")
    parts += ["HttpOnly", f"SameSite={cookie.same_site.value}"]
    if cookie.secure:
        parts.append("Secure")
    return "set-cookie", "; ".join(parts)

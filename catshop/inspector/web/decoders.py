"""What a text of the protocols holds: a verifier, a token, a challenge, a stream of events.

Pure, and local: what is pasted is taken apart here and goes nowhere else. A token is read, never
verified, because whoever reads it has no key; and nobody needs to be shown again what they pasted.
Next: `desk.py`, where the forms are. RFC 7636 §4.2, RFC 7519 §3, RFC 9110 §11.6.1.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from catshop.inspector.documents import document, spread
from catshop.inspector.rehearsal import s256
from catshop.protocol.http1.sse import Decoder

VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
PAIR: Final = re.compile(r"""([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))""")
TIMES: Final = ("exp", "iat", "nbf", "auth_time")
"""Claims that are seconds since 1970. RFC 7519 §4.1.4 to §4.1.6."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a text says."""

    name: str
    value: str


def pkce(verifier: str) -> list[Said]:
    """The challenge of a verifier. RFC 7636 §4.2."""
    text = verifier.strip()
    if not VERIFIER.fullmatch(text):
        wanted = "43 to 128 of the characters A-Z a-z 0-9 - . _ ~"
        return [Said("not a code_verifier", f"{len(text)} characters; expected {wanted}")]
    digest = hashlib.sha256(text.encode("ascii"))
    return [
        Said("code_challenge", s256(text)),
        Said("code_challenge_method", "S256"),
        Said("SHA-256 of the text, in hexadecimal", digest.hexdigest()),
        Said("characters", str(len(text))),
    ]


def jwt(token: str) -> list[Said]:
    """Header and claims of a token, unverified. RFC 7519 §3, RFC 7515 §3.1."""
    parts = token.strip().removeprefix("Bearer ").split(".")
    if len(parts) != 3:
        return [Said("not a JWT", f"{len(parts)} parts between dots; expected 3")]
    found: list[Said] = []
    for name, part in zip(("header", "claims"), parts[:2], strict=True):
        try:
            text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("utf-8")
        except ValueError:
            text = ""
        if (told := document(text)) is None:
            return [Said("not a JWT", f"its {name} is not base64url of JSON")]
        found.append(Said(name, spread(told)))
        found += _times(told) if name == "claims" else []
    return [*found, Said("signature", "not verified here")]


def _times(claims: object) -> list[Said]:
    if not isinstance(claims, dict):
        return []
    known = ((name, claims.get(name)) for name in TIMES)
    return [
        Said(name, datetime.fromtimestamp(value, UTC).isoformat())
        for name, value in known
        if isinstance(value, int) and 0 <= value < 2**33
    ]


def challenge(field: str) -> list[Said]:
    """Scheme and parameters of a `WWW-Authenticate` field. RFC 9110 §11.6.1, RFC 9728 §5.1."""
    text = field.strip()
    if text.lower().startswith("www-authenticate:"):
        text = text.partition(":")[2].strip()
    scheme, _, rest = text.partition(" ")
    pairs = [Said(name, quoted or plain) for name, quoted, plain in PAIR.findall(rest)]
    return [Said("scheme", scheme or "none"), *pairs]


def events(stream: str) -> list[Said]:
    """The events of a stream; one that no empty line ends never was. WHATWG HTML §9.2.6."""
    decoder = Decoder()
    text = stream.replace("\r\n", "\n")
    found = decoder.receive(text.encode("utf-8", "replace"))
    said = [
        Said(f"{number}: {each.event}" + (f", id {each.id}" if each.id else ""), each.data)
        for number, each in enumerate(found, 1)
    ]
    whole = text.endswith("\n\n") or not text.strip()
    return said if whole else [*said, Said("unfinished", "no empty line ends the last event")]


@dataclass(frozen=True, slots=True)
class Tool:
    """A decoder: its name in forms, what a person calls it, and what it does."""

    name: str
    title: str
    hint: str
    decode: Callable[[str], list[Said]]


TOOLS: Final = (
    Tool("pkce", "PKCE", "a code_verifier: its code_challenge is computed", pkce),
    Tool("jwt", "JWT", "a token of three parts: it is read, not verified", jwt),
    Tool("challenge", "Challenge", "the value of a WWW-Authenticate field", challenge),
    Tool("sse", "Event stream", "the text of a stream, with its empty lines", events),
)
"""Every decoder."""

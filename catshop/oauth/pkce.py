"""PKCE: prove that whoever redeems the code is whoever asked for it.

The client keeps a random `code_verifier` and shows only its hash, the `code_challenge`, when it
asks; who steals the code has no verifier. Pure: knows nothing of HTTP or storage. Only S256 is
known here; `plain` protects nobody who can read the request. Next: `grants.py`. RFC 7636.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

from catshop.kernel import Secret
from catshop.oauth.errors import InvalidGrant, InvalidRequest

VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
"""code-verifier = 43*128unreserved. RFC 7636 §4.1."""

CHALLENGE: Final = re.compile(r"[A-Za-z0-9\-_]{43}")
"""BASE64URL-ENCODE(SHA256(ASCII(code_verifier))) without padding: 43 characters. RFC 7636 §4.2."""

METHOD: Final = "S256"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a client showed when it asked for the code."""

    value: str

    @classmethod
    def parse(cls, challenge: str | None, method: str | None) -> Challenge:
        """The challenge of an authorization request. RFC 7636 §4.3, §4.4.1; OAuth 2.1 §4.1.1."""
        if challenge is None:
            raise InvalidRequest("E-PKCE-01")
        if method != METHOD:
            raise InvalidRequest("E-PKCE-02", arrived=method or "no code_challenge_method")
        if not CHALLENGE.fullmatch(challenge):
            raise InvalidRequest("E-PKCE-03", arrived=f"{len(challenge)} characters")
        return cls(challenge)


def derive(verifier: Secret) -> str:
    """The challenge that belongs to `verifier`. RFC 7636 §4.2."""
    digest = hashlib.sha256(verifier.reveal().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def prove(verifier: Secret | None, challenge: str) -> None:
    """Refuse the code unless the verifier hashes to the challenge. RFC 7636 §4.6."""
    if verifier is None:
        raise InvalidGrant("E-PKCE-04")
    if not VERIFIER.fullmatch(verifier.reveal()):
        raise InvalidGrant("E-PKCE-05", arrived=f"{len(verifier.reveal())} characters")
    if not hmac.compare_digest(derive(verifier), challenge):
        raise InvalidGrant("E-PKCE-06")

"""The client's own key: what it signs to prove who it is, and that it holds what it was given.

Two small JWTs, and the only place of the client where one is made. An assertion says "I am this
client" to one authorization server, once (RFC 7523 §3); a DPoP proof says "whoever holds this key
sends this request" to one endpoint, once (RFC 9449 §4.2). Both carry an id that nobody can guess,
so that neither can be shown twice.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import get_default_algorithms

from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.steps import Sources
from catshop.kernel import Secret

ASSERTION: Final = timedelta(minutes=2)
"""How long an assertion is good for: one request, over a slow line. RFC 7523 §3."""

ALGORITHMS: Final = ("ES256", "ES384", "EdDSA", "PS256", "RS256")
"""What a key may sign with: nothing symmetric, and never nothing. RFC 8725 §3.2."""

THUMBPRINT: Final = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}
"""The members that make a key what it is, in order. RFC 7638 §3.2; RFC 8037 §2."""


class SigningKey:
    """A private key and the algorithm it signs with; it shows its public half alone."""

    ALGORITHM: Final = "ES256"
    """What a key of our own making signs with; every server reads it. RFC 7518 §3.4."""

    def __init__(self, pem: Secret, algorithm: str = ALGORITHM) -> None:
        """`pem` is PKCS #8; SignInFailed where it holds no key for `algorithm`."""
        if algorithm not in ALGORITHMS:
            raise SignInFailed("E-OAC-11", arrived=algorithm)
        self.pem = pem
        self.algorithm = algorithm
        try:
            self._signer = get_default_algorithms()[algorithm]
            self._key = self._signer.prepare_key(pem.reveal())
            self.jwk = public(self._signer.to_jwk(self._key, as_dict=True))
        except (ValueError, TypeError, jwt.InvalidKeyError) as error:
            raise SignInFailed("E-OAC-11", arrived=str(error)) from None

    @classmethod
    def generate(cls) -> SigningKey:
        """A new key on P-256, for DPoP. RFC 9449 §4.2."""
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return cls(Secret(pem.decode("ascii")))

    @property
    def thumbprint(self) -> str:
        """What a bound token calls this key: `jkt`. RFC 7638 §3; RFC 9449 §6.1."""
        needed = {name: self.jwk[name] for name in THUMBPRINT[self.jwk["kty"]]}
        text = json.dumps(needed, separators=(",", ":"), sort_keys=True)
        return hashed(text)

    def assertion(self, client_id: str, audience: str, sources: Sources) -> str:
        """The client's word for itself, for one issuer. RFC 7523 §3."""
        now = sources.clock()
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": now,
            "exp": now + ASSERTION,
            "jti": sources.random(),
        }
        return self._signed(claims, {})

    def proof(self, method: str, url: str, sources: Sources, more: Mapping[str, str]) -> str:
        """A DPoP proof for one request; `more` holds `nonce` and `ath` where they are due.

        RFC 9449 §4.2.
        """
        claims = {
            "jti": sources.random(),
            "htm": method,
            "htu": urlunsplit(urlsplit(url)._replace(query="", fragment="")),
            "iat": sources.clock(),
            **more,
        }
        return self._signed(claims, {"typ": "dpop+jwt", "jwk": self.jwk})

    def _signed(self, claims: Mapping[str, Any], header: Mapping[str, Any]) -> str:
        return jwt.encode(dict(claims), self._key, self.algorithm, headers=dict(header))


def public(jwk: Mapping[str, Any]) -> Mapping[str, str]:
    """The public members of a key, and no other. RFC 7517 §9.2."""
    return {name: jwk[name] for name in THUMBPRINT[jwk["kty"]]}


def hashed(text: str) -> str:
    """SHA-256 in base64url without padding: `ath` and `jkt`. RFC 9449 §4.2; RFC 7638 §3."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")

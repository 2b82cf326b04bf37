"""Keys of clients, made once for all tests, and what they sign."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from catshop.kernel import Clock
from tests.oauth.house import ISSUER

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
ALGORITHM = {"ec": "ES256", "ed": "EdDSA", "rsa": "RS256"}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@cache
def private_key(kind: str) -> PrivateKey:
    """The key of that name; `other` is on the same curve as `ec`."""
    match kind:
        case "ec" | "other":
            return ec.generate_private_key(ec.SECP256R1())
        case "p-384":
            return ec.generate_private_key(ec.SECP384R1())
        case "ed":
            return ed25519.Ed25519PrivateKey.generate()
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case _:
            return rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused


def public_set(*kinds: str, **members: object) -> dict[str, Any]:
    """A set with the public halves; each key is called `1` unless told otherwise."""
    return {"keys": [{"kid": "1", **_jwk(private_key(k).public_key()), **members} for k in kinds]}


def private_set(kind: str) -> dict[str, Any]:
    """A set that nobody should send."""
    return {"keys": [{"kid": "1", **_jwk(private_key(kind))}]}


def _jwk(key: Any) -> dict[str, Any]:
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        written = ECAlgorithm.to_jwk(key)
    elif isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        written = RSAAlgorithm.to_jwk(key)
    else:
        written = OKPAlgorithm.to_jwk(key)
    found = json.loads(written)
    return {name: value for name, value in found.items() if name != "key_ops"}


def assertion(
    client_id: str,
    clock: Clock,
    kind: str = "ec",
    header: Mapping[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A client assertion of RFC 7523 §3; a claim that is None is left out."""
    now = int(clock().timestamp())
    told = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(16),
        **claims,
    }
    payload = json.dumps({name: value for name, value in told.items() if value is not None})
    named = {"kid": "1", **(header or {})}
    algorithm = named.pop("alg", ALGORITHM.get(kind, "ES256"))
    headers = {name: value for name, value in named.items() if value is not None}
    return jwt.PyJWS().encode(payload.encode(), private_key(kind), algorithm, headers)


def thumbprint(kind: str = "ec") -> str:
    """What the key is known by, computed as RFC 7638 §3 says."""
    found = _jwk(private_key(kind).public_key())
    text = json.dumps(
        {name: found[name] for name in ("crv", "e", "kty", "n", "x", "y") if name in found},
        separators=(",", ":"),
    )
    return base64url(hashlib.sha256(text.encode()).digest())


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def proof(
    uri: str,
    clock: Clock,
    kind: str = "ec",
    header: Mapping[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A DPoP proof of RFC 9449 §4.2, about a POST; a claim that is None is left out."""
    told = {
        "jti": secrets.token_urlsafe(16),
        "htm": "POST",
        "htu": uri,
        "iat": int(clock().timestamp()),
        **claims,
    }
    payload = json.dumps({name: value for name, value in told.items() if value is not None})
    jwk = _jwk(private_key(kind).public_key())
    named: dict[str, Any] = {"typ": "dpop+jwt", "jwk": jwk, **(header or {})}
    algorithm = named.pop("alg", ALGORITHM.get(kind, "ES256"))
    headers = {name: value for name, value in named.items() if value is not None}
    head = json.dumps({**headers, "alg": algorithm})
    text = f"{base64url(head.encode())}.{base64url(payload.encode())}"
    return f"{text}.{base64url(signature(kind, text.encode()))}"


def signature(kind: str, text: bytes) -> bytes:
    """What the key signs; by its own algorithm, whatever the header says."""
    known = jwt.get_algorithm_by_name(ALGORITHM.get(kind, "ES256"))
    return known.sign(text, private_key(kind))


def shown(signed: str) -> dict[str, str]:
    """The parameters that carry an assertion. RFC 7523 §2.2."""
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

"""Keys of clients, made once for all tests, and what they sign."""

from __future__ import annotations

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


def shown(signed: str) -> dict[str, str]:
    """The parameters that carry an assertion. RFC 7523 §2.2."""
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

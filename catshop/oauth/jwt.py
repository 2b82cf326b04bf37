"""JSON Web Tokens: a signature is checked first, and only then is a claim read.

The key decides which algorithms there are, never the token: a header can ask for no other key than
one of those that it is checked against. What can be read in more than one way is refused before any
computation. So far this is what client assertions take; issuers' tokens are to stand on the same
functions. Only this file imports pyjwt. Pure. RFC 7515 §4.1, §5.2; RFC 7517 §4; RFC 8725 §3.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from jwt import PyJWK, PyJWTError

from catshop.kernel import Secret
from catshop.oauth import strict

ALGORITHMS: Final[Mapping[tuple[str, str | None], tuple[str, ...]]] = {
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
    ("EC", "P-256"): ("ES256",),
    ("RSA", None): ("RS256", "PS256"),
}
"""Kind and curve of a key, and the algorithms that it may be used with. RFC 8725 §3.1, §3.2.

`Ed25519` says the curve, which `EdDSA` leaves to the key. RFC 9864 §2.2.
"""

OLD_NAMES: Final = {"Ed25519": "EdDSA"}
"""What pyjwt calls an algorithm that has got another name since."""

SUPPORTED: Final = tuple(name for names in ALGORITHMS.values() for name in names)
"""Every algorithm, as metadata lists them."""

PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members that only a secret key has. RFC 7518 §6.2.2, §6.3.2, §6.4."""

RSA_BITS: Final = range(2048, 8193)
"""A smaller key can be broken, a larger one keeps us busy. RFC 7518 §3.3."""

RSA_EXPONENT_BITS: Final = 64
"""Everybody's public exponent is 65537; one as long as the modulus would keep us busy."""

NAMING: Final = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("e", "n")}
"""Members that make a key this key, beside `kty`. RFC 7638 §3.2; RFC 8037 §2."""

LENGTH: Final = 8192
"""Characters of one token."""

KEYS: Final = 20
"""Of one set."""

SEGMENT: Final = re.compile(r"[A-Za-z0-9_\-]+")


class BadKey(ValueError):
    """A key cannot be used; the message says why and shows nothing of it."""


class BadToken(ValueError):
    """A token is not what it should be; the message shows no more than its header says."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, the algorithms that it is good for, and the name that its owner gave it."""

    kid: str | None
    algorithms: tuple[str, ...]
    members: Mapping[str, object] = field(repr=False)


def public_keys(jwks: object) -> tuple[Key, ...]:
    """The signature keys of a set; BadKey when one is bad, or when there is none. RFC 7517 §5."""
    listed = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= KEYS:
        raise BadKey(f"no set of 1 to {KEYS} keys")
    keys = tuple(public_key(jwk) for jwk in listed)
    names = [key.kid for key in keys if key.kid is not None]
    if len(set(names)) != len(names):
        raise BadKey("two keys with one kid")
    return keys


def public_key(jwk: object) -> Key:
    """One key; BadKey for a secret one, a weak one, and one for another use. RFC 7517 §4."""
    if not isinstance(jwk, Mapping):
        raise BadKey("a key that is no object")
    if jwk.get("kty") == "oct" or PRIVATE & jwk.keys():
        raise BadKey("a private key")
    kind = (str(jwk.get("kty")), None if jwk.get("kty") == "RSA" else str(jwk.get("crv")))
    if kind not in ALGORITHMS:
        raise BadKey(f"a key of kind {kind[0]} {kind[1] or ''}".strip())
    asked = jwk.get("alg")
    fit = tuple(name for name in ALGORITHMS[kind] if asked is None or name == asked)
    if not fit or not _is_to_verify(jwk):
        raise BadKey("a key for another use")
    _check_numbers(jwk, fit[0])
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise BadKey("a kid that is no string")
    return Key(kid, fit, dict(jwk))


def unverified_header(token: Secret) -> Mapping[str, object]:
    """What a token says of itself, true or not; empty for what is no token."""
    try:
        return strict.members(_segments(token)[0])
    except ValueError:
        return {}


def unverified_claims(token: Secret) -> Mapping[str, object]:
    """What a token says, true or not; empty for what is no token."""
    try:
        return strict.members(_segments(token)[1])
    except ValueError:
        return {}


def verified_claims(token: Secret, keys: Sequence[Key]) -> Mapping[str, object]:
    """The claims of a token that one of `keys` signed, or BadToken. RFC 7515 §5.2.

    Whether they are true, for us, and still, is for the caller to say.
    """
    try:
        head, payload, signature = _segments(token)
        header, claims = strict.members(head), strict.members(payload)
    except ValueError as error:
        raise BadToken(str(error)) from None
    if "crit" in header or "b64" in header or "zip" in header:
        raise BadToken("a header with extensions")
    key, algorithm = _key_for(header, keys)
    signed = token.reveal().rpartition(".")[0].encode("ascii")
    if not _verifies(_loaded(key.members, algorithm), signed, signature):
        raise BadToken("a signature that does not verify")
    return claims


def thumbprint(key: Key) -> str:
    """What the key is known by, however it is written. RFC 7638 §3."""
    kind = str(key.members["kty"])
    named = {name: key.members[name] for name in ("kty", *NAMING[kind])}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _loaded(members: Mapping[str, object], algorithm: str) -> PyJWK:
    return PyJWK(dict(members), OLD_NAMES.get(algorithm, algorithm))


def _verifies(key: PyJWK, signed: bytes, signature: bytes) -> bool:
    try:
        return bool(key.Algorithm.verify(signed, key.key, signature))
    except (PyJWTError, ValueError):
        return False


def _key_for(header: Mapping[str, object], keys: Sequence[Key]) -> tuple[Key, str]:
    """The key that the header names, or the only one; a name is only ever compared."""
    kid, algorithm = header.get("kid"), header.get("alg")
    named = [key for key in keys if kid is None or key.kid == kid]
    if len(named) != 1:
        raise BadToken("a kid that names no key" if kid is not None else "no kid")
    if not isinstance(algorithm, str) or algorithm not in named[0].algorithms:
        raise BadToken("an alg that the key is not for")
    return named[0], algorithm


def _segments(token: Secret) -> tuple[bytes, bytes, bytes]:
    """Header, payload and signature; ValueError unless each is written in the one way there is."""
    text = token.reveal()
    parts = text.split(".") if len(text) <= LENGTH else []
    if len(parts) != 3 or not all(SEGMENT.fullmatch(part) for part in parts):
        raise ValueError("no compact JWS of three parts")
    header, payload, signature = (_decoded(part) for part in parts)
    return header, payload, signature


def _decoded(part: str) -> bytes:
    octets = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii") != part:
        raise ValueError("base64url with stray bits")
    return octets


def _is_to_verify(jwk: Mapping[str, object]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    can = isinstance(operations, list) and "verify" in operations
    return jwk.get("use", "sig") == "sig" and can


def _check_numbers(jwk: Mapping[str, object], algorithm: str) -> None:
    """The numbers make a key, of a size that is neither weak nor a burden."""
    try:
        if jwk.get("kty") == "RSA":
            modulus, exponent = (_decoded(str(jwk.get(name))) for name in ("n", "e"))
            if int.from_bytes(modulus, "big").bit_length() not in RSA_BITS:
                raise BadKey("an RSA key of another size than 2048 to 8192 bits")
            if int.from_bytes(exponent, "big").bit_length() > RSA_EXPONENT_BITS:
                raise BadKey("an RSA key with a long exponent")
        _loaded(jwk, algorithm)
    except BadKey:
        raise
    except (PyJWTError, ValueError, TypeError):
        raise BadKey("numbers that make no key") from None

"""The keys with which access tokens are signed, when they are to be JWTs, and how they change.

A new key is published before it signs, and an old one stays published until the last token that it
signed has expired: whoever verifies reads both, and no token fails because of a rotation. With
either algorithm the same claims give the same signature, with ES256 because its nonce is derived
(RFC 6979 §3.2): the text of a token can be written again, its hash is what storage keeps, and
revocation asks for that hash as it does for an opaque token. In storage a private key is sealed
(`seals.py`). RFC 9068 §2; RFC 7517 §4; docs/why/0011-signed-tokens-are-looked-up.md.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from catshop.kernel import Clock, Secret, Unavailable
from catshop.oauth import scopes, tokens
from catshop.oauth.model import AccessToken, Family, SigningKey
from catshop.oauth.ports import Keys
from catshop.oauth.seals import Seal
from catshop.oauth.settings import OAuthSettings, SigningAlgorithm, TokenFormat
from catshop.oauth.tokens import Mint, Write

PURPOSE: Final = "catshop.keys"
"""What the sealing key is derived for, so that it is no other purpose's key."""

P256: Final = 32
"""Octets of a coordinate, and of each half of a signature. RFC 7518 §3.4, §6.2.1."""

TYPE: Final = "at+jwt"
"""RFC 9068 §2.1."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of this issuer."""

    settings: OAuthSettings
    keys: Keys
    clock: Clock
    mint: Mint

    async def writer(self) -> Write:
        """How access tokens are written now, by the configured format."""
        if self.settings.token_format is TokenFormat.OPAQUE:
            return tokens.opaque
        signing = await self._signing()
        algorithm = SigningAlgorithm(json.loads(signing.public)["alg"])
        sign = KINDS[algorithm].signer(self._opened(signing))
        header = {"alg": algorithm.value, "typ": TYPE, "kid": signing.kid}

        def write(_: Secret, token: AccessToken, family: Family) -> Secret:
            body = ".".join((_part(header), _part(claims(self.settings.issuer, token, family))))
            return Secret(f"{body}.{_base64url(sign(body.encode('ascii')))}")

        return write

    async def public(self) -> dict[str, object]:
        """The JWK Set of every key that a token may be signed with. RFC 7517 §5."""
        found = await self.keys.all(self.clock())
        return {"keys": [json.loads(key.public) for key in found]}

    async def all(self) -> Sequence[SigningKey]:
        """Every key that is still published, the newest first."""
        return await self.keys.all(self.clock())

    async def rotate(self, algorithm: SigningAlgorithm | None = None) -> SigningKey:
        """A new key that signs as soon as whoever verifies can know it; the others end after it."""
        limits, wanted = self.settings.limits, algorithm or self.settings.token_algorithm
        if not await self.all():
            await self.keys.begin(self._make(0, wanted))
            return await self._signing()
        key = self._make(limits.key_lead_seconds, wanted)
        ends = key.signs_from + timedelta(seconds=limits.access_seconds + limits.key_lead_seconds)
        await self.keys.succeed(key, ends)
        return key

    async def _signing(self) -> SigningKey:
        """The newest key that signs already; the first one is made when it is needed."""
        for _ in range(2):
            now = self.clock()
            for key in await self.keys.all(now):
                if key.signs_from <= now:
                    return key
            await self.keys.begin(self._make(0, self.settings.token_algorithm))
        raise Unavailable("E-KEY-02", "no signing key")

    def _make(self, lead: int, algorithm: SigningAlgorithm) -> SigningKey:
        (octets, members), kid = KINDS[algorithm].made(), tokens.short(self.mint)
        now = self.clock().replace(microsecond=0)  # what storage rounds up would sign too late
        public = {**members, "kid": kid, "alg": algorithm.value, "use": "sig"}
        sealed = self._seal().close(octets)
        return SigningKey(kid, json.dumps(public), sealed, now, now + timedelta(seconds=lead))

    def _opened(self, key: SigningKey) -> bytes:
        opened = self._seal().open(key.sealed)
        if opened is None:
            raise Unavailable("E-KEY-01", key.kid)
        return opened

    def _seal(self) -> Seal:
        return Seal(self.settings.secret_key, self.settings.previous_keys, PURPOSE)


Sign = Callable[[bytes], bytes]
"""Makes a signature in the form of JWS. RFC 7515 §5.1."""

Made = tuple[bytes, dict[str, object]]
"""A private key, and the members of its public half."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of key: how one is made, and how it signs."""

    made: Callable[[], Made]
    signer: Callable[[bytes], Sign]


def _ed25519() -> Made:
    """RFC 8037 §2."""
    private = Ed25519PrivateKey.generate()
    x = _base64url(private.public_key().public_bytes_raw())
    return private.private_bytes_raw(), {"kty": "OKP", "crv": "Ed25519", "x": x}


def _ed25519_signer(octets: bytes) -> Sign:
    """RFC 8037 §3.1."""
    return Ed25519PrivateKey.from_private_bytes(octets).sign


def _p256() -> Made:
    """RFC 7518 §6.2.1."""
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    place = (numbers.public_numbers.x, numbers.public_numbers.y)
    x, y = (_base64url(number.to_bytes(P256, "big")) for number in place)
    members: dict[str, object] = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    return numbers.private_value.to_bytes(P256, "big"), members


def _p256_signer(octets: bytes) -> Sign:
    """R and S side by side, which cryptography writes as DER. RFC 7518 §3.4; RFC 6979 §3.2."""
    private = ec.derive_private_key(int.from_bytes(octets, "big"), ec.SECP256R1())
    how = ec.ECDSA(SHA256(), deterministic_signing=True)

    def sign(text: bytes) -> bytes:
        pair = decode_dss_signature(private.sign(text, how))
        return b"".join(number.to_bytes(P256, "big") for number in pair)

    return sign


KINDS: Final = {
    SigningAlgorithm.EDDSA: Kind(_ed25519, _ed25519_signer),
    SigningAlgorithm.ES256: Kind(_p256, _p256_signer),
}
"""What access tokens can be signed with."""


def claims(issuer: str, token: AccessToken, family: Family) -> dict[str, object]:
    """What an access token says; a client that acts for itself is its own subject.

    RFC 9068 §2.2; RFC 9449 §6.1.
    """
    bound: dict[str, object] = {} if token.jkt is None else {"cnf": {"jkt": token.jkt}}
    return {
        "iss": issuer,
        "sub": family.user_id or family.client_id,
        "aud": family.resource,
        "client_id": family.client_id,
        "scope": scopes.write(token.scopes),
        "jti": token.id,
        "iat": int(token.created_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        **bound,
    }


def _part(members: Mapping[str, object]) -> str:
    return _base64url(json.dumps(members, separators=(",", ":")).encode("utf-8"))


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")

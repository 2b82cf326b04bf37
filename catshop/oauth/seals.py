"""Seals: what only we must be able to read again is kept closed, with the key of the key file.

A private key, an upstream token: whoever finds the database alone can use neither. Each purpose has
a key of its own, derived from that one; the newest closes and every known one opens, so that a key
can be changed in peace. What can be kept as a hash is not sealed but hashed. RFC 5869 §2.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from catshop.kernel import Secret


class Seal:
    """Closes with the first key, and opens with all of them."""

    def __init__(self, key: Secret, previous: Sequence[Secret], purpose: str) -> None:
        self._fernet = MultiFernet([_derived(each, purpose) for each in (key, *previous)])

    def close(self, octets: bytes) -> str:
        """The octets as nobody else can read or change them."""
        return self._fernet.encrypt(octets).decode("ascii")

    def open(self, sealed: str) -> bytes | None:
        """The octets again; None when this was not closed by us, or for another purpose."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            return None


def _derived(key: Secret, purpose: str) -> Fernet:
    """RFC 5869 §2."""
    found = HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(key.reveal().encode())
    return Fernet(base64.urlsafe_b64encode(found))

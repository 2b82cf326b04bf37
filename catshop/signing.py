"""Signed text: what others keep for us comes back unchanged, or it does not come back at all.

A cookie, a form token, a `requestState`, a cursor: each is signed for its purpose, and a purpose
may be as narrow as one user, one tool and its arguments; what was signed for another is worthless.
Signed is not encrypted: the holder can read it. Time comes in as a clock. Only this file imports
itsdangerous. Next: `oauth/signing.py`, `protocol/request_state.py`. RFC 2104.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final

from itsdangerous import BadData, TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode

from catshop.kernel import Clock, Secret, utc_now

SEPARATOR: Final = "."


class Signer:
    """Signs with the first key, and believes all of them, so that a key can be changed in peace."""

    def __init__(
        self, key: Secret, previous: Sequence[Secret] = (), clock: Clock = utc_now
    ) -> None:
        self._keys = [secret.reveal() for secret in (*previous, key)]
        self._clock = clock

    def sign(self, text: str, *purpose: str) -> str:
        """The text, the time and a signature over both, in URL-safe ASCII."""
        encoded = base64_encode(text.encode("utf-8", "surrogatepass"))
        return self._for(purpose).sign(encoded).decode("ascii")

    def read(self, signed: str, max_age: int | None, *purpose: str) -> str | None:
        """The text; None when not ours, not for this, of the future, or older than `max_age`."""
        if not _is_canonical(signed.rpartition(SEPARATOR)[2]):
            return None
        try:
            encoded = self._for(purpose).unsign(signed, max_age=max_age)
            return base64_decode(encoded).decode("utf-8", "surrogatepass")
        except (BadData, UnicodeError):
            return None

    def mark(self, text: str, *purpose: str) -> str:
        """A signature alone, for a text that whoever checks it knows already."""
        return self._for(purpose).get_signature(text).decode("ascii")

    def is_marked(self, mark: str, text: str, *purpose: str) -> bool:
        """Whether `mark` was made for this text and purpose."""
        return _is_canonical(mark) and self._for(purpose).verify_signature(text, mark)

    def _for(self, purpose: Sequence[str]) -> _Timed:
        """Each purpose has a key of its own, derived with the purpose as its salt."""
        salt = hashlib.sha256(json.dumps(purpose).encode("ascii")).digest()
        signer = _Timed(
            self._keys,
            salt=salt,
            sep=SEPARATOR,
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )
        signer.clock = self._clock
        return signer


class _Timed(TimestampSigner):
    """A timestamp signer that is told the time."""

    clock: Clock

    def get_timestamp(self) -> int:
        return int(self.clock().timestamp())


def _is_canonical(signature: str) -> bool:
    """Whether these are the very digits that we would write.

    Base64 has several spellings of the same octets, and its reader skips what it does not know.
    """
    try:
        return base64_encode(base64_decode(signature)).decode("ascii") == signature
    except (BadData, UnicodeError):
        return False

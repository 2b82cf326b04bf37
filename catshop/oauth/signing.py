"""What a browser holds for us, signed so that it cannot be made up: its cookie, and form tokens.

Each purpose has its own salt, so that a value of one is worthless as another. The cookie is a
random id with the time of its signing; a form token is bound to that browser, to one request and to
one form. Time comes in as a clock. Only this file imports itsdangerous. OAuth 2.1 §7.9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from itsdangerous import BadSignature, Signer, TimestampSigner

from catshop.kernel import Clock, Secret

BROWSER: Final = b"catshop.browser"
FORM: Final = b"catshop.form"


class Signatures:
    """Signs with the first key, and believes all of them, so that a key can be changed in peace."""

    def __init__(self, key: Secret, previous: Sequence[Secret], clock: Clock) -> None:
        keys = [secret.reveal() for secret in (*previous, key)]
        self._browser = _Timed(
            keys, salt=BROWSER, key_derivation="hmac", digest_method=hashlib.sha256
        )
        self._browser.clock = clock
        self._form = Signer(keys, salt=FORM, key_derivation="hmac", digest_method=hashlib.sha256)

    def sign_browser(self, browser: Secret) -> str:
        """The value of the cookie that names this browser."""
        return self._browser.sign(browser.reveal()).decode("ascii")

    def read_browser(self, cookie: str, max_age: int) -> Secret | None:
        """The browser that the cookie names; None when not ours, too old, or of the future."""
        if not cookie.isascii():
            return None  # itsdangerous would skip what it cannot read
        try:
            return Secret(self._browser.unsign(cookie, max_age=max_age).decode("ascii"))
        except (BadSignature, UnicodeError):
            return None

    def form_token(self, browser: str, request_id: str, form: str) -> str:
        """What a form of ours carries, to show that it came from a page of ours."""
        return self._form.get_signature(_bound(browser, request_id, form)).decode("ascii")

    def is_form_token(self, token: str, browser: str, request_id: str, form: str) -> bool:
        """Whether the token was made for exactly this browser, request and form."""
        if not token.isascii():
            return False
        return self._form.verify_signature(_bound(browser, request_id, form), token)


class _Timed(TimestampSigner):
    """A timestamp signer that is told the time."""

    clock: Clock

    def get_timestamp(self) -> int:
        return int(self.clock().timestamp())


def _bound(browser: str, request_id: str, form: str) -> str:
    return f"{browser}|{request_id}|{form}"

"""What a browser holds for us, signed so that it cannot be made up: its cookie, and form tokens.

The cookie is a random id with the time of its signing; a form token is bound to that browser, to
one request and to one form. How signing works is the ground floor's business. Knows no cookies'
attributes and no pages. Next: `browser.py`. OAuth 2.1 §7.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from catshop.kernel import Clock, Secret
from catshop.signing import Signer

BROWSER: Final = "catshop.browser"
FORM: Final = "catshop.form"


class Signatures:
    """Signs with the first key, and believes all of them, so that a key can be changed in peace."""

    def __init__(self, key: Secret, previous: Sequence[Secret], clock: Clock) -> None:
        self._signer = Signer(key, previous, clock)

    def sign_browser(self, browser: Secret) -> str:
        """The value of the cookie that names this browser."""
        return self._signer.sign(browser.reveal(), BROWSER)

    def read_browser(self, cookie: str, max_age: int) -> Secret | None:
        """The browser that the cookie names; None when not ours, too old, or of the future."""
        browser = self._signer.read(cookie, max_age, BROWSER)
        return None if browser is None else Secret(browser)

    def form_token(self, browser: str, request_id: str, form: str) -> str:
        """What a form of ours carries, to show that it came from a page of ours."""
        return self._signer.mark(_bound(browser, request_id, form), FORM)

    def is_form_token(self, token: str, browser: str, request_id: str, form: str) -> bool:
        """Whether the token was made for exactly this browser, request and form."""
        return self._signer.is_marked(token, _bound(browser, request_id, form), FORM)


def _bound(browser: str, request_id: str, form: str) -> str:
    return f"{browser}|{request_id}|{form}"

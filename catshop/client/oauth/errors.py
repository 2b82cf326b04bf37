"""How a sign-in fails: by a code of the catalogue, and what arrived in place of what was expected.

One class for all of it, because a caller does one thing with each: stop, and tell the user the
words of the catalogue. What the authorization server said itself comes with it, cleaned of what a
terminal would obey. RFC 6749 §5.2.
"""

from __future__ import annotations

from catshop.client.errors import ClientError

TEXT = 300
"""Characters that are shown of what a server said."""


class SignInFailed(ClientError):
    """No token could be had. `code` names the reason, `error` is the server's own code, if any."""

    def __init__(self, code: str, *, arrived: str = "", error: str | None = None) -> None:
        super().__init__(code, printable(arrived))
        self.error = error


def printable(text: str) -> str:
    """Somebody else's text without what a terminal would obey, and no longer than a line or two."""
    return "".join(c if c.isprintable() else " " for c in text[:TEXT])

"""Who may look at the inspector: whoever was handed the link, once, at this very machine.

The link is printed where the server was started and swapped for a cookie that no script reads and
no other site sends. Everything that changes something must also come from a page of ours: its
`Origin` is ours and its form holds a token that only our pages know. Pure but for the link, which
is good once. Next: `desk.py`. RFC 9110 §7.4, RFC 6454 §7, RFC 6265 §4.1.2.6.
"""

from __future__ import annotations

import hmac
from typing import Final

from catshop.kernel import Secret
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.forms import Form, parse_form
from catshop.protocol.http1.guard import Guard, LoopbackOrigins
from catshop.protocol.http1.messages import Request

COOKIE: Final = "catshop_inspector"
FORM: Final = 256 * 1024
"""Octets of a form of ours: the decoders take whole tokens and streams."""

NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


def guard(port: int) -> Guard:
    """Our own names with our own port, and pages of nobody else. RFC 9110 §7.4."""
    hosts = frozenset(f"{name}:{port}" for name in NAMES)
    return Guard(hosts, frozenset(), LoopbackOrigins.REFUSED)


class Entry:
    """The link, the cookie that it becomes, and the token of our forms."""

    def __init__(self, link: Secret, cookie: Secret, key: Secret) -> None:
        self._link: Secret | None = link
        self._cookie = cookie
        self._name = f"{COOKIE}_{cookie.digest()[:8]}"  # a browser sends it to every port
        self._csrf = hmac.digest(key.reveal().encode(), b"csrf", "sha256").hex()

    @property
    def csrf(self) -> str:
        """What a form of ours holds."""
        return self._csrf

    def swap(self, given: str) -> str:
        """The cookie for the link; 403 for another link, or for the same one a second time."""
        if self._link is None or self._link != Secret(given):
            raise HttpError(403, "E-INSPECT-02")
        self._link = None
        return f"{self._name}={self._cookie.reveal()}; Path=/-/; HttpOnly; SameSite=Strict"

    def check_visitor(self, request: Request) -> None:
        """Refuse with 403 whoever has no cookie of ours."""
        pairs = (pair.strip() for line in request.fields.all("cookie") for pair in line.split(";"))
        held = [
            value
            for name, _, value in (each.partition("=") for each in pairs)
            if name == self._name
        ]
        if not any(Secret(value) == self._cookie for value in held):
            raise HttpError(403, "E-INSPECT-01")

    async def form_of(self, request: Request) -> Form:
        """The form that a page of ours has sent; 403 for anybody else's."""
        origin = request.fields.one("origin")
        if origin is None or origin.removeprefix("http://") != request.fields.one("host"):
            raise HttpError(403, "E-INSPECT-03", arrived="no Origin" if origin is None else "")
        form = parse_form(await request.body(FORM))
        if Secret(form.one("csrf") or "") != Secret(self._csrf):
            raise HttpError(403, "E-INSPECT-03", arrived="no token of ours in the form")
        return form

"""A visitor: in a shop of our own the doctor signs somebody in, and sees what is behind the door.

The house opens an account for the time of the examination; its forms are filled in as a browser
would, and the tokens that come of it are shown, refreshed, shown again, and given back. Elsewhere
nobody signs in: a stranger's server is not ours to open accounts at, and a token that somebody
holds is not ours to use up. Pure. Next: `ladder.py`. OAuth 2.1 §4.1, §4.3; RFC 7009 §2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from catshop.client import envelope
from catshop.client.doctor.authority import BACK
from catshop.client.doctor.chart import (
    HELLO,
    Admit,
    Chart,
    Finding,
    Sick,
    Visitor,
    Walk,
    discover_request,
    passed,
    text_of,
    waived,
)
from catshop.client.doctor.reach import REDIRECTS
from catshop.client.doctor.talk import shown
from catshop.client.envelope import Call
from catshop.client.oauth.challenges import best
from catshop.client.oauth.discovery import Guarded
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.grants import (
    Asking,
    Tokens,
    authorization_request,
    code_grant,
    refresh_grant,
)
from catshop.client.oauth.memory import Held
from catshop.client.oauth.revocation import revoke
from catshop.client.oauth.scopes import with_offline
from catshop.client.oauth.steps import Ask, Browse, Landed, Reply, ask
from catshop.client.person import HOPS, Forms

ELSEWHERE: Final = "no visitor: that is for the shop of this folder alone"
NARROW: Final = "read"
"""A scope of ours that does not open every tool."""

WRITING: Final = Call("tools/call", {"name": "add_to_cart", "arguments": {"product_id": 1}})
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


def a_visitor_signs_in(chart: Chart) -> Walk[Finding]:
    """From the sign-in page over consent to a token, with PKCE. OAuth 2.1 §4.1."""
    if chart.house is None or chart.client is None:
        return waived(ELSEWHERE)
    if chart.resource is not None and chart.resource.bound:
        return waived("tokens are bound to keys here")
    visitor = yield Admit(chart.house)
    if not isinstance(visitor, Visitor):
        raise TypeError("the house let nobody in")
    chart.visitor = visitor
    tokens = yield from _signed_in(chart, visitor)
    chart.memory = chart.memory.with_held(Held(tokens))
    return passed(f"{visitor.name}, {' '.join(tokens.scopes)}")


def the_token_is_for_this_address_alone(chart: Chart) -> Walk[Finding]:
    """A resource that the server does not guard is refused. RFC 8707 §2."""
    if chart.visitor is None:
        return waived(ELSEWHERE)
    asking = _asking(chart)
    other = replace(asking.guarded.resource, resource="https://elsewhere.example/mcp")
    astray = replace(asking, guarded=replace(asking.guarded, resource=other))
    opened = authorization_request(astray, _back(chart))
    reply = yield from ask(Ask("another resource", "GET", opened.url, {"Accept": "text/html"}))
    error = dict(parse_qsl(urlsplit(reply.first("location") or "").query)).get("error")
    if error != "invalid_target":
        raise Sick("E-DOC-42", f"{reply.status} {error or 'without an error'}")
    return passed(error)


def more_is_asked_for_by_name(chart: Chart) -> Walk[Finding]:
    """403 says which scope is missing. MCP 2026-07-28 basic/authorization
    §scope-challenge-handling."""
    if chart.visitor is None or chart.peer is None:
        return waived(ELSEWHERE)
    sent = envelope.request(chart.peer, HELLO, WRITING, 4)
    reply = yield from shown(chart, "a tool that needs more", sent)
    challenge = best(reply.every("www-authenticate"))
    asked = challenge.scopes if challenge and challenge.error == "insufficient_scope" else ()
    if reply.status != 403 or not asked:
        raise Sick("E-DOC-43", f"{reply.status} {text_of(reply)}")
    return passed(" ".join(asked))


def a_refresh_token_is_good_once(chart: Chart) -> Walk[Finding]:
    """It is exchanged for another, and the old one is refused at once. OAuth 2.1 §4.3.1.

    So soon it is refused as a twin as well, which is no theft and ends no family.
    """
    if chart.visitor is None or chart.held is None:
        return waived(ELSEWHERE)
    old = chart.held.tokens
    fresh = yield from refresh_grant(_asking(chart), old)
    if fresh.refresh_token == old.refresh_token:
        raise Sick("E-DOC-44", "the same refresh token")
    yield from _until_it_is_used(chart, fresh)
    try:
        yield from refresh_grant(_asking(chart), old)
    except SignInFailed as error:
        if error.error != "invalid_grant":
            raise
        return passed("another one, and the old one is refused")
    raise Sick("E-DOC-44", "the old one was taken again")


def _until_it_is_used(chart: Chart, fresh: Tokens) -> Walk[None]:
    """Exchange the new one, too: then no lost answer excuses the old. OAuth 2.1 §4.3.1."""
    newest = yield from refresh_grant(_asking(chart), fresh)
    chart.held = Held(newest)


def a_token_given_back_is_over(chart: Chart) -> Walk[Finding]:
    """A second visit, whose tokens are revoked: then 401. RFC 7009 §2; OAuth 2.1 §5.3.2."""
    if chart.visitor is None or chart.client is None:
        return waived(ELSEWHERE)
    tokens = yield from _signed_in(chart, chart.visitor)
    if not (yield from revoke(tokens, chart.client, chart.sources)):
        raise Sick("E-DOC-45", "no revocation_endpoint")
    chart.held = Held(tokens)
    reply = yield from shown(chart, "a token that was given back", discover_request())
    if reply.status != 401:
        raise Sick("E-DOC-45", f"{reply.status} {text_of(reply)}")
    return passed("401")


# --- Signing in ---


def _asking(chart: Chart) -> Asking:
    """For the narrow scope; whoever comes this far has seen who guards the door."""
    if chart.resource is None or chart.server is None or chart.client is None:
        raise Sick("E-DOC-41", "no client")
    scopes = with_offline((NARROW,), chart.server.scopes)
    return Asking(Guarded(chart.resource, chart.server), chart.client, chart.sources, scopes)


def _back(chart: Chart) -> str:
    return ((chart.client and chart.client.redirect_uris) or (BACK,))[0]


def _signed_in(chart: Chart, visitor: Visitor) -> Walk[Tokens]:
    """The code grant, with the visitor in place of a person at a browser."""
    steps = code_grant(_asking(chart), _back(chart))
    try:
        wanted = next(steps)
        while True:
            if isinstance(wanted, Browse):
                browser = Browser(_back(chart))
                wanted = steps.send(Landed((yield from browser.consent(wanted.url, visitor))))
            else:
                wanted = steps.send((yield from ask(wanted)))
    except StopIteration as done:
        tokens: Tokens = done.value
        return tokens


@dataclass
class Browser:
    """A browser of the visitor: it keeps cookies, and goes no further than the way back."""

    back: str
    at: str = ""
    cookies: dict[str, str] = field(default_factory=dict, repr=False)

    def consent(self, url: str, visitor: Visitor) -> Walk[str]:
        """Sign in and agree; the query of the redirect back. OAuth 2.1 §4.1.1, §4.1.2."""
        typed = {"username": visitor.name, "password": visitor.password.reveal()}
        page = yield from self._open("GET", url)
        page = yield from self._press(page, ("action", "sign-in"), typed)
        if not self.at.startswith(self.back):
            yield from self._press(page, ("decision", "approve"), {})
        if not self.at.startswith(self.back):
            raise Sick("E-DOC-41", f"it ended at {self.at.partition('?')[0]}")
        return urlsplit(self.at).query

    def _press(self, page: Reply, button: tuple[str, str], typed: Mapping[str, str]) -> Walk[Reply]:
        """Fill in the form that has this button, and press it."""
        forms = Forms(page.body.decode("utf-8", "replace")).found
        form = next((form for form in forms if button in form.buttons), None)
        if form is None:
            raise Sick("E-DOC-41", f"{page.status}, and no button {button[1]}")
        body = urlencode([*form.values, button, *typed.items()]).encode("ascii")
        return (yield from self._open("POST", urljoin(self.at, form.action), body))

    def _open(self, method: str, url: str, body: bytes = b"") -> Walk[Reply]:
        """The page at the end of the redirects, or the redirect back."""
        reply = yield from self._send(method, url, body)
        for _ in range(HOPS):
            if reply.status not in REDIRECTS or self.at.startswith(self.back):
                return reply
            reply = yield from self._send("GET", self.at, b"")
        raise Sick("E-DOC-41", "redirects without end")

    def _send(self, method: str, url: str, body: bytes) -> Walk[Reply]:
        fields = {"Accept": "text/html", **(FORM if body else {})}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        reply = yield from ask(Ask("a page of the sign-in", method, url, fields, body))
        for line in reply.every("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        moved = reply.first("location") if reply.status in REDIRECTS else None
        self.at = urljoin(url, moved) if moved else url
        return reply

"""The authorization server: who it says it is, what it can do, and whether a newcomer gets in.

The doctor goes as far as the sign-in page and not further: it registers a client of its own, asks
for the page, and takes the registration back where the server lets it. Nobody signs in. Pure.
Next: `talk.py`. RFC 8414; RFC 7591; OAuth 2.1 §4.1; MCP 2026-07-28 basic/authorization.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from catshop.client.doctor.chart import (
    Chart,
    Finding,
    Sick,
    Walk,
    media_type,
    passed,
    text_of,
    waived,
    warned,
)
from catshop.client.doctor.door import OPEN
from catshop.client.doctor.reach import ABSENT, REDIRECTS, is_local
from catshop.client.oauth.discovery import Guarded, Resource, Server, choose, find_server
from catshop.client.oauth.errors import SignInFailed, printable
from catshop.client.oauth.grants import Asking, authorization_request
from catshop.client.oauth.registration import Client, Introduction, identify
from catshop.client.oauth.scopes import select
from catshop.client.oauth.steps import Ask, Reply, ask, origin, post

NAME: Final = "Cat Shop's doctor"
BACK: Final = "http://127.0.0.1:33418/callback"
OTHER: Final = "http://127.0.0.1:33419/callback"
"""Where the page would send a browser; nobody listens there, and nobody is sent."""


def the_authority_is_its_issuer(chart: Chart) -> Walk[Finding]:
    """The metadata is there and names the very issuer that the resource named. RFC 8414 §3.3."""
    if chart.resource is None:
        return waived(OPEN)
    if chart.server is not None:
        return passed(chart.server.issuer)
    issuer = choose(chart.resource.authorization_servers, frozenset(chart.memory.clients))
    if is_local(issuer) and not is_local(chart.url):
        raise Sick("E-DOC-16", f"authorization_servers: {issuer}, reached by {origin(chart.url)}")
    try:
        chart.server = yield from find_server(issuer)
    except SignInFailed as error:
        if error.code == "E-OAC-06" and error.arrived.rstrip("/") == issuer.rstrip("/"):
            arrived = f"{error.arrived} in the metadata, {issuer} in authorization_servers"
            raise Sick(error.code, arrived, "write both with the slash, or both without") from None
        raise
    return passed(issuer)


def pkce_is_offered(chart: Chart) -> Finding:
    """The metadata lists S256, without which clients must not go on. OAuth 2.1 §7.5.1."""
    if chart.server is None:
        return waived(OPEN)
    if not chart.server.s256:
        raise Sick("E-OAC-14", chart.server.issuer)
    return passed("S256")


def the_endpoints_answer(chart: Chart) -> Walk[Finding]:
    """An empty token request is refused in JSON, as the specification has it. OAuth 2.1 §3.2.4."""
    if chart.server is None:
        return waived(OPEN)
    place = chart.server.token_endpoint
    reply = yield from ask(post("an empty token request", place, {}, {}))
    if reply.status in ABSENT or reply.status >= 500 or media_type(reply) != "application/json":
        raise Sick("E-DOC-20", f"{reply.status} {media_type(reply)} at {place}")
    return passed(f"{reply.status} at {place}")


def a_newcomer_can_register(chart: Chart) -> Walk[Finding]:
    """A client that nobody has heard of becomes known. RFC 7591 §3; MCP 2026-07-28
    basic/authorization/client-registration."""
    server = chart.server
    if server is None:
        return waived(OPEN)
    known = chart.memory.clients.get(server.issuer)
    if known is not None:
        chart.client = known
        return passed(f"known as {known.client_id}")
    if server.registration_endpoint is None:
        if server.reads_documents:
            return waived("by client metadata documents alone")
        return warned("E-OAC-07", server.issuer)
    chart.client = yield from identify(server, Introduction(NAME, BACK), None)
    chart.registered = True
    return passed(f"as {chart.client.client_id}")


def the_sign_in_page_opens(chart: Chart) -> Walk[Finding]:
    """A sound request leads to a page, and not back with an error. OAuth 2.1 §4.1.2.1."""
    if chart.client is None or chart.server is None or chart.resource is None:
        return waived("without a client there is no page" if chart.guarded else OPEN)
    redirect_uri = (chart.client.redirect_uris or (BACK,))[0]
    reply = yield from _open(chart, chart.resource, chart.server, redirect_uri)
    _came_back(reply, redirect_uri)
    if reply.status in REDIRECTS or reply.status == 200:
        return passed(f"{reply.status} {media_type(reply)}".strip())
    forgotten = not chart.registered and reply.status in {400, 401, 403}
    raise Sick("E-DOC-23" if forgotten else "E-DOC-22", f"{reply.status} {text_of(reply)}")


def any_loopback_port_will_do(chart: Chart) -> Walk[Finding]:
    """A program on this machine listens where there is room. RFC 8252 §7.3."""
    if not chart.registered or chart.server is None or chart.resource is None:
        return waived("no registration of our own")
    reply = yield from _open(chart, chart.resource, chart.server, OTHER)
    if reply.status not in REDIRECTS | {200} or "error" in _query(reply):
        return warned("E-DOC-24", f"{reply.status} for another port")
    return passed("another port, too")


def _open(chart: Chart, resource: Resource, server: Server, redirect_uri: str) -> Walk[Reply]:
    guarded = Guarded(resource, server)
    scopes = select(guarded, chart.challenge, ())
    client = chart.client or Client("")
    opened = authorization_request(Asking(guarded, client, chart.sources, scopes), redirect_uri)
    return (yield from ask(Ask("the sign-in page", "GET", opened.url, {"Accept": "text/html"})))


def _came_back(reply: Reply, redirect_uri: str) -> None:
    """An error in the redirect is the server's own word on the request. OAuth 2.1 §4.1.2.1."""
    found = _query(reply)
    there = (reply.first("location") or "").startswith(redirect_uri)
    if reply.status in REDIRECTS and there and "error" in found:
        words = f"{found['error']}: {found.get('error_description', '')}"
        raise Sick("E-DOC-21" if found["error"] == "invalid_scope" else "E-DOC-22", words)


def _query(reply: Reply) -> Mapping[str, str]:
    return dict(parse_qsl(urlsplit(reply.first("location") or "").query))


def taken_back(chart: Chart) -> Walk[str]:
    """Remove the registration that the doctor made, and say what could not be. RFC 7592 §2.3.

    The address came from the server, and nothing is deleted elsewhere because it said so.
    """
    if not chart.registered or chart.client is None or chart.server is None:
        return ""
    kept = printable(f"the server keeps the client {chart.client.client_id}")
    place = chart.client.registration.get("registration_client_uri", "")
    token = chart.client.registration.get("registration_access_token", "")
    if not token or origin(place) != origin(chart.server.registration_endpoint or ""):
        return kept
    fields = {"Authorization": f"Bearer {token}"}
    reply = yield from ask(Ask("removal of the registration", "DELETE", place, fields))
    return "" if reply.status == 204 else f"{kept}: {reply.status}"

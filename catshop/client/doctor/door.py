"""The guarded door: a stranger is told where to go, and the sign leads to this very server.

A refusal without directions, a document about another address and a guard that lets invented
tokens pass are the three ways in which most sign-ins fail before they begin. Pure.
Next: `authority.py`. RFC 9728; MCP 2026-07-28 basic/authorization.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from catshop.client.doctor.chart import (
    Chart,
    Finding,
    Sick,
    Walk,
    discover_request,
    passed,
    send,
    text_of,
    waived,
    warned,
)
from catshop.client.doctor.reach import is_local
from catshop.client.oauth.challenges import best
from catshop.client.oauth.discovery import (
    Resource,
    canonical,
    find_resource,
    find_server,
    resource_urls,
)
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.steps import origin

OPEN = "the server is open to everybody"


def a_stranger_is_told_where_to_go(chart: Chart) -> Finding:
    """A refusal carries a challenge, and that an address. RFC 9728 §5.1; OAuth 2.1 §5.3."""
    chart.challenge = best(chart.door.every("www-authenticate"))
    if chart.door.status not in {401, 403}:
        return waived(OPEN)
    chart.guarded = True
    if chart.challenge is None or chart.door.status == 403:
        raise Sick("E-DOC-15", f"{chart.door.status} {text_of(chart.door)}", _challenge(chart.url))
    place = chart.challenge.resource_metadata
    if place is None:
        return passed("401, without resource_metadata")
    _same_address(place, chart.url)
    return passed(place)


def _challenge(url: str) -> str:
    return f'add: WWW-Authenticate: Bearer resource_metadata="{resource_urls(url)[0]}"'


def _same_address(place: str, url: str) -> None:
    """A server that thinks of itself as another sends its clients away.

    Only what tells of a mistake counts: a document may lie with a stranger, but not on the client's
    own machine, nor behind another scheme or name of the same one.
    """
    there, here = urlsplit(place), urlsplit(url)
    plain = there.hostname == here.hostname and there.scheme != here.scheme
    if origin(place) != origin(url) and (plain or is_local(place)):
        raise Sick("E-DOC-16", f"{place}, reached by {origin(url)}", public(url))


def public(url: str) -> str:
    """The line that tells a server of ours, and most others, what it is called."""
    return f"restart with ISSUER_URL={origin(url)}, the address that clients use"


def an_invented_token_is_refused(chart: Chart) -> Walk[Finding]:
    """401 to a token that nobody gave: a client refreshes on 401, and on nothing else. OAuth 2.1
    §5.3.2."""
    if not chart.guarded:
        return waived(OPEN)
    shown = {"Authorization": f"Bearer {chart.sources.random()}"}
    reply = yield from send(chart, "an invented token", discover_request(), shown)
    if reply.status >= 500:
        raise Sick("E-DOC-18", f"{reply.status} {text_of(reply)}")
    if reply.status != 401:
        raise Sick("E-DOC-17", f"{reply.status} {text_of(reply)}")
    return passed("401")


def the_resource_is_the_url(chart: Chart) -> Walk[Finding]:
    """The resource's document names the URL that was typed, letter by letter. RFC 9728 §3.3."""
    if not chart.guarded:
        return waived(OPEN)
    try:
        chart.resource = yield from find_resource(canonical(chart.url), chart.challenge)
    except SignInFailed as error:
        if error.code == "E-OAC-03":
            raise Sick(
                error.code, _difference(error.arrived, chart.url), public(chart.url)
            ) from None
        raise
    if chart.resource is None:
        return (yield from _of_old(chart))
    return passed(chart.resource.resource)


def _of_old(chart: Chart) -> Walk[Finding]:
    """A server of 2025-03-26 has no such document, and its own origin guards it."""
    base = origin(chart.url)
    try:
        chart.server = yield from find_server(base)
    except SignInFailed:
        places = " and ".join(resource_urls(chart.url))
        raise Sick("E-DOC-19", f"nothing at {places}", _challenge(chart.url)) from None
    chart.resource = Resource(canonical(chart.url), (base,))
    return warned("E-DOC-19", f"only the metadata of {base}", _challenge(chart.url))


def _difference(resource: str, url: str) -> str:
    """What of two addresses is not the same."""
    there, here = urlsplit(resource), urlsplit(url)
    for name in ("scheme", "hostname", "port", "path", "query"):
        mine, its = getattr(here, name), getattr(there, name)
        if mine != its:
            return f"{resource}: its {name} is {its or 'missing'}, and {mine or 'none'} was typed"
    return resource

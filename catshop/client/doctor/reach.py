"""From a URL to something that speaks MCP: name, connection, encryption, and who answers.

Most of what goes wrong with a tunnel, a proxy or a misspelt path ends here. A gateway, a web page
and a redirect are told apart by their heads, because a client that reads them as MCP can only say
that it did not understand. Pure. Next: `door.py`. RFC 9110 §15; MCP 2026-07-28
basic/transports/streamable-http.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

from catshop.client.doctor.chart import (
    Chart,
    Dial,
    Dialled,
    Finding,
    Sick,
    Walk,
    discover_request,
    initialize_request,
    media_type,
    passed,
    send,
    text_of,
    waived,
    warned,
)
from catshop.client.oauth.steps import LOCAL, Ask, Reply, ask, origin

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
GATEWAY: Final = frozenset({502, 503, 504})
ABSENT: Final = frozenset({404, 405, 410})
TUNNEL: Final = "ngrok-error-code"
"""The field in which a tunnel says what is wrong with it."""

SKEW: Final = 60
"""Seconds that two clocks may differ before tokens and proofs begin to fail."""

INSPECTOR: Final = "http://localhost:6274"
"""The origin of a page that calls servers directly."""

SENT: Final = ("authorization", "content-type", "mcp-protocol-version", "mcp-session-id")
READ: Final = ("mcp-session-id", "www-authenticate")
"""Fields that a page must be let send, and let read."""


def is_local(url: str) -> bool:
    """Whether what is sent there stays on this machine."""
    return (urlsplit(url).hostname or "") in LOCAL


def the_name_resolves(chart: Chart) -> Walk[Finding]:
    """The host of the URL has an address. RFC 9110 §4.2.1."""
    parts = urlsplit(chart.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Sick("E-DOC-01", chart.url)
    tls = parts.scheme == "https"
    dialled = yield Dial(parts.hostname, parts.port or (443 if tls else 80), tls=tls)
    if not isinstance(dialled, Dialled):
        raise TypeError("a connection was answered with a response")
    chart.dialled = dialled
    if not dialled.addresses:
        raise Sick("E-DOC-02", parts.hostname)
    return passed(", ".join(dialled.addresses[:3]))


def somebody_listens(chart: Chart) -> Finding:
    """The port accepts connections."""
    parts = urlsplit(chart.url)
    if chart.dialled.refused:
        start = f"catshop serve --port {parts.port or 80}"
        raise Sick(
            "E-SERVER-01",
            f"{parts.netloc}: {chart.dialled.refused}",
            f"start the server ({start}), or correct the port" if is_local(chart.url) else None,
        )
    return passed(parts.netloc)


def nobody_can_listen_in(chart: Chart) -> Finding:
    """TLS with a certificate that is trusted, or no way off this machine. OAuth 2.1 §1.5."""
    if urlsplit(chart.url).scheme == "https":
        if chart.dialled.untrusted:
            raise Sick("E-DOC-03", chart.dialled.untrusted)
        return passed("https")
    if is_local(chart.url):
        return waived("loopback")
    raise Sick("E-OAC-01", chart.url)


def the_endpoint_answers(chart: Chart) -> Walk[Finding]:
    """What answers a POST speaks MCP, or asks who we are."""
    chart.door = yield from send(chart, "a request without a token", discover_request())
    if chart.door.status in ABSENT and not speaks(chart.door):
        yield from _begun(chart)
    for sick in (_redirected, _misdirected, _behind_a_gateway, _a_page, _not_acceptable, _broken):
        sick(chart, chart.door)
    if chart.door.status in ABSENT and not speaks(chart.door):
        yield from _elsewhere(chart)
    if chart.door.status < 300 and not speaks(chart.door):
        raise Sick("E-DOC-08", text_of(chart.door))
    return passed(f"{chart.door.status} {media_type(chart.door)}".strip())


def _begun(chart: Chart) -> Walk[None]:
    """Servers that know sessions alone may say 404 to everything else; they are asked for one.

    MCP 2026-07-28 basic/transports/streamable-http §backward-compatibility.
    """
    begun = yield from send(chart, "initialize", initialize_request())
    if speaks(begun):
        chart.door = begun


def speaks(reply: Reply) -> bool:
    """Whether the body is a message, or a stream of them. MCP 2026-07-28 basic §messages."""
    return media_type(reply) == "text/event-stream" or b'"jsonrpc"' in reply.body


def _redirected(chart: Chart, reply: Reply) -> None:
    """A redirect loses the method, the token, or both. RFC 9110 §15.4."""
    if reply.status in REDIRECTS:
        target = urljoin(chart.url, reply.first("location") or "")
        raise Sick("E-DOC-04", f"{reply.status} to {target}", f"use {target}")


def _misdirected(chart: Chart, reply: Reply) -> None:
    """A server that does not know the name that it was called by. RFC 9110 §15.5.20."""
    about_host = re.search(rb"invalid.{0,8}host|host.{0,24}not allowed", reply.body, re.I)
    if reply.status == 421 or (reply.status in {400, 403} and about_host):
        host = urlsplit(chart.url).netloc
        raise Sick(
            "E-DOC-05",
            f"{reply.status} for Host {host}",
            f"allow {host}: CATSHOP_ALLOWED_HOSTS={host}, or --issuer {origin(chart.url)}",
        )


def _behind_a_gateway(_chart: Chart, reply: Reply) -> None:
    """A tunnel or proxy whose server is not where it looks. RFC 9110 §15.6.3."""
    told = reply.first(TUNNEL)
    if told or (reply.status in GATEWAY and not speaks(reply)):
        raise Sick("E-DOC-06", f"{reply.status} {told or text_of(reply)}")


def _a_page(chart: Chart, reply: Reply) -> None:
    if media_type(reply) == "text/html" and reply.status not in ABSENT | {401, 403}:
        raise Sick("E-DOC-07", f"{reply.status} {text_of(reply)}")


def _not_acceptable(_chart: Chart, reply: Reply) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §sending-messages."""
    if reply.status == 406:
        raise Sick("E-DOC-10", text_of(reply))


def _broken(_chart: Chart, reply: Reply) -> None:
    """RFC 9110 §15.6.1."""
    if reply.status >= 500:
        raise Sick("E-DOC-11", f"{reply.status} {text_of(reply)}")


def _elsewhere(chart: Chart) -> Walk[None]:
    """Nothing is at this path: perhaps at another, perhaps in the transport before this one."""
    asked = Ask("the old transport", "GET", chart.url, {"Accept": "text/event-stream"})
    old = yield from ask(asked)
    if b"event: endpoint" in old.body:
        raise Sick("E-DOC-09", chart.url)
    for place in _other_places(chart.url):
        sent = discover_request()
        tried = yield from ask(Ask("another path", "POST", place, sent.fields, sent.body))
        if speaks(tried) or (tried.status == 401 and tried.first("www-authenticate")):
            raise Sick("E-DOC-08", f"{chart.door.status} at {chart.url}", f"use {place}")
    raise Sick("E-DOC-08", f"{chart.door.status} {text_of(chart.door)}".strip())


def _other_places(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    for path in dict.fromkeys((parts.path.rstrip("/") + "/mcp", "/mcp")):
        if path != parts.path:
            yield origin(url) + path


def the_other_spelling_is_no_trap(chart: Chart) -> Walk[Finding]:
    """With and without the last slash, nobody is redirected: many clients drop the token then."""
    other = chart.url[:-1] if chart.url.endswith("/") else chart.url + "/"
    sent = discover_request()
    reply = yield from ask(Ask("the other spelling", "POST", other, sent.fields, sent.body))
    if reply.status in REDIRECTS:
        return warned("E-DOC-12", f"{reply.status} at {other}")
    return passed(f"{reply.status} at {other}")


def the_clocks_agree(chart: Chart) -> Finding:
    """Tokens and proofs carry times, which two machines must read alike. RFC 9110 §6.6.1."""
    try:
        theirs = parsedate_to_datetime(chart.door.first("date") or "").replace(tzinfo=UTC)
    except ValueError:
        return waived("the server sends no Date")
    seconds = round((theirs - chart.sources.clock()).total_seconds())
    if abs(seconds) > SKEW:
        return warned("E-DOC-13", f"{seconds:+d} s")
    return passed(f"{seconds:+d} s")


def a_web_page_may_call(chart: Chart) -> Walk[Finding]:
    """A page may send what MCP needs, and read what it answers. Fetch §3.3."""
    asking = {
        "Origin": INSPECTOR,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ",".join(SENT),
    }
    allowed = yield from ask(Ask("a preflight", "OPTIONS", chart.url, asking))
    missing = _missing(allowed, "access-control-allow-headers", SENT)
    if allowed.status >= 300 or not _opens(allowed) or missing:
        return warned("E-DOC-14", f"{allowed.status}, without {', '.join(missing) or 'the origin'}")
    shown = yield from send(chart, "a page's request", discover_request(), {"Origin": INSPECTOR})
    hidden = _missing(shown, "access-control-expose-headers", READ)
    if not _opens(shown) or hidden:
        return warned("E-DOC-14", f"{shown.status}, not readable: {', '.join(hidden) or 'all'}")
    return passed(INSPECTOR)


def _opens(reply: Reply) -> bool:
    return reply.first("access-control-allow-origin") in {"*", INSPECTOR}


def _missing(reply: Reply, name: str, wanted: tuple[str, ...]) -> list[str]:
    listed = {each.strip().lower() for each in (reply.first(name) or "").split(",")}
    return [] if "*" in listed else [each for each in wanted if each not in listed]

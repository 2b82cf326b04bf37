"""A server between any client and any MCP server, so that both can be watched.

It listens on this machine and sends on what it is sent. The client knows it by its own address and
the server by another, so the one is put in the place of the other in everything textual that
passes: in answers the proxy's for the server's, in requests the server's for the proxy's. That way
a `resource`, an issuer, a challenge and a redirect are what both sides compare them with; why, and
what cannot pass, is in docs/why. Event streams pass as they come. Next: `recorder.py`. RFC 9110 §7.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final
from urllib.parse import quote, urlsplit

import anyio
import httpx2

from catshop.inspector.recording import RecordingRefused
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.guard import LOOPBACK, Guard
from catshop.protocol.http1.messages import (
    STREAMED,
    Answer,
    ClientGone,
    Fields,
    Leave,
    Request,
    Sink,
    Streamed,
)

HOP: Final = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Fields that are for the next one alone. RFC 9110 §7.6.1."""

OURS: Final = frozenset({"host", "content-length", "accept-encoding", "expect"})
"""Fields of a request that the proxy writes itself; no coding, so that bodies can be read."""

COMMON: Final = frozenset({"date", "content-length", "x-content-type-options", "x-request-id"})
"""Fields of an answer that our own server writes."""

TEXTUAL: Final = re.compile(r"text/|application/(?:[\w.-]+\+)?json|application/x-www-form-urlenc")
MOST: Final = 8 * 1024 * 1024
"""The longest answer, but for an event stream."""

TIMEOUT: Final = httpx2.Timeout(30.0, connect=10.0, read=None)
"""An event stream may be silent for as long as it likes."""


def origin_of(url: str) -> str:
    """The scheme and authority of the server at `url`. RecordingRefused when it is none."""
    parts = urlsplit(url)
    odd = parts.username or parts.query or parts.fragment or not parts.hostname
    if parts.scheme not in {"http", "https"} or odd:
        raise RecordingRefused("E-PROXY-02", url)
    return f"{parts.scheme}://{parts.netloc}"


class Swap:
    """Puts `new` in the place of `old`, two origins, however they are spelled in a text."""

    def __init__(self, old: str, new: str) -> None:
        self._new = {spell(old): spell(new) for spell in SPELLINGS}
        spelled = "|".join(re.escape(each) for each in sorted(self._new, key=len, reverse=True))
        self._found = re.compile(rf"(?:{spelled})(?![\w.:-]|%3[Aa])".encode())

    def __call__(self, octets: bytes) -> bytes:
        """The same octets with the other origin."""
        return self._found.sub(lambda found: self._new[found[0].decode()].encode(), octets)

    def text(self, text: str) -> str:
        """A text of a head."""
        return self(text.encode("latin-1")).decode("latin-1")

    def split(self, octets: bytes) -> tuple[bytes, bytes]:
        """What can be sent on now, and the end of it that may be the beginning of an origin."""
        for size in range(min(len(octets), max(map(len, self._new))), 0, -1):
            if any(each.encode().startswith(octets[-size:]) for each in self._new):
                return self(octets[:-size]), octets[-size:]
        return self(octets), b""


SPELLINGS: Final = (
    str,
    lambda origin: quote(origin, safe=""),
    lambda origin: re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(origin, safe="")),
    lambda origin: origin.replace("/", "\\/"),
)
"""An origin as it stands in a field, in a parameter, and in JSON."""


@dataclass(slots=True)
class Proxy:
    """The handler: one request sent on to `server`, its answer sent back. `here` is our origin."""

    server: str
    here: str
    client: httpx2.AsyncClient
    guard: Guard = field(default_factory=Guard)

    async def __call__(self, request: Request) -> Answer | Streamed:
        """Pass one exchange. HttpError 421 for another host, 502 without an answer."""
        self.guard.check_host(request.head)
        there = Swap(self.here, self.server)
        path = request.head.target if request.head.target.startswith("/") else request.head.path
        sent = self.client.build_request(
            request.head.method,
            self.server,
            extensions={"target": there.text(path).encode("latin-1")},  # dots and all
            headers=list(self._onward(request.fields, there)),
            content=there(await request.body()),
        )
        try:
            answer = await self.client.send(sent, stream=True)
        except httpx2.TransportError as error:
            raise HttpError(502, "E-PROXY-01", arrived=type(error).__name__) from None
        try:
            return await self._back(request, answer)
        finally:
            await answer.aclose()

    def _onward(self, fields: Fields, swap: Swap) -> Iterator[tuple[str, str]]:
        """The fields of the request, as the server is to see them."""
        for name, value in passing(fields):
            if name not in OURS:
                yield name, swap.text(value)
        yield "accept-encoding", "identity"

    async def _back(self, request: Request, answer: httpx2.Response) -> Answer | Streamed:
        swap = Swap(self.server, self.here)
        given = [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in answer.headers.raw]
        kept = (each for each in passing(given) if each[0] not in COMMON)
        fields = tuple((name, swap.text(value)) for name, value in kept)
        kind = answer.headers.get("content-type", "")
        if kind.startswith("text/event-stream") and request.head.method != "HEAD":
            sink = await request.stream(answer.status_code, fields, leave=Leave.CANCELS)
            await _pass_on(answer, swap, sink)
            return STREAMED
        body = await _whole(answer)
        plain = TEXTUAL.match(kind) and "content-encoding" not in answer.headers
        return Answer(answer.status_code, fields, swap(body) if plain else body)


def passing(fields: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The fields that are for whoever comes after. RFC 9110 §7.6.1."""
    items = [(name.lower(), value) for name, value in fields]
    named = {
        option.strip().lower()
        for name, value in items
        if name == "connection"
        for option in value.split(",")
    }
    return (each for each in items if each[0] not in HOP | named)


async def _pass_on(answer: httpx2.Response, swap: Swap, sink: Sink) -> None:
    """What comes of a stream, at once, but for the beginning of an origin that is cut in two."""
    held = b""
    # Whoever wants no more cancels the reading: a generator that is left alone is never closed.
    with anyio.CancelScope() as scope:
        try:
            async for octets in answer.aiter_raw():
                ready, held = swap.split(held + octets)
                if not await _sent(sink, ready):
                    scope.cancel()
        except httpx2.TransportError as error:
            raise HttpError(502, "E-PROXY-01", arrived=type(error).__name__) from None
    if not scope.cancelled_caught:
        await sink.send(swap(held))


async def _sent(sink: Sink, octets: bytes) -> bool:
    """Whether somebody is still there."""
    try:
        if octets:
            await sink.send(octets)
    except ClientGone:
        return False
    return True


async def _whole(answer: httpx2.Response) -> bytes:
    """All of an answer, if it is not too long."""
    body = bytearray()
    with anyio.CancelScope() as scope:
        try:
            async for octets in answer.aiter_raw():
                body += octets
                if len(body) > MOST:
                    scope.cancel()
        except httpx2.TransportError as error:
            raise HttpError(502, "E-PROXY-01", arrived=type(error).__name__) from None
    if len(body) > MOST:
        raise HttpError(502, "E-PROXY-01", arrived=f"more than {MOST} octets")
    return bytes(body)


@asynccontextmanager
async def proxying(server: str, here: str) -> AsyncIterator[Proxy]:
    """A proxy for the server at the origin `server`, itself at `here`, until the context ends."""
    own = urlsplit(server).hostname or ""
    near = own in {name.strip("[]") for name in LOOPBACK}
    nobody = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # cookies are the client's to keep
    async with httpx2.AsyncClient(timeout=TIMEOUT, trust_env=not near, cookies=nobody) as client:
        client.headers.clear()
        yield Proxy(server, here, client)

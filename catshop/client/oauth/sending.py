"""The wire under the OAuth flows: one request, its answer, and no more of it than a document holds.

Redirects are not followed, because the address is part of what was decided, and cookies are not
kept, because a flow that needs them is the browser's. RFC 8414 §3.2; RFC 9728 §3.2.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import httpx2

from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.steps import Ask, Reply
from catshop.kernel import Kind, Trace

BODY = 262_144
"""Octets of a document that are read; metadata is a few thousand."""


SECONDS = 30
"""For a connection, and from one octet of an answer to the next."""

IN_ALL = 60
"""Seconds for the whole answer; who sends an octet now and then is not waited for."""


Enough = Callable[[str, bytes], bool]
"""Whether so much of a body, of this Content-Type, is all that is wanted."""


def to_its_end(_kind: str, _body: bytes) -> bool:
    """Read on."""
    return False


@asynccontextmanager
async def sending(trace: Trace, enough: Enough = to_its_end) -> AsyncIterator[Sender]:
    """A sender of one's own."""
    async with httpx2.AsyncClient(timeout=SECONDS) as http:
        yield Sender(http, trace, enough)


class Sender:
    """Sends over one client of httpx2, whose timeouts and trust in certificates are its own."""

    def __init__(self, http: httpx2.AsyncClient, trace: Trace, enough: Enough = to_its_end) -> None:
        self._http = http
        self._trace = trace
        self._enough = enough

    async def __call__(self, request: Ask) -> Reply:
        """The answer; SignInFailed where there is none, or too much of one."""
        self._show_request(request)
        try:
            with anyio.fail_after(IN_ALL):
                response, body = await self._exchange(request)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            arrived = f"{request.url.partition('?')[0]}: {type(error).__name__}"
            raise SignInFailed("E-OAC-24", arrived=arrived) from None
        reply = Reply(response.status_code, tuple(response.headers.multi_items()), body)
        self._show_reply(reply)
        return reply

    async def _exchange(self, request: Ask) -> tuple[httpx2.Response, bytes]:
        async with self._http.stream(
            request.method,
            request.url,
            headers=dict(request.headers),
            content=request.body or None,
            follow_redirects=False,
        ) as response:
            self._http.cookies.clear()
            return response, await _read(response, self._enough)

    def _show_request(self, request: Ask) -> None:
        self._trace.note(
            Kind.HTTP,
            "asked",
            method=request.method,
            url=request.url,
            fields=request.headers,
            body=request.body,
        )

    def _show_reply(self, reply: Reply) -> None:
        kind = reply.first("content-type") or ""
        self._trace.note(Kind.HTTP, "answered", status=reply.status, fields=dict(reply.headers))
        self._trace.note(Kind.HTTP, "content", type=kind, body=reply.body)


async def _read(response: httpx2.Response, enough: Enough) -> bytes:
    """The body; a stream is cut where it waits, since trio warns of one that is abandoned."""
    body = bytearray()
    with anyio.CancelScope() as scope:
        async for part in response.aiter_bytes():
            body += part
            if len(body) > BODY or enough(response.headers.get("content-type", ""), bytes(body)):
                scope.cancel()
    if len(body) > BODY:
        raise SignInFailed("E-OAC-23", arrived=f"more than {BODY} octets")
    return bytes(body)

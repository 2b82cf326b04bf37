"""The way back from the browser: a server on this machine that hears one redirect.

The authorization server sends the user's browser to an address of this machine, and the code with
it. So one listens on the loopback interface alone, for as long as the sign-in takes and for one
path, opens the page, or prints its address where no browser can be had, and tells the browser that
it can be closed. Any page can send a browser here, so what does not answer the request that is open
is not heard; whether what does is right is not decided here.
RFC 8252 §7.3, §8.3, §8.9; OAuth 2.1 §8.4.2.
"""

from __future__ import annotations

import webbrowser
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.to_thread
from anyio.abc import SocketListener

from catshop.client.oauth.errors import SignInFailed
from catshop.kernel import Trace
from catshop.limits import HttpLimits
from catshop.protocol.http1.guard import Cors, Guard
from catshop.protocol.http1.messages import NO_STORE, Answer, Request
from catshop.protocol.http1.routes import Route, Router
from catshop.protocol.http1.server import Server, bind, port_of

PATH: Final = "/callback"

SECONDS: Final = 300
"""How long somebody may take to find a password; a code would have ended long before."""

PAGE: Final = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Signed in - Cat Shop</title>"
    b"<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;"
    b"padding:0 1rem;color-scheme:light dark}</style>"
    b"<h1>You can close this page</h1><p>The answer has reached the program that asked for it."
)
"""Says nothing of how it went: that is told where the program runs."""

STRANGE: Final = PAGE.replace(b"Signed in", b"Not signed in").partition(b"<h1>")[0] + (
    b"<h1>Nobody waits for this</h1><p>Go back to the program, and begin again there."
)
"""For what answers no request that is open: an old tab, or a page that has no business here."""

FIELDS: Final = (
    ("content-type", "text/html; charset=utf-8"),
    NO_STORE,
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ("referrer-policy", "no-referrer"),
)
"""The page's address holds the code, and nothing may carry it further. RFC 9700 §4.2.4."""

Say = Callable[[str], None]


class Loopback:
    """A browser of the user's, and the address at which it comes back."""

    def __init__(self, port: int, say: Say, open_page: Callable[[str], bool]) -> None:
        self.redirect_uri = f"http://127.0.0.1:{port}{PATH}"
        self._say = say
        self._open_page = open_page
        self._arrived = anyio.Event()
        self._query = ""
        self._state: list[str] = []

    async def hear(self, request: Request) -> Answer:
        """The redirect; the first one with the state of the open request is the one that counts.

        RFC 8252 §8.9.
        """
        query = request.head.query
        if not self._state or _state(query) != self._state:
            return Answer(400, FIELDS, STRANGE)
        if not self._arrived.is_set():
            self._query = query
            self._arrived.set()
        return Answer(200, FIELDS, PAGE)

    async def visit(self, url: str) -> str:
        """Show the page, and wait for the redirect; its query. SignInFailed when none comes."""
        self._arrived, self._state = anyio.Event(), _state(urlsplit(url).query)
        opened = await anyio.to_thread.run_sync(self._open_page, url)
        where = " that opened" if opened else ""
        self._say(f"Sign in at {urlsplit(url).netloc}, in the browser{where}: {url}")
        with anyio.move_on_after(SECONDS):
            await self._arrived.wait()
            return self._query
        raise SignInFailed("E-OAC-25", arrived=f"nothing in {SECONDS} s")


def _state(query: str) -> list[str]:
    return parse_qs(query).get("state", [])


@asynccontextmanager
async def loopback(
    say: Say,
    *,
    ports: Sequence[int] = (0,),
    open_page: Callable[[str], bool] = webbrowser.open,
    trace: Trace | None = None,
) -> AsyncIterator[Loopback]:
    """Listen on the first of these ports that is free, until the context ends; 0 takes any."""
    listeners = await _listen(ports)
    browser = Loopback(port_of(listeners[0]), say, open_page)
    watched = trace or Trace()
    router = Router([Route(PATH, {"GET": browser.hear}, Cors.NONE)], Guard(), watched)
    server = Server(router, limits=HttpLimits(), trace=watched)
    async with anyio.create_task_group() as tasks:
        await tasks.start(partial(server.serve, listeners))
        yield browser
        server.stop()


async def _listen(ports: Sequence[int]) -> list[SocketListener]:
    for port in ports[:-1]:
        with suppress(OSError):
            return await bind(("127.0.0.1",), port)
    return await bind(("127.0.0.1",), ports[-1])


def nothing(_url: str) -> bool:
    """For --no-browser: the address is printed, and somebody opens it."""
    return False

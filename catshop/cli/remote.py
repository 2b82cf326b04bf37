"""A server somewhere, and us at the terminal: how the client commands open it and how they end.

Results go to stdout and everything else to stderr. What a command ends with says what went wrong:
0 it worked, 1 something else, 2 no sign-in, 3 the tool said no, 4 nobody there, 130 interrupted.
Next: `call.py`, `login.py`; `telling.py`, which knows these numbers.
"""

from __future__ import annotations

import secrets
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TypeVar
from urllib.parse import urlsplit

import anyio
import typer

from catshop.cli.callback import Loopback, loopback, nothing
from catshop.cli.forms import fill_in
from catshop.cli.wire import WirePrinter
from catshop.client.client import Client
from catshop.client.connect import Options, connect
from catshop.client.errors import ClientError
from catshop.client.inputs import Handlers
from catshop.client.oauth.account import Account
from catshop.client.oauth.memory import OnDisk
from catshop.client.oauth.registration import Introduction
from catshop.client.oauth.sending import sending
from catshop.client.oauth.sign_in import Way
from catshop.client.oauth.steps import Sources
from catshop.kernel import Trace, utc_now

T = TypeVar("T")

OURS: Final = "http://127.0.0.1:8000/mcp"
"""Where `catshop serve` is when nothing else was said."""

UrlOption = Annotated[str, typer.Option("--url", help="The address of the MCP server.")]
WireOption = Annotated[bool, typer.Option("--wire", help="Show every exchange, secrets hidden.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
NoBrowserOption = Annotated[
    bool, typer.Option("--no-browser", help="Print the address of the sign-in page instead.")
]
PortOption = Annotated[
    int, typer.Option("--callback-port", min=0, max=65535, help="Where the browser comes back to.")
]


class ToolFailed(ClientError):
    """The tool was called and says that it failed. MCP 2026-07-28 server/tools §error-handling."""


def credentials() -> Path:
    """The file of tokens of this user on this machine."""
    return Path(typer.get_app_dir("catshop")) / "client.json"


@dataclass(frozen=True, slots=True)
class Remote:
    """A server, and how we would sign in there."""

    url: str
    no_browser: bool = False
    callback_port: int = 0
    wire: bool = False
    portable: bool = False
    """Whether the token is for a program that cannot prove that it holds a key."""

    @property
    def host(self) -> str:
        """What the user knows the server by."""
        return urlsplit(self.url).netloc

    def run(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Open a client, do the work, and leave."""

        async def opened() -> T:
            async with self.client() as client:
                return await work(client)

        return anyio.run(opened)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client of the server that signs in when it is asked to."""
        trace = Trace()
        if self.wire:
            trace.observe(WirePrinter(partial(typer.echo, err=True)))
        handlers = Handlers(elicit=partial(fill_in, self.host))
        async with (
            self.account(trace) as account,
            connect(self.url, handlers, account, Options(trace=trace)) as client,
        ):
            yield client

    @asynccontextmanager
    async def account(self, trace: Trace) -> AsyncIterator[Account]:
        """Our standing at the server, kept on disk. The browser comes back to a port of ours."""
        store = OnDisk(credentials())
        async with AsyncExitStack() as stack:
            browser = await stack.enter_async_context(self._browser(store))
            send = await stack.enter_async_context(sending(trace))
            yield Account(
                self.url,
                Way(
                    Introduction("Cat Shop's command line", browser.redirect_uri),
                    portable=self.portable,
                ),
                store,
                send,
                browser=browser,
                sources=Sources(utc_now, partial(secrets.token_urlsafe, 32)),
            )

    @asynccontextmanager
    async def _browser(self, store: OnDisk) -> AsyncIterator[Loopback]:
        """At a port where a registration expects us, if one is free; else at any."""
        registered = (
            urlsplit(uri).port or 0
            for client in store.load().clients.values()
            for uri in client.redirect_uris
        )
        ports = (self.callback_port,) if self.callback_port else (*registered, 0)
        opener = nothing if self.no_browser else webbrowser.open
        say = partial(typer.echo, err=True)
        async with loopback(say, ports=ports, open_page=opener) as browser:
            yield browser

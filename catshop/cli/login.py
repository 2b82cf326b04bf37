"""`catshop login` and `logout`: sign in at a server once, for every later command.

What is kept is one file of the user's own. `--print-env` hands the access token to a shell, where
curl can use it; it is the one command that prints a secret, on stdout and nowhere else.
Next: `catshop/client/oauth/memory.py`.
"""

from __future__ import annotations

import secrets
import shlex
from functools import partial
from typing import Annotated
from urllib.parse import urlsplit

import anyio
import typer

from catshop.cli.remote import (
    OURS,
    NoBrowserOption,
    PortOption,
    Remote,
    UrlOption,
    WireOption,
    credentials,
)
from catshop.cli.wire import WirePrinter
from catshop.client.oauth.account import NoBrowser, run
from catshop.client.oauth.challenges import best
from catshop.client.oauth.discovery import identifiers
from catshop.client.oauth.grants import Tokens
from catshop.client.oauth.memory import Memory, OnDisk
from catshop.client.oauth.registration import Client
from catshop.client.oauth.revocation import revoke
from catshop.client.oauth.sending import sending
from catshop.client.oauth.steps import Ask, Sources
from catshop.kernel import Trace, utc_now


def login(
    *,
    url: UrlOption = OURS,
    print_env: Annotated[
        bool, typer.Option("--print-env", help="Print shell variables, the token among them.")
    ] = False,
    wire: WireOption = False,
    no_browser: NoBrowserOption = False,
    callback_port: PortOption = 0,
) -> None:
    """Sign in at a server, and keep what it gives."""
    remote = Remote(url, no_browser, callback_port, wire, portable=print_env)
    tokens = anyio.run(partial(_sign_in, remote))
    typer.echo(
        f"Signed in at {remote.host} for {' '.join(tokens.scopes) or 'its default'}.", err=True
    )
    if print_env:
        typer.echo(f"export MCP_URL={shlex.quote(url)}")
        typer.echo(f"export TOKEN={shlex.quote(tokens.access_token.reveal())}")


async def _sign_in(remote: Remote) -> Tokens:
    """The whole way, beginning as every client does: with a request that is refused."""
    trace = Trace()
    if remote.wire:
        trace.observe(WirePrinter(partial(typer.echo, err=True)))
    async with remote.account(trace) as account, sending(trace) as send:
        reply = await send(Ask("a request without a token", "POST", remote.url))
        return await account.sign_in(best(reply.every("www-authenticate")))


def logout(
    *,
    url: UrlOption = OURS,
    everything: Annotated[
        bool, typer.Option("--all", help="Forget every server and every registration.")
    ] = False,
) -> None:
    """Revoke what a server gave, and forget it."""
    store = OnDisk(credentials())
    if everything:
        credentials().unlink(missing_ok=True)
        typer.echo("Forgot every server.", err=True)
        return
    held = store.load().for_resource(identifiers(url))
    if held is None:
        typer.echo(f"Nothing is kept of {urlsplit(url).netloc}.", err=True)
        return
    store.change(lambda memory: memory.without(held.tokens.resource))
    anyio.run(partial(_revoke, store.load(), held.tokens))
    typer.echo(f"Signed out of {urlsplit(url).netloc}.", err=True)


async def _revoke(memory: Memory, tokens: Tokens) -> None:
    """Tell the server; what it does not hear ends by itself."""
    client = memory.clients.get(tokens.issuer, Client(tokens.client_id, method="none"))
    sources = Sources(utc_now, partial(secrets.token_urlsafe, 32))
    async with sending(Trace()) as send:
        await run(revoke(tokens, client, sources), send, NoBrowser())

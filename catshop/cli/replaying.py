"""`catshop replay`: send a recorded request again, and see what is different about the answer.

The token comes from the stored sign-in, or from `--set`; everything else as it was recorded, or
as `--set` says. Next: `catshop/inspector/again.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import anyio
import typer

from catshop.cli.remote import Remote
from catshop.client.oauth.account import Account
from catshop.client.oauth.sending import Sender, sending
from catshop.client.oauth.steps import Ask, Reply
from catshop.client.ports import Incoming, Next, Outgoing
from catshop.inspector.again import Again, again, changed, differences, whole
from catshop.inspector.exact import kept
from catshop.inspector.recording import Exchange, read
from catshop.inspector.redact import Redactor, printable
from catshop.kernel import Trace


def replay(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    number: Annotated[int, typer.Argument(help="The number of an exchange.")],
    *,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, for another value.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Another server: its scheme and host.")] = None,
) -> None:
    """Send a request again with fresh secrets, and show what its answer says otherwise."""
    exchange = read(file).exchanges.get(number, Exchange(number))
    request = again(exchange)
    for each in values or ():
        request = changed(request, *each.partition("=")[::2])
    request = whole(request)
    hosts = {name.lower(): value for name, value in exchange.request.fields}
    base = (url or f"http://{hosts.get('host', 'localhost')}").rstrip("/")
    reply = anyio.run(_sent, base, request)
    redactor = Redactor(secrets.token_bytes(32))
    body = kept(redactor, reply.first("content-type") or "", reply.body)[0]
    fields = tuple((name, redactor.header(name, value)) for name, value in reply.headers)
    typer.echo(f"{request.method} {printable(request.path)} at {base}", err=True)
    typer.echo(f"recorded {exchange.status}, now {reply.status}")
    for line in differences(exchange, reply.status, fields, body):
        typer.echo(printable(line))


async def _sent(base: str, request: Again) -> Reply:
    """The answer; where a token was shown, with the one that is stored, signed in if need be."""
    given = any(name.lower() == "authorization" for name, _ in request.fields)
    async with sending(Trace()) as send:
        if given or not request.tokened:
            return await _ask(send, base, request, {})
        async with Remote(f"{base}{request.path}").account(Trace()) as account:
            return await _proven(send, account, base, request)


async def _proven(send: Sender, account: Account, base: str, request: Again) -> Reply:
    outgoing = Outgoing(request.method, base + request.target(), dict(request.fields))
    shown = await account.proof(outgoing)
    reply = await _ask(send, base, request, shown)
    arrived = Incoming(reply.status, reply.headers, reply.body)
    tried = Outgoing(outgoing.method, outgoing.url, {**outgoing.fields, **shown})
    if await account.after(tried, arrived) is Next.AGAIN:
        return await _ask(send, base, request, await account.proof(outgoing))
    return reply


async def _ask(send: Sender, base: str, request: Again, shown: Mapping[str, str]) -> Reply:
    fields = {**dict(request.fields), **shown}
    url, body = base + request.target(), request.body.encode()
    return await send(Ask("a request that was recorded", request.method, url, fields, body))

"""Every command, one module a group, and the one door by which errors leave.

A command prints its result on stdout and everything else on stderr. What an operator can mend is
told in one message with the next step, without a stack; anything else is a fault of ours and shows
one. Next: `serve.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import typer
from rich.console import Console

from catshop.catalogue import explain
from catshop.cli import (
    call,
    checks,
    clients,
    connect,
    consents,
    explaining,
    keys,
    login,
    serve,
    tokens,
    users,
)
from catshop.cli.remote import status_of
from catshop.client.errors import ClientError, ServerError
from catshop.client.oauth.errors import printable
from catshop.config import ConfigError
from catshop.kernel import Unavailable
from catshop.oauth.administration import Mistake
from catshop.oauth.errors import OAuthError
from catshop.storage.faults import StartRefused
from catshop.tools.products import CatalogRefused

app = typer.Typer(
    name="catshop",
    help="A small shop behind an MCP server and an OAuth 2.1 authorization server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("serve")(serve.serve)
app.command("stdio")(serve.stdio)
app.command("call")(call.call)
app.command("tools")(call.tools)
app.command("resources")(call.resources)
app.command("prompts")(call.prompts)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("connect")(connect.connect)
app.command("config")(checks.config)
app.command("selfcheck")(checks.selfcheck)
app.command("explain")(explaining.explain)
app.add_typer(users.app, name="user")
app.add_typer(clients.app, name="client")
app.add_typer(tokens.app, name="token")
app.add_typer(consents.app, name="consent")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run one command; its exit status is 0, 1 when it could not, 2 when it was called wrongly."""
    try:
        app()
    except Exception as error:
        told = [line for cause in _causes(error) for line in _say(cause)]
        if not told:
            raise
        Console(stderr=True, soft_wrap=True, highlight=False).print("\n".join(told), markup=False)
        sys.exit(max(map(status_of, _causes(error))))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, or those that a task group gathered."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error


def _say(error: BaseException) -> Iterator[str]:
    """What an operator is told of an error that can be mended."""
    match error:
        case ConfigError() | StartRefused() | CatalogRefused() | serve.CannotListen():
            yield f"catshop: {error}"
        case explaining.NoSuchCode():
            yield f"catshop: {error}"
        case Mistake() | ClientError():
            yield _told(error.code, error.arrived)
        case ServerError():
            yield f"catshop: the server says {printable(str(error))}"
        case OAuthError():
            yield _told(error.reference, error.arrived)
        case Unavailable():
            yield _told(error.code, error.detail)


def _told(code: str, arrived: str) -> str:
    words = explain(code)
    came = f" ({arrived})" if arrived else ""
    fix = words.fix.rstrip(".")
    return f"catshop: {code}: {words.title}{came}. Expected {words.expected}. {fix}."

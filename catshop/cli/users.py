"""`catshop user`: accounts, by hand.

The rules are those of the sign-up page; a password is typed without being shown, or read from a
pipe, and never a command-line argument, where others could see it. Next: `tokens.py`.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from catshop.app import House
from catshop.cli.options import ConfigOption, DatabaseOption, configured, in_house
from catshop.kernel import Secret

app = typer.Typer(help="Add, list, switch off and remove accounts.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="2 to 30 letters, digits, - and _.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@app.command()
def add(
    name: Name,
    *,
    password_stdin: FromStdin = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Open an account."""
    password = _password(from_stdin=password_stdin)

    async def ask(house: House) -> None:
        await house.administration.add_user(name, password)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{name} can sign in.", err=True)


@app.command("list")
def list_users(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Print every account, one a line: name, since when, and whether it is switched off."""

    async def ask(house: House) -> None:
        for user in await house.administration.users():
            state = "active" if user.active else "disabled"
            typer.echo(f"{user.name}\t{user.created_at:%Y-%m-%d}\t{state}")

    in_house(configured(database=database, config=config), ask)


@app.command()
def remove(name: Name, *, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Delete an account with everything that was granted in its name."""

    async def ask(house: House) -> None:
        await house.administration.remove_user(name)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{name} is gone.", err=True)


@app.command()
def disable(name: Name, *, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Switch an account off: nobody signs in to it, and its tokens are refused."""

    async def ask(house: House) -> None:
        await house.administration.disable_user(name)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{name} is switched off.", err=True)


@app.command()
def enable(name: Name, *, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Switch an account on again."""

    async def ask(house: House) -> None:
        await house.administration.enable_user(name)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{name} can sign in again.", err=True)


@app.command()
def password(
    name: Name,
    *,
    password_stdin: FromStdin = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Change a password; every session and token of the user ends."""
    chosen = _password(from_stdin=password_stdin)

    async def ask(house: House) -> None:
        await house.administration.set_password(name, chosen)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{name} has a new password and has to sign in again everywhere.", err=True)


Issuer = Annotated[str, typer.Option(help="The issuer, as `iss` says it.")]
Subject = Annotated[str, typer.Option(help="Its name for the user, as `sub` says it.")]


@app.command()
def link(
    name: Name,
    *,
    issuer: Issuer,
    subject: Subject,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Believe a trusted issuer that its subject is this user."""

    async def ask(house: House) -> None:
        await house.administration.link(issuer, subject, user=name)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{subject} of {issuer} is {name}.", err=True)


@app.command()
def unlink(
    *,
    issuer: Issuer,
    subject: Subject,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Believe it no more, of a user or of an application."""

    async def ask(house: House) -> None:
        await house.administration.unlink(issuer, subject)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{subject} of {issuer} is nobody.", err=True)


@app.command()
def links(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Print everybody that is linked, one a line: issuer, subject, and the id of who that is."""

    async def ask(house: House) -> None:
        for link in await house.administration.links():
            typer.echo("\t".join((link.issuer, link.subject, str(link.user_id or link.client_id))))

    in_house(configured(database=database, config=config), ask)


def _password(*, from_stdin: bool) -> Secret:
    """The password, from the pipe or typed twice."""
    if from_stdin:
        try:
            return Secret(sys.stdin.readline().rstrip("\r\n"))
        except UnicodeDecodeError as error:
            raise typer.BadParameter(f"The password is no {error.encoding} text.") from None
    return Secret(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))

"""`catshop token`: access tokens for a terminal, without a browser.

`issue` prints the token and nothing else, so that a shell can keep it:
`TOKEN=$(catshop token issue --user alice --scope "read write")`. Nobody can print it again.
"""

from __future__ import annotations

import secrets
from datetime import UTC
from typing import Annotated

import typer

from catshop.app import House
from catshop.cli.options import (
    ConfigOption,
    DatabaseOption,
    IssuerOption,
    configured,
    in_house,
)
from catshop.conversions import TEN_YEARS
from catshop.kernel import Secret
from catshop.oauth.scopes import parse

app = typer.Typer(help="Issue, list and revoke access tokens.", no_args_is_help=True)


@app.command()
def issue(
    user: Annotated[str, typer.Option(help="Whose token it is.")],
    *,
    scope: Annotated[str, typer.Option(help="Scopes, separated by spaces.")] = "read",
    ttl: Annotated[
        int | None, typer.Option(help="Seconds until it expires.", min=1, max=TEN_YEARS)
    ] = None,
    create_user: Annotated[
        bool, typer.Option("--create-user", help="Open the account if there is none.")
    ] = False,
    issuer: IssuerOption = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Print one access token for a user."""
    settings = configured(issuer=issuer, database=database, config=config)

    async def ask(house: House) -> Secret:
        administration = house.administration
        known = {account.name for account in await administration.users()}
        if create_user and user not in known:
            await administration.add_user(user, Secret(secrets.token_urlsafe(32)))
            typer.echo(
                f"{user} is new. To sign in on the page: catshop user password {user}", err=True
            )
        seconds = settings.limits.oauth.access_seconds if ttl is None else ttl
        token, _ = await administration.issue_token(user, parse(scope), seconds)
        return token

    typer.echo(in_house(settings, ask).reveal())


@app.command("list")
def list_tokens(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Print every good token, one a line: id, user, client, scopes, audience, expiry."""

    async def ask(house: House) -> None:
        for found in await house.administration.tokens():
            owner = found.user.name if found.user else "-"
            scopes = " ".join(sorted(found.token.scopes))
            expiry = found.token.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            family = found.family
            typer.echo(
                "\t".join(
                    (found.token.id, owner, family.client_id, scopes, family.resource, expiry)
                )
            )

    in_house(configured(database=database, config=config), ask)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="The id that `catshop token list` shows.")],
    *,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """End a token and everything that was granted with it."""

    async def ask(house: House) -> None:
        await house.administration.revoke_token(token_id)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{token_id} is revoked; a running shop stops taking it within seconds.", err=True)

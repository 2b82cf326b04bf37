"""`catshop consent`: what users have granted to applications, and taking it back.

The same as the page `/apps` shows to each user. Next: `tokens.py`, for a single token.
"""

from __future__ import annotations

from typing import Annotated

import typer

from catshop.app import House
from catshop.cli.options import ConfigOption, DatabaseOption, configured, in_house
from catshop.oauth.scopes import common, write

app = typer.Typer(help="List and take back what users have granted.", no_args_is_help=True)


@app.command("list")
def list_consents(
    *,
    user: Annotated[str | None, typer.Option(help="Only what this user has granted.")] = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Print every grant, one a line: user, client id, name, scopes, since, last used."""

    async def ask(house: House) -> None:
        for owner, held in await house.administration.apps(user):
            scopes = write(common(held.scopes, held.scopes))
            days = (f"{held.since:%Y-%m-%d}", f"{held.used_at:%Y-%m-%d}")
            typer.echo("\t".join((owner.name, held.client_id, held.name, scopes, *days)))

    in_house(configured(database=database, config=config), ask)


@app.command()
def revoke(
    user: Annotated[str, typer.Argument(help="Whose consent it is.")],
    client_id: Annotated[str, typer.Argument(help="The id that `catshop consent list` shows.")],
    *,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """End every token that the client holds for the user, and forget the consent."""

    async def ask(house: House) -> None:
        await house.administration.revoke_consent(user, client_id)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{client_id} may do nothing for {user} any more.", err=True)

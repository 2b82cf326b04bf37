"""`catshop keys`: the keys that sign access tokens, when they are JWTs.

`rotate` begins a new key and lets the old ones run out. Both are published meanwhile, so nobody has
to be told and no token fails. Next: `catshop/oauth/keys.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from catshop.app import House
from catshop.cli.options import ConfigOption, DatabaseOption, configured, in_house

app = typer.Typer(help="List and rotate the keys that sign access tokens.", no_args_is_help=True)


@app.command("list")
def list_keys(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Print every published key, one a line: kid, when it begins to sign, when it ends."""

    async def ask(house: House) -> None:
        for key in await house.administration.keyring.all():
            ends = _moment(key.expires_at) if key.expires_at else "-"
            typer.echo("\t".join((key.kid, _moment(key.signs_from), ends)))

    in_house(configured(database=database, config=config), ask)


@app.command()
def rotate(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Begin a new key, and print its kid."""

    async def ask(house: House) -> None:
        key = await house.administration.keyring.rotate()
        typer.echo(key.kid)
        typer.echo(f"It signs from {_moment(key.signs_from)} on.", err=True)

    in_house(configured(database=database, config=config), ask)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

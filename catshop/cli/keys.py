"""`catshop keys`: the keys that sign access tokens, when they are JWTs.

`rotate` begins a new key and lets the old ones run out. Both are published meanwhile, so nobody has
to be told and no token fails. Next: `catshop/oauth/keys.py`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from catshop.app import House
from catshop.cli.options import ConfigOption, DatabaseOption, configured, in_house
from catshop.conversions import SigningAlgorithm as Algorithm
from catshop.oauth.settings import SigningAlgorithm

app = typer.Typer(help="List and rotate the keys that sign access tokens.", no_args_is_help=True)


@app.command("list")
def list_keys(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Print every published key, one a line: kid, from when it signs, when it ends, with what."""

    async def ask(house: House) -> None:
        for key in await house.administration.keyring.all():
            ends = _moment(key.expires_at) if key.expires_at else "-"
            algorithm = json.loads(key.public)["alg"]
            typer.echo("\t".join((key.kid, _moment(key.signs_from), ends, algorithm)))

    in_house(configured(database=database, config=config), ask)


@app.command()
def rotate(
    *,
    alg: Annotated[
        Algorithm | None, typer.Option(help="What it signs with; unset, token_algorithm.")
    ] = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Begin a new key, and print its kid."""
    wanted = None if alg is None else SigningAlgorithm(alg)

    async def ask(house: House) -> None:
        key = await house.administration.keyring.rotate(wanted)
        typer.echo(key.kid)
        typer.echo(f"It signs from {_moment(key.signs_from)} on.", err=True)

    in_house(configured(database=database, config=config), ask)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

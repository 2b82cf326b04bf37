"""`catshop client`: applications that the operator knows, added by hand.

They stay until they are removed by hand, and are there although registration may be closed. `add`
prints what a registration would have been answered, the secret among it; nobody can print that
again. Next: `catshop/oauth/clients.py`, whose rules hold here, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from catshop.app import House
from catshop.cli.options import ConfigOption, DatabaseOption, configured, in_house
from catshop.oauth import strict

app = typer.Typer(help="Add, list and remove applications.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What users see on the consent page.")],
    *,
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where codes may go; give it once for each.")
    ] = None,
    grant: Annotated[
        list[str] | None, typer.Option(help="A grant_type; unset, what fits the addresses.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="token_endpoint_auth_method; unset, what fits the grants.")
    ] = None,
    jwks: Annotated[
        Path | None,
        typer.Option(
            help="A file with its public keys, for private_key_jwt.", exists=True, dir_okay=False
        ),
    ] = None,
    jwks_uri: Annotated[
        str | None, typer.Option(help="The address at which it keeps its public keys instead.")
    ] = None,
    scope: Annotated[str, typer.Option(help="Scopes that it may ask for; unset, all.")] = "",
    serves: Annotated[
        str | None, typer.Option(help="The resource that it is the server of, to introspect for.")
    ] = None,
    dpop: Annotated[
        bool, typer.Option("--dpop", help="Give it no token that is not bound to a key.")
    ] = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Add an application, and print its client_id and its secret, if it has one."""
    told = {
        "client_name": name,
        "redirect_uris": redirect_uri,
        "grant_types": grant,
        "token_endpoint_auth_method": method,
        "jwks": _keys(jwks) if jwks else None,
        "jwks_uri": jwks_uri,
        "scope": scope,
        "dpop_bound_access_tokens": dpop,
    }
    metadata = {member: value for member, value in told.items() if value}

    async def ask(house: House) -> None:
        answer = await house.administration.add_client(metadata, serves)
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))

    in_house(configured(database=database, config=config), ask)


@app.command("list")
def list_clients(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Print every application, one a line: id, name, who brought it, method, grants, since when."""

    async def ask(house: House) -> None:
        for client in await house.administration.clients():
            shown = (client.origin, client.auth_method, " ".join(client.grant_types))
            since = f"{client.created_at:%Y-%m-%d}"
            typer.echo("\t".join((client.id, client.name, *shown, since)))

    in_house(configured(database=database, config=config), ask)


@app.command()
def remove(
    client_id: Annotated[str, typer.Argument(help="The id that `catshop client list` shows.")],
    *,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove an application with everything that was granted to it."""

    async def ask(house: House) -> None:
        await house.administration.remove_client(client_id)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{client_id} is gone.", err=True)


@app.command()
def link(
    client_id: Annotated[str, typer.Argument(help="The id that `catshop client list` shows.")],
    *,
    issuer: Annotated[str, typer.Option(help="The platform's issuer, as `iss` says it.")],
    subject: Annotated[str, typer.Option(help="The workload, as `sub` says it.")],
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Believe a trusted platform that its workload is this application; `user unlink` ends it."""

    async def ask(house: House) -> None:
        await house.administration.link(issuer, subject, client_id=client_id)

    in_house(configured(database=database, config=config), ask)
    typer.echo(f"{subject} of {issuer} is {client_id}.", err=True)


def _keys(file: Path) -> object:
    """What the file holds; whether it is a set of public keys, registration says."""
    try:
        return strict.members(file.read_bytes())
    except ValueError as error:
        raise typer.BadParameter(f"{file} is no JSON object: {error}") from None

"""`catshop config` and `catshop selfcheck`: what is set, and whether it works here.

The first prints every setting with its origin, the second opens the shop without a socket and asks
each plane one thing, so that a newcomer sees which one is at fault. Next: `options.py`.
"""

from __future__ import annotations

from enum import StrEnum
from importlib.metadata import version
from typing import Annotated

import typer

from catshop.app import House
from catshop.cli.options import ConfigOption, DatabaseOption, configured, in_house
from catshop.oauth import metadata
from catshop.protocol.versions import REVISIONS
from catshop.tools.composition import tools


class Layer(StrEnum):
    """One plane, or the store below it."""

    STORAGE = "storage"
    OAUTH = "oauth"
    PROTOCOL = "protocol"
    TOOLS = "tools"


def config(*, config: ConfigOption = None) -> None:
    """Print every setting: its name, its value, where that came from, and what it is for."""
    for setting in configured(config=config).settings():
        typer.echo(f"{setting.variable}={_shown(setting.value)}\t# {setting.origin}: {setting.doc}")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def selfcheck(
    *,
    layer: Annotated[
        Layer | None, typer.Option(help="Only this one; all of them otherwise.")
    ] = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Open the shop without a socket and ask each plane one thing."""
    settings = configured(database=database, config=config)
    checks = {
        Layer.STORAGE: _storage,
        Layer.OAUTH: _oauth,
        Layer.PROTOCOL: _protocol,
        Layer.TOOLS: _tools,
    }

    async def ask(house: House) -> None:
        for name in [layer] if layer else list(Layer):
            typer.echo(f"{name}\tOK\t{await checks[name](house)}")

    in_house(settings, ask)


async def _storage(house: House) -> str:
    rows = await house.database.all("SELECT id FROM products")
    return f"{house.config.database}: {len(rows)} products"


async def _oauth(house: House) -> str:
    document = metadata.server(house.administration.settings)
    users = await house.administration.users()
    return f"{document['issuer']}: {len(users)} accounts"


async def _protocol(house: House) -> str:
    names = ", ".join(revision.name for revision in REVISIONS)
    return f"{house.dispatcher.server.name} with mcp {version('mcp')}: {names}"


async def _tools(_house: House) -> str:
    return ", ".join(tools())

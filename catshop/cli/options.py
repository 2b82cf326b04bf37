"""Options that several commands share, and how a command gets to the shop.

Flags become one `Config` together with the environment and the file; a command that needs no
socket opens the house on it, asks one thing, and leaves. Next: `catshop/config.py`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.util import find_spec
from typing import Annotated, TypeVar

import anyio
import typer

from catshop.app import House, open_house
from catshop.config import Config, from_process
from catshop.conversions import Backend

T = TypeVar("T")

DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="The database file.", show_default="catshop.db")
]
IssuerOption = Annotated[
    str | None, typer.Option("--issuer", help="The URL by which clients know the shop.")
]
ConfigOption = Annotated[str | None, typer.Option("--config", help="A TOML file with settings.")]


def configured(**flags: object) -> Config:
    """The configuration of this process, with these flags on top."""
    return from_process(flags, os.environ)


def run(config: Config, work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` on the configured event loop, uvloop where it is installed."""
    if config.backend is Backend.TRIO:
        return anyio.run(work, backend="trio")
    options = {"use_uvloop": find_spec("uvloop") is not None}
    return anyio.run(work, backend="asyncio", backend_options=options)


def in_house(config: Config, ask: Callable[[House], Awaitable[T]]) -> T:
    """Open the house without its socket, and ask it one thing."""

    async def work(ask: Callable[[House], Awaitable[T]]) -> T:
        async with open_house(config) as house:
            return await ask(house)

    return run(config, partial(work, ask))

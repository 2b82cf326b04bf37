"""What the doctor can see of this machine: Python, the database, the port, the issuer.

Nothing is made and no schema is changed: a database that is not there yet is none to complain of,
and an old one is brought up to date by the next start of the shop. Only where a shop is open does
somebody come to see it, and leaves nothing behind. Next: `doctor.py`.
"""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from catshop.app import open_house
from catshop.cli import sdk
from catshop.cli.holder import holder_of
from catshop.cli.options import configured, run
from catshop.client.doctor.chart import Finding, Sick, Visitor, failed, passed
from catshop.client.doctor.ladder import NOT_RUN, Rung, named, stopped
from catshop.client.oauth.steps import LOCAL
from catshop.config import Config
from catshop.kernel import Secret, Trace, Unavailable
from catshop.storage.faults import StartRefused
from catshop.storage.migrate import migrations
from catshop.storage.sqlite import SqliteDatabase


async def python_and_the_sdk_fit(_config: Config) -> Finding:
    """The command would not have started otherwise; this says which they are."""
    return passed(f"Python {platform.python_version()}, mcp {sdk()}")


async def the_database_is_sound(config: Config) -> Finding:
    """A file of ours, whole, with products in it; or a folder in which one can be made."""
    path = Path(config.database)
    if _made_later(path):
        return passed(f"{path} will be made")
    try:
        return await _read(path, config)
    except (StartRefused, Unavailable) as error:
        raise Sick("E-DOC-38", str(error)) from None


def _made_later(path: Path) -> bool:
    """Whether there is no file yet, and could be one; Sick where there could not."""
    if path.exists():
        return False
    if not os.access(path.parent, os.W_OK):
        raise Sick("E-DOC-38", f"{path.parent} cannot be written")
    return True


async def _read(path: Path, config: Config) -> Finding:
    database = SqliteDatabase.open(path, config.limits.storage, Trace())
    try:
        tables = {str(row["name"]) for row in await database.all("SELECT name FROM sqlite_master")}
        if "migrations" not in tables:
            return passed(f"{path} is empty")
        newest = await database.one("SELECT max(number) AS number FROM migrations")
        products = await database.one("SELECT count(*) AS number FROM products")
    finally:
        await database.close()
    has, knows = int((newest and newest["number"]) or 0), migrations()[-1].number
    stock = int((products and products["number"]) or 0)
    if has > knows:
        raise Sick("E-DOC-38", f"{path} has schema {has}, and this program knows {knows}")
    return passed(f"{path}: schema {has}, {stock} products")


async def the_port_is_told(config: Config) -> Finding:
    """Who holds it; whether that is the shop is for the ladder to find out."""
    holder = holder_of(config.port)
    return passed(f"{config.port}, {f'held by {holder}' if holder else 'free'}")


async def the_issuer_is_what_clients_type(config: Config) -> Finding:
    """The name by which the shop is known is its own address, or a public one. RFC 8414 §3.3."""
    named = urlsplit(config.issuer)
    if named.hostname in LOCAL and (named.port or 80) != config.port:
        served = f"http://{config.host}:{config.port}"
        told = f"ISSUER_URL={config.issuer}, listening on {config.host}:{config.port}"
        raise Sick("E-DOC-39", told, f"catshop serve --issuer {served}")
    return passed(config.issuer)


Look = Callable[[Config], Awaitable[Finding]]

LOCALS: Final[tuple[Look, ...]] = (
    python_and_the_sdk_fit,
    the_database_is_sound,
    the_port_is_told,
    the_issuer_is_what_clients_type,
)
"""In the order in which a start of the shop comes past each."""


def examined() -> tuple[tuple[Rung, ...], str]:
    """Every local check, up to the first that fails, and the URL that clients are given."""
    config = configured()
    return run(config, partial(_examine, config)), f"{config.issuer}/mcp"


async def _examine(config: Config) -> tuple[Rung, ...]:
    rungs: list[Rung] = []
    for number, look in enumerate(LOCALS, 1):
        needs = stopped(rungs)
        finding = NOT_RUN if needs else await _look(look, config)
        rungs.append(Rung(number, named(look), finding, needs))
    return tuple(rungs)


async def _look(look: Look, config: Config) -> Finding:
    try:
        return await look(config)
    except Sick as sick:
        return failed(sick)


class Guests:
    """Visitors of the shop that is configured here: each has an account until all leave."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._names: list[str] = []

    async def admit(self) -> Visitor:
        """Open an account, as `catshop user add` does; Sick where the house cannot be opened."""
        name, password = f"doctor-{secrets.token_hex(6)}", Secret(secrets.token_urlsafe(32))
        try:
            async with open_house(self._config) as house:
                self._names.append(name)
                await house.administration.add_user(name, password)
        except (StartRefused, Unavailable) as error:
            raise Sick("E-DOC-38", str(error)) from None
        return Visitor(name, password)

    async def leave(self) -> None:
        """Remove the accounts, with all that was granted in their names."""
        if not self._names:
            return
        async with open_house(self._config) as house:
            there = {user.name for user in await house.administration.users()}
            for name in there.intersection(self._names):
                await house.administration.remove_user(name)


def expected() -> Guests | None:
    """Who may come to see the shop; None where it is empty yet, or users sign in elsewhere."""
    config = configured()
    at_home = Path(config.database).exists() and not (
        config.upstream_issuer or config.external_issuer
    )
    return Guests(config) if at_home else None

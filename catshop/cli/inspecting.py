"""`catshop serve --inspect`: the inspector beside the shop, on a port of its own.

Loaded only when it is asked for, so that a server for others has none of it. It refuses to start
unless host and issuer are names of this machine, watches through the trace, and prints its link
once. `catshop trace FILE --inspect` shows a recording in the same pages, without the shop.
Next: `catshop/inspector/web/desk.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from signal import Signals
from typing import Final
from urllib.parse import urlsplit

import anyio

from catshop.app import Beside, House, alone, mint
from catshop.cli.hosts import HOSTS
from catshop.cli.hosts import Server as Told
from catshop.cli.playing import play
from catshop.config import Config
from catshop.inspector.beside import check_place
from catshop.inspector.gifts import server_of
from catshop.inspector.recording import Recording
from catshop.inspector.redact import Redactor
from catshop.inspector.web.desk import Desk, Ports, Snippet
from catshop.inspector.web.entry import Entry
from catshop.inspector.web.explained import Explaining
from catshop.inspector.web.frame import Place
from catshop.inspector.web.stepper import Ahead, Stepper
from catshop.inspector.web.store import Raw
from catshop.inspector.web.switches import Faulty
from catshop.kernel import Secret, Trace
from catshop.limits import HttpLimits
from catshop.oauth import metadata
from catshop.oauth.authorize import AUTHORIZE
from catshop.oauth.client_auth import CLIENT
from catshop.oauth.grants import CODE
from catshop.protocol.http1.messages import Handler
from catshop.protocol.http1.server import Server, bind, port_of
from catshop.storage.sqlite import SqliteDatabase

HOST: Final = "127.0.0.1"

ROWS: Final = 100
"""Of each table, the latest."""

CONNECTIONS: Final = 64
"""A few browsers of one developer."""


class Inspector:
    """Stands beside a house while it is served."""

    def __init__(
        self,
        config: Config,
        trace: Trace,
        tell: Callable[[str], None],
        faulty: Faulty | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        check_place(config.host, config.issuer)
        self._trace = trace
        self._redactor = redactor or Redactor(mint().encode())
        self._tell = tell
        self._faulty = faulty

    def around(self, inner: Beside = alone) -> Beside:
        """The same as `inner`, with the pages beside it for as long as the house is served."""

        @asynccontextmanager
        async def beside(house: House) -> AsyncIterator[Handler]:
            stepper = Stepper(ahead(house.config), self._redactor)
            async with inner(house) as handler, self._served(house, stepper) as origin:
                yield Explaining(stepper.before(handler), f"{origin}/-/explain/")

        return beside

    @asynccontextmanager
    async def _served(self, house: House, stepper: Stepper) -> AsyncIterator[str]:
        """The pages, at the origin that is handed out."""
        place = Place(house.config.issuer, self._fault)
        own = SqliteDatabase.open(Path(house.config.database), house.config.limits.storage, Trace())
        read, told = partial(tables, own), snippets(place)
        ports = Ports(read, stepper, told, self._faulty, play(house))
        link = mint()
        desk = Desk(place, entered_by(link), self._redactor, ports)
        stop = self._trace.observe(desk.recorder)
        async with opened(desk, house.config.limits.http) as origin:
            self._tell(f"{origin}/-/?t={link}")
            try:
                yield origin
            finally:
                stop()
                await own.close()

    def _fault(self) -> str:
        return (self._faulty.fault if self._faulty else None) or ""


def entered_by(link: str) -> Entry:
    """The door that opens to this link once."""
    return Entry(*map(Secret, (link, mint(), mint())))


@asynccontextmanager
async def opened(desk: Desk, limits: HttpLimits) -> AsyncIterator[str]:
    """The pages of a desk on a free port of this machine; hands out their origin."""
    listeners = await bind((HOST,), 0)
    port = port_of(listeners[0])
    limits = replace(limits, connections=CONNECTIONS)
    server = Server(desk.router(port), limits=limits, trace=Trace())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, listeners)
        tasks.start_soon(desk.follow)
        yield f"http://{HOST}:{port}"
        tasks.cancel_scope.cancel()


async def show(recording: Recording, tell: Callable[[str], None]) -> None:
    """The pages of a recording, until Ctrl-C or SIGTERM."""
    link, redactor = mint(), Redactor(mint().encode())
    base = server_of(recording.exchanges.values(), recording.started.url)
    desk = Desk(Place(base), entered_by(link), redactor, Ports())
    desk.show(recording)
    async with opened(desk, HttpLimits()) as origin:
        tell(f"{origin}/-/?t={link}")
        with anyio.open_signal_receiver(Signals.SIGINT, Signals.SIGTERM) as received:
            await anext(received)


def ahead(config: Config) -> Ahead:
    """What the server decides at each stop of a sign-in, as its own tables of checks say it."""
    top = urlsplit(config.issuer).path.rstrip("/")
    authorize = tuple(name for name, _ in AUTHORIZE)
    redeem = tuple(name for table in (CLIENT, CODE) for name, _ in table)
    return {
        ("POST", f"{top}{metadata.REGISTER}"): ("registration",),
        ("GET", f"{top}{metadata.AUTHORIZE}"): authorize,
        ("POST", f"{top}/login"): ("form.token", "login.password"),
        ("POST", f"{top}/consent"): ("form.token", "consent.given"),
        ("POST", f"{top}{metadata.TOKEN}"): redeem,
        ("POST", f"{top}{metadata.REVOKE}"): tuple(name for name, _ in CLIENT),
    }


async def tables(database: SqliteDatabase) -> list[Raw]:
    """Every table with its latest rows, read on a connection of our own that nobody watches."""
    found = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    names = [str(row["name"]) for row in await database.all(found + " ORDER BY name")]
    return [await _table(database, name) for name in names]


async def _table(database: SqliteDatabase, name: str) -> Raw:
    known = await database.all("SELECT name FROM pragma_table_info(?)", name)
    columns = tuple(str(row["name"]) for row in known)
    quoted = f'"{name}"'  # from the schema, which is ours
    latest = f"SELECT * FROM {quoted} ORDER BY rowid DESC LIMIT {ROWS}"  # noqa: S608 - see above
    rows = [tuple(row[each] for each in columns) for row in await database.all(latest)]
    counted = await database.one(f"SELECT count(*) AS n FROM {quoted}")  # noqa: S608 - see above
    return Raw(name, columns, rows, int(str(counted["n"])) if counted else 0)


def snippets(place: Place) -> tuple[Snippet, ...]:
    """What `catshop connect` prints, for every program."""
    server = Told("catshop", f"{place.base}/mcp")
    return tuple(Snippet(host.title, server.text(host), tuple(server.then(host))) for host in HOSTS)

"""A shop whose checks can be broken while it runs: what `catshop serve --lab` puts around it.

It refuses to be anywhere but on this machine, because a shop with a fault on is a shop that can be
robbed. Everything that it prints or answers names the fault. Next: `catshop/cli/breaking.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final, Protocol
from urllib.parse import urlsplit

import anyio

from catshop.app import House
from catshop.config import Config
from catshop.inspector.beside import LOOPBACK
from catshop.kernel import Trace
from catshop.lab.bench import Bench, Obeying, bench
from catshop.lab.faults import FAULTS
from catshop.lab.switch import Position, Switch
from catshop.protocol.http1.messages import Handler
from catshop.storage.faults import StartRefused

CONNECT_SECONDS: Final = 2
"""For whoever is on this machine, much."""


class Paper(Protocol):
    """What can be printed on."""

    def write(self, text: str, /) -> object:
        """Take some text."""
        ...

    def flush(self) -> object:
        """Let it be read."""
        ...


class Laboratory:
    """The bench and the switch of one server."""

    def __init__(self, config: Config, trace: Trace) -> None:
        refuse_strangers(config)
        self._trace = trace
        self._bench: Bench | None = None
        self._position = Position(config.issuer, None)
        self._switch = Switch.beside(config.database)

    @asynccontextmanager
    async def around(self, house: House) -> AsyncIterator[Handler]:
        """The handler of the house, under the switch beside its database."""
        self._position = Position(house.config.issuer, None)
        await refuse_a_second(self._switch.read(), house.config.issuer)
        with bench(self._trace) as self._bench:
            self._switch.set(self._position)
            try:
                yield Obeying(house.router, self._bench, self._switch)
            finally:
                self._switch.remove(self._position.url)

    @property
    def fault(self) -> str | None:
        """The fault that is on."""
        on = self._bench.fault if self._bench else None
        return on.name if on else None

    @property
    def faults(self) -> tuple[dict[str, str], ...]:
        """All that can be broken, in words."""
        return tuple(fault.told() for fault in FAULTS.values())

    def turn(self, name: str) -> bool:
        """Have this fault on, or none for an empty name; False when there is none of that name.

        The same switch, obeyed at once, because a page shows it before the next request comes.
        """
        if name and name not in FAULTS:
            return False
        self._switch.set(replace(self._position, fault=name or None))
        if self._bench is not None:
            self._bench.turn(FAULTS.get(name))
        return True

    def paper(self, paper: Paper) -> Paper:
        """The same paper, on which each line begins with the fault that is on."""
        return _Headed(paper, lambda: self.fault)


class _Headed:
    """Lines under a heading."""

    def __init__(self, paper: Paper, heading: Callable[[], str | None]) -> None:
        self._paper = paper
        self._heading = heading

    def write(self, text: str, /) -> object:
        heading = self._heading()
        return self._paper.write(f"[{heading}] {text}" if heading and text.strip() else text)

    def flush(self) -> object:
        return self._paper.flush()


def refuse_strangers(config: Config) -> None:
    """StartRefused unless the server and its issuer are on this machine."""
    for where in (config.host, urlsplit(config.issuer).hostname or ""):
        if where not in LOOPBACK:
            raise StartRefused("E-LAB-01", where)


async def refuse_a_second(position: Position | None, own: str) -> None:
    """StartRefused while another laboratory serves the same database: they share its switch.

    Where we listen ourselves there is no other: one that died there has left its switch behind.
    """
    where = urlsplit(position.url) if position else None
    if where is None or where.hostname is None or where.port == urlsplit(own).port:
        return
    with anyio.move_on_after(CONNECT_SECONDS), suppress(OSError):
        stream = await anyio.connect_tcp(where.hostname, where.port or 80)
        await stream.aclose()
        raise StartRefused("E-LAB-04", where.netloc)

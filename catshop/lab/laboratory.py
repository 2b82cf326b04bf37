"""A shop whose checks can be broken while it runs: what `catshop serve --lab` puts around it.

It refuses to be anywhere but on this machine, because a shop with a fault on is a shop that can be
robbed. Everything that it prints or answers names the fault. Next: `catshop/cli/breaking.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol
from urllib.parse import urlsplit

from catshop.app import House
from catshop.config import Config
from catshop.kernel import Trace
from catshop.lab.bench import Bench, Obeying, bench
from catshop.lab.switch import Position, Switch
from catshop.protocol.http1.messages import Handler
from catshop.storage.faults import StartRefused

HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names and addresses that never leave this machine. RFC 6761 §6.3."""


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

    @asynccontextmanager
    async def around(self, house: House) -> AsyncIterator[Handler]:
        """The handler of the house, under the switch beside its database."""
        switch = Switch.beside(house.config.database)
        with bench(self._trace) as self._bench:
            switch.set(Position(house.config.issuer, None))
            try:
                yield Obeying(house.router, self._bench, switch)
            finally:
                switch.remove()

    @property
    def fault(self) -> str | None:
        """The fault that is on."""
        on = self._bench.fault if self._bench else None
        return on.name if on else None

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
        if where not in HERE:
            raise StartRefused("E-LAB-01", where)

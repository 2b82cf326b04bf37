"""The tables of both planes, and which of their rows an exchange has made what they are.

The tables come through a port. Cells that hold hashes, sealed keys or anything else that stands for
a secret become marks before they are kept. After each exchange that wrote, the tables are read once
more; the rows that were not there before are that exchange's. Next: `pages/store.html`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from catshop.inspector.recorder import EXCHANGES, Memory
from catshop.inspector.recording import Ended
from catshop.inspector.redact import Redactor
from catshop.inspector.web.live import Bell
from catshop.inspector.web.overview import changed

HIDDEN: Final = re.compile(
    r"hash|sealed|password|secret|payload|fingerprint|successor|token|^(user_)?code$"
    r"|^browser$|^idempotency_key$|^(proof|jti)"
)
"""Columns whose cells are marks."""

NAMED: Final = frozenset({"oauth_requests.id", "oauth_trips.request_id"})
"""Cells that are marks although their column sounds harmless: the id of a request opens it."""

DIGEST: Final = re.compile(r"[0-9a-f]{40,}")
"""What could be a hash, in whatever column."""

CUT: Final = 160
"""Characters of a cell."""

REMEMBERED: Final = 500
"""Exchanges whose rows are known."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A table as the store has it: some of its rows, and how many there are."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    total: int


Read = Callable[[], Awaitable[Sequence[Raw]]]
"""Reads every table."""

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is shown; `fresh` are the rows that one exchange has made."""

    name: str
    plane: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    total: int
    fresh: frozenset[Row] = frozenset()


def shown(raw: Raw, redactor: Redactor) -> Table:
    """The table without its secrets."""
    rows = tuple(
        tuple(
            _cell(f"{raw.name}.{name}", value, redactor)
            for name, value in zip(raw.columns, row, strict=True)
        )
        for row in raw.rows
    )
    prefix = raw.name.partition("_")[0]
    plane = prefix if prefix in {"oauth", "protocol"} else "shop"
    return Table(raw.name, plane, raw.columns, rows, raw.total)


def _cell(place: str, value: object, redactor: Redactor) -> str:
    name = place.rpartition(".")[2]
    if value is None:
        return ""
    if name.endswith("_at") and isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(" ", "milliseconds")[:-6]
    text = value.hex() if isinstance(value, bytes) else str(value)
    if not text:
        return text
    hidden = place in NAMED or HIDDEN.search(name) or DIGEST.fullmatch(text)
    seen = redactor.mark(text) if hidden else redactor.value(name, text)
    return seen if len(seen) <= CUT else f"{seen[: CUT - 3]}..."


class Store:
    """The tables now, and who has changed what."""

    def __init__(self, read: Read, redactor: Redactor, memory: Memory) -> None:
        self._read = read
        self._redactor = redactor
        self._memory = memory
        self._before: dict[str, Table] = {}
        self._fresh: OrderedDict[int, dict[str, frozenset[Row]]] = OrderedDict()

    async def tables(self, number: int = 0) -> list[Table]:
        """Every table, with the rows that exchange `number` has made."""
        made = self._fresh.get(number, {})
        found = await self._look()
        return [
            Table(t.name, t.plane, t.columns, t.rows, t.total, made.get(t.name, frozenset()))
            for t in found
        ]

    async def follow(self, bell: Bell) -> None:
        """Look after each exchange; ends when it is cancelled."""
        seen: OrderedDict[int, None] = OrderedDict()
        self._before = {table.name: table for table in await self._look()}
        while True:
            ring = bell.next
            ended = [
                each
                for each in self._memory.recording().exchanges.values()
                if each.n not in seen and each.first(Ended)
            ]
            seen.update((each.n, None) for each in ended)
            while len(seen) > 2 * EXCHANGES:
                seen.popitem(last=False)
            wrote = {each.n: changed(each) for each in ended if changed(each)}
            if wrote:
                self._attribute(wrote, await self._look())
            await ring.wait()

    def _attribute(self, wrote: dict[int, frozenset[str]], now: Iterable[Table]) -> None:
        for table in now:
            old = self._before.get(table.name)
            fresh = frozenset(table.rows) - frozenset(old.rows if old else ())
            self._before[table.name] = table
            for number, names in wrote.items():
                if fresh and table.name in names:
                    self._fresh.setdefault(number, {})[table.name] = fresh
        while len(self._fresh) > REMEMBERED:
            self._fresh.popitem(last=False)

    async def _look(self) -> list[Table]:
        return [shown(raw, self._redactor) for raw in await self._read()]

"""The bench: holds at most one fault on, and says so in every answer and every line.

It looks at the switch before each request, so that a fault takes effect with the next one and is
gone with the next one. One at a time: with two faults on, nobody knows which of them they see.
Whatever happens, leaving puts everything back. Next: `laboratory.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from catshop.kernel import Kind, Trace
from catshop.lab.faults import FAULTS
from catshop.lab.model import Fault
from catshop.lab.swaps import Undo
from catshop.lab.switch import Position, Stamp, Switch
from catshop.protocol.http1.door import admitted
from catshop.protocol.http1.messages import (
    Answer,
    Channel,
    Handler,
    Leave,
    Request,
    Sink,
    Streamed,
)

log: Final = logging.getLogger("catshop.lab")

FIELD: Final = "x-catshop-fault"
"""Says in each answer which fault is on; not there when none is."""


class Bench:
    """Which fault is on."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._undo: list[Undo] = []
        self.fault: Fault | None = None

    def turn(self, fault: Fault | None) -> None:
        """Have this fault on and any other off; None mends everything."""
        if fault is self.fault:
            return
        while self._undo:
            self._undo.pop()()
        self.fault = fault
        for swap in fault.swaps if fault else ():
            self._undo.append(swap.do())
        name = fault.name if fault else "none"
        log.warning("fault: %s%s", name, f". {fault.breaks}" if fault else "")
        if fault is None:
            self._trace.note(Kind.STATE, "mended")

    def remind(self) -> None:
        """Say within an exchange that it is served with this fault on."""
        if self.fault is not None:
            self._trace.note(Kind.STATE, "fault", name=self.fault.name)


@contextmanager
def bench(trace: Trace) -> Iterator[Bench]:
    """A bench that is clean again when the context ends."""
    made = Bench(trace)
    try:
        yield made
    finally:
        made.turn(None)


class Obeying:
    """A handler that looks at the switch first, and marks what it answers."""

    def __init__(self, handler: Handler, on: Bench, switch: Switch) -> None:
        self._handler = handler
        self._bench = on
        self._switch = switch
        self._seen: Stamp | None = None

    async def __call__(self, request: Request) -> Answer | Streamed:
        """Answer as the shop does, or as it does with the fault that is on."""
        self._look()
        fault = self._bench.fault
        if fault is None:
            return await self._handler(request)
        fields = ((FIELD, fault.name),)
        request.notes["fault"] = fault.name
        self._bench.remind()
        outcome = await admitted(
            self._handler, replace(request, channel=_Marked(request.channel, fields))
        )
        if isinstance(outcome, Answer):
            return replace(outcome, fields=(*outcome.fields, *fields))
        return outcome

    def _look(self) -> None:
        stamp = self._switch.stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        position = self._switch.read() or Position("", None)
        self._bench.turn(FAULTS.get(position.fault) if position.fault else None)


@dataclass(frozen=True, slots=True)
class _Marked:
    """A channel whose streams, too, say which fault is on."""

    channel: Channel
    fields: tuple[tuple[str, str], ...]

    async def read_body(self, limit: int) -> bytes:
        return await self.channel.read_body(limit)

    async def open_stream(
        self, status: int, fields: tuple[tuple[str, str], ...], leave: Leave
    ) -> Sink:
        return await self.channel.open_stream(status, (*fields, *self.fields), leave)

    async def wait_draining(self) -> None:
        await self.channel.wait_draining()

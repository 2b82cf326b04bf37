"""The page of faults, where a laboratory is watched: what can be broken, what is, and its buttons.

It knows no fault: whoever can break the shop hands in their words, and is told which one was
pressed. Without a laboratory there is no such page. Next: `catshop/cli/inspecting.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from catshop.inspector.web.frame import Frame
from catshop.inspector.web.pages import Page
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.forms import Form
from catshop.protocol.http1.guard import Cors
from catshop.protocol.http1.messages import Request
from catshop.protocol.http1.routes import Route

PATH: Final = "/-/faults"


class Faulty(Protocol):
    """Whoever can break the shop, and says how it is broken now."""

    @property
    def fault(self) -> str | None:
        """The fault that is on."""
        ...

    @property
    def faults(self) -> Sequence[Mapping[str, str]]:
        """All that can be broken: name, plane, check, breaks, sees, caught, section."""
        ...

    def turn(self, name: str) -> bool:
        """Have this fault on, or none for an empty name; False when there is none of that name."""
        ...


class Switches:
    """The page and its buttons."""

    def __init__(self, frame: Frame, faulty: Faulty) -> None:
        self._frame = frame
        self._faulty = faulty

    def routes(self) -> tuple[Route, ...]:
        """The page, the same as JSON, and where its buttons lead."""
        press = Route(f"{PATH}/turn", {"POST": self._frame.done(self.turn)}, Cors.NONE)
        return (*self._frame.both(PATH, self.page), press)

    async def page(self, _request: Request) -> Page:
        """Everything that can be broken, and what is."""
        model = {"faults": self._faulty.faults, "fault": self._faulty.fault or ""}
        return Page("faults.html", "Faults", model)

    async def turn(self, form: Form) -> str:
        """Obey the button, and show the page again."""
        name = form.one("fault") or ""
        if not self._faulty.turn(name):
            raise HttpError(404, "E-LAB-03", arrived=name[:40])
        return PATH

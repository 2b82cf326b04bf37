"""The stepper: a request of a sign-in is held before the server decides, until somebody says go on.

It stands before the handler of the shop and knows its paths alone. Who continues lets the request
in as it came; who aborts has it refused with 503, and nothing was changed. Nothing is held for
longer than a bound, and no more than a few at once.
Next: `pages/oauth.html`. RFC 9110 §15.6.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import anyio

from catshop.inspector.redact import Redactor
from catshop.inspector.web.frame import Frame
from catshop.inspector.web.pages import Page
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.forms import Form
from catshop.protocol.http1.guard import Cors
from catshop.protocol.http1.messages import Answer, Handler, Request, Streamed
from catshop.protocol.http1.routes import Route

PATH: Final = "/-/oauth"

SECONDS: Final = 300.0
"""For so long a request is held; then it goes on by itself."""

HELD: Final = 16
"""Requests held at once; further ones pass."""

Ahead = Mapping[tuple[str, str], tuple[str, ...]]
"""By method and path: what the server decides there, in its order."""


@dataclass(slots=True)
class Held:
    """A request that waits."""

    id: str
    method: str
    target: str
    ahead: tuple[str, ...]
    released: anyio.Event = field(default_factory=anyio.Event)
    aborted: bool = False

    def release(self, *, aborted: bool = False) -> None:
        """Let it go on, or have it refused."""
        self.aborted = aborted
        self.released.set()


class Stepper:
    """Holds requests while it is on."""

    def __init__(self, ahead: Ahead, redactor: Redactor) -> None:
        self._ahead = ahead
        self._redactor = redactor
        self._held: dict[str, Held] = {}
        self.on = False

    def before(self, handler: Handler) -> Handler:
        """The same handler, behind the stepper."""

        async def stepped(request: Request) -> Answer | Streamed:
            ahead = self._ahead.get((request.head.method, request.head.path))
            if self.on and ahead is not None and len(self._held) < HELD:
                await self._hold(request, ahead)
            return await handler(request)

        return stepped

    async def _hold(self, request: Request, ahead: tuple[str, ...]) -> None:
        """Wait for whoever steps; 503 when they abort."""
        target = self._redactor.target(request.head.target)
        held = self._held[request.id] = Held(request.id, request.head.method, target, ahead)
        try:
            with anyio.move_on_after(SECONDS):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_let_go, request, held)
                    await held.released.wait()
                    tasks.cancel_scope.cancel()
        finally:
            del self._held[request.id]
        if held.aborted:
            raise HttpError(503, "E-INSPECT-08")

    def routes(self, frame: Frame) -> tuple[Route, ...]:
        """The page, the same as JSON, and where its buttons lead."""
        press = Route(f"{PATH}/step", {"POST": frame.done(self.step)}, Cors.NONE)
        return (*frame.both(PATH, self.page), press)

    async def page(self, _request: Request) -> Page:
        """Whether it holds, and what."""
        held = [
            {"id": each.id, "method": each.method, "target": each.target, "ahead": each.ahead}
            for each in self._held.values()
        ]
        stops = [f"{method} {path}" for method, path in self._ahead]
        model = {"on": self.on, "held": held, "stops": stops}
        return Page("oauth.html", "OAuth stepper", model)

    async def step(self, form: Form) -> str:
        """Obey the button, and show the page again."""
        match form.one("do"):
            case "on":
                self.on = True
            case "off":
                self.on = False
                for each in self._held.values():
                    each.release()
            case "continue" | "abort" as button:
                held = self._held.get(form.one("id") or "")
                if held is None:
                    raise HttpError(404, "E-INSPECT-09")
                held.release(aborted=button == "abort")
            case _:
                raise HttpError(404, "E-INSPECT-09")
        return PATH


async def _let_go(request: Request, held: Held) -> None:
    """A server that stops waits for nobody."""
    await request.wait_draining()
    held.release()

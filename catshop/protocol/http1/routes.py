"""Routes: which handler a request is for, after it was found to be for us and from a friend.

A `Router` is itself a handler. It checks in one fixed order, each step resting on those before:
Host, path, Origin, preflight, method. Paths are compared as sent, never decoded. What scripts of
other origins need to read an answer is added to every answer, refusals too. Next: `server.py`.
RFC 9110 §7.4, §9.3, §15.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from catshop.kernel import Trace, Verdict
from catshop.protocol.http1.door import admitted
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.guard import Cors, Guard, cors_fields, is_preflight, preflight_fields
from catshop.protocol.http1.messages import (
    Answer,
    Channel,
    Handler,
    Head,
    Leave,
    Request,
    Sink,
    Streamed,
)
from catshop.protocol.http1.targets import Origin

PREFIX_MARK: Final = "/*"
"""A path that ends so stands for everything below it."""

DOT_SEGMENTS: Final = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class Route:
    """One path and what it does. HEAD comes with GET, OPTIONS with everything."""

    path: str
    methods: Mapping[str, Handler]
    cors: Cors

    @property
    def allow(self) -> str:
        """The value of Allow. RFC 9110 §10.2.1."""
        implied = {"OPTIONS", *(("HEAD",) if "GET" in self.methods else ())}
        return ", ".join(sorted({*self.methods, *implied}))

    def handler(self, method: str) -> Handler:
        """Who answers `method`; 405 with Allow when nobody does. RFC 9110 §15.5.6."""
        found = self.methods.get(method)
        if found is None and method == "HEAD":
            found = self.methods.get("GET")
        if found is None and method == "OPTIONS":
            return self._options
        if found is None:
            allow = ("allow", self.allow)
            raise HttpError(405, "E-HTTP-41", arrived=method, fields=(allow,))
        return found

    async def _options(self, _: Request) -> Answer:
        """What can be done here. RFC 9110 §9.3.7."""
        return Answer(204, (("allow", self.allow),))


class Router:
    """The handler that finds the handler."""

    def __init__(self, routes: Iterable[Route], guard: Guard, trace: Trace) -> None:
        self._guard = guard
        self._trace = trace
        self._exact: dict[str, Route] = {}
        self._prefixes: list[tuple[str, Route]] = []
        for route in routes:
            if route.path.endswith(PREFIX_MARK):
                self._prefixes.append((route.path.removesuffix("*"), route))
            elif route.path in self._exact:
                raise ValueError(f"two routes for {route.path}")
            else:
                self._exact[route.path] = route

    async def __call__(self, request: Request) -> Answer | Streamed:
        """Answer `request`, or raise the first refusal in the order of the checks."""
        head = request.head
        self._check_host(head)
        if head.path == "*":
            return Answer(204)
        route = self._find(head)
        if "origin" not in head.fields and route.cors is not Cors.ANY:
            return await route.handler(head.method)(request)
        return await self._across(request, route)

    def _check_host(self, head: Head) -> None:
        try:
            self._guard.check_host(head)
        except HttpError:
            self._trace.check("host.listed", Verdict.NO, arrived=head.authority)
            raise
        if self._trace.observed:
            self._trace.check("host.listed", Verdict.OK, arrived=head.authority)

    def _find(self, head: Head) -> Route:
        route = self._exact.get(head.path) or self._below(head.path)
        if route is None:
            raise HttpError(404, "E-HTTP-40", arrived=head.path[:80])
        return route

    def _below(self, path: str) -> Route | None:
        """The route above `path`; none for a path that climbs, however it spells its dots."""
        segments = path.replace("%2e", ".").replace("%2E", ".").split("/")
        if DOT_SEGMENTS.intersection(segments):
            return None
        return next((route for top, route in self._prefixes if path.startswith(top)), None)

    async def _across(self, request: Request, route: Route) -> Answer | Streamed:
        """Answer a page of some origin: a preflight at once, and all in a way that it can read."""
        origin = self._check_origin(request.head, route)
        fields = cors_fields(origin, route.cors)
        if fields and is_preflight(request.head):
            return Answer(204, (*fields, *preflight_fields(request.head, route.allow)))
        asked = replace(request, channel=_Across(request.channel, fields)) if fields else request
        outcome = await admitted(lambda to: route.handler(to.head.method)(to), asked)
        if isinstance(outcome, Answer):
            return replace(outcome, fields=(*outcome.fields, *fields))
        return outcome

    def _check_origin(self, head: Head, route: Route) -> Origin | None:
        try:
            origin = self._guard.check_origin(head, route.cors)
        except HttpError as refusal:
            self._trace.check("origin.listed", Verdict.NO, arrived=refusal.arrived)
            raise
        self._trace.check("origin.listed", Verdict.OK, arrived=head.fields.get("origin"))
        return origin


@dataclass(frozen=True, slots=True)
class _Across:
    """A channel whose streams, too, can be read by the page that asked."""

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

"""Change notifications, as a feature that any low-level `Server` can switch on, in both eras.

Whoever changes something says so to `kernel.Changes`; here it is told to the clients that asked. In
2026-07-28 they ask with `subscriptions/listen`, whose answer is the stream; before, a session hears
of lists unasked and of resources after `resources/subscribe`. A change that is somebody's own is
told to nobody else. To a client that reads slowly, a change that still waits to be told is told
once, however often it happened: it will look again in any case. Next: `channels.Backlog`.
MCP 2026-07-28 basic/patterns/subscriptions, MCP 2025-11-25 server/resources §subscriptions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    EmptyResult,
    NotificationParams,
    PromptListChangedNotification,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
    ResourceUpdatedNotificationParams,
    ServerNotification,
    SubscribeRequestParams,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    ToolListChangedNotification,
    UnsubscribeRequestParams,
)

from catshop.kernel import Call, Change, Changes, ListChanged, Listing, Principal
from catshop.limits import SessionLimits
from catshop.protocol import jsonrpc
from catshop.protocol.channels import Backlog, ConnectionOutlet, alongside
from catshop.protocol.connections import hosted
from catshop.protocol.jsonrpc import INVALID_PARAMS, LIMIT_EXCEEDED, RpcError

LISTEN: Final = "subscriptions/listen"
SUBSCRIPTION_ID: Final = "io.modelcontextprotocol/subscriptionId"
"""MCP 2026-07-28 basic/patterns/subscriptions §receiving-notifications."""

Context = ServerRequestContext[Any, Any]
_ListChanged = (
    ToolListChangedNotification | PromptListChangedNotification | ResourceListChangedNotification
)
PrincipalKey = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class Interest:
    """What one listener wants to hear: lists, and resources by their exact URIs."""

    principal: Principal | None
    lists: frozenset[Listing] = frozenset()
    uris: frozenset[str] = frozenset()

    def covers(self, change: Change) -> bool:
        """Whether the listener is told of this change: it wants to hear of it, and it may."""
        if isinstance(change, ListChanged):
            return change.kind in self.lists
        if change.uri not in self.uris:
            return False
        return change.concerns(self.principal) if self.principal else change.owner is None


def offered(server: Server[Any]) -> frozenset[Listing]:
    """The lists that this server has."""
    return frozenset(kind for kind in Listing if server.get_request_handler(f"{kind}/list"))


def agreed(
    wanted: SubscriptionFilter, lists: frozenset[Listing], *, resources: bool
) -> SubscriptionFilter:
    """The part of a filter that is honoured; the rest is left out. §acknowledgment.

    A URI is taken whether or not it names anything, so that nobody learns from it what there is.
    """
    flags = {
        "toolsListChanged": wanted.tools_list_changed and Listing.TOOLS in lists,
        "promptsListChanged": wanted.prompts_list_changed and Listing.PROMPTS in lists,
        "resourcesListChanged": wanted.resources_list_changed and Listing.RESOURCES in lists,
        "resourceSubscriptions": wanted.resource_subscriptions if resources else None,
    }
    return SubscriptionFilter.model_validate({name: on for name, on in flags.items() if on})


def interest(principal: Principal | None, honoured: SubscriptionFilter) -> Interest:
    """What a listener with this filter wants to hear."""
    flags = {
        Listing.TOOLS: honoured.tools_list_changed,
        Listing.PROMPTS: honoured.prompts_list_changed,
        Listing.RESOURCES: honoured.resources_list_changed,
    }
    lists = frozenset(kind for kind, on in flags.items() if on)
    return Interest(principal, lists, frozenset(honoured.resource_subscriptions or ()))


def notification(change: Change, meta: dict[str, Any] | None) -> ServerNotification:
    """The notification that tells of a change."""
    if isinstance(change, ListChanged):
        about = NotificationParams(_meta=meta) if meta else None
        return _LIST_CHANGED[change.kind](params=about)
    return ResourceUpdatedNotification(
        params=ResourceUpdatedNotificationParams(uri=change.uri, _meta=meta)
    )


_LIST_CHANGED: Final[Mapping[Listing, type[_ListChanged]]] = {
    Listing.TOOLS: ToolListChangedNotification,
    Listing.PROMPTS: PromptListChangedNotification,
    Listing.RESOURCES: ResourceListChangedNotification,
}


class Subscriptions:
    """Tells the clients of hosted servers what `changes` tells of."""

    def __init__(self, changes: Changes, limits: SessionLimits | None = None) -> None:
        self._changes = changes
        self._limits = limits or SessionLimits()
        self._listens: Counter[PrincipalKey | None] = Counter()
        self._sessions: WeakKeyDictionary[Connection, Interest] = WeakKeyDictionary()
        changes.listen(self._tell_sessions)

    def install(self, server: Server[Any]) -> None:
        """Serve both eras' methods; after this, the server's capabilities say so.

        Comes after the server's own handlers, because what it lists decides what is offered.
        """
        server.add_request_handler(
            LISTEN, SubscriptionsListenRequestParams, partial(self._listen, server)
        )
        before = server.get_notification_handler("notifications/initialized")

        async def on_initialized(ctx: Context, params: NotificationParams) -> None:
            self._sessions[hosted(ctx).connection] = Interest(None, offered(server))
            if before is not None:
                await before.handler(ctx, params)

        server.add_notification_handler(
            "notifications/initialized", NotificationParams, on_initialized
        )
        if server.get_request_handler("resources/read"):
            server.add_request_handler(
                "resources/subscribe", SubscribeRequestParams, partial(self._subscribe, server)
            )
            server.add_request_handler(
                "resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe
            )

    # --- The stateless era: one request, one stream ---

    async def _listen(
        self, server: Server[Any], ctx: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Acknowledge, then tell of every change until the client or the server has enough."""
        resources = server.get_request_handler("resources/read") is not None
        honoured = agreed(params.notifications, offered(server), resources=resources)
        self._check_number(len(honoured.resource_subscriptions or ()))
        meta: dict[str, Any] = {SUBSCRIPTION_ID: ctx.request_id}
        acknowledged = SubscriptionsAcknowledgedNotification(
            params=SubscriptionsAcknowledgedNotificationParams(notifications=honoured, _meta=meta)
        )
        # Heard before it is acknowledged: a change in between waits, and none is lost.
        with self._heard(interest(_principal(ctx), honoured)) as backlog:
            async with alongside(partial(_end, backlog, ctx)):
                await ctx.session.send_notification(acknowledged, ctx.request_id)
                while (change := await backlog.take()) is not None:
                    await ctx.session.send_notification(notification(change, meta), ctx.request_id)
        return SubscriptionsListenResult(_meta=meta)

    @contextmanager
    def _heard(self, wanted: Interest) -> Iterator[Backlog[Change]]:
        """What the listener is to be told from now on. RpcError when its principal has too many."""
        owner = wanted.principal.key if wanted.principal else None
        if self._listens[owner] >= self._limits.listens:
            raise RpcError(LIMIT_EXCEEDED, "E-SUB-01", arrived=f"{self._limits.listens} open")
        backlog: Backlog[Change] = Backlog()

        def hear(change: Change) -> None:
            if wanted.covers(change):
                backlog.put(change)

        self._listens[owner] += 1
        stop = self._changes.listen(hear)
        try:
            yield backlog
        finally:
            stop()
            self._listens[owner] -= 1
            self._listens += Counter()  # forget those who have none

    # --- The handshake era: a session, and its standalone stream ---

    async def _subscribe(
        self, server: Server[Any], ctx: Context, params: SubscribeRequestParams
    ) -> EmptyResult:
        """From now on the session hears of this resource. Idempotent."""
        connection = hosted(ctx).connection
        known = self._sessions.get(connection, Interest(None, offered(server)))
        uris = known.uris | {str(params.uri)}
        self._check_number(len(uris))
        self._sessions[connection] = Interest(_principal(ctx), known.lists, uris)
        return EmptyResult()

    async def _unsubscribe(self, ctx: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """From now on it does not. Idempotent."""
        connection = hosted(ctx).connection
        known = self._sessions.get(connection)
        if known is not None:
            self._sessions[connection] = replace(known, uris=known.uris - {str(params.uri)})
        return EmptyResult()

    def _tell_sessions(self, change: Change) -> None:
        """Leave a notification for every session that is told of this change."""
        told = notification(change, None).model_dump(by_alias=True, mode="json", exclude_none=True)
        message = jsonrpc.notification(told["method"], told.get("params"))
        for connection, wanted in list(self._sessions.items()):
            if isinstance(connection.outbound, ConnectionOutlet) and wanted.covers(change):
                connection.outbound.post(message)

    def _check_number(self, uris: int) -> None:
        """Bound what one listener costs. RpcError -32602."""
        if uris > self._limits.subscriptions:
            raise RpcError(INVALID_PARAMS, "E-SUB-02", arrived=f"{uris} resources")


def _principal(ctx: Context) -> Principal | None:
    """Who calls, where the host says it."""
    return ctx.request.principal if isinstance(ctx.request, Call) else None


async def _end(backlog: Backlog[Change], ctx: Context) -> None:
    """End the stream once the server stops or the caller's token has ended."""
    if isinstance(ctx.request, Call) and ctx.request.over is not None:
        await ctx.request.over()
        backlog.end()

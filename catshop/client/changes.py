"""Following what changes at a server: a stream of notifications for as long as one wants.

In the stateless era it is one request that stays open; in the handshake era there are requests to
subscribe, and the session's own stream brings what happens. Whoever follows sees no difference. A
reader who falls behind loses the oldest news, and knows it. Next: `conversation.py`.
MCP 2026-07-28 basic/patterns/subscriptions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import anyio

from catshop.client.conversation import CANCELLED, Conversation
from catshop.client.envelope import Call, Peer
from catshop.client.errors import ClientError, ServerError
from catshop.protocol.jsonrpc import Id, Notification, Params

LISTEN: Final = "subscriptions/listen"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
UPDATED: Final = "notifications/resources/updated"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one wants to hear of: resources by URI, and the lists "tools", "prompts", "resources".

    MCP 2026-07-28 basic/patterns/subscriptions §notification-filter.
    """

    uris: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    @property
    def filter(self) -> Params:
        """As `subscriptions/listen` says it."""
        lists = {f"{name}ListChanged": True for name in self.lists}
        return {**lists, **({"resourceSubscriptions": list(self.uris)} if self.uris else {})}

    def concerns(self, notification: Notification) -> bool:
        """Whether it is one of these, out of all that a session's stream brings."""
        if notification.method == UPDATED:
            return (notification.params or {}).get("uri") in self.uris
        return notification.method in {f"notifications/{each}/list_changed" for each in self.lists}


class Changes:
    """What has happened and was not read yet; `async for` waits for more."""

    def __init__(self, backlog: int) -> None:
        self._news: deque[Notification] = deque(maxlen=backlog)
        self._some = anyio.Event()
        self._over = False
        self.begun = anyio.Event()
        """Set once the server has agreed, or has not."""
        self.agreed: Params = {}
        """What the server has agreed to tell, in the words of the filter."""
        self.missed = 0
        """Notifications that were pushed out before anybody read them."""
        self.fault: Exception | None = None
        """Why there will be no more, where it was not a graceful end."""

    def tell(self, notification: Notification) -> None:
        """One more; the first says what the server has agreed to, and one may say that it ends."""
        if notification.method == CANCELLED:
            self.end()
            return
        if notification.method == ACKNOWLEDGED:
            agreed = (notification.params or {}).get("notifications")
            self.agreed = agreed if isinstance(agreed, Mapping) else {}
            self.begun.set()
            return
        self.missed += len(self._news) == self._news.maxlen
        self._news.append(notification)
        self._some.set()

    def end(self, fault: Exception | None = None) -> None:
        """There will be no more."""
        self._over, self.fault = True, fault
        self._some.set()
        self.begun.set()

    def __aiter__(self) -> Changes:
        return self

    async def __anext__(self) -> Notification:
        while not self._news:
            if self.fault is not None:
                raise self.fault
            if self._over:
                raise StopAsyncIteration
            self._some = anyio.Event()
            await self._some.wait()
        return self._news.popleft()


@asynccontextmanager
async def following(
    conversation: Conversation, wanted: Wanted, backlog: int
) -> AsyncIterator[Changes]:
    """The changes that are wanted, from when the server has agreed until the context ends."""
    peer = await conversation.peer()
    changes = Changes(backlog)
    way = _held_open if peer.stateless else _subscribed
    async with way(conversation, peer, wanted, changes):
        yield changes


@asynccontextmanager
async def _held_open(
    conversation: Conversation, peer: Peer, wanted: Wanted, changes: Changes
) -> AsyncIterator[None]:
    """One request that is answered when it is over, and closed when nobody follows any more.

    MCP 2026-07-28 basic/patterns/subscriptions §opening-a-stream, §acknowledgment, §cancellation.
    """
    id_ = conversation.next_id()
    stop = conversation.subscribe(id_, changes.tell)
    failed: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_hold, conversation, peer, id_, wanted, changes)
        await changes.begun.wait()
        try:
            if changes.fault is not None:
                raise changes.fault
            yield
        except Exception as error:
            failed = error
        tasks.cancel_scope.cancel()
    stop()
    if failed is not None:
        raise failed


async def _hold(
    conversation: Conversation, peer: Peer, id_: Id, wanted: Wanted, changes: Changes
) -> None:
    """Wait for the end, and tell whether it was a graceful one. §graceful-closure."""
    try:
        reply = await conversation.hold(peer, Call(LISTEN, {"notifications": wanted.filter}), id_)
        changes.end(None if reply.result is not None else ServerError(reply.error))
    except ClientError as error:
        changes.end(error)


@asynccontextmanager
async def _subscribed(
    conversation: Conversation, peer: Peer, wanted: Wanted, changes: Changes
) -> AsyncIterator[None]:
    """Subscriptions of a session. MCP 2025-11-25 server/resources §subscriptions."""
    await conversation.open_ears(peer)

    def told(notification: Notification) -> None:
        if wanted.concerns(notification):
            changes.tell(notification)

    stop = conversation.listen(told)
    try:
        for uri in wanted.uris:
            await conversation.ask(Call("resources/subscribe", {"uri": uri}))
        changes.agreed = wanted.filter
        yield
    finally:
        stop()
    for uri in wanted.uris:
        await conversation.ask(Call("resources/unsubscribe", {"uri": uri}))

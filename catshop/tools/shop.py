"""What every tool works with: the stores, the numbers, time and chance.

A `Shop` is built once and shared by all calls; a `ToolCall` is one call of one tool, with whoever
made it. Knows no wire: progress is a promise that the transport keeps. Next: `registry.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import anyio

from catshop.kernel import Clock, Principal, Trace
from catshop.limits import ShopLimits
from catshop.tools.faults import ToolFault
from catshop.tools.human import NOBODY, Human
from catshop.tools.model import MOST, UserId
from catshop.tools.ports import Carts, Catalog, Orders


@dataclass(frozen=True, slots=True)
class Shop:
    """One shop: built once by the app, and the same for every call."""

    catalog: Catalog
    carts: Carts
    orders: Orders
    limits: ShopLimits
    clock: Clock
    new_order_id: Callable[[], str]
    """16 upper-case hex digits that nobody can guess."""
    trace: Trace
    pause: Callable[[float], Awaitable[None]] = anyio.sleep
    """Waits for some seconds; a tool that takes its time is given its time."""

    @property
    def most(self) -> int:
        """Of one product in one cart."""
        return min(self.limits.quantity, MOST)


class Progress(Protocol):
    """Tells the caller how far a call has come; says nothing when it did not ask."""

    async def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """So much of so much, and of what."""
        ...


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of one tool: by whom, in which shop."""

    shop: Shop
    principal: Principal | None
    progress: Progress
    human: Human = NOBODY

    @property
    def owner(self) -> UserId | None:
        """Whose cart it is; None when the token proves no user."""
        if self.principal is None or self.principal.subject is None:
            return None
        return UserId(self.principal.issuer, self.principal.subject)

    @property
    def user(self) -> UserId:
        """Whose cart it is. ToolFault E-TOOL-03 when the token proves no user."""
        if self.owner is None:
            raise ToolFault("E-TOOL-03")
        return self.owner

    @property
    def name(self) -> str:
        """What to call the user in a sentence; never to decide anything by."""
        known = self.principal and (self.principal.username or self.principal.subject)
        return known or "friend"

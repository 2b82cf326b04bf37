"""What the protocol plane asks of others: who calls, and may they.

Verbs only; `app` brings the OAuth plane's answers. Everything else that a conversation needs
(sessions, event logs, requests in flight) the plane keeps for itself. Next: `endpoint.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol

from catshop.kernel import Principal
from catshop.protocol.http1.messages import Request
from catshop.protocol.task_states import Owner, Status, Task

__all__ = ["Gate", "Owner", "Status", "Task", "TaskStore", "UsedStates"]


class Gate(Protocol):
    """What stands between a request and its handler."""

    async def authenticate(self, request: Request) -> Principal:
        """Who presents the request. HttpError 401 with a challenge (RFC 9728 §5.1) otherwise."""
        ...

    def authorize(self, principal: Principal, method: str, params: Mapping[str, object]) -> None:
        """Let the call pass, or raise HttpError 403 naming every scope that it needs.

        MCP 2026-07-28 basic/authorization §scope-challenge-handling.
        """
        ...

    async def still_good(self, principal: Principal) -> bool:
        """Whether the token behind `principal` is neither expired nor revoked by now."""
        ...


class TaskStore(Protocol):
    """Tasks that outlive the request that began them. Any verb may raise `kernel.Unavailable`."""

    async def create(self, task: Task, most: int) -> bool:
        """Keep a new task, durably; False when its owner has `most` live ones already.

        However many ask together, never more than `most`.
        """
        ...

    async def find(self, owner: Owner, task_id: str, now: datetime) -> Task | None:
        """The owner's task of that id, as long as it has not expired; nobody else's."""
        ...

    async def change(self, task_id: str, move: Callable[[Task], Task | None]) -> Task | None:
        """Store what `move` makes of the task, and return it; None where it makes nothing.

        Reading, moving and writing are one transaction: of two changes that race, the second sees
        what the first left. `move` is pure and may be run again.
        """
        ...

    async def beat(self, task_ids: Collection[str], now: datetime) -> frozenset[str]:
        """Note that somebody runs these tasks; those of them that are live still."""
        ...

    async def sweep(self, now: datetime) -> int:
        """Forget tasks that had expired by `now`; how many there were."""
        ...


class UsedStates(Protocol):
    """Which single-use states have been used. Any verb may raise `kernel.Unavailable`."""

    async def use(self, state_id: str, until: datetime) -> bool:
        """Use a state; True for the first who asks, however many ask together.

        It is remembered at least until `until`, when the state is no longer good in any case.
        """
        ...

    async def sweep(self, now: datetime) -> int:
        """Forget what need not be remembered after `now`; how much there was."""
        ...

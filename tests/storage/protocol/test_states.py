"""The contract of `protocol.ports.UsedStates`, on every engine."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import anyio

from catshop.protocol.ports import UsedStates as Port
from catshop.storage.database import Database
from catshop.storage.protocol.states import UsedStates
from tests.storage.conftest import NOW

UNTIL = NOW + timedelta(minutes=10)


async def test_of_many_who_use_a_state_together_one_does(database: Database) -> None:
    """Security case W3: single use is one statement."""
    states: Port = UsedStates(database)
    outcomes: Counter[bool] = Counter()

    async def use() -> None:
        outcomes[await states.use("state", UNTIL)] += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(use)
    assert outcomes == {True: 1, False: 49}
    assert await states.use("another", UNTIL)


async def test_a_used_state_is_remembered_until_it_is_too_old(database: Database) -> None:
    """Security case W3: what is forgotten is refused for its age."""
    states: Port = UsedStates(database)
    assert await states.use("state", UNTIL)
    assert await states.sweep(UNTIL - timedelta(milliseconds=1)) == 0
    assert not await states.use("state", UNTIL)
    assert await states.sweep(UNTIL) == 1
    assert await states.sweep(UNTIL) == 0

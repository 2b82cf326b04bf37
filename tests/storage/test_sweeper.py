"""The clean-up runs at its pace, and a round that cannot work is not the last."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio

from catshop.kernel import Unavailable
from catshop.storage.sweeper import sweep_forever

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


async def test_every_sweep_runs_again_though_one_was_unavailable() -> None:
    """StorageLimits.sweep_seconds: the pace; only disk space depends on it."""
    rounds: list[datetime] = []
    enough = anyio.Event()

    async def locked(_: datetime) -> None:
        raise Unavailable("E-DB-01", "locked")

    async def works(now: datetime) -> None:
        rounds.append(now)
        if len(rounds) == 3:
            enough.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sweep_forever, (locked, works), lambda: NOW, 0.0)
            await enough.wait()
            tasks.cancel_scope.cancel()
    assert rounds == [NOW] * len(rounds)

"""The clean-up of what has expired, at a steady pace, for as long as the server runs.

Expired rows are refused by whoever reads them; the sweeper only keeps the file small. So it may be
late, it may fail, and nothing but disk space depends on it. Whoever owns rows that expire offers a
`Sweep`; the app gathers them and starts `sweep_forever` in its task group.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import anyio

from catshop.kernel import Clock, Unavailable

Sweep = Callable[[datetime], Awaitable[object]]
"""Forgets what had expired at the given moment."""

logger: Final = logging.getLogger(__name__)


async def sweep_once(sweeps: Sequence[Sweep], now: datetime) -> None:
    """Run every sweep; one that cannot work now is left for the next round."""
    for sweep in sweeps:
        try:
            await sweep(now)
        except Unavailable as error:
            logger.warning("clean-up put off: %s %s", error.code, error.detail)


async def sweep_forever(sweeps: Sequence[Sweep], clock: Clock, interval: float) -> None:
    """Sweep now and then every `interval` seconds, until cancelled."""
    while True:
        await sweep_once(sweeps, clock())
        await anyio.sleep(interval)

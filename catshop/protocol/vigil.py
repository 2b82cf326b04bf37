"""A stream outlives the check of its token, so the token is looked at again while it lasts.

However busy or quiet the stream is, no longer than `recheck_seconds` pass between two looks; a
token that was revoked or has expired ends it. Knows no stream and no token: a `Gate` knows.
Next: `handshake.py`. MCP 2026-07-28 basic/authorization §token-handling.
"""

from __future__ import annotations

from contextlib import suppress

import anyio

from catshop.kernel import Principal, Unavailable
from catshop.protocol.ports import Gate


class Vigil:
    """Watches over one stream of one principal, from now on."""

    def __init__(self, gate: Gate, principal: Principal, seconds: float) -> None:
        self._gate = gate
        self._principal = principal
        self._seconds = seconds
        self._next = anyio.current_time() + seconds
        self._good = True

    @property
    def left(self) -> float:
        """Seconds until the next look is due."""
        return max(0.0, self._next - anyio.current_time())

    async def holds(self) -> bool:
        """Whether the stream may go on; asks the gate only when a look is due."""
        if self._good and self.left == 0:
            self._next = anyio.current_time() + self._seconds
            with suppress(Unavailable):  # nobody knows now; the next look is due as soon
                self._good = await self._gate.still_good(self._principal)
        return self._good

"""Which single-use states have been used. `protocol.ports.UsedStates`.

A state is used by writing its row: of many who try, in whatever processes, one does. Rows go when
the state would be refused for its age. Next: `tasks.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from catshop.storage.database import Database, Statements, milliseconds


@dataclass(frozen=True, slots=True)
class UsedStates:
    """`protocol.ports.UsedStates` in SQL."""

    database: Database

    async def use(self, state_id: str, until: datetime) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            used = statements.run(
                "INSERT INTO protocol_used_states (id, expires_at) VALUES (?, ?)"
                " ON CONFLICT DO NOTHING",
                state_id,
                milliseconds(until),
            )
            return used == 1

        return await self.database.write(work)

    async def sweep(self, now: datetime) -> int:
        """See the port."""

        def work(statements: Statements) -> int:
            return statements.run(
                "DELETE FROM protocol_used_states WHERE expires_at <= ?", milliseconds(now)
            )

        return await self.database.write(work)

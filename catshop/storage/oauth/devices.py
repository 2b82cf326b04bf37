"""Devices that wait for their users. `oauth.ports.Devices`.

A decision is one statement that finds the device undecided; a question is noted in the same
transaction that reads what it is answered from. RFC 8628 §3.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from catshop.oauth.model import DEVICE, Device, DeviceEvent, DeviceState
from catshop.storage.database import Database, Statements, milliseconds
from catshop.storage.oauth import rows

POLLED: Final = """
    UPDATE oauth_devices SET
    pause = CASE WHEN polled_at + pause * 1000 > ? THEN pause + 5 ELSE pause END, polled_at = ?
    WHERE hash = ? AND state = ?
"""
"""RFC 8628 §3.5: who asks too early waits five seconds longer from then on.

Once the user has decided, the next question is the last, and may have to be asked again at once.
"""


@dataclass(frozen=True, slots=True)
class Devices:
    """`oauth.ports.Devices` in SQL."""

    database: Database

    async def begin(self, device: Device) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            if not rows.has_client(statements, device.client_id):
                return False
            statements.run(
                "INSERT INTO oauth_devices (id, hash, user_code, client_id, code_challenge, scopes,"
                " resource, created_at, expires_at, pause, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                device.id,
                device.hash,
                device.user_code,
                device.client_id,
                device.code_challenge,
                rows.words(device.scopes),
                device.resource,
                milliseconds(device.created_at),
                milliseconds(device.expires_at),
                device.interval,
                device.state,
            )
            return True

        return await self.database.write(work)

    async def typed(self, user_code: str, now: datetime) -> Device | None:
        """See the port."""
        row = await self.database.one(
            "SELECT * FROM oauth_devices WHERE user_code = ? AND expires_at > ? AND state = ?",
            user_code,
            milliseconds(now),
            DeviceState.PENDING,
        )
        return rows.device(row) if row else None

    async def settle(self, device_id: str, event: DeviceEvent, code: str | None) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            return bool(
                statements.run(
                    "UPDATE oauth_devices SET state = ?, code = ? WHERE id = ? AND state = ?",
                    DEVICE[DeviceState.PENDING, event],
                    code,
                    device_id,
                    DeviceState.PENDING,
                )
            )

        return await self.database.write(work)

    async def poll(self, device_code: str, now: datetime) -> Device | None:
        """See the port."""

        def work(statements: Statements) -> Device | None:
            row = statements.one("SELECT * FROM oauth_devices WHERE hash = ?", device_code)
            at = milliseconds(now)
            statements.run(POLLED, at, at, device_code, DeviceState.PENDING)
            return rows.device(row) if row else None

        return await self.database.write(work)

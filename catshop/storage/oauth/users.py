"""Accounts. `oauth.ports.Users`.

A name is taken whatever the case of its letters, and the database decides that, not a look before
the insert. Whatever belongs to an account goes with it, by the cascades of the schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from catshop.oauth.model import User
from catshop.storage.database import Database, Statements, milliseconds
from catshop.storage.oauth import rows


@dataclass(frozen=True, slots=True)
class Users:
    """`oauth.ports.Users` in SQL. A name is taken in whatever case it is written."""

    database: Database

    async def add(self, user: User) -> bool:
        """See the port."""
        return await self.database.write(lambda statements: insert(statements, user))

    async def by_name(self, name: str) -> User | None:
        """See the port."""
        row = await self.database.one(
            "SELECT id, name, password_hash, created_at, disabled_at"
            " FROM oauth_users WHERE folded_name = ?",
            name.casefold(),
        )
        return rows.user(row) if row else None

    async def all(self) -> Sequence[User]:
        """See the port."""
        found = await self.database.all(
            "SELECT id, name, password_hash, created_at, disabled_at"
            " FROM oauth_users ORDER BY folded_name"
        )
        return [rows.user(row) for row in found]

    async def remove(self, user_id: str) -> Sequence[str]:
        """The schema's cascades take the rest along."""

        def work(statements: Statements) -> list[str]:
            families = statements.all("SELECT id FROM oauth_families WHERE user_id = ?", user_id)
            statements.run("DELETE FROM oauth_users WHERE id = ?", user_id)
            return [rows.text(row["id"]) for row in families]

        return await self.database.write(work)

    async def set_password(self, user_id: str, password_hash: str, now: datetime) -> Sequence[str]:
        """Whoever knew the old password is out of everything at once."""

        def work(statements: Statements) -> list[str]:
            statements.run(
                "UPDATE oauth_users SET password_hash = ? WHERE id = ?", password_hash, user_id
            )
            statements.run("DELETE FROM oauth_sessions WHERE user_id = ?", user_id)
            statements.run(
                "DELETE FROM oauth_codes WHERE user_id = ? AND redeemed_at IS NULL", user_id
            )
            ended = statements.all(
                "UPDATE oauth_families SET revoked_at = ?"
                " WHERE user_id = ? AND revoked_at IS NULL RETURNING id",
                milliseconds(now),
                user_id,
            )
            return [rows.text(row["id"]) for row in ended]

        return await self.database.write(work)

    async def disable(self, user_id: str, now: datetime) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            return bool(
                statements.run(
                    "UPDATE oauth_users SET disabled_at = ? WHERE id = ? AND disabled_at IS NULL",
                    milliseconds(now),
                    user_id,
                )
            )

        return await self.database.write(work)

    async def enable(self, user_id: str) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            return bool(
                statements.run(
                    "UPDATE oauth_users SET disabled_at = NULL"
                    " WHERE id = ? AND disabled_at IS NOT NULL",
                    user_id,
                )
            )

        return await self.database.write(work)


def insert(statements: Statements, user: User) -> bool:
    """Whether the account was added: the unique name decides, in one statement."""
    return bool(
        statements.run(
            "INSERT INTO oauth_users"
            " (id, name, folded_name, password_hash, created_at, disabled_at)"
            " VALUES (?, ?, ?, ?, ?, NULL) ON CONFLICT (folded_name) DO NOTHING",
            user.id,
            user.name,
            user.name.casefold(),
            user.password_hash,
            milliseconds(user.created_at),
        )
    )

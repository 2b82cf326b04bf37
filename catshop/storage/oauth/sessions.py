"""Browsers in which somebody is signed in. `oauth.ports.Sessions`.

A browser gets a new name when somebody signs in, and its waiting requests go over to that name in
the same transaction; the old name is worth nothing from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from catshop.oauth.model import BrowserSession, User
from catshop.storage.database import Database, Statements, milliseconds
from catshop.storage.oauth import rows, users
from catshop.storage.oauth.consents import end


@dataclass(frozen=True, slots=True)
class Sessions:
    """`oauth.ports.Sessions` in SQL."""

    database: Database

    async def sign_in(self, session: BrowserSession, previous: str) -> None:
        """See the port."""

        await self.database.write(lambda statements: _begin(statements, session, previous))

    async def sign_up(self, user: User, session: BrowserSession, previous: str) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            if not users.insert(statements, user):
                return False
            _begin(statements, session, previous)
            return True

        return await self.database.write(work)

    async def find(self, browser: str, now: datetime) -> tuple[BrowserSession, User] | None:
        """See the port."""
        row = await self.database.one(
            "SELECT * FROM oauth_sessions WHERE browser = ? AND expires_at > ?",
            browser,
            milliseconds(now),
        )
        if row is None:
            return None
        session = rows.session(row)
        owner = await self.database.one("SELECT * FROM oauth_users WHERE id = ?", session.user_id)
        return (session, rows.user(owner)) if owner else None

    async def sign_out(self, browser: str, revoke_at: datetime | None) -> Sequence[str]:
        """See the port."""

        def work(statements: Statements) -> list[str]:
            row = statements.one(
                "DELETE FROM oauth_sessions WHERE browser = ? RETURNING user_id", browser
            )
            if row is None or revoke_at is None:
                return []
            return end(statements, "user_id = ?", (rows.text(row["user_id"]),), revoke_at)

        return await self.database.write(work)


def _begin(statements: Statements, session: BrowserSession, previous: str) -> None:
    """The browser is called otherwise from now on."""
    statements.run("DELETE FROM oauth_sessions WHERE browser = ?", previous)
    statements.run(
        "INSERT INTO oauth_sessions (browser, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
        session.browser,
        session.user_id,
        milliseconds(session.created_at),
        milliseconds(session.expires_at),
    )
    statements.run(
        "UPDATE oauth_requests SET browser = ? WHERE browser = ?", session.browser, previous
    )

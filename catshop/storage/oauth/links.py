"""Whom the subjects of other issuers stand for. `oauth.ports.Links`.

Issuer and subject are the key, so that a subject is one user or one client, whoever adds it first;
a link goes with its user or its client, by the cascades of the schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catshop.oauth.model import Link, User
from catshop.storage.database import Database, Row, Statements
from catshop.storage.oauth import rows


@dataclass(frozen=True, slots=True)
class Links:
    """`oauth.ports.Links` in SQL."""

    database: Database

    async def add(self, link: Link) -> bool:
        """The key decides, in one statement."""

        def work(statements: Statements) -> bool:
            return bool(
                statements.run(
                    "INSERT INTO oauth_links (issuer, subject, user_id, client_id)"
                    " VALUES (?, ?, ?, ?) ON CONFLICT (issuer, subject) DO NOTHING",
                    link.issuer,
                    link.subject,
                    link.user_id,
                    link.client_id,
                )
            )

        return await self.database.write(work)

    async def find(self, issuer: str, subject: str) -> tuple[Link, User | None] | None:
        """See the port."""
        row = await self.database.one(
            "SELECT * FROM oauth_links WHERE issuer = ? AND subject = ?", issuer, subject
        )
        if row is None:
            return None
        user = await self.database.one("SELECT * FROM oauth_users WHERE id = ?", row["user_id"])
        return _link(row), rows.user(user) if user else None

    async def remove(self, issuer: str, subject: str) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            return bool(
                statements.run(
                    "DELETE FROM oauth_links WHERE issuer = ? AND subject = ?", issuer, subject
                )
            )

        return await self.database.write(work)

    async def all(self) -> Sequence[Link]:
        """See the port."""
        found = await self.database.all("SELECT * FROM oauth_links ORDER BY issuer, subject")
        return [_link(row) for row in found]


def _link(row: Row) -> Link:
    user_id, client_id = row["user_id"], row["client_id"]
    return Link(
        rows.text(row["issuer"]),
        rows.text(row["subject"]),
        None if user_id is None else rows.text(user_id),
        None if client_id is None else rows.text(client_id),
    )

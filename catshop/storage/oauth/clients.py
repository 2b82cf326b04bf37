"""Registered clients. `oauth.ports.Clients`.

A client is written once and then only read; `upkeep.py` forgets those that were never used.
Lists are JSON in a text column: nothing is ever looked up inside them.
"""

from __future__ import annotations

from dataclasses import dataclass

from catshop.oauth.model import Client
from catshop.storage.database import Database, Statements, milliseconds
from catshop.storage.oauth import rows


@dataclass(frozen=True, slots=True)
class Clients:
    """`oauth.ports.Clients` in SQL."""

    database: Database

    async def add(self, client: Client) -> None:
        """See the port."""

        def work(statements: Statements) -> None:
            statements.run(
                "INSERT INTO oauth_clients"
                " (id, name, redirect_uris, grant_types, scopes, application_type, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                client.id,
                client.name,
                rows.listed(client.redirect_uris),
                rows.listed(client.grant_types),
                rows.words(client.scopes),
                client.application_type,
                milliseconds(client.created_at),
            )

        await self.database.write(work)

    async def find(self, client_id: str) -> Client | None:
        """See the port."""
        row = await self.database.one("SELECT * FROM oauth_clients WHERE id = ?", client_id)
        return rows.client(row) if row else None

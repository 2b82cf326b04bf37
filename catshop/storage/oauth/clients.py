"""Registered clients. `oauth.ports.Clients`, `oauth.ports.Registrations`.

A client that registered is written once and then only read, one that describes itself is written
anew whenever it is met; `upkeep.py` forgets those that were never used. Lists are JSON in a text
column: nothing is ever looked up inside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from catshop.oauth.model import Client
from catshop.storage.database import Database, Statements, Value, milliseconds
from catshop.storage.oauth import rows

INSERT: Final = """
    INSERT INTO oauth_clients
    (id, name, redirect_uris, grant_types, scopes, application_type, created_at,
    auth_method, secret_hash, jwks, serves, origin, management_hash, dpop_bound, jwks_uri)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

REPLACE: Final = """
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, redirect_uris = excluded.redirect_uris,
    grant_types = excluded.grant_types, scopes = excluded.scopes,
    application_type = excluded.application_type, auth_method = excluded.auth_method,
    secret_hash = excluded.secret_hash, jwks = excluded.jwks, serves = excluded.serves,
    origin = excluded.origin, management_hash = excluded.management_hash,
    dpop_bound = excluded.dpop_bound, jwks_uri = excluded.jwks_uri
"""


@dataclass(frozen=True, slots=True)
class Clients:
    """Both ports in SQL."""

    database: Database

    async def add(self, client: Client) -> None:
        """See the port."""

        def work(statements: Statements) -> None:
            statements.run(f"{INSERT} ON CONFLICT (id) DO NOTHING", *_values(client))

        await self.database.write(work)

    async def put(self, client: Client) -> None:
        """See the port. When it was first met, and first used, stays."""

        def work(statements: Statements) -> None:
            statements.run(f"{INSERT} {REPLACE}", *_values(client))

        await self.database.write(work)

    async def find(self, client_id: str) -> Client | None:
        """See the port."""
        row = await self.database.one("SELECT * FROM oauth_clients WHERE id = ?", client_id)
        return rows.client(row) if row else None

    async def change(self, client: Client) -> bool:
        """See the port. In one transaction, so that nobody is brought back who has gone."""

        def work(statements: Statements) -> bool:
            if statements.one("SELECT 1 FROM oauth_clients WHERE id = ?", client.id) is None:
                return False
            return bool(statements.run(f"{INSERT} {REPLACE}", *_values(client)))

        return await self.database.write(work)

    async def remove(self, client_id: str) -> Sequence[str]:
        """The schema's cascades take the rest along."""

        def work(statements: Statements) -> list[str]:
            families = statements.all(
                "SELECT id FROM oauth_families WHERE client_id = ?", client_id
            )
            statements.run("DELETE FROM oauth_clients WHERE id = ?", client_id)
            return [rows.text(row["id"]) for row in families]

        return await self.database.write(work)

    async def all(self) -> Sequence[Client]:
        """See the port."""
        found = await self.database.all("SELECT * FROM oauth_clients ORDER BY created_at, id")
        return [rows.client(row) for row in found]


def _values(client: Client) -> tuple[Value, ...]:
    """In the order of `INSERT`."""
    return (
        client.id,
        client.name,
        rows.listed(client.redirect_uris),
        rows.listed(client.grant_types),
        rows.words(client.scopes),
        client.application_type,
        milliseconds(client.created_at),
        client.auth_method,
        client.secret_hash,
        client.jwks,
        client.serves,
        client.origin,
        client.management_hash,
        int(client.dpop_bound),
        client.jwks_uri,
    )

"""Trips to the upstream issuer, and what they brought. `oauth.ports.Upstreams`.

A trip is ended by deleting it: of many who come back with one state, one gets the row. An upstream
token is claimed by one statement that finds it free, for a time, so that a claim whose process died
does not lock a family out. Next: `catshop/oauth/upstream.py`, which travels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from catshop.oauth.model import Trip, UpstreamToken, User
from catshop.oauth.upstream_ports import Claimed
from catshop.storage.database import Database, Statements, milliseconds
from catshop.storage.oauth import rows


@dataclass(frozen=True, slots=True)
class Upstreams:
    """`oauth.ports.Upstreams` in SQL."""

    database: Database

    async def depart(self, trip: Trip) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            waits = "SELECT 1 FROM oauth_requests WHERE id = ?"
            if statements.one(waits, trip.request_id) is None:
                return False
            statements.run(
                "INSERT INTO oauth_trips (state, browser, request_id, scopes, expires_at)"
                " VALUES (?, ?, ?, ?, ?)",
                trip.state,
                trip.browser,
                trip.request_id,
                rows.words(trip.scopes),
                milliseconds(trip.expires_at),
            )
            return True

        return await self.database.write(work)

    async def arrive(self, state: str) -> Trip | None:
        """Whoever gets the row back has arrived; nobody else does."""

        def work(statements: Statements) -> Trip | None:
            row = statements.one("DELETE FROM oauth_trips WHERE state = ? RETURNING *", state)
            return rows.trip(row) if row else None

        return await self.database.write(work)

    async def resident(self, issuer: str, subject: str, newcomer: User) -> User:
        """See the port."""

        def work(statements: Statements) -> User:
            row = statements.one(
                "SELECT u.* FROM oauth_users u JOIN oauth_residents r ON r.user_id = u.id"
                " WHERE r.issuer = ? AND r.subject = ?",
                issuer,
                subject,
            )
            return rows.user(row) if row else _admit(statements, issuer, subject, newcomer)

        return await self.database.write(work)

    async def keep(self, token: UpstreamToken, now: datetime) -> None:
        """See the port."""

        def work(statements: Statements) -> None:
            statements.run(
                "INSERT INTO oauth_upstream_tokens (code, sealed, created_at) VALUES (?, ?, ?)",
                token.code,
                token.sealed,
                milliseconds(now),
            )

        await self.database.write(work)

    async def claim(
        self, family_id: str, now: datetime, until: datetime
    ) -> UpstreamToken | Claimed | None:
        """One statement finds it free and takes it."""

        def work(statements: Statements) -> UpstreamToken | Claimed | None:
            held = statements.one(
                "SELECT t.code FROM oauth_upstream_tokens t"
                " JOIN oauth_codes c ON c.hash = t.code WHERE c.family_id = ?",
                family_id,
            )
            if held is None:
                return None
            taken = statements.one(
                "UPDATE oauth_upstream_tokens SET claimed_until = ?"
                " WHERE code = ? AND claimed_until <= ? RETURNING code, sealed",
                milliseconds(until),
                held["code"],
                milliseconds(now),
            )
            return rows.upstream_token(taken) if taken else Claimed.BY_ANOTHER

        return await self.database.write(work)

    async def give_back(self, token: UpstreamToken) -> None:
        """See the port."""

        def work(statements: Statements) -> None:
            statements.run(
                "UPDATE oauth_upstream_tokens SET sealed = ?, claimed_until = 0 WHERE code = ?",
                token.sealed,
                token.code,
            )

        await self.database.write(work)


def _admit(statements: Statements, issuer: str, subject: str, newcomer: User) -> User:
    """A new account, and whose it is."""
    for user in (newcomer, replace(newcomer, name=newcomer.id)):
        added = statements.run(
            "INSERT INTO oauth_users (id, name, folded_name, password_hash, created_at)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT (folded_name) DO NOTHING",
            user.id,
            user.name,
            user.name.casefold(),
            user.password_hash,
            milliseconds(user.created_at),
        )
        if added:
            statements.run(
                "INSERT INTO oauth_residents (issuer, subject, user_id) VALUES (?, ?, ?)",
                issuer,
                subject,
                user.id,
            )
            return user
    raise LookupError("an id that is somebody's name")

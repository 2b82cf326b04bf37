"""Codes, families and tokens. `oauth.ports.Grants`.

The decision is taken inside the transaction that obeys it, and the mark of use is one statement
that finds the row unmarked: `UPDATE ... WHERE redeemed_at IS NULL RETURNING`. Where that finds
nothing, somebody was faster, and the decision is taken anew on what is there now. RFC 6749 §4.1.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from catshop.oauth.model import (
    AccessToken,
    Family,
    Presented,
    RefreshEvent,
    RefreshToken,
    User,
    advance,
)
from catshop.oauth.ports import Decision, Effect, FoundCode, FoundRefresh, Issue, Refuse
from catshop.storage.database import Database, Statements, Value, milliseconds
from catshop.storage.oauth import rows

PRESENTED: Final = """
    SELECT t.hash, t.id, t.family_id, t.scopes, t.created_at, t.expires_at, t.jkt,
        f.client_id, f.user_id, f.resource, f.parent, f.scopes AS family_scopes,
        f.created_at AS family_created_at, f.expires_at AS family_expires_at,
        u.name AS user_name, u.created_at AS user_created_at, u.disabled_at AS user_disabled_at
    FROM oauth_access_tokens t
    JOIN oauth_families f ON f.id = t.family_id
    LEFT JOIN oauth_users u ON u.id = f.user_id
    LEFT JOIN oauth_families p ON p.id = f.parent
    WHERE f.revoked_at IS NULL AND p.revoked_at IS NULL
"""
"""An access token with its family and user. The password's hash is not asked for."""

NO_CODE: Final = FoundCode(None, None)


@dataclass(frozen=True, slots=True)
class Grants:
    """`oauth.ports.Grants` in SQL."""

    database: Database

    async def redeem(self, code: str, decide: Callable[[FoundCode], Decision]) -> Decision:
        """See the port."""

        def work(statements: Statements) -> Decision:
            while True:
                found = _code(statements, code)
                decision = decide(found)
                if isinstance(decision, Refuse):
                    _leave_mark(statements, decision, found)
                    return decision
                if _redeem(statements, code, decision):
                    return decision

        return await self.database.write(work)

    async def look(self, refresh: str, family_id: str) -> FoundRefresh:
        """See the port."""
        return await self.database.write(
            lambda statements: _refresh(statements, refresh, family_id)
        )

    async def rotate(
        self, refresh: str, family_id: str, decide: Callable[[FoundRefresh], Decision]
    ) -> Decision:
        """See the port."""

        def work(statements: Statements) -> Decision:
            while True:
                found = _refresh(statements, refresh, family_id)
                decision = decide(found)
                if isinstance(decision, Refuse):
                    if decision.effect is Effect.REVOKE_FAMILY:
                        _revoke(statements, family_id, decision.at)
                    return decision
                if _rotate(statements, found, decision):
                    return decision

        return await self.database.write(work)

    async def issue(self, issue: Issue) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            family = issue.family
            there = rows.has_client(statements, family.client_id)
            if family.user_id is not None:
                there = there and rows.has_user(statements, family.user_id)
            if there and family.parent is not None:
                row = statements.one("SELECT * FROM oauth_families WHERE id = ?", family.parent)
                there = row is not None and row["revoked_at"] is None
            if there and issue.proof is not None:
                there = rows.spend(statements, issue.proof.hash, issue.proof.until)
            if there:
                _add_family(statements, family)
                _add_tokens(statements, issue)
            return there

        return await self.database.write(work)

    async def find(self, access: str) -> Presented | None:
        """See the port. One statement, because every call of a tool asks this."""
        row = await self.database.one(f"{PRESENTED} AND t.hash = ?", access)
        return rows.presented(row) if row else None

    async def find_id(self, token_id: str) -> Presented | None:
        """See the port."""
        row = await self.database.one(f"{PRESENTED} AND t.id = ?", token_id)
        return rows.presented(row) if row else None

    async def family_of(self, token: str) -> tuple[Family, AccessToken | None] | None:
        """See the port."""
        found = await self.find(token)
        if found is not None:
            return found.family, found.token
        row = await self.database.one(
            "SELECT f.* FROM oauth_families f"
            " JOIN oauth_refresh_tokens t ON t.family_id = f.id WHERE t.hash = ?",
            token,
        )
        return (rows.family(row), None) if row else None

    async def revoke_family(self, family_id: str, now: datetime) -> bool:
        """See the port."""
        return await self.database.write(lambda statements: _revoke(statements, family_id, now))

    async def revoke_access(self, token_id: str) -> Presented | None:
        """See the port."""

        def work(statements: Statements) -> Presented | None:
            row = statements.one(f"{PRESENTED} AND t.id = ?", token_id)
            statements.run("DELETE FROM oauth_access_tokens WHERE id = ?", token_id)
            return rows.presented(row) if row else None

        return await self.database.write(work)

    async def all(self, now: datetime) -> Sequence[Presented]:
        """See the port."""
        found = await self.database.all(
            f"{PRESENTED} AND t.expires_at > ? ORDER BY t.created_at DESC, t.id", milliseconds(now)
        )
        return [rows.presented(row) for row in found]


def _code(statements: Statements, code: str) -> FoundCode:
    row = statements.one("SELECT * FROM oauth_codes WHERE hash = ?", code)
    return FoundCode(rows.code(row), _user(statements, row["user_id"])) if row else NO_CODE


def _user(statements: Statements, user_id: Value) -> User | None:
    row = statements.one("SELECT * FROM oauth_users WHERE id = ?", user_id)
    return rows.user(row) if row else None


def _leave_mark(statements: Statements, refusal: Refuse, found: FoundCode) -> None:
    if found.code is None:
        return
    if refusal.effect is Effect.COUNT_TRY:
        statements.run("UPDATE oauth_codes SET tries = tries + 1 WHERE hash = ?", found.code.hash)
    elif refusal.effect is Effect.REVOKE_FAMILY and found.code.family_id is not None:
        _revoke(statements, found.code.family_id, refusal.at)


def _redeem(statements: Statements, code: str, issue: Issue) -> bool:
    """Mark the code as used, if nobody has, and issue what comes of it."""
    _add_family(statements, issue.family)
    marked = statements.one(
        "UPDATE oauth_codes SET redeemed_at = ?, family_id = ?"
        " WHERE hash = ? AND redeemed_at IS NULL RETURNING hash",
        milliseconds(issue.at),
        issue.family.id,
        code,
    )
    if marked is None:
        statements.run("DELETE FROM oauth_families WHERE id = ?", issue.family.id)
        return False
    _add_tokens(statements, issue)
    return True


def _refresh(statements: Statements, refresh: str, family_id: str) -> FoundRefresh:
    family_row = statements.one("SELECT * FROM oauth_families WHERE id = ?", family_id)
    family = rows.family(family_row) if family_row else None
    token = _token(statements, refresh, family_id)
    successor = _token(statements, token.successor, family_id) if token else None
    user = _user(statements, family.user_id) if family else None
    return FoundRefresh(token, family, successor, user)


def _token(statements: Statements, refresh: str | None, family_id: str) -> RefreshToken | None:
    row = statements.one(
        "SELECT * FROM oauth_refresh_tokens WHERE hash = ? AND family_id = ?", refresh, family_id
    )
    return rows.refresh(row) if row else None


def _rotate(statements: Statements, found: FoundRefresh, issue: Issue) -> bool:
    """Move the presented token on, if nobody has, and put the new ones in the place of the old."""
    token, fresh = found.token, issue.refresh
    if token is None or fresh is None:
        raise TypeError("only a refresh token that is there can be replaced by another")
    marked = statements.one(
        "UPDATE oauth_refresh_tokens SET state = ?, rotated_at = ?, successor = ?"
        " WHERE hash = ? AND state = ? RETURNING hash",
        advance(token.state, issue.event),
        milliseconds(issue.at),
        fresh.hash,
        token.hash,
        token.state,
    )
    if marked is None:
        return False
    if found.successor is not None:
        statements.run(
            "UPDATE oauth_refresh_tokens SET state = ?, rotated_at = ? WHERE hash = ?",
            advance(found.successor.state, RefreshEvent.SUPERSEDE),
            milliseconds(issue.at),
            found.successor.hash,
        )
    statements.run("DELETE FROM oauth_access_tokens WHERE family_id = ?", issue.family.id)
    _add_tokens(statements, issue)
    return True


def _revoke(statements: Statements, family_id: str, now: datetime) -> bool:
    """End the family. Its refresh tokens stay, so that they are known when they come back."""
    ended = statements.run(
        "UPDATE oauth_families SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
        milliseconds(now),
        family_id,
    )
    statements.run("DELETE FROM oauth_access_tokens WHERE family_id = ?", family_id)
    return bool(ended)


def _add_family(statements: Statements, family: Family) -> None:
    statements.run(
        "UPDATE oauth_clients SET used_at = ? WHERE id = ? AND used_at IS NULL",
        milliseconds(family.created_at),
        family.client_id,
    )
    statements.run(
        "INSERT INTO oauth_families"
        " (id, client_id, user_id, scopes, resource, created_at, expires_at, parent)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        family.id,
        family.client_id,
        family.user_id,
        rows.words(family.scopes),
        family.resource,
        milliseconds(family.created_at),
        milliseconds(family.expires_at),
        family.parent,
    )


def _add_tokens(statements: Statements, issue: Issue) -> None:
    access, refresh = issue.access, issue.refresh
    statements.run(
        "INSERT INTO oauth_access_tokens"
        " (hash, id, family_id, scopes, created_at, expires_at, jkt) VALUES (?, ?, ?, ?, ?, ?, ?)",
        access.hash,
        access.id,
        access.family_id,
        rows.words(access.scopes),
        milliseconds(access.created_at),
        milliseconds(access.expires_at),
        access.jkt,
    )
    if refresh is not None:
        statements.run(
            "INSERT INTO oauth_refresh_tokens (hash, family_id, created_at, expires_at, state, jkt)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            refresh.hash,
            refresh.family_id,
            milliseconds(refresh.created_at),
            milliseconds(refresh.expires_at),
            refresh.state,
            refresh.jkt,
        )

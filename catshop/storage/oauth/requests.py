"""Authorization requests that wait for their user. `oauth.ports.Requests`.

A request is decided by deleting it: of many who try, one gets the row back, and only that one's
code is kept. Next: `grants.py`, where the code is redeemed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from catshop.oauth.model import AuthorizationRequest, Code, Consent
from catshop.storage.database import Database, Statements, milliseconds
from catshop.storage.oauth import rows
from catshop.storage.oauth.consents import remember

DECIDE = "DELETE FROM oauth_requests WHERE id = ? RETURNING id"
"""Whoever gets the row back has decided the request; nobody else can."""


@dataclass(frozen=True, slots=True)
class Requests:
    """`oauth.ports.Requests` in SQL."""

    database: Database

    async def park(self, request: AuthorizationRequest) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            refusal = request.refusal
            if not rows.has_client(statements, request.client_id):
                return False
            statements.run(
                "INSERT INTO oauth_requests (id, browser, client_id, redirect_uri, state,"
                " code_challenge, scopes, resource, error, error_description, created_at,"
                " expires_at, dpop_jkt, prompt)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                request.id,
                request.browser,
                request.client_id,
                request.redirect_uri,
                request.state,
                request.code_challenge,
                rows.words(request.scopes),
                request.resource,
                refusal.error if refusal else None,
                refusal.description if refusal else None,
                milliseconds(request.created_at),
                milliseconds(request.expires_at),
                request.dpop_jkt,
                request.prompt,
            )
            return True

        return await self.database.write(work)

    async def find(self, request_id: str, now: datetime) -> AuthorizationRequest | None:
        """See the port."""
        row = await self.database.one(
            "SELECT * FROM oauth_requests WHERE id = ? AND expires_at > ?",
            request_id,
            milliseconds(now),
        )
        return rows.request(row) if row else None

    async def approve(self, request_id: str, code: Code, consent: Consent | None = None) -> bool:
        """The request goes and the code comes in one transaction, or neither."""

        def work(statements: Statements) -> bool:
            if not rows.has_user(statements, code.user_id):
                return False
            if statements.one(DECIDE, request_id) is None:
                return False
            statements.run(
                "INSERT INTO oauth_codes (hash, client_id, user_id, redirect_uri, code_challenge,"
                " scopes, resource, created_at, expires_at, dpop_jkt)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                code.hash,
                code.client_id,
                code.user_id,
                code.redirect_uri,
                code.code_challenge,
                rows.words(code.scopes),
                code.resource,
                milliseconds(code.created_at),
                milliseconds(code.expires_at),
                code.dpop_jkt,
            )
            if consent is not None:
                remember(statements, consent)
            return True

        return await self.database.write(work)

    async def dismiss(self, request_id: str) -> bool:
        """See the port."""

        def work(statements: Statements) -> bool:
            return statements.one(DECIDE, request_id) is not None

        return await self.database.write(work)

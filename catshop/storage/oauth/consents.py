"""What users have agreed to, and what they have taken back. `oauth.ports.Consents`.

A consent is one row; taking it back ends everything that came of it in the same transaction. What
an application holds is read from the tokens themselves, because some were granted without a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from catshop.oauth.model import App, Consent
from catshop.storage.database import Database, Row, Statements, milliseconds
from catshop.storage.oauth import rows

REMEMBER: Final = """
    INSERT INTO oauth_consents
    (user_id, client_id, redirect_uri, resource, scopes, fingerprint, given_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (user_id, client_id, redirect_uri, resource) DO UPDATE SET
    scopes = excluded.scopes, fingerprint = excluded.fingerprint, given_at = excluded.given_at
"""

HELD: Final = """
    SELECT s.client_id, c.name, s.redirect_uri, s.scopes, s.given_at AS since, s.given_at AS used
    FROM oauth_consents s JOIN oauth_clients c ON c.id = s.client_id
    WHERE s.user_id = ?
    UNION ALL
    SELECT f.client_id, c.name, '' AS redirect_uri, f.scopes, f.created_at AS since,
        COALESCE(
            (SELECT MAX(r.created_at) FROM oauth_refresh_tokens r WHERE r.family_id = f.id),
            (SELECT MAX(a.created_at) FROM oauth_access_tokens a WHERE a.family_id = f.id),
            f.created_at) AS used
    FROM oauth_families f JOIN oauth_clients c ON c.id = f.client_id
    WHERE f.user_id = ? AND f.revoked_at IS NULL AND f.expires_at > ?
    ORDER BY since, client_id, redirect_uri
"""
"""Every consent, and every grant that lives, of one user."""


@dataclass(frozen=True, slots=True)
class Consents:
    """`oauth.ports.Consents` in SQL."""

    database: Database

    async def find(
        self, user_id: str, client_id: str, redirect_uri: str, resource: str
    ) -> Consent | None:
        """See the port."""
        row = await self.database.one(
            "SELECT * FROM oauth_consents"
            " WHERE user_id = ? AND client_id = ? AND redirect_uri = ? AND resource = ?",
            user_id,
            client_id,
            redirect_uri,
            resource,
        )
        return rows.consent(row) if row else None

    async def apps(self, user_id: str, now: datetime) -> Sequence[App]:
        """See the port."""
        found = await self.database.all(HELD, user_id, user_id, milliseconds(now))
        held: dict[str, list[Row]] = {}
        for row in found:
            held.setdefault(rows.text(row["client_id"]), []).append(row)
        return [_app(client_id, of_it) for client_id, of_it in held.items()]

    async def withdraw(self, user_id: str, client_id: str, now: datetime) -> Sequence[str]:
        """See the port."""

        def work(statements: Statements) -> list[str]:
            whose = (user_id, client_id)
            statements.run("DELETE FROM oauth_consents WHERE user_id = ? AND client_id = ?", *whose)
            return end(statements, "user_id = ? AND client_id = ?", whose, now)

        return await self.database.write(work)


def remember(statements: Statements, consent: Consent) -> None:
    """Keep the consent, in the place of an older one for the same."""
    statements.run(
        REMEMBER,
        consent.user_id,
        consent.client_id,
        consent.redirect_uri,
        consent.resource,
        rows.words(consent.scopes),
        consent.fingerprint,
        milliseconds(consent.given_at),
    )


def end(statements: Statements, whose: str, values: tuple[str, ...], now: datetime) -> list[str]:
    """Revoke the families to which `whose` applies, with their access tokens; their ids.

    The codes that nobody has redeemed yet go along: no family may begin where all have ended.
    """
    statements.run(
        f"DELETE FROM oauth_codes WHERE {whose} AND redeemed_at IS NULL",  # noqa: S608 - see below
        *values,
    )
    ended = statements.all(
        f"UPDATE oauth_families SET revoked_at = ?"  # noqa: S608 - conditions of this package
        f" WHERE {whose} AND revoked_at IS NULL RETURNING id",
        milliseconds(now),
        *values,
    )
    families = [rows.text(row["id"]) for row in ended]
    for family in families:
        statements.run("DELETE FROM oauth_access_tokens WHERE family_id = ?", family)
    return families


def _app(client_id: str, held: list[Row]) -> App:
    """One application, of everything that is known of it."""
    return App(
        client_id=client_id,
        name=rows.text(held[0]["name"]),
        redirect_uris=tuple(
            dict.fromkeys(rows.text(row["redirect_uri"]) for row in held if row["redirect_uri"])
        ),
        scopes=frozenset(name for row in held for name in rows.text(row["scopes"]).split()),
        since=min(rows.time(row["since"]) for row in held),
        used_at=max(rows.time(row["used"]) for row in held),
    )

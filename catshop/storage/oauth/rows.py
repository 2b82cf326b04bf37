"""From rows to the nouns of the OAuth plane, and how its values are stored.

The only file of this package that knows both spellings: scopes are words with spaces between them,
lists are JSON, time is milliseconds. Next: one repository a port.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from catshop.oauth.model import (
    AccessToken,
    AuthorizationRequest,
    BrowserSession,
    Client,
    Code,
    Consent,
    Device,
    DeviceState,
    Family,
    Origin,
    Presented,
    RefreshState,
    RefreshToken,
    Refusal,
    SigningKey,
    Trip,
    UpstreamToken,
    User,
)
from catshop.storage.database import Row, Statements, Value, milliseconds, moment


def spend(statements: Statements, proof: str, until: datetime) -> bool:
    """Remember a proof that is good once; False when it was shown before. RFC 7523 §3."""
    return bool(
        statements.run(
            "INSERT INTO oauth_spent_proofs (hash, expires_at) VALUES (?, ?)"
            " ON CONFLICT (hash) DO NOTHING",
            proof,
            milliseconds(until),
        )
    )


def has_client(statements: Statements, client_id: str) -> bool:
    """Whether the client that a new row refers to is still there."""
    return statements.one("SELECT 1 FROM oauth_clients WHERE id = ?", client_id) is not None


def has_user(statements: Statements, user_id: str) -> bool:
    """Whether the account that a new row refers to is still there."""
    return statements.one("SELECT 1 FROM oauth_users WHERE id = ?", user_id) is not None


def words(scopes: Iterable[str]) -> str:
    """Scopes as they are stored."""
    return " ".join(sorted(scopes))


def listed(values: Iterable[str]) -> str:
    """A list as it is stored."""
    return json.dumps(list(values))


def user(row: Row) -> User:
    """A row of `oauth_users`."""
    return User(
        id=text(row["id"]),
        name=text(row["name"]),
        password_hash=text(row["password_hash"]),
        created_at=time(row["created_at"]),
        disabled_at=_time_or_none(row["disabled_at"]),
    )


def client(row: Row) -> Client:
    """A row of `oauth_clients`."""
    return Client(
        id=text(row["id"]),
        name=text(row["name"]),
        redirect_uris=tuple(json.loads(text(row["redirect_uris"]))),
        grant_types=tuple(json.loads(text(row["grant_types"]))),
        scopes=_scopes(row["scopes"]),
        created_at=time(row["created_at"]),
        application_type=text(row["application_type"]),
        auth_method=text(row["auth_method"]),
        secret_hash=_text_or_none(row["secret_hash"]),
        jwks=_text_or_none(row["jwks"]),
        serves=_text_or_none(row["serves"]),
        origin=Origin(text(row["origin"])),
        management_hash=_text_or_none(row["management_hash"]),
        dpop_bound=bool(number(row["dpop_bound"])),
        jwks_uri=_text_or_none(row["jwks_uri"]),
    )


def request(row: Row) -> AuthorizationRequest:
    """A row of `oauth_requests`."""
    error = row["error"]
    return AuthorizationRequest(
        id=text(row["id"]),
        browser=text(row["browser"]),
        client_id=text(row["client_id"]),
        redirect_uri=text(row["redirect_uri"]),
        state=_text_or_none(row["state"]),
        code_challenge=text(row["code_challenge"]),
        scopes=_scopes(row["scopes"]),
        resource=text(row["resource"]),
        created_at=time(row["created_at"]),
        expires_at=time(row["expires_at"]),
        refusal=None if error is None else Refusal(text(error), text(row["error_description"])),
        dpop_jkt=_text_or_none(row["dpop_jkt"]),
        prompt=text(row["prompt"]),
    )


def consent(row: Row) -> Consent:
    """A row of `oauth_consents`."""
    return Consent(
        user_id=text(row["user_id"]),
        client_id=text(row["client_id"]),
        redirect_uri=text(row["redirect_uri"]),
        resource=text(row["resource"]),
        scopes=_scopes(row["scopes"]),
        fingerprint=text(row["fingerprint"]),
        given_at=time(row["given_at"]),
    )


def device(row: Row) -> Device:
    """A row of `oauth_devices`."""
    return Device(
        id=text(row["id"]),
        hash=text(row["hash"]),
        user_code=text(row["user_code"]),
        client_id=text(row["client_id"]),
        code_challenge=text(row["code_challenge"]),
        scopes=_scopes(row["scopes"]),
        resource=text(row["resource"]),
        created_at=time(row["created_at"]),
        expires_at=time(row["expires_at"]),
        interval=number(row["pause"]),
        polled_at=_time_or_none(row["polled_at"]),
        state=DeviceState(text(row["state"])),
        code=_text_or_none(row["code"]),
    )


def session(row: Row) -> BrowserSession:
    """A row of `oauth_sessions`."""
    return BrowserSession(
        browser=text(row["browser"]),
        user_id=text(row["user_id"]),
        created_at=time(row["created_at"]),
        expires_at=time(row["expires_at"]),
    )


def code(row: Row) -> Code:
    """A row of `oauth_codes`."""
    return Code(
        hash=text(row["hash"]),
        client_id=text(row["client_id"]),
        user_id=text(row["user_id"]),
        redirect_uri=text(row["redirect_uri"]),
        code_challenge=text(row["code_challenge"]),
        scopes=_scopes(row["scopes"]),
        resource=text(row["resource"]),
        created_at=time(row["created_at"]),
        expires_at=time(row["expires_at"]),
        tries=number(row["tries"]),
        redeemed_at=_time_or_none(row["redeemed_at"]),
        family_id=_text_or_none(row["family_id"]),
        dpop_jkt=_text_or_none(row["dpop_jkt"]),
    )


def family(row: Row) -> Family:
    """A row of `oauth_families`."""
    return Family(
        id=text(row["id"]),
        client_id=text(row["client_id"]),
        user_id=_text_or_none(row["user_id"]),
        scopes=_scopes(row["scopes"]),
        resource=text(row["resource"]),
        created_at=time(row["created_at"]),
        expires_at=time(row["expires_at"]),
        revoked_at=_time_or_none(row["revoked_at"]),
        parent=_text_or_none(row["parent"]),
    )


def access(row: Row) -> AccessToken:
    """A row of `oauth_access_tokens`."""
    return AccessToken(
        hash=text(row["hash"]),
        id=text(row["id"]),
        family_id=text(row["family_id"]),
        scopes=_scopes(row["scopes"]),
        created_at=time(row["created_at"]),
        expires_at=time(row["expires_at"]),
        jkt=_text_or_none(row["jkt"]),
    )


def refresh(row: Row) -> RefreshToken:
    """A row of `oauth_refresh_tokens`."""
    return RefreshToken(
        hash=text(row["hash"]),
        family_id=text(row["family_id"]),
        created_at=time(row["created_at"]),
        expires_at=time(row["expires_at"]),
        state=RefreshState(text(row["state"])),
        rotated_at=_time_or_none(row["rotated_at"]),
        successor=_text_or_none(row["successor"]),
        jkt=_text_or_none(row["jkt"]),
    )


def signing_key(row: Row) -> SigningKey:
    """A row of `oauth_keys`."""
    return SigningKey(
        kid=text(row["kid"]),
        public=text(row["public_key"]),
        sealed=text(row["sealed_key"]),
        created_at=time(row["created_at"]),
        signs_from=time(row["signs_from"]),
        expires_at=_time_or_none(row["expires_at"]),
    )


def trip(row: Row) -> Trip:
    """A row of `oauth_trips`."""
    return Trip(
        state=text(row["state"]),
        browser=text(row["browser"]),
        request_id=text(row["request_id"]),
        scopes=_scopes(row["scopes"]),
        expires_at=time(row["expires_at"]),
    )


def upstream_token(row: Row) -> UpstreamToken:
    """What is read of a row of `oauth_upstream_tokens`."""
    return UpstreamToken(text(row["code"]), text(row["sealed"]))


def presented(row: Row) -> Presented:
    """An access token joined with its family and user; without the hash of the password."""
    family_id, user_id = text(row["family_id"]), _text_or_none(row["user_id"])
    held = Family(
        id=family_id,
        client_id=text(row["client_id"]),
        user_id=user_id,
        scopes=_scopes(row["family_scopes"]),
        resource=text(row["resource"]),
        created_at=time(row["family_created_at"]),
        expires_at=time(row["family_expires_at"]),
        parent=_text_or_none(row["parent"]),
    )
    owner = None
    if user_id is not None:
        owner = User(
            id=user_id,
            name=text(row["user_name"]),
            password_hash="",
            created_at=time(row["user_created_at"]),
            disabled_at=_time_or_none(row["user_disabled_at"]),
        )
    return Presented(access(row), held, owner)


def text(value: Value) -> str:
    """A text column, which is never null here."""
    if not isinstance(value, str):
        raise TypeError("the schema promises text")
    return value


def number(value: Value) -> int:
    """An integer column, which is never null here."""
    if not isinstance(value, int):
        raise TypeError("the schema promises a number")
    return value


def time(value: Value) -> datetime:
    """A column that holds a moment, which is never null here."""
    return moment(number(value))


def _text_or_none(value: Value) -> str | None:
    return None if value is None else text(value)


def _time_or_none(value: Value) -> datetime | None:
    return None if value is None else time(value)


def _scopes(value: Value) -> frozenset[str]:
    return frozenset(text(value).split())

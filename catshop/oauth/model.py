"""The nouns of the authorization server: who, through what, may do what, until when.

A `Family` is one sign-in and consent: every token that comes of it belongs to it and dies with it.
Values only; a secret is here at most as its hash. `REFRESH` is the life of a refresh token as a
table. Next: `ports.py`, which keeps these. OAuth 2.1 §1.3, §4.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account. `id` never changes; `name` is for people."""

    id: str
    name: str
    password_hash: str = field(repr=False)
    created_at: datetime
    disabled_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether the account may be used."""
        return self.disabled_at is None


class Origin(StrEnum):
    """Who brought a client here."""

    ITSELF = "itself"
    """It registered, or describes itself; unused, it is forgotten some day."""
    OPERATOR = "operator"
    """It was added by hand, and stays until it is removed by hand."""


@dataclass(frozen=True, slots=True)
class Client:
    """An application that asks for access. OAuth 2.1 §2.1.

    `auth_method` is how it proves who it is, in the words of RFC 7591 §2: with `none` it is public,
    and its id alone names it. `jwks` are its public keys, as the JSON that was registered, and
    `jwks_uri` is where they are instead.
    `serves` is the resource that it serves, when the operator says so: a resource server is a
    client, too, where it asks after tokens (RFC 7662 §2.1). With `dpop_bound` it is given no token
    that another could use (RFC 9449 §5.2).
    """

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    scopes: frozenset[str]
    created_at: datetime
    application_type: str = "native"
    auth_method: str = "none"
    secret_hash: str | None = field(default=None, repr=False)
    jwks: str | None = None
    serves: str | None = None
    origin: Origin = Origin.ITSELF
    management_hash: str | None = field(default=None, repr=False)
    dpop_bound: bool = False
    jwks_uri: str | None = None

    @property
    def public(self) -> bool:
        """Whether the client can keep no secret, so that nothing proves who it is."""
        return self.auth_method == "none"


@dataclass(frozen=True, slots=True)
class Link:
    """Who is meant, when an issuer that we trust speaks of that subject: a user or a client.

    RFC 7523 §3: `iss` and `sub` together; the same `sub` of another issuer is somebody else.
    """

    issuer: str
    subject: str
    user_id: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that the client is to be told once the user has signed in."""

    error: str
    description: str


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request of /authorize that waits for its user, in the browser that brought it."""

    id: str
    browser: str
    client_id: str
    redirect_uri: str
    state: str | None
    code_challenge: str
    scopes: frozenset[str]
    resource: str
    created_at: datetime
    expires_at: datetime
    refusal: Refusal | None = None
    dpop_jkt: str | None = None
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a user has agreed to. `fingerprint` is of the client as it was then."""

    user_id: str
    client_id: str
    redirect_uri: str
    resource: str
    scopes: frozenset[str]
    fingerprint: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class App:
    """An application, as its user sees it: what it may do, and when it last got a token."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    scopes: frozenset[str]
    since: datetime
    used_at: datetime


class DeviceState(StrEnum):
    """What the user of a device has decided."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"


class DeviceEvent(StrEnum):
    """What a user can do about a device."""

    APPROVE = "approve"
    DENY = "deny"


DEVICE: Final[Mapping[tuple[DeviceState, DeviceEvent], DeviceState]] = {
    (DeviceState.PENDING, DeviceEvent.APPROVE): DeviceState.APPROVED,
    (DeviceState.PENDING, DeviceEvent.DENY): DeviceState.DENIED,
}
"""A device is decided once. RFC 8628 §3.3."""


@dataclass(frozen=True, slots=True)
class Device:
    """A program that waits until somebody has typed its code. RFC 8628 §3.2.

    `hash` and `user_code` are hashes, and so is `code`: the authorization code that waits for it.
    """

    id: str
    hash: str
    user_code: str
    client_id: str
    code_challenge: str
    scopes: frozenset[str]
    resource: str
    created_at: datetime
    expires_at: datetime
    interval: int
    polled_at: datetime | None = None
    state: DeviceState = DeviceState.PENDING
    code: str | None = None


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A browser in which somebody is signed in. `browser` is the hash of what its cookie holds."""

    browser: str
    user_id: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Code:
    """What an authorization code stands for. `family_id` is set once it has been redeemed.

    With `dpop_jkt` it is for whoever holds the key of that thumbprint. RFC 9449 §10.
    """

    hash: str
    client_id: str
    user_id: str
    redirect_uri: str
    code_challenge: str
    scopes: frozenset[str]
    resource: str
    created_at: datetime
    expires_at: datetime
    tries: int = 0
    redeemed_at: datetime | None = None
    family_id: str | None = None
    dpop_jkt: str | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """One grant, and every token that comes of it. OAuth 2.1 §4.3.3; RFC 9700 §4.14.2.

    One that came of another's token is good as long as that one, its `parent`, is. RFC 8693 §2.1.
    """

    id: str
    client_id: str
    user_id: str | None
    scopes: frozenset[str]
    resource: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token; `id` is what people may see of it, `jkt` the key that it is bound to."""

    hash: str
    id: str
    family_id: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime
    jkt: str | None = None


class RefreshState(StrEnum):
    """Where a refresh token is in its life."""

    LIVE = "live"
    """The one of its family that may be used."""
    ROTATED = "rotated"
    """Used; its successor may still be on its way to the client."""
    SPENT = "spent"
    """Used for good; whoever shows it again is a thief, or was robbed."""


class RefreshEvent(StrEnum):
    """What can happen to a refresh token."""

    ROTATE = "rotate"
    RETRY = "retry"
    SUPERSEDE = "supersede"


REFRESH: Final[Mapping[tuple[RefreshState, RefreshEvent], RefreshState]] = {
    (RefreshState.LIVE, RefreshEvent.ROTATE): RefreshState.ROTATED,
    (RefreshState.ROTATED, RefreshEvent.RETRY): RefreshState.SPENT,
    (RefreshState.LIVE, RefreshEvent.SUPERSEDE): RefreshState.SPENT,
}
"""The life of a refresh token. What is not here cannot happen."""


def advance(state: RefreshState, event: RefreshEvent) -> RefreshState:
    """The state after `event`; KeyError for what cannot happen."""
    return REFRESH[state, event]


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token; `successor` is the hash of the one that replaced it, `jkt` its key."""

    hash: str
    family_id: str
    created_at: datetime
    expires_at: datetime
    state: RefreshState = RefreshState.LIVE
    rotated_at: datetime | None = None
    successor: str | None = None
    jkt: str | None = None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs access tokens: published from its creation, in use from `signs_from` on.

    `public` is its JWK as JSON, `sealed` its private half, which only `keys.py` can open.
    """

    kid: str
    public: str
    sealed: str = field(repr=False)
    created_at: datetime
    signs_from: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trip:
    """A browser on its way to the upstream issuer and back, with what its user has agreed to.

    `state` and `browser` are hashes: of the parameter, and of the cookie that only the browser has
    in which somebody agreed.
    """

    state: str
    browser: str
    request_id: str
    scopes: frozenset[str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UpstreamToken:
    """The upstream's refresh token behind one of our codes, sealed. `code` is that code's hash."""

    code: str
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Presented:
    """An access token with everything that decides whether it is good."""

    token: AccessToken
    family: Family
    user: User | None

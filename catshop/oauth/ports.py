"""What the OAuth plane asks of storage, as verbs with their races written down.

Whatever must happen together is one verb, and one transaction behind it. Where a decision stands on
a row that others change, the verb takes the decision with it: `decide` is pure, is given the row as
the transaction sees it, and may be run again after a conflict. Every verb may raise
`kernel.Unavailable`; it has then changed nothing. `catshop/storage/oauth` obeys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, Protocol

from catshop.oauth.checks import Findings
from catshop.oauth.model import (
    AccessToken,
    AuthorizationRequest,
    Client,
    Code,
    Consent,
    Device,
    DeviceEvent,
    Family,
    Link,
    Presented,
    RefreshEvent,
    RefreshToken,
    SigningKey,
    User,
)
from catshop.oauth.notices import Notices
from catshop.oauth.session_ports import Consents, Sessions
from catshop.oauth.upstream_ports import Upstreams

NOTHING_TO_CHECK: Final = Findings()


class Effect(Enum):
    """What a refused redemption leaves behind."""

    NONE = "none"
    COUNT_TRY = "count a try"
    REVOKE_FAMILY = "revoke the family"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Issue nothing; do `effect` at `at`. `family_id` is the family that this ends, if any."""

    findings: Findings
    at: datetime
    effect: Effect = Effect.NONE
    family_id: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What is good once, by its hash, and when it may be forgotten. RFC 7523 §3."""

    hash: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Issue:
    """Issue these tokens, and mark what was presented as used at `at`; with a `proof`, spend it."""

    family: Family
    access: AccessToken
    refresh: RefreshToken | None
    at: datetime
    findings: Findings = NOTHING_TO_CHECK
    event: RefreshEvent = RefreshEvent.ROTATE
    proof: Proof | None = None


Decision = Issue | Refuse


@dataclass(frozen=True, slots=True)
class FoundCode:
    """A presented code, and whose it is."""

    code: Code | None
    user: User | None


@dataclass(frozen=True, slots=True)
class FoundRefresh:
    """A presented refresh token with its family and successor, each as far as it still exists."""

    token: RefreshToken | None
    family: Family | None
    successor: RefreshToken | None
    user: User | None


class Users(Protocol):
    """Accounts."""

    async def add(self, user: User) -> bool:
        """Add the account unless its name is taken, whatever the case; of many at once one wins."""
        ...

    async def by_name(self, name: str) -> User | None:
        """The account of that name, whatever the case."""
        ...

    async def all(self) -> Sequence[User]:
        """Every account, by name."""
        ...

    async def remove(self, user_id: str) -> Sequence[str]:
        """Delete the account with its sessions, codes and families; the ids of those families."""
        ...

    async def set_password(self, user_id: str, password_hash: str, now: datetime) -> Sequence[str]:
        """Change the password, and in the same transaction end every session, unused code and
        family of the user; the ids of the families revoked.
        """
        ...

    async def disable(self, user_id: str, now: datetime) -> bool:
        """Switch the account off. Tokens of a disabled user are refused by whoever reads them."""
        ...

    async def enable(self, user_id: str) -> bool:
        """Switch the account on again; False when it was not off."""
        ...


class Clients(Protocol):
    """Registered clients."""

    async def add(self, client: Client) -> None:
        """Keep the client. Adding the same id again changes nothing."""
        ...

    async def put(self, client: Client) -> None:
        """Keep the client as it is now, in the place of what was known of it."""
        ...

    async def find(self, client_id: str) -> Client | None:
        """The client of that id."""
        ...


class Registrations(Protocol):
    """Registered clients, to look after."""

    async def change(self, client: Client) -> bool:
        """Keep the client as it is now; False, and nothing kept, when it is gone meanwhile."""
        ...

    async def remove(self, client_id: str) -> Sequence[str]:
        """Delete the client with its requests, codes and families; the ids of those families."""
        ...

    async def all(self) -> Sequence[Client]:
        """Every client, the newest last."""
        ...


class Requests(Protocol):
    """Authorization requests that wait for their user."""

    async def park(self, request: AuthorizationRequest) -> bool:
        """Keep the request until it is decided or expires; False when its client is gone."""
        ...

    async def find(self, request_id: str, now: datetime) -> AuthorizationRequest | None:
        """The request of that id, unless decided or expired."""
        ...

    async def approve(self, request_id: str, code: Code, consent: Consent | None = None) -> bool:
        """Decide the request and keep its code; False, and no code, when it was decided before.

        The consent that was given is remembered with it, or not at all.

        The same when its client or the user is gone. However many ask together, one is told True.
        OAuth 2.1 §4.1.2.
        """
        ...

    async def dismiss(self, request_id: str) -> bool:
        """Decide the request without a code; False when it was decided before."""
        ...


class Devices(Protocol):
    """Devices that wait for their users."""

    async def begin(self, device: Device) -> bool:
        """Keep the device until it expires, and a while longer, so that it is told so.

        False, and nothing kept, when its client is gone.
        """
        ...

    async def typed(self, user_code: str, now: datetime) -> Device | None:
        """The undecided device whose user code has that hash, unless expired."""
        ...

    async def settle(self, device_id: str, event: DeviceEvent, code: str | None) -> bool:
        """Keep what the user has decided, with the hash of the code; False when it was before.

        However many decide together, one is told True. RFC 8628 §3.3.
        """
        ...

    async def poll(self, device_code: str, now: datetime) -> Device | None:
        """The device of that hash as it was, and note that it has asked, if it has to ask again.

        Its interval grows by five seconds when it asks too early. RFC 8628 §3.5.
        """
        ...


class Grants(Protocol):
    """Codes, families and tokens."""

    async def redeem(self, code: str, decide: Callable[[FoundCode], Decision]) -> Decision:
        """Let `decide` judge the code of that hash and do as it says, in one transaction.

        Of all who redeem one code, however many together, one is issued tokens: the code is marked
        by a single statement that finds it unmarked. RFC 6749 §4.1.2.
        """
        ...

    async def look(self, refresh: str, family_id: str) -> FoundRefresh:
        """What `rotate` would judge, as it is now; it may be otherwise a moment later."""
        ...

    async def rotate(
        self, refresh: str, family_id: str, decide: Callable[[FoundRefresh], Decision]
    ) -> Decision:
        """The same for the refresh token of that hash. Older access tokens of the family end.

        At most one refresh token of a family is live, whatever happens. RFC 9700 §4.14.2.
        """
        ...

    async def issue(self, issue: Issue) -> bool:
        """Begin a family without a code; False, and nothing begun, when client or user is gone.

        The same when its proof was spent before: of all who show it together one is told True.
        """
        ...

    async def find(self, access: str) -> Presented | None:
        """The access token of that hash, unless its family is revoked."""
        ...

    async def find_id(self, token_id: str) -> Presented | None:
        """The same by the id that people may see."""
        ...

    async def family_of(self, token: str) -> tuple[Family, AccessToken | None] | None:
        """The family of the token of that hash; with the access token, if it is one."""
        ...

    async def revoke_family(self, family_id: str, now: datetime) -> bool:
        """End the family and all its tokens; False when it was over before."""
        ...

    async def revoke_access(self, token_id: str) -> Presented | None:
        """End one access token and return what it was; None when there is none of that id."""
        ...

    async def all(self, now: datetime) -> Sequence[Presented]:
        """Every access token that is good at `now`, the newest first."""
        ...


class Attempts(Protocol):
    """What was tried of late, counted for all processes together and across restarts."""

    async def reserve(
        self, attempt: str, allowances: Sequence[tuple[str, int]], now: datetime, since: datetime
    ) -> datetime | None:
        """Note the attempt in every bucket, unless one of them is full.

        None when it was noted; otherwise the oldest moment that fills a full bucket. Counting and
        noting are one transaction, so a burst gets no more through than a trickle does.
        """
        ...

    async def full(self, bucket: str, allowed: int, since: datetime) -> datetime | None:
        """The oldest moment that fills the bucket; None while there is room. Notes nothing."""
        ...

    async def release(self, attempt: str, bucket: str) -> None:
        """Forget this attempt, and everything that was noted in `bucket`."""
        ...


class Proofs(Protocol):
    """Signed proofs that are good once: what was shown is remembered until it has expired."""

    async def spend(self, proof: str, until: datetime) -> bool:
        """Remember the proof of that hash; False when it was shown before.

        However many show it together, in whatever process, one is told True. RFC 7523 §3.
        """
        ...


class Links(Protocol):
    """Whom the subjects of other issuers stand for here."""

    async def add(self, link: Link) -> bool:
        """Keep the link unless its subject has one; of many at once one is kept."""
        ...

    async def find(self, issuer: str, subject: str) -> tuple[Link, User | None] | None:
        """The link of that subject, with its user when it has one."""
        ...

    async def remove(self, issuer: str, subject: str) -> bool:
        """Forget the link; False when there was none."""
        ...

    async def all(self) -> Sequence[Link]:
        """Every link, by issuer and subject."""
        ...


class Keys(Protocol):
    """Keys that sign access tokens."""

    async def begin(self, key: SigningKey) -> None:
        """Keep the key unless there is one without an end; of many at once one is kept."""
        ...

    async def succeed(self, key: SigningKey, others_end: datetime) -> None:
        """Keep the key, and let every key without an end have this one, in one transaction."""
        ...

    async def all(self, now: datetime) -> Sequence[SigningKey]:
        """Every key that has not ended at `now`, the one that signs last first."""
        ...


class Upkeep(Protocol):
    """The clean-up of what has expired."""

    async def sweep(self, now: datetime) -> int:
        """Delete what expired before `now` and can decide nothing any more; how many rows."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """Every port, as one engine provides them."""

    users: Users
    clients: Clients
    registrations: Registrations
    requests: Requests
    sessions: Sessions
    consents: Consents
    devices: Devices
    grants: Grants
    attempts: Attempts
    proofs: Proofs
    links: Links
    keys: Keys
    upkeep: Upkeep
    upstreams: Upstreams
    notices: Notices = field(default_factory=Notices)

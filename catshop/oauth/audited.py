"""The audited ports: whatever is granted or ends leaves a line, whoever asked for it.

Each class obeys the port that it wraps and adds nothing but the line; a verb that grants or ends
something passes through here or does not exist. Next: `audit.py`, which writes. RFC 9700 §4.14.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from catshop.oauth import audit, scopes
from catshop.oauth.model import (
    AccessToken,
    App,
    AuthorizationRequest,
    BrowserSession,
    Client,
    Code,
    Consent,
    Family,
    Presented,
    User,
)
from catshop.oauth.ports import (
    Decision,
    FoundCode,
    FoundRefresh,
    Grants,
    Issue,
    Registrations,
    Requests,
    Stores,
    Users,
)
from catshop.oauth.session_ports import Consents, Sessions


def audited(stores: Stores) -> Stores:
    """The same stores; whatever is granted or ends in them leaves a line."""
    return replace(
        stores,
        grants=AuditedGrants(stores.grants),
        requests=AuditedRequests(stores.requests),
        users=AuditedUsers(stores.users),
        registrations=AuditedRegistrations(stores.registrations),
        consents=AuditedConsents(stores.consents),
        sessions=AuditedSessions(stores.sessions),
    )


def _granted(issue: Issue) -> None:
    audit.write(
        audit.Outcome.GRANTED,
        **_whose(issue.family),
        token=issue.access.id,
        scope=scopes.write(issue.access.scopes),
        resource=issue.family.resource,
        refresh="yes" if issue.refresh else "no",
    )


def _whose(family: Family) -> Mapping[str, str | None]:
    return {
        "client": family.client_id,
        "user": family.user_id,
        "family": audit.family_name(family.id),
    }


@dataclass(frozen=True, slots=True)
class AuditedGrants:
    """`ports.Grants`, with a line for every token that is issued and every one that ends."""

    grants: Grants

    async def redeem(self, code: str, decide: Callable[[FoundCode], Decision]) -> Decision:
        """See the port."""
        return _decided(await self.grants.redeem(code, decide))

    async def look(self, refresh: str, family_id: str) -> FoundRefresh:
        """See the port."""
        return await self.grants.look(refresh, family_id)

    async def rotate(
        self, refresh: str, family_id: str, decide: Callable[[FoundRefresh], Decision]
    ) -> Decision:
        """See the port."""
        return _decided(await self.grants.rotate(refresh, family_id, decide))

    async def issue(self, issue: Issue) -> bool:
        """See the port."""
        issued = await self.grants.issue(issue)
        if issued:
            _granted(issue)
        return issued

    async def find(self, access: str) -> Presented | None:
        """See the port."""
        return await self.grants.find(access)

    async def find_id(self, token_id: str) -> Presented | None:
        """See the port."""
        return await self.grants.find_id(token_id)

    async def family_of(self, token: str) -> tuple[Family, AccessToken | None] | None:
        """See the port."""
        return await self.grants.family_of(token)

    async def revoke_family(self, family_id: str, now: datetime) -> bool:
        """See the port."""
        ended = await self.grants.revoke_family(family_id, now)
        if ended:
            audit.write(audit.Outcome.REVOKED, family=audit.family_name(family_id))
        return ended

    async def revoke_access(self, token_id: str) -> Presented | None:
        """See the port."""
        found = await self.grants.revoke_access(token_id)
        if found is not None:
            audit.write(audit.Outcome.REVOKED, **_whose(found.family), token=found.token.id)
        return found

    async def all(self, now: datetime) -> Sequence[Presented]:
        """See the port."""
        return await self.grants.all(now)


def _decided(decision: Decision) -> Decision:
    """A refusal leaves its line at the route; here it does when it ends a family."""
    if isinstance(decision, Issue):
        _granted(decision)
    elif decision.family_id is not None:
        cause, family = decision.findings.failed, audit.family_name(decision.family_id)
        audit.write(audit.Outcome.REVOKED, family=family, cause=cause)
    return decision


@dataclass(frozen=True, slots=True)
class AuditedRequests:
    """`ports.Requests`, with a line for every code."""

    requests: Requests

    async def park(self, request: AuthorizationRequest) -> bool:
        """See the port."""
        return await self.requests.park(request)

    async def find(self, request_id: str, now: datetime) -> AuthorizationRequest | None:
        """See the port."""
        return await self.requests.find(request_id, now)

    async def approve(self, request_id: str, code: Code, consent: Consent | None = None) -> bool:
        """See the port."""
        approved = await self.requests.approve(request_id, code, consent)
        if approved:
            scope = scopes.write(code.scopes)
            whose = {"client": code.client_id, "user": code.user_id}
            audit.write(audit.Outcome.AGREED, **whose, scope=scope, resource=code.resource)
        return approved

    async def dismiss(self, request_id: str) -> bool:
        """See the port."""
        return await self.requests.dismiss(request_id)


@dataclass(frozen=True, slots=True)
class AuditedUsers:
    """`ports.Users`, with a line for everything that ends the grants of a user."""

    users: Users

    async def add(self, user: User) -> bool:
        """See the port."""
        return await self.users.add(user)

    async def by_name(self, name: str) -> User | None:
        """See the port."""
        return await self.users.by_name(name)

    async def all(self) -> Sequence[User]:
        """See the port."""
        return await self.users.all()

    async def remove(self, user_id: str) -> Sequence[str]:
        """See the port."""
        return _ended(await self.users.remove(user_id), "user.removed", user=user_id)

    async def set_password(self, user_id: str, password_hash: str, now: datetime) -> Sequence[str]:
        """See the port."""
        ended = await self.users.set_password(user_id, password_hash, now)
        return _ended(ended, "password.changed", user=user_id)

    async def disable(self, user_id: str, now: datetime) -> bool:
        """See the port. Nothing is gone, but nothing of it is good."""
        disabled = await self.users.disable(user_id, now)
        if disabled:
            audit.write(audit.Outcome.REVOKED, user=user_id, cause="user.disabled")
        return disabled

    async def enable(self, user_id: str) -> bool:
        """See the port. What has not expired meanwhile is good again."""
        enabled = await self.users.enable(user_id)
        if enabled:
            audit.write(audit.Outcome.GRANTED, user=user_id, cause="user.enabled")
        return enabled


@dataclass(frozen=True, slots=True)
class AuditedRegistrations:
    """`ports.Registrations`, with a line for everything that goes with a client."""

    registrations: Registrations

    async def change(self, client: Client) -> bool:
        """See the port."""
        return await self.registrations.change(client)

    async def remove(self, client_id: str) -> Sequence[str]:
        """See the port."""
        ended = await self.registrations.remove(client_id)
        return _ended(ended, "client.removed", client=client_id)

    async def all(self) -> Sequence[Client]:
        """See the port."""
        return await self.registrations.all()


@dataclass(frozen=True, slots=True)
class AuditedConsents:
    """`ports.Consents`, with a line for what a user takes back."""

    consents: Consents

    async def find(
        self, user_id: str, client_id: str, redirect_uri: str, resource: str
    ) -> Consent | None:
        """See the port."""
        return await self.consents.find(user_id, client_id, redirect_uri, resource)

    async def apps(self, user_id: str, now: datetime) -> Sequence[App]:
        """See the port."""
        return await self.consents.apps(user_id, now)

    async def withdraw(self, user_id: str, client_id: str, now: datetime) -> Sequence[str]:
        """See the port."""
        ended = await self.consents.withdraw(user_id, client_id, now)
        return _ended(ended, "consent.withdrawn", user=user_id, client=client_id)


@dataclass(frozen=True, slots=True)
class AuditedSessions:
    """`ports.Sessions`, with a line for what ends when a user signs out."""

    sessions: Sessions

    async def sign_in(self, session: BrowserSession, previous: str) -> None:
        """See the port."""
        await self.sessions.sign_in(session, previous)

    async def sign_up(self, user: User, session: BrowserSession, previous: str) -> bool:
        """See the port."""
        return await self.sessions.sign_up(user, session, previous)

    async def find(self, browser: str, now: datetime) -> tuple[BrowserSession, User] | None:
        """See the port."""
        return await self.sessions.find(browser, now)

    async def sign_out(self, browser: str, revoke_at: datetime | None) -> Sequence[str]:
        """See the port."""
        ended = await self.sessions.sign_out(browser, revoke_at)
        return _ended(ended, "user.signed_out") if ended else ended


def _ended(family_ids: Sequence[str], cause: str, **whose: str) -> Sequence[str]:
    """One line for what was asked, and one for every family that ended with it."""
    audit.write(audit.Outcome.REVOKED, **whose, cause=cause)
    for family_id in family_ids:
        audit.write(
            audit.Outcome.REVOKED, **whose, family=audit.family_name(family_id), cause=cause
        )
    return family_ids

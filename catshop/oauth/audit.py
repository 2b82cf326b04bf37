"""The audit: one line for every grant, refusal and revocation, and no secret in any of them.

Nobody who decides has to think of it. What is issued and what ends passes through the ports, so the
line is written there (`audited`), whoever asked: an endpoint, a page, a command. What is refused
leaves through a route, so the line is written there (`watched`), by the code that the access log is
told, too. In between, whoever learns who asks says so (`seen`). A token is named by the id that
people may see, and a family by a hash: its id is half of a refresh token. A name that a stranger
typed is not repeated, because it may be a password. Next:
`docs/howto/operations.md`, which says what a line tells.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from catshop.kernel import Secret, Unavailable
from catshop.oauth import scopes
from catshop.oauth.errors import plain
from catshop.oauth.model import (
    AccessToken,
    AuthorizationRequest,
    Client,
    Code,
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
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import Answer, Handler, Request, Streamed
from catshop.protocol.http1.routes import Route

log: Final = logging.getLogger("catshop.audit")

BARE: Final = re.compile(r"[!#-<>-\[\]-~]+")
"""A value that needs no quotes: printable, without space, quote, equals sign and backslash."""

FAMILY_LENGTH: Final = 12
"""Hex digits of the hash that names a family: enough to find it again, too few to be one."""


class Outcome(StrEnum):
    """What became of a request: the first word of its line."""

    GRANTED = "granted"
    """Tokens were issued."""
    AGREED = "agreed"
    """A user has agreed, and a code was made."""
    REFUSED = "refused"
    REVOKED = "revoked"
    """What was granted ends."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The request that is being answered, and what has been found out about it so far."""

    endpoint: str
    request: Request
    facts: dict[str, str] = field(default_factory=dict)


_asking: Final[ContextVar[Asking | None]] = ContextVar("catshop_audit", default=None)


def seen(**facts: str | None) -> None:
    """Remember of the current request what its line should say, should it be refused."""
    asking = _asking.get()
    if asking is not None:
        asking.facts.update({name: value for name, value in facts.items() if value})


def write(outcome: Outcome, **facts: str | None) -> None:
    """One line: what became of it, these facts, and who asked where."""
    if not log.isEnabledFor(logging.INFO):
        return
    asking = _asking.get()
    told: dict[str, str | None] = {}
    if asking is not None:
        told = {"endpoint": asking.endpoint, **asking.facts}
    told.update(facts)
    if asking is not None:
        told |= {"address": asking.request.address, "request": asking.request.id}
    log.info("%s%s", outcome, "".join(f" {name}={_shown(v)}" for name, v in told.items() if v))


def _shown(value: str) -> str:
    """As it stands, or in quotes and ASCII: nobody can begin a line of their own."""
    short = plain(value)
    return short if BARE.fullmatch(short) else json.dumps(short)


def family_name(family_id: str) -> str:
    """What a family is called where people read. RFC 9700 §4.14.2."""
    return Secret(family_id).digest()[:FAMILY_LENGTH]


# --- refusals: every route of the plane ----------------------------------------------------------


def watched(route: Route) -> Route:
    """The route, each of whose refusals leaves a line."""
    methods = {name: _watched(route.path, handler) for name, handler in route.methods.items()}
    return replace(route, methods=methods)


def _watched(endpoint: str, handler: Handler) -> Handler:
    async def answered(request: Request) -> Answer | Streamed:
        with asked(endpoint, request):
            answer = await handler(request)
            if isinstance(answer, Answer) and (answer.status >= 400 or "code" in request.notes):
                refused(request.notes.get("code"), answer.status)
            return answer

    return answered


@contextmanager
def asked(endpoint: str, request: Request) -> Iterator[None]:
    """What is written in here is about this request; what is raised out of here was refused."""
    token = _asking.set(Asking(endpoint, request))
    try:
        yield
    except HttpError as error:
        refused(error.code, error.status)
        raise
    except Unavailable as error:
        refused(error.code, 503)
        raise
    except Exception:
        refused("E-HTTP-50", 500)
        raise
    finally:
        _asking.reset(token)


def refused(code: str | None, status: int) -> None:
    """The line of a refusal."""
    write(Outcome.REFUSED, code=code, status=str(status))


# --- grants and revocations: every port through which they pass ----------------------------------


def audited(stores: Stores) -> Stores:
    """The same stores; whatever is granted or ends in them leaves a line."""
    return replace(
        stores,
        grants=AuditedGrants(stores.grants),
        requests=AuditedRequests(stores.requests),
        users=AuditedUsers(stores.users),
        registrations=AuditedRegistrations(stores.registrations),
    )


def _granted(issue: Issue) -> None:
    write(
        Outcome.GRANTED,
        **_whose(issue.family),
        token=issue.access.id,
        scope=scopes.write(issue.access.scopes),
        resource=issue.family.resource,
        refresh="yes" if issue.refresh else "no",
    )


def _whose(family: Family) -> Mapping[str, str | None]:
    return {"client": family.client_id, "user": family.user_id, "family": family_name(family.id)}


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
            write(Outcome.REVOKED, family=family_name(family_id))
        return ended

    async def revoke_access(self, token_id: str) -> Presented | None:
        """See the port."""
        found = await self.grants.revoke_access(token_id)
        if found is not None:
            write(Outcome.REVOKED, **_whose(found.family), token=found.token.id)
        return found

    async def all(self, now: datetime) -> Sequence[Presented]:
        """See the port."""
        return await self.grants.all(now)


def _decided(decision: Decision) -> Decision:
    """A refusal leaves its line at the route; here it does when it ends a family."""
    if isinstance(decision, Issue):
        _granted(decision)
    elif decision.family_id is not None:
        cause, family = decision.findings.failed, family_name(decision.family_id)
        write(Outcome.REVOKED, family=family, cause=cause)
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

    async def approve(self, request_id: str, code: Code) -> bool:
        """See the port."""
        approved = await self.requests.approve(request_id, code)
        if approved:
            scope = scopes.write(code.scopes)
            whose = {"client": code.client_id, "user": code.user_id}
            write(Outcome.AGREED, **whose, scope=scope, resource=code.resource)
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
            write(Outcome.REVOKED, user=user_id, cause="user.disabled")
        return disabled

    async def enable(self, user_id: str) -> bool:
        """See the port. What has not expired meanwhile is good again."""
        enabled = await self.users.enable(user_id)
        if enabled:
            write(Outcome.GRANTED, user=user_id, cause="user.enabled")
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


def _ended(family_ids: Sequence[str], cause: str, **whose: str) -> Sequence[str]:
    """One line for what was asked, and one for every family that ended with it."""
    write(Outcome.REVOKED, **whose, cause=cause)
    for family_id in family_ids:
        write(Outcome.REVOKED, **whose, family=family_name(family_id), cause=cause)
    return family_ids

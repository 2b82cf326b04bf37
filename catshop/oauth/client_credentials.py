"""The client credentials grant: a client acts for itself, and for no user.

What it proves is what it gets: a token without a subject, which looks at what everybody may see and
owns no cart. There is no refresh token, because the client can always ask again. A list of named
checks, like the other grants. Pure. OAuth 2.1 §4.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from catshop.oauth import audience, scopes
from catshop.oauth.checks import Checks, examine
from catshop.oauth.errors import InvalidScope, UnauthorizedClient
from catshop.oauth.model import Client, Family
from catshop.oauth.parameters import ClientCredentialsGrant
from catshop.oauth.ports import Decision, Issue, Refuse
from catshop.oauth.tokens import Lifetimes, Minted


@dataclass(frozen=True, slots=True)
class Asking:
    """What a client asks for itself, and what it would get."""

    asked: ClientCredentialsGrant
    client: Client
    ours: str
    scopes: frozenset[str] = frozenset()
    resource: str = ""


def client_is_confidential(asking: Asking) -> Asking:
    """Whoever cannot prove who it is has nothing of its own to ask for. OAuth 2.1 §4.2."""
    if asking.client.public:
        raise UnauthorizedClient("E-CLIENT-09", arrived=asking.client.id)
    return asking


def scope_is_registered(asking: Asking) -> Asking:
    """Nobody narrows the scope but the registration, so what is beyond it is refused.

    OAuth 2.1 §3.2.4.
    """
    asked, held = asking.asked.scopes, asking.client.scopes
    wanted = scopes.common(scopes.DEFAULT, held) if asked is None else asked
    if not wanted or not scopes.covers(held, wanted):
        beyond = wanted - scopes.reach(held)
        raise InvalidScope("E-SCOPE-04", arrived=scopes.write(beyond) or "no scope")
    return replace(asking, scopes=wanted)


def resource_is_ours(asking: Asking) -> Asking:
    """The token is for one resource. RFC 8707 §2."""
    return replace(asking, resource=audience.resolve(asking.asked.resource, asking.ours))


CLIENT_CREDENTIALS: Final[Checks[Asking]] = (
    ("credentials.client", client_is_confidential),
    ("credentials.scope", scope_is_registered),
    ("credentials.resource", resource_is_ours),
)


def decide(asking: Asking, minted: Minted, lifetimes: Lifetimes) -> Decision:
    """What becomes of the request: a family of one access token, which ends with it."""
    asking, findings = examine(CLIENT_CREDENTIALS, asking)
    if findings.error is not None:
        return Refuse(findings, lifetimes.now)
    ends = lifetimes.after(lifetimes.limits.access_seconds)
    held = (asking.client.id, None, asking.scopes, asking.resource)
    family = Family(minted.family_id, *held, created_at=lifetimes.now, expires_at=ends)
    access = lifetimes.access(minted, family, asking.scopes)
    return Issue(family, access, None, at=lifetimes.now, findings=findings)

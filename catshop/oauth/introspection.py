"""Introspection: a resource server asks what a token is worth.

An answer is for whom the token is meant: the server of its audience, and the client that holds it.
Everybody else is told the same as for a token that never was, and whoever asks for many of those
is made to wait. Only access tokens are known here: nobody is ever shown another kind. RFC 7662.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from catshop.kernel import Clock, Secret, Trace, Verdict
from catshop.oauth import audience, scopes, throttle, tokens
from catshop.oauth.errors import TemporarilyUnavailable
from catshop.oauth.model import Client, Presented
from catshop.oauth.parameters import Parameters
from catshop.oauth.ports import Stores
from catshop.oauth.settings import OAuthSettings
from catshop.oauth.throttle import Throttle, Throttled
from catshop.oauth.tokens import Mint

INACTIVE: Final[Mapping[str, object]] = {"active": False}
"""All that is said of a token that is unknown, over, or not the caller's. RFC 7662 §2.2."""


def is_for(found: Presented, caller: Client) -> bool:
    """Whether the caller serves the audience of the token, or holds it. RFC 7662 §4."""
    serves = caller.serves is not None and audience.same(found.family.resource, caller.serves)
    return serves or found.family.client_id == caller.id


def is_good(found: Presented, now: datetime) -> bool:
    """Whether a resource server should take the token."""
    return now < found.token.expires_at and (found.user is None or found.user.active)


def describe(found: Presented, issuer: str) -> dict[str, object]:
    """What the token says. RFC 7662 §2.2; RFC 9449 §6.2."""
    told: dict[str, object] = {
        "active": True,
        "iss": issuer,
        "aud": found.family.resource,
        "client_id": found.family.client_id,
        "scope": scopes.write(found.token.scopes),
        "token_type": tokens.kind(found.token),
        "iat": int(found.token.created_at.timestamp()),
        "exp": int(found.token.expires_at.timestamp()),
        "jti": found.token.id,
        "sub": found.user.id if found.user else found.family.client_id,
    }
    if found.user is not None:
        told["username"] = found.user.name
    if found.token.jkt is not None:
        told["cnf"] = {"jkt": found.token.jkt}
    return told


class Introspection:
    """Answers the clients that have proved who they are."""

    def __init__(
        self, settings: OAuthSettings, stores: Stores, *, clock: Clock, mint: Mint, trace: Trace
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._trace = trace
        self._throttle = Throttle(stores.attempts, clock, mint)

    async def introspect(self, sent: Parameters, caller: Client) -> Mapping[str, object]:
        """What `token` is worth to the caller. A hint would only save us a look. RFC 7662 §2.1."""
        token = Secret(sent.need("token"))
        budget = throttle.introspection(caller.id, self._settings.limits)
        try:
            await self._throttle.look(budget)
            found = await self._stores.grants.find(token.digest())
            if found and is_for(found, caller) and is_good(found, self._clock()):
                self._trace.check("introspection.active", Verdict.OK, token_id=found.token.id)
                return describe(found, self._settings.issuer)
            self._trace.check("introspection.active", Verdict.NO)
            await self._throttle.spend(budget)
        except Throttled as wait:
            retry = ("retry-after", str(wait.retry_after))
            raise TemporarilyUnavailable("E-INTRO-01", status=429, fields=(retry,)) from None
        return INACTIVE

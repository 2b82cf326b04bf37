"""Faults of the resource server: what a token opens, and how a client learns that it needs one.

Next: `proofs.py`, for tokens and clients that prove more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs

from catshop.kernel import Secret
from catshop.lab.model import Fault, Plane
from catshop.lab.swaps import Swap, instead
from catshop.oauth.resource import Credentials, Scheme

JUDGE: Final = "catshop.oauth.resource:ResourceServer._judge"
TOLD: Final = "catshop.oauth.resource:ResourceServer._told"


def _forgetful(*_: object) -> None:
    """Nothing is remembered, so that a token is judged anew once the fault is off."""


REMEMBER: Final = instead("catshop.oauth.resource:ResourceServer._remember", _forgetful)


def _for_anybody(original: Any) -> Callable[..., Any]:
    def judge(self: Any, found: Any, now: Any) -> Any:
        if found is not None:
            ours = replace(found.family, resource=self._settings.resource)
            found = replace(found, family=ours)
        return original(self, found, now)

    return judge


def _for_ever(original: Any) -> Callable[..., Any]:
    def judge(self: Any, found: Any, now: Any) -> Any:
        if found is not None:
            later = replace(found.token, expires_at=now + timedelta(hours=1))
            found = replace(found, token=later)
        return original(self, found, now)

    return judge


def _closed_accounts_too(original: Any) -> Callable[..., Any]:
    def judge(self: Any, found: Any, now: Any) -> Any:
        if found is not None and found.user is not None:
            found = replace(found, user=replace(found.user, active=True))
        return original(self, found, now)

    return judge


def _without(member: str) -> Callable[[Any], Callable[..., dict[str, str]]]:
    def make(original: Any) -> Callable[..., dict[str, str]]:
        def told(*given: Any) -> dict[str, str]:
            members = dict(original(*given))
            members.pop(member)
            return members

        return told

    return make


def _from_the_query(original: Any) -> Callable[..., Credentials]:
    def credentials(self: Any, request: Any) -> Credentials:
        named = parse_qs(request.head.query).get("access_token")
        if named:
            return Credentials(Scheme.BEARER, Secret(named[0]))
        found: Credentials = original(self, request)
        return found

    return credentials


def _no_challenge(original: Any) -> Callable[..., Any]:
    def refuse(*given: Any) -> Any:
        error = original(*given)
        error.fields = ()
        return error

    return refuse


async def _unconfirmed(*_: object) -> None:
    """A bound token without a proof of its key."""


FAULTS: Final = (
    Fault(
        "audience-not-checked",
        Plane.OAUTH,
        "bearer.valid",
        "A token that was issued for another resource is taken.",
        "A server that a user trusts less can shop here in their name.",
        "E-AUD-03",
        "RFC 8707 section 2",
        (Swap(JUDGE, _for_anybody), REMEMBER),
    ),
    Fault(
        "expiry-not-checked",
        Plane.OAUTH,
        "bearer.valid",
        "A token works after its time.",
        "A token from an old log still shops.",
        "E-CHAL-04",
        "OAuth 2.1 section 5.2",
        (Swap(JUDGE, _for_ever), REMEMBER),
    ),
    Fault(
        "closed-account-served",
        Plane.OAUTH,
        "bearer.valid",
        "Tokens of an account that was switched off still work.",
        "Somebody who was shut out goes on shopping.",
        "E-CHAL-04",
        "OAuth 2.1 section 5.2",
        (Swap(JUDGE, _closed_accounts_too), REMEMBER),
    ),
    Fault(
        "scope-ignored",
        Plane.OAUTH,
        "bearer.scope",
        "A token opens every tool, whatever its scope.",
        "A token that may read fills a cart.",
        "E-CHAL-05",
        "OAuth 2.1 section 5.2",
        (instead("catshop.app:ShopGate.authorize", lambda *_: None),),
    ),
    Fault(
        "token-in-query-taken",
        Plane.OAUTH,
        "bearer.credentials",
        "A token in the address is taken.",
        "Tokens end up in the logs of everybody on the way.",
        "E-CHAL-01",
        "OAuth 2.1 section 5.1",
        (Swap("catshop.oauth.resource:ResourceServer._credentials", _from_the_query),),
    ),
    Fault(
        "challenge-without-metadata",
        Plane.OAUTH,
        "bearer.challenge",
        "The challenge has no resource_metadata.",
        "A client that knows nothing of this server has nowhere to begin.",
        "a look at WWW-Authenticate",
        "RFC 9728 section 5.1",
        (Swap(TOLD, _without("resource_metadata")),),
    ),
    Fault(
        "challenge-without-scope",
        Plane.OAUTH,
        "bearer.challenge",
        "The challenge does not say which scope is needed.",
        "A client asks its user for too much, or for too little and then again.",
        "a look at WWW-Authenticate",
        "MCP 2026-07-28 basic/authorization section scope-selection-strategy",
        (Swap(TOLD, _without("scope")),),
    ),
    Fault(
        "no-challenge",
        Plane.OAUTH,
        "bearer.challenge",
        "401 comes without WWW-Authenticate.",
        "A client sees a refusal and no way in.",
        "a look at WWW-Authenticate",
        "RFC 9110 section 11.6.1",
        (Swap("catshop.oauth.resource:ResourceServer._refuse", _no_challenge),),
    ),
    Fault(
        "bound-token-borne",
        Plane.OAUTH,
        "dpop.jkt",
        "A token that is bound to a key is taken as a bearer token, without a proof.",
        "A stolen token is worth as much as if there were no DPoP.",
        "E-DPOP-12",
        "RFC 9449 section 7.1",
        (instead("catshop.oauth.resource:ResourceServer._confirm", _unconfirmed),),
    ),
)
"""Of what a token opens."""

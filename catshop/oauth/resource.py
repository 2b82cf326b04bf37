"""The resource server: a token is good, for us, and enough, or it is refused.

Here a request becomes a `Principal`. A token that is bound to a key is worth nothing without a
proof, and no other is one with it. The challenges are half of the protocol: they tell a client that
knows nothing where to go (`resource_metadata`) and what to ask for (`scope`), and every scope that
a call needs stands in one challenge. OAuth 2.1 §5; RFC 9449 §7; RFC 9728 §5.1; RFC 8707 §2;
MCP 2026-07-28 basic/authorization §token-handling, §scope-challenge-handling.
"""

# ruff: noqa: A005 - "resource server" is the field's word, and nobody here wants the other module
from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from catshop.kernel import Clock, Principal, Secret, Trace, Verdict
from catshop.oauth import audience, audit, dpop, scopes
from catshop.oauth.dpop import End, Possession
from catshop.oauth.errors import InvalidToken, OAuthError, describe, plain
from catshop.oauth.federation import Others
from catshop.oauth.model import Presented
from catshop.oauth.ports import Stores
from catshop.oauth.settings import OAuthSettings
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import Request

CREDENTIALS: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""b64token. OAuth 2.1 §5.1.1."""

CACHED: Final = 10_000
"""Tokens whose verdict is remembered; the least recently used goes first."""

FOREIGN: Final = frozenset[str]()
"""The families of a token that belongs to none of ours."""


class Scheme(StrEnum):
    """How a token is shown. OAuth 2.1 §5.1.1; RFC 9449 §7.1."""

    BEARER = "Bearer"
    DPOP = "DPoP"


SCHEMES: Final = {scheme.lower(): scheme for scheme in Scheme}

ALSO: Final = ("www-authenticate", f'{Scheme.DPOP} algs="{dpop.ALGORITHMS}"')
"""The second challenge, for who could do better than bear a token. RFC 9449 §7.2."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token, and the scheme that it was shown in."""

    scheme: Scheme
    token: Secret


@dataclass(frozen=True, slots=True)
class Remembered:
    """A principal that was vouched for, and is trusted without a question until then."""

    principal: Principal
    families: frozenset[str]
    """Its own, and the one that it came of: when either ends, so does this."""
    until: datetime


class ResourceServer:
    """Verifies access tokens for one resource."""

    def __init__(
        self,
        settings: OAuthSettings,
        stores: Stores,
        *,
        clock: Clock,
        trace: Trace,
        challenge: frozenset[str] = scopes.UMBRELLAS,
        others: Others | None = None,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._trace = trace
        self._challenge = challenge
        self._others = others
        self._possession = Possession(
            settings, stores.proofs, End.RESOURCE, clock=clock, trace=trace
        )
        self._cache: OrderedDict[str, Remembered] = OrderedDict()
        self._families: dict[str, set[str]] = {}
        self._forgotten = 0
        stores.notices.listen(self.forget)

    async def authenticate(self, request: Request) -> Principal:
        """Whoever the token says, or HttpError 401 with a challenge. OAuth 2.1 §5.2, §5.3.

        A token anywhere but in the Authorization field is not looked at (§5.1).
        """
        with audit.asked("resource", request):
            return await self._authenticated(request)

    async def _authenticated(self, request: Request) -> Principal:
        try:
            shown = self._credentials(request)
        except HttpError as refusal:
            self._say_no(refusal, refusal.code, refusal.arrived)
            raise
        try:
            principal = await self._bearer(shown.token)
            if principal.jkt is not None or shown.scheme is Scheme.DPOP:
                await self._confirm(request, shown, principal)
        except OAuthError as refusal:
            raise self._challenged(refusal, shown.scheme) from None
        return principal

    async def _confirm(self, request: Request, shown: Credentials, principal: Principal) -> None:
        """A bound token comes with a proof by its key, and only such a token does.

        RFC 9449 §7.1, §7.2.
        """
        if shown.scheme is Scheme.BEARER:
            raise InvalidToken("E-DPOP-12", arrived="a bound token as a bearer token")
        if principal.jkt is None:
            raise InvalidToken("E-DPOP-12", arrived="a bearer token as a bound one")
        if await self._possession.at_resource(request, shown.token) != principal.jkt:
            self._trace.check("dpop.jkt", Verdict.NO)
            raise InvalidToken("E-DPOP-12", arrived="a proof with another key")
        self._trace.check("dpop.jkt", Verdict.OK)

    async def _bearer(self, token: Secret) -> Principal:
        """Whoever the token was issued for; a refusal is told with the line that decided it."""
        try:
            return await self._vouched(token)
        except OAuthError as refusal:
            self._say_no(refusal, refusal.reference, plain(refusal.arrived))
            raise

    def _say_no(self, refusal: Exception, code: str, arrived: str) -> None:
        self._trace.check("bearer.valid", Verdict.NO, by=refusal, code=code, arrived=arrived)

    async def _vouched(self, token: Secret) -> Principal:
        """Whoever the token was issued for, by what is remembered, by storage, or by others."""
        digest, now = token.digest(), self._clock()
        known = self._recall(digest, now)
        if known is not None:
            if self._trace.observed:
                self._trace.check("bearer.valid", Verdict.OK, token_id=known.token_id)
            return known
        before = self._forgotten
        found = await self._stores.grants.find(digest)
        if found is None and self._others is not None:
            principal = await self._others.principal(token)
            self._remember(digest, self._trusted(principal, FOREIGN, now))
            return principal
        principal = self._judge(found, now)
        # What was forgotten while storage was asked must not be remembered after all.
        if found is not None and before == self._forgotten:
            families = frozenset(filter(None, (found.family.id, found.family.parent)))
            self._remember(digest, self._trusted(principal, families, now))
        return principal

    async def is_alive(self, principal: Principal) -> bool:
        """Whether the token behind a long answer is still good, so that the answer may go on."""
        now = self._clock()
        if now >= principal.expires_at:
            return False
        if principal.issuer != self._settings.issuer:
            return True
        found = await self._stores.grants.find_id(principal.token_id)
        return found is not None and (found.user is None or found.user.active)

    def insufficient(self, principal: Principal, needed: frozenset[str]) -> HttpError:
        """The refusal of a call that needs more: 403, and all that it needs. OAuth 2.1 §5.3.2."""
        held = scopes.common(principal.scopes, principal.scopes)
        arrived = scopes.write(held) or "no scope"
        audit.write(
            audit.Outcome.REFUSED,
            code="E-CHAL-05",
            status="403",
            client=principal.client_id,
            user=principal.subject,
            token=principal.token_id,
            scope=scopes.write(needed),
        )
        self._trace.check(
            "bearer.scope", Verdict.NO, expected=scopes.write(needed), arrived=arrived
        )
        scheme = Scheme.BEARER if principal.jkt is None else Scheme.DPOP
        told = self._told("E-CHAL-05", "insufficient_scope", arrived, needed)
        return HttpError(403, "E-CHAL-05", arrived=arrived, fields=(_challenge(scheme, told),))

    def forget(self, family_id: str) -> None:
        """Trust no remembered token of this family any more."""
        self._forgotten += 1
        for digest in tuple(self._families.get(family_id, ())):
            self._drop(digest)

    def _credentials(self, request: Request) -> Credentials:
        """The token in the Authorization field. OAuth 2.1 §5.1.1; RFC 9110 §11.4; RFC 9449 §7.1."""
        sent = request.fields.all("authorization")
        if len(sent) > 1:
            arrived = f"{len(sent)} Authorization fields"
            raise self._refuse(400, "E-CHAL-02", "invalid_request", arrived)
        named, _, credentials = (sent[0] if sent else "").partition(" ")
        scheme = SCHEMES.get(named.lower())
        if scheme is None:
            # What stands there may be a token without its scheme, so it is never shown.
            arrived = "another Authorization" if sent else "no Authorization"
            raise self._refuse(401, "E-CHAL-01", None, arrived)
        if not CREDENTIALS.fullmatch(credentials.strip(" ")):
            raise self._challenged(InvalidToken("E-CHAL-03"), scheme)
        return Credentials(scheme, Secret(credentials.strip(" ")))

    def _judge(self, found: Presented | None, now: datetime) -> Principal:
        """The principal of a token that is known, fresh, somebody's and ours. RFC 8707 §2."""
        if found is None:
            raise InvalidToken("E-CHAL-04", arrived="an unknown or revoked token")
        if now >= found.token.expires_at:
            late = round((now - found.token.expires_at).total_seconds())
            raise InvalidToken("E-CHAL-04", arrived=f"a token that expired {late} s ago")
        if found.user is not None and not found.user.active:
            raise InvalidToken("E-CHAL-04", arrived="a token of a closed account")
        if not audience.same(found.family.resource, self._settings.resource):
            raise InvalidToken("E-AUD-03", arrived=found.family.resource)
        if self._trace.observed:
            self._trace.check("bearer.valid", Verdict.OK, token_id=found.token.id)
        return Principal(
            issuer=self._settings.issuer,
            subject=found.user.id if found.user else None,
            username=found.user.name if found.user else None,
            client_id=found.family.client_id,
            audience=found.family.resource,
            scopes=scopes.reach(found.token.scopes),
            token_id=found.token.id,
            expires_at=found.token.expires_at,
            jkt=found.token.jkt,
        )

    def _challenged(self, refusal: OAuthError, scheme: Scheme) -> HttpError:
        """The refusal of a token, in the scheme in which it was shown. RFC 9449 §7.1, §7.2."""
        arrived = plain(refusal.arrived)
        told = self._told(refusal.reference, refusal.code, arrived)
        more = (ALSO,) if scheme is Scheme.BEARER else refusal.fields
        algorithms = {} if scheme is Scheme.BEARER else {"algs": dpop.ALGORITHMS}
        fields = (_challenge(scheme, {**told, **algorithms}), *more)
        return HttpError(401, refusal.reference, arrived=arrived, fields=fields)

    def _refuse(self, status: int, code: str, error: str | None, arrived: str) -> HttpError:
        """A refusal without a token. Without credentials it names no error. OAuth 2.1 §5.3.2."""
        told = _challenge(Scheme.BEARER, self._told(code, error, arrived))
        return HttpError(status, code, arrived=arrived, fields=(told, ALSO))

    def _told(
        self, code: str, error: str | None, arrived: str, needed: frozenset[str] | None = None
    ) -> dict[str, str]:
        """The members of a challenge. OAuth 2.1 §5.3.1; RFC 9728 §5.1."""
        named = {"error": error, "error_description": describe(code, arrived)} if error else {}
        return {
            **named,
            "resource_metadata": self._settings.resource_metadata,
            "scope": scopes.write(self._challenge if needed is None else needed),
        }

    def _recall(self, digest: str, now: datetime) -> Principal | None:
        known = self._cache.get(digest)
        if known is None or now >= known.until:
            return None
        self._cache.move_to_end(digest)
        return known.principal

    def _trusted(self, principal: Principal, families: frozenset[str], now: datetime) -> Remembered:
        limits = self._settings.limits
        foreign = families == FOREIGN
        age = limits.foreign_token_cache_seconds if foreign else limits.token_cache_seconds
        until = min(now + timedelta(seconds=age), principal.expires_at)
        return Remembered(principal, families, until)

    def _remember(self, digest: str, known: Remembered) -> None:
        self._cache[digest] = known
        for family_id in known.families:
            self._families.setdefault(family_id, set()).add(digest)
        while len(self._cache) > CACHED:
            self._drop(next(iter(self._cache)))

    def _drop(self, digest: str) -> None:
        for family_id in self._cache.pop(digest).families:
            held = self._families[family_id]
            held.discard(digest)
            if not held:
                del self._families[family_id]


def _challenge(scheme: Scheme, members: Mapping[str, str]) -> tuple[str, str]:
    """A challenge with its members. RFC 9110 §11.6.1."""
    value = ", ".join(f'{name}="{text}"' for name, text in members.items())
    return ("www-authenticate", f"{scheme} {value}")

"""The resource server: a bearer token is good, for us, and enough, or it is refused.

Here a request becomes a `Principal`. The challenges are half of the protocol: they tell a client
that knows nothing where to go (`resource_metadata`) and what to ask for (`scope`), and every scope
that a call needs stands in one challenge. OAuth 2.1 §5; RFC 9728 §5.1; RFC 8707 §2;
MCP 2026-07-28 basic/authorization §token-handling, §scope-challenge-handling.
"""

# ruff: noqa: A005 - "resource server" is the field's word, and nobody here wants the other module
from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from catshop.kernel import Clock, Principal, Secret, Trace, Verdict
from catshop.oauth import audience, audit, scopes
from catshop.oauth.errors import describe, plain
from catshop.oauth.federation import InvalidToken, Others
from catshop.oauth.model import Presented
from catshop.oauth.ports import Stores
from catshop.oauth.settings import OAuthSettings
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import Request

CREDENTIALS: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""b64token. OAuth 2.1 §5.1.1."""

CACHED: Final = 10_000
"""Tokens whose verdict is remembered; the least recently used goes first."""

FOREIGN: Final = ""
"""Stands for the family of a token that belongs to none of ours."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A principal that was vouched for, and is trusted without a question until then."""

    principal: Principal
    family_id: str
    until: datetime


class ResourceServer:
    """Verifies bearer tokens for one resource."""

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
        token = self._credentials(request)
        digest, now = token.digest(), self._clock()
        known = self._recall(digest, now)
        if known is not None:
            if self._trace.observed:
                self._trace.check("bearer.valid", Verdict.OK, token_id=known.token_id)
            return known
        before = self._forgotten
        found = await self._stores.grants.find(digest)
        if found is None and self._others is not None:
            principal = await self._foreign(token, self._others)
            self._remember(digest, self._trusted(principal, FOREIGN, now))
            return principal
        principal = self._judge(found, now)
        # What was forgotten while storage was asked must not be remembered after all.
        if found is not None and before == self._forgotten:
            self._remember(digest, self._trusted(principal, found.family.id, now))
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

    async def _foreign(self, token: Secret, others: Others) -> Principal:
        """Whoever another issuer says that this is."""
        try:
            return await others.principal(token)
        except InvalidToken as refusal:
            raise self._invalid(refusal.reference, plain(refusal.arrived)) from None

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
        return self._refuse(403, "E-CHAL-05", "insufficient_scope", arrived, needed)

    def forget(self, family_id: str) -> None:
        """Trust no remembered token of this family any more."""
        self._forgotten += 1
        for digest in self._families.pop(family_id, ()):
            self._cache.pop(digest, None)

    def _credentials(self, request: Request) -> Secret:
        """The token in the Authorization field. OAuth 2.1 §5.1.1; RFC 9110 §11.4."""
        sent = request.fields.all("authorization")
        if len(sent) > 1:
            arrived = f"{len(sent)} Authorization fields"
            raise self._refuse(400, "E-CHAL-02", "invalid_request", arrived)
        scheme, _, credentials = (sent[0] if sent else "").partition(" ")
        if scheme.lower() != "bearer":
            # What stands there may be a token without its scheme, so it is never shown.
            arrived = "another Authorization" if sent else "no Authorization"
            raise self._refuse(401, "E-CHAL-01", None, arrived)
        if not CREDENTIALS.fullmatch(credentials.strip(" ")):
            raise self._refuse(401, "E-CHAL-03", "invalid_token")
        return Secret(credentials.strip(" "))

    def _judge(self, found: Presented | None, now: datetime) -> Principal:
        """The principal of a token that is known, fresh, somebody's and ours. RFC 8707 §2."""
        if found is None:
            raise self._invalid("E-CHAL-04", "an unknown or revoked token")
        if now >= found.token.expires_at:
            late = round((now - found.token.expires_at).total_seconds())
            raise self._invalid("E-CHAL-04", f"a token that expired {late} s ago")
        if found.user is not None and not found.user.active:
            raise self._invalid("E-CHAL-04", "a token of a closed account")
        if not audience.same(found.family.resource, self._settings.resource):
            raise self._invalid("E-AUD-03", found.family.resource)
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
        )

    def _invalid(self, code: str, arrived: str) -> HttpError:
        self._trace.check("bearer.valid", Verdict.NO, arrived=arrived)
        return self._refuse(401, code, "invalid_token", arrived)

    def _refuse(
        self,
        status: int,
        code: str,
        error: str | None,
        arrived: str = "",
        needed: frozenset[str] | None = None,
    ) -> HttpError:
        """A refusal with its challenge. Without credentials it names no error. OAuth 2.1 §5.3.2."""
        named = {"error": error, "error_description": describe(code, arrived)} if error else {}
        members = {
            **named,
            "resource_metadata": self._settings.resource_metadata,
            "scope": scopes.write(self._challenge if needed is None else needed),
        }
        value = ", ".join(f'{name}="{text}"' for name, text in members.items())
        challenge = ("www-authenticate", f"Bearer {value}")
        return HttpError(status, code, arrived=arrived, fields=(challenge,))

    def _recall(self, digest: str, now: datetime) -> Principal | None:
        known = self._cache.get(digest)
        if known is None or now >= known.until:
            return None
        self._cache.move_to_end(digest)
        return known.principal

    def _trusted(self, principal: Principal, family_id: str, now: datetime) -> Remembered:
        limits = self._settings.limits
        foreign = family_id == FOREIGN
        age = limits.foreign_token_cache_seconds if foreign else limits.token_cache_seconds
        until = min(now + timedelta(seconds=age), principal.expires_at)
        return Remembered(principal, family_id, until)

    def _remember(self, digest: str, known: Remembered) -> None:
        self._cache[digest] = known
        self._families.setdefault(known.family_id, set()).add(digest)
        while len(self._cache) > CACHED:
            oldest, gone = self._cache.popitem(last=False)
            held = self._families.get(gone.family_id, set())
            held.discard(oldest)
            if not held:
                self._families.pop(gone.family_id, None)

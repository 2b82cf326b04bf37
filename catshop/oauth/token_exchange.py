"""Token exchange: an access token of ours for one that is worth less, or that another may show.

A client that may use a token hands a weaker one on: whoever holds it, or serves its audience, gets
one with fewer scopes, for itself, that ends no later. The new token hangs on the old grant: when
that ends, it ends. Nobody is impersonated, for the new token names the client that asked; an actor
besides it is refused, because nothing here would look at one. There is no refresh token, as the old
grant has its own. Pure down to `Exchanges`. RFC 8693 §2; docs/why/0024-a-token-for-less.md.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from catshop.kernel import Clock, Secret
from catshop.oauth import audience, scopes, throttle
from catshop.oauth.checks import Checks, Findings, examine
from catshop.oauth.errors import (
    InvalidRequest,
    InvalidScope,
    TemporarilyUnavailable,
    UnauthorizedClient,
)
from catshop.oauth.grants import Issuing
from catshop.oauth.introspection import is_for, is_good
from catshop.oauth.model import Client, Family, Presented
from catshop.oauth.parameters import Parameters, scopes_of
from catshop.oauth.ports import Decision, Issue, Refuse, Stores
from catshop.oauth.settings import OAuthSettings
from catshop.oauth.throttle import Throttle, Throttled
from catshop.oauth.tokens import Lifetimes, Mint, Minted

ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type
"""RFC 8693 §3: the only type that is taken, and the only one that is issued."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A token request for an exchange. RFC 8693 §2.1."""

    subject_token: Secret
    subject_token_type: str
    requested_token_type: str | None
    actor: bool
    targets: tuple[str, ...]
    scopes: frozenset[str] | None


def wish(sent: Parameters) -> Wish:
    """The parameters of an exchange. RFC 8693 §2.1: `audience` may come more than once, too."""
    actor = (sent.secret("actor_token"), sent.one("actor_token_type"))
    return Wish(
        subject_token=Secret(sent.need("subject_token")),
        subject_token_type=sent.need("subject_token_type"),
        requested_token_type=sent.one("requested_token_type"),
        actor=any(each is not None for each in actor),
        targets=(*sent.all("resource"), *sent.all("audience")),
        scopes=scopes_of(sent),
    )


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is asked for, by whom, and the token that is given for it, if it is one."""

    asked: Wish
    client: Client
    ours: str
    found: Presented | None
    now: datetime
    jkt: str | None = None
    scopes: frozenset[str] = frozenset()


def client_is_confidential(exchange: Exchange) -> Exchange:
    """Whoever cannot prove who it is could be anybody who has found a token. RFC 8693 §5."""
    if exchange.client.public:
        raise UnauthorizedClient("E-CLIENT-09", arrived=exchange.client.id)
    return exchange


def types_are_access_tokens(exchange: Exchange) -> Exchange:
    """An access token is given, and an access token is asked for. RFC 8693 §2.1, §3."""
    asked = exchange.asked
    for kind in (asked.subject_token_type, asked.requested_token_type or ACCESS_TOKEN):
        if kind != ACCESS_TOKEN:
            raise InvalidRequest("E-EXCHANGE-01", arrived=kind)
    return exchange


def nobody_else_acts(exchange: Exchange) -> Exchange:
    """An actor that nothing looks at would be a promise that nobody keeps. RFC 8693 §2.2.2."""
    if exchange.asked.actor:
        raise InvalidRequest("E-EXCHANGE-02")
    return exchange


def token_is_the_clients_to_give(exchange: Exchange) -> Exchange:
    """It is good, and the client holds it or is whom it is for. RFC 8693 §2.2.2, §5.

    One that is bound to a key is given by whoever holds the key. RFC 9449 §5.
    """
    found = exchange.found
    good = found is not None and is_good(found, exchange.now) and is_for(found, exchange.client)
    if found is None or not good or found.token.jkt not in (None, exchange.jkt):
        raise InvalidRequest("E-EXCHANGE-03")
    return exchange


def target_is_ours(exchange: Exchange) -> Exchange:
    """Whatever is named, the token stays for our resource. RFC 8693 §2.2.2; RFC 8707 §2."""
    audience.resolve(exchange.asked.targets, exchange.ours)
    return exchange


def scope_is_not_wider(exchange: Exchange) -> Exchange:
    """No more than the token has and the client registered. RFC 8693 §2.1; RFC 6749 §3.3."""
    asked = exchange.asked.scopes
    had = exchange.found.token.scopes if exchange.found else ()
    held = scopes.common(had, exchange.client.scopes)
    wanted = held if asked is None else asked
    if not wanted or not scopes.covers(held, wanted):
        beyond = scopes.write(wanted - scopes.reach(held))
        raise InvalidScope("E-SCOPE-03", arrived=beyond or "no scope")
    return replace(exchange, scopes=wanted)


EXCHANGE: Final[Checks[Exchange]] = (
    ("exchange.client", client_is_confidential),
    ("exchange.type", types_are_access_tokens),
    ("exchange.actor", nobody_else_acts),
    ("exchange.subject", token_is_the_clients_to_give),
    ("exchange.target", target_is_ours),
    ("exchange.scope", scope_is_not_wider),
)
"""In the order of RFC 8693 §2.1."""


def decide(exchange: Exchange, minted: Minted, lifetimes: Lifetimes) -> Decision:
    """What becomes of it: a family of one access token, below the one that it comes from."""
    exchange, findings = examine(EXCHANGE, exchange)
    if findings.error is not None or exchange.found is None:
        return Refuse(findings, lifetimes.now)
    old = exchange.found.family
    ends = min(lifetimes.after(lifetimes.limits.access_seconds), exchange.found.token.expires_at)
    held = (exchange.client.id, old.user_id, exchange.scopes, old.resource)
    family = Family(minted.family_id, *held, lifetimes.now, ends, parent=old.parent or old.id)
    access = lifetimes.access(minted, family, exchange.scopes)
    return Issue(family, access, None, at=lifetimes.now, findings=findings)


class Exchanges:
    """The shell: which token is given, and who shows too many that were none."""

    def __init__(
        self, settings: OAuthSettings, stores: Stores, *, clock: Clock, mint: Mint
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._throttle = Throttle(stores.attempts, clock, mint)

    async def decision(
        self, sent: Parameters, client: Client, address: str, issuing: Issuing
    ) -> Decision:
        """What becomes of it; what is issued is kept. OAuth 2.1 §7.7: guesses are counted."""
        (minted, lifetimes), asked = issuing, wish(sent)
        budget = throttle.assertions(client.id, address, self._settings.limits)
        try:
            await self._throttle.look(budget)
        except Throttled as wait:
            retry = ("retry-after", str(wait.retry_after))
            raise TemporarilyUnavailable("E-VOUCH-12", status=429, fields=(retry,)) from None
        found = await self._stores.grants.find(asked.subject_token.digest())
        ours = self._settings.resource
        exchange = Exchange(asked, client, ours, found, lifetimes.now, minted.jkt)
        decision = decide(exchange, minted, lifetimes)
        if isinstance(decision, Issue) and not await self._stores.grants.issue(decision):
            gone = Findings(failed="exchange.subject", error=InvalidRequest("E-EXCHANGE-03"))
            decision = Refuse(gone, lifetimes.now)
        if isinstance(decision, Refuse) and decision.findings.failed == "exchange.subject":
            with suppress(Throttled):
                await self._throttle.spend(budget)
        return decision

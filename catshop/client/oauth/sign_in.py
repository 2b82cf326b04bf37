"""The whole way, from a refusal to a token: find out who guards the door, be known there, ask.

Each refusal begins at the beginning again, with the documents, because what was true of a server
an hour ago may have moved since, and credentials must not follow it to another issuer by
themselves. What is held already shortens the way: a registration is used again, and a refresh
token spares the user the page. Pure, but for what it yields. Next: `account.py`, which drives it.
MCP 2026-07-28 basic/authorization §authorization-flow-steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from catshop.client.oauth.challenges import Challenge
from catshop.client.oauth.discovery import Guarded, canonical, discover, identifiers
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.grants import (
    Asking,
    Provider,
    Tokens,
    code_grant,
    credentials_grant,
    enterprise_grant,
    refresh_grant,
    workload_grant,
)
from catshop.client.oauth.keys import SigningKey
from catshop.client.oauth.memory import Held, Memory
from catshop.client.oauth.possession import Possession
from catshop.client.oauth.registration import Client, Introduction, identify
from catshop.client.oauth.scopes import select
from catshop.client.oauth.steps import Sources, Steps, safe, within
from catshop.kernel import Secret

UNKNOWN: Final = "invalid_client"
"""How an authorization server says that it has forgotten us. OAuth 2.1 §3.2.4."""


@dataclass(frozen=True, slots=True)
class Way:
    """How this client comes by tokens; the fields of the ways not taken are None."""

    who: Introduction
    as_itself: bool = field(default=False, kw_only=True)
    provider: Provider | None = None
    workload: Secret | None = None
    bound: bool = field(default=False, kw_only=True)
    """Ask for tokens bound to a key wherever the server can, not only where it must."""
    portable: bool = field(default=False, kw_only=True)
    """Take tokens that a program without a key can show, where the server leaves the choice."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be remembered of a sign-in."""

    client: Client
    held: Held
    possession: Possession | None = None

    def remembered(self, memory: Memory) -> Memory:
        """The memory with it."""
        return memory.with_client(self.client).with_held(self.held)


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a token is wanted now: for which address, after which challenge, with what at hand."""

    url: str
    way: Way
    memory: Memory
    sources: Sources
    challenge: Challenge | None = None
    possession: Possession | None = None

    @property
    def held(self) -> Held | None:
        """What was given for this server before."""
        return self.memory.for_resource(identifiers(self.url))


def sign_in(occasion: Occasion) -> Steps[Outcome]:
    """A token that the server will take, and what it cost to have it; SignInFailed without one.

    Where it would be shown in clear, there is none. OAuth 2.1 §1.5.
    """
    return (yield from within(safe(occasion.url), _signed_in(occasion)))


def _signed_in(occasion: Occasion) -> Steps[Outcome]:
    guarded = yield from discover(
        canonical(occasion.url), occasion.challenge, frozenset(occasion.memory.clients)
    )
    known = occasion.memory.clients.get(guarded.server.issuer)
    try:
        return (yield from _with_client(occasion, guarded, known))
    except SignInFailed as error:
        if known is None or error.error != UNKNOWN or occasion.way.who.agreed is not None:
            raise
    return (yield from _with_client(occasion, guarded, None))


def _with_client(occasion: Occasion, guarded: Guarded, known: Client | None) -> Steps[Outcome]:
    client = yield from identify(guarded.server, occasion.way.who, known)
    possession = _possession(occasion, guarded)
    held = occasion.held
    before = held.tokens.asked if held and held.tokens.issuer == guarded.server.issuer else ()
    asking = Asking(
        guarded,
        client,
        occasion.sources,
        select(guarded, occasion.challenge, before),
        possession,
    )
    tokens = yield from _tokens(occasion, asking)
    return Outcome(client, Held(tokens, possession.key if possession else None), possession)


def _tokens(occasion: Occasion, asking: Asking) -> Steps[Tokens]:
    """By the refresh token where there is one that may do; else by the client's own way."""
    held = occasion.held
    if held is not None and _refreshable(held, occasion, asking):
        try:
            return (yield from refresh_grant(asking, held.tokens))
        except SignInFailed as error:
            if error.error != "invalid_grant":
                raise
    return (yield from _grant(occasion.way)(asking))


def _refreshable(held: Held, occasion: Occasion, asking: Asking) -> bool:
    """Whether a refresh can give what is missing: at the same issuer, for no more than was asked.

    A refresh token never widens the scope, and does not lose its key. OAuth 2.1 §4.3.1; RFC 9449
    §5.
    """
    tokens = held.tokens
    same = (tokens.issuer, tokens.client_id) == (asking.server.issuer, asking.client.client_id)
    needed = set(occasion.challenge.scopes if occasion.challenge else ())
    enough = not needed or needed <= set(tokens.scopes) or not _for_scope(occasion.challenge)
    alike = (held.key is None) == (asking.possession is None)
    return same and tokens.refresh_token is not None and enough and alike


def _for_scope(challenge: Challenge | None) -> bool:
    return challenge is not None and challenge.error == "insufficient_scope"


def _grant(way: Way) -> Callable[[Asking], Steps[Tokens]]:
    """The grant of a client that has nothing yet; it never changes to another by itself."""
    if way.provider is not None:
        provider = way.provider
        return lambda asking: enterprise_grant(asking, provider)
    if way.workload is not None:
        workload = way.workload
        return lambda asking: workload_grant(asking, workload)
    if way.as_itself:
        return credentials_grant
    return lambda asking: code_grant(asking, way.who.redirect_uri)


def _possession(occasion: Occasion, guarded: Guarded) -> Possession | None:
    """The key to bind tokens to: where the resource wants it, or the client does and both can.

    RFC 9449 §5, §7.1; RFC 9728 §2.
    """
    challenge, held = occasion.challenge, occasion.held
    offered = challenge is not None and challenge.scheme == "dpop" and not occasion.way.portable
    wanted = guarded.resource.bound or offered
    possible = SigningKey.ALGORITHM in guarded.server.dpop
    if not wanted and not (occasion.way.bound and possible):
        return None
    if not possible:
        raise SignInFailed("E-OAC-21", arrived=", ".join(guarded.server.dpop) or "no DPoP")
    if occasion.possession is not None:
        return occasion.possession
    return Possession(held.key if held and held.key else SigningKey.generate())

"""The account: what the client shows a server with each request, and what it does when refused.

It holds the tokens for one server and drives the flows over a real network. A refusal is answered
by what it says: a nonce by the same request with it, a token that has ended by a refresh, a missing
scope by asking for more, a missing token by the whole way; and by giving up, when the same answer
would come again. Many requests may be refused at once: one of them signs in, and the others go on
with what it brought. MCP 2026-07-28 basic/authorization §error-handling; RFC 9449 §7, §9.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Final, Protocol

import anyio

from catshop.client.oauth.challenges import Challenge, best
from catshop.client.oauth.discovery import identifiers
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.grants import Tokens
from catshop.client.oauth.memory import Held, Store
from catshop.client.oauth.possession import CODE, NONCE, Possession
from catshop.client.oauth.sign_in import Occasion, Outcome, Way, sign_in
from catshop.client.oauth.steps import Ask, Browse, Landed, Reply, Sources, Steps, T

Send = Callable[[Ask], Awaitable[Reply]]
"""Puts one request on the wire, and follows no redirect."""

EARLY: Final = timedelta(seconds=30)
"""So long before its end a token is not shown any more: the request has to travel."""

UPGRADES: Final = 2
"""How often this process asks for the same missing scopes."""


class Browser(Protocol):
    """What shows the user a page and waits for the redirect back."""

    async def visit(self, url: str) -> str:
        """Open the page; the query of the redirect, or SignInFailed when none comes."""
        ...


class Next(Enum):
    """What to do about a refusal."""

    AGAIN = "send the same request again, with the nonce that came"
    SIGN_IN = "find out who guards this, and have a token from there"
    GIVE_UP = "the same answer would come again"


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that was not let in: what it carried, and what came back."""

    method: str
    url: str
    sent: Mapping[str, str] = field(repr=False)
    reply: Reply


def decide(refused: Refused, challenge: Challenge | None, granted: Tokens | None) -> Next:
    """What a refusal asks for. OAuth 2.1 §5.3.2; RFC 9449 §9."""
    error = challenge.error if challenge else None
    if error == CODE:
        return Next.AGAIN if refused.reply.field(NONCE) else Next.GIVE_UP
    if refused.reply.status == 401:
        return Next.SIGN_IN
    if challenge is None or error != "insufficient_scope":
        return Next.GIVE_UP
    had = set(granted.scopes) if granted else set()
    return Next.GIVE_UP if challenge.scopes and set(challenge.scopes) <= had else Next.SIGN_IN


class Account:
    """The client's standing at one server, shared by all its requests."""

    def __init__(
        self, url: str, way: Way, store: Store, send: Send, *, browser: Browser, sources: Sources
    ) -> None:
        self._url = url
        self._way = way
        self._store = store
        self._send = send
        self._browser = browser
        self._sources = sources
        self._lock = anyio.Lock()
        self._upgrades: dict[tuple[str, ...], int] = {}
        self._held = store.load().for_resource(identifiers(url))
        key = self._held.key if self._held else None
        self._possession = Possession(key) if key else None

    @property
    def held(self) -> Held | None:
        """What is shown to the server now."""
        return self._held

    async def fields(self, method: str, url: str) -> Mapping[str, str]:
        """What goes with a request: the token, and the proof that it is ours. OAuth 2.1 §5.1.1."""
        if self._ending():
            await self._renew(self._held, None)
        if self._held is None:
            return {}
        tokens = self._held.tokens
        shown = {"Authorization": f"{tokens.token_type} {tokens.access_token.reveal()}"}
        if self._possession is None or tokens.token_type != "DPoP":  # noqa: S105 -- a type of token
            return shown
        return {**shown, **self._possession.proof(method, url, self._sources, tokens.access_token)}

    def saw(self, url: str, reply: Reply) -> None:
        """Keep the nonce that came with any answer, if one did. RFC 9449 §8.2."""
        if self._possession is not None:
            self._possession.learn(url, reply)

    async def answer(self, refused: Refused) -> bool:
        """Whether to send the request again; SignInFailed where no token could be had."""
        challenge = best(refused.reply.field("www-authenticate"))
        self.saw(refused.url, refused.reply)
        match decide(refused, challenge, self._held.tokens if self._held else None):
            case Next.AGAIN:
                return True
            case Next.GIVE_UP:
                return False
            case Next.SIGN_IN:
                return await self._answer_anew(refused, challenge)

    async def sign_in(self, challenge: Challenge | None = None) -> Tokens:
        """The whole way, whether or not somebody was refused."""
        async with self._lock:
            return (await self._drive(challenge)).tokens

    async def _answer_anew(self, refused: Refused, challenge: Challenge | None) -> bool:
        if challenge is not None and challenge.error == "insufficient_scope":
            count = self._upgrades.get(challenge.scopes, 0)
            if count >= UPGRADES:
                return False
            self._upgrades[challenge.scopes] = count + 1
        shown = refused.sent.get("Authorization")
        held = self._held if shown and self._shows(shown) else None
        if shown is not None and held is None:
            return True
        await self._renew(held, challenge)
        return True

    def _shows(self, authorization: str) -> bool:
        """Whether the refused request carried what is held now, and not what it replaced."""
        return self._held is not None and authorization.endswith(
            " " + self._held.tokens.access_token.reveal()
        )

    async def _renew(self, refused: Held | None, challenge: Challenge | None) -> None:
        async with self._lock:
            if self._held is refused:
                await self._drive(challenge)

    async def _drive(self, challenge: Challenge | None) -> Held:
        occasion = Occasion(
            self._url, self._way, self._store.load(), self._sources, challenge, self._possession
        )
        outcome: Outcome = await run(sign_in(occasion), self._send, self._browser)
        self._store.change(outcome.remembered)
        self._held, self._possession = outcome.held, outcome.possession
        return outcome.held

    def _ending(self) -> bool:
        if self._held is None or self._held.tokens.expires_at is None:
            return False
        return self._sources.clock() >= self._held.tokens.expires_at - EARLY


async def run(steps: Steps[T], send: Send, browser: Browser) -> T:
    """Drive a flow to its end over the network and the browser."""
    try:
        wanted = next(steps)
        while True:
            if isinstance(wanted, Browse):
                wanted = steps.send(Landed(await browser.visit(wanted.url)))
            else:
                wanted = steps.send(await send(wanted))
    except StopIteration as done:
        value: T = done.value
        return value


class NoBrowser:
    """For a client that runs where nobody can sign in."""

    async def visit(self, url: str) -> str:
        """There is nobody to show a page to."""
        raise SignInFailed("E-OAC-22", arrived=url.partition("?")[0])

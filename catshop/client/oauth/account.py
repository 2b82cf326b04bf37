"""The account: what the client shows a server with each request, and what it does when refused.

It holds the tokens for one server and drives the flows over a real network. A refusal is answered
by what it says: a nonce by the same request with it, a token that has ended by a refresh, a missing
scope by asking for more, a missing token by the whole way; and by giving up, when the same answer
would come again. Many requests may be refused at once: one of them signs in, and the others go on
with what it brought. MCP 2026-07-28 basic/authorization §error-handling; RFC 9449 §7, §9.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
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
from catshop.client.ports import Incoming, Next, Outgoing

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


class Move(Enum):
    """What to do about a refusal."""

    AGAIN = "send the same request again, with the nonce that came"
    SIGN_IN = "find out who guards this, and have a token from there"
    GIVE_UP = "the same answer would come again"


def decide(reply: Reply, challenge: Challenge | None, granted: tuple[str, ...]) -> Move:
    """What a refusal asks for, when these scopes were granted. OAuth 2.1 §5.3.2; RFC 9449 §9."""
    error = challenge.error if challenge else None
    if error == CODE:
        return Move.AGAIN if reply.first(NONCE) else Move.GIVE_UP
    if reply.status == 401:
        return Move.SIGN_IN
    if challenge is None or error != "insufficient_scope":
        return Move.GIVE_UP
    had_them = bool(challenge.scopes) and set(challenge.scopes) <= set(granted)
    return Move.GIVE_UP if had_them else Move.SIGN_IN


class Account:
    """The client's standing at one server, shared by all its requests: an `Authorization`."""

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

    async def proof(self, request: Outgoing) -> Mapping[str, str]:
        """What goes with a request: the token, and the proof that it is ours. OAuth 2.1 §5.1.1."""
        if self._ending():
            await self._renew(self._held, None)
        if self._held is None:
            return {}
        tokens, key = self._held.tokens, self._possession
        shown = {"Authorization": f"{tokens.token_type} {tokens.access_token.reveal()}"}
        if key is None:
            return shown
        proof = key.proof(request.method, request.url, self._sources, tokens.access_token)
        return {**shown, **proof}

    async def after(self, request: Outgoing, response: Incoming) -> Next:
        """Keep the nonce that came, and sign in where that may help; SignInFailed when it fails."""
        reply = Reply(response.status, response.headers, response.body)
        if self._possession is not None:
            self._possession.learn(request.url, reply.first(NONCE))
        if reply.status not in (401, 403):
            return Next.TAKE
        challenge = best(reply.every("www-authenticate"))
        match decide(reply, challenge, self._held.tokens.scopes if self._held else ()):
            case Move.SIGN_IN if await self._got_more(
                request.fields.get("Authorization"), challenge
            ):
                return Next.AGAIN
            case Move.AGAIN:
                return Next.AGAIN
            case _:
                return Next.TAKE

    async def sign_in(self, challenge: Challenge | None = None) -> Tokens:
        """The whole way, whether or not somebody was refused."""
        async with self._lock:
            return (await self._drive(challenge)).tokens

    async def _got_more(self, shown: str | None, challenge: Challenge | None) -> bool:
        """Whether there is something new to show, by this sign-in or by another request's."""
        if challenge is not None and challenge.error == "insufficient_scope":
            self._upgrades[challenge.scopes] = self._upgrades.get(challenge.scopes, 0) + 1
            if self._upgrades[challenge.scopes] > UPGRADES:
                return False
        if shown is None or self._shows(shown):
            await self._renew(self._held if shown else None, challenge)
        return True

    def _shows(self, authorization: str) -> bool:
        """Whether the refused request carried what is held now, and not what it replaced."""
        held = self._held
        return held is not None and authorization.endswith(held.tokens.access_token.reveal())

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
        """Whether the token would end on its way, and there is something to renew it with."""
        held = self._held
        if held is None or held.tokens.expires_at is None or held.tokens.refresh_token is None:
            return False
        return self._sources.clock() >= held.tokens.expires_at - EARLY


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

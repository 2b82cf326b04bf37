"""Where authorization requests wait while their user signs in and decides.

Anybody may leave a request here, so only so many are taken from one address, and what is kept of
each is short. Whoever comes back for one must be the browser that brought it. Next: `browser.py`,
which shows the pages in between. OAuth 2.1 §4.1.1; RFC 9700 §4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlencode

from catshop.kernel import Clock, Secret
from catshop.limits import OAuthLimits
from catshop.oauth import scopes, tokens
from catshop.oauth.authorize import Draft, pending, state_is_short
from catshop.oauth.metadata import AUTHORIZE
from catshop.oauth.model import AuthorizationRequest, Client, Refusal
from catshop.oauth.parameters import Parameters
from catshop.oauth.ports import Stores
from catshop.oauth.redirects import matches
from catshop.oauth.settings import OAuthSettings
from catshop.oauth.throttle import Budget, Throttle, Throttled, bucket, network
from catshop.oauth.tokens import Mint
from catshop.protocol.http1.errors import HttpError

STRANGER: Final = "catshop-stranger"
"""Stands for a client whose document nobody has fetched yet. It has no redirect_uri of its own."""

NOTHING: Final = Parameters(())

DEVICE_DONE: Final = "/device/done"
"""Where the answer to a device's request goes: an address of ours, that no client registers."""


APPS: Final = "/apps"
"""Where a user sees what was granted: also an address of ours, reached by way of the sign-in."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A waiting request, in the browser that it belongs to, with the client that made it."""

    request: AuthorizationRequest
    client: Client


def allowance(address: str, limits: OAuthLimits) -> Budget:
    """How many requests one address may leave here while they last."""
    here = bucket("park", network(address))
    return Budget(((here, limits.requests_per_address),), limits.request_seconds)


class Parking:
    """Keeps requests for the browsers that brought them."""

    def __init__(
        self, settings: OAuthSettings, stores: Stores, *, clock: Clock, mint: Mint
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._mint = mint
        self._throttle = Throttle(stores.attempts, clock, mint)

    async def park(
        self, draft: Draft, browser: Secret, address: str, refusal: Refusal | None
    ) -> AuthorizationRequest:
        """Keep the request, bound to this browser."""
        identifier, now = tokens.short(self._mint), self._clock()
        waiting = pending(draft, identifier, browser.digest(), now, refusal)
        try:
            async with self._throttle.spending(allowance(address, self._settings.limits)):
                kept = await self._stores.requests.park(waiting)
        except Throttled as wait:
            retry = ("retry-after", str(wait.retry_after))
            raise HttpError(429, "E-AUTHZ-11", fields=(retry,)) from None
        if not kept:
            raise HttpError(400, "E-AUTHZ-02")
        return waiting

    async def unread(self, sent: Parameters) -> Draft:
        """Nothing is fetched for strangers: the request waits at its own address until sign-in.

        MCP 2026-07-28 basic/authorization/security-considerations
        §client-id-metadata-document-security.
        """
        draft = state_is_short(await self.ours(AUTHORIZE, sent))
        query = urlencode(sent.pairs, quote_via=quote)
        return replace(draft, redirect_uri=self._settings.url(f"{AUTHORIZE}?{query}"))

    async def ours(self, path: str, sent: Parameters = NOTHING) -> Draft:
        """What leads to an address of ours, once somebody has signed in."""
        stranger = Client(STRANGER, "an application", (), (), frozenset(), self._clock())
        await self._stores.clients.add(stranger)
        return Draft(sent, stranger, self._settings, redirect_uri=self._settings.url(path))

    async def visit(self, request_id: str, browser: Secret | None) -> tuple[Secret, Visit]:
        """The waiting request of that id, if it belongs to this browser, which is there then."""
        waiting = await self._stores.requests.find(request_id, self._clock())
        if waiting is None:
            raise HttpError(400, "E-LOGIN-01")
        if browser is None or browser.digest() != waiting.browser:
            raise HttpError(403, "E-LOGIN-02")
        client = await self._stores.clients.find(waiting.client_id)
        allowed = None if client is None else self._still_allowed(waiting, client)
        if client is None or allowed is None:
            raise HttpError(400, "E-LOGIN-01")
        return browser, Visit(allowed, client)

    def _still_allowed(
        self, waiting: AuthorizationRequest, client: Client
    ) -> AuthorizationRequest | None:
        """As much of the request as the client may ask for now; None for nothing. RFC 7592 §2.2."""
        if client.id == STRANGER:
            return waiting
        ours = waiting.redirect_uri == self._settings.url(DEVICE_DONE)
        if not ours and not any(matches(waiting.redirect_uri, uri) for uri in client.redirect_uris):
            return None
        allowed = scopes.common(waiting.scopes, client.scopes)
        return replace(waiting, scopes=allowed) if allowed or waiting.refusal else None

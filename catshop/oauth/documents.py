"""Client ID metadata documents: a client whose id is the address at which it describes itself.

Nobody registers. The document is fetched for users who have signed in, through `fetch.py`, and is
read by the rules of a registration; it may not hold a secret, because everybody can read it. What
was read last is kept in storage, so that tokens have a client to belong to; whether it is still
true, the document says. `ClientDocuments` obeys the port `Clients`, and adds one verb to it.
MCP 2026-07-28 basic/authorization/client-registration §client-id-metadata-documents.
"""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final

from catshop.kernel import Clock
from catshop.limits import OAuthLimits
from catshop.oauth import clients, jwt, redirects, scopes, strict, throttle
from catshop.oauth.errors import InvalidClient, InvalidRequest, OAuthError
from catshop.oauth.fetch import Admit, Ask, Fetched, Fetcher, FetchFailed, Kept, Reach, permitted
from catshop.oauth.model import Client
from catshop.oauth.parameters import GRANT_TYPES
from catshop.oauth.ports import Clients
from catshop.oauth.throttle import Throttle, Throttled
from catshop.protocol.http1.errors import HttpError

ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.\-]*:", re.IGNORECASE)
"""An id that begins like an address is meant as one."""

METHODS: Final = frozenset({"none", "private_key_jwt"})
"""How a client proves itself that shares no secret with anybody."""

NEEDED: Final = ("client_id", "client_name", "redirect_uris")


def is_address(client_id: str) -> bool:
    """Whether the id is the address of a document, or wants to be."""
    return ADDRESS.match(client_id) is not None


def address(client_id: str, reach: Reach) -> str:
    """The id, when a document may be there: a path, no dot segment, nothing else that misleads."""
    try:
        path = permitted(client_id, reach).path
    except FetchFailed:
        raise InvalidRequest("E-CIMD-01", arrived=client_id) from None
    if not path.strip("/") or any(redirects.DOTS.fullmatch(part) for part in path.split("/")):
        raise InvalidRequest("E-CIMD-01", arrived=client_id)
    return client_id


def describe(client_id: str, body: bytes, clock: Clock) -> Client:
    """The client that the document describes; FetchFailed for the first rule that it breaks."""
    try:
        sent = strict.members(body)
        missing = [name for name in NEEDED if not sent.get(name)]
        if missing:
            raise FetchFailed("E-CIMD-02", f"no {missing[0]}")
        if sent["client_id"] != client_id:
            raise FetchFailed("E-CIMD-03", str(sent["client_id"]))
        if "client_secret" in sent or "client_secret_expires_at" in sent:
            raise FetchFailed("E-CIMD-04", "client_secret")
        return _described(sent, client_id, clock)
    except ValueError as error:
        raise FetchFailed("E-CIMD-02", str(error)) from None
    except OAuthError as error:
        raise FetchFailed(error.reference, error.arrived) from None


def _described(sent: strict.Members, client_id: str, clock: Clock) -> Client:
    """By the rules of a registration, but that what we do not know is left out, not refused."""
    method = sent.get("token_endpoint_auth_method", "none")
    if method not in METHODS:
        raise FetchFailed("E-CIMD-04", str(method))
    jwks_uri = sent.get("jwks_uri") if method == "private_key_jwt" else None
    keyless = jwks_uri is not None and "jwks" not in sent
    told = {name: value for name, value in sent.items() if name not in {"jwks_uri", "scope"}}
    told["grant_types"] = _known(sent, "grant_types", GRANT_TYPES)
    told["response_types"] = _known(sent, "response_types", ("code",))
    told["token_endpoint_auth_method"] = "none" if keyless else method
    client = clients.accept(told, client_id, clock())
    asked = frozenset(str(sent.get("scope", "")).split()) & scopes.ORDINARY
    elsewhere = str(jwks_uri) if keyless else None
    scope = asked or client.scopes
    return replace(client, auth_method=method, scopes=scope, jwks_uri=elsewhere)


def _known(sent: strict.Members, name: str, ours: tuple[str, ...]) -> list[Any]:
    listed = strict.strings(sent, name)
    return [item for item in listed if item in ours] if listed else [ours[0]]


class ClientDocuments:
    """`ports.Clients`, for clients that registered and for those that describe themselves."""

    def __init__(
        self,
        registered: Clients,
        fetcher: Fetcher,
        limiter: Throttle,
        *,
        clock: Clock,
        limits: OAuthLimits,
    ) -> None:
        self._registered = registered
        self._throttle = limiter
        self._limits = limits
        self._reach = fetcher.reach
        allowed = fetcher.limits
        self._ask = Ask(allowed.octets, allowed.seconds)
        self._keys_ask = Ask(allowed.key_octets, allowed.seconds)

        def read(url: str, fetched: Fetched) -> Client:
            return describe(url, fetched.body, clock)

        self._documents = Kept(fetcher, read, clock)
        self._key_sets = Kept(fetcher, _key_set, clock)

    def is_strange(self, client_id: str) -> bool:
        """Whether something of it must be fetched first; InvalidRequest when none may be there."""
        if not is_address(client_id):
            return False
        return self._documents.known(address(client_id, self._reach)) is None

    async def meet(self, client_id: str, visitor: str) -> Client | None:
        """The client as it describes itself now, kept for those who ask for it by its id.

        From one visitor's address, so much is fetched as may be registered (RFC 7591 §5); whoever
        waits for what another has fetched spends nothing.
        """
        if not is_address(client_id):
            return await self._registered.find(client_id)
        try:
            async with AsyncExitStack() as spent:

                async def admit() -> None:
                    budget = throttle.registration(visitor, self._limits)
                    await spent.enter_async_context(self._throttle.spending(budget))

                return await self._met(client_id, admit)
        except Throttled as wait:
            retry = ("retry-after", str(wait.retry_after))
            raise HttpError(429, "E-REG-12", fields=(retry,)) from None

    async def add(self, client: Client) -> None:
        """See the port."""
        await self._registered.add(client)

    async def put(self, client: Client) -> None:
        """See the port."""
        await self._registered.put(client)

    async def find(self, client_id: str) -> Client | None:
        """See the port. What proves itself is read anew: a proof is worth what its key is now.

        That goes for clients alone that a user has met: a stranger cannot make us knock.
        """
        known = await self._registered.find(client_id)
        if known is None or known.public or not is_address(client_id):
            return known
        try:
            return await self._read(client_id)
        except FetchFailed:
            return None

    async def keys_at(self, jwks_uri: str) -> str:
        """The public keys of a client that are there; InvalidClient when they cannot be read."""
        try:
            return await self._key_sets.get(jwks_uri, self._keys_ask)
        except FetchFailed as failure:
            raise InvalidClient(failure.code, arrived=failure.arrived) from None

    async def _met(self, client_id: str, admit: Admit) -> Client:
        """The client as its document describes it now, kept as it is."""
        try:
            client = await self._read(address(client_id, self._reach), admit)
        except FetchFailed as failure:
            raise InvalidRequest(failure.code, arrived=failure.arrived) from None
        await self._registered.put(client)
        return client

    async def _read(self, url: str, admit: Admit | None = None) -> Client:
        return await self._documents.get(url, self._ask, admit)


def _key_set(_: str, fetched: Fetched) -> str:
    """The public keys at a client's jwks_uri. RFC 7517 §5."""
    try:
        found = strict.members(fetched.body)
        jwt.public_keys(found)
    except ValueError as error:
        raise FetchFailed("E-CIMD-05", str(error)) from None
    return json.dumps(found, separators=(",", ":"))

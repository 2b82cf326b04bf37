"""Our client's half of OAuth as the official suite runs it: who it is in each scenario.

The suite plays the authorization server, and its page redirects at once; so the browser here is one
request that is not followed. What the suite tells in the context becomes what a user would have
configured. Next: `client_under_test.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from catshop.client.oauth.account import Account
from catshop.client.oauth.grants import Provider
from catshop.client.oauth.keys import SigningKey
from catshop.client.oauth.memory import InMemory
from catshop.client.oauth.registration import Client, Introduction
from catshop.client.oauth.sending import Sender
from catshop.client.oauth.sign_in import Way
from catshop.client.oauth.steps import Sources
from catshop.kernel import Secret, Trace, utc_now

REDIRECT_URI: Final = "http://localhost:3118/callback"
"""Where nobody listens: the redirect is read, and not followed."""

DOCUMENT: Final = "https://conformance-test.local/client-metadata.json"
"""The client_id that the suite expects of a client with a document of its own."""


class Redirected:
    """A browser for pages that redirect at once."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def visit(self, url: str) -> str:
        """The query of the address that the page sends on to."""
        response = await self._http.get(url, follow_redirects=False)
        return urlsplit(response.headers["location"]).query


def way(name: str, told: Mapping[str, Any]) -> Way:
    """How the client signs in, given what the suite tells of the scenario."""
    document = DOCUMENT if name == "auth/basic-cimd" else None
    agreed = _agreed(told) if "client_id" in told else None
    who = Introduction("Conformance client", REDIRECT_URI, agreed, document)
    if "idp_token_endpoint" in told:
        return Way(who, provider=_provider(told))
    if "valid_jwt" in told:
        return Way(who, workload=Secret(told["valid_jwt"]))
    return Way(who, as_itself=name.startswith("auth/client-credentials"))


def _agreed(told: Mapping[str, Any]) -> Client:
    key, secret = told.get("private_key_pem"), told.get("client_secret")
    return Client(
        told["client_id"],
        told.get("issuer"),
        secret=Secret(secret) if secret else None,
        key=SigningKey(Secret(key), told["signing_algorithm"]) if key else None,
    )


def _provider(told: Mapping[str, Any]) -> Provider:
    return Provider(told["idp_token_endpoint"], told["idp_client_id"], Secret(told["idp_id_token"]))


@asynccontextmanager
async def account(url: str, name: str, told: Mapping[str, Any]) -> AsyncIterator[Account]:
    """The client's standing at the suite's server."""
    sources = Sources(utc_now, lambda: secrets.token_urlsafe(32))
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        yield Account(
            url,
            way(name, told),
            InMemory(),
            Sender(http, Trace()),
            browser=Redirected(http),
            sources=sources,
        )

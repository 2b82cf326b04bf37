"""A client of the official Python SDK inside an open shop, with a token and no pages to click."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client import Client
from mcp.client.client import ConnectMode
from mcp.client.streamable_http import streamable_http_client

from catshop.kernel import Secret
from tests.support.shop import Open

BOTH = frozenset({"read", "write"})


async def token_of(shop: Open, name: str, scopes: frozenset[str] = BOTH) -> str:
    """An access token of a user, who is made if there is none."""
    administration = shop.house.administration
    if name not in {user.name for user in await administration.users()}:
        await administration.add_user(name, Secret("whiskers and string"))
    token, _ = await administration.issue_token(name, scopes, 600)
    return token.reveal()


@asynccontextmanager
async def shopper(
    shop: Open, mode: ConnectMode, name: str = "alice", **options: Any
) -> AsyncIterator[Client]:
    """A client of that user; `options` are the SDK client's own."""
    headers = {"Authorization": f"Bearer {await token_of(shop, name)}"}
    async with httpx2.AsyncClient(headers=headers, timeout=10) as http:
        transport = streamable_http_client(shop.mcp, http_client=http)
        async with Client(transport, mode=mode, **options) as client:
            yield client

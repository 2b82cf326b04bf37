"""The client credentials grant: a client acts for itself, and for no user."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catshop.protocol.http1.messages import Answer
from tests.oauth.cases import case
from tests.oauth.house import ISSUER, Clock, House, field_of, json_of
from tests.oauth.keys import assertion, public_set, shown

Credentials = dict[str, str]


async def machine(house: House, **metadata: Any) -> Credentials:
    """A client that may act for itself."""
    asked = {"grant_types": ["client_credentials"], **metadata}
    told = json_of(await house.register(token_endpoint_auth_method="client_secret_post", **asked))
    return {"client_id": told["client_id"], "client_secret": told["client_secret"]}


async def asked(house: House, by: Credentials, **more: Any) -> Answer:
    """The answer to the token request."""
    return await house.post("/token", {"grant_type": "client_credentials", **by, **more})


@case("T25", "a token for a client itself comes without a refresh token")
async def test_a_client_gets_a_token_for_itself_and_nothing_to_renew_it(
    house: House, clock: Clock
) -> None:
    """OAuth 2.1 §4.2, §4.2.1: T25."""
    client = await machine(house)
    answer = await asked(house, client, scope="read write")
    granted = json_of(answer)
    assert (answer.status, field_of(answer, "cache-control")) == (200, "no-store")
    assert "refresh_token" not in granted
    assert (granted["scope"], granted["expires_in"]) == ("read write", 900)
    principal = await house.call(granted["access_token"])
    assert (principal.subject, principal.username) == (None, None)
    assert principal.client_id == client["client_id"]
    assert principal.audience == f"{ISSUER}/mcp"
    clock.forward(900)
    assert not await house.is_good(granted["access_token"])


async def test_a_key_is_as_good_as_a_secret(house: House, clock: Clock) -> None:
    """RFC 7523 §2.2; OAuth 2.1 §4.2."""
    answer = await house.register(
        redirect_uris=None,
        grant_types=["client_credentials"],
        token_endpoint_auth_method="private_key_jwt",
        jwks=public_set("ed"),
    )
    signed = assertion(json_of(answer)["client_id"], clock, "ed")
    assert (await asked(house, shown(signed))).status == 200


async def test_without_a_wish_the_least_is_granted(house: House) -> None:
    """OAuth 2.1 §1.4.1, §3.2.4."""
    assert json_of(await asked(house, await machine(house)))["scope"] == "read"
    assert json_of(await asked(house, await machine(house), scope="write"))["scope"] == "write"


@pytest.mark.parametrize(
    ("metadata", "sent", "error"),
    [
        pytest.param({"scope": "read"}, {"scope": "read write"}, "invalid_scope", id="T25-wider"),
        pytest.param({"scope": "read"}, {"scope": "write"}, "invalid_scope", id="U5"),
        pytest.param({"scope": "write"}, {}, "invalid_scope", id="T25-least-not-registered"),
        pytest.param({}, {"scope": "admin"}, "invalid_scope", id="T25-unknown"),
        pytest.param({}, {"scope": "openid"}, "invalid_scope", id="T25-nothing-left"),
        pytest.param({}, {"resource": "https://other.example"}, "invalid_target", id="T23"),
        pytest.param({}, {"scope": ["read", "write"]}, "invalid_request", id="T4"),
    ],
)
@case("T25", "a client gets for itself what it registered for, and no more")
async def test_nothing_is_granted_beyond_the_registration(
    house: House, metadata: dict[str, Any], sent: dict[str, Any], error: str
) -> None:
    """OAuth 2.1 §3.2.4, §4.2; RFC 8707 §2: T25, U5."""
    answer = await asked(house, await machine(house, **metadata), **sent)
    assert (answer.status, json_of(answer)["error"]) == (400, error)
    assert await house.count("oauth_families") == 0


@case("T25", "a client without a proof has nothing of its own to ask for")
async def test_a_public_client_has_nothing_to_ask_for(house: House) -> None:
    """OAuth 2.1 §4.2: T25."""
    answer = await asked(house, {"client_id": await house.client()})
    assert (answer.status, json_of(answer)["error"]) == (400, "unauthorized_client")


async def test_a_client_for_users_does_not_act_for_itself(house: House) -> None:
    """OAuth 2.1 §3.2.4: T6."""
    client = await machine(house, grant_types=["authorization_code"])
    answer = await asked(house, client)
    assert (answer.status, json_of(answer)["error"]) == (400, "unauthorized_client")


async def test_a_client_for_itself_gets_no_code(house: House) -> None:
    """OAuth 2.1 §2.3.2, §4.1.2.1."""
    client = await machine(house)
    answer = await house.visitor().authorize(client["client_id"])
    assert answer.status == 400
    assert field_of(answer, "location") is None


async def test_a_public_client_has_none_even_where_it_is_registered_for_it(house: House) -> None:
    """OAuth 2.1 §4.2: T25."""
    client = await house.stores.clients.find(await house.client())
    assert client is not None
    public = replace(client, grant_types=("client_credentials",))
    await house.stores.clients.put(public)
    answer = await asked(house, {"client_id": client.id})
    assert (answer.status, json_of(answer)["error"]) == (400, "unauthorized_client")
    assert "E-CLIENT-09" in json_of(answer)["error_description"]

"""Introspection: who may ask, after what, and what is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catshop.limits import OAuthLimits
from catshop.protocol.http1.messages import Answer
from tests.oauth.cases import case
from tests.oauth.house import ISSUER, Clock, House, field_of, json_of, request_of

Credentials = dict[str, str]


async def caller(house: House, serves: str | None = None) -> Credentials:
    """A client with a secret; the server of a resource, where the operator says so."""
    told = json_of(await house.register(token_endpoint_auth_method="client_secret_post"))
    client = await house.stores.clients.find(told["client_id"])
    assert client is not None
    await house.stores.clients.put(replace(client, serves=serves))
    return {"client_id": told["client_id"], "client_secret": told["client_secret"]}


@pytest.fixture
async def server(house: House) -> Credentials:
    """The resource server of the shop; alice has an account."""
    await house.user()
    return await caller(house, f"{ISSUER}/mcp")


async def asked(house: House, by: Credentials, token: str, **more: Any) -> Answer:
    """The answer to the question after a token."""
    return await house.post("/introspect", {"token": token, **by, **more})


def is_inactive(answer: Answer) -> bool:
    """Whether the token is nothing, and not a word more is said of it."""
    return (answer.status, json_of(answer)) == (200, {"active": False})


async def test_the_server_of_the_audience_is_told_what_the_token_says(
    house: House, server: Credentials, clock: Clock
) -> None:
    """RFC 7662 §2.2: A001-6."""
    client_id = await house.client()
    issued = int(clock().timestamp())
    token = (await house.tokens(client_id))["access_token"]
    principal = await house.call(token)
    clock.forward(10)
    answer = await asked(house, server, token, token_type_hint="refresh_token")
    assert (answer.status, field_of(answer, "cache-control")) == (200, "no-store")
    assert json_of(answer) == {
        "active": True,
        "iss": ISSUER,
        "aud": f"{ISSUER}/mcp",
        "client_id": client_id,
        "scope": "read write",
        "token_type": "Bearer",
        "iat": issued,
        "exp": issued + 900,
        "jti": principal.token_id,
        "sub": principal.subject,
        "username": "alice",
    }


async def test_a_client_may_ask_after_its_own_token(house: House) -> None:
    """RFC 7662 §2.1, §4."""
    await house.user()
    own = await caller(house)
    browser = house.visitor()
    code = await house.code(own["client_id"], browser)
    granted = json_of(await house.redeem(own["client_id"], code, **own))
    told = json_of(await asked(house, own, granted["access_token"]))
    assert told["active"] is True


@case("I1", "whoever asks after a token proves who it is")
async def test_nobody_asks_without_proving_who_it_is(house: House, server: Credentials) -> None:
    """RFC 7662 §2.1, §2.3: I1."""
    token = (await house.tokens(await house.client()))["access_token"]
    public = {"client_id": await house.client()}
    for by in ({}, public, {**server, "client_secret": "x"}):
        answer = await asked(house, by, token)
        assert (answer.status, json_of(answer)["error"]) == (401, "invalid_client")
    challenge = field_of(await asked(house, public, token), "www-authenticate") or ""
    assert challenge.startswith("Basic ")


@case("I2", "garbage, expired, revoked and consumed are one and the same: not active")
async def test_what_is_over_is_told_from_what_never_was_by_nothing(
    house: House, server: Credentials, clock: Clock
) -> None:
    """RFC 7662 §2.2."""
    client_id = await house.client()
    granted = await house.tokens(client_id)
    assert is_inactive(await asked(house, server, "garbage"))
    assert is_inactive(await asked(house, server, granted["access_token"] + "x"))
    revoked = await house.tokens(client_id)
    await house.post("/revoke", {"client_id": client_id, "token": revoked["access_token"]})
    assert is_inactive(await asked(house, server, revoked["access_token"]))
    rotated = await house.tokens(client_id)
    await house.refresh(client_id, rotated["refresh_token"])
    assert is_inactive(await asked(house, server, rotated["access_token"]))
    assert is_inactive(await asked(house, server, rotated["refresh_token"]))
    clock.forward(900)
    assert is_inactive(await asked(house, server, granted["access_token"]))


@case("I2", "a token of an account that was closed is not active")
async def test_a_token_of_a_closed_account_is_inactive(house: House, server: Credentials) -> None:
    """RFC 7662 §2.2."""
    granted = await house.tokens(await house.client())
    await house.administration.disable_user("alice")
    assert is_inactive(await asked(house, server, granted["access_token"]))


@case("I3", "whoever does not serve the audience learns nothing of a good token")
async def test_a_token_for_somebody_else_is_as_good_as_none(
    house: House, server: Credentials
) -> None:
    """RFC 7662 §4."""
    token = (await house.tokens(await house.client()))["access_token"]
    for serves in (None, "https://other.example/mcp", f"{ISSUER}/mcp/x", ISSUER):
        assert is_inactive(await asked(house, await caller(house, serves), token))


@case("I4", "a refresh token is nothing to a resource server")
async def test_a_refresh_token_is_shown_to_no_resource_server(
    house: House, server: Credentials
) -> None:
    """RFC 7662 §2.2, §4."""
    granted = await house.tokens(await house.client())
    assert is_inactive(await asked(house, server, granted["refresh_token"]))


@case("I6", "the question is posted, with one token, and nothing in the address")
async def test_the_question_is_posted_with_one_token(house: House, server: Credentials) -> None:
    """RFC 7662 §2.1: I6."""
    answer = await house.get("/introspect?token=x")
    assert (answer.status, field_of(answer, "allow")) == (405, "OPTIONS, POST")
    fields = {"content-type": "application/x-www-form-urlencoded"}
    in_query = await house.ask(request_of("POST", "/introspect?token=x", b"", fields))
    missing = await house.post("/introspect", server)
    twice = await house.post("/introspect", {**server, "token": ["x", "y"]})
    for answer in (in_query, missing, twice):
        assert (answer.status, json_of(answer)["error"]) == (400, "invalid_request")


class TestThreeMisses:
    """With three questions in vain a minute."""

    @pytest.fixture
    def limits(self) -> OAuthLimits:
        return OAuthLimits(introspection_misses=3)

    @case("I7", "whoever guesses tokens has to wait")
    async def test_who_guesses_waits_and_who_asks_after_its_own_does_not(
        self, house: House, server: Credentials, clock: Clock
    ) -> None:
        """RFC 7662 §4: I7."""
        token = (await house.tokens(await house.client()))["access_token"]
        for _ in range(5):
            assert json_of(await asked(house, server, token))["active"] is True
        for number in range(3):
            assert is_inactive(await asked(house, server, f"guess-{number}"))
        for guess in ("guess-4", token):
            answer = await asked(house, server, guess)
            assert (answer.status, json_of(answer)["error"]) == (429, "temporarily_unavailable")
            assert field_of(answer, "retry-after") == "60"
        other = await caller(house, f"{ISSUER}/mcp")
        assert json_of(await asked(house, other, token))["active"] is True
        clock.forward(60)
        assert json_of(await asked(house, server, token))["active"] is True

"""Token exchange: an access token for one that is worth less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catshop.kernel import Secret
from catshop.limits import OAuthLimits
from catshop.oauth.parameters import TOKEN_EXCHANGE
from catshop.oauth.token_exchange import ACCESS_TOKEN
from catshop.protocol.http1.messages import Answer
from tests.oauth.house import ISSUER, Clock, House, field_of, json_of

Credentials = dict[str, str]
GRANTS = ["authorization_code", "refresh_token", TOKEN_EXCHANGE]


async def exchanger(house: House, serves: str | None = None, **more: Any) -> Credentials:
    """A client that may exchange; the server of a resource, where the operator says so."""
    told = json_of(
        await house.register(
            token_endpoint_auth_method="client_secret_post", grant_types=GRANTS, **more
        )
    )
    client = await house.stores.clients.find(told["client_id"])
    assert client is not None
    await house.stores.clients.put(replace(client, serves=serves))
    return {"client_id": told["client_id"], "client_secret": told["client_secret"]}


@pytest.fixture
async def gateway(house: House) -> Credentials:
    """The server of the shop's resource; alice has an account."""
    await house.user()
    return await exchanger(house, f"{ISSUER}/mcp")


async def exchanged(house: House, by: Credentials, token: str, **more: Any) -> Answer:
    """The answer to the exchange of that token."""
    sent: dict[str, Any] = {
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        **by,
        **more,
    }
    form = {name: value for name, value in sent.items() if value is not None}
    return await house.post("/token", {"grant_type": TOKEN_EXCHANGE, **form})


async def test_the_server_of_the_audience_gets_a_token_of_its_own_for_less(
    house: House, gateway: Credentials, clock: Clock
) -> None:
    """RFC 8693 §2.1, §2.2.1, §3: for the same user, through another client, and no longer."""
    token = (await house.tokens(await house.client()))["access_token"]
    clock.forward(600)
    answer = await exchanged(house, gateway, token, scope="read", audience=f"{ISSUER}/mcp")
    told = json_of(answer)
    assert (answer.status, field_of(answer, "cache-control")) == (200, "no-store")
    assert told["issued_token_type"] == ACCESS_TOKEN
    assert (told["token_type"], told["expires_in"], told["scope"]) == ("Bearer", 300, "read")
    assert "refresh_token" not in told
    before, after = await house.call(token), await house.call(told["access_token"])
    assert (after.subject, after.client_id) == (before.subject, gateway["client_id"])
    again = json_of(await exchanged(house, gateway, told["access_token"]))
    assert again["scope"] == "read"
    clock.forward(300)
    assert not await house.is_good(told["access_token"])


async def test_who_holds_a_token_may_weaken_it_and_keeps_it(house: House) -> None:
    """RFC 8693 §2.1: the exchange does no harm to the token that is given."""
    await house.user()
    own = await exchanger(house)
    granted = json_of(
        await house.redeem(own["client_id"], await house.code(own["client_id"]), **own)
    )
    weaker = json_of(await exchanged(house, own, granted["access_token"], scope="read"))
    assert await house.is_good(granted["access_token"])
    stronger = await exchanged(house, own, weaker["access_token"], scope="write")
    assert json_of(stronger)["error"] == "invalid_scope"


async def test_what_came_of_a_token_is_worth_nothing_once_it_is_given_back(
    house: House, gateway: Credentials
) -> None:
    """RFC 7009 §2: at once, also where it has just been used, and the old token stays good."""
    token = (await house.tokens(await house.client()))["access_token"]
    less = json_of(await exchanged(house, gateway, token))["access_token"]
    assert await house.is_good(less)
    assert (await house.post("/revoke", {**gateway, "token": less})).status == 200
    assert not await house.is_good(less)
    assert await house.is_good(token)


@pytest.mark.parametrize("end", ["revoked", "password", "client", "replayed"])
async def test_what_ends_a_grant_ends_what_came_of_it(
    house: House, gateway: Credentials, end: str
) -> None:
    """RFC 8693 §2.1; RFC 9700 §4.14.2: also what came of what came of it."""
    client_id = await house.client()
    code = await house.code(client_id)
    granted = json_of(await house.redeem(client_id, code))
    first = json_of(await exchanged(house, gateway, granted["access_token"]))["access_token"]
    second = json_of(await exchanged(house, gateway, first))["access_token"]
    assert await house.is_good(second)
    match end:
        case "revoked":
            told = {"client_id": client_id, "token": granted["refresh_token"]}
            await house.post("/revoke", told)
        case "password":
            await house.administration.set_password("alice", Secret("another password"))
        case "client":
            await house.administration.remove_client(client_id)
        case _:
            await house.redeem(client_id, code)
    for token in (first, second):
        assert not await house.is_good(token)
        answer = await exchanged(house, gateway, token)
        assert json_of(answer)["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("sent", "error", "code"),
    [
        pytest.param({"subject_token": None}, "invalid_request", "E-REQ-03", id="no-token"),
        pytest.param({"subject_token_type": None}, "invalid_request", "E-REQ-03", id="no-type"),
        pytest.param({"subject_token_type": "x"}, "invalid_request", "E-EXCHANGE-01", id="type"),
        pytest.param(
            {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
            "invalid_request",
            "E-EXCHANGE-01",
            id="requested-type",
        ),
        pytest.param({"actor_token": "x"}, "invalid_request", "E-EXCHANGE-02", id="actor"),
        pytest.param(
            {"actor_token_type": "x"}, "invalid_request", "E-EXCHANGE-02", id="actor-type"
        ),
        pytest.param({"subject_token": "x"}, "invalid_request", "E-EXCHANGE-03", id="unknown"),
        pytest.param(
            {"resource": "https://o.example"}, "invalid_target", "E-AUD-01", id="resource"
        ),
        pytest.param({"audience": "other"}, "invalid_target", "E-AUD-01", id="audience"),
        pytest.param({"scope": "openid"}, "invalid_scope", "E-SCOPE-03", id="nothing-left"),
        pytest.param({"subject_token": ["x", "y"]}, "invalid_request", "E-REQ-01", id="twice"),
    ],
)
async def test_another_exchange_is_refused(
    house: House, gateway: Credentials, sent: dict[str, Any], error: str, code: str
) -> None:
    """RFC 8693 §2.1, §2.2.2."""
    token = (await house.tokens(await house.client()))["access_token"]
    answer = await exchanged(house, gateway, token, **sent)
    assert (answer.status, json_of(answer)["error"]) == (400, error)
    assert code in json_of(answer)["error_description"]


async def test_a_found_token_is_worth_nothing_to_another(
    house: House, gateway: Credentials, clock: Clock
) -> None:
    """RFC 8693 §5: and it is told by the same words as one that never was."""
    granted = await house.tokens(await house.client())
    other = await exchanger(house, "https://other.example")
    assert (await exchanged(house, other, granted["access_token"])).body == (
        await exchanged(house, other, "x")
    ).body
    refresh = await exchanged(house, gateway, granted["refresh_token"])
    assert "E-EXCHANGE-03" in json_of(refresh)["error_description"]
    clock.forward(900)
    over = await exchanged(house, gateway, granted["access_token"])
    assert "E-EXCHANGE-03" in json_of(over)["error_description"]


async def test_only_clients_that_prove_themselves_exchange(
    house: House, gateway: Credentials
) -> None:
    """RFC 8693 §5; RFC 7591 §2.1."""
    refused = await house.register(grant_types=GRANTS)
    assert json_of(refused)["error"] == "invalid_client_metadata"
    client = await house.stores.clients.find(await house.client())
    assert client is not None
    await house.stores.clients.put(replace(client, grant_types=tuple(GRANTS)))
    token = (await house.tokens(client.id))["access_token"]
    answer = await exchanged(house, {"client_id": client.id}, token)
    assert json_of(answer)["error"] == "unauthorized_client"
    narrow = await exchanger(house, f"{ISSUER}/mcp", scope="read")
    assert json_of(await exchanged(house, narrow, token))["scope"] == "read"


class TestThreeFailures:
    """With three tokens in vain."""

    @pytest.fixture
    def limits(self) -> OAuthLimits:
        return OAuthLimits(assertion_failures=3)

    async def test_who_guesses_waits(self, house: House, gateway: Credentials) -> None:
        """OAuth 2.1 §7.7."""
        token = (await house.tokens(await house.client()))["access_token"]
        for _ in range(4):
            assert (await exchanged(house, gateway, token)).status == 200
        for _ in range(3):
            assert (await exchanged(house, gateway, "x")).status == 400
        answer = await exchanged(house, gateway, token)
        assert (answer.status, field_of(answer, "retry-after")) == (429, "900")

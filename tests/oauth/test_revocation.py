"""Revocation at the wish of a client."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from catshop.oauth.settings import TokenFormat
from tests.oauth.cases import case
from tests.oauth.house import House, field_of, json_of


@pytest.fixture(params=list(TokenFormat), ids=lambda kind: str(kind.value))
def token_format(request: pytest.FixtureRequest) -> TokenFormat:
    """Whatever tokens look like, the same holds. RFC 9068 §4."""
    return TokenFormat(request.param)


@pytest.fixture
async def client_id(house: House) -> str:
    """A client; alice has an account."""
    await house.user()
    return await house.client()


@case("V6", "its access tokens are 401 on the next request, and open streams of it may not go on")
async def test_a_refresh_token_takes_its_family_along_at_once(house: House, client_id: str) -> None:
    """RFC 7009 §2.1: V6."""
    granted = await house.tokens(client_id)
    principal = await house.call(granted["access_token"])
    assert await house.resource.is_alive(principal)
    form = {"client_id": client_id, "token": granted["refresh_token"]}
    answer = await house.post("/revoke", form)
    assert (answer.status, answer.body) == (200, b"")
    assert field_of(answer, "cache-control") == "no-store"
    assert not await house.is_good(granted["access_token"])
    assert not await house.resource.is_alive(principal)
    refreshed = await house.refresh(client_id, granted["refresh_token"])
    assert json_of(refreshed)["error"] == "invalid_grant"


@case("V7", "that access token is dead, its refresh token lives")
async def test_an_access_token_goes_alone(house: House, client_id: str) -> None:
    """RFC 7009 §2.1: V7."""
    granted = await house.tokens(client_id)
    await house.call(granted["access_token"])
    form = {"client_id": client_id, "token": granted["access_token"]}
    assert (await house.post("/revoke", form)).status == 200
    assert not await house.is_good(granted["access_token"])
    assert (await house.refresh(client_id, granted["refresh_token"])).status == 200


@case("V4", "a wrong or unknown hint changes nothing: the token is revoked")
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_a_hint_is_only_a_hint(house: House, client_id: str, kind: str, hint: str) -> None:
    """RFC 7009 §2.1: V4."""
    granted = await house.tokens(client_id)
    form = {"client_id": client_id, "token": granted[kind], "token_type_hint": hint}
    assert (await house.post("/revoke", form)).status == 200
    assert not await house.is_good(granted["access_token"])


@case("V2", "what is unknown or malformed is 200, with nothing in it")
@pytest.mark.parametrize("token", ["unknown", "cat_at_x", "cat_rt_" + "x" * 22 + "." + "y" * 43])
async def test_what_is_not_there_is_revoked_already(
    house: House, client_id: str, token: str
) -> None:
    """RFC 7009 §2.2: V2."""
    answer = await house.post("/revoke", {"client_id": client_id, "token": token})
    assert (answer.status, answer.body) == (200, b"")


async def test_a_token_of_another_client_stays(house: House, client_id: str) -> None:
    """RFC 7009 §2.1."""
    granted = await house.tokens(client_id)
    form = {"client_id": await house.client(), "token": granted["access_token"]}
    assert (await house.post("/revoke", form)).status == 200
    assert await house.is_good(granted["access_token"])


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        pytest.param(
            {"token": "x"},
            401,
            "invalid_client",
            marks=case("V1", "without client authentication invalid_client"),
            id="nobody",
        ),
        pytest.param(
            {"token": "x", "client_id": "cat_x"},
            401,
            "invalid_client",
            marks=case("V1", "without client authentication invalid_client"),
            id="unknown",
        ),
        pytest.param(
            {"client_id": ""},
            400,
            "invalid_request",
            marks=case("V5", "no token, or two, is invalid_request"),
            id="no-token",
        ),
        pytest.param(
            {"client_id": "", "token": ["x", "y"]},
            400,
            "invalid_request",
            marks=case("V5", "no token, or two, is invalid_request"),
            id="twice",
        ),
    ],
)
async def test_a_request_that_names_nobody_or_nothing_is_refused(
    house: House, client_id: str, sent: dict[str, Any], status: int, error: str
) -> None:
    """RFC 7009 §2.1: V1, V5."""
    form = {name: (value or client_id) for name, value in sent.items()}
    answer = await house.post("/revoke", form)
    assert (answer.status, json_of(answer)["error"]) == (status, error)


@case("V9", "50 revocations at once are all told 200, and are one line of the audit")
async def test_fifty_revocations_at_once_are_one(
    house: House, client_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 7009 §2.2."""
    caplog.set_level("INFO", "catshop.audit")
    granted = await house.tokens(client_id)
    form = {"client_id": client_id, "token": granted["refresh_token"]}
    found: list[int] = []

    async def revoke() -> None:
        found.append((await house.post("/revoke", form)).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(revoke)
    assert found == [200] * 50
    assert not await house.is_good(granted["access_token"])
    audit = [line.getMessage() for line in caplog.records if line.name == "catshop.audit"]
    assert len([line for line in audit if line.startswith("revoked")]) == 1, audit

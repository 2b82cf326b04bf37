"""The token endpoint with a code."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import anyio
import pytest

from catshop.oauth.model import Code
from catshop.oauth.ports import FoundCode
from catshop.oauth.settings import TokenFormat
from tests.oauth.cases import case
from tests.oauth.house import (
    CALLBACK,
    ISSUER,
    VERIFIER,
    Clock,
    House,
    field_of,
    json_of,
    request_of,
)

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def client_id(house: House) -> str:
    """A client; alice has an account."""
    await house.user()
    return await house.client()


@case("T1", "the token endpoint is posted to: 405, and how")
@pytest.mark.parametrize("path", ["/token", "/register", "/revoke"])
async def test_the_endpoint_is_posted_to(house: House, path: str) -> None:
    """OAuth 2.1 §3.2: T1, V5."""
    answer = await house.get(path)
    assert answer.status == 405
    assert field_of(answer, "allow") == "OPTIONS, POST"


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data", "", "x"])
async def test_anything_but_a_form_is_415(house: House, media_type: str) -> None:
    """OAuth 2.1 §3.2.2: T2."""
    fields = {"content-type": media_type} if media_type else {}
    answer = await house.ask(request_of("POST", "/token", b"{}", fields))
    assert answer.status == 415


async def test_a_code_in_the_address_is_refused_and_not_used(house: House, client_id: str) -> None:
    """OAuth 2.1 §3.2: T3."""
    code = await house.code(client_id)
    body = f"grant_type=authorization_code&client_id={client_id}".encode()
    target = f"/token?code={code}&code_verifier={VERIFIER}"
    answer = await house.ask(request_of("POST", target, body, {"content-type": FORM}))
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_request")
    assert (await house.redeem(client_id, code)).status == 200


@pytest.mark.parametrize(
    "name", ["grant_type", "client_id", "code", "code_verifier", "redirect_uri"]
)
async def test_a_parameter_that_comes_twice_is_refused_by_name(
    house: House, client_id: str, name: str
) -> None:
    """OAuth 2.1 §3.2.2, §3.2.4: T4."""
    code = await house.code(client_id)
    values = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": CALLBACK,
    }
    answer = await house.redeem(client_id, code, **{name: [values[name]] * 2})
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_request")
    assert name in json_of(answer)["error_description"]
    assert (await house.redeem(client_id, code)).status == 200


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param({"grant_type": None}, "invalid_request", id="T5-missing"),
        pytest.param({"grant_type": ""}, "invalid_request", id="T5-empty"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="T5-password"),
        pytest.param({"grant_type": "implicit"}, "unsupported_grant_type", id="T5-implicit"),
        pytest.param({"code": None}, "invalid_request", id="no-code"),
        pytest.param({"code": "cat_ac_unknown"}, "invalid_grant", id="T13-unknown"),
        pytest.param({"code": "x"}, "invalid_grant", id="T13-short"),
        pytest.param(
            {"code_verifier": None},
            "invalid_grant",
            marks=case(
                "T17",
                "a missing or malformed code_verifier is invalid_grant and burns no code",
            ),
            id="missing",
        ),
        pytest.param(
            {"code_verifier": "a" * 42},
            "invalid_grant",
            marks=case(
                "T17",
                "a missing or malformed code_verifier is invalid_grant and burns no code",
            ),
            id="42",
        ),
        pytest.param(
            {"code_verifier": "a" * 129},
            "invalid_grant",
            marks=case(
                "T17",
                "a missing or malformed code_verifier is invalid_grant and burns no code",
            ),
            id="129",
        ),
        pytest.param(
            {"code_verifier": "a" * 42 + "/"},
            "invalid_grant",
            marks=case(
                "T17",
                "a missing or malformed code_verifier is invalid_grant and burns no code",
            ),
            id="charset",
        ),
        pytest.param(
            {"code_verifier": "a" * 43},
            "invalid_grant",
            marks=case(
                "T16", "a wrong code_verifier is invalid_grant, and the right one still works"
            ),
            id="wrong",
        ),
        pytest.param(
            {"redirect_uri": "http://127.0.0.1:1/callback"},
            "invalid_grant",
            marks=case("T22", "another redirect_uri is invalid_grant"),
            id="other",
        ),
        pytest.param(
            {"resource": "https://evil.example/mcp"},
            "invalid_target",
            marks=case(
                "T23", "a resource that was not granted is invalid_target, and nothing changes"
            ),
            id="other",
        ),
        pytest.param(
            {"resource": [f"{ISSUER}/mcp", "https://evil.example/"]},
            "invalid_target",
            marks=case(
                "T23", "a resource that was not granted is invalid_target, and nothing changes"
            ),
            id="two",
        ),
    ],
)
async def test_a_request_that_does_not_fit_is_refused_and_the_code_stays_good(
    house: House, client_id: str, sent: dict[str, Any], error: str
) -> None:
    """OAuth 2.1 §3.2.4, §4.1.3; RFC 7636 §4.6; RFC 8707 §2.2."""
    code = await house.code(client_id)
    answer = await house.redeem(client_id, code, **sent)
    assert (answer.status, json_of(answer)["error"]) == (400, error)
    assert field_of(answer, "cache-control") == "no-store"
    assert await house.count("oauth_families") == 0
    assert (await house.redeem(client_id, code)).status == 200


async def test_a_grant_that_is_not_registered_is_refused(house: House) -> None:
    """OAuth 2.1 §3.2.4: T6."""
    await house.user()
    client_id = await house.client(grant_types=["authorization_code"])
    granted = await house.tokens(client_id)
    assert "refresh_token" not in granted
    answer = await house.refresh(client_id, "x")
    assert (answer.status, json_of(answer)["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize("client", ["cat_unknown", "", "\0"])
async def test_an_unknown_client_is_invalid(house: House, client: str) -> None:
    """OAuth 2.1 §3.2.1, §3.2.4: T7."""
    answer = await house.redeem(client, "x")
    assert (answer.status, json_of(answer)["error"]) == (401, "invalid_client")


async def test_a_client_that_tries_to_prove_itself_is_challenged(house: House) -> None:
    """OAuth 2.1 §3.2.4: T7, T10, T12."""
    client_id = await house.client()
    own = b64encode(f"{client_id}:x".encode()).decode()
    for credentials in (f"Basic {own}", "Basic %", "Basic", "Bearer x"):
        fields = {"content-type": FORM, "authorization": credentials}
        body = f"grant_type=authorization_code&code=x&client_id={client_id}".encode()
        answer = await house.ask(request_of("POST", "/token", body, fields))
        assert (answer.status, json_of(answer)["error"]) == (401, "invalid_client")
        assert (field_of(answer, "www-authenticate") or "").startswith("Basic ")


@pytest.mark.parametrize("name", ["client_secret", "client_assertion"])
async def test_a_public_client_has_no_secret_to_send(
    house: House, client_id: str, name: str
) -> None:
    """OAuth 2.1 §2.4: T10."""
    code = await house.code(client_id)
    answer = await house.redeem(client_id, code, **{name: "x"})
    assert (answer.status, json_of(answer)["error"]) == (401, "invalid_client")
    assert (await house.redeem(client_id, code)).status == 200


async def test_a_megabyte_is_not_read(house: House, client_id: str) -> None:
    """T13."""
    assert (await house.redeem(client_id, "x" * 1_000_000)).status == 413


@case("T14", "a code is good for its time and no second longer; the row stays, as expired")
async def test_a_code_expires_and_is_kept_to_be_known(
    house: House, client_id: str, clock: Clock
) -> None:
    """OAuth 2.1 §4.1.2: T14."""
    code = await house.code(client_id)
    clock.forward(61)
    answer = await house.redeem(client_id, code)
    assert json_of(answer)["error"] == "invalid_grant"
    assert "expired 1 s ago" in json_of(answer)["error_description"]
    assert await house.count("oauth_codes") == 1


async def test_a_code_is_good_to_its_last_second(
    house: House, client_id: str, clock: Clock
) -> None:
    """OAuth 2.1 §4.1.2: T14."""
    code = await house.code(client_id)
    clock.forward(59)
    assert (await house.redeem(client_id, code)).status == 200


@case("T15", "a code of another client is invalid_grant, and its owner can still redeem it")
async def test_a_code_of_another_client_stays_its_owners(house: House, client_id: str) -> None:
    """OAuth 2.1 §4.1.3: T15."""
    code = await house.code(client_id)
    thief = await house.client()
    assert json_of(await house.redeem(thief, code))["error"] == "invalid_grant"
    assert (await house.redeem(client_id, code)).status == 200


@case("T16", "a wrong code_verifier burns no code, five of them do")
async def test_five_wrong_verifiers_and_the_code_is_spent(house: House, client_id: str) -> None:
    """RFC 7636 §4.6: T16."""
    code = await house.code(client_id)
    for _ in range(4):
        await house.redeem(client_id, code, code_verifier="a" * 43)
    assert (await house.redeem(client_id, code)).status == 200
    code = await house.code(client_id)
    for _ in range(5):
        await house.redeem(client_id, code, code_verifier="a" * 43)
    answer = await house.redeem(client_id, code)
    assert json_of(answer)["error"] == "invalid_grant"
    assert "E-TOKEN-13" in json_of(answer)["error_description"]


@case("T19", "a second valid request ends every token of the code, at once")
async def test_a_replayed_code_ends_everything_that_it_brought(
    house: House, client_id: str, clock: Clock
) -> None:
    """RFC 6749 §4.1.2; OAuth 2.1 §4.1.3: T19, A000-13."""
    code = await house.code(client_id)
    granted = json_of(await house.redeem(client_id, code))
    assert await house.is_good(granted["access_token"])
    clock.forward(3)
    answer = await house.redeem(client_id, code)
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_grant")
    assert "used 3 s ago" in json_of(answer)["error_description"]
    assert not await house.is_good(granted["access_token"]), "at once, whatever was remembered"
    refreshed = await house.refresh(client_id, granted["refresh_token"])
    assert json_of(refreshed)["error"] == "invalid_grant"


@case("T19", "also after the code has expired")
async def test_a_replay_is_known_after_the_code_has_expired(
    house: House, client_id: str, clock: Clock
) -> None:
    """OAuth 2.1 §4.1.3: T19."""
    code = await house.code(client_id)
    granted = json_of(await house.redeem(client_id, code))
    clock.forward(300)
    await house.stores.upkeep.sweep(clock())
    await house.redeem(client_id, code)
    assert not await house.is_good(granted["access_token"])


async def test_a_replay_without_the_verifier_ends_nothing(house: House, client_id: str) -> None:
    """OAuth 2.1 §4.1.3: only a second valid request counts."""
    code = await house.code(client_id)
    granted = json_of(await house.redeem(client_id, code))
    await house.redeem(client_id, code, code_verifier="a" * 43)
    await house.redeem(await house.client(), code)
    assert await house.is_good(granted["access_token"])


@case("T21", "of 100 redemptions at once one gets tokens, and there is one grant")
async def test_of_a_hundred_redemptions_at_once_one_succeeds(house: House, client_id: str) -> None:
    """RFC 6749 §4.1.2: T21."""
    code = await house.code(client_id)
    found: list[int] = []

    async def redeem() -> None:
        found.append((await house.redeem(client_id, code)).status)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(redeem)
    assert sorted(found) == [200] + [400] * 99
    assert await house.count("oauth_families") == 1


@case("T24", "no-store, type, lifetime and scope, for this resource")
@case("T22", "a redirect_uri may be left out")
@pytest.mark.parametrize("sent", [{}, {"redirect_uri": CALLBACK}, {"resource": f"{ISSUER}/mcp/"}])
async def test_success_says_what_was_granted_and_nobody_stores_it(
    house: House, client_id: str, sent: dict[str, str]
) -> None:
    """OAuth 2.1 §3.2.3, §10.2; RFC 8707 §2.2: T22, T24."""
    answer = await house.redeem(client_id, await house.code(client_id), **sent)
    assert answer.status == 200
    assert field_of(answer, "cache-control") == "no-store"
    granted = json_of(answer)
    assert set(granted) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == 900
    opaque = house.settings.token_format is TokenFormat.OPAQUE
    assert granted["access_token"].startswith("cat_at_" if opaque else "eyJ")
    assert granted["refresh_token"].startswith("cat_rt_")
    assert (await house.call(granted["access_token"])).audience == f"{ISSUER}/mcp"


@case("F13", "every table is free of codes, tokens and verifiers")
async def test_no_secret_stands_in_the_database(house: House, client_id: str) -> None:
    """OAuth 2.1 §7.1.3: F13."""
    code = await house.code(client_id)
    granted = json_of(await house.redeem(client_id, code))
    tables = await house.database.all("SELECT name FROM sqlite_master WHERE type = 'table'")
    kept = ""
    for table in tables:
        kept += str(await house.database.all(f"SELECT * FROM {table['name']}"))  # noqa: S608 - a test
    for secret in (code, granted["access_token"], granted["refresh_token"], VERIFIER):
        assert secret not in kept
        assert secret.rpartition(".")[2] not in kept


async def test_a_code_of_a_closed_account_is_worth_nothing(house: House, client_id: str) -> None:
    """OAuth 2.1 §4.3.3: L23."""
    code = await house.code(client_id)
    await house.administration.disable_user("alice")
    assert json_of(await house.redeem(client_id, code))["error"] == "invalid_grant"


@case("T33", "pages of listed origins may ask for tokens, those of others not")
async def test_only_listed_origins_may_ask_for_tokens(house: House) -> None:
    """Fetch §3.3, §4.9."""
    ours = {"origin": "http://localhost:6274"}
    for method in ("OPTIONS", "POST"):
        fields = {**ours, "access-control-request-method": "POST", "content-type": FORM}
        answer = await house.ask(request_of(method, "/token", fields=fields))
        assert answer.status == (204 if method == "OPTIONS" else 400)
        assert field_of(answer, "access-control-allow-origin") == ours["origin"]
        fields["origin"] = "https://evil.example"
        answer = await house.ask(request_of(method, "/token", fields=fields))
        assert answer.status == 403
        assert field_of(answer, "access-control-allow-origin") is None


async def test_a_decision_may_be_taken_twice(house: House, client_id: str) -> None:
    """A transaction that is run again asks again; nothing but the row decides."""
    code = await house.code(client_id)
    seen: list[Code | None] = []
    redeem = house.stores.grants.redeem

    async def watched(digest: str, decide: Any) -> Any:
        def twice(found: FoundCode) -> Any:
            seen.append(found.code)
            assert decide(found) == decide(found)
            return decide(found)

        return await redeem(digest, twice)

    object.__setattr__(house.server._stores, "grants", Watched(house.stores.grants, watched))
    assert (await house.redeem(client_id, code)).status == 200
    assert len(seen) == 1


class Watched:
    """The real port, with one verb that somebody looks over."""

    def __init__(self, inner: Any, redeem: Any) -> None:
        self._inner = inner
        self.redeem = redeem

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

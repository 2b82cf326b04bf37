"""How a token request may come at all, before anybody looks at what it asks for."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.oauth.cases import case, each
from tests.oauth.house import CALLBACK, ISSUER, VERIFIER, House, field_of, json_of, request_of

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def client_id(house: House) -> str:
    """A client; alice has an account."""
    await house.user()
    return await house.client()


def whole(client_id: str, code: str) -> dict[str, Any]:
    """A request that would be good."""
    return {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": CALLBACK,
        "scope": "read",
        "resource": f"{ISSUER}/mcp",
    }


@case("T2", "a token request is a form; anything else is 415, and the code stays good")
@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data; boundary=x", ""])
async def test_a_body_that_is_no_form_is_415(house: House, client_id: str, media_type: str) -> None:
    """OAuth 2.1 §3.2.2; RFC 9110 §15.5.16."""
    code = await house.code(client_id)
    body = urlencode(whole(client_id, code)).encode()
    fields = {"content-type": media_type} if media_type else {}
    assert (await house.ask(request_of("POST", "/token", body, fields))).status == 415
    assert (await house.redeem(client_id, code)).status == 200


@case("T3", "what stands in the address is not taken, and the code stays good")
@pytest.mark.parametrize("moved", ["code", "client_id", "code_verifier", "grant_type"])
async def test_a_parameter_in_the_address_is_refused(
    house: House, client_id: str, moved: str
) -> None:
    """OAuth 2.1 §3.2, §3.2.2."""
    code = await house.code(client_id)
    form = whole(client_id, code)
    target = f"/token?{urlencode({moved: form.pop(moved)})}"
    answer = await house.post(target, form)
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_request")
    assert (await house.redeem(client_id, code)).status == 200


@case("T3", "a secret in the address is not taken either")
async def test_a_secret_in_the_address_is_refused(house: House) -> None:
    """OAuth 2.1 §2.4.1."""
    told = json_of(await house.register(token_endpoint_auth_method="client_secret_post"))
    query = urlencode({"client_id": told["client_id"], "client_secret": told["client_secret"]})
    answer = await house.post(f"/token?{query}", {"grant_type": "refresh_token"})
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_request")
    assert told["client_secret"] not in answer.body.decode()


@case("T4", "a parameter that comes twice is refused by name, and the code stays good")
@pytest.mark.parametrize(
    "name", ["grant_type", "client_id", "code", "code_verifier", "redirect_uri"]
)
async def test_a_parameter_twice_is_refused(house: House, client_id: str, name: str) -> None:
    """OAuth 2.1 §3.2.2, §3.2.4."""
    code = await house.code(client_id)
    form = whole(client_id, code)
    answer = await house.post("/token", {**form, name: [form[name]] * 2})
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_request")
    assert name in json_of(answer)["error_description"]
    assert (await house.redeem(client_id, code)).status == 200


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        *each(
            case("T5", "a grant is named, and is one of those that there are"),
            {
                "missing": ({"grant_type": None}, "invalid_request"),
                "empty": ({"grant_type": ""}, "invalid_request"),
                "password": ({"grant_type": "password"}, "unsupported_grant_type"),
                "implicit": ({"grant_type": "implicit"}, "unsupported_grant_type"),
                "device_code": ({"grant_type": "device_code"}, "unsupported_grant_type"),
            },
        ),
        *each(
            case("T13", "a code that is none of ours is no grant"),
            {
                "unknown": ({"code": "cat_ac_unknown"}, "invalid_grant"),
                "long": ({"code": "x" * 40_000}, "invalid_grant"),
                "missing": ({"code": None}, "invalid_request"),
            },
        ),
    ],
)
async def test_a_request_for_nothing_leaves_nothing(
    house: House, client_id: str, changed: dict[str, Any], error: str
) -> None:
    """OAuth 2.1 §3.2.4."""
    code = await house.code(client_id)
    form = {**whole(client_id, code), **changed}
    answer = await house.post("/token", {k: v for k, v in form.items() if v is not None})
    assert (answer.status, json_of(answer)["error"]) == (400, error)
    assert field_of(answer, "cache-control") == "no-store"
    assert await house.count("oauth_families") == 0
    assert (await house.redeem(client_id, code)).status == 200


@case("T13", "a code that was cut short is no grant, and a megabyte is not read")
async def test_a_code_that_was_cut_short_is_no_grant(house: House, client_id: str) -> None:
    """OAuth 2.1 §3.2.4; RFC 9110 §15.5.14."""
    code = await house.code(client_id)
    cut = await house.redeem(client_id, code[:-1])
    assert (cut.status, json_of(cut)["error"]) == (400, "invalid_grant")
    assert (await house.redeem(client_id, "x" * 1_000_000)).status == 413
    assert (await house.redeem(client_id, code)).status == 200


@case("T6", "a grant that the client did not register is refused")
@pytest.mark.parametrize(
    "grant_type",
    ["refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"],
)
async def test_a_grant_that_is_not_registered_is_refused(house: House, grant_type: str) -> None:
    """OAuth 2.1 §3.2.4."""
    client_id = await house.client(grant_types=["authorization_code"])
    answer = await house.post("/token", {"grant_type": grant_type, "client_id": client_id})
    assert (answer.status, json_of(answer)["error"]) == (400, "unauthorized_client")
    assert await house.count("oauth_families") == 0

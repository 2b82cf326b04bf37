"""Whatever JSON a stranger sends, only the plane's own refusals come out. RFC 8259 §8.2, §9."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catshop.kernel import Secret
from catshop.oauth import assertions, clients, jwt, strict
from catshop.oauth.errors import InvalidClient, OAuthError
from catshop.oauth.model import Client
from tests.oauth.house import CALLBACK, ISSUER, Clock, House, json_of, request_of
from tests.oauth.keys import assertion, public_set, shown

HALF = "\ud800"
"""One half of a character: JSON can write it, UTF-8 cannot."""

texts = st.text(st.characters(), max_size=8) | st.just(HALF)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
GOOD_KEY: dict[str, Any] = public_set("ec")["keys"][0]
RSA_KEY: dict[str, Any] = public_set("rsa")["keys"][0]
NOW = datetime(2026, 7, 28, tzinfo=UTC)


def some_of(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Members of these names that hold anything."""
    return st.dictionaries(st.sampled_from(names), anything, max_size=3)


keys = st.builds(
    lambda good, bad: {**good, **bad},
    st.sampled_from([GOOD_KEY, RSA_KEY, public_set("ed")["keys"][0], {}]),
    some_of("kty", "crv", "x", "y", "n", "e", "alg", "kid", "use", "key_ops", "x5c"),
)
metadata = st.builds(
    lambda bad, keys: {"redirect_uris": [CALLBACK], "jwks": {"keys": keys}, **bad},
    some_of(
        *("redirect_uris", "client_name", "scope", "grant_types", "response_types", "jwks"),
        *("token_endpoint_auth_method", "application_type", "client_uri", "jwks_uri", "other"),
    ),
    st.lists(keys, max_size=2),
)


@given(anything)
def test_what_is_read_can_be_written_again(sent: object) -> None:
    """RFC 8259 §8.1, §8.2, §6."""
    try:
        found = strict.members(json.dumps({"a": sent}).encode())
    except ValueError:
        return
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()


@given(metadata)
def test_a_registration_is_accepted_or_refused_with_a_code(sent: dict[str, Any]) -> None:
    """RFC 7591 §3.2.2."""
    try:
        client = clients.accept(clients.read(json.dumps(sent).encode()), "cat_x", NOW)
    except OAuthError:
        return
    json.dumps(clients.answer(client), ensure_ascii=False, allow_nan=False).encode()


@given(keys)
def test_a_key_is_good_or_bad(jwk: dict[str, Any]) -> None:
    """RFC 7517 §4."""
    try:
        found = jwt.public_key(jwk)
    except jwt.BadKey:
        return
    assert set(found.algorithms) <= set(jwt.SUPPORTED)


@given(anything)
def test_a_header_that_says_anything_names_no_key(header: object) -> None:
    """RFC 7515 §5.2."""
    parts = (json.dumps(header).encode(), b"{}", b"x")
    token = Secret(".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts))
    assert jwt.unverified_claims(token) == {}
    with pytest.raises(jwt.BadToken):
        jwt.verified_claims(token, jwt.public_keys(public_set("ec")))


@given(some_of("iss", "sub", "aud", "exp", "nbf", "iat", "jti"))
def test_claims_that_are_signed_are_good_or_refused(claims: dict[str, Any]) -> None:
    """RFC 7523 §3."""
    client = Client("cat_x", "", (), (), frozenset(), NOW, jwks=json.dumps(public_set("ec")))
    signed = Secret(assertion("cat_x", lambda: NOW, **claims))
    subject = assertions.Shown(signed, client, (ISSUER,), NOW)
    assertions.named_by(signed)
    try:
        for _, check in assertions.ASSERTION:
            subject = check(subject)
    except InvalidClient:
        return
    assert subject.jti


@pytest.mark.parametrize("name", ["sub", "iss", "aud", "jti", "more"])
async def test_an_assertion_with_half_a_character_is_no_proof(
    house: House, clock: Clock, name: str
) -> None:
    """RFC 8259 §8.2; RFC 7523 §3: the client need not even be known."""
    signed = shown(assertion("cat_x", clock, **{name: HALF}))
    answer = await house.post("/token", {"grant_type": "client_credentials", **signed})
    assert (answer.status, json_of(answer)["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("until", [253402300770, 253402300790, 253402300799, -62135596800])
@pytest.mark.parametrize("name", ["exp", "nbf"])
async def test_the_ends_of_time_are_too_far(
    house: House, clock: Clock, name: str, until: int
) -> None:
    """RFC 7523 §3: at the last and at the first moment there is nothing to add or to take."""
    answer = await house.register(
        token_endpoint_auth_method="private_key_jwt", jwks=public_set("ec")
    )
    client_id = json_of(answer)["client_id"]
    signed = shown(assertion(client_id, clock, **{name: until}))
    expected = 200 if name == "nbf" and until < 0 else 401
    assert (await house.post("/revoke", {"token": "x", **signed})).status == expected


HALVED = json.dumps(HALF)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(f'"client_name": {HALVED}', id="client_name"),
        pytest.param(f'"scope": {HALVED}', id="scope"),
        pytest.param(f'"application_type": {HALVED}', id="application_type"),
        pytest.param(f'"grant_types": [{HALVED}]', id="grant_types"),
        pytest.param(f'"token_endpoint_auth_method": {HALVED}', id="method"),
        pytest.param(f'"client_uri": "https://a{HALVED[1:-1]}.example/"', id="client_uri"),
        pytest.param(f'"other": {HALVED}', id="value"),
        pytest.param(f"{HALVED}: 1", id="name"),
        pytest.param(f'"redirect_uris": [{HALVED}]', id="redirect_uris"),
        pytest.param('"other": 1e999', id="infinite"),
        pytest.param('"other": NaN', id="nan"),
        pytest.param('"scope": "read", "scope": "write"', id="J19-twice"),
        pytest.param('"other": ' + "[" * 40 + "]" * 40, id="deep"),
    ],
)
async def test_a_registration_that_cannot_be_written_again_is_refused(
    house: House, more: str
) -> None:
    """RFC 7591 §3.2.2; RFC 8259 §4, §6, §8.2, §9: and nothing of it is kept."""
    rest = "" if "redirect_uris" in more else f', "redirect_uris": ["{CALLBACK}"]'
    await refused(house, f"{{{more}{rest}}}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("kid", HALVED, id="R11-kid"),
        pytest.param("other", HALVED, id="R11-half"),
        pytest.param("other", "1e999", id="R11-infinite"),
        pytest.param("alg", '["ES256"]', id="R11-alg-array"),
        pytest.param("alg", "{}", id="R11-alg-object"),
        pytest.param("alg", '""', id="R11-alg-empty"),
        pytest.param("x", "5", id="R11-x-number"),
        pytest.param("key_ops", "[{}]", id="R11-key_ops"),
    ],
)
async def test_a_key_that_holds_what_no_key_does_is_not_kept(
    house: House, name: str, value: str
) -> None:
    """RFC 7517 §4; RFC 7591 §3.2.2: R11."""
    jwk = json.dumps({**GOOD_KEY, name: "HERE"}).replace('"HERE"', value)
    await refused(house, f'{{"redirect_uris": ["{CALLBACK}"], "jwks": {{"keys": [{jwk}]}}}}')


async def refused(house: House, body: str) -> None:
    fields = {"content-type": "application/json"}
    answer = await house.ask(request_of("POST", "/register", body.encode(), fields))
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_client_metadata")
    assert await house.count("oauth_clients") == 0

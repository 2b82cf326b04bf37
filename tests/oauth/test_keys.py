"""Access tokens that are signed, the keys that sign them, and how those change."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from catshop.kernel import Secret, Unavailable, utc_now
from catshop.oauth import jwt
from catshop.oauth.keys import Keyring
from catshop.oauth.settings import OAuthSettings, SigningAlgorithm, TokenFormat
from tests.oauth.cases import case
from tests.oauth.house import Clock, House, json_of
from tests.oauth.keys import base64url


@pytest.fixture
def token_format() -> TokenFormat:
    return TokenFormat.JWT


@pytest.fixture(params=list(SigningAlgorithm), ids=lambda kind: str(kind.value))
def settings(settings: OAuthSettings, request: pytest.FixtureRequest) -> OAuthSettings:
    """Whatever tokens are signed with, the same holds."""
    return replace(settings, token_algorithm=SigningAlgorithm(request.param))


@pytest.fixture
async def token(house: House) -> str:
    """An access token of alice for everything."""
    await house.user()
    return str((await house.tokens(await house.client()))["access_token"])


async def published(house: House) -> list[dict[str, Any]]:
    return list(json_of(await house.get("/jwks"))["keys"])


async def verified(house: House, token: str) -> dict[str, Any]:
    """The claims, as somebody reads them who knows nothing but /jwks."""
    keys = jwt.public_keys(json_of(await house.get("/jwks")))
    return dict(jwt.verified_claims(Secret(token), keys))


async def test_a_token_says_what_it_is_for_to_whoever_has_the_keys(
    house: House, token: str, clock: Clock
) -> None:
    """RFC 9068 §2.1, §2.2."""
    header = json.loads(jwt._decoded(token.partition(".")[0]))
    algorithm, [key] = house.settings.token_algorithm.value, await published(house)
    assert header == {"alg": algorithm, "typ": "at+jwt", "kid": key["kid"]}
    user = await house.stores.users.by_name("alice")
    assert user is not None
    principal = await house.call(token)
    now = int(clock().timestamp())
    assert await verified(house, token) == {
        "iss": "http://127.0.0.1:8000",
        "sub": user.id,
        "aud": "http://127.0.0.1:8000/mcp",
        "client_id": principal.client_id,
        "scope": "read write",
        "jti": principal.token_id,
        "iat": now,
        "exp": now + 900,
    }


@case("M8", "a published key is the public half, with its name, its algorithm and its use")
async def test_the_published_keys_are_public(house: House, token: str) -> None:
    """RFC 7517 §4, §5, §9; RFC 8037 §2, §3.1; RFC 7518 §6.2.1."""
    [key] = await published(house)
    assert not {"d", "p", "q", "dp", "dq", "qi", "k", "oth"} & key.keys()
    kinds = {"EdDSA": ("OKP", "Ed25519"), "ES256": ("EC", "P-256")}
    assert (key["kty"], key["crv"]) == kinds[house.settings.token_algorithm.value]
    assert (key["alg"], key["use"]) == (house.settings.token_algorithm.value, "sig")
    assert key["kid"]


async def test_the_metadata_names_the_keys_when_tokens_are_signed(house: House) -> None:
    """RFC 8414 §2: M1."""
    document = json_of(await house.get("/.well-known/oauth-authorization-server"))
    assert document["jwks_uri"] == "http://127.0.0.1:8000/jwks"
    opaque = replace(house.settings, token_format=TokenFormat.OPAQUE)
    other = House(opaque, house.stores, house.database, house.clock)
    document = json_of(await other.get("/.well-known/oauth-authorization-server"))
    assert "jwks_uri" not in document
    assert await published(other) == []


async def test_a_changed_letter_makes_another_token(house: House, token: str) -> None:
    """RFC 8725 §3.1: J1, J17, J21. What is not known by its hash is nothing, whatever it says."""
    head, body, signature = token.split(".")
    for other in (f"{head}.{body}.", f"{head}.{body}", f"{token}=", f"e30.{body}.{signature}"):
        assert not await house.is_good(other)
    assert await house.is_good(token)


async def test_a_refreshed_token_is_signed_and_the_old_one_ends(house: House) -> None:
    """OAuth 2.1 §4.3.1; RFC 9068 §2."""
    await house.user()
    client = await house.client()
    first = await house.tokens(client)
    second = json_of(await house.refresh(client, first["refresh_token"], scope="read"))
    assert (await verified(house, second["access_token"]))["scope"] == "read"
    assert await house.is_good(second["access_token"])
    assert not await house.is_good(first["access_token"])


async def test_a_token_from_the_command_line_is_signed(house: House) -> None:
    """RFC 9068 §2."""
    await house.user()
    token, record = await house.administration.issue_token("alice", frozenset({"read"}), 60)
    claims = await verified(house, token.reveal())
    assert (claims["jti"], claims["scope"]) == (record.id, "read")
    assert await house.is_good(token.reveal())


async def test_keys_overlap_when_they_change(house: House, token: str, clock: Clock) -> None:
    """RFC 9068 §4; RFC 7517 §4.5: J9. Published before it signs, and after, until all is over."""
    await house.user("bob")
    [old] = await published(house)
    new = await house.administration.keyring.rotate()
    kids = [key["kid"] for key in await published(house)]
    assert kids == [new.kid, old["kid"]]
    clock.forward(299)
    late = (await house.administration.issue_token("bob", frozenset({"read"}), 900))[0]
    assert await verified(house, late.reveal())
    clock.forward(1)
    fresh = (await house.administration.issue_token("bob", frozenset({"read"}), 900))[0]
    header = json.loads(jwt._decoded(fresh.reveal().partition(".")[0]))
    assert header["kid"] == new.kid
    clock.forward(898)
    for text in (late, fresh):
        assert await verified(house, text.reveal())
        assert await house.is_good(text.reveal())
    clock.forward(302)
    assert [key["kid"] for key in await published(house)] == [new.kid]
    await house.stores.upkeep.sweep(clock())
    assert await house.count("oauth_keys") == 1


@case("J9", "keys of two algorithms are published together while one follows the other")
async def test_the_algorithm_changes_with_a_rotation(
    house: House, token: str, clock: Clock
) -> None:
    """RFC 7515 §5.1; RFC 7518 §3.4; RFC 8037 §3.1; RFC 6979 §3.2."""
    before = house.settings.token_algorithm
    [after] = set(SigningAlgorithm) - {before}
    await house.administration.keyring.rotate(after)
    assert [key["alg"] for key in await published(house)] == [after.value, before.value]
    clock.forward(300)
    await house.user("bob")
    fresh = (await house.administration.issue_token("bob", frozenset({"read"}), 60))[0].reveal()
    assert jwt.unverified_header(Secret(fresh))["alg"] == after.value
    for each in (token, fresh):
        assert await verified(house, each)
        assert await house.is_good(each)


@case("U6", "a scope that was edited inside the JWT makes it a token that nobody knows")
async def test_an_edited_scope_is_worth_nothing(house: House, token: str) -> None:
    """RFC 7515 §5.2; OAuth 2.1 §5.2."""
    head, body, signature = token.split(".")
    claims = {**json.loads(jwt._decoded(body)), "scope": "read write admin"}
    edited = f"{head}.{base64url(json.dumps(claims).encode())}.{signature}"
    assert not await house.is_good(edited)
    with pytest.raises(jwt.BadToken):
        await verified(house, edited)


@case("J20", "a signature with zeros, in DER, or beyond the order of the curve verifies nothing")
@pytest.mark.parametrize("broken", ["zeros", "der", "beyond", "short"])
async def test_a_signature_is_one_and_in_the_form_of_jws(
    house: House, token: str, broken: str
) -> None:
    """RFC 7518 §3.4; RFC 8037 §3.1."""
    head, body, signature = token.split(".")
    octets = jwt._decoded(signature)
    half = int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    beyond = octets[:32] + ((half[1] + order) % 2**256).to_bytes(32, "big")
    wrong = {
        "zeros": bytes(64),
        "der": encode_dss_signature(*half),
        "beyond": beyond,
        "short": octets[:63],
    }[broken]
    with pytest.raises(jwt.BadToken):
        await verified(house, f"{head}.{body}.{base64url(wrong)}")


async def test_of_many_who_begin_together_one_makes_the_first_key(house: House) -> None:
    """RFC 7517 §5."""
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(house.administration.keyring.writer)
    assert len(await published(house)) == 1


async def test_the_first_rotation_makes_a_key_that_signs_at_once(house: House) -> None:
    key = await house.administration.keyring.rotate()
    assert key.signs_from == key.created_at
    assert [found["kid"] for found in await published(house)] == [key.kid]


async def test_the_database_alone_signs_nothing(house: House, token: str) -> None:
    """RFC 7517 §9. With another key file there is no signing key, and a retry may help."""
    row = await house.database.one("SELECT * FROM oauth_keys")
    assert row is not None
    assert "PRIVATE" not in str(dict(row))
    stranger = replace(house.settings, secret_key=Secret("s" * 43))
    ring = Keyring(stranger, house.stores.keys, house.clock, lambda: "m" * 43)
    with pytest.raises(Unavailable):
        await ring.writer()
    changed = replace(stranger, previous_keys=(house.settings.secret_key,))
    await Keyring(changed, house.stores.keys, house.clock, lambda: "m" * 43).writer()


async def test_a_clock_that_was_set_back_is_told(house: House, token: str, clock: Clock) -> None:
    clock.forward(-3600)
    with pytest.raises(Unavailable):
        await house.administration.keyring.writer()


async def test_the_first_key_signs_at_once_on_a_clock_that_moves(house: House) -> None:
    """What is stored is rounded, and the time goes on meanwhile."""
    for _ in range(5):
        ring = Keyring(house.settings, house.stores.keys, utc_now, lambda: "m" * 43)
        await ring.writer()
        await house.database.write(lambda statements: statements.run("DELETE FROM oauth_keys"))

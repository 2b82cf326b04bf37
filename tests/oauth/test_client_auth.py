"""Client authentication at the token endpoint and wherever else a client calls directly."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import anyio
import pytest

from catshop.limits import OAuthLimits
from catshop.oauth.settings import AssertionAudience, OAuthSettings
from catshop.protocol.http1.messages import Answer
from catshop.storage.oauth import stores as stores_on
from tests.oauth.cases import case
from tests.oauth.house import ISSUER, VERIFIER, Clock, House, field_of, json_of, request_of
from tests.oauth.keys import ASSERTION_TYPE, assertion, public_set, shown


def basic(client_id: str, secret: str) -> str:
    """The Authorization field of RFC 6749 §2.3.1."""
    text = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + base64.b64encode(text.encode()).decode()


async def registered(house: House, method: str, **metadata: Any) -> tuple[str, str]:
    """Id and secret of a new client."""
    answer = await house.register(token_endpoint_auth_method=method, **metadata)
    assert answer.status == 201, answer.body
    told = json_of(answer)
    return told["client_id"], told.get("client_secret", "")


async def keyed(house: House, kind: str = "ec") -> str:
    """The id of a client with a key."""
    return (await registered(house, "private_key_jwt", jwks=public_set(kind)))[0]


async def tried(house: House, sent: dict[str, Any], **fields: str) -> Answer:
    """Whether the client is known, asked in the cheapest way: to revoke nothing."""
    return await house.post("/revoke", {"token": "x", **sent}, **fields)


def refused(answer: Answer, status: int = 401, error: str = "invalid_client") -> bool:
    """Whether this is that refusal, with a challenge exactly where Basic was tried."""
    return (answer.status, json_of(answer)["error"]) == (status, error)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_code_is_redeemed_with_the_secret_and_with_pkce(house: House, method: str) -> None:
    """OAuth 2.1 §2.4.1, §3.2.1; RFC 6749 §2.3.1."""
    await house.user()
    client_id, secret = await registered(house, method)
    code = await house.code(client_id)
    form = {"grant_type": "authorization_code", "code": code}
    fields = {}
    if method == "client_secret_basic":
        fields = {"authorization": basic(client_id, secret)}
    else:
        form |= {"client_id": client_id, "client_secret": secret}
    assert refused(await house.post("/token", form, **fields), 400, "invalid_grant")
    answer = await house.post("/token", {**form, "code_verifier": VERIFIER}, **fields)
    assert answer.status == 200


async def test_a_code_is_redeemed_with_a_signed_assertion(house: House, clock: Clock) -> None:
    """RFC 7523 §2.2: no client_id is needed, the assertion names it."""
    await house.user()
    client_id = await keyed(house)
    form = {
        "grant_type": "authorization_code",
        "code": await house.code(client_id),
        "code_verifier": VERIFIER,
        **shown(assertion(client_id, clock)),
    }
    assert (await house.post("/token", form)).status == 200


async def test_an_id_alone_is_no_proof_of_a_client_that_has_one(house: House, clock: Clock) -> None:
    """OAuth 2.1 §2.4; RFC 7009 §2.1: V1."""
    client_id, _ = await registered(house, "client_secret_basic")
    assert refused(await tried(house, {"client_id": client_id}))


@case("T7", "an unknown client is told how to prove itself if it tried Basic, and nothing more")
@case("T8", "a wrong secret is answered with the same octets as an unknown client")
async def test_an_unknown_client_and_a_wrong_secret_get_the_same_answer(house: House) -> None:
    """OAuth 2.1 §3.2.4. A Basic attempt is told the scheme; a body is not."""
    by_basic, _ = await registered(house, "client_secret_basic")
    by_post, _ = await registered(house, "client_secret_post")
    wrong = await tried(house, {}, authorization=basic(by_basic, "x"))
    unknown = await tried(house, {}, authorization=basic("cat_nobody", "x"))
    assert refused(wrong)
    assert (wrong.status, wrong.fields, wrong.body) == (
        unknown.status,
        unknown.fields,
        unknown.body,
    )
    assert (field_of(wrong, "www-authenticate") or "").startswith("Basic ")
    wrong = await tried(house, {"client_id": by_post, "client_secret": "x"})
    unknown = await tried(house, {"client_id": "cat_nobody", "client_secret": "x"})
    assert refused(wrong)
    assert (wrong.status, wrong.fields, wrong.body) == (
        unknown.status,
        unknown.fields,
        unknown.body,
    )
    assert field_of(wrong, "www-authenticate") is None


@case("T9", "a client proves itself in one way at a time")
async def test_two_methods_at_once_are_refused(house: House, clock: Clock) -> None:
    """OAuth 2.1 §2.4."""
    client_id, secret = await registered(house, "client_secret_basic")
    header = basic(client_id, secret)
    both = await tried(house, {"client_secret": secret}, authorization=header)
    assert refused(both, 400, "invalid_request")
    signed = shown(assertion(client_id, clock))
    both = await tried(house, signed, authorization=header)
    assert refused(both, 400, "invalid_request")


@pytest.mark.parametrize(
    ("registered_as", "used"),
    [
        pytest.param("none", "client_secret_post", id="T10-public-with-secret"),
        pytest.param("none", "client_secret_basic", id="T10-public-with-basic"),
        pytest.param("client_secret_basic", "client_secret_post", id="T10-basic-by-post"),
        pytest.param("client_secret_post", "client_secret_basic", id="T10-post-by-basic"),
        pytest.param("client_secret_post", "private_key_jwt", id="T10-post-by-assertion"),
        pytest.param("private_key_jwt", "client_secret_post", id="T10-assertion-by-post"),
    ],
)
@case("T10", "a proof of another kind than the registered one is none")
async def test_a_client_proves_itself_as_it_registered(
    house: House, clock: Clock, registered_as: str, used: str
) -> None:
    """OAuth 2.1 §2.4."""
    client_id, secret = await registered(house, registered_as, jwks=public_set("ec"))
    fields, form = {}, {"client_id": client_id}
    match used:
        case "client_secret_basic":
            fields = {"authorization": basic(client_id, secret or "x")}
        case "client_secret_post":
            form["client_secret"] = secret or "x"
        case _:
            form |= shown(assertion(client_id, clock))
    assert refused(await tried(house, form, **fields))


@case("T11", "a request is of one client: the id in the proof and the one in the form agree")
async def test_a_request_that_names_two_clients_is_refused(house: House, clock: Clock) -> None:
    """RFC 6749 §2.3.1; RFC 7521 §4.2."""
    client_id, secret = await registered(house, "client_secret_basic")
    other = {"client_id": await house.client()}
    answer = await tried(house, other, authorization=basic(client_id, secret))
    assert refused(answer, 400, "invalid_request")
    same = {"client_id": client_id}
    assert (await tried(house, same, authorization=basic(client_id, secret))).status == 200
    signed = shown(assertion(await keyed(house), clock))
    assert refused(await tried(house, {**signed, **other}), 400, "invalid_request")


@pytest.mark.parametrize(
    "field",
    [
        pytest.param("Basic ***", id="T12-not-base64"),
        pytest.param("Basic " + base64.b64encode(b"nocolon").decode(), id="T12-no-colon"),
        pytest.param("Basic " + base64.b64encode(b"a%zz:b").decode(), id="T12-percent"),
        pytest.param("Basic " + base64.b64encode(b"a:%ff").decode(), id="T12-decoded-not-utf-8"),
        pytest.param("Basic " + base64.b64encode(b"\xff:b").decode(), id="T12-not-utf-8"),
        pytest.param("Basic \xe9", id="T12-not-ascii"),
        pytest.param("Basic", id="T12-empty"),
        pytest.param("Bearer abc", id="T12-bearer"),
        pytest.param("", id="T12-nothing"),
    ],
)
@case("T12", "a Basic field that cannot be read is no proof, and no fault of ours")
async def test_an_authorization_field_that_cannot_be_read_is_no_proof(
    house: House, field: str
) -> None:
    """RFC 6749 §2.3.1; RFC 7617 §2.1."""
    answer = await tried(house, {}, authorization=field)
    assert refused(answer)
    assert (field_of(answer, "www-authenticate") or "").startswith("Basic ")


async def test_id_and_secret_are_form_encoded_before_they_are_joined(house: House) -> None:
    """RFC 6749 §2.3.1: every character may come encoded."""
    client_id, secret = await registered(house, "client_secret_basic")
    encoded = ":".join("".join(f"%{ord(c):02X}" for c in text) for text in (client_id, secret))
    field = "bASIC " + base64.b64encode(encoded.encode()).decode()
    assert (await tried(house, {}, authorization=field)).status == 200


class TestThreeFailures:
    """With three failed proofs in a window."""

    @pytest.fixture
    def limits(self) -> OAuthLimits:
        return OAuthLimits(client_failures=3)

    @case("T8", "after too many wrong secrets even the right one waits")
    async def test_more_wait_and_other_addresses_do_not(self, house: House, clock: Clock) -> None:
        """OAuth 2.1 §7.7."""
        client_id, secret = await registered(house, "client_secret_post")
        good = {"client_id": client_id, "client_secret": secret}
        for _ in range(3):
            assert refused(await tried(house, {**good, "client_secret": "x"}))
            clock.forward(1)
        for form in ({**good, "client_secret": "x"}, good):
            answer = await tried(house, form)
            assert (answer.status, json_of(answer)["error"]) == (429, "temporarily_unavailable")
            assert int(field_of(answer, "retry-after") or "") == 900 - 3
        elsewhere = await house.post("/revoke", {"token": "x", **good}, "192.0.2.2")
        assert elsewhere.status == 200
        clock.forward(900)
        assert (await tried(house, good)).status == 200

    async def test_success_is_not_counted(self, house: House) -> None:
        """OAuth 2.1 §7.7."""
        client_id, secret = await registered(house, "client_secret_post")
        for _ in range(5):
            await tried(house, {"client_id": client_id, "client_secret": secret})
        assert await house.count("oauth_attempts") == 1, "the registration"


@pytest.mark.parametrize("kind", ["ec", "ed", "rsa"])
async def test_every_kind_of_key_proves(house: House, clock: Clock, kind: str) -> None:
    """RFC 7523 §3; RFC 7518 §3."""
    client_id = await keyed(house, kind)
    assert (await tried(house, shown(assertion(client_id, clock, kind)))).status == 200


NOW = Clock()().timestamp()


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"aud": "https://other.example/token"}, id="T26-other"),
        pytest.param({"aud": f"{ISSUER}/token"}, id="T26-token-endpoint"),
        pytest.param({"aud": f"{ISSUER}/"}, id="T26-slash"),
        pytest.param({"aud": [ISSUER]}, id="T26-array"),
        pytest.param({"aud": [ISSUER, "https://other.example"]}, id="T26-two"),
        pytest.param({"aud": None}, id="T26-missing"),
        pytest.param({"iss": "cat_other"}, id="T27-iss"),
        pytest.param({"iss": None}, id="T27-no-iss"),
        pytest.param({"exp": NOW - 31}, id="T27-past"),
        pytest.param({"exp": NOW + 331}, id="T27-far"),
        pytest.param({"exp": None}, id="T27-no-exp"),
        pytest.param({"exp": "soon"}, id="T27-exp-string"),
        pytest.param({"exp": True}, id="T27-exp-true"),
        pytest.param({"exp": 1e300}, id="T27-exp-huge"),
        pytest.param({"nbf": NOW + 31}, id="T27-nbf"),
        pytest.param({"iat": NOW + 31}, id="T27-iat"),
        pytest.param({"jti": None}, id="T27-no-jti"),
        pytest.param({"jti": ""}, id="T27-empty-jti"),
        pytest.param({"jti": 7}, id="T27-jti-number"),
        pytest.param({"jti": "x" * 257}, id="T27-long-jti"),
    ],
)
@case("T27", "an assertion is by the client, about itself, for a few minutes, and has an id")
async def test_an_assertion_that_says_something_else_is_refused(
    house: House, clock: Clock, claims: dict[str, Any]
) -> None:
    """RFC 7523 §3."""
    signed = assertion(await keyed(house), clock, **claims)
    assert refused(await tried(house, shown(signed)))


class TestToTheTokenEndpoint:
    """Where assertions may be addressed to the token endpoint."""

    @pytest.fixture
    def settings(self, settings: OAuthSettings) -> OAuthSettings:
        return replace(settings, assertion_audience=AssertionAudience.TOKEN_ENDPOINT)

    @case("T26", "by a setting the token endpoint is an audience, too; still as one string")
    async def test_the_token_endpoint_is_an_audience_too(self, house: House, clock: Clock) -> None:
        """RFC 7523 §3."""
        client_id = await keyed(house)
        for audience in (ISSUER, f"{ISSUER}/token"):
            signed = shown(assertion(client_id, clock, aud=audience))
            assert (await tried(house, signed)).status == 200
        for audience in ([f"{ISSUER}/token"], f"{ISSUER}/revoke", "https://other.example/token"):
            assert refused(await tried(house, shown(assertion(client_id, clock, aud=audience))))


@pytest.mark.parametrize("claims", [{"exp": NOW - 29}, {"exp": NOW + 299}, {"nbf": NOW + 29}])
async def test_clocks_may_differ_by_half_a_minute(
    house: House, clock: Clock, claims: dict[str, Any]
) -> None:
    """RFC 7523 §3."""
    signed = assertion(await keyed(house), clock, **claims)
    assert (await tried(house, shown(signed))).status == 200


@case("T27", "the subject of an assertion is the client that is named")
async def test_the_subject_is_the_client_that_is_named(house: House, clock: Clock) -> None:
    """RFC 7523 §3."""
    signed = assertion(await keyed(house), clock, sub=None)
    assert refused(await tried(house, shown(signed)))
    client_id = await keyed(house)
    named = {"client_id": client_id, **shown(assertion(client_id, clock, sub=None))}
    assert refused(await tried(house, named))


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        pytest.param("other", {}, id="T29-other-key"),
        pytest.param("ec", {"kid": "2"}, id="T29-kid"),
        pytest.param("ec", {"crit": ["x"], "x": 1}, id="T29-crit"),
        pytest.param("rsa", {}, id="T29-other-algorithm"),
    ],
)
@case("T29", "an assertion is signed with the key of the client that it names")
async def test_a_signature_of_another_key_is_refused(
    house: House, clock: Clock, kind: str, header: dict[str, Any]
) -> None:
    """RFC 8725 §3.1; RFC 7515 §4.1.11."""
    signed = assertion(await keyed(house), clock, kind, header)
    assert refused(await tried(house, shown(signed)))


@pytest.mark.parametrize("algorithm", ["none", "None", "", "HS256", None, 7])
@case("T29", "an assertion does not choose the algorithm by which it is verified")
async def test_an_algorithm_is_never_taken_from_the_token(
    house: House, clock: Clock, algorithm: object
) -> None:
    """RFC 8725 §3.1."""
    client_id = await keyed(house)
    head, payload, signature = assertion(client_id, clock).split(".")
    told = json.loads(base64.urlsafe_b64decode(head + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**told, "alg": algorithm}).encode())
    text = f"{forged.decode().rstrip('=')}.{payload}.{signature}"
    assert refused(await tried(house, {"client_id": client_id, **shown(text)}))


@pytest.mark.parametrize("text", ["x", "a.b", "a.b.c", "a.b.", "..", "a.b.c.d", "e30.e30.e30"])
async def test_what_is_no_jwt_proves_nothing(house: House, text: str) -> None:
    """RFC 7515 §5.2."""
    client_id = await keyed(house)
    assert refused(await tried(house, {"client_id": client_id, **shown(text)}))
    assert refused(await tried(house, shown(text)))


async def test_a_longer_one_is_not_even_read(house: House, clock: Clock) -> None:
    """RFC 8725 §3."""
    signed = assertion(await keyed(house), clock, filler="x" * 8192)
    assert refused(await tried(house, shown(signed)))


async def test_without_a_kid_the_only_key_is_meant_and_of_two_none(
    house: House, clock: Clock
) -> None:
    """RFC 7515 §4.1.4."""
    only = assertion(await keyed(house), clock, header={"kid": None})
    assert (await tried(house, shown(only))).status == 200
    keys = [*public_set("ec")["keys"], *public_set("ed", kid="2")["keys"]]
    client_id, _ = await registered(house, "private_key_jwt", jwks={"keys": keys})
    assert refused(await tried(house, shown(assertion(client_id, clock, header={"kid": None}))))
    second = assertion(client_id, clock, "ed", {"kid": "2"})
    assert (await tried(house, shown(second))).status == 200


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"client_assertion_type": "x"}, id="T30-other-type"),
        pytest.param({"client_assertion_type": None}, id="T30-no-type"),
        pytest.param({"client_assertion_type": [ASSERTION_TYPE] * 2}, id="T30-two-types"),
        pytest.param({"client_assertion": None}, id="T30-no-assertion"),
        pytest.param({"client_assertion": 3}, id="T30-three"),
    ],
)
@case("T30", "an assertion comes once, with its type, and both are there")
async def test_an_assertion_comes_once_with_its_type(
    house: House, clock: Clock, change: dict[str, Any]
) -> None:
    """RFC 7521 §4.2, §4.2.1."""
    client_id = await keyed(house)
    sent: dict[str, Any] = {**shown(assertion(client_id, clock)), **change}
    if sent["client_assertion"] == 3:
        sent["client_assertion"] = [assertion(client_id, clock) for _ in range(3)]
    form = {name: value for name, value in sent.items() if value is not None}
    assert refused(await tried(house, {"client_id": client_id, **form}))


async def test_an_assertion_is_good_once_also_after_a_restart(house: House, clock: Clock) -> None:
    """RFC 7523 §3: T28."""
    client_id = await keyed(house)
    signed = shown(assertion(client_id, clock, jti="one"))
    assert (await tried(house, signed)).status == 200
    assert refused(await tried(house, signed))
    restarted = House(house.settings, stores_on(house.database), house.database, clock)
    assert refused(await tried(restarted, signed))
    again = shown(assertion(client_id, clock, jti="one", iat=None))
    assert refused(await tried(restarted, again)), "the name is spent, not the text"
    other = await keyed(house)
    assert (await tried(house, shown(assertion(other, clock, jti="one")))).status == 200


async def test_of_many_who_show_one_assertion_one_is_believed(house: House, clock: Clock) -> None:
    """RFC 7523 §3: T28."""
    signed = shown(assertion(await keyed(house), clock))
    found: list[int] = []

    async def show() -> None:
        found.append((await tried(house, signed)).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(show)
    assert sorted(found) == [200] + [401] * 9


async def test_a_spent_assertion_is_forgotten_once_it_has_expired(
    house: House, clock: Clock
) -> None:
    """RFC 7523 §3."""
    await tried(house, shown(assertion(await keyed(house), clock)))
    clock.forward(89)
    await house.stores.upkeep.sweep(clock())
    assert await house.count("oauth_spent_proofs") == 1
    clock.forward(1)
    await house.stores.upkeep.sweep(clock())
    assert await house.count("oauth_spent_proofs") == 0


async def test_two_authorization_fields_are_two_claims(house: House) -> None:
    """OAuth 2.1 §2.4."""
    fields = (("content-type", "application/x-www-form-urlencoded"),)
    twice = (*fields, ("authorization", "Basic eDp5"), ("authorization", "Basic eDp5"))
    answer = await house.ask(request_of("POST", "/revoke", b"token=x", twice))
    assert refused(answer, 400, "invalid_request")

"""The jwt-bearer grant: whose word is taken, for whom, and how often."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import pytest
from jwt import PyJWS

from catshop.limits import OAuthLimits
from catshop.oauth import metadata
from catshop.oauth.administration import Mistake
from catshop.oauth.parameters import JWT_BEARER, PROFILE
from catshop.oauth.settings import OAuthSettings
from catshop.protocol.http1.messages import Answer
from tests.oauth.cases import case
from tests.oauth.house import ISSUER, Clock, House, field_of, json_of
from tests.oauth.keys import ALGORITHM, private_key, public_set
from tests.oauth.world import Site, answering, site

IDP = "https://idp.example/tenant"
RESOURCE = f"{ISSUER}/mcp"
Credentials = dict[str, str]


@pytest.fixture
def settings(settings: OAuthSettings) -> OAuthSettings:
    return replace(settings, assertion_issuers=(IDP, "https://away.example"))


async def provider(served: Site, stream: Any) -> None:
    """What the identity provider replies: its document, or its keys."""
    found: object = public_set("ec")
    if "well-known" in served.requests[-1].split(" ")[1]:
        found = {"issuer": IDP, "jwks_uri": "https://idp.example/keys"}
    await answering(json.dumps(found))(served, stream)


@pytest.fixture
async def here(house: House) -> AsyncIterator[Site]:
    """The identity provider, with its keys."""
    async with site(house.world, "idp.example", provider) as served:
        yield served


@pytest.fixture
async def client(house: House, here: Site) -> Credentials:
    """A client that may ask, in a house where the provider's user U1 is alice."""
    await house.user()
    await house.administration.link(IDP, "U1", user="alice")
    return await vouchable(house)


async def vouchable(house: House) -> Credentials:
    """A client that may show another issuer's word."""
    told = json_of(
        await house.register(
            token_endpoint_auth_method="client_secret_post",
            grant_types=[JWT_BEARER],
            redirect_uris=None,
        )
    )
    return {"client_id": told["client_id"], "client_secret": told["client_secret"]}


def signed(
    claims: dict[str, Any], kind: str = "ec", typ: str | None = "oauth-id-jag+jwt", **header: Any
) -> str:
    """These claims, signed by that key; None leaves a claim out."""
    payload = json.dumps({name: value for name, value in claims.items() if value is not None})
    head = {"typ": typ, "kid": "1", **header}
    return PyJWS().encode(payload.encode(), private_key(kind), ALGORITHM.get(kind, "ES256"), head)


def jag(house: House, client: Credentials, **more: Any) -> dict[str, Any]:
    """What a good ID-JAG says."""
    now = int(house.clock().timestamp())
    return {
        "iss": IDP,
        "sub": "U1",
        "aud": ISSUER,
        "client_id": client["client_id"],
        "resource": RESOURCE,
        "scope": "read write chat.read",
        "iat": now,
        "exp": now + 300,
        "jti": secrets.token_urlsafe(8),
        **more,
    }


async def asked(house: House, by: Credentials, assertion: str, **more: Any) -> Answer:
    return await house.post(
        "/token", {"grant_type": JWT_BEARER, "assertion": assertion, **by, **more}
    )


@case("T31", "an identity provider's word lets its linked user's client in, and makes no account")
async def test_a_trusted_provider_vouches_for_a_linked_user(
    house: House, client: Credentials, clock: Clock
) -> None:
    """RFC 7523 §2.1, §3.1; RFC 7521 §4.1: there is nothing to renew the token with."""
    answer = await asked(house, client, signed(jag(house, client)))
    granted = json_of(answer)
    assert (answer.status, field_of(answer, "cache-control")) == (200, "no-store")
    assert "refresh_token" not in granted
    assert granted["scope"] == "read write"
    [alice] = await house.administration.users()
    principal = await house.call(granted["access_token"])
    assert (principal.subject, principal.username) == (alice.id, "alice")
    assert (principal.issuer, principal.audience) == (ISSUER, RESOURCE)
    assert principal.client_id == client["client_id"]
    clock.forward(900)
    assert not await house.is_good(granted["access_token"])


BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "aud-other": ({"aud": "https://other.example"}, {}, "invalid_grant", "E-VOUCH-04"),
    "aud-slash": ({"aud": f"{ISSUER}/"}, {}, "invalid_grant", "E-VOUCH-04"),
    "aud-token-endpoint": ({"aud": f"{ISSUER}/token"}, {}, "invalid_grant", "E-VOUCH-04"),
    "aud-two": ({"aud": [ISSUER, "https://o.example"]}, {}, "invalid_grant", "E-VOUCH-04"),
    "aud-missing": ({"aud": None}, {}, "invalid_grant", "E-VOUCH-04"),
    "iss-unknown": ({"iss": "https://evil.example"}, {}, "invalid_grant", "E-VOUCH-02"),
    "iss-slash": ({"iss": f"{IDP}/"}, {}, "invalid_grant", "E-VOUCH-02"),
    "iss-number": ({"iss": 1}, {}, "invalid_grant", "E-VOUCH-02"),
    "exp-past": ({"exp": 1}, {}, "invalid_grant", "E-VOUCH-05"),
    "exp-missing": ({"exp": None}, {}, "invalid_grant", "E-VOUCH-05"),
    "exp-text": ({"exp": "1"}, {}, "invalid_grant", "E-VOUCH-05"),
    "exp-true": ({"exp": True}, {}, "invalid_grant", "E-VOUCH-05"),
    "exp-endless": ({"exp": 1e300}, {}, "invalid_grant", "E-VOUCH-05"),
    "exp-far": ({"exp": 4_000_000_000}, {}, "invalid_grant", "E-VOUCH-05"),
    "iat-missing": ({"iat": None}, {}, "invalid_grant", "E-VOUCH-05"),
    "iat-future": ({"iat": 4_000_000_000}, {}, "invalid_grant", "E-VOUCH-05"),
    "nbf-future": ({"nbf": 4_000_000_000}, {}, "invalid_grant", "E-VOUCH-05"),
    "jti-missing": ({"jti": None}, {}, "invalid_grant", "E-VOUCH-06"),
    "jti-number": ({"jti": 1}, {}, "invalid_grant", "E-VOUCH-06"),
    "jti-long": ({"jti": "x" * 257}, {}, "invalid_grant", "E-VOUCH-06"),
    "typ-access-token": ({}, {"typ": "at+jwt"}, "invalid_grant", "E-VOUCH-01"),
    "typ-client-assertion": (
        {},
        {"typ": "client-authentication+jwt"},
        "invalid_grant",
        "E-VOUCH-01",
    ),
    "typ-id-token": ({}, {"typ": "JWT"}, "invalid_grant", "E-VOUCH-08"),
    "key-other": ({}, {"kind": "other"}, "invalid_grant", "E-VOUCH-03"),
    "kid-other": ({}, {"kid": "2"}, "invalid_grant", "E-VOUCH-03"),
    "client-other": ({"client_id": "cat_other"}, {}, "invalid_grant", "E-VOUCH-08"),
    "client-missing": ({"client_id": None}, {}, "invalid_grant", "E-VOUCH-08"),
    "sub-unknown": ({"sub": "U2"}, {}, "invalid_grant", "E-VOUCH-09"),
    "sub-of-ours": ({"sub": "alice"}, {}, "invalid_grant", "E-VOUCH-09"),
    "sub-missing": ({"sub": None, "email": "alice@x.example"}, {}, "invalid_grant", "E-VOUCH-09"),
    "cnf": ({"cnf": {"jkt": "x"}}, {}, "invalid_grant", "E-VOUCH-11"),
    "cnf-empty": ({"cnf": {}}, {}, "invalid_grant", "E-VOUCH-11"),
    "resource-missing": ({"resource": None}, {}, "invalid_grant", "E-VOUCH-10"),
    "resource-other": ({"resource": "https://o.example"}, {}, "invalid_target", "E-AUD-01"),
    "resource-list": ({"resource": [1, "https://o.example"]}, {}, "invalid_target", "E-AUD-01"),
    "scope-none-of-ours": ({"scope": "chat.read"}, {}, "invalid_scope", "E-SCOPE-04"),
}


@case(
    "T31", "an assertion of the wrong type, issuer, audience, time, name or client is worth nothing"
)
@pytest.mark.parametrize("name", BAD)
async def test_an_assertion_that_is_not_for_this_is_refused(
    house: House, client: Credentials, name: str
) -> None:
    """RFC 7523 §3, §3.1; RFC 8725 §3.9, §3.11; RFC 9449 §5; RFC 8707 §2. Nothing is kept."""
    claims, header, error, code = BAD[name]
    answer = await asked(house, client, signed(jag(house, client, **claims), **header))
    assert (answer.status, json_of(answer)["error"]) == (400, error)
    assert code in json_of(answer)["error_description"]
    assert await house.count("oauth_families") == await house.count("oauth_spent_proofs") == 0
    assert len(await house.administration.users()) == 1


@pytest.mark.parametrize("typ", ["OAuth-ID-JAG+JWT", "application/oauth-id-jag+jwt"])
async def test_a_type_has_two_lengths_and_no_case(
    house: House, client: Credentials, typ: str
) -> None:
    """RFC 7515 §4.1.9."""
    assert (await asked(house, client, signed(jag(house, client), typ=typ))).status == 200


@pytest.mark.parametrize("text", ["x", "a.b.c", "e30.e30.e30", "..", "x" * 9000])
async def test_what_is_no_jwt_vouches_for_nobody(
    house: House, client: Credentials, text: str, here: Site
) -> None:
    """RFC 7515 §5.2. Nobody is asked for it."""
    answer = await asked(house, client, text)
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_grant")
    assert here.asked == 0


@case("T31", "an assertion is good once, however many show it together")
async def test_an_assertion_is_good_once(house: House, client: Credentials) -> None:
    """RFC 7523 §3: what was spent stays so; a new name is a new assertion."""
    assertion, statuses = signed(jag(house, client)), []

    async def show() -> None:
        statuses.append((await asked(house, client, assertion)).status)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(show)
    assert sorted(statuses) == [200, 400, 400, 400, 400]
    again = json_of(await asked(house, client, assertion))
    assert "E-VOUCH-07" in again["error_description"]
    assert (await asked(house, client, signed(jag(house, client)))).status == 200


@pytest.mark.parametrize(
    ("claims", "sent", "scope"),
    [
        pytest.param({}, {"scope": "read"}, "read", id="asked-less"),
        pytest.param({"scope": "read"}, {}, "read", id="given-less"),
        pytest.param({"scope": None}, {}, "read", id="least"),
        pytest.param({"scope": None}, {"scope": "write"}, "write", id="asked-alone"),
        pytest.param({"scope": "read"}, {"scope": "write"}, None, id="asked-more"),
        pytest.param({"scope": ""}, {}, None, id="given-none"),
    ],
)
async def test_no_more_is_granted_than_was_given_and_asked_for(
    house: House, client: Credentials, claims: dict[str, Any], sent: dict[str, str], scope: str
) -> None:
    """RFC 6749 §3.3; RFC 7521 §4.1."""
    answer = json_of(await asked(house, client, signed(jag(house, client, **claims)), **sent))
    assert answer.get("scope") == scope
    assert answer.get("error") == (None if scope else "invalid_scope")


async def test_one_audience_may_stand_in_a_list_and_the_resource_among_others(
    house: House, client: Credentials
) -> None:
    """RFC 7519 §4.1.3; RFC 8707 §2."""
    told = jag(house, client, aud=[ISSUER], resource=["https://o.example", f"{RESOURCE}/"])
    assert (await asked(house, client, signed(told), resource=RESOURCE)).status == 200
    other = await asked(house, client, signed(jag(house, client)), resource="https://o.example")
    assert json_of(other)["error"] == "invalid_target"


async def test_a_user_of_another_issuer_is_another_user(house: House, client: Credentials) -> None:
    """RFC 9068 §5: S15. Issuer and subject are the key of a link, and each means one alone."""
    with pytest.raises(Mistake) as taken:
        await house.administration.link(IDP, "U1", client_id=client["client_id"])
    assert taken.value.code == "E-LINK-01"
    await house.administration.link("https://away.example", "U2", user="alice")
    assert (await asked(house, client, signed(jag(house, client, sub="U2")))).status == 400
    assert [link.subject for link in await house.administration.links()] == ["U2", "U1"]
    await house.administration.unlink(IDP, "U1")
    assert (await asked(house, client, signed(jag(house, client)))).status == 400
    with pytest.raises(Mistake) as gone:
        await house.administration.unlink(IDP, "U1")
    assert gone.value.code == "E-LINK-02"
    with pytest.raises(Mistake) as unknown:
        await house.administration.link(IDP, "U3", client_id="cat_x")
    assert unknown.value.code == "E-CLIENT-10"


async def test_nobody_vouches_for_an_account_that_is_switched_off(
    house: House, client: Credentials
) -> None:
    """RFC 7523 §3.1. A link goes with its user."""
    await house.administration.disable_user("alice")
    answer = json_of(await asked(house, client, signed(jag(house, client))))
    assert "E-TOKEN-16" in answer["error_description"]
    await house.administration.remove_user("alice")
    assert await house.administration.links() == []


async def test_the_client_proves_who_it_is_besides(house: House, client: Credentials) -> None:
    """RFC 7521 §4.1; RFC 7523 §3.1: a proof that is sent must be right."""
    good = signed(jag(house, client))
    wrong = await asked(house, {**client, "client_secret": "x"}, good)
    assert (wrong.status, json_of(wrong)["error"]) == (401, "invalid_client")
    alone = await asked(house, {}, good)
    assert "E-VOUCH-09" in json_of(alone)["error_description"]
    public = {"client_id": await house.client(grant_types=["authorization_code", JWT_BEARER])}
    shown = await asked(house, public, signed(jag(house, public)))
    assert (shown.status, json_of(shown)["error"]) == (400, "unauthorized_client")
    unregistered = {"client_id": await house.client()}
    other = await asked(house, unregistered, signed(jag(house, unregistered)))
    assert (other.status, json_of(other)["error"]) == (400, "unauthorized_client")


class TestWorkloads:
    """A machine whose platform says which it is."""

    SUBJECT = "system:serviceaccount:shop:robot"

    @pytest.fixture
    async def robot(self, house: House, here: Site) -> str:
        client_id = await house.client(grant_types=[JWT_BEARER], redirect_uris=None)
        await house.administration.link(IDP, self.SUBJECT, client_id=client_id)
        return client_id

    def told(self, house: House, **more: Any) -> str:
        """What the platform wrote for it."""
        now = int(house.clock().timestamp())
        claims = {"iss": IDP, "sub": self.SUBJECT, "aud": [ISSUER], "exp": now + 3600, **more}
        return signed(claims, typ=None)

    @pytest.mark.parametrize("named", ["named", "unnamed"])
    async def test_a_workload_shows_nothing_but_what_its_platform_wrote(
        self, house: House, robot: str, named: str
    ) -> None:
        """RFC 7523 §2.1; RFC 7521 §4.1: it acts for itself and for no user."""
        by = {"client_id": robot} if named == "named" else {}
        granted = json_of(await asked(house, by, self.told(house), scope="read"))
        assert "refresh_token" not in granted
        principal = await house.call(granted["access_token"])
        assert (principal.subject, principal.client_id) == (None, robot)

    async def test_its_assertion_is_good_once_with_a_name_or_without(
        self, house: House, robot: str
    ) -> None:
        """RFC 7523 §3: T31. What was signed is its name, because a signature has two spellings."""
        for assertion in (self.told(house), self.told(house, jti="j1")):
            assert (await asked(house, {}, assertion)).status == 200
            again = json_of(await asked(house, {}, assertion))
            assert "E-VOUCH-07" in again["error_description"]
        renamed = json_of(await asked(house, {}, self.told(house, jti="j1", more=1)))
        assert "E-VOUCH-07" in renamed["error_description"]

    @pytest.mark.parametrize(
        ("claims", "code"),
        [
            pytest.param({"aud": "https://o.example"}, "E-VOUCH-04", id="wrong-audience"),
            pytest.param({"exp": 1}, "E-VOUCH-05", id="expired"),
            pytest.param({"sub": "system:serviceaccount:shop:other"}, "E-VOUCH-09", id="unknown"),
            pytest.param({"jti": ""}, "E-VOUCH-06", id="empty-name"),
        ],
    )
    async def test_another_assertion_is_worth_nothing(
        self, house: House, robot: str, claims: dict[str, Any], code: str
    ) -> None:
        """RFC 7523 §3, §3.1: T31."""
        answer = await asked(house, {}, self.told(house, **claims))
        assert (answer.status, json_of(answer)["error"]) == (400, "invalid_grant")
        assert code in json_of(answer)["error_description"]

    async def test_a_workload_is_one_client_and_no_user(
        self, house: House, robot: str, client: Credentials
    ) -> None:
        """RFC 7521 §5.2. A word for a user is no word for a machine, nor the other way round."""
        other = await house.client(grant_types=[JWT_BEARER], redirect_uris=None)
        named = json_of(await asked(house, {"client_id": other}, self.told(house)))
        assert "E-VOUCH-08" in named["error_description"]
        user = json_of(await asked(house, client, self.told(house, sub="U1")))
        assert "E-VOUCH-08" in user["error_description"]
        machine = signed(jag(house, client, sub=self.SUBJECT))
        assert "E-VOUCH-09" in json_of(await asked(house, client, machine))["error_description"]


async def test_when_the_issuer_cannot_be_asked_nobody_is_refused(
    house: House, client: Credentials
) -> None:
    """RFC 9110 §15.6.4. The assertion may be good, and is not spent."""
    house.world.lead("away.example", ["127.0.0.1"])
    away = signed(jag(house, client, iss="https://away.example"))
    answer = await asked(house, client, away)
    assert (answer.status, json_of(answer)["error"]) == (503, "temporarily_unavailable")
    assert field_of(answer, "retry-after") is not None
    assert await house.count("oauth_spent_proofs") == 0


class TestThreeFailures:
    """With three assertions in vain."""

    @pytest.fixture
    def limits(self) -> OAuthLimits:
        return OAuthLimits(assertion_failures=3)

    async def test_who_guesses_waits(self, house: House, client: Credentials, clock: Clock) -> None:
        """OAuth 2.1 §7.7. A good one costs nothing; another client does not wait."""
        for _ in range(4):
            assert (await asked(house, client, signed(jag(house, client)))).status == 200
        for _ in range(3):
            assert (await asked(house, client, "x")).status == 400
        answer = await asked(house, client, signed(jag(house, client)))
        assert (answer.status, field_of(answer, "retry-after")) == (429, "900")
        assert "E-VOUCH-12" in json_of(answer)["error_description"]
        clock.forward(900)
        assert (await asked(house, client, signed(jag(house, client)))).status == 200


async def test_the_metadata_names_the_grant_and_nobody(settings: OAuthSettings) -> None:
    """RFC 8414 §2. Where nobody is trusted there is no such grant."""
    told = metadata.server(settings)
    assert JWT_BEARER in told["grant_types_supported"]  # type: ignore[operator]  # a list
    assert told["authorization_grant_profiles_supported"] == [PROFILE]
    assert IDP not in json.dumps(told)
    alone = metadata.server(replace(settings, assertion_issuers=()))
    assert JWT_BEARER not in alone["grant_types_supported"]  # type: ignore[operator]  # a list
    assert "authorization_grant_profiles_supported" not in alone


async def test_where_nobody_is_trusted_there_is_no_such_grant(
    house: House, client: Credentials
) -> None:
    """RFC 6749 §5.2."""
    settings = replace(house.settings, assertion_issuers=())
    alone = House(settings, house.stores, house.database, house.clock, world=house.world)
    answer = await asked(alone, client, signed(jag(house, client)))
    assert (answer.status, json_of(answer)["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize(
    ("given", "status"), [(None, 400), ("read", 400), ("read admin:orders", 200)]
)
async def test_what_is_the_operators_alone_is_not_a_users_unless_the_issuer_says_so(
    house: House, client: Credentials, given: str | None, status: int
) -> None:
    """RFC 7521 §4.1; OAuth 2.1 §1.4.1: a client's own scopes are not those of its users."""
    known = await house.stores.clients.find(client["client_id"])
    assert known is not None
    await house.stores.clients.put(replace(known, scopes=known.scopes | {"admin:orders"}))
    claims = jag(house, client, scope=given)
    answer = await asked(house, client, signed(claims), scope="admin:orders")
    assert answer.status == status, answer.body

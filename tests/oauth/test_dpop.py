"""DPoP: proofs at both ends, what they are bound to, and what is refused without them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import anyio
import pytest

from catshop.kernel import Event, Secret
from catshop.oauth import dpop, jwt
from catshop.oauth.settings import DpopNonce, TokenFormat
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.guard import EXPOSED
from catshop.protocol.http1.messages import Answer
from catshop.storage.oauth import stores as stores_on
from tests.oauth.cases import case
from tests.oauth.house import ISSUER, VERIFIER, Clock, House, field_of, json_of, request_of
from tests.oauth.keys import base64url, private_set, proof, public_set, thumbprint

TOKEN = f"{ISSUER}/token"
MCP = f"{ISSUER}/mcp"
NOW = int(Clock()().timestamp())


@pytest.fixture(params=list(TokenFormat), ids=lambda kind: str(kind.value))
def token_format(request: pytest.FixtureRequest) -> TokenFormat:
    """Whatever tokens look like, the same holds. RFC 9449 §6."""
    return TokenFormat(request.param)


@pytest.fixture
async def client(house: House) -> str:
    """A public client; alice has an account."""
    await house.user()
    return await house.client()


async def redeemed(house: House, client_id: str, code: str, *proofs: str, **more: Any) -> Answer:
    """The answer to a code that comes with these DPoP fields."""
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "code_verifier": VERIFIER,
        **more,
    }
    return await sent(house, form, *proofs)


async def sent(house: House, form: dict[str, Any], *proofs: str) -> Answer:
    """The answer to a token request that comes with these DPoP fields."""
    fields = (
        ("content-type", "application/x-www-form-urlencoded"),
        *(("dpop", text) for text in proofs),
    )
    body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
    return await house.ask(request_of("POST", "/token", body, fields))


async def bound(house: House, client_id: str, kind: str = "ec") -> dict[str, Any]:
    """A token response for the holder of that key."""
    code = await house.code(client_id)
    answer = await redeemed(house, client_id, code, proof(TOKEN, house.clock, kind))
    assert answer.status == 200, answer.body
    return json_of(answer)


def ath(token: str) -> str:
    return dpop.hashed(Secret(token))


async def called(house: House, token: str, *proofs: str, scheme: str = "DPoP") -> Any:
    """The principal of a call with these DPoP fields."""
    fields = (("authorization", f"{scheme} {token}"), *(("dpop", text) for text in proofs))
    return await house.resource.authenticate(request_of("POST", "/mcp", fields=fields))


async def refused(house: House, token: str, *proofs: str, scheme: str = "DPoP") -> dict[str, str]:
    """What the one challenge of the scheme says; DPoP's names the algorithms."""
    with pytest.raises(HttpError) as found:
        await called(house, token, *proofs, scheme=scheme)
    assert found.value.status == 401
    value = next(text for name, text in found.value.fields if name == "www-authenticate")
    assert value.startswith(f"{scheme} ")
    told = dict(re.findall(r'(\w+)="([^"\\]*)"', value))
    assert (told.get("algs") == dpop.ALGORITHMS) == (scheme == "DPoP")
    assert told["resource_metadata"]
    return {**told, **{n: text for n, text in found.value.fields if n == "dpop-nonce"}}


def says(answer: Answer, error: str) -> bool:
    """Whether this is that error of the token endpoint. RFC 6749 §5.2."""
    return (answer.status, json_of(answer)["error"]) == (400, error)


@case("P14", "a proof makes the token DPoP-bound: token_type, cnf.jkt, and the audience stays")
@pytest.mark.parametrize("kind", ["ec", "ed", "rsa"])
async def test_a_proof_binds_the_token_to_its_key(house: House, client: str, kind: str) -> None:
    """RFC 9449 §5, §6.1, §7.1; RFC 6749 §7.1."""
    told = await bound(house, client, kind)
    assert told["token_type"] == "DPoP"
    token = told["access_token"]
    principal = await called(house, token, proof(MCP, house.clock, kind, ath=ath(token)))
    assert (principal.username, principal.jkt) == ("alice", thumbprint(kind))
    assert principal.audience == MCP
    if house.settings.token_format is TokenFormat.JWT:
        claims = jwt.unverified_claims(Secret(token))
        assert (claims["cnf"], claims["aud"]) == ({"jkt": thumbprint(kind)}, MCP)


async def test_a_fully_specified_algorithm_is_taken(house: House, client: str) -> None:
    """RFC 9864 §2.2: `Ed25519` is EdDSA on that curve."""
    code = await house.code(client)
    named = proof(TOKEN, house.clock, "ed", {"alg": "Ed25519"})
    assert (await redeemed(house, client, code, named)).status == 200


async def test_a_thumbprint_is_that_of_the_specification() -> None:
    """RFC 9449 §4.2, §6.1, §7: the example's own values. RFC 7638 §3.1, §3.2."""
    jwk = {
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256",
    }
    expected = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    assert jwt.thumbprint(jwt.public_key(jwk)) == expected
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    assert dpop.hashed(Secret(token)) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


HUGE = {"kty": "RSA", "e": "AQAB", "n": base64url(b"\xff" * 2048)}
SLOW = {"kty": "RSA", "e": base64url(b"\xff" * 256), "n": base64url(b"\xff" * 256)}


BROKEN = [
    *(
        pytest.param(
            {"header": header},
            marks=case(
                "P1",
                "a proof of another type or algorithm, or with a bad signature, proves nothing",
            ),
            id=name,
        )
        for name, header in {
            "no-typ": {"typ": None},
            "typ-jwt": {"typ": "JWT"},
            "typ-at": {"typ": "at+jwt"},
            "alg-none": {"alg": "none"},
            "alg-hs256": {"alg": "HS256"},
            "alg-es384": {"alg": "ES384"},
            "alg-of-another-key": {"alg": "EdDSA"},
            "crit": {"crit": ["x"], "x": 1},
        }.items()
    ),
    pytest.param(
        {"kind": "other"},
        marks=case(
            "P1", "a proof of another type or algorithm, or with a bad signature, proves nothing"
        ),
        id="signature-of-another",
    ),
    *(
        pytest.param(
            {"header": {"jwk": jwk}},
            marks=case(
                "P2",
                "a key that is missing, private, symmetric, weak or huge is refused unused",
            ),
            id=name,
        )
        for name, jwk in {
            "no-jwk": None,
            "jwk-text": "x",
            "private": private_set("ec")["keys"][0],
            "oct": {"kty": "oct", "k": "AAAA"},
            "other-curve": public_set("p-384")["keys"][0],
            "rsa-1024": public_set("weak")["keys"][0],
            "rsa-16384": HUGE,
            "rsa-long-exponent": SLOW,
        }.items()
    ),
    pytest.param(
        {"filler": "x" * 102_400},
        marks=case(
            "P2",
            "a key that is missing, private, symmetric, weak or huge is refused unused",
        ),
        id="100-kb",
    ),
    *(
        pytest.param(
            claims, marks=case("P3", "htm and htu have to be those of this very request"), id=name
        )
        for name, claims in {
            "htm-get": {"htm": "GET"},
            "htm-lower": {"htm": "post"},
            "no-htm": {"htm": None},
            "htu-host": {"htu": "http://127.0.0.2:8000/{end}"},
            "htu-port": {"htu": "http://127.0.0.1:8001/{end}"},
            "htu-path": {"htu": ISSUER + "/other"},
            "htu-slash": {"htu": ISSUER + "/{end}/"},
            "htu-scheme": {"htu": "https://127.0.0.1:8000/{end}"},
            "htu-user": {"htu": "http://a@127.0.0.1:8000/{end}"},
            "htu-array": {"htu": [ISSUER + "/{end}"]},
            "htu-no-url": {"htu": "{end}"},
            "htu-bad-port": {"htu": "http://127.0.0.1:x/{end}"},
            "htu-bad-host": {"htu": "http://[/{end}"},
            "no-htu": {"htu": None},
        }.items()
    ),
    *(
        pytest.param(
            claims, marks=case("P4", "iat is a number within five minutes of now"), id=name
        )
        for name, claims in {
            "iat-old": {"iat": NOW - 301},
            "iat-ahead": {"iat": NOW + 301},
            "no-iat": {"iat": None},
            "iat-text": {"iat": str(NOW)},
            "iat-true": {"iat": True},
            "iat-infinite": {"iat": float("inf")},
            "iat-long": {"iat": 10**400},
            "iat-negative": {"iat": -1},
        }.items()
    ),
    *(
        pytest.param({"jti": jti}, marks=case("P5", "jti is there, short, and good once"), id=name)
        for name, jti in {"no-jti": None, "empty": "", "10-kb": "x" * 10_240, "no": 7}.items()
    ),
]
"""Proofs that are none."""


def made(house: House, end: str, change: dict[str, Any], **claims: Any) -> str:
    """The proof for that end, with something about it broken."""
    change = {**claims, **change}
    htu = change.pop("htu", f"{ISSUER}/{end}")
    if isinstance(htu, str):
        htu = htu.replace("{end}", end)
    header = dict(change.pop("header", {}))
    if change.get("kind") == "other":
        header["jwk"] = public_set("ec")["keys"][0]
    return proof(f"{ISSUER}/{end}", house.clock, header=header, **{**change, "htu": htu})


@pytest.mark.parametrize("change", BROKEN)
async def test_a_broken_proof_is_refused_at_the_token_endpoint_and_burns_nothing(
    house: House, client: str, change: dict[str, Any]
) -> None:
    """RFC 9449 §4.2, §4.3, §5, §11.1, §11.6."""
    code = await house.code(client)
    assert says(
        await redeemed(house, client, code, made(house, "token", change)), "invalid_dpop_proof"
    )
    assert (await redeemed(house, client, code, made(house, "token", {}))).status == 200


@pytest.mark.parametrize("change", BROKEN)
async def test_a_broken_proof_is_refused_at_the_resource(
    house: House, client: str, change: dict[str, Any]
) -> None:
    """RFC 9449 §4.3, §7.1."""
    token = (await bound(house, client))["access_token"]
    broken = made(house, "mcp", change, ath=ath(token))
    assert (await refused(house, token, broken))["error"] == "invalid_dpop_proof"
    assert await called(house, token, made(house, "mcp", {}, ath=ath(token)))


@case("P2", "a proof that would be costly is refused before anything is computed")
@pytest.mark.parametrize("header", [{"jwk": HUGE, "alg": "RS256"}, {"jwk": SLOW, "alg": "RS256"}])
async def test_a_costly_key_is_refused_before_it_is_used(
    house: House, header: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9449 §11.6."""

    def never(*_: object) -> bool:
        raise AssertionError("computed")

    monkeypatch.setattr(jwt, "_verifies", never)
    monkeypatch.setattr(jwt, "_loaded", never)
    text = proof(TOKEN, house.clock, header=header)
    assert says(await redeemed(house, await house.client(), "x", text), "invalid_dpop_proof")


@case("P3", "query and fragment, default port, case and needless escapes do not matter in htu")
@pytest.mark.parametrize(
    ("told", "meant"),
    [
        (f"{TOKEN}?x=1#y", TOKEN),
        ("HTTP://127.0.0.1:8000/token", TOKEN),
        ("http://127.0.0.1:8000/%74oken", TOKEN),
        ("https://SHOP.example:443/mcp", "https://shop.example/mcp"),
        ("https://shop.example", "https://shop.example/"),
        ("https://shop.example/%c3%a9", "https://shop.example/%C3%A9"),
    ],
)
def test_two_spellings_of_one_address_are_one(told: str, meant: str) -> None:
    """RFC 9449 §4.3; RFC 3986 §2.3, §6.2.2, §6.2.3."""
    assert dpop.normalized(told) == dpop.normalized(meant) is not None


@case("P4", "a proof may be five minutes off, and no more")
@pytest.mark.parametrize("seconds", [-300, 300])
async def test_clocks_may_differ_by_five_minutes(house: House, client: str, seconds: int) -> None:
    """RFC 9449 §4.3, §11.1."""
    code = await house.code(client)
    text = proof(TOKEN, house.clock, iat=NOW + seconds)
    assert (await redeemed(house, client, code, text)).status == 200


@case("P5", "a proof is good once: also after a restart, and in a second process")
async def test_a_proof_is_good_once(house: House, client: str) -> None:
    """RFC 9449 §11.1."""
    first, second = await house.code(client), await house.code(client)
    text = proof(TOKEN, house.clock)
    assert (await redeemed(house, client, first, text)).status == 200
    assert says(await redeemed(house, client, second, text), "invalid_dpop_proof")
    restarted = House(house.settings, stores_on(house.database), house.database, house.clock)
    assert says(await redeemed(restarted, client, second, text), "invalid_dpop_proof")
    answer = await redeemed(restarted, client, second, proof(TOKEN, house.clock))
    token = json_of(answer)["access_token"]
    text = proof(MCP, house.clock, ath=ath(token))
    assert await called(house, token, text)
    for each in (house, restarted):
        assert (await refused(each, token, text))["error"] == "invalid_dpop_proof"


@case("P5", "of many who show one proof together one is believed")
async def test_of_many_who_show_one_proof_one_is_believed(house: House, client: str) -> None:
    """RFC 9449 §11.1."""
    token = (await bound(house, client))["access_token"]
    text, outcomes = proof(MCP, house.clock, ath=ath(token)), []

    async def show() -> None:
        try:
            outcomes.append(bool(await called(house, token, text)))
        except HttpError:
            outcomes.append(False)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(show)
    assert sorted(outcomes) == [False] * 9 + [True]


@case("P5", "a proof is forgotten once it would be too old in any case")
async def test_a_spent_proof_is_forgotten_in_time(house: House, client: str, clock: Clock) -> None:
    """RFC 9449 §11.1."""
    await bound(house, client)
    clock.forward(300)
    await house.stores.upkeep.sweep(clock())
    assert await house.count("oauth_spent_proofs") == 1
    clock.forward(1)
    await house.stores.upkeep.sweep(clock())
    assert await house.count("oauth_spent_proofs") == 0


@case("P6", "two DPoP fields, or two proofs in one, are refused at both ends")
async def test_a_proof_comes_alone(house: House, client: str) -> None:
    """RFC 9449 §4.1, §4.3."""
    code = await house.code(client)
    one, other = (proof(TOKEN, house.clock) for _ in range(2))
    assert says(await redeemed(house, client, code, one, other), "invalid_dpop_proof")
    assert says(await redeemed(house, client, code, f"{one}, {other}"), "invalid_dpop_proof")
    token = json_of(await redeemed(house, client, code, one))["access_token"]
    one, other = (proof(MCP, house.clock, ath=ath(token)) for _ in range(2))
    for proofs in ((one, other), (f"{one}, {other}",), ()):
        assert (await refused(house, token, *proofs))["error"] == "invalid_dpop_proof"


@case("P7", "at the resource a proof is about the token that it comes with")
@pytest.mark.parametrize("hashed", [None, "", ath("another"), 7])
async def test_a_proof_for_another_token_is_refused(
    house: House, client: str, hashed: object
) -> None:
    """RFC 9449 §4.3, §7."""
    token = (await bound(house, client))["access_token"]
    told = await refused(house, token, proof(MCP, house.clock, ath=hashed))
    assert told["error"] == "invalid_dpop_proof"


@case("P8", "a proof by another key than that of the token is refused")
async def test_the_key_of_the_proof_is_that_of_the_token(house: House, client: str) -> None:
    """RFC 9449 §7.1."""
    token = (await bound(house, client))["access_token"]
    told = await refused(house, token, proof(MCP, house.clock, "other", ath=ath(token)))
    assert told["error"] == "invalid_token"


@case("P9", "a bound token is no bearer token, also when it is remembered, also with its proof")
async def test_a_bound_token_is_not_taken_as_a_bearer_token(house: House, client: str) -> None:
    """RFC 9449 §7.2."""
    token = (await bound(house, client))["access_token"]
    assert (await refused(house, token, scheme="Bearer"))["error"] == "invalid_token"
    assert await called(house, token, proof(MCP, house.clock, ath=ath(token)))
    text = proof(MCP, house.clock, ath=ath(token))
    for proofs in ((), (text,)):
        told = await refused(house, token, *proofs, scheme="Bearer")
        assert told["error"] == "invalid_token"


@case("P10", "a plain token is not taken as a bound one")
async def test_a_plain_token_is_not_taken_as_a_bound_one(house: House, client: str) -> None:
    """RFC 9449 §7.1."""
    token = (await house.tokens(client))["access_token"]
    text = proof(MCP, house.clock, ath=ath(token))
    assert (await refused(house, token, text))["error"] == "invalid_token"
    assert await called(house, token, text, scheme="Bearer"), "a proof beside it does no harm"


async def test_an_unknown_token_is_refused_in_its_own_scheme(house: House) -> None:
    """RFC 9449 §7.1, §7.2; RFC 9110 §11.6.1."""
    assert (await refused(house, "unknown"))["error"] == "invalid_token"
    assert (await refused(house, "a b"))["error"] == "invalid_token"


async def test_a_bound_token_that_is_not_enough_is_told_so_in_its_own_scheme(
    house: House, client: str
) -> None:
    """RFC 9449 §7.1; OAuth 2.1 §5.3.2."""
    token = (await bound(house, client))["access_token"]
    principal = await called(house, token, proof(MCP, house.clock, ath=ath(token)))
    [(_, value)] = house.resource.insufficient(principal, frozenset({"write"})).fields
    assert value.startswith('DPoP error="insufficient_scope"')
    assert 'scope="write"' in value


class TestWithNonces:
    """Where proofs have to carry a nonce."""

    @pytest.fixture
    def settings(self, settings: Any) -> Any:
        return replace(settings, dpop_nonce=DpopNonce.REQUIRED)

    @case("P11", "without a fresh nonce of ours both ends hand one out, and the retry succeeds")
    @pytest.mark.parametrize("nonce", [None, "", "old", "of-the-other-end", 7])
    async def test_a_missing_or_stale_nonce_is_answered_with_a_fresh_one(
        self, house: House, client: str, clock: Clock, nonce: object
    ) -> None:
        """RFC 9449 §8, §8.1, §9."""
        here, there = await nonces(house)
        if nonce == "old":
            stale = here, there
            clock.forward(301)
        else:
            stale = (there, here) if nonce == "of-the-other-end" else (nonce, nonce)
        code = await house.code(client)
        answer = await redeemed(house, client, code, proof(TOKEN, clock, nonce=stale[0]))
        assert says(answer, "use_dpop_nonce")
        fresh = field_of(answer, "dpop-nonce") or ""
        assert re.fullmatch(r"[\x21\x23-\x5B\x5D-\x7E]+", fresh)
        answer = await redeemed(house, client, code, proof(TOKEN, clock, nonce=fresh))
        assert answer.status == 200
        token = json_of(answer)["access_token"]
        text = proof(MCP, clock, ath=ath(token), nonce=stale[1])
        told = await refused(house, token, text)
        assert told["error"] == "use_dpop_nonce"
        text = proof(MCP, clock, ath=ath(token), nonce=told["dpop-nonce"])
        assert await called(house, token, text)

    async def test_without_a_proof_nobody_is_asked_for_a_nonce(
        self, house: House, client: str
    ) -> None:
        """RFC 9449 §8: DPoP stays the choice of the client."""
        assert (await house.tokens(client))["token_type"] == "Bearer"


async def nonces(house: House) -> tuple[str, str]:
    """A nonce of the token endpoint, and one of the resource."""
    made = house.server._possession.nonce()[1], house.resource._possession.nonce()[1]
    return made


@case("P11", "where no nonce is asked for one is offered, and a stale one is still refused")
async def test_a_nonce_is_offered_and_may_be_left_out(
    house: House, client: str, clock: Clock
) -> None:
    """RFC 9449 §8.2."""
    code = await house.code(client)
    answer = await redeemed(house, client, code, proof(TOKEN, clock))
    assert answer.status == 200
    offered = field_of(answer, "dpop-nonce")
    refresh = {"client_id": client, "grant_type": "refresh_token"}
    refresh["refresh_token"] = json_of(answer)["refresh_token"]
    assert says(await sent(house, refresh, proof(TOKEN, clock, nonce="stale")), "use_dpop_nonce")
    answer = await sent(house, refresh, proof(TOKEN, clock, nonce=offered))
    assert answer.status == 200
    assert len([name for name, _ in answer.fields if name == "dpop-nonce"]) == 1


@case("P12", "a code that was asked for with dpop_jkt is for that key, and stays for it")
async def test_a_code_is_for_the_key_that_was_named(house: House, client: str) -> None:
    """RFC 9449 §10."""
    code = await house.code(client, dpop_jkt=thumbprint())
    assert says(await redeemed(house, client, code), "invalid_grant")
    other = proof(TOKEN, house.clock, "other")
    assert says(await redeemed(house, client, code, other), "invalid_grant")
    assert (await redeemed(house, client, code, proof(TOKEN, house.clock))).status == 200


@case("P12", "a dpop_jkt that is no thumbprint is refused at once")
@pytest.mark.parametrize("jkt", ["x", "x" * 42, "x" * 44, "+" * 43])
async def test_a_dpop_jkt_is_a_thumbprint(house: House, client: str, jkt: str) -> None:
    """RFC 9449 §10."""
    answer = await house.visitor().authorize(client, dpop_jkt=jkt)
    assert answer.status == 303
    assert "error=invalid_request" in (field_of(answer, "location") or "")


@case("P13", "a client that registered dpop_bound_access_tokens gets no token without a proof")
async def test_a_client_can_bind_itself_to_dpop(house: House) -> None:
    """RFC 9449 §5.2."""
    await house.user()
    answer = await house.register(dpop_bound_access_tokens=True)
    told = json_of(answer)
    assert told["dpop_bound_access_tokens"] is True
    code = await house.code(told["client_id"])
    assert says(await house.redeem(told["client_id"], code), "invalid_dpop_proof")
    text = proof(TOKEN, house.clock)
    tokens = json_of(await redeemed(house, told["client_id"], code, text))
    answer = await house.refresh(told["client_id"], tokens["refresh_token"])
    assert says(answer, "invalid_dpop_proof")
    answer = await house.register(dpop_bound_access_tokens="yes")
    assert says(answer, "invalid_client_metadata")


@case("P13", "also for tokens that the client asks for itself")
async def test_client_credentials_are_bound_as_well(house: House) -> None:
    """RFC 9449 §5: whatever the grant."""
    told = json_of(
        await house.register(
            redirect_uris=None,
            grant_types=["client_credentials"],
            token_endpoint_auth_method="client_secret_post",
            dpop_bound_access_tokens=True,
        )
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": told["client_id"],
        "client_secret": told["client_secret"],
    }
    assert says(await sent(house, form), "invalid_dpop_proof")
    token = json_of(await sent(house, form, proof(TOKEN, house.clock)))
    assert token["token_type"] == "DPoP"
    text = proof(MCP, house.clock, ath=ath(token["access_token"]))
    assert (await called(house, token["access_token"], text)).jkt == thumbprint()


@case("F11", "a public client's refresh token takes a proof by its key, and is not rotated without")
async def test_a_public_clients_refresh_token_is_bound(house: House, client: str) -> None:
    """RFC 9449 §5."""
    first = (await bound(house, client))["refresh_token"]
    assert says(await house.refresh(client, first), "invalid_dpop_proof")
    form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": first}
    assert says(await sent(house, form, proof(TOKEN, house.clock, "other")), "invalid_grant")
    answer = await sent(house, form, proof(TOKEN, house.clock))
    second = json_of(answer)
    assert (answer.status, second["token_type"]) == (200, "DPoP")
    assert says(await house.refresh(client, second["refresh_token"]), "invalid_dpop_proof")


@case("F11", "a confidential client may change its key: its own proof binds the refresh token")
async def test_a_confidential_client_may_change_its_key(house: House) -> None:
    """RFC 9449 §5."""
    await house.user()
    told = json_of(await house.register(token_endpoint_auth_method="client_secret_post"))
    by = {"client_id": told["client_id"], "client_secret": told["client_secret"]}
    code = await house.code(told["client_id"])
    text = proof(TOKEN, house.clock)
    secret = {"client_secret": told["client_secret"]}
    tokens = json_of(await redeemed(house, told["client_id"], code, text, **secret))
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **by}
    fresh = json_of(await sent(house, form, proof(TOKEN, house.clock, "other")))
    token = fresh["access_token"]
    principal = await called(house, token, proof(MCP, house.clock, "other", ath=ath(token)))
    assert principal.jkt == thumbprint("other")


async def test_a_refresh_with_a_proof_binds_what_was_not_bound(house: House, client: str) -> None:
    """RFC 9449 §5: a refresh token that is issued to a public client with a proof is bound."""
    first = (await house.tokens(client))["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": first}
    second = json_of(await sent(house, form, proof(TOKEN, house.clock)))
    assert second["token_type"] == "DPoP"
    assert says(await house.refresh(client, second["refresh_token"]), "invalid_dpop_proof")


@case("I5", "introspection tells the type of a bound token and the key that it is bound to")
async def test_introspection_tells_the_key(house: House, client: str) -> None:
    """RFC 9449 §6.2."""
    told = json_of(await house.register(token_endpoint_auth_method="client_secret_post"))
    server = await house.stores.clients.find(told["client_id"])
    assert server is not None
    await house.stores.clients.put(replace(server, serves=MCP))
    form = {"client_id": told["client_id"], "client_secret": told["client_secret"]}
    form["token"] = (await bound(house, client))["access_token"]
    said = json_of(await house.post("/introspect", form))
    assert (said["active"], said["token_type"]) == (True, "DPoP")
    assert said["cnf"] == {"jkt": thumbprint()}
    assert {"aud", "iss", "exp", "scope", "client_id", "sub"} <= said.keys()


async def test_both_documents_say_how_proofs_are_signed(house: House) -> None:
    """RFC 9449 §5.1; RFC 9728 §2."""
    algorithms = ["EdDSA", "Ed25519", "ES256", "RS256", "PS256"]
    server = json_of(await house.get("/.well-known/oauth-authorization-server"))
    assert server["dpop_signing_alg_values_supported"] == algorithms
    resource = json_of(await house.get("/.well-known/oauth-protected-resource/mcp"))
    assert resource["dpop_signing_alg_values_supported"] == algorithms
    assert resource["dpop_bound_access_tokens_required"] is False


@case("P15", "a page of another origin may read the nonce and the challenge")
async def test_scripts_may_read_nonce_and_challenge(house: House, client: str) -> None:
    """RFC 9449 §7.1, §8."""
    fields = {"origin": "http://localhost:3000", "dpop": "x"}
    answer = await house.post(
        "/token", {"grant_type": "authorization_code", "client_id": client}, **fields
    )
    assert says(answer, "invalid_dpop_proof")
    exposed = field_of(answer, "access-control-expose-headers")
    assert exposed == EXPOSED
    assert {"DPoP-Nonce", "WWW-Authenticate"} <= set(EXPOSED.split(", "))


@pytest.fixture
def told(house: House) -> Iterator[list[Event]]:
    """What the trace was told."""
    events: list[Event] = []
    stop = house.trace.observe(events.append)
    yield events
    stop()


async def test_the_trace_tells_each_check_and_no_proof(
    house: House, client: str, told: list[Event]
) -> None:
    """RFC 9449 §4.3: which of the checks failed is what a learner needs."""
    text = proof(MCP, house.clock, htm="GET")
    await redeemed(house, client, "x", text)
    checks = {event.name: event.verdict for event in told if event.name.startswith("dpop.")}
    assert list(checks) == [name for name, _ in dpop.PROOF][:8]
    assert [name for name, verdict in checks.items() if verdict == "NO"] == ["dpop.htm"]
    assert text not in json.dumps([repr(event) for event in told])

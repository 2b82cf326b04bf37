"""Tokens of other issuers: what they are worth here, and what happens when nobody can tell."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm

from catshop.config import ConfigError, load
from catshop.kernel import Event, Secret, Unavailable
from catshop.limits import FetchLimits
from catshop.oauth import metadata
from catshop.oauth.dpop import hashed
from catshop.oauth.federation import (
    IntrospectedTokens,
    SignedTokens,
    Trust,
    basic,
    usable_keys,
)
from catshop.oauth.fetch import Fetcher
from catshop.oauth.resource import ResourceServer
from catshop.oauth.settings import OAuthSettings
from catshop.protocol.http1.errors import HttpError
from catshop.trust import others
from tests.oauth.cases import case, each
from tests.oauth.house import ISSUER as HERE
from tests.oauth.house import Clock, House, request_of
from tests.oauth.keys import ALGORITHM, private_key, proof, public_set, thumbprint
from tests.oauth.world import Site, answering, site, trusting

ISSUER = "https://issuer.example/tenant"
AUDIENCE = "https://shop.example/mcp"
TRUST = Trust(ISSUER, AUDIENCE)


def claims(clock: Clock, **more: object) -> dict[str, Any]:
    """What a good token says; None leaves a claim out."""
    now = int(clock().timestamp())
    told = {
        "iss": ISSUER,
        "sub": "1",
        "aud": AUDIENCE,
        "exp": now + 300,
        "iat": now,
        "client_id": "app",
        "scope": "read write other",
        "jti": "t1",
        **more,
    }
    return {name: value for name, value in told.items() if value is not None}


class Issuer:
    """An issuer in the world of a test: its documents, and what it was asked."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.keys: object = public_set("ec")
        self.status = 200
        self.issuer = ISSUER
        self.told: dict[str, Any] = {}

    async def reply(self, here: Site, stream: Any) -> None:
        path = here.requests[-1].split(" ")[1]
        body: object = self.told
        if "well-known" in path:
            body = {"issuer": self.issuer, "jwks_uri": "https://issuer.example/keys"}
        elif path == "/keys":
            body = self.keys
        await answering(json.dumps(body), self.status)(here, stream)

    def token(
        self, kind: str = "ec", header: Mapping[str, Any] | None = None, **more: object
    ) -> str:
        """A token with these claims, signed by that key."""
        head = {"typ": "at+jwt", "kid": "1", **(header or {})}
        payload = json.dumps(claims(self.clock, **more)).encode()
        algorithm = ALGORITHM.get(kind, "ES256")
        return PyJWS().encode(payload, private_key(kind), algorithm, head)


@pytest.fixture
def issuer(clock: Clock) -> Issuer:
    return Issuer(clock)


@pytest.fixture
async def here(house: House, issuer: Issuer) -> AsyncIterator[Site]:
    async with site(house.world, "issuer.example", issuer.reply) as served:
        yield served


@pytest.fixture
def fetcher(house: House) -> Fetcher:
    return Fetcher(FetchLimits(), house.trace, internet=house.world, tls=trusting)


@pytest.fixture
def resource(house: House, fetcher: Fetcher) -> ResourceServer:
    """A resource server that takes the tokens of that issuer, too."""
    others = SignedTokens(TRUST, fetcher, house.clock, house.trace)
    return ResourceServer(
        house.settings, house.stores, clock=house.clock, trace=house.trace, others=others
    )


@pytest.fixture
def asking(house: House, fetcher: Fetcher) -> ResourceServer:
    """One that asks about each."""
    asked_at = ("https://issuer.example/introspect", basic("shop", Secret("s3cr:et")))
    others = IntrospectedTokens(TRUST, asked_at, fetcher, house.clock, house.trace)
    return ResourceServer(
        house.settings, house.stores, clock=house.clock, trace=house.trace, others=others
    )


async def call(resource: ResourceServer, token: str) -> Any:
    fields = {"authorization": f"Bearer {token}"}
    return await resource.authenticate(request_of("POST", "/mcp", fields=fields))


async def refused(resource: ResourceServer, token: str) -> str:
    """The code of the 401 that the token gets."""
    with pytest.raises(HttpError) as found:
        await call(resource, token)
    assert found.value.status == 401
    assert 'error="invalid_token"' in str(found.value.fields)
    return found.value.code


async def test_a_token_of_the_trusted_issuer_says_who_calls(
    resource: ResourceServer, here: Site, issuer: Issuer
) -> None:
    """RFC 9068 §4, §5; RFC 8414 §3: S15. The issuer is part of who."""
    found = await call(resource, issuer.token(preferred_username="alice"))
    assert (found.issuer, found.subject, found.username) == (ISSUER, "1", "alice")
    assert (found.client_id, found.token_id) == ("app", "t1")
    assert found.scopes >= {"read", "write"}
    assert "other" not in found.scopes
    paths = [request.split(" ")[1] for request in here.requests]
    assert paths == ["/tenant/.well-known/openid-configuration", "/keys"]


async def test_a_bound_token_of_another_issuer_takes_a_proof_by_its_key(
    resource: ResourceServer, here: Site, issuer: Issuer, clock: Clock
) -> None:
    """RFC 9449 §6.1, §7.1, §7.2; RFC 7800 §3.1. What cannot be confirmed is refused."""
    token = issuer.token(cnf={"jkt": thumbprint()})
    assert await refused(resource, token) == "E-DPOP-12"
    shown = proof(f"{HERE}/mcp", clock, ath=hashed(Secret(token)))
    fields = {"authorization": f"DPoP {token}", "dpop": shown}
    found = await resource.authenticate(request_of("POST", "/mcp", fields=fields))
    assert found.jkt == thumbprint()
    for other in ({"x5t#S256": "x"}, {"jkt": thumbprint(), "jku": "x"}, "x", {}, {"jkt": 7}):
        assert await refused(resource, issuer.token(cnf=other)) == "E-EXT-09"


@case("S15", "a subject of another issuer is none of our users")
async def test_its_users_are_not_ours(
    house: House, resource: ResourceServer, here: Site, issuer: Issuer
) -> None:
    """RFC 9068 §5: S15."""
    await house.user()
    own = await house.tokens(await house.client())
    local = await call(resource, own["access_token"])
    theirs = await call(resource, issuer.token(sub=local.subject, client_id=local.client_id))
    assert theirs.subject == local.subject
    assert theirs.user != local.user
    assert theirs.key != local.key
    assert await resource.is_alive(theirs)
    house.clock.forward(301)
    assert not await resource.is_alive(theirs)


def part(members: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


def forged(header: Mapping[str, object], issuer: Issuer) -> str:
    """A token with exactly this header, and a good signature of the issuer over it."""
    body = f"{part(header)}.{part(claims(issuer.clock))}"
    signature = ECAlgorithm(ECAlgorithm.SHA256).sign(body.encode(), private_key("ec"))
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


HEADERS = [
    *each(
        case("J1", "no signature, whatever it is called, is no signature"),
        {
            "none": {"alg": "none"},
            "nOnE": {"alg": "nOnE"},
            "empty": {"alg": ""},
            "no-alg": {"alg": None},
        },
    ),
    *each(
        case("J2", "a public key is no shared secret"),
        {"hs256": {"alg": "HS256"}},
    ),
    *each(
        case("J3", "an algorithm that is taken in general is not taken for a key of another kind"),
        {"rs256": {"alg": "RS256"}},
    ),
    *each(
        case("J6", "a kid is compared with names, and nothing else is done with it"),
        {
            "path": {"kid": "../../etc/passwd"},
            "sql": {"kid": "' OR 1=1--"},
            "nul": {"kid": "\0"},
            "10-kb": {"kid": "x" * 10_240},
            "number": {"kid": 1},
            "array": {"kid": ["1"]},
        },
    ),
    *each(
        case("J16", "a header with extensions is not understood, so it is refused"),
        {"crit": {"crit": ["x"], "x": 1}, "b64": {"b64": False, "crit": ["b64"]}},
    ),
    *each(case("J17", "a packed token is not unpacked"), {"zip": {"zip": "DEF"}}),
    pytest.param({"typ": "id+jwt"}, id="typ-id-token"),
    pytest.param({"typ": None}, id="typ-missing"),
]


@pytest.mark.parametrize("header", HEADERS)
async def test_a_header_that_asks_for_more_is_refused(
    resource: ResourceServer, here: Site, issuer: Issuer, header: dict[str, object]
) -> None:
    """RFC 8725 §3.1, §3.10, §3.11."""
    told = {"alg": "ES256", "typ": "at+jwt", "kid": "1", **header}
    sent = forged({name: value for name, value in told.items() if value is not None}, issuer)
    assert await refused(resource, sent) == "E-EXT-04"


@case("J2", "a public key in PEM or DER is no shared secret either")
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER], ids=["pem", "der"])
async def test_a_public_key_is_no_shared_secret(
    resource: ResourceServer, here: Site, issuer: Issuer, encoding: Encoding
) -> None:
    """RFC 8725 §3.1."""
    public = private_key("ec").public_key()
    secret = public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    body = f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': '1'})}.{part(claims(issuer.clock))}"
    digest = hmac.digest(secret, body.encode(), "sha256")
    signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert await refused(resource, f"{body}.{signature}") == "E-EXT-04"


async def test_what_the_other_tests_forge_would_be_good_without_their_change(
    resource: ResourceServer, here: Site, issuer: Issuer
) -> None:
    """RFC 9068 §2.1."""
    assert await call(resource, forged({"alg": "ES256", "typ": "at+jwt", "kid": "1"}, issuer))


@case("J4", "a key that came along in the header is not looked at")
@case("J5", "no address in the header is followed: nobody is asked but the issuer")
@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
async def test_a_key_in_the_header_is_not_looked_at(
    house: House, resource: ResourceServer, here: Site, issuer: Issuer, name: str
) -> None:
    """RFC 8725 §3.10."""
    value = public_set("other")["keys"][0] if name == "jwk" else "https://attacker.example/keys"
    assert await refused(resource, issuer.token("other", {name: value})) == "E-EXT-04"
    assert set(house.world.looked_up) == {"issuer.example"}


CLAIMS: dict[str, tuple[dict[str, object], str]] = {
    "J12-slash": ({"iss": f"{ISSUER}/"}, "E-EXT-05"),
    "J12-case": ({"iss": ISSUER.upper()}, "E-EXT-05"),
    "J12-prefix": ({"iss": ISSUER[:-1]}, "E-EXT-05"),
    "J12-list": ({"iss": [ISSUER]}, "E-EXT-05"),
    "J13-other": ({"aud": "https://other.example"}, "E-EXT-06"),
    "J13-substring": ({"aud": AUDIENCE[:-1]}, "E-EXT-06"),
    "J13-object": ({"aud": {}}, "E-EXT-06"),
    "J13-empty": ({"aud": []}, "E-EXT-06"),
    "J13-missing": ({"aud": None}, "E-EXT-06"),
    "J14-no-exp": ({"exp": None}, "E-EXT-07"),
    "J14-text": ({"exp": "9999999999"}, "E-EXT-07"),
    "J14-true": ({"exp": True}, "E-EXT-07"),
    "J14-huge": ({"exp": 1e300}, "E-EXT-07"),
    "J14-past": ({"exp": -1}, "E-EXT-07"),
    "J24-no-sub": ({"sub": None}, "E-EXT-08"),
    "J24-empty": ({"sub": ""}, "E-EXT-08"),
    "J24-number": ({"sub": 1}, "E-EXT-08"),
    "refresh": ({"typ": "Refresh"}, "E-EXT-08"),
}


@case("J12", "the issuer is the configured one, letter by letter")
@case("J13", "the audience is ours, whole, as a name or in a list")
@case("J14", "exp is a moment, and it has not passed")
@case("J24", "sub is a name, not empty, not a number")
@pytest.mark.parametrize(
    ("more", "code"), [pytest.param(*row, id=name) for name, row in CLAIMS.items()]
)
async def test_a_claim_that_is_not_true_is_refused(
    resource: ResourceServer, here: Site, issuer: Issuer, more: dict[str, object], code: str
) -> None:
    """RFC 8725 §3.8, §3.9; RFC 9068 §2.2, §4; RFC 7519 §2, §4.1.4: J12, J13, J14, J24."""
    assert await refused(resource, issuer.token(**more)) == code


@case("J14", "exp, nbf and iat may be off by 30 seconds and not by 31")
@pytest.mark.parametrize(
    ("name", "offset", "good"),
    [
        pytest.param("exp", -29, "good", id="J14-exp-29"),
        pytest.param("exp", -31, "", id="J14-exp-31"),
        pytest.param("nbf", 29, "good", id="J14-nbf-29"),
        pytest.param("nbf", 31, "", id="J14-nbf-31"),
        pytest.param("iat", 29, "good", id="J14-iat-29"),
        pytest.param("iat", 31, "", id="J14-iat-31"),
    ],
)
async def test_clocks_may_differ_by_half_a_minute(
    resource: ResourceServer, here: Site, issuer: Issuer, name: str, offset: int, good: str
) -> None:
    """RFC 9068 §4; RFC 7519 §4.1.5: J14."""
    token = issuer.token(**{name: int(issuer.clock().timestamp()) + offset})
    if good:
        assert await call(resource, token)
    else:
        assert await refused(resource, token) == "E-EXT-07"


CHANGED = [
    *each(
        case("J17", "a token has three parts, and none of them is empty"),
        {
            "two": lambda h, b, s: f"{h}.{b}",
            "four": lambda h, b, s: f"{h}.{b}.{s}.{s}",
            "five": lambda h, b, s: f"{h}.{b}.{s}.{s}.{s}",
            "empty": lambda h, b, s: f"{h}.{b}.",
        },
    ),
    *each(
        case("J21", "there is one way to write a token: without padding, space or stray bits"),
        {
            "padding": lambda h, b, s: f"{h}.{b}.{s}=",
            "space": lambda h, b, s: f"{h}.{b[:8]}\n{b[8:]}.{s}",
            "stray-bits": lambda h, b, s: f"{h}.{b}.{s[:-1]}{'B' if s[-1] == 'A' else 'R'}",
            "cut": lambda h, b, s: f"{h}.{b[:-1]}.{s}",
        },
    ),
    *each(
        case("J20", "a signature of zeros verifies nothing"),
        {"zero": lambda h, b, s: f"{h}.{b}.{'A' * 86}"},
    ),
    *each(
        case("J18", "a token of more than 8 KiB is not decoded"),
        {"long": lambda h, b, s: f"{h}.{'A' * 9000}.{s}"},
    ),
    pytest.param(lambda h, b, s: f"{h}.{b}.{part({})}", id="signature"),
]


@pytest.mark.parametrize("change", CHANGED)
async def test_a_token_that_was_changed_is_refused(
    resource: ResourceServer, here: Site, issuer: Issuer, change: Callable[[str, str, str], str]
) -> None:
    """RFC 7515 §5.2."""
    code = await refused(resource, change(*issuer.token().split(".")))
    assert code in {"E-EXT-04", "E-CHAL-03"}


@case("J19", "a name that comes twice, in header or payload, means two things, so nothing")
@pytest.mark.parametrize("where", ["header", "payload"])
async def test_a_member_comes_once(
    resource: ResourceServer, here: Site, issuer: Issuer, where: str
) -> None:
    """RFC 8725 §3.1; RFC 7515 §4; RFC 7519 §4."""
    header = json.dumps({"alg": "ES256", "typ": "at+jwt", "kid": "1"})
    payload = json.dumps(claims(issuer.clock))
    if where == "header":
        header = header[:-1] + ', "kid": "1"}'
    else:
        payload = payload[:-1] + ', "sub": "2"}'
    parts = (base64.urlsafe_b64encode(text.encode()).rstrip(b"=") for text in (header, payload))
    body = b".".join(parts)
    signature = ECAlgorithm(ECAlgorithm.SHA256).sign(body, private_key("ec"))
    ending = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    assert await refused(resource, f"{body.decode()}.{ending}") == "E-EXT-04"


@case("J24", "scopes are read as text and as a list")
@pytest.mark.parametrize(
    ("more", "found"),
    [
        pytest.param({"scope": "read"}, {"read"}, id="J24-string"),
        pytest.param({"scope": ["read"]}, {"read"}, id="J24-list"),
        pytest.param({"scope": None, "scp": ["read"]}, {"read"}, id="scp"),
        pytest.param({"scope": "openid", "permissions": ["write"]}, {"write"}, id="auth0"),
        pytest.param(
            {"scope": "openid read", "permissions": ["read", "write"]}, {"read"}, id="auth0-less"
        ),
        pytest.param({"scope": "", "scp": ["read"], "permissions": ["write"]}, {"read"}, id="okta"),
        pytest.param({"scope": "openid read profile", "typ": "Bearer"}, {"read"}, id="keycloak"),
        pytest.param({"scope": None}, set(), id="none"),
    ],
)
async def test_scopes_are_read_where_issuers_write_them(
    resource: ResourceServer, here: Site, issuer: Issuer, more: dict[str, object], found: set[str]
) -> None:
    """RFC 9068 §2.2.3: J24. What the user may do is not what the client was given."""
    told = (await call(resource, issuer.token(header={"typ": "JWT"}, **more))).scopes
    assert {name for name in told if name in {"read", "write"}} == found


async def test_commas_between_scopes_are_read_with_a_warning(
    house: House, resource: ResourceServer, here: Site, issuer: Issuer
) -> None:
    """RFC 6749 §3.3."""
    seen: list[Event] = []
    house.trace.observe(seen.append)
    found = await call(resource, issuer.token(scope="read,write"))
    assert {"read", "write"} <= found.scopes
    assert "scope.commas" in {event.name for event in seen}


def fetched(asked: Site, times: int) -> None:
    """How often the keys were fetched."""
    assert sum(" /keys " in request for request in asked.requests) == times


@case("J7", "unknown kids cause one fetch of the keys a minute")
async def test_unknown_names_of_keys_cause_one_fetch_a_minute(
    resource: ResourceServer, here: Site, issuer: Issuer, clock: Clock
) -> None:
    """J7: whoever makes up names makes nobody knock."""
    await call(resource, issuer.token())
    for n in range(50):
        await refused(resource, issuer.token(header={"kid": f"k{n}"}))
    fetched(here, 1)
    clock.forward(60)
    issuer.keys = public_set("other")
    assert await refused(resource, issuer.token(header={"kid": "k"})) == "E-EXT-04"
    fetched(here, 2)


@case("J9", "a new key is good after one fetch, an old one for five minutes at most")
async def test_a_new_key_is_found_and_an_old_one_forgotten(
    resource: ResourceServer, here: Site, issuer: Issuer, clock: Clock
) -> None:
    """J9: the new one after one fetch, the old one within five minutes."""
    await call(resource, issuer.token())
    clock.forward(60)
    new = [{**public_set("ed")["keys"][0], "kid": "2"}]
    issuer.keys = {"keys": [*public_set("ec")["keys"], *new]}
    assert await call(resource, issuer.token("ed", {"kid": "2"}))
    assert await call(resource, issuer.token(jti="t2"))
    fetched(here, 2)
    issuer.keys = {"keys": new}
    clock.forward(300)
    assert await refused(resource, issuer.token(jti="t3")) == "E-EXT-04"


@case("J10", "keys that were fetched once are trusted for a day without their issuer")
async def test_keys_that_were_known_outlast_their_issuer_for_a_day(
    resource: ResourceServer, here: Site, issuer: Issuer, clock: Clock
) -> None:
    """J10, D31."""
    await call(resource, issuer.token())
    issuer.status = 500
    clock.forward(3600)
    assert await call(resource, issuer.token(jti="t2"))
    clock.forward(86_400)
    with pytest.raises(Unavailable, match="issuer"):
        await call(resource, issuer.token(jti="t3"))


@case("J10", "without keys the answer is 503")
async def test_without_keys_nobody_is_let_in_and_nobody_accused(
    house: House, resource: ResourceServer, here: Site, issuer: Issuer
) -> None:
    """J10, D31: 503, one fetch for all who ask, and our own users notice nothing."""
    issuer.status = 429
    told: list[str] = []

    async def ask() -> None:
        with pytest.raises(Unavailable) as found:
            await call(resource, issuer.token())
        told.append(found.value.code)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
    assert told == ["E-EXT-01"] * 20
    assert here.asked == 2, "the two places of the metadata, once"
    await house.user()
    own = await house.tokens(await house.client())
    assert await call(resource, own["access_token"])


@case("J11", "a set with two keys of one name is none")
@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"keys": public_set("ec")["keys"] * 2}, id="two-of-one-name"),
        pytest.param({"keys": "x"}, id="no-list"),
        *each(
            case("J22", "a key that is weak, on another curve, or for another use is ignored"),
            {
                "curve": public_set("p-384"),
                "rsa-1024": public_set("weak"),
                "use": public_set("ec", use="enc"),
                "key-ops": public_set("ec", key_ops=["sign"]),
            },
        ),
    ],
)
def test_a_set_without_one_usable_key_of_each_name_is_none(keys: dict[str, Any]) -> None:
    """RFC 7517 §4.2, §5."""
    with pytest.raises(ValueError, match=r"key"):
        usable_keys(keys)


def test_a_key_that_cannot_be_used_hides_no_other() -> None:
    """RFC 7517 §5."""
    [good] = public_set("ec")["keys"]
    assert len(usable_keys({"keys": [{"kty": "oct", "k": "AAAA"}, "x", good]})) == 1


@case("J23", "the key of another issuer verifies nothing, whatever its kid")
async def test_the_key_of_another_issuer_is_nobodys(
    resource: ResourceServer, here: Site, issuer: Issuer
) -> None:
    """RFC 8725 §3.8: J23. The same kid, another key."""
    assert await refused(resource, issuer.token("other")) == "E-EXT-04"


@case("J8", "without a kid, several keys are too many")
async def test_without_a_kid_several_keys_are_too_many(
    resource: ResourceServer, here: Site, issuer: Issuer
) -> None:
    """RFC 7515 §4.1.4: J8."""
    issuer.keys = {"keys": [{**public_set("ed")["keys"][0], "kid": "2"}, *public_set("ec")["keys"]]}
    sent = forged({"alg": "ES256", "typ": "at+jwt"}, issuer)
    assert await refused(resource, sent) == "E-EXT-04"


BROKEN = {
    "large": answering(json.dumps({"keys": [], "x": "x" * 100_000})),
    "redirect": answering("{}", 302),
    "no-json": answering("<html>"),
    "an-error": answering("{}", 500),
    "twice": answering('{"keys": [], "keys": []}'),
}


@case("J11", "a key set that is large, moved or broken is not read, and the old one is kept")
@pytest.mark.parametrize("broken", [pytest.param(each, id=name) for name, each in BROKEN.items()])
async def test_a_broken_key_set_leaves_the_old_one(
    resource: ResourceServer, here: Site, issuer: Issuer, clock: Clock, broken: Any
) -> None:
    """RFC 7517 §5."""
    await call(resource, issuer.token())

    async def reply(site: Site, stream: Any) -> None:
        served = broken if " /keys " in site.requests[-1] else issuer.reply
        await served(site, stream)

    here.reply = reply
    clock.forward(301)
    assert await call(resource, issuer.token(jti="t2", exp=4102444800))
    fetched(here, 2)


@case("J11", "keys at a private address, or slowly sent, are not read, and the old ones are kept")
@pytest.mark.parametrize("where", ["https://10.0.0.1/keys", "http://issuer.example/keys", "slow"])
async def test_keys_are_read_only_from_where_one_may_read(
    house: House, here: Site, issuer: Issuer, clock: Clock, where: str
) -> None:
    """RFC 6890 §2.2: as for every document of somebody else."""
    limits = replace(FetchLimits(), seconds=0.5 if where == "slow" else 5)
    fetcher = Fetcher(limits, house.trace, internet=house.world, tls=trusting)
    theirs = SignedTokens(TRUST, fetcher, clock, house.trace)
    assert await theirs.principal(Secret(issuer.token()))

    async def reply(site: Site, stream: Any) -> None:
        if " /keys " in site.requests[-1]:
            await anyio.sleep_forever()
        jwks_uri = "https://issuer.example/keys" if where == "slow" else where
        await answering(json.dumps({"issuer": ISSUER, "jwks_uri": jwks_uri}))(site, stream)

    here.reply = reply
    clock.forward(301)
    with anyio.fail_after(10):
        assert await theirs.principal(Secret(issuer.token(jti="t2")))
    assert "10.0.0.1" not in house.world.dialled


@case("J14", "an exp that is no number in JSON is refused with its token")
@pytest.mark.parametrize("exp", ["NaN", "Infinity", "1e400", "-1e400"])
async def test_a_time_that_is_no_number_is_refused(
    resource: ResourceServer, here: Site, issuer: Issuer, exp: str
) -> None:
    """RFC 7519 §2; RFC 8259 §6."""
    payload = json.dumps(claims(issuer.clock, exp=0)).replace('"exp": 0', f'"exp": {exp}')
    assert exp in payload
    head = {"typ": "at+jwt", "kid": "1"}
    sent = PyJWS().encode(payload.encode(), private_key("ec"), "ES256", head)
    assert await refused(resource, sent) == "E-EXT-04"


AUTH0 = {
    "sub": "auth0|65f1",
    "aud": [AUDIENCE, "https://tenant.example/userinfo"],
    "client_id": None,
    "azp": "their-app",
    "scope": "openid profile",
    "permissions": ["read", "write"],
    "jti": None,
}
KEYCLOAK = {
    "sub": "7d3b2c9e-6f2f-4f67-9a55-0c9a3b8a2f10",
    "aud": [AUDIENCE, "account"],
    "client_id": None,
    "azp": "their-app",
    "typ": "Bearer",
    "scope": "email read write",
    "preferred_username": "alice",
    "realm_access": {"roles": ["offline_access"]},
}


@pytest.mark.parametrize(
    ("told", "username"),
    [pytest.param(AUTH0, None, id="auth0"), pytest.param(KEYCLOAK, "alice", id="keycloak")],
)
async def test_tokens_are_read_as_large_issuers_write_them(
    resource: ResourceServer, here: Site, issuer: Issuer, told: dict[str, Any], username: str | None
) -> None:
    """RFC 9068 §2.2, §4: typ JWT, azp in place of client_id, an aud of two."""
    found = await call(resource, issuer.token(header={"typ": "JWT"}, **told))
    assert (found.subject, found.username) == (told["sub"], username)
    assert (found.client_id, found.audience) == ("their-app", AUDIENCE)
    assert {"read", "write"} <= found.scopes
    assert found.token_id


async def test_metadata_of_another_issuer_is_not_believed(
    resource: ResourceServer, here: Site, issuer: Issuer
) -> None:
    """RFC 8414 §3.3."""
    issuer.issuer = "https://issuer.example"
    with pytest.raises(Unavailable):
        await call(resource, issuer.token())


async def test_what_is_no_token_makes_nobody_knock(
    house: House, resource: ResourceServer, here: Site
) -> None:
    """J18."""
    assert await refused(resource, "cat_at_unknown") == "E-EXT-04"
    assert house.world.looked_up == []


async def test_an_issuer_says_whether_a_token_is_good(
    house: House, asking: ResourceServer, here: Site, issuer: Issuer, clock: Clock
) -> None:
    """RFC 7662 §2.1, §2.2; RFC 6749 §2.3.1: asked once in five seconds, with our credentials."""
    issuer.told = {**claims(clock, iss=None, scope="read,write"), "active": True}
    for _ in range(2):
        found = await call(asking, "opaque")
        assert (found.issuer, found.subject) == (ISSUER, "1")
        assert {"read", "write"} <= found.scopes
    assert here.asked == 1
    assert here.requests[0].startswith("POST /introspect ")
    assert here.requests[0].endswith("token=opaque&token_type_hint=access_token")
    credentials = base64.b64encode(b"shop:s3cr%3Aet").decode()
    assert f"authorization: Basic {credentials}" in here.requests[0]
    clock.forward(5)
    issuer.told = {"active": False}
    assert await refused(asking, "opaque") == "E-EXT-04"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"active": "true"}, "E-EXT-04"),
        ({"active": 1}, "E-EXT-04"),
        ({"iss": "https://other.example"}, "E-EXT-05"),
        ({"aud": "https://other.example"}, "E-EXT-06"),
        ({"aud": None}, "E-EXT-06"),
        ({"exp": 1}, "E-EXT-07"),
        ({"exp": None}, "E-EXT-07"),
        ({"sub": None}, "E-EXT-08"),
    ],
)
async def test_an_answer_that_is_not_for_us_is_a_no(
    asking: ResourceServer,
    here: Site,
    issuer: Issuer,
    clock: Clock,
    more: dict[str, object],
    code: str,
) -> None:
    """RFC 7662 §2.2, §4."""
    issuer.told = claims(clock, **{"active": True, **more})
    assert await refused(asking, "opaque") == code


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_an_issuer_that_cannot_be_asked_is_503_and_not_401(
    asking: ResourceServer, here: Site, issuer: Issuer, status: int
) -> None:
    """RFC 7662 §2.3: D31. Fail closed: the token may be good, so its bearer is not sent away."""
    issuer.status = status
    with pytest.raises(Unavailable) as found:
        await call(asking, "opaque")
    assert found.value.code == "E-EXT-02"


@pytest.mark.parametrize(
    ("error", "good"),
    [("invalid_request", "no"), ("invalid_token", "no"), ("invalid_client", "503")],
)
async def test_an_issuer_that_refuses_to_look_at_a_token_has_told_enough(
    asking: ResourceServer, here: Site, issuer: Issuer, error: str, good: str
) -> None:
    """RFC 7662 §2.3: some answer 400 to what is no token of theirs, as an ID token is none."""
    issuer.status, issuer.told = 400, {"error": error}
    if good == "no":
        assert await refused(asking, "opaque") == "E-EXT-04"
    else:
        with pytest.raises(Unavailable):
            await call(asking, "opaque")


async def test_an_answer_that_takes_too_long_is_503(
    house: House, here: Site, issuer: Issuer
) -> None:
    """D31."""

    async def stall(site: Site, stream: Any) -> None:
        await anyio.sleep_forever()

    here.reply = stall
    limits = replace(FetchLimits(), introspection_seconds=0.2)
    fetcher = Fetcher(limits, house.trace, internet=house.world, tls=trusting)
    asked_at = ("https://issuer.example/introspect", basic("shop", Secret("s")))
    others = IntrospectedTokens(TRUST, asked_at, fetcher, house.clock, house.trace)
    with anyio.fail_after(10), pytest.raises(Unavailable):
        await others.principal(Secret("opaque"))


def test_the_resource_names_the_trusted_issuer_first(settings: OAuthSettings) -> None:
    """RFC 9728 §2."""
    document = metadata.resource(replace(settings, trusted_issuer=ISSUER))
    assert document["authorization_servers"] == [ISSUER, settings.issuer]


async def test_the_settings_choose_how_tokens_are_verified(
    house: House, fetcher: Fetcher, tmp_path: Path
) -> None:
    """RFC 7662 §2.1; RFC 9068 §4."""

    def chosen(**flags: object) -> object:
        return others(load(flags=flags), fetcher, house.clock, house.trace)

    secret = tmp_path / "secret"
    secret.write_text("s3cret\n", "utf-8")
    asking = {
        "introspection_endpoint": f"{ISSUER}/introspect",
        "introspection_client": "shop",
        "introspection_secret_file": str(secret),
    }
    assert chosen() is None
    assert isinstance(chosen(external_issuer=ISSUER), SignedTokens)
    assert isinstance(chosen(external_issuer=ISSUER, **asking), IntrospectedTokens)
    with pytest.raises(ConfigError, match="needs external_issuer, too"):
        chosen(**asking)
    with pytest.raises(ConfigError, match="introspection_secret_file"):
        chosen(external_issuer=ISSUER, introspection_endpoint=f"{ISSUER}/introspect")
    with pytest.raises(ConfigError, match="must be an https URL"):
        chosen(external_issuer="http://issuer.example")
    with pytest.raises(ConfigError, match="must be an https URL"):
        chosen(assertion_issuers="https://idp.example,http://issuer.example")

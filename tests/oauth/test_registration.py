"""Dynamic registration of public clients."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from html import escape
from typing import Any

import anyio
import pytest

from catshop.kernel import Secret
from catshop.limits import OAuthLimits
from catshop.oauth.settings import OAuthSettings, Registration
from tests.oauth.cases import case, each
from tests.oauth.house import CALLBACK, Clock, House, field_of, json_of, request_of
from tests.oauth.keys import private_set, public_set

JSON = {"content-type": "application/json"}
ITSELF = {
    "grant_types": ["client_credentials"],
    "token_endpoint_auth_method": "client_secret_basic",
}
JWKS_URI = "https://a.example/jwks"
SHARED = {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}]}


@case("R1", "a public client gets an id that nobody guesses, no secret, and one row")
async def test_a_public_client_is_registered_and_told_everything(house: House) -> None:
    """RFC 7591 §3.1, §3.2.1."""
    answer = await house.register(token_endpoint_auth_method="none")
    assert answer.status == 201
    assert field_of(answer, "cache-control") == "no-store"
    told = json_of(answer)
    assert len(told["client_id"].removeprefix("cat_")) * 6 >= 128, "bits, at six a letter"
    assert not told["client_id"].startswith("https://")
    assert "client_secret" not in told
    assert told["redirect_uris"] == [CALLBACK]
    assert told["grant_types"] == ["authorization_code", "refresh_token"]
    assert told["response_types"] == ["code"]
    assert told["token_endpoint_auth_method"] == "none"
    assert told["scope"] == "read write"
    assert await house.count("oauth_clients") == 1


async def test_a_client_that_names_no_method_is_public(house: House) -> None:
    """RFC 7591 §2, §3.2.1; OAuth 2.1 §2.1."""
    told = json_of(await house.register())
    assert told["token_endpoint_auth_method"] == "none"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_client_with_a_secret_is_told_it_once_and_its_hash_is_kept(
    house: House, method: str
) -> None:
    """RFC 7591 §3.2.1; OAuth 2.1 §2.4.1."""
    told = json_of(await house.register(token_endpoint_auth_method=method))
    assert told["token_endpoint_auth_method"] == method
    assert told["client_secret_expires_at"] == 0
    assert len(told["client_secret"]) >= 43
    kept = await house.stores.clients.find(told["client_id"])
    assert kept is not None
    assert kept.secret_hash == Secret(told["client_secret"]).digest()
    assert kept.secret_hash not in repr(kept)
    row = await house.database.one("SELECT * FROM oauth_clients")
    assert told["client_secret"] not in str(dict(row or {}))


async def test_a_client_that_acts_for_itself_alone_needs_no_address(house: House) -> None:
    """RFC 7591 §2, §2.1; OAuth 2.1 §4.2."""
    told = json_of(await house.register(**ITSELF, redirect_uris=None))
    assert told["grant_types"] == ["client_credentials"]
    assert told["response_types"] == told["redirect_uris"] == []


@pytest.mark.parametrize("kind", ["ec", "ed", "rsa"])
async def test_a_client_with_keys_is_registered_with_their_public_halves(
    house: House, kind: str
) -> None:
    """RFC 7591 §2, §3.2.1; RFC 7517 §4, §5; RFC 8725 §3.2."""
    jwks = public_set(kind, use="sig", key_ops=["verify"])
    answer = await house.register(token_endpoint_auth_method="private_key_jwt", jwks=jwks)
    told = json_of(answer)
    assert (answer.status, told["jwks"]) == (201, jwks)
    assert "client_secret" not in told


@case("R11", "a private key that was sent is told nobody, and the trace does not hold it either")
async def test_a_private_key_that_was_sent_is_shown_nowhere(house: House) -> None:
    """RFC 7591 §2."""
    jwks = private_set("ec")
    seen: list[str] = []
    stop = house.trace.observe(lambda event: seen.append(repr(event)))
    answer = await house.register(jwks=jwks)
    stop()
    assert b"a private key" in answer.body
    assert seen
    assert jwks["keys"][0]["d"] not in f"{answer.body!r} {seen}"


async def test_public_pages_of_the_client_are_welcome_and_not_kept(house: House) -> None:
    """RFC 7591 §2: R18; RFC 6761 §6."""
    told = json_of(await house.register(client_uri="https://a.example/x?y", logo_uri=""))
    assert "client_uri" not in told


REDIRECTS = "invalid_redirect_uri"
METADATA = "invalid_client_metadata"


def uris(*sent: object) -> tuple[dict[str, object], str]:
    """A registration of these addresses, and how it is refused."""
    return {"redirect_uris": [*sent]}, REDIRECTS


def members(**sent: object) -> tuple[dict[str, object], str]:
    """A registration with these members, and how it is refused."""
    return sent, METADATA


PAGES = ("client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri")
NOT_PUBLIC = (
    "http://a.example/",
    "https://127.0.0.1/",
    "https://10.0.0.1/",
    "https://[::1]/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://localhost/",
    "https://printer.local/",
    "https://printer/",
    "https://a@b.example/",
    "https://a.example:0/",
    "javascript:alert(1)",
)

REFUSED = [
    *each(
        case("R2", "http leads nowhere but to the user's own machine"),
        {"http": uris("http://evil.example/cb"), "beside": uris(CALLBACK, "http://evil.example/")},
    ),
    *each(
        case("R3", "an address that a browser would run or open as a file is refused"),
        {
            "javascript": uris("javascript:alert(1)"),
            "data": uris("data:text/html,x"),
            "file": uris("file:///etc/passwd"),
            "vbscript": uris("vbscript:x"),
            "blob": uris("blob:https://a.example/x"),
            "about": uris("about:blank"),
            "tab-and-case": uris("\tJaVaScRiPt:alert(1)"),
            "case": uris("JaVaScRiPt:alert(1)"),
        },
    ),
    *each(
        case("R4", "an address has no fragment, not even an empty one"),
        {"fragment": uris("https://a.example/#frag"), "empty": uris("https://a.example/#")},
    ),
    *each(
        case("R5", "an address that two readers could take for two is refused"),
        {
            "userinfo": uris("https://a@b.example/"),
            "wildcard": uris("https://*.example/cb"),
            "wildcard-in-path": uris("https://a.example/*"),
            "dots": uris("https://a.example/x/../cb"),
            "encoded-dots": uris("https://a.example/%2e%2e/cb"),
            "backslash": uris("https://a.example\\@b.example/"),
            "control": uris("https://a.example/c\x01b"),
            "newline": uris("https://a.example/cb\n"),
            "space": uris("https://a.example/c b"),
            "port-0": uris("https://a.example:0/cb"),
            "port-99999": uris("https://a.example:99999/cb"),
        },
    ),
    *each(
        case("R6", "a private scheme is a reversed domain name"),
        {"no-domain": uris("myapp:/cb")},
    ),
    *each(
        case("R7", "whoever asks for codes says where they go"),
        {
            "empty": uris(),
            "absent": ({"redirect_uris": None}, REDIRECTS),
            "string": ({"redirect_uris": CALLBACK}, REDIRECTS),
            "number": uris(CALLBACK, 7),
            "many": uris(*[CALLBACK] * 21),
        },
    ),
    *each(
        case("R9", "grants and answers that OAuth 2.1 has left out are not registered"),
        {
            "implicit": members(grant_types=["implicit"]),
            "password": members(grant_types=["authorization_code", "password"]),
            "token": members(response_types=["token"]),
            "hybrid": members(response_types=["code", "token"]),
        },
    ),
    *each(
        case("R10", "grant types and response types fit together"),
        {
            "code-without-its-grant": (
                {**ITSELF, "response_types": ["code"], "redirect_uris": [CALLBACK]},
                METADATA,
            ),
            "refresh-alone": members(grant_types=["refresh_token"]),
            "no-grant": members(grant_types=[]),
            "no-answer": members(response_types=[]),
        },
    ),
    *each(
        case("R11", "keys are public, strong, told apart, and said in one place"),
        {
            "both": members(jwks=public_set("ec"), jwks_uri=JWKS_URI),
            "two-uris": members(jwks_uri=[JWKS_URI]),
            "none": members(token_endpoint_auth_method="private_key_jwt"),
            "private": members(jwks=private_set("ec")),
            "oct": members(jwks=SHARED),
            "rsa-1024": members(jwks=public_set("rsa-1024")),
            "curve": members(jwks=public_set("p-384")),
            "enc": members(jwks=public_set("ec", use="enc")),
            "off-curve": members(jwks=public_set("ec", x="AAAA")),
            "kid": members(jwks=public_set("ec", kid=7)),
            "one-kid-twice": members(jwks=public_set("ec", "ed")),
            "empty": members(jwks={"keys": []}),
            "number": members(jwks={"keys": [7]}),
            "string": members(jwks="{}"),
        },
    ),
    *each(
        case("R12", "a scope that the catalogue does not know is refused"),
        {
            "unknown": members(scope="read admin"),
            "wildcard": members(scope="*"),
            "array": members(scope=["read"]),
        },
    ),
    *each(
        case("R15", "a name that fills the page is refused"),
        {
            "long": members(client_name="x" * 201),
            "60-kib": members(client_name="x" * 60_000),
            "number": members(client_name=7),
        },
    ),
    *each(
        case("R17", "a method that is unknown, or shares a secret to sign with, is refused"),
        {
            "client_secret_jwt": members(token_endpoint_auth_method="client_secret_jwt"),
            "unknown": members(token_endpoint_auth_method="x"),
            "list": members(token_endpoint_auth_method=["none"]),
        },
    ),
    *each(
        case("R18", "a page of the client is a public one, over https, and nobody knocks there"),
        {
            f"{member}-{address}": ({member: address}, METADATA)
            for member in PAGES
            for address in NOT_PUBLIC
        },
    ),
    pytest.param(*members(logo_uri=7), id="logo-number"),
    pytest.param(*members(grant_types=["client_credentials"]), id="public-for-itself"),
    pytest.param(*members(grant_types="authorization_code"), id="grant-types-string"),
    pytest.param(*members(application_type="toaster"), id="application-type"),
    pytest.param(*members(application_type={}), id="application-type-object"),
]


@pytest.mark.parametrize(("metadata", "error"), REFUSED)
async def test_what_may_not_be_registered_leaves_nothing(
    house: House, metadata: dict[str, Any], error: str
) -> None:
    """RFC 7591 §2, §2.1, §3.2.2, §5; OAuth 2.1 §10.

    RFC 7518 §3.3, §6.2.2, §6.3.2, §6.4; RFC 8725 §3.5; RFC 3986 §3.2.2; RFC 6762 §3.

    MCP 2026-07-28 basic/authorization/client-registration §dynamic-client-registration.
    """
    answer = await house.register(**metadata)
    assert (answer.status, json_of(answer)["error"]) == (400, error)
    assert field_of(answer, "cache-control") == "no-store"
    assert await house.count("oauth_clients") == 0
    assert house.world.looked_up == house.world.dialled == []


@case("R6", "a reversed domain name is a private scheme that may be registered")
async def test_a_private_scheme_may_be_registered(house: House) -> None:
    """OAuth 2.1 §2.3.1, §8.4.3; RFC 8252 §7.1."""
    answer = await house.register(redirect_uris=["com.example.app:/cb"])
    assert answer.status == 201


@case("R12", "what a client may ask for is never more than it registered")
async def test_a_client_that_registers_for_less_is_kept_so(house: House) -> None:
    """RFC 7591 §2."""
    client_id = await house.client(scope="read")
    client = await house.stores.clients.find(client_id)
    assert client is not None
    assert client.scopes == {"read"}


@case("R16", "a software statement that nobody can verify is refused, signed or not")
@pytest.mark.parametrize("head", [{"alg": "none"}, {}, {"alg": "ES256"}], ids=str)
async def test_a_software_statement_that_nobody_can_verify_is_refused(
    house: House, head: dict[str, str]
) -> None:
    """RFC 7591 §3.2.2."""
    told = urlsafe_b64encode(json.dumps(head).encode()).decode().rstrip("=")
    answer = await house.register(software_statement=f"{told}.e30.")
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_software_statement")
    assert await house.count("oauth_clients") == 0


@case("R8", "what is no JSON object is no registration")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="not-json"),
        pytest.param(b"[]", id="array"),
        pytest.param(b'{"client_name": "\xff"}', id="utf-8"),
        pytest.param(b"[" * 60_000, id="deep"),
    ],
)
async def test_what_is_no_json_object_is_no_registration(house: House, body: bytes) -> None:
    """RFC 7591 §3.2.2."""
    answer = await house.ask(request_of("POST", "/register", body, JSON))
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_client_metadata")
    assert await house.count("oauth_clients") == 0


@case("R8", "more than 64 KiB is no registration: 413")
@case("R15", "a name of 200 KB is not even read")
async def test_a_registration_of_more_than_64_kib_is_413(house: House) -> None:
    """RFC 9110 §15.5.14."""
    answer = await house.register(client_name="x" * 200_000)
    assert answer.status == 413
    assert await house.count("oauth_clients") == 0


async def test_a_registration_that_is_not_json_is_415(house: House) -> None:
    """RFC 7591 §3.1."""
    answer = await house.post("/register", {"redirect_uris": CALLBACK})
    assert answer.status == 415


@case("R15", "a name is shown escaped, and what turns the line around it is left out")
@pytest.mark.parametrize(
    ("name", "kept"),
    [
        pytest.param("<script>alert(1)</script>", "<script>alert(1)</script>", id="script"),
        pytest.param("Bank\u202e\u2066yM", "BankyM", id="bidi"),
        pytest.param("  a\u0000 b\n\tc ", "a bc", id="controls"),
        pytest.param("Katzenladen \U0001f431", "Katzenladen \U0001f431", id="cat"),
    ],
)
async def test_a_name_cannot_turn_the_line_it_stands_in(house: House, name: str, kept: str) -> None:
    """RFC 7591 §5."""
    await house.user()
    told = json_of(await house.register(client_name=name))
    assert told["client_name"] == kept
    visitor = house.visitor()
    page = await visitor.follow(await visitor.authorize(told["client_id"]))
    page = await visitor.follow(await visitor.sign_in(page))
    assert escape(kept).encode() in page.body
    assert b"<script" not in page.body


async def test_empty_and_null_members_count_as_omitted(house: House) -> None:
    """RFC 7591 §2; clients send placeholders."""
    told = json_of(await house.register(scope="", client_name=None, grant_types=None, logo_uri=""))
    assert told["scope"] == "read write"
    assert told["client_name"] == ""


async def test_openid_scopes_are_dropped_and_the_answer_says_so(house: House) -> None:
    """RFC 7591 §3.2.1: symptom 14."""
    told = json_of(await house.register(scope="openid read offline_access"))
    assert told["scope"] == "read"


async def test_a_hundred_registrations_at_once_get_a_hundred_ids(house: House) -> None:
    """RFC 7591 §5: R19."""
    ids: set[str] = set()

    async def register() -> None:
        ids.add(await house.client())

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(register)
    assert len(ids) == await house.count("oauth_clients") == 100


class TestAFewAnHour:
    """With three registrations an hour."""

    @pytest.fixture
    def limits(self) -> OAuthLimits:
        return OAuthLimits(registrations_per_hour=3)

    @case("R14", "so many registrations an hour from one address, then 429 and when to come back")
    async def test_more_wait_and_others_do_not(self, house: House, clock: Clock) -> None:
        """RFC 7591 §5."""
        for _ in range(3):
            await house.client()
            clock.forward(60)
        refused = await house.register()
        assert refused.status == 429
        assert json_of(refused)["error"] == "temporarily_unavailable"
        wait = int(field_of(refused, "retry-after") or "")
        assert wait == 3600 - 180
        assert (await house.register(address="192.0.2.2")).status == 201
        assert await house.count("oauth_clients") == 4
        clock.forward(wait)
        assert (await house.register()).status == 201


@case("R14", "a client that nobody uses is forgotten, one with a grant never")
async def test_the_sweeper_forgets_unused_clients_and_keeps_those_with_a_grant(
    house: House, clock: Clock
) -> None:
    """RFC 7591 §5."""
    await house.user()
    unused, used = await house.client(), await house.client()
    clock.forward(86_400)
    await house.tokens(used)
    clock.forward(house.settings.limits.unused_client_seconds - 86_401)
    await house.stores.upkeep.sweep(clock())
    assert await house.stores.clients.find(unused) is not None
    clock.forward(house.settings.limits.family_seconds)
    await house.stores.upkeep.sweep(clock())
    assert await house.stores.clients.find(unused) is None
    assert await house.count("oauth_families") == 0
    assert await house.stores.clients.find(used) is not None


class TestByTheOperatorAlone:
    """With registration switched off."""

    @pytest.fixture
    def settings(self, settings: OAuthSettings) -> OAuthSettings:
        return replace(settings, registration=Registration.CLOSED)

    @case("R20", "where registration is switched off there is no endpoint, and none is told")
    async def test_strangers_register_nothing_and_are_told_of_no_endpoint(
        self, house: House
    ) -> None:
        """RFC 8414 §2; RFC 7591 §3."""
        assert (await house.register()).status == 404
        document = json_of(await house.get("/.well-known/oauth-authorization-server"))
        assert "registration_endpoint" not in document

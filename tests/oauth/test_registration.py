"""Dynamic registration of public clients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from catshop.kernel import Secret
from catshop.limits import OAuthLimits
from catshop.oauth.settings import OAuthSettings, Registration
from tests.oauth.house import CALLBACK, Clock, House, field_of, json_of, request_of
from tests.oauth.keys import private_set, public_set

JSON = {"content-type": "application/json"}
ITSELF = {
    "grant_types": ["client_credentials"],
    "token_endpoint_auth_method": "client_secret_basic",
}
JWKS_URI = "https://a.example/jwks"
SHARED = {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}]}


async def test_a_public_client_is_registered_and_told_everything(house: House) -> None:
    """RFC 7591 §3.1, §3.2.1: R1."""
    answer = await house.register(token_endpoint_auth_method="none")
    assert answer.status == 201
    assert field_of(answer, "cache-control") == "no-store"
    told = json_of(answer)
    assert len(told["client_id"]) >= 22
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
    """RFC 7591 §2, §2.1; OAuth 2.1 §4.2: R7."""
    told = json_of(await house.register(**ITSELF, redirect_uris=None))
    assert told["grant_types"] == ["client_credentials"]
    assert told["response_types"] == told["redirect_uris"] == []


@pytest.mark.parametrize("kind", ["ec", "ed", "rsa"])
async def test_a_client_with_keys_is_registered_with_their_public_halves(
    house: House, kind: str
) -> None:
    """RFC 7591 §2, §3.2.1; RFC 7517 §4, §5; RFC 8725 §3.2: R11."""
    jwks = public_set(kind, use="sig", key_ops=["verify"])
    answer = await house.register(token_endpoint_auth_method="private_key_jwt", jwks=jwks)
    told = json_of(answer)
    assert (answer.status, told["jwks"]) == (201, jwks)
    assert "client_secret" not in told


async def test_a_private_key_that_was_sent_is_shown_nowhere(house: House) -> None:
    """RFC 7591 §2: R11."""
    jwks = private_set("ec")
    answer = await house.register(jwks=jwks)
    assert jwks["keys"][0]["d"].encode() not in answer.body
    assert b"a private key" in answer.body


async def test_public_pages_of_the_client_are_welcome_and_not_kept(house: House) -> None:
    """RFC 7591 §2: R18; RFC 6761 §6."""
    told = json_of(await house.register(client_uri="https://a.example/x?y", logo_uri=""))
    assert "client_uri" not in told


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        pytest.param({"redirect_uris": ["http://evil.example/cb"]}, "redirect_uri", id="R2"),
        pytest.param({"redirect_uris": ["javascript:alert(1)"]}, "redirect_uri", id="R3"),
        pytest.param({"redirect_uris": ["https://a.example/#f"]}, "redirect_uri", id="R4"),
        pytest.param({"redirect_uris": ["https://a@b.example/"]}, "redirect_uri", id="R5"),
        pytest.param({"redirect_uris": ["myapp:/cb"]}, "redirect_uri", id="R6"),
        pytest.param({"redirect_uris": []}, "redirect_uri", id="R7-empty"),
        pytest.param({"redirect_uris": None}, "redirect_uri", id="R7-absent"),
        pytest.param({"redirect_uris": CALLBACK}, "redirect_uri", id="R7-string"),
        pytest.param({"redirect_uris": [CALLBACK, 7]}, "redirect_uri", id="R7-number"),
        pytest.param({"redirect_uris": [CALLBACK] * 21}, "redirect_uri", id="R7-many"),
        pytest.param({"grant_types": ["implicit"]}, "metadata", id="R9-implicit"),
        pytest.param({"grant_types": ["authorization_code", "password"]}, "metadata", id="R9-pass"),
        pytest.param({"response_types": ["token"]}, "metadata", id="R9-token"),
        pytest.param({"response_types": ["code", "token"]}, "metadata", id="R9-hybrid"),
        pytest.param({"grant_types": ["refresh_token"]}, "metadata", id="R10-refresh"),
        pytest.param(
            {**ITSELF, "response_types": ["code"], "redirect_uris": [CALLBACK]},
            "metadata",
            id="R10",
        ),
        pytest.param({"grant_types": []}, "metadata", id="R10-none"),
        pytest.param({"response_types": []}, "metadata", id="R10-no-answer"),
        pytest.param({"grant_types": ["client_credentials"]}, "metadata", id="T25-public"),
        pytest.param({"grant_types": "authorization_code"}, "metadata", id="grant-types-string"),
        pytest.param({"scope": "read admin"}, "metadata", id="R12"),
        pytest.param({"scope": ["read"]}, "metadata", id="scope-array"),
        pytest.param({"client_name": "x" * 201}, "metadata", id="R15-long"),
        pytest.param({"client_name": 7}, "metadata", id="R15-number"),
        pytest.param({"token_endpoint_auth_method": "client_secret_jwt"}, "metadata", id="R17"),
        pytest.param({"token_endpoint_auth_method": "x"}, "metadata", id="R17-unknown"),
        pytest.param({"token_endpoint_auth_method": ["none"]}, "metadata", id="R17-list"),
        pytest.param({"token_endpoint_auth_method": "private_key_jwt"}, "metadata", id="R11-none"),
        pytest.param({"jwks": public_set("ec"), "jwks_uri": JWKS_URI}, "metadata", id="R11-both"),
        pytest.param({"jwks_uri": JWKS_URI}, "metadata", id="R11-uri"),
        pytest.param({"jwks": private_set("ec")}, "metadata", id="R11-d"),
        pytest.param({"jwks": SHARED}, "metadata", id="R11-oct"),
        pytest.param({"jwks": public_set("rsa-1024")}, "metadata", id="R11-rsa-1024"),
        pytest.param({"jwks": public_set("p-384")}, "metadata", id="R11-curve"),
        pytest.param({"jwks": public_set("ec", use="enc")}, "metadata", id="R11-enc"),
        pytest.param({"jwks": public_set("ec", x="AAAA")}, "metadata", id="R11-off-curve"),
        pytest.param({"jwks": public_set("ec", kid=7)}, "metadata", id="R11-kid"),
        pytest.param({"jwks": public_set("ec", "ed")}, "metadata", id="R11-one-kid-twice"),
        pytest.param({"jwks": {"keys": []}}, "metadata", id="R11-empty"),
        pytest.param({"jwks": {"keys": [7]}}, "metadata", id="R11-number"),
        pytest.param({"jwks": "{}"}, "metadata", id="R11-string"),
        *(
            pytest.param({member: address}, "metadata", id=f"R18-{member}-{address}")
            for member in ("client_uri", "logo_uri", "policy_uri", "tos_uri")
            for address in (
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
        ),
        pytest.param({"logo_uri": 7}, "metadata", id="R18-number"),
        pytest.param({"application_type": "toaster"}, "metadata", id="application-type"),
        pytest.param({"application_type": {}}, "metadata", id="application-type-object"),
    ],
)
async def test_what_may_not_be_registered_leaves_nothing(
    house: House, metadata: dict[str, Any], error: str
) -> None:
    """RFC 7591 §2, §2.1, §3.2.2, §5; OAuth 2.1 §10.

    RFC 7518 §3.3, §6.2.2, §6.3.2, §6.4; RFC 8725 §3.5; RFC 3986 §3.2.2; RFC 6762 §3.

    MCP 2026-07-28 basic/authorization/client-registration §dynamic-client-registration.
    """
    wire = {"redirect_uri": "invalid_redirect_uri", "metadata": "invalid_client_metadata"}[error]
    answer = await house.register(**metadata)
    assert (answer.status, json_of(answer)["error"]) == (400, wire)
    assert await house.count("oauth_clients") == 0


async def test_a_software_statement_that_nobody_can_verify_is_refused(house: House) -> None:
    """RFC 7591 §3.2.2: R16."""
    answer = await house.register(software_statement="e30.e30.")
    assert json_of(answer)["error"] == "invalid_software_statement"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="R8-empty"),
        pytest.param(b"{", id="R8-not-json"),
        pytest.param(b"[]", id="R8-array"),
        pytest.param(b'{"client_name": "\xff"}', id="R8-utf-8"),
        pytest.param(b"[" * 60_000, id="R8-deep"),
    ],
)
async def test_what_is_no_json_object_is_no_registration(house: House, body: bytes) -> None:
    """RFC 7591 §3.2.2: R8."""
    answer = await house.ask(request_of("POST", "/register", body, JSON))
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_client_metadata")


async def test_a_registration_of_more_than_64_kib_is_413(house: House) -> None:
    """RFC 7591 §3.2.2: R8."""
    answer = await house.register(client_name="x" * 70_000)
    assert answer.status == 413


async def test_a_registration_that_is_not_json_is_415(house: House) -> None:
    """RFC 7591 §3.1."""
    answer = await house.post("/register", {"redirect_uris": CALLBACK})
    assert answer.status == 415


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        pytest.param("<script>alert(1)</script>", "<script>alert(1)</script>", id="R15-script"),
        pytest.param("Bank\u202e\u2066yM", "BankyM", id="R15-bidi"),
        pytest.param("  a\u0000 b\n\tc ", "a bc", id="R15-controls"),
        pytest.param("Katzenladen \U0001f431", "Katzenladen \U0001f431", id="R15-cat"),
    ],
)
async def test_a_name_cannot_turn_the_line_it_stands_in(house: House, name: str, kept: str) -> None:
    """RFC 7591 §5: R15."""
    assert json_of(await house.register(client_name=name))["client_name"] == kept


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

    async def test_more_wait_and_others_do_not(self, house: House, clock: Clock) -> None:
        """RFC 7591 §5: R14."""
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


async def test_the_sweeper_forgets_unused_clients_and_keeps_those_with_a_grant(
    house: House, clock: Clock
) -> None:
    """RFC 7591 §5: R14."""
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

    async def test_strangers_register_nothing_and_are_told_of_no_endpoint(
        self, house: House
    ) -> None:
        """RFC 8414 §2; RFC 7591 §3: R20."""
        assert (await house.register()).status == 404
        document = json_of(await house.get("/.well-known/oauth-authorization-server"))
        assert "registration_endpoint" not in document

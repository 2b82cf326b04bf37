"""The two documents with which a client finds its way."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from catshop.oauth import metadata
from catshop.oauth.settings import OAuthSettings, TokenFormat
from tests.oauth.cases import case
from tests.oauth.house import ISSUER, House, field_of, json_of, request_of

AS = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
PRM = "/.well-known/oauth-protected-resource"
DOCUMENTS = [AS, OPENID, PRM, f"{PRM}/mcp", "/jwks"]


@pytest.fixture(params=list(TokenFormat), ids=lambda kind: str(kind.value))
def token_format(request: pytest.FixtureRequest) -> TokenFormat:
    """With signed tokens there is one address more to advertise. RFC 8414 §2."""
    return TokenFormat(request.param)


@case(
    "M1", "the issuer is said verbatim, PKCE is S256 alone, and every address that is told answers"
)
async def test_the_server_says_its_issuer_verbatim_and_only_what_exists(house: House) -> None:
    """RFC 8414 §3.2; RFC 9207 §3."""
    answer = await house.get(AS)
    assert (answer.status, field_of(answer, "content-type")) == (200, "application/json")
    document = json_of(answer)
    assert document["issuer"] == "http://127.0.0.1:8000"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["client_id_metadata_document_supported"] is True
    assert document["token_endpoint_auth_methods_supported"] == [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ]
    assert document["grant_types_supported"] == [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ]
    assert "none" not in document["introspection_endpoint_auth_methods_supported"]
    for algorithms in (value for name, value in document.items() if "alg_values" in name):
        assert not [name for name in algorithms if name == "none" or name.startswith("HS")]
    for name, address in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert (await house.get(urlsplit(address).path)).status != 404, name


async def test_the_openid_alias_is_the_same_document(house: House) -> None:
    """RFC 8414 §5; MCP 2026-07-28 basic/authorization/authorization-server-discovery."""
    assert (await house.get(OPENID)).body == (await house.get(AS)).body


@case("M5", "the resource names itself, its authorization server, and scopes that it has itself")
@pytest.mark.parametrize("path", [PRM, f"{PRM}/mcp"])
async def test_the_resource_names_itself_and_its_server(house: House, path: str) -> None:
    """RFC 9728 §2, §3.1, §3.2; MCP 2026-07-28 basic/authorization §refresh-tokens."""
    answer = await house.get(path)
    assert (answer.status, field_of(answer, "content-type")) == (200, "application/json")
    document = json_of(answer)
    assert document["resource"] == "http://127.0.0.1:8000/mcp"
    assert document["authorization_servers"] == ["http://127.0.0.1:8000"]
    assert document["scopes_supported"] == ["read", "write"], "enough to shop"
    assert document["bearer_methods_supported"] == ["header"]


@case("M6", "there is no document at the address of another resource, not even ours")
@pytest.mark.parametrize("path", ["nope", "mcp/", "mcp/x", "MCP", "%6dcp", "//mcp"])
async def test_another_resource_has_no_document(house: House, path: str) -> None:
    """RFC 9728 §3.3."""
    answer = await house.get(f"{PRM}/{path}")
    assert answer.status == 404
    assert b"authorization_servers" not in answer.body


@case("M4", "a document is read and never written: 405, and what else may be asked")
@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_document_is_only_read(house: House, path: str, method: str) -> None:
    """RFC 9110 §15.5.6."""
    answer = await house.ask(request_of(method, path))
    assert answer.status == 405
    assert dict(answer.fields)["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_every_origin_may_read_a_document_without_credentials(
    house: House, path: str
) -> None:
    """Fetch §3.3: M7."""
    fields = {"origin": "https://web.example", "access-control-request-method": "GET"}
    for answer in (
        await house.ask(request_of("OPTIONS", path, fields=fields)),
        await house.get(path, origin="https://web.example"),
    ):
        assert answer.status in {200, 204}
        assert dict(answer.fields)["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in dict(answer.fields)


@case("M9", "HEAD is answered as GET is, field by field")
@pytest.mark.parametrize("path", DOCUMENTS)
async def test_head_is_answered_like_get(house: House, path: str) -> None:
    """RFC 9110 §9.3.2. The shell leaves the body out."""
    head, get = await house.ask(request_of("HEAD", path)), await house.get(path)
    assert (head.status, head.fields) == (get.status, get.fields)


class TestATenant:
    """With an issuer that has a path."""

    @pytest.fixture
    def settings(self, settings: OAuthSettings) -> OAuthSettings:
        return replace(settings, issuer=f"{ISSUER}/t1", resource=f"{ISSUER}/t1/mcp")

    @case("M2", "the path of the issuer comes after the well-known part, for OpenID before it, too")
    async def test_an_issuer_with_a_path_has_it_inserted(self, house: House) -> None:
        """RFC 8414 §3.1, §5; OpenID Connect Discovery 1.0 §4."""
        for path in (f"{AS}/t1", f"{OPENID}/t1", f"/t1{OPENID}"):
            answer = await house.get(path)
            assert (answer.status, json_of(answer)["issuer"]) == (200, f"{ISSUER}/t1")
            assert json_of(answer)["token_endpoint"] == f"{ISSUER}/t1/token"
        for path in (AS, OPENID, f"/t1{AS}"):
            assert (await house.get(path)).status == 404
        document = json_of(await house.get(f"{PRM}/t1/mcp"))
        assert document["resource"] == f"{ISSUER}/t1/mcp"


@pytest.mark.parametrize(
    ("issuer", "endpoint"),
    [
        ("https://shop.example", "https://shop.example/token"),
        ("https://shop.example/", "https://shop.example/token"),
    ],
)
def test_no_slash_is_added_and_none_is_doubled(
    settings: OAuthSettings, issuer: str, endpoint: str
) -> None:
    """RFC 8414 §2."""
    document = metadata.server(replace(settings, issuer=issuer))
    assert document["issuer"] == issuer
    assert document["token_endpoint"] == endpoint


async def test_addresses_come_from_the_issuer_and_never_from_host(house: House) -> None:
    """A000-17."""
    answer = await house.ask(request_of("GET", f"http://localhost:1{AS}"))
    assert b"localhost" not in answer.body

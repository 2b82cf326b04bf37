"""The two documents with which a client finds its way."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from catshop.oauth import metadata
from catshop.oauth.settings import OAuthSettings
from tests.oauth.house import House, json_of, request_of

AS = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
PRM = "/.well-known/oauth-protected-resource"
DOCUMENTS = [AS, OPENID, PRM, f"{PRM}/mcp"]


async def test_the_server_says_its_issuer_verbatim_and_only_what_exists(house: House) -> None:
    """RFC 8414 §3.2; RFC 9207 §3: M1."""
    answer = await house.get(AS)
    assert answer.status == 200
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
    ]
    assert "none" not in document["introspection_endpoint_auth_methods_supported"]
    for algorithms in (value for name, value in document.items() if "alg_values" in name):
        assert not [name for name in algorithms if name == "none" or name.startswith("HS")]
    for name, address in document.items():
        if name.endswith("_endpoint"):
            assert (await house.get(urlsplit(address).path)).status != 404, name


async def test_the_openid_alias_is_the_same_document(house: House) -> None:
    """RFC 8414 §5; MCP 2026-07-28 basic/authorization/authorization-server-discovery."""
    assert (await house.get(OPENID)).body == (await house.get(AS)).body


@pytest.mark.parametrize(
    "path", [pytest.param(PRM, id="root"), pytest.param(f"{PRM}/mcp", id="M5")]
)
async def test_the_resource_names_itself_and_its_server(house: House, path: str) -> None:
    """RFC 9728 §2, §3.1, §3.2: M5."""
    document = json_of(await house.get(path))
    assert document["resource"] == "http://127.0.0.1:8000/mcp"
    assert document["authorization_servers"] == ["http://127.0.0.1:8000"]
    assert document["scopes_supported"] == ["read", "write"]
    assert document["bearer_methods_supported"] == ["header"]


async def test_another_resource_has_no_document(house: House) -> None:
    """RFC 9728 §3.3: M6."""
    assert (await house.get(f"{PRM}/nope")).status == 404


@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_document_is_only_read(house: House, path: str, method: str) -> None:
    """RFC 9110 §15.5.6: M4."""
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


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_head_is_answered_like_get(house: House, path: str) -> None:
    """RFC 9110 §9.3.2: M9. The shell leaves the body out."""
    head, get = await house.ask(request_of("HEAD", path)), await house.get(path)
    assert (head.status, head.fields) == (get.status, get.fields)


def test_an_issuer_with_a_path_has_it_inserted(settings: OAuthSettings) -> None:
    """RFC 8414 §3.1, §5; OpenID Connect Discovery 1.0 §4: M2."""
    tenant = replace(
        settings, issuer="https://shop.example/t1", resource="https://shop.example/t1/mcp"
    )
    assert metadata.server_paths(tenant) == (f"{AS}/t1", f"{OPENID}/t1", f"/t1{OPENID}")
    assert metadata.resource_paths(tenant) == (f"{PRM}/t1/mcp", PRM)
    document = metadata.server(tenant)
    assert document["issuer"] == "https://shop.example/t1"
    assert document["token_endpoint"] == "https://shop.example/t1/token"


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

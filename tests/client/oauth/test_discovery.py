"""From an address to the authorization server that guards it.

MCP 2026-07-28 basic/authorization/authorization-server-discovery.
"""

from __future__ import annotations

import pytest

from catshop.client.oauth.challenges import Challenge
from catshop.client.oauth.discovery import (
    choose,
    discover,
    find_resource,
    find_server,
    identifiers,
    resource_urls,
    server_urls,
)
from catshop.client.oauth.steps import Reply
from tests.client.oauth.play import ISSUER, NOT_FOUND, URL, json_reply, metadata, play, protected

WELL_KNOWN = "https://shop.example/.well-known"


def test_the_resource_is_sought_under_its_path_and_then_at_the_root() -> None:
    """RFC 9728 §3.1; MCP 2026-07-28 basic/authorization/authorization-server-discovery
    §protected-resource-metadata-discovery-requirements."""
    assert resource_urls(URL) == (
        f"{WELL_KNOWN}/oauth-protected-resource/mcp",
        f"{WELL_KNOWN}/oauth-protected-resource",
    )
    assert resource_urls("https://shop.example") == (f"{WELL_KNOWN}/oauth-protected-resource",)


def test_an_issuer_with_a_path_has_three_places_and_one_without_two() -> None:
    """RFC 8414 §3.1, §5; §authorization-server-metadata-discovery."""
    assert server_urls("https://a.example/t1") == (
        "https://a.example/.well-known/oauth-authorization-server/t1",
        "https://a.example/.well-known/openid-configuration/t1",
        "https://a.example/t1/.well-known/openid-configuration",
    )
    assert server_urls("https://a.example") == (
        "https://a.example/.well-known/oauth-authorization-server",
        "https://a.example/.well-known/openid-configuration",
    )


def test_the_challenge_says_where_and_nowhere_else_is_asked() -> None:
    """RFC 9728 §5.1: the address in the header goes before the well-known ones."""
    there = Challenge("bearer", {"resource_metadata": "https://shop.example/elsewhere"})
    played = play(find_resource(URL, there), [json_reply(protected())])
    assert played.urls == ["https://shop.example/elsewhere"]
    assert play(find_resource(URL, there), [NOT_FOUND]).code == "E-OAC-02"


def test_a_place_that_has_nothing_leads_to_the_next() -> None:
    """RFC 9728 §3.1."""
    played = play(find_resource(URL, None), [NOT_FOUND, json_reply(protected())])
    assert played.urls == list(resource_urls(URL))
    assert played.result.authorization_servers == (ISSUER,)


def test_a_server_in_trouble_is_not_taken_for_one_without_a_document() -> None:
    """RFC 9110 §15.6: a 5xx says nothing about what is there."""
    assert play(find_resource(URL, None), [Reply(503)]).code == "E-OAC-02"


@pytest.mark.parametrize(
    "resource",
    [
        "https://evil.example/mcp",
        "https://shop.example/mcp/",
        "https://shop.example/MCP",
        "https://shop.example/mc",
        "https://shop.example:443/mcp",
        "HTTPS://shop.example/mcp",
        "https://shop.example.evil.example/mcp",
        "",
        None,
        ["https://shop.example/mcp"],
    ],
)
def test_a_document_about_another_server_is_refused(resource: object) -> None:
    """RFC 9728 §3.3: compared as strings, letter by letter."""
    played = play(find_resource(URL, None), [json_reply(protected(resource=resource))])
    assert played.code == "E-OAC-03"


def test_a_resource_may_be_called_by_any_path_that_it_lies_under() -> None:
    """MCP 2026-07-28 basic/authorization §canonical-server-uri; RFC 8707 §2."""
    assert identifiers("https://h.example/a/b?x=1#f") == (
        "https://h.example/a/b?x=1",
        "https://h.example/a/b",
        "https://h.example/a",
        "https://h.example",
        "https://h.example/",
    )


@pytest.mark.parametrize("listed", [None, [], "https://auth.example", [7]])
def test_a_resource_without_authorization_servers_is_refused(listed: object) -> None:
    """§authorization-server-location: at least one."""
    reply = json_reply(protected(authorization_servers=listed))
    assert play(find_resource(URL, None), [reply]).code == "E-OAC-04"


def test_of_several_issuers_the_one_that_knows_us_is_chosen() -> None:
    """RFC 9728 §7.6: the choice is the client's."""
    assert choose(("https://a", "https://b"), frozenset()) == "https://a"
    assert choose(("https://a", "https://b"), frozenset({"https://b"})) == "https://b"


@pytest.mark.parametrize(
    "issuer",
    [ISSUER + "/", ISSUER.upper(), ISSUER + ":443", "https://evil.example", None, [ISSUER]],
)
def test_metadata_of_another_issuer_is_refused_and_no_endpoint_is_touched(issuer: object) -> None:
    """RFC 8414 §3.3."""
    played = play(find_server(ISSUER), [json_reply(metadata() | {"issuer": issuer})])
    assert played.code == "E-OAC-06"


def test_openid_metadata_serves_where_oauth_metadata_is_not() -> None:
    """OpenID Connect Discovery 1.0 §4; §authorization-server-metadata-discovery."""
    found = json_reply(metadata("https://a.example/t1"))
    played = play(find_server("https://a.example/t1"), [NOT_FOUND, NOT_FOUND, found])
    assert played.urls == list(server_urls("https://a.example/t1"))
    assert played.result.token_endpoint == "https://a.example/t1/token"


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"issuer":', b"[" * 10_000])
def test_what_is_no_document_is_refused(body: bytes) -> None:
    """RFC 8414 §3.2: a JSON object."""
    assert play(find_server(ISSUER), [Reply(200, (), body)]).code == "E-OAC-05"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://auth.example/token",
        "ftp://auth.example/token",
        "//auth.example/token",
        "https://me@auth.example/token",
        "javascript:alert(1)",
        "https://[::1",
        "https://[auth.example]/token",
        "https://auth.example:abc/token",
        "https://auth.example:99999/token",
        "https://auth.example/\x1b]0;token\x07",
        "https://auth.example/to ken",
        "https://auth.example/t\u00f6ken",
        "https://auth.example\\@other.example/token",
    ],
)
def test_an_endpoint_that_others_could_read_is_refused(endpoint: str) -> None:
    """OAuth 2.1 §1.5: https, but for this very machine; RFC 3986 §2: nor what is no address."""
    played = play(find_server(ISSUER), [json_reply(metadata(token_endpoint=endpoint))])
    assert played.code == "E-OAC-01"


def test_metadata_without_a_token_endpoint_is_refused() -> None:
    """RFC 8414 §2."""
    members = metadata()
    del members["token_endpoint"]
    assert play(find_server(ISSUER), [json_reply(members)]).code == "E-OAC-05"


def test_a_server_of_2025_03_26_is_its_own_authorization_server() -> None:
    """MCP 2025-03-26 basic/authorization §server-metadata-discovery: no resource document."""
    base = "https://shop.example"
    answers = [NOT_FOUND, NOT_FOUND, json_reply(metadata(base))]
    found = play(discover(URL, None, frozenset()), answers).result
    assert (found.server.issuer, found.resource.resource) == (base, URL)


def test_a_server_without_any_metadata_has_its_endpoints_at_the_root() -> None:
    """MCP 2025-03-26 basic/authorization §fallbacks-for-servers-without-metadata-discovery."""
    found = play(discover(URL, None, frozenset()), [NOT_FOUND] * 3).result.server
    assert (found.authorization_endpoint, found.token_endpoint, found.registration_endpoint) == (
        "https://shop.example/authorize",
        "https://shop.example/token",
        "https://shop.example/register",
    )

"""Redirect URIs: what may be registered, and what matches."""

from __future__ import annotations

import pytest

from catshop.oauth import redirects
from catshop.oauth.errors import InvalidRedirectUri, InvalidRequest


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://app.example/cb", id="https"),
        pytest.param("https://app.example/cb?x=1&y=%20", id="query"),
        pytest.param("https://app.example", id="no-path"),
        pytest.param("https://app.example:8443/cb", id="port"),
        pytest.param("http://127.0.0.1:1234/cb", id="loopback"),
        pytest.param("http://127.0.0.1/cb", id="loopback-without-port"),
        pytest.param("http://[::1]:1234/cb", id="loopback-v6"),
        pytest.param("http://localhost:1234/cb", id="localhost"),
        pytest.param("com.example.app:/cb", id="R6-private-scheme"),
        pytest.param("com.example.app://cb", id="R6-private-scheme-with-authority"),
    ],
)
def test_an_address_that_only_the_client_reads_may_be_registered(uri: str) -> None:
    """OAuth 2.1 §2.3.1, §8.4; RFC 8252 §7.1, §7.3."""
    assert redirects.registrable(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://evil.example/cb", id="R2-http"),
        pytest.param("http://127.0.0.1.evil.example/cb", id="R2-loopback-lookalike"),
        pytest.param("http://localhost.evil.example/cb", id="R2-localhost-lookalike"),
        pytest.param("http://127.0.0.1@evil.example/cb", id="R2-userinfo-lookalike"),
        pytest.param("http://127.0.0.1:80@evil.example/cb", id="R2-port-lookalike"),
        pytest.param("http://2130706433/cb", id="R2-number"),
        pytest.param("javascript:alert(1)", id="R3-javascript"),
        pytest.param("\tjavascript:alert(1)", id="R3-tab"),
        pytest.param("JaVaScRiPt:alert(1)", id="R3-case"),
        pytest.param("data:text/html,x", id="R3-data"),
        pytest.param("file:///etc/passwd", id="R3-file"),
        pytest.param("vbscript:x", id="R3-vbscript"),
        pytest.param("blob:x", id="R3-blob"),
        pytest.param("about:blank", id="R3-about"),
        pytest.param("https://app.example/cb#frag", id="R4-fragment"),
        pytest.param("https://app.example/cb#", id="R4-empty-fragment"),
        pytest.param("https://user@app.example/cb", id="R5-userinfo"),
        pytest.param("https://user:pass@app.example/cb", id="R5-password"),
        pytest.param("https://*.example/cb", id="R5-wildcard"),
        pytest.param("https://app.example/../cb", id="R5-dots"),
        pytest.param("https://app.example/%2e%2e/cb", id="R5-encoded-dots"),
        pytest.param("https://app.example/.%2E/cb", id="R5-half-encoded-dots"),
        pytest.param("https://app.example\\cb", id="R5-backslash"),
        pytest.param("https://app.example/c\x01b", id="R5-control"),
        pytest.param("https://app.example/c b", id="R5-space"),
        pytest.param("https://app.example/cb\n", id="R5-newline"),
        pytest.param("https://app.example:0/cb", id="R5-port-0"),
        pytest.param("https://app.example:99999/cb", id="R5-port-99999"),
        pytest.param("https://app.example:/cb", id="R5-empty-port"),
        pytest.param("http://127.0.0.1:0/cb", id="R5-loopback-port-0"),
        pytest.param("http://127.0.0.1:99999/cb", id="R5-loopback-port-99999"),
        pytest.param("myapp:/cb", id="R6-no-domain"),
        pytest.param("com.example.app:", id="R6-nowhere"),
        pytest.param("https://", id="no-host"),
        pytest.param("/cb", id="relative"),
        pytest.param("", id="empty"),
        pytest.param("https://app.example/é", id="non-ascii"),
        pytest.param("https://[::1/cb", id="broken-v6"),
        pytest.param("https://app.example/" + "x" * 2048, id="long"),
        pytest.param(7, id="number"),
        pytest.param(None, id="null"),
    ],
)
def test_an_address_that_others_may_read_or_misread_is_refused(uri: object) -> None:
    """OAuth 2.1 §2.3; RFC 3986 §2, §5.2.4; RFC 7591 §5."""
    with pytest.raises(InvalidRedirectUri):
        redirects.registrable(uri)


@pytest.mark.parametrize(
    ("presented", "registered"),
    [
        pytest.param("https://app.example/cb", "https://app.example/cb", id="same"),
        pytest.param("http://127.0.0.1:5/cb", "http://127.0.0.1:9/cb", id="A3-port"),
        pytest.param("http://127.0.0.1:5/cb", "http://127.0.0.1/cb", id="A3-port-added"),
        pytest.param("http://127.0.0.1/cb", "http://127.0.0.1:9/cb", id="A3-port-left-out"),
        pytest.param("http://[::1]:5/cb", "http://[::1]:9/cb", id="A3-v6"),
        pytest.param("http://localhost:5/cb?a=1", "http://localhost:9/cb?a=1", id="A3-localhost"),
        pytest.param("http://localhost:5", "http://localhost:9", id="A3-no-path"),
    ],
)
def test_a_registered_address_matches_whatever_its_loopback_port(
    presented: str, registered: str
) -> None:
    """OAuth 2.1 §8.4.2; RFC 8252 §7.3, §8.4: A3."""
    assert redirects.select(presented, [registered]) == presented


@pytest.mark.parametrize(
    ("presented", "registered"),
    [
        pytest.param("https://evil.example/cb", "https://app.example/cb", id="A2-other"),
        pytest.param("https://app.example/cb2", "https://app.example/cb", id="A2-suffix"),
        pytest.param("https://app.example/c", "https://app.example/cb", id="A2-prefix"),
        pytest.param("https://app.example/cb?x=1", "https://app.example/cb", id="A2-query"),
        pytest.param("https://app.example/CB", "https://app.example/cb", id="A2-case"),
        pytest.param("https://app.example/cb/", "https://app.example/cb", id="A2-slash"),
        pytest.param("https://app.example:8443/cb", "https://app.example/cb", id="A2-port"),
        pytest.param("https://app.example%2fcb", "https://app.example/cb", id="A2-encoded"),
        pytest.param("https://app.example@evil.x/cb", "https://app.example/cb", id="A2-userinfo"),
        pytest.param("http://127.0.0.1:5/x", "http://127.0.0.1:9/cb", id="A3-path"),
        pytest.param("http://127.0.0.1:5/cb?x", "http://127.0.0.1:9/cb", id="A3-query"),
        pytest.param("http://localhost:5/cb", "http://127.0.0.1:5/cb", id="A3-localhost"),
        pytest.param("http://127.0.0.1:5/cb", "http://localhost:5/cb", id="A3-not-localhost"),
        pytest.param("https://127.0.0.1:5/cb", "http://127.0.0.1:5/cb", id="A3-https"),
        pytest.param("http://127.0.0.1:80@evil.x/cb", "http://127.0.0.1/cb", id="A3-userinfo"),
        pytest.param("http://127.0.0.1:99999/cb", "http://127.0.0.1/cb", id="A3-no-port"),
        pytest.param("http://127.0.0.1:5/cb\n", "http://127.0.0.1:5/cb", id="A3-newline"),
    ],
)
def test_an_address_that_was_not_registered_does_not_match(presented: str, registered: str) -> None:
    """OAuth 2.1 §2.3.1, §4.1.2.1: A2, A3."""
    with pytest.raises(InvalidRequest):
        redirects.select(presented, [registered])


def test_without_redirect_uri_the_only_registered_one_is_meant() -> None:
    """OAuth 2.1 §2.3.2: A4."""
    assert redirects.select(None, ["https://a.example/"]) == "https://a.example/"
    with pytest.raises(InvalidRequest):
        redirects.select(None, ["https://a.example/", "https://b.example/"])
    with pytest.raises(InvalidRequest):
        redirects.select(None, [])


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://app.example:8443/cb", "app.example:8443"),
        ("http://127.0.0.1:9/cb", "127.0.0.1:9"),
        ("com.example.app:/cb", "com.example.app:"),
    ],
)
def test_a_user_is_shown_the_part_that_can_be_judged(uri: str, shown: str) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations §localhost-redirect-uri-risks."""
    assert redirects.destination(uri) == shown

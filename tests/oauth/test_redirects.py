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
        pytest.param("https://app.example/cb?xcode=1&states=2&x=code", id="query-like-an-answer"),
        pytest.param("https://app.example/a%2Fb%5cc", id="encoded-slashes"),
        pytest.param("https://app.example/..a/.../%2e.b", id="dots-with-more"),
        pytest.param("https://XN--nxasmq6b.example/cb", id="idna"),
        pytest.param("https://1.a-b.example:1/cb", id="labels"),
        pytest.param("https://192.0.2.1:443/cb", id="https-v4"),
        pytest.param("https://[2001:db8::1]:8443/cb", id="https-v6"),
        pytest.param("https://app.example", id="no-path"),
        pytest.param("https://app.example:8443/cb", id="port"),
        pytest.param("http://127.0.0.1:1234/cb", id="loopback"),
        pytest.param("http://127.0.0.1/cb", id="loopback-without-port"),
        pytest.param("http://[::1]:1234/cb", id="loopback-v6"),
        pytest.param("http://localhost:1234/cb", id="localhost"),
        pytest.param("com.example.app:/cb", id="R6-private-scheme"),
        pytest.param("com.example.app://cb", id="R6-private-scheme-with-authority"),
        pytest.param("com.example.app://o_auth/cb", id="R6-private-authority-is-no-host"),
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
        pytest.param("https://app%2eexample/cb", id="R5-encoded-host"),
        pytest.param("https://app.example%2f.evil.example/cb", id="R5-encoded-slash-in-host"),
        pytest.param("https://app.example;evil.example/cb", id="R5-semicolon-in-host"),
        pytest.param("https://app.example,evil.example/cb", id="R5-comma-in-host"),
        pytest.param("https://app_1.example/cb", id="R5-underscore-in-host"),
        pytest.param("https://-app.example/cb", id="R5-hyphen-first"),
        pytest.param("https://app-.example/cb", id="R5-hyphen-last"),
        pytest.param("https://app..example/cb", id="R5-empty-label"),
        pytest.param("https://app.example./cb", id="R5-dot-last"),
        pytest.param(f"https://{'a' * 64}.example/cb", id="R5-long-label"),
        pytest.param(f"https://{'a.' * 127}example/cb", id="R5-long-host"),
        pytest.param("https://[fe80::1%25eth0]/cb", id="R5-zone"),
        pytest.param("https://[fe80::1%eth0]/cb", id="R5-bare-zone"),
        pytest.param("https://[v1.fe80]/cb", id="R5-future-address"),
        pytest.param("https://[1.2.3.4]/cb", id="R5-v4-in-brackets"),
        pytest.param("https://a[::1]/cb", id="R5-before-brackets"),
        pytest.param("https://[::1]a/cb", id="R5-after-brackets"),
        pytest.param("https://[::1::]/cb", id="R5-no-v6"),
        pytest.param("https://2130706433/cb", id="R5-number"),
        pytest.param("https://127.1/cb", id="R5-short-v4"),
        pytest.param("https://0x7f.0.0.1/cb", id="R5-hexadecimal-first"),
        pytest.param("https://0x7f000001/cb", id="R5-hexadecimal"),
        pytest.param("https://0177.0.0.1/cb", id="R5-octal"),
        pytest.param("https://1.2.3.256/cb", id="R5-no-v4"),
        pytest.param("https://app.example/c%", id="R5-percent-last"),
        pytest.param("https://app.example/c%2", id="R5-percent-cut"),
        pytest.param("https://app.example/c%zz", id="R5-percent-malformed"),
        pytest.param("https://app.example/cb?x=%", id="R5-percent-in-query"),
        pytest.param("com.example.app:/c%", id="R5-percent-private"),
        pytest.param("http://127.0.0.1:1/c%", id="R5-percent-loopback"),
        pytest.param("https://app.example/a%2f../cb", id="R5-slash-and-dots"),
        pytest.param("https://app.example/a/..%2Fcb", id="R5-dots-and-slash"),
        pytest.param("https://app.example/a%5c%2e%2e%5Ccb", id="R5-backslashes-and-dots"),
        pytest.param("https://app.example/.%5c", id="R5-dot-and-backslash"),
        pytest.param("http://127.0.0.1:1/a%2f..", id="R5-loopback-slash-and-dots"),
        pytest.param("https://app.example:0443/cb", id="R5-port-0443"),
        pytest.param("http://127.0.0.1:01/cb", id="R5-loopback-port-01"),
        pytest.param("com.example.app://cb:01/", id="R5-private-port-01"),
        pytest.param("https://app.example/cb?code=x", id="R5-answer-code"),
        pytest.param("https://app.example/cb?a=1&state=x", id="R5-answer-state"),
        pytest.param("https://app.example/cb?iss=https://evil.example", id="R5-answer-iss"),
        pytest.param("https://app.example/cb?error=x", id="R5-answer-error"),
        pytest.param(
            "https://app.example/cb?error_description=x", id="R5-answer-error_description"
        ),
        pytest.param("https://app.example/cb?error_uri=x", id="R5-answer-error_uri"),
        pytest.param("https://app.example/cb?code", id="R5-answer-no-value"),
        pytest.param("https://app.example/cb?%63od%65=x", id="R5-answer-encoded"),
        pytest.param("https://app.example/cb?a=1;iss=x", id="R5-answer-semicolon"),
        pytest.param("https://app.example/cb?+ISS=x", id="R5-answer-blank-and-case"),
        pytest.param("http://127.0.0.1:1/cb?iss=x", id="R5-answer-loopback"),
        pytest.param("com.example.app:/cb?iss=x", id="R5-answer-private"),
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
    """OAuth 2.1 §2.3; RFC 3986 §2.1, §3.2.2, §5.2.4, §6.2.3; RFC 1035 §2.3.4; RFC 1123 §2.1;
    RFC 7591 §5; RFC 9207 §2.4.

    What an answer holds is not in the address already: a reader might take the first of two.
    """
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
        pytest.param("http://127.0.0.1:05/cb", "http://127.0.0.1/cb", id="A3-port-05"),
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

"""The rules below the endpoints: errors, PKCE, scopes, audience, the life of a refresh token."""

from __future__ import annotations

import re
from itertools import product

import pytest

from catshop.kernel import Secret, Trace, Verdict
from catshop.oauth import audience, errors, model, pkce, scopes
from catshop.oauth.checks import examine, report, settle
from catshop.oauth.errors import InvalidGrant, InvalidRequest, InvalidScope, InvalidTarget
from catshop.oauth.model import REFRESH, RefreshEvent, RefreshState, advance
from tests.oauth.cases import case

VERIFIER = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize("kind", errors.OAuthError.__subclasses__())
def test_an_error_class_is_named_by_its_wire_code(kind: type[errors.OAuthError]) -> None:
    """RFC 6749 §5.2, §4.1.2.1."""
    assert kind.__name__ == "".join(word.capitalize() for word in kind.code.split("_"))


def test_an_error_leaves_as_json_that_nobody_stores_and_says_which_rule() -> None:
    """RFC 6749 §5.2."""
    answer = errors.render(InvalidGrant("E-TOKEN-12", arrived='http://x/"\\\r\né'))
    assert answer.status == 400
    assert ("cache-control", "no-store") in answer.fields
    assert b'"error":"invalid_grant"' in answer.body
    assert b"E-TOKEN-12" in answer.body
    assert re.fullmatch(
        r"[\x20-\x21\x23-\x5B\x5D-\x7E]+", InvalidGrant("E-TOKEN-12", arrived='"\\é\n').description
    ), "S14"


def test_an_unknown_client_is_401() -> None:
    """RFC 6749 §5.2."""
    assert errors.render(errors.InvalidClient("E-TOKEN-03")).status == 401


def test_what_arrived_is_cut_short() -> None:
    """Nobody fills our logs."""
    assert len(InvalidGrant("E-TOKEN-12", arrived="x" * 10_000).description) < 600


def test_the_challenge_of_the_rfc_belongs_to_its_verifier() -> None:
    """RFC 7636 Appendix B, §4.2."""
    assert pkce.derive(VERIFIER) == CHALLENGE
    pkce.prove(VERIFIER, CHALLENGE)


@pytest.mark.parametrize(
    ("challenge", "method", "code"),
    [
        pytest.param(None, "S256", "E-PKCE-01", id="A7-no-challenge"),
        pytest.param(CHALLENGE, "plain", "E-PKCE-02", id="A8-plain"),
        pytest.param(CHALLENGE, None, "E-PKCE-02", id="A8-absent-means-plain"),
        pytest.param(CHALLENGE, "s256", "E-PKCE-02", id="A8-lower-case"),
        pytest.param("a" * 42, "S256", "E-PKCE-03", id="A9-42"),
        pytest.param("a" * 129, "S256", "E-PKCE-03", id="A9-129"),
        pytest.param(CHALLENGE[:-1] + "=", "S256", "E-PKCE-03", id="A9-padding"),
        pytest.param(CHALLENGE[:-1] + "+", "S256", "E-PKCE-03", id="A9-plus"),
        pytest.param(CHALLENGE[:-1] + "é", "S256", "E-PKCE-03", id="A9-non-ascii"),
        pytest.param(CHALLENGE + "\n", "S256", "E-PKCE-03", id="A9-trailing-newline"),
    ],
)
def test_a_challenge_that_proves_nothing_is_refused(
    challenge: str | None, method: str | None, code: str
) -> None:
    """RFC 7636 §4.2, §4.3, §4.4.1."""
    with pytest.raises(InvalidRequest) as refused:
        pkce.Challenge.parse(challenge, method)
    assert refused.value.reference == code


@pytest.mark.parametrize(
    ("verifier", "code"),
    [
        pytest.param(None, "E-PKCE-04", id="T17-missing"),
        pytest.param("a" * 42, "E-PKCE-05", id="T17-42"),
        pytest.param("a" * 129, "E-PKCE-05", id="T17-129"),
        pytest.param("a" * 42 + "+", "E-PKCE-05", id="T17-charset"),
        pytest.param("a" * 43, "E-PKCE-06", id="T16-wrong"),
    ],
)
def test_a_verifier_that_does_not_fit_is_an_invalid_grant(verifier: str | None, code: str) -> None:
    """RFC 7636 §4.1, §4.6."""
    with pytest.raises(InvalidGrant) as refused:
        pkce.prove(None if verifier is None else Secret(verifier), CHALLENGE)
    assert refused.value.reference == code


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("read", {"read"}, id="one"),
        pytest.param("write read", {"read", "write"}, id="two"),
        pytest.param(" read  read ", {"read"}, id="spaces-and-repetition"),
        pytest.param("", set(), id="empty"),
        pytest.param("openid email profile offline_access", set(), id="habits"),
        pytest.param("openid write", {"write"}, id="a-habit-and-one"),
    ],
)
def test_scopes_are_read_generously(text: str, found: set[str]) -> None:
    """RFC 6749 §3.3; OAuth 2.1 §1.4.1."""
    assert scopes.parse(text) == found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("admin", id="A10-unknown"),
        pytest.param("*", id="A10-wildcard"),
        pytest.param("read,write", id="comma"),
        pytest.param('re"ad', id="A10-quote"),
        pytest.param("read\nwrite", id="newline"),
        pytest.param("é", id="non-ascii"),
        pytest.param("x" * 10_000, id="A10-10-KB"),
        pytest.param("read " * 5_000, id="A10-many"),
    ],
)
def test_a_scope_that_is_not_ours_is_refused(text: str) -> None:
    """RFC 6749 §3.3."""
    with pytest.raises(InvalidScope):
        scopes.parse(text)


@pytest.mark.parametrize(
    ("asked", "held", "granted"),
    [
        pytest.param("read write", "read write", "read write", id="same"),
        pytest.param("catalog:read", "read", "catalog:read", id="a-part-of-an-umbrella"),
        pytest.param("read", "cart:read", "cart:read", id="an-umbrella-over-what-is-held"),
        pytest.param("read cart:read cart:write", "read write", "read cart:write", id="once-each"),
        pytest.param("write", "read", "", id="nothing-in-common"),
        pytest.param("admin:orders", "read write", "", id="the-operators"),
    ],
)
def test_what_is_granted_is_asked_and_held_by_the_broadest_name(
    asked: str, held: str, granted: str
) -> None:
    """OAuth 2.1 §1.4.1; MCP 2026-07-28 basic/authorization §step-up-authorization-flow."""
    assert scopes.write(scopes.common(asked.split(), held.split())) == granted


def test_what_users_can_grant_leaves_the_operators_work_out() -> None:
    """OAuth 2.1 §1.4.1; MCP 2026-07-28 basic/authorization §refresh-tokens."""
    assert scopes.reach(scopes.UMBRELLAS) == scopes.ORDINARY
    assert frozenset(scopes.CATALOGUE) - scopes.ORDINARY == {"admin:catalog", "admin:orders"}
    assert scopes.OFFLINE not in scopes.CATALOGUE
    assert all(implied <= frozenset(scopes.CATALOGUE) for implied in scopes.IMPLIES.values())


def test_scopes_are_written_in_one_order() -> None:
    """RFC 6749 §3.3."""
    assert scopes.write({"write", "read"}) == "read write"


@pytest.mark.parametrize(
    ("granted", "needed", "enough"),
    [
        pytest.param({"read"}, {"read"}, True, id="same"),
        pytest.param({"read", "write"}, {"read"}, True, id="more"),
        pytest.param({"write"}, {"read"}, False, id="write-does-not-imply-read"),
        pytest.param(
            {"read"},
            {"catalog:read", "orders:read"},
            True,
            id="broader",
            marks=case("U2", "a scope covers every narrower one that it implies"),
        ),
        pytest.param({"catalog:read"}, {"read"}, False, id="narrower"),
        pytest.param({"read", "write"}, {"admin:orders"}, False, id="the-operators"),
        pytest.param({"admin:orders"}, {"orders:read"}, False, id="the-operators-alone"),
        pytest.param({"read"}, {"read", "write"}, False, id="one-is-missing"),
        pytest.param(set(), set(), True, id="nothing-needed"),
    ],
)
def test_a_token_covers_a_call_when_it_has_every_scope(
    granted: set[str], needed: set[str], *, enough: bool
) -> None:
    """MCP 2026-07-28 basic/authorization §step-up-authorization-flow."""
    assert scopes.covers(granted, needed) is enough


OURS = "https://shop.example/mcp"


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param([], id="A12-none"),
        pytest.param([OURS], id="canonical"),
        pytest.param(["HTTPS://SHOP.example/mcp"], id="A11-upper-case"),
        pytest.param([f"{OURS}/"], id="A11-closing-slash"),
        pytest.param([OURS, OURS], id="twice"),
    ],
)
def test_a_spelling_of_our_address_is_our_resource(asked: list[str]) -> None:
    """RFC 8707 §2; MCP 2026-07-28 basic/authorization §canonical-server-uri."""
    assert audience.resolve(asked, OURS) == OURS


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param("/mcp", id="A11-relative"),
        pytest.param("shop.example/mcp", id="A11-no-scheme"),
        pytest.param(f"{OURS}#x", id="A11-fragment"),
        pytest.param(f"{OURS}#", id="A11-empty-fragment"),
        pytest.param(f"{OURS}?x=1", id="query"),
        pytest.param("https://evil.example/mcp", id="A11-other-host"),
        pytest.param("https://shop.example.evil.example/mcp", id="suffix"),
        pytest.param("https://shop.example/", id="A11-other-path"),
        pytest.param("https://shop.example/MCP", id="path-case"),
        pytest.param("https://shop.example/mcp//", id="two-slashes"),
        pytest.param("https://shop.example:8443/mcp", id="other-port"),
        pytest.param("http://shop.example/mcp", id="other-scheme"),
        pytest.param(" https://shop.example/mcp", id="space"),
        pytest.param("https://shop.exa\tmple/mcp", id="tab"),
        pytest.param("https://[x/mcp", id="broken"),
    ],
)
def test_another_resource_is_an_invalid_target(asked: str) -> None:
    """RFC 8707 §2: A11."""
    with pytest.raises(InvalidTarget):
        audience.resolve([asked], OURS)


def test_a_refresh_token_lives_as_the_table_says() -> None:
    """OAuth 2.1 §4.3.1."""
    for state, event in product(RefreshState, RefreshEvent):
        if (state, event) in REFRESH:
            assert advance(state, event) is REFRESH[state, event]
        else:
            with pytest.raises(KeyError):
                advance(state, event)
    assert not [state for state, _ in REFRESH if state is model.RefreshState.SPENT], "no way back"


def _odd(number: int) -> int:
    if number % 2 == 0:
        raise InvalidRequest("E-REQ-03", arrived="even")
    return number + 1


def test_the_first_check_that_fails_ends_the_list_and_is_traced() -> None:
    """Each check hands on what it has learned; the trace tells every verdict."""
    seen: list[tuple[str, Verdict | None]] = []
    trace = Trace()
    stop = trace.observe(lambda event: seen.append((event.name, event.verdict)))
    subject, findings = examine((("one", _odd), ("two", _odd), ("three", _odd)), 1)
    report(findings, trace)
    assert subject == 2
    assert seen == [("one", Verdict.OK), ("two", Verdict.NO)]
    with pytest.raises(InvalidRequest):
        settle(findings, trace)
    stop()
    settle(examine((("one", _odd),), 1)[1], trace)

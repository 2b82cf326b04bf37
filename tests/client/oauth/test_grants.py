"""The grants, from the client's side. OAuth 2.1 §4; RFC 7523 §2.1; RFC 8693 §2.1; RFC 9449."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest

from catshop.client.oauth.discovery import Guarded
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.grants import (
    YEAR,
    Asking,
    Provider,
    Tokens,
    authorization_request,
    code_grant,
    credentials_grant,
    enterprise_grant,
    read_redirect,
    read_tokens,
    refresh_grant,
    workload_grant,
)
from catshop.client.oauth.keys import SigningKey
from catshop.client.oauth.possession import Possession
from catshop.client.oauth.registration import Client
from catshop.client.oauth.steps import Landed, Reply
from catshop.kernel import Secret
from tests.client.oauth.play import ISSUER, NOW, URL, guarded, json_reply, play, sources

CALLBACK = "http://127.0.0.1:4711/callback"
TOKEN = {"access_token": "at", "token_type": "Bearer", "expires_in": 900, "refresh_token": "rt"}
STATE = f"{1:043d}"
"""The second random text of a flow; the verifier is the first."""


def asking(found: Guarded | None = None, **more: Any) -> Asking:
    return Asking(found or guarded(), Client("me", ISSUER), sources(), ("read",), **more)


def landed(**query: str) -> Landed:
    return Landed(urlencode({"code": "c", "state": STATE} | query))


def test_a_code_is_asked_for_with_s256_state_and_the_resource() -> None:
    """OAuth 2.1 §4.1.1; RFC 7636 §4.3; RFC 8707 §2.1."""
    opened = authorization_request(asking(), CALLBACK)
    query = parse_qs(urlsplit(opened.url).query, strict_parsing=True)
    digest = hashlib.sha256(opened.verifier.reveal().encode()).digest()
    assert query == {
        "response_type": ["code"],
        "client_id": ["me"],
        "redirect_uri": [CALLBACK],
        "state": [opened.state],
        "code_challenge": [base64.urlsafe_b64encode(digest).decode().rstrip("=")],
        "code_challenge_method": ["S256"],
        "resource": [URL],
        "scope": ["read"],
    }


def test_an_endpoint_with_a_query_keeps_it() -> None:
    """OAuth 2.1 §3.1."""
    found = guarded(authorization_endpoint=f"{ISSUER}/authorize?tenant=7")
    assert "/authorize?tenant=7&response_type=code" in authorization_request(asking(found), "").url


def test_without_s256_in_the_metadata_the_browser_is_not_opened() -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations §authorization-code-protection."""
    assert play(code_grant(asking(guarded(s256=False)), CALLBACK), []).code == "E-OAC-14"


def test_the_code_is_redeemed_with_its_verifier_and_the_same_resource() -> None:
    """OAuth 2.1 §4.1.3; RFC 8707 §2.2."""
    played = play(code_grant(asking(), CALLBACK), [landed(), json_reply(TOKEN)])
    assert played.form() == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": CALLBACK,
        "code_verifier": f"{0:043d}",
        "resource": URL,
        "client_id": "me",
    }
    tokens = played.result
    assert (tokens.access_token, tokens.refresh_token) == (Secret("at"), Secret("rt"))
    assert tokens.expires_at == NOW + timedelta(seconds=900)
    assert (tokens.issuer, tokens.resource, tokens.scopes) == (ISSUER, URL, ("read",))


@pytest.mark.parametrize(
    ("advertised", "iss", "code"),
    [
        (True, ISSUER, None),
        (True, None, "E-OAC-16"),
        (True, ISSUER + "/", "E-OAC-16"),
        (True, "https://evil.example", "E-OAC-16"),
        (False, ISSUER, None),
        (False, "https://evil.example", "E-OAC-16"),
        (False, ISSUER.upper(), "E-OAC-16"),
        (False, None, None),
    ],
)
def test_who_answers_is_settled_before_the_code_goes_anywhere(
    *, advertised: bool, iss: str | None, code: str | None
) -> None:
    """RFC 9207 §2.4; MCP 2026-07-28 basic/authorization §authorization-response-validation."""
    flow = code_grant(asking(guarded(names_itself=advertised)), CALLBACK)
    answers = [landed(**{"iss": iss} if iss else {}), *([] if code else [json_reply(TOKEN)])]
    assert play(flow, answers).code == code


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"state": "another"}, "E-OAC-15"),
        ({"code": ""}, "E-OAC-15"),
        ({"error": "access_denied", "error_description": "no"}, "E-OAC-17"),
        ({"error": "access_denied", "state": "another"}, "E-OAC-15"),
        ({"error": "access_denied", "iss": "https://evil.example"}, "E-OAC-16"),
    ],
)
def test_a_redirect_that_is_not_our_answer_is_neither_obeyed_nor_shown(
    query: dict[str, str], code: str
) -> None:
    """OAuth 2.1 §4.1.2, §7.12; RFC 9207 §2.4: on a mismatch even the error stays unread."""
    played = play(code_grant(asking(), CALLBACK), [landed(**query)])
    assert played.code == code
    if code != "E-OAC-17":
        assert "access_denied" not in str(played.failed)


def test_two_codes_are_none() -> None:
    """OAuth 2.1 §3.1: no parameter twice."""
    opened = authorization_request(asking(), CALLBACK)
    query = f"code=a&code=b&state={opened.state}"
    with pytest.raises(SignInFailed, match="E-OAC-15"):
        read_redirect(query, opened, guarded().server)


def test_a_refresh_keeps_what_the_answer_leaves_out() -> None:
    """OAuth 2.1 §4.3: the same scope, and the old refresh token where none came."""
    held = Tokens(ISSUER, URL, "me", Secret("old"), refresh_token=Secret("rt"), scopes=("a",))
    answer = {"access_token": "new", "token_type": "bearer"}
    played = play(refresh_grant(asking(), held), [json_reply(answer)])
    assert played.form() == {
        "grant_type": "refresh_token",
        "refresh_token": "rt",
        "resource": URL,
        "client_id": "me",
    }
    fresh = played.result
    assert (fresh.refresh_token, fresh.scopes, fresh.expires_at) == (Secret("rt"), ("a",), None)


def test_a_client_may_sign_in_as_itself() -> None:
    """OAuth 2.1 §4.2."""
    played = play(credentials_grant(asking()), [json_reply(TOKEN)])
    assert played.form()["grant_type"] == "client_credentials"
    assert played.form()["scope"] == "read"


def test_a_workload_shows_its_assertion_once_and_takes_no_for_an_answer() -> None:
    """RFC 7523 §2.1; no other grant is tried."""
    refusal = json_reply({"error": "invalid_grant"}, 400)
    played = play(workload_grant(asking(), Secret("jwt")), [refusal])
    assert played.form()["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert played.form()["assertion"] == "jwt"
    assert (played.code, played.failed and played.failed.error) == ("E-OAC-18", "invalid_grant")


def test_an_enterprise_vouches_in_two_steps() -> None:
    """RFC 8693 §2.1, then RFC 7523 §2.1: the identity provider, then the authorization server."""
    provider = Provider("https://idp.example/token", "idp-me", Secret("id-token"))
    answers = [json_reply({"access_token": "jag", "token_type": "N_A"}), json_reply(TOKEN)]
    played = play(enterprise_grant(asking(), provider), answers)
    assert played.urls == ["https://idp.example/token", f"{ISSUER}/token"]
    exchange = played.form(0)
    assert exchange["requested_token_type"] == "urn:ietf:params:oauth:token-type:id-jag"
    assert (exchange["audience"], exchange["resource"]) == (ISSUER, URL)
    assert (exchange["subject_token"], exchange["client_id"]) == ("id-token", "idp-me")
    assert played.form(1)["assertion"] == "jag"


def test_an_identity_provider_that_knows_a_secret_is_shown_it() -> None:
    """OAuth 2.1 §2.4.1."""
    provider = Provider("https://idp.example/token", "p", Secret("id"), Secret("s"))
    played = play(enterprise_grant(asking(), provider), [json_reply({}, 400)])
    assert played.header("Authorization", 0) == "Basic cDpz"
    assert "client_id" not in played.form(0)


def claims(proof: str | None, key: SigningKey) -> dict[str, Any]:
    """What a proof says; its signature holds."""
    assert proof is not None
    assert jwt.get_unverified_header(proof)["typ"] == "dpop+jwt"
    options: Any = {"verify_iat": False}
    found: dict[str, Any] = jwt.decode(
        proof, jwt.PyJWK(dict(key.jwk)).key, ["ES256"], options=options
    )
    return found


def test_a_server_that_wants_a_nonce_gets_a_new_proof_with_it() -> None:
    """RFC 9449 §4.2, §8: once, and with another jti."""
    possession = Possession(SigningKey.generate())
    wants = json_reply({"error": "use_dpop_nonce"}, 400, DPoP_Nonce="n1")
    answers = [wants, json_reply(TOKEN | {"token_type": "DPoP"})]
    played = play(credentials_grant(asking(possession=possession)), answers)
    first, second = (claims(played.header("DPoP", i), possession.key) for i in (0, 1))
    assert (first["htm"], first["htu"]) == ("POST", f"{ISSUER}/token")
    assert "nonce" not in first
    assert (second["nonce"], second["jti"] != first["jti"]) == ("n1", True)
    assert played.result.token_type == "DPoP"
    assert play(credentials_grant(asking(possession=possession)), [wants, wants]).code == "E-OAC-18"


def test_the_code_is_bound_to_the_key_as_well() -> None:
    """RFC 9449 §10."""
    possession = Possession(SigningKey.generate())
    url = authorization_request(asking(possession=possession), CALLBACK).url
    assert f"dpop_jkt={possession.key.thumbprint}" in url


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": "at"},
        {"access_token": "at", "token_type": "mac"},
        {"access_token": "at", "token_type": "DPoP"},
        {"access_token": "", "token_type": "Bearer"},
        {"access_token": ["at"], "token_type": "Bearer"},
    ],
)
def test_a_token_that_cannot_be_shown_is_none(answer: dict[str, object]) -> None:
    """OAuth 2.1 §1.4, §3.2.3: the client must know how to use the type."""
    with pytest.raises(SignInFailed, match="E-OAC-13"):
        read_tokens(answer, asking())


def test_a_token_that_should_be_bound_and_is_not_is_refused() -> None:
    """RFC 9449 §5: the token_type says whether it is."""
    with pytest.raises(SignInFailed, match="E-OAC-13"):
        read_tokens(TOKEN, asking(possession=Possession(SigningKey.generate())))


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(60, 60), (1e300, YEAR), (0, None), (-1, None), (True, None), ("60", None), (None, None)],
)
def test_a_lifetime_that_is_no_time_is_not_believed(said: object, seconds: int | None) -> None:
    """OAuth 2.1 §3.2.3."""
    found = read_tokens(TOKEN | {"expires_in": said}, asking()).expires_at
    assert found == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("reply", [Reply(200), Reply(502, (), b"<html>"), json_reply([], 400)])
def test_something_else_than_a_token_endpoint_is_told_apart(reply: Reply) -> None:
    """OAuth 2.1 §3.2.3, §3.2.4: JSON, both ways."""
    assert play(credentials_grant(asking()), [reply]).code == "E-OAC-13"


def test_no_secret_is_in_the_repr_of_any_step() -> None:
    """OAuth 2.1 §7.1: what is printed may be logged."""
    played = play(code_grant(asking(), CALLBACK), [landed(), json_reply(TOKEN)])
    text = repr(played.steps) + repr(played.result)
    for secret in ("at'", "rt'", f"{0:043d}", STATE, "code=c"):
        assert secret not in text

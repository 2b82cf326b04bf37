"""Who the client is, and how it proves that.

MCP 2026-07-28 basic/authorization/client-registration.
"""

from __future__ import annotations

import jwt
import pytest

from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.keys import SigningKey
from catshop.client.oauth.registration import (
    Client,
    Introduction,
    application_type,
    choose_method,
    identify,
    prove,
)
from catshop.kernel import Secret
from tests.client.oauth.play import ISSUER, guarded, json_reply, play, sources

LOOPBACK = "http://127.0.0.1:4711/callback"
ME = Introduction("A client", LOOPBACK)
DOCUMENT = "https://client.example/me.json"


def test_what_was_agreed_beforehand_goes_first() -> None:
    """§client-registration: pre-registration, then a document, then registration."""
    agreed = Client("agreed", ISSUER)
    who = Introduction("A client", LOOPBACK, agreed, DOCUMENT)
    played = play(identify(guarded(reads_documents=True).server, who, Client("old", ISSUER)), [])
    assert played.result is agreed


def test_credentials_of_another_issuer_are_not_shown_to_this_one() -> None:
    """§authorization-server-binding."""
    who = Introduction("A client", LOOPBACK, Client("agreed", "https://other.example"))
    assert play(identify(guarded().server, who, None), []).code == "E-OAC-10"


def test_a_document_is_the_client_id_where_the_server_reads_documents() -> None:
    """§client-id-metadata-documents; nothing is registered."""
    who = Introduction("A client", LOOPBACK, None, DOCUMENT)
    found = play(identify(guarded(reads_documents=True).server, who, None), []).result
    assert (found.client_id, found.issuer) == (DOCUMENT, None)


def test_where_it_does_not_the_client_registers() -> None:
    """RFC 7591 §3; MCP 2026-07-28 basic/authorization/client-registration
    §application-type-and-redirect-uri-constraints."""
    who = Introduction("A client", LOOPBACK, None, DOCUMENT)
    server = guarded(registration_endpoint=f"{ISSUER}/register").server
    played = play(identify(server, who, None), [json_reply({"client_id": "new"}, 201)])
    assert played.json() == {
        "client_name": "A client",
        "redirect_uris": [LOOPBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    }
    assert (played.result.client_id, played.result.issuer) == ("new", ISSUER)


def test_a_registration_is_used_again_for_the_same_redirect_uri() -> None:
    """OAuth 2.1 §2.3.1: another redirect_uri is another registration."""
    known = Client("known", ISSUER, redirect_uris=(LOOPBACK,))
    assert play(identify(guarded().server, ME, known), []).result is known
    other = Introduction("A client", "http://127.0.0.1:1/callback")
    assert play(identify(guarded().server, other, known), []).code == "E-OAC-07"


@pytest.mark.parametrize(
    ("redirect_uri", "kind"),
    [
        (LOOPBACK, "native"),
        ("http://localhost/cb", "native"),
        ("https://localhost/cb", "native"),
        ("com.example.app:/cb", "native"),
        ("https://client.example/cb", "web"),
    ],
)
def test_the_application_type_follows_from_the_redirect_uri(redirect_uri: str, kind: str) -> None:
    """OpenID Connect Registration 1.0 §2."""
    assert application_type(redirect_uri) == kind


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"error": "invalid_redirect_uri", "error_description": "no\x1b[2J"}, 400),
        json_reply({}, 201),
        json_reply({"client_id": 7}, 201),
        json_reply([], 201),
        json_reply({"client_id": "x"}, 302),
    ],
)
def test_a_registration_that_was_refused_says_why(reply: object) -> None:
    """RFC 7591 §3.2.2; nothing of it moves a terminal."""
    server = guarded(registration_endpoint=f"{ISSUER}/register").server
    played = play(identify(server, ME, None), [reply])  # type: ignore[list-item] -- a Reply, which parametrize cannot say
    assert played.failed is not None
    assert played.code == "E-OAC-08"
    assert "\x1b" not in str(played.failed)


def test_a_secret_that_nobody_asked_for_is_not_shown() -> None:
    """RFC 7591 §3.2.1; RFC 8414 §2: the metadata says how clients prove themselves."""
    server = guarded(registration_endpoint=f"{ISSUER}/register").server
    reply = json_reply({"client_id": "new", "client_secret": "s"}, 201)
    client = play(identify(server, ME, None), [reply]).result
    form, fields = prove(client, server, {"grant_type": "x"}, sources())
    assert (dict(form), dict(fields)) == ({"grant_type": "x", "client_id": "new"}, {})


def test_basic_encodes_both_parts_as_a_form_first() -> None:
    """OAuth 2.1 §2.4.1."""
    client = Client("a:b c", ISSUER, Secret("ü%"))
    server = guarded(auth_methods=("client_secret_basic",)).server
    form, fields = prove(client, server, {}, sources())
    assert form == {}
    assert fields == {"Authorization": "Basic YSUzQWIrYzolQzMlQkMlMjU="}


def test_post_puts_the_secret_into_the_body_and_nowhere_else() -> None:
    """OAuth 2.1 §2.4.1: one way of proof, not two, and the one that every server must know."""
    server = guarded(auth_methods=("client_secret_basic", "client_secret_post")).server
    form, fields = prove(Client("me", ISSUER, Secret("s")), server, {}, sources())
    assert (form, fields) == ({"client_id": "me", "client_secret": "s"}, {})


def test_an_assertion_is_for_the_issuer_alone_short_lived_and_single() -> None:
    """RFC 7523 §3."""
    key = SigningKey.generate()
    client = Client("me", ISSUER, key=key)
    server = guarded(auth_methods=("private_key_jwt",)).server
    form, _ = prove(client, server, {}, sources())
    claims = jwt.decode(
        form["client_assertion"],
        jwt.PyJWK(dict(key.jwk)).key,
        ["ES256"],
        audience=ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert (claims["iss"], claims["sub"]) == ("me", "me")
    assert claims["exp"] - claims["iat"] == 120
    assert len(claims["jti"]) == 43
    assert form["client_assertion_type"].endswith(":jwt-bearer")


def test_without_a_common_way_nothing_is_sent() -> None:
    """OAuth 2.1 §2.4."""
    with pytest.raises(SignInFailed, match="E-OAC-09"):
        choose_method(("tls_client_auth",), ("none",))
    with pytest.raises(SignInFailed, match="E-OAC-09"):
        prove(Client("me", ISSUER, method="client_secret_basic"), guarded().server, {}, sources())


@pytest.mark.parametrize(("pem", "algorithm"), [("no key", "ES256"), ("no key", "none"), ("", "X")])
def test_a_key_that_cannot_sign_is_refused_at_once(pem: str, algorithm: str) -> None:
    """RFC 7518 §3.1."""
    with pytest.raises(SignInFailed, match="E-OAC-11"):
        SigningKey(Secret(pem), algorithm)

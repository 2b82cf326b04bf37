"""Taking apart what the protocols write, with the examples of the specifications."""

from __future__ import annotations

import base64
import json

from catshop.inspector.web.decoders import Said, challenge, events, jwt, pkce


def value(said: list[Said], name: str) -> str:
    return next(each.value for each in said if each.name == name)


def test_the_challenge_of_the_example_is_computed() -> None:
    """RFC 7636 Appendix B, §4.2."""
    said = pkce(" dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\n")
    assert value(said, "code_challenge") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_verifier_of_42_characters_is_none() -> None:
    """RFC 7636 §4.1."""
    assert pkce("a" * 42)[0].name == "not a code_verifier"


def test_a_token_is_read_with_its_times_and_not_verified() -> None:
    """RFC 7519 §3, §4.1.4 to §4.1.6: the example of §3.1."""
    parts = ({"alg": "none"}, {"iss": "joe", "exp": 1300819380})
    packed = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    said = jwt(".".join([*packed, ""]))
    assert value(said, "exp") == "2011-03-22T18:43:00+00:00"
    assert '"iss": "joe"' in value(said, "claims")
    assert value(said, "signature") == "not verified here"


def test_what_is_no_token_is_told_so() -> None:
    """RFC 7519 §3, RFC 7515 §3.1."""
    for text in ("", "opaque", "a.b.c", "e30.!.x", "e30." + "W" * 20 + ".x"):
        assert jwt(text)[0].name == "not a JWT"


def test_a_challenge_is_a_scheme_and_its_parameters() -> None:
    """RFC 9110 §11.6.1, RFC 9728 §5.1."""
    said = challenge(
        'WWW-Authenticate: Bearer resource_metadata="http://127.0.0.1/x", scope="a b", error=c'
    )
    assert [(each.name, each.value) for each in said] == [
        ("scheme", "Bearer"),
        ("resource_metadata", "http://127.0.0.1/x"),
        ("scope", "a b"),
        ("error", "c"),
    ]


def test_a_stream_is_its_whole_events() -> None:
    """WHATWG HTML §9.2.6: what no empty line ends never was."""
    said = events("id: 4\r\ndata: one\r\n\r\n: a comment\n\nevent: x\ndata: two\n\ndata: three\n")
    assert [(each.name, each.value) for each in said[:2]] == [
        ("1: message, id 4", "one"),
        ("2: x, id 4", "two"),
    ]
    assert said[2].name == "unfinished"

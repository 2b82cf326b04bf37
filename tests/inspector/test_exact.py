"""Bodies in their own spelling: whatever way a secret is written in, it is a mark."""

from __future__ import annotations

import json
import time

import pytest

from catshop.inspector.exact import CUT, MOST, frame_text, json_text, kept
from catshop.inspector.redact import MARK, Redactor

PLANTED = "S3CRET-of-this-test.0123456789"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLXRoZS10ZXN0"


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(b"a key of this test")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param("application/json", f'{{"client_secret":"{PLANTED}","client_secret":"z"}}',
                     id="a-name-that-stands-twice"),
        pytest.param("application/json", f'{{"a":{{"token":"{PLANTED}","token":"z"}}}}',
                     id="twice-further-in"),
        pytest.param("application/json", f'{{"t\\u006fken": "{PLANTED}"}}', id="an-escaped-name"),
        pytest.param("application/json", f'{{"apiKey":"{PLANTED}"}}', id="camel-case"),
        pytest.param("application/json", f'{{"client_secret":{{"value":"{PLANTED}"}}}}',
                     id="an-object"),
        pytest.param("application/json", f'{{"token":["{PLANTED}"]}}', id="a-list"),
        pytest.param("application/json",
                     json.dumps({"text": json.dumps({"a": json.dumps({"token": PLANTED})})}),
                     id="json-in-json-in-json"),
        pytest.param("application/json",
                     json.dumps({"text": f'{{"token":"{PLANTED}","token":5}}'}),
                     id="a-name-that-stands-twice-in-a-text"),
        pytest.param("application/json", f'{{"any": "{JWT}"}}', id="a-signed-token"),
        pytest.param("application/x-www-form-urlencoded", f"client_secret[]={PLANTED}",
                     id="brackets"),
        pytest.param("application/x-www-form-urlencoded", f"user[password]={PLANTED}",
                     id="a-name-in-brackets"),
        pytest.param("application/x-www-form-urlencoded", f"id_token_hint={JWT}", id="a-hint"),
        pytest.param("text/plain", f"password: {PLANTED}", id="after-a-colon"),
        pytest.param("text/plain", f"see http://alice:{PLANTED}@example.test/", id="in-a-url"),
        pytest.param("text/plain", f"http://x/?u=http%3A%2F%2Fy%2F%3Fc%256fde%3D{PLANTED}",
                     id="an-encoded-name-further-in"),
        pytest.param("text/html", f"<input type='hidden' name='code' value='{PLANTED}'>",
                     id="single-quotes"),
        pytest.param("text/html", f"<INPUT name=code value={PLANTED}>", id="no-quotes"),
        pytest.param("text/event-stream", f'data: {{"access_token":\ndata: "{PLANTED}"}}',
                     id="an-event-of-two-lines"),
        pytest.param("text/event-stream", f'data: {{"t":"a\u2028{{\\"token\\":\\"{PLANTED}\\"}}"}}',
                     id="a-line-separator-that-ends-no-line"),
    ],
)  # fmt: skip
def test_a_secret_is_hidden_however_it_is_written(redactor: Redactor, kind: str, body: str) -> None:
    """RFC 6750 §5.3, RFC 3986 §3.2.1, RFC 8259 §7, WHATWG HTML §9.2.5, §9.2.6."""
    text, note = kept(redactor, kind, body.encode())
    assert PLANTED not in text
    assert JWT not in text
    assert text or note


def test_a_secret_is_known_again_where_nothing_says_that_it_is_one(redactor: Redactor) -> None:
    """A server that tells what it was sent; the password of Basic credentials, too. RFC 7617 §2."""
    hidden, _ = kept(
        redactor, "application/x-www-form-urlencoded", f"client_secret={PLANTED}".encode()
    )
    mark = MARK.findall(hidden)[0]
    assert redactor.text(f"arrived: {PLANTED}.") == f"arrived: {mark}."
    assert redactor.target(f"/mcp?sid={PLANTED}") == f"/mcp?sid={mark}"
    redactor.header("authorization", "Basic Y2F0OmFub3RoZXItbG9uZy1zZWNyZXQ=")
    assert "another" not in redactor.text("you sent another-long-secret")


def test_names_of_the_field_stay_readable_whoever_sends_them_as_secrets(
    redactor: Redactor,
) -> None:
    redactor.form("token=authorization_code&code=token_endpoint_auth_method")
    assert redactor.text("grant authorization_code") == "grant authorization_code"


@pytest.mark.parametrize(
    "target",
    ["/x/cat%5Fat%5F0123456789abcdef", "/x/cat_at_0123456789abcdef", "/authorize;code=0123456789"],
)
def test_a_path_hides_what_it_holds(redactor: Redactor, target: str) -> None:
    """RFC 3986 §2.1: as it is once it is decoded."""
    assert "0123456789" not in redactor.target(target)
    assert redactor.target("/a%20b/c+d;e=f") == "/a%20b/c+d;e=f"


def test_one_secret_has_one_mark_in_a_form_and_in_an_address(redactor: Redactor) -> None:
    form = redactor.form("code=a%2Fb-0123456789")
    referer = redactor.header("referer", "http://x/?code=a%2Fb-0123456789")
    assert MARK.findall(form) == MARK.findall(referer)


def test_what_holds_no_secret_keeps_every_octet(redactor: Redactor) -> None:
    for text in ('{"a" : 1,\n "code": -32602, "progressToken": "p"}', '{"t":"{\\"a\\" : 1}"}'):
        assert json_text(redactor, text) == text
    event = 'event: message\nid: 1-4\ndata: {"a": "\u2028"}\n: comment'
    assert frame_text(redactor, event) == event
    assert frame_text(redactor, ":") == ":"
    assert frame_text(redactor, "retry: 500\nid: 1") == "retry: 500\nid: 1"


def test_a_body_that_is_too_long_is_not_looked_at(redactor: Redactor) -> None:
    """So that nobody can keep the server busy with it."""
    text, note = kept(redactor, "application/json", b'"' + b"a" * MOST + b'"')
    assert (text, str(MOST) in note) == ("", True)
    assert len(kept(redactor, "text/plain", b"a" * MOST)[0]) == CUT


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(("application/json", '{{"token":[{}"x"]}}', '"{:06}",'), id="many-secrets"),
        pytest.param(("text/html", "{}", "<form "), id="tags-that-never-end"),
        pytest.param(("text/plain", "{}", "%"), id="per-cent"),
        pytest.param(("text/plain", "{}", "password: "), id="labels"),
        pytest.param(("text/plain", "{}", "//a:"), id="users"),
        pytest.param(("text/plain", "{}", "eyJaaaaaaaaaa."), id="tokens"),
    ],
)
def test_four_times_as_much_takes_about_four_times_as_long(
    redactor: Redactor, attack: tuple[str, str, str]
) -> None:
    kind, around, piece = attack

    def took(size: int) -> float:
        text = "".join(piece.format(number) for number in range(size // len(piece)))
        body, began = around.format(text).encode()[:MOST], time.process_time()
        kept(redactor, kind, body)
        return time.process_time() - began

    short = min(took(MOST // 5) for _ in range(3))
    assert took(4 * MOST // 5) < 16 * short + 0.05

"""No secret reaches the screen, and the same secret shows the same mark. RFC 6750 §5.3."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from urllib.parse import quote_plus

import pytest

import catshop
from catshop.inspector.exact import kept
from catshop.inspector.redact import KEY_MEMBERS, LAYERS, MARK, SECRET_NAMES, Redactor, printable
from catshop.kernel import Secret

PLANTED = "s3cr3t-Whiskers.9f8e7d6c"


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(b"a key of this test")


def body(redactor: Redactor, kind: str, octets: bytes) -> str:
    """What is shown of a body, or else why nothing is."""
    return "".join(kept(redactor, kind, octets))


def assert_hidden(shown: str, *, marks: int = 1) -> None:
    assert "Whiskers" not in shown
    assert "9f8e7d6c" not in shown
    assert len(MARK.findall(shown)) == marks, shown


@pytest.mark.parametrize(
    ("name", "value", "rest"),
    [
        pytest.param("Authorization", f"Bearer {PLANTED}", "Bearer ", id="bearer"),
        pytest.param("authorization", f"DPoP {PLANTED}", "DPoP ", id="dpop-token"),
        pytest.param("AUTHORIZATION", f"Basic {PLANTED}", "Basic ", id="basic"),
        pytest.param("authorization", PLANTED, "", id="no-scheme"),
        pytest.param("proxy-authorization", f"Bearer {PLANTED}", "Bearer ", id="proxy"),
        pytest.param(
            "www-authenticate",
            f'Bearer resource_metadata="http://h/x", error_description="Bearer {PLANTED}"',
            'Bearer resource_metadata="http://h/x", error_description="Bearer ',
            id="challenge",
        ),
        pytest.param("dpop", PLANTED, "", id="proof"),
        pytest.param("set-cookie", f"sid={PLANTED}; Path=/; HttpOnly", "; Path=/", id="set-cookie"),
        pytest.param("location", f"http://a/cb?code={PLANTED}&state=x", "state=x", id="location"),
        pytest.param("referer", f"http://a/#access_token={PLANTED}", "http://a/", id="fragment"),
        pytest.param("x-debug", f"got Bearer {PLANTED}", "got Bearer", id="stray-bearer"),
    ],
)
def test_a_header_field_keeps_its_secret(
    redactor: Redactor, name: str, value: str, rest: str
) -> None:
    shown = redactor.header(name, value)
    assert_hidden(shown)
    assert rest in shown


TOKENS = ("cat_at_0123456789abcdefghij-_", "cat_rt_abcdefghij.0123456789-_", "cat_ac_0123456789")


MINTED = ("cat_cs_0123456789abcdef", "cat_ra_0123456789abcdef", "cat_dc_0123456789abcdef")


@pytest.mark.parametrize("token", [*TOKENS, *MINTED])
def test_a_secret_of_ours_is_known_by_its_shape_wherever_it_stands(
    redactor: Redactor, token: str
) -> None:
    """RFC 6750 §5.3."""
    mark = redactor.mark(token)
    assert redactor.header("x-api-key", token) == mark
    assert redactor.header("x-debug", f"it was ({token})!") == f"it was ({mark})!"
    assert redactor.target(f"/a/{token}?b={token}") == f"/a/{mark}?b={mark}"
    assert redactor.form(f"{token}=1&state={token}") == f"{mark}=1&state={mark}"
    assert redactor.document({"query": [token], token: 1}) == {"query": [mark], mark: 1}
    assert redactor.value("arrived", f"Bearer{token}") == f"Bearer{mark}"
    assert redactor.header("authorization", f"Bearer {token}") == f"Bearer {mark}"


def test_every_shape_that_is_minted_is_known(redactor: Redactor) -> None:
    """RFC 6750 §5.3: whatever the source writes as the beginning of a secret."""
    sources = Path(catshop.__file__).parent.rglob("*.py")
    beginnings = {
        begin
        for each in sources
        for begin in re.findall(r'Secret\(f"(cat_\w+?_)', each.read_text())
    }
    assert len(beginnings) >= 6
    for begin in beginnings:
        assert_hidden(redactor.text(f"{begin}{PLANTED}"))


@pytest.mark.parametrize("member", sorted(KEY_MEMBERS))
@pytest.mark.parametrize("held", [PLANTED, [{"r": PLANTED, "d": PLANTED}], {"x": PLANTED}])
def test_the_private_members_of_a_key_are_hidden(
    redactor: Redactor, member: str, held: object
) -> None:
    """RFC 7518 §6.2.2, §6.3.2, §6.4: also where a registration by mistake sends them."""
    jwks = {"jwks": {"keys": [{"kty": "RSA", "n": "public", member: held}]}}
    shown = body(redactor, "application/json", json.dumps(jwks).encode())
    assert_hidden(shown)
    assert "public" in shown
    assert_hidden(redactor.value("arrived", jwks))


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "k", "r", "t"])
def test_a_private_key_in_a_text_is_hidden(redactor: Redactor, member: str) -> None:
    """RFC 7518 §6: as in the text of a tool result, or a parameter."""
    text = json.dumps({"kty": "EC", member: PLANTED})
    within = json.dumps({"text": text}).encode()
    assert_hidden(body(redactor, "application/json", within))
    assert_hidden(Redactor(b"another key").text(text))
    assert_hidden(Redactor(b"a third key").form(f"claims={quote_plus(text)}"))


def test_what_is_no_key_keeps_its_short_members(redactor: Redactor) -> None:
    assert redactor.document({"d": "day", "k": "x"}) == {"d": "day", "k": "x"}
    assert redactor.text('{"d": "day"}') == '{"d": "day"}'


@pytest.mark.parametrize("times", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("name", ["code", "access_token", "client_secret"])
def test_a_secret_that_is_encoded_in_another_parameter_is_hidden(
    redactor: Redactor, name: str, times: int
) -> None:
    """RFC 3986 §2.1, §2.4: whoever encodes an address in an address hides nothing from a reader."""
    inner = f"https://a.example/cb?{name}={PLANTED}&state=x"
    for _ in range(times - 1):
        inner = f"https://b.example/?next={quote_plus(inner)}"
    sent = f"a=1&redirect_uri={quote_plus(inner)}&b=2"
    for shown in (
        redactor.form(sent),
        redactor.target(f"/authorize?{sent}"),
        redactor.header("location", f"https://c.example/?{sent}"),
    ):
        assert_hidden(shown)
        assert (redactor.mark(PLANTED) in shown) == (times <= LAYERS)
        assert "a=1&redirect_uri=" in shown
        assert shown.endswith("&b=2")


def test_an_encoded_address_without_a_secret_is_shown_as_it_came(redactor: Redactor) -> None:
    sent = "redirect_uri=http%3a%2F%2F127.0.0.1%3A9%2Fcb%3Fx%3D1&scope=read+write&x=100%"
    assert redactor.form(sent) == sent


@pytest.mark.parametrize(
    "text", ["cat_at_", "the cat_at_home", "cat_a", "cat_toys_are_in_the_cart"]
)
def test_what_only_begins_like_a_secret_of_ours_is_shown(redactor: Redactor, text: str) -> None:
    assert redactor.text(text) == text


def test_a_session_is_shown_as_a_mark(redactor: Redactor) -> None:
    """MCP 2025-11-25 basic/transports §session-management: whoever has the id can use it."""
    assert redactor.header("Mcp-Session-Id", PLANTED) == redactor.mark(PLANTED)
    assert_hidden(redactor.header("mcp-session-id", PLANTED))
    assert_hidden(redactor.text(f"Mcp-Session-Id: {PLANTED}"))
    assert_hidden(body(redactor, "application/json", f'{{"sessionId": "{PLANTED}"}}'.encode()))


@pytest.mark.parametrize(
    ("begin", "again", "end"),
    [
        pytest.param("Bearer", " ", "", id="scheme-and-blanks"),
        pytest.param("", "Bearer ", "", id="schemes"),
        pytest.param('"code"', " ", "x", id="member-and-blanks"),
        pytest.param('"code":"', "\\", "", id="value-of-backslashes"),
        pytest.param("", "code=", "", id="names"),
        pytest.param("", "cat_at_", "", id="beginnings"),
        pytest.param("", "cat_", "", id="cats"),
        pytest.param("mcp-session-id", " ", "", id="session-and-blanks"),
        pytest.param("a=", "%25", "3D", id="encodings-in-each-other"),
        pytest.param("a=%", "25", "", id="one-deep-encoding"),
        pytest.param("", "=%", "", id="beginnings-of-encodings"),
        pytest.param('"kty"', '"d":"', "", id="members-of-keys"),
    ],
)
def test_four_times_as_much_takes_about_four_times_as_long(
    redactor: Redactor, begin: str, again: str, end: str
) -> None:
    """RFC 9110 §17.5: a square would take sixteen times as long."""

    def spent(times: int) -> int:
        text, best = begin + again * times + end, []
        for _ in range(5):
            began = time.thread_time_ns()
            redactor.text(text)
            best.append(time.thread_time_ns() - began)
        return min(best)

    assert spent(8_000) <= 10 * max(spent(2_000), 500_000)


def test_every_cookie_is_hidden_and_its_name_is_not(redactor: Redactor) -> None:
    shown = redactor.header("cookie", f"sid={PLANTED}; csrf=Whiskers-2; Whiskers-alone")
    assert_hidden(shown, marks=3)
    assert shown.startswith("sid=‹")


@pytest.mark.parametrize("name", sorted(SECRET_NAMES))
def test_a_secret_parameter_is_hidden_in_a_form_a_query_and_a_document(
    redactor: Redactor, name: str
) -> None:
    form = body(redactor, "application/x-www-form-urlencoded", f"a=1&{name}={PLANTED}".encode())
    assert_hidden(form)
    assert form.startswith(f"a=1&{name}=‹")
    assert_hidden(redactor.target(f"/cb?{name}={PLANTED}&a=1"))
    document = json.dumps({"a": [{name: PLANTED}]}).encode()
    assert_hidden(body(redactor, "application/json; charset=utf-8", document))
    assert_hidden(body(redactor, "application/problem+json", document))
    assert_hidden(
        redactor.value("text", f'{{"{name}": "{PLANTED}"}} and {name}={PLANTED}'), marks=2
    )


def test_a_name_that_is_written_with_escapes_hides_its_value_too(redactor: Redactor) -> None:
    assert_hidden(redactor.form(f"c%6Fde={PLANTED}&grant_type=x"))
    assert_hidden(body(redactor, "application/json", f'{{"c\\u006fde": "{PLANTED}"}}'.encode()))


def test_secrets_in_the_text_of_a_tool_result_are_hidden(redactor: Redactor) -> None:
    inner = json.dumps({"access_token": PLANTED})
    octets = json.dumps({"result": {"content": [{"type": "text", "text": inner}]}}).encode()
    assert_hidden(body(redactor, "application/json", octets))


@pytest.mark.parametrize(
    ("kind", "octets"),
    [
        pytest.param("image/png", PLANTED.encode(), id="a-picture"),
        pytest.param("application/json", f'{{"code": "{PLANTED}"'.encode(), id="cut-json"),
        pytest.param("application/json", b"[" * 100_000, id="too-deep"),
        pytest.param("", PLANTED.encode(), id="no-type"),
        pytest.param(
            "application/x-www-form-urlencoded", b"\xff" + PLANTED.encode(), id="no-utf-8"
        ),
    ],
)
def test_of_a_body_that_is_not_understood_only_the_size_is_shown(
    redactor: Redactor, kind: str, octets: bytes
) -> None:
    shown = body(redactor, kind, octets)
    assert_hidden(shown, marks=0)
    assert shown.startswith(f"{len(octets)} octets")


def test_what_is_public_stays_readable(redactor: Redactor) -> None:
    for text in ("grant_type=authorization_code", "code_challenge=E9Melhoa2Ow", "state=xyz"):
        assert redactor.form(text) == text
    error = {"error": {"code": -32601, "data": {"code": "E-RPC-01"}}}
    assert json.loads(body(redactor, "application/json", json.dumps(error).encode())) == error
    assert redactor.header("content-type", "text/html") == "text/html"


def test_the_same_secret_shows_the_same_mark_wherever_it_stands(redactor: Redactor) -> None:
    marks = {
        *MARK.findall(redactor.header("authorization", f"Bearer {PLANTED}")),
        *MARK.findall(redactor.form(f"token={PLANTED}")),
        *MARK.findall(
            body(redactor, "application/json", f'{{"access_token":"{PLANTED}"}}'.encode())
        ),
        redactor.value("anything", Secret(PLANTED)),
    }
    assert len(marks) == 1
    assert redactor.mark(PLANTED) != redactor.mark(PLANTED + "x")


def test_a_mark_tells_nothing_without_the_key_of_the_process() -> None:
    assert Redactor(b"one").mark(PLANTED) != Redactor(b"two").mark(PLANTED)


def test_a_secret_of_unpaired_surrogates_is_hidden_too(redactor: Redactor) -> None:
    assert MARK.fullmatch(redactor.mark("\ud800"))


def test_raw_octets_are_counted_and_never_shown(redactor: Redactor) -> None:
    assert redactor.value("data", PLANTED.encode()) == f"{len(PLANTED)} octets"
    assert_hidden(redactor.value("params", {"a": [Secret(PLANTED), PLANTED.encode()]}))


def test_nothing_that_a_terminal_obeys_is_printable() -> None:
    assert printable("\x1b[2J\r\n\x00ä‹\u202e") == "\\x1b[2J\\r\\n\\x00ä‹\\u202e"

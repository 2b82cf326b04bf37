"""Accept, Content-Type, cookies, Authorization, forms and events, as values."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catshop.protocol.http1 import sse
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.fields import (
    Cookie,
    SameSite,
    accepts,
    names,
    parse_cookies,
    parse_media_type,
    set_cookie,
    split_authorization,
)
from catshop.protocol.http1.forms import Form, FormError, RepeatedParameter, parse_form
from catshop.protocol.http1.messages import Fields
from catshop.protocol.http1.targets import parse_authority

JSON = "application/json"


@pytest.mark.parametrize(
    ("accept", "accepted"),
    [
        pytest.param(None, True, id="absent"),
        pytest.param("application/json", True, id="exact"),
        pytest.param("Application/JSON; charset=utf-8", True, id="case-and-parameter"),
        pytest.param("text/html, */*;q=0.1", True, id="anything-with-low-weight"),
        pytest.param("application/*", True, id="wildcard"),
        pytest.param("text/event-stream", False, id="other"),
        pytest.param("*/*, application/json;q=0", False, id="specific-zero-wins"),
        pytest.param("application/*;q=0.000, */*", False, id="wildcard-zero-wins"),
        pytest.param("application/json;q=0.001", True, id="smallest-weight"),
        pytest.param("application/json;q=2", False, id="no-weight"),
        pytest.param("application/json;q=", False, id="empty-weight"),
        pytest.param('text/x;a=", application/json"', False, id="quoted-comma"),
        pytest.param("", False, id="empty"),
        pytest.param("json", False, id="no-slash"),
        pytest.param("application/jsonp", False, id="prefix"),
    ],
)
def test_the_most_specific_range_decides_what_is_acceptable(
    accept: str | None,
    accepted: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """RFC 9110 §12.4.2, §12.5.1."""
    assert accepts(accept, JSON) is accepted


def test_a_type_is_named_only_by_its_own_name() -> None:
    """RFC 9110 §12.5.1."""
    assert names("text/event-stream, application/json", JSON)
    assert not names("*/*", JSON)
    assert not names("application/json;q=0", JSON)
    assert not names(None, JSON)


@pytest.mark.parametrize(
    ("value", "name", "charset"),
    [
        pytest.param("application/json", JSON, None, id="plain"),
        pytest.param('APPLICATION/json ; Charset="UTF-8"', JSON, "utf-8", id="quoted"),
        pytest.param("application/json;charset=utf-16", JSON, "utf-16", id="H42"),
        pytest.param("application/json; ;", JSON, None, id="empty-parameters"),
        pytest.param(None, None, None, id="absent"),
        pytest.param("", None, None, id="empty"),
        pytest.param("json", None, None, id="no-slash"),
        pytest.param("*/*", None, None, id="wildcard"),
        pytest.param("application/json, text/plain", None, None, id="list"),
        pytest.param("application/json; charset", None, None, id="no-value"),
        pytest.param("application/json; charset=a; charset=b", None, None, id="two-charsets"),
    ],
)
def test_a_media_type_is_read_whole(
    value: str | None, name: str | None, charset: str | None
) -> None:
    """RFC 9110 §8.3, §8.3.1, §8.3.2, §5.6.2, §5.6.6."""
    parsed = parse_media_type(value)
    assert (parsed and parsed.name) == name
    assert (parsed and parsed.charset) == charset


@pytest.mark.parametrize(
    ("value", "split"),
    [
        pytest.param("Bearer abc", ("bearer", "abc"), id="bearer"),
        pytest.param("DPoP  a b ", ("dpop", "a b"), id="spaces"),
        pytest.param("Bearer", ("bearer", ""), id="scheme-alone"),
        pytest.param(None, None, id="absent"),
        pytest.param("", None, id="empty"),
        pytest.param("Bea(rer x", None, id="no-token"),
    ],
)
def test_an_authorization_is_scheme_and_credentials(
    value: str | None, split: tuple[str, str] | None
) -> None:
    """RFC 9110 §11.4."""
    assert split_authorization(value) == split


def test_cookies_are_read_by_name_and_the_first_wins() -> None:
    """RFC 6265 §5, §5.4."""
    read = parse_cookies('a=1; b="2"; a=3; =x; bad name=4; lonely; c=d=e')
    assert read == {"a": "1", "b": "2", "c": "d=e"}
    assert parse_cookies(None) == {}


def test_a_cookie_is_set_out_of_reach_of_scripts() -> None:
    """RFC 6265 §4, §4.1, §4.1.1."""
    assert set_cookie(Cookie("__Host-s", "v.1")) == (
        "set-cookie",
        "__Host-s=v.1; Path=/; HttpOnly; SameSite=Lax; Secure",
    )
    strict = Cookie("s", "", "/login", max_age=0, same_site=SameSite.STRICT, secure=False)
    assert set_cookie(strict)[1] == "s=; Path=/login; Max-Age=0; HttpOnly; SameSite=Strict"


@pytest.mark.parametrize(("name", "value"), [("a b", "c"), ("a", "b;c"), ("a", "b\r\nc"), ("", "")])
def test_what_no_cookie_can_hold_is_not_set(name: str, value: str) -> None:
    """RFC 6265 §4.1.1."""
    with pytest.raises(ValueError, match="no cookie may have"):
        set_cookie(Cookie(name, value))


def test_a_form_is_read_in_order_and_decoded_once() -> None:
    """WHATWG URL §5.1."""
    form = parse_form("a=1&b=%C3%A9+%2B%2541&a=2&&empty&e=")
    assert list(form) == [
        ("a", "1"), ("b", "\u00e9 +%41"), ("a", "2"), ("empty", ""), ("e", ""),
    ]  # fmt: skip
    assert len(form) == 5
    assert form.one("b") == "\u00e9 +%41"
    assert form.one("none") is None
    assert form.all("a") == ("1", "2")
    assert "a" in form
    assert "none" not in form
    assert parse_form(b"x=y").one("x") == "y"
    assert parse_form("").one("x") is None


def test_a_parameter_that_comes_twice_is_an_error_where_a_decision_stands_on_it() -> None:
    """RFC 6749 §3.1, §3.2."""
    form = parse_form("a=1&resource=x&resource=y&a=1")
    with pytest.raises(RepeatedParameter) as repeated:
        form.one("a")
    assert repeated.value.name == "a"
    assert repeated.value.code == "E-HTTP-61"
    with pytest.raises(RepeatedParameter):
        form.refuse_repetition("resource")
    parse_form("resource=x&resource=y&b=1").refuse_repetition("resource")


@pytest.mark.parametrize(
    "text",
    ["a=%", "a=%4", "a=%zz", "a=%ff", "%c0%ae=x", b"a=\xc3\xa9", "&".join(["a=b"] * 101)],
)
def test_what_is_not_encoded_utf_8_is_no_form(text: str | bytes) -> None:
    """WHATWG URL §5.1, RFC 3629 §3."""
    with pytest.raises(FormError, match="400 E-HTTP-60"):
        parse_form(text)


def test_a_form_does_not_show_its_values() -> None:
    assert repr(parse_form("user=a&password=hush")) == "Form(user, password)"
    assert repr(Form()) == "Form()"


def test_fields_show_no_secret_and_refuse_to_choose() -> None:
    """RFC 9110 §5.3."""
    fields = Fields([("authorization", "hush"), ("a", "1"), ("a", "2")])
    assert "hush" not in repr(fields)
    assert fields.get("a") == "1"
    assert fields.all("a") == ("1", "2")
    assert fields.one("b") is None
    with pytest.raises(HttpError, match="400 E-HTTP-20"):
        fields.one("a")


@given(st.text(max_size=30))
def test_no_text_makes_a_parser_fail(text: str) -> None:
    """A parser gives a value or its own error. RFC 9110 §5.5."""
    accepts(text, JSON)
    parse_media_type(text)
    parse_cookies(text)
    split_authorization(text)
    parse_authority(text)
    with suppress(FormError):
        parse_form(text)


def test_an_event_is_its_fields_and_an_empty_line() -> None:
    """WHATWG HTML §9.2.5."""
    assert sse.event("a") == b"data: a\n\n"
    assert sse.event(b"a\r\nb\rc\n", id="7", retry=10, event="x") == (
        b"event: x\nid: 7\nretry: 10\ndata: a\ndata: b\ndata: c\ndata: \n\n"
    )
    assert sse.event("", id="") == b"id: \ndata: \n\n"
    assert sse.comment() == b":\n\n"
    assert sse.comment("hi") == b": hi\n\n"


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b"])
def test_an_event_cannot_be_split_by_its_id_or_name(text: str) -> None:
    """WHATWG HTML §9.2.6."""
    with pytest.raises(ValueError, match="one line"):
        sse.event("", id=text)
    with pytest.raises(ValueError, match="one line"):
        sse.event("", event=text)
    with pytest.raises(ValueError, match="one line"):
        sse.comment(text)


STREAM = (
    b"\xef\xbb\xbf: hello\r\n\r\nid: 1\nretry: 500\ndata\r\rdata:  a\ndata:b\nevent: x\nid\n\n"
    b"id: 9\0\nretry: 5x\nother: y\ndata: \xc3\xa9\nid: 2\n\nid: 3\n\ndata: lost"
)
EVENTS = [
    sse.ServerEvent("", "message", "1", 500),
    sse.ServerEvent(" a\nb", "x", ""),
    sse.ServerEvent("\u00e9", "message", "2"),
]


@given(st.sets(st.integers(0, len(STREAM))))
def test_a_stream_in_any_pieces_gives_the_same_events(cuts: set[int]) -> None:
    """WHATWG HTML §9.2.4, §9.2.6."""
    decoder, read = sse.Decoder(), list[sse.ServerEvent]()
    points = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(points):
        read += decoder.receive(STREAM[start:end])
    assert read == EVENTS
    assert decoder.last_event_id == "3"


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="\r\n\0"), max_size=9))
def test_what_is_encoded_is_decoded(data: str, name: str) -> None:
    """WHATWG HTML §9.2.6."""
    try:
        octets = sse.event(data, event=name, id=name)
    except UnicodeEncodeError:
        return
    lines = data.replace("\r\n", "\n").replace("\r", "\n")
    assert sse.Decoder().receive(octets) == [sse.ServerEvent(lines, name or "message", name)]


def test_octets_that_are_not_utf_8_end_the_reading() -> None:
    """WHATWG HTML §9.2.5."""
    with pytest.raises(UnicodeDecodeError):
        sse.Decoder().receive(b"data: \xff\n\n")

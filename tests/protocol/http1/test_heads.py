"""The request line, Host, the target and the limits of a head: rows H29 to H41."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catshop.limits import HttpLimits
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.heads import read_head, take_head
from catshop.protocol.http1.messages import Head
from catshop.protocol.http1.targets import parse_origin

LIMITS = HttpLimits()


def request(line: str = "GET / HTTP/1.1", *fields: str) -> bytes:
    return "\r\n".join((line, *(fields or ("Host: shop",)), "", "")).encode("latin-1")


def read(data: bytes, limits: HttpLimits = LIMITS) -> Head:
    """As the connection does it: first find the head, then read it."""
    buffer = bytearray(data)
    head = take_head(buffer, 0, limits)
    assert head is not None
    return read_head(head, limits)


def param(row: str, data: bytes, status: int, code: str) -> object:
    return pytest.param(data, status, code, id=row)


REFUSED = [
    param("H29-no-host", request("GET / HTTP/1.1", "X: y"), 400, "E-HOST-02"),
    param("H29-no-host-1.2", request("GET / HTTP/1.2", "X: y"), 400, "E-HOST-02"),
    param("H29-two-hosts", request("GET / HTTP/1.1", "Host: a", "Host: b"), 400, "E-HOST-02"),
    param("H29-same-host-twice", request("GET / HTTP/1.1", "Host: a", "Host: a"), 400, "E-HOST-02"),
    *(
        param(f"host-{host!r}", request("GET / HTTP/1.1", f"Host: {host}"), 400, "E-HOST-02")
        for host in (
            "", "a/abc?bar=", "user@a", "a, b", "a b", "[::1", "a:", "a:99999", "a:b", "a#", "-a",
            "\u00e9",
        )
    ),
    param("H31-userinfo", request("GET http://u@shop/ HTTP/1.1"), 400, "E-HOST-02"),
    param("H31-bad-host-beside", request("GET http://a/ HTTP/1.1", "Host: a/b"), 400, "E-HOST-02"),
    *(
        param(f"H32-target-{target}", request(f"GET {target} HTTP/1.1"), 400, "E-HTTP-07")
        for target in (
            "foo", "*", "/a#b", "/a\\b", "/%00", "/a%0d%0ab", "/a%0Ab", "/%7f", "/%c0%ae", "/%ff",
            "/%", "/%zz", '/"', "/<", "/a?b#c", "/?\\", "ftp://a/", "/?%g0",
        )
    ),
    param("H33-target-9000", request("GET /" + "a" * 9000 + " HTTP/1.1"), 414, "E-HTTP-08"),
    param("H33-target-20000", request("GET /" + "a" * 20000 + " HTTP/1.1"), 414, "E-HTTP-08"),
    param("H33-head-17K", request("GET / HTTP/1.1", "X: " + "a" * 17000), 431, "E-HTTP-09"),
    param("H33-101-fields", request("GET / HTTP/1.1", "Host: a", *["a:b"] * 100), 431, "E-HTTP-18"),
    param("H33-3000-fields", request("GET / HTTP/1.1", *["a:"] * 3000), 431, "E-HTTP-18"),
    *(
        param(f"H35-{version}", request(f"GET / {version}"), 505, "E-HTTP-05")
        for version in ("HTTP/2.0", "HTTP/9.9", "HTTP/0.9")
    ),
    param("H35-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "E-HTTP-05"),
    param("H36-tls", b"\x16\x03\x01\x02\x00\x01\x00", 400, "E-HTTP-03"),
    param("H36-0.9", b"GET /\r\n\r\n", 400, "E-HTTP-01"),
    *(
        param(f"H36-{line!r}", request(line), 400, "E-HTTP-01")
        for line in (
            "GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/\tHTTP/1.1", "GET / http/1.1",
            "GET / HTTP/01.1", "GET /\u00e9 HTTP/1.1", " GET / HTTP/1.1",
        )
    ),
    *(
        param(f"H38-{line}", request(line), 501, "E-HTTP-06")
        for line in (
            "BREW / HTTP/1.1", "get / HTTP/1.1", "CONNECT a:443 HTTP/1.1", "A" * 99 + " / HTTP/1.1",
        )
    ),
    param("H38-endless-method", b"A" * 9000, 501, "E-HTTP-06"),
    param("H41-200-ok", request("GET / HTTP/1.1", "Host: a", "Expect: 200-ok"), 417, "E-HTTP-14"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "status", "code"), REFUSED)
def test_a_head_that_could_be_misread_is_refused(data: bytes, status: int, code: str) -> None:
    """RFC 9112 §2.2, §2.3, §3, §3.2; RFC 9110 §7.2, §9.1, §10.1.1, §15.6.2; RFC 6585 §5."""
    with pytest.raises(HttpError) as refusal:
        read(data)
    assert (refusal.value.status, refusal.value.code) == (status, code)
    assert refusal.value.close
    assert refusal.value.arrived.isascii()


def test_random_octets_are_refused_at_once() -> None:
    """Row H36: nobody waits for the deadline. RFC 9112 §2.2."""
    with pytest.raises(HttpError, match="400 E-HTTP-03"):
        take_head(bytearray(range(256)) * 256, 0, LIMITS)


@pytest.mark.parametrize(
    ("line", "path", "query", "authority"),
    [
        pytest.param("GET / HTTP/1.1", "/", "", "shop", id="root"),
        pytest.param("GET /a?b?c HTTP/1.1", "/a", "b?c", "shop", id="query"),
        pytest.param(
            "GET /a?%00%0d=%ff HTTP/1.1", "/a", "%00%0d=%ff", "shop", id="query-undecoded"
        ),
        pytest.param(
            "GET /%C3%A9/%2e%2E HTTP/1.1", "/%C3%A9/%2e%2E", "", "shop", id="path-undecoded"
        ),
        pytest.param(
            "GET /a?x=[1]{2}|^` HTTP/1.1", "/a", "x=[1]{2}|^`", "shop", id="as-browsers-do"
        ),
        pytest.param("GET //a//b HTTP/1.1", "//a//b", "", "shop", id="empty-segments"),
        pytest.param("OPTIONS * HTTP/1.1", "*", "", "shop", id="H39-asterisk"),
        pytest.param("GET HTTP://Evil:81/x?y HTTP/1.1", "/x", "y", "evil:81", id="H31-absolute"),
        pytest.param("GET http://evil?y HTTP/1.1", "/", "y", "evil", id="H31-no-path"),
        pytest.param("OPTIONS http://evil HTTP/1.1", "*", "", "evil", id="H31-asterisk"),
        pytest.param(
            "GET /" + "a" * 7986 + " HTTP/1.1", "/" + "a" * 7986, "", "shop", id="H34-8000"
        ),
    ],
)
def test_a_target_is_taken_apart_and_never_decoded(
    line: str, path: str, query: str, authority: str
) -> None:
    """RFC 9112 §3, §3.2.2, RFC 9110 §4.1, RFC 3986 §3.4, RFC 3629 §3."""
    head = read(request(line))
    assert (head.path, head.query, head.authority) == (path, query, authority)


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        pytest.param("Shop.Example:8000", "shop.example:8000", id="lower-case"),
        pytest.param("[::1]:80", "[::1]:80", id="ipv6"),
        pytest.param("127.0.0.1", "127.0.0.1", id="ipv4"),
        pytest.param("a_b.", "a_b.", id="underscore-and-root"),
    ],
)
def test_a_well_formed_host_is_the_authority(host: str, authority: str) -> None:
    """RFC 9110 §4.2.1, §4.2.3, §4.2.4, §7.2."""
    assert read(request("GET / HTTP/1.1", f"Host: {host}")).authority == authority


def test_http_1_0_may_come_without_host_and_expects_nothing() -> None:
    """Row H41. RFC 9112 §3.2, RFC 9110 §10.1.1."""
    head = read(request("GET / HTTP/1.0", "Expect: anything"))
    assert (head.version, head.authority) == ("1.0", "")


@pytest.mark.parametrize("version", ["1.2", "1.9"])
def test_a_later_minor_version_is_processed_as_1_1(version: str) -> None:
    """505 is about the major version alone. RFC 9110 §2.5, §15.6.6."""
    read_by_us = read(request(f"GET / HTTP/{version}", "Host: a", "Transfer-Encoding: chunked"))
    assert read_by_us.version == "1.1"
    with pytest.raises(HttpError, match="417 E-HTTP-14"):
        read(request(f"GET / HTTP/{version}", "Host: a", "Expect: 200-ok"))


def test_a_hundred_fields_are_read_in_order() -> None:
    """RFC 9110 §5.3."""
    head = read(request("GET / HTTP/1.1", "Host: a", *(f"X-{n}: {n}" for n in range(99))))
    assert [value for _, value in head.fields] == ["a", *(str(n) for n in range(99))]


def test_disguised_framing_fields_are_dropped_and_others_kept() -> None:
    """Row H12. RFC 9112 §6.3."""
    fields = "Host: a", "Content_Length: 9", "TRANSFER_ENCODING: chunked", "Mcp_Param_X: y"
    assert [name for name, _ in read(request("GET / HTTP/1.1", *fields)).fields] == [
        "host",
        "mcp_param_x",
    ]


def test_a_refusal_never_repeats_what_a_broken_field_held() -> None:
    """RFC 9110 §17.13."""
    with pytest.raises(HttpError) as refusal:
        read(request("GET / HTTP/1.1", "Host: a", "Authorization : Bearer hush"))
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        pytest.param("http://LOCALHOST:3000", "http://localhost:3000", id="lower-case"),
        pytest.param("https://a.example:443", "https://a.example", id="default-port"),
        *(
            pytest.param(text, None, id=text)
            for text in (
                "null", "", "http://", "localhost", "http://a/", "http://a?b", "http://u@a", "ftp://a",
                "http://localhost:3000@evil", "http://a http://b", "http://a,http://b", "http://a\\b",
            )
        ),
    ],
)  # fmt: skip
def test_an_origin_is_parsed_whole_or_not_at_all(text: str, origin: str | None) -> None:
    """Row N2. RFC 6454 §4, §6, §6.2."""
    parsed = parse_origin(text)
    assert (None if parsed is None else str(parsed)) == origin


SEED = request("POST /a?b=c HTTP/1.1", "Host: a:1", "Content-Length: 5", "Expect: 100-continue")


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(SEED)), st.integers(0, 3), st.binary(max_size=4)), max_size=4
    )
)
def test_a_mutilated_head_is_read_or_refused_and_nothing_else(
    cuts: list[tuple[int, int, bytes]],
) -> None:
    """RFC 9112 §2.2."""
    data = SEED
    for at, length, put in cuts:
        data = data[:at] + put + data[at + length :]
    try:
        head = read_head(data, LIMITS)
    except HttpError as refusal:
        closes = refusal.close
        assert closes, "a malformed head takes the connection with it"
    else:
        assert head.path.startswith("/") or head.path == "*"

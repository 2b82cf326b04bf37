"""What a stranger sends is read in time that grows with its length, never with its square.

Every reader meets the text that its own grammar would have to try in the most ways. RFC 9110 §17.5.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

import pytest

from catshop.limits import HttpLimits
from catshop.protocol.http1.bodies import CHUNK_LINE, FIELD_LINE
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.fields import (
    accepts,
    names,
    parse_cookies,
    parse_media_type,
    split_authorization,
)
from catshop.protocol.http1.forms import parse_form
from catshop.protocol.http1.heads import read_head
from catshop.protocol.http1.targets import parse_authority, parse_origin, parse_target

LIMITS: Final = replace(HttpLimits(), head=1 << 20, request_line=1 << 20)

SIZE: Final = 2_000
"""Repetitions; a reader that squares them needs milliseconds for these and seconds for more."""
GROWTH: Final = 4
TOLERATED: Final = 10
"""Four times as much may take this many times as long; a square would take sixteen times."""
UNMEASURABLE: Final = 500_000
"""Nanoseconds below which a time says more of the machine than of the reader."""


def head(text: str) -> None:
    read_head(f"GET / HTTP/1.1\r\nHost: shop\r\n{text}\r\n\r\n".encode("latin-1"), LIMITS)


def content_type(text: str) -> None:
    parse_media_type.__wrapped__(text)


def accept(text: str) -> None:
    accepts.__wrapped__(text, "application/json")
    names(text, "text/event-stream")


def query(text: str) -> None:
    parse_target("GET", f"/?{text}")


def path(text: str) -> None:
    parse_target("GET", f"/{text}")


def chunk(text: str) -> None:
    CHUNK_LINE.fullmatch(text.encode("latin-1"))


def trailer(text: str) -> None:
    FIELD_LINE.fullmatch(text.encode("latin-1"))


def form(text: str) -> None:
    parse_form(text, most=1 << 20)


def spent(read: Callable[[str], object], text: str) -> int:
    """The time of this thread that reading takes, the best of a few, in nanoseconds."""
    times = []
    for _ in range(5):
        began = time.thread_time_ns()
        with suppress(HttpError):
            read(text)
        times.append(time.thread_time_ns() - began)
    return min(times)


@pytest.mark.parametrize(
    ("read", "begin", "again", "end"),
    [
        pytest.param(head, "Content-Length: a", " ", "a", id="length-of-blanks"),
        pytest.param(head, "Content-Length:", " \t", "", id="length-that-is-blank"),
        pytest.param(head, "", "Content-Length: 1\r\n", "X: y", id="many-lengths"),
        pytest.param(head, "X: a", " \t", "b", id="field-of-blanks"),
        pytest.param(head, "X: ", "a ", "", id="field-of-words"),
        pytest.param(head, "Expect: ", "a ", "", id="expectation"),
        pytest.param(content_type, "a/b;", " ;", "x", id="parameters-without-names"),
        pytest.param(content_type, 'a/b;c="', "\\\\", "", id="quoted-and-never-ended"),
        pytest.param(content_type, "a/b;", "a", "", id="parameter-without-value"),
        pytest.param(content_type, "a/b", " \t", "x", id="media-type-and-blanks"),
        pytest.param(content_type, "", "a", "", id="media-type-without-slash"),
        pytest.param(accept, "", '"', "", id="accept-of-quotes"),
        pytest.param(accept, '"', "\\", "", id="accept-of-backslashes"),
        pytest.param(accept, "", '"\\', '"', id="accept-of-both"),
        pytest.param(accept, "", ",", "", id="accept-of-commas"),
        pytest.param(accept, "a/b", " ;", "q", id="accept-of-empty-parameters"),
        pytest.param(parse_cookies, "", "; ", "=", id="cookies-of-nothing"),
        pytest.param(parse_cookies, "a=", '"', "", id="cookie-of-quotes"),
        pytest.param(split_authorization, "", "a", "\n", id="scheme"),
        pytest.param(split_authorization, "a", " ", "b", id="scheme-and-blanks"),
        pytest.param(parse_authority, "", "a.", "!", id="host"),
        pytest.param(parse_authority, "[", ":", "!", id="address"),
        pytest.param(parse_origin, "http://", "a", "/\n", id="origin-with-a-line-end"),
        pytest.param(path, "", "%20", "%", id="path"),
        pytest.param(path, "", "/", "\\", id="path-of-slashes"),
        pytest.param(query, "", "a=b&", "\\", id="query"),
        pytest.param(form, "", "%25", "%", id="form-of-percents"),
        pytest.param(form, "", "&", "", id="form-of-nothing"),
        pytest.param(chunk, "1", ';a="b"', ";", id="chunk-extensions"),
        pytest.param(chunk, '1;a="', "b", "", id="chunk-extension-that-never-ends"),
        pytest.param(trailer, "", "a", " ", id="trailer-without-colon"),
    ],
)
def test_four_times_as_much_takes_about_four_times_as_long(
    read: Callable[[str], object], begin: str, again: str, end: str
) -> None:
    """RFC 9110 §17.5: attacks by what costs the reader more than its sender."""
    short = spent(read, begin + again * SIZE + end)
    long = spent(read, begin + again * SIZE * GROWTH + end)
    assert long <= TOLERATED * max(short, UNMEASURABLE)

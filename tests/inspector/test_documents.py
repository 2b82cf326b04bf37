"""Texts that somebody else chose: none of them stops whoever reads a recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from catshop.inspector.again import differences
from catshop.inspector.documents import DEEP, document, members, spread
from catshop.inspector.flows import keys_of
from catshop.inspector.gifts import readings
from catshop.inspector.httpfile import is_json
from catshop.inspector.recording import Answer, Body, Exchange, Request
from catshop.inspector.rungs import rungs
from catshop.inspector.web.decoders import jwt
from catshop.inspector.web.exchanges import detail

DEEPER: Final = ("[" * 40_000 + "]" * 40_000, '{"a":' * 900 + "1" + "}" * 900)
"""Deeper than Python parses, and deeper than what it has parsed can be written again."""


def _nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def _answered(text: str, kind: str) -> Exchange:
    asked = Request(n=1, method="POST", target="/register")
    bodies = (Body(n=1, way=way, type=kind, text=text, size=len(text)) for way in "><")
    return Exchange(1, lines=[asked, Answer(n=1, status=400), *bodies])


def test_a_document_is_read_down_to_a_bound_and_no_deeper() -> None:
    """RFC 8259 §9."""
    assert document(_nested(DEEP)) is not None
    assert document(_nested(DEEP + 1)) is None
    assert document('{"a":' * DEEP + "1" + "}" * DEEP) is not None
    assert document('{"a":' * (DEEP + 1) + "1" + "}" * (DEEP + 1)) is None


@pytest.mark.parametrize("text", ["", "{", "nothing", "1" * 5000, *DEEPER])
def test_a_text_that_is_no_document_is_none(text: str) -> None:
    assert document(text) is None
    assert members(text) == {}


@pytest.mark.parametrize("text", ["[]", "1", '"a"', "null"])
def test_only_an_object_has_members(text: str) -> None:
    assert members(text) == {}
    assert members('{"a": 1}') == {"a": 1}


def test_a_document_is_spread_a_member_a_line() -> None:
    assert spread({"a": "Ä"}).splitlines() == ["{", '  "a": "Ä"', "}"]


READERS: Final[dict[str, Callable[[Exchange], object]]] = {
    "the page of the exchange": lambda each: detail(each, [each], "http://127.0.0.1:1"),
    "the ladder": lambda each: list(rungs([each])),
    "what answers give": lambda each: list(readings(each)),
    "flows": lambda each: [list(keys_of(line)) for line in each.lines],
    "an .http file": lambda each: is_json(each.body("<").text),
}


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
@pytest.mark.parametrize("text", DEEPER, ids=["unparsed", "unwritten"])
@pytest.mark.parametrize("reader", READERS)
def test_no_depth_stops_a_reader(reader: str, text: str, kind: str) -> None:
    """RFC 8259 §9."""
    assert READERS[reader](_answered(text, kind)) is not None


@pytest.mark.parametrize("text", DEEPER, ids=["unparsed", "unwritten"])
def test_a_deep_answer_is_compared_as_the_text_that_it_is(text: str) -> None:
    exchange = _answered(text, "text/plain")
    assert list(differences(exchange, 400, exchange.answer.fields, text)) == []
    assert f"+{text}!" in list(differences(exchange, 400, exchange.answer.fields, text + "!"))


def test_a_token_whose_header_is_too_deep_is_none() -> None:
    header = "W1tb" * 300 + "XV1d" * 300
    assert jwt(f"{header}.e30.") == jwt(f"{'W' * 5}.e30.")

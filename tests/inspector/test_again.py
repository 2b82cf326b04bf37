"""A recorded request, ready to be sent again: what may change, what is missing, what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from catshop.inspector.again import again, changed, differences, whole
from catshop.inspector.recording import Answer, Body, Exchange, Frame, RecordingRefused, Request

FORM = "application/x-www-form-urlencoded"


def exchange(text: str, kind: str = FORM, target: str = "/a?b=1", note: str = "") -> Exchange:
    fields = (("Host", "x"), ("Authorization", "Bearer ‹aabbcc›"), ("X-Cat", "1"))
    return Exchange(
        1,
        0,
        [
            Request(n=1, method="POST", target=target, fields=fields),
            Body(n=1, type=kind, text=text, size=len(text), note=note),
            Answer(n=1, status=200, fields=(("Date", "then"), ("X-Mark", "‹aabbcc›"))),
            Body(n=1, way="<", type="application/json", text='{"a":1,"b":"‹aabbcc›"}', size=9),
        ],
    )


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(RecordingRefused) as caught:
        yield
    assert caught.value.code == code


def test_a_parameter_a_member_or_a_field_can_have_another_value() -> None:
    form = again(exchange("c=2&c2=%26"))
    assert changed(form, "c", "x y").body == "c=x+y&c2=%26"
    assert changed(form, "b", "2").target() == "/a?b=2"
    assert ("x-cat", "2") in changed(form, "x-cat", "2").fields
    assert ("Authorization", "Bearer t") in changed(form, "Authorization", "Bearer t").fields
    json_ = again(exchange('{"params": {"name": "a"}}', "application/json"))
    assert json.loads(changed(json_, "params.name", "b").body) == {"params": {"name": "b"}}
    assert json.loads(changed(json_, "params", "[1]").body) == {"params": [1]}


def test_what_nothing_is_called_cannot_be_set() -> None:
    for name in ("nothing", "params.nothing", "params.name.more"):
        with refused("E-REC-09"):
            changed(again(exchange('{"params": {"name": "a"}}', "application/json")), name, "1")


def test_a_request_with_a_mark_is_not_sent() -> None:
    """A server must not be shown what only looks like a secret."""
    lacking = again(exchange("code=‹aabbcc›&a=1"))
    with refused("E-REC-10"):
        whole(lacking)
    assert whole(changed(lacking, "code", "new")).body == "code=new&a=1"
    for odd in (exchange("", target="/?c=‹aabbcc›"), exchange('"‹aabbcc›"', "application/json")):
        with refused("E-REC-10"):
            whole(again(odd))


def test_what_was_not_recorded_whole_is_not_sent() -> None:
    for odd in (Exchange(1), exchange("x", note="cut: 1 of 2 characters left out")):
        with refused("E-REC-08"):
            again(odd)


def test_the_token_and_what_belongs_to_a_connection_are_not_sent_again() -> None:
    request = again(exchange(""))
    assert (request.fields, request.tokened) == ((("X-Cat", "1"),), True)


def test_only_what_differs_is_shown() -> None:
    """Another date, another secret and another spelling are no differences."""
    fields = (("x-mark", "‹112233›"), ("date", "now"))
    body = '{ "a": 1, "b": "‹112233›" }'
    assert list(differences(exchange(""), 200, fields, body)) == []
    found = list(differences(exchange(""), 403, fields, body.replace("1,", "2,")))
    assert {"-200", "+403", '- "a": 1,', '+ "a": 2,'} <= set(found)
    assert not any("‹›" in line for line in found if line[0] in "+-" and line[:3] not in "+++---")


def test_events_of_a_stream_are_compared_one_by_one() -> None:
    kept = exchange("")
    kept.lines += [Frame(n=1, text="data: 1"), Frame(n=1, text="data: 2")]
    fields = (("X-Mark", "‹›"),)
    assert list(differences(kept, 200, fields, "data: 1\n\ndata: 2\n\n")) == []
    assert "-data: 2" in list(differences(kept, 200, fields, "data: 1\n\n"))

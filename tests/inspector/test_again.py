"""A recorded request, ready to be sent again: what may change, what is missing, what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from catshop.inspector.again import again, changed, differences, filled, whole
from catshop.inspector.gifts import cookies
from catshop.inspector.recording import (
    Answer,
    Body,
    Exchange,
    Frame,
    Recording,
    RecordingRefused,
    Request,
    Started,
)
from catshop.inspector.rehearsal import given_by, rehearsed, s256
from tests.inspector.talks import talk
from tests.inspector.test_curl import TALK, login

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


def call(arguments: object, **fields: str) -> Exchange:
    """A call of 2026-07-28, whose fields say again what its body says."""
    version = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    params = {"name": "add_to_cart", "arguments": arguments, "_meta": version}
    sent = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    told = {"Mcp-Method": "tools/call", "Mcp-Name": "add_to_cart", "Mcp-Param-Size": "2"}
    return talk(1, "POST /mcp", 200, sent=sent, fields={**told, **fields})


def test_what_was_meant_is_named_where_nothing_is_called_so() -> None:
    with pytest.raises(RecordingRefused) as caught:
        changed(again(call({"quantity": 2})), "quantity", "7")
    assert caught.value.arrived == "quantity; did you mean params.arguments.quantity?"


def test_fields_follow_the_member_that_they_mirror() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §standard-request-headers, §value-encoding.

    Unless they are set themselves: then one says another thing than the other, on purpose.
    """
    request = again(call({"size": 2, "quantity": 2}))
    named = changed(request, "params.name", "checkout")
    assert ("Mcp-Name", "checkout") in named.fields
    assert ("Mcp-Name", "=?base64?w7w=?=") in changed(request, "params.name", "ü").fields
    assert ("Mcp-Param-Size", "3") in changed(request, "params.arguments.size", "3").fields
    method = changed(request, "method", "tools/list", explicit=("mcp-method",))
    assert ("Mcp-Method", "tools/call") in method.fields
    version = changed(request, "params._meta.io.modelcontextprotocol/protocolVersion", "x")
    assert json.loads(version.body)["params"]["_meta"].popitem()[1] == "x"


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
    with refused("E-REC-08"):
        again(TALK[2])


def test_the_token_and_what_belongs_to_a_connection_are_not_sent_again() -> None:
    request = again(exchange(""))
    assert (request.fields, request.tokened) == ((("X-Cat", "1"),), True)


def test_a_host_of_somebody_else_is_kept_and_decides_nothing() -> None:
    """RFC 9110 §7.4: it is what was asked, and not who was."""
    odd = talk(2, "GET /mcp", 421, fields={"Host": "evil.example"})
    made = rehearsed(Recording(Started(), {1: TALK[0], 2: odd}), odd)
    assert (made.base, ("Host", "evil.example") in made.last.request.fields) == (
        "http://127.0.0.1:4711",
        True,
    )
    alone = rehearsed(Recording(Started(url="http://127.0.0.1:1/mcp"), {2: odd}), odd)
    assert alone.base == "http://127.0.0.1:1"


def test_what_leads_up_to_a_request_is_what_gives_it_its_secrets() -> None:
    """The code by the page that gave it, the client by its registration, and no request more."""
    recording = Recording(Started(), {each.n: each for each in TALK})
    made = rehearsed(recording, TALK[3])
    assert [step.was.n for step in made.before] == [1, 2]
    given = given_by(TALK[1], talk(2, "GET /", 303, answered={"location": "/?code=new"}))
    thought = made.invented(iter(["one", "two"]).__next__)
    request = filled(made.last.request, {**given, made.base: "http://s:1"}, thought)
    assert request.body == "code=new&code_verifier=one&resource=http%3A%2F%2Fs%3A1%2Fmcp"
    asked = filled(made.before[1].request, {"cat_0123456789abcdef": "cat_new"}, thought)
    assert asked.query == f"client_id=cat_new&state=two&code_challenge={s256('one')}"


def test_a_challenge_is_the_hash_of_its_verifier() -> None:
    """RFC 7636 §4.2, with the values of its Appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert s256(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_session_is_opened_anew_even_if_it_began_before_the_recording() -> None:
    """MCP 2025-11-25 basic/lifecycle §initialization, in the version of the request.

    MCP 2025-11-25 basic/transports §protocol-version-header.
    """
    fields = {"Mcp-Session-Id": "‹aabbcc›", "Authorization": "Bearer ‹ddeeff›"}
    call_ = talk(7, "POST /mcp", 200, sent={"method": "ping"}, fields=fields)
    made = rehearsed(Recording(Started(), {7: call_}), call_)
    sent = [json.loads(step.request.body) for step in made.before]
    assert [each["method"] for each in sent] == ["initialize", "notifications/initialized"]
    assert sent[0]["params"]["protocolVersion"] == "2025-03-26"
    assert all(step.request.tokened for step in (*made.before, made.last))
    named = rehearsed(Recording(Started(), {7: call_}), call_, [("Mcp-Session-Id", "mine")])
    assert named.before == ()


def test_what_cannot_be_had_is_named_and_can_be_brought_for_the_step_that_lacks_it() -> None:
    """The password of somebody who has signed up long ago."""
    signed_in = login(1, "sign-in", "ann", "‹bbbbbb›", 303)
    signed_in.lines[-2] = Answer(status=303, fields=(("set-cookie", "c=‹cccccc›"),))
    page = talk(2, "GET /consent", 200, fields={"Cookie": "c=‹cccccc›"})
    recording = Recording(Started(), {1: signed_in, 2: page})
    with pytest.raises(RecordingRefused, match=r"E-REC-10: password of #1$"):
        rehearsed(recording, page)
    made = rehearsed(recording, page, [("password", "meow")])
    assert made.before[0].request.body == "action=sign-in&username=ann&password=meow"


def test_only_what_differs_is_shown() -> None:
    """Another date, another secret and another spelling are no differences."""
    fields = (("x-mark", "‹112233›"), ("date", "now"))
    body = '{ "a": 1, "b": "‹112233›" }'
    assert list(differences(exchange(""), 200, fields, body)) == []
    found = list(differences(exchange(""), 403, fields, body.replace("1,", "2,")))
    assert {"-200", "+403", '- "a": 1,', '+ "a": 2,'} <= set(found)
    assert not any("‹›" in line for line in found if line[0] in "+-" and line[:3] not in "+++---")


def test_ids_and_dates_of_a_registration_are_no_difference() -> None:
    """RFC 7591 §3.2.1; RFC 7592 §3."""
    said = {"client_id": "cat_a", "client_id_issued_at": 1, "registration_client_uri": "u/cat_a"}
    was = talk(1, "POST /register", 201, said=said)
    now = {"client_id": "cat_b", "client_id_issued_at": 2, "registration_client_uri": "u/cat_b"}
    assert list(differences(was, 201, (), json.dumps(now))) == []
    assert list(differences(was, 201, (), json.dumps({**now, "scope": "read"}))) != []


def test_events_of_a_stream_are_compared_one_by_one() -> None:
    kept = exchange("")
    kept.lines += [Frame(n=1, text=text) for text in ("data: 1", ": still here", "data: 2")]
    fields = (("X-Mark", "‹›"),)
    assert list(differences(kept, 200, fields, "data: 1\n\ndata: 2\n\n")) == []
    assert "-data: 2" in list(differences(kept, 200, fields, "data: 1\n\n"))


def test_a_cookie_ends_at_its_semicolon_and_may_hold_more_than_one_sign_of_equality() -> None:
    """RFC 6265 §4.2.1: a base64 value ends with some."""
    assert cookies("a=b; c=d=; e=") == [("a", "b"), ("c", "d="), ("e", "")]

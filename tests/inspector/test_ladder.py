"""A recorded conversation, drawn: nothing that was not recorded, nothing that moves a cursor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catshop.inspector.ladder import ASCII, LINES, Style, Tone, ladder
from catshop.inspector.mermaid import mermaid
from catshop.inspector.recording import Check, Exchange, Frame, Sql
from catshop.inspector.rungs import EVENTS, Lane, Rung, callee, caller, rungs
from tests.inspector.talks import DIAGRAM, PAGE, talk

STILL = Style(times=False)

TALK = [
    talk(
        1,
        "POST /mcp",
        401,
        Check(name="host.listed", verdict="ok"),
        fields={"Mcp-Method": "tools/call", "Mcp-Name": "checkout"},
        said={"code": "E-CHAL-01"},
        answered={"www-authenticate": 'Bearer resource_metadata="http://h/.well-known/x", a="b"'},
    ),
    talk(
        2, "GET /login?req=‹a1b2c3›&x=y", 303, fields=PAGE, answered={"location": "/c?k=‹d4e5f6›"}
    ),
    talk(
        3,
        "POST /token",
        400,
        Sql(sql="SELECT * FROM codes", rows=1),
        Sql(sql="UPDATE codes SET tries = ?", rows=1),
        Sql(sql="DELETE FROM requests WHERE id = ?", rows=0),
        Sql(sql="COMMIT"),
        Check(name="code.fresh", verdict="ok"),
        Check(name="pkce.s256", verdict="NO", told={"code": "E-PKCE-03", "expected": "x"}),
        said={"error_description": "no. E-PKCE-03"},
    ),
]


def test_a_conversation_is_drawn_as_it_went() -> None:
    """One arrow for each message, and the reason beside the check that said no."""
    assert (
        "\n".join(ladder(rungs(TALK), STILL))
        == """\
    client  browser    auth     mcp       db
  1   ├─────────────────────────▶│        │  POST /mcp tools/call checkout
      │◀─────────────────────────┤        │  401  E-CHAL-01 A token is needed, go to /.well-known/x
  2   │        ├───────▶│        │        │  GET /login
      │        │◀───────┤        │        │  303  go to /c?k=‹d4e5f6›
  3   ├────────────────▶│        │        │  POST /token
      │        │        ●        │        │  ok code.fresh
      │        │        ●        │        │  NO pkce.s256 E-PKCE-03
      │        │        ├────────────────▶│  UPDATE codes, 1 SELECT
      │◀────────────────┤        │        │  400  E-PKCE-03 The code_challenge is malformed"""
    )


def test_the_same_in_ascii_and_with_times() -> None:
    """For terminals that have no other signs."""
    assert (
        "\n".join(ladder(rungs(TALK[1:2]), Style(ASCII)))
        == """\
    client  browser    auth     mcp       db
  2   |        +------->|        |        |  GET /login
      |        |<-------+        |        |  303 1.2 ms  go to /c?k=<d4e5f6>"""
    )


@pytest.mark.parametrize(
    ("asked", "fields", "expected"),
    [
        pytest.param("POST /mcp", {}, (Lane.CLIENT, Lane.MCP), id="mcp"),
        pytest.param("POST /under/mcp/", {}, (Lane.CLIENT, Lane.MCP), id="mcp-below-a-path"),
        pytest.param("POST /", {"Mcp-Method": "ping"}, (Lane.CLIENT, Lane.MCP), id="elsewhere"),
        pytest.param(
            "GET /.well-known/oauth-protected-resource", {}, (Lane.CLIENT, Lane.MCP), id="resource"
        ),
        pytest.param("POST /token", {}, (Lane.CLIENT, Lane.AUTHORIZATION), id="token"),
        pytest.param("GET /authorize?x=y", PAGE, (Lane.BROWSER, Lane.AUTHORIZATION), id="page"),
        pytest.param("GET /authorize?x=y", {}, (Lane.CLIENT, Lane.AUTHORIZATION), id="no-page"),
        pytest.param(
            "GET /authorize?response_type=code",
            {},
            (Lane.BROWSER, Lane.AUTHORIZATION),
            id="request-of-a-program",
        ),
        pytest.param("GET /callback?code=x", {}, (Lane.BROWSER, Lane.CLIENT), id="its-answer"),
        pytest.param(
            "POST /login", {"cookie": "c=‹a1b2c3›"}, (Lane.BROWSER, Lane.AUTHORIZATION), id="cookie"
        ),
        pytest.param("GET /callback?code=x", PAGE, (Lane.BROWSER, Lane.CLIENT), id="callback"),
    ],
)
def test_who_takes_part_is_read_from_the_request(
    asked: str, fields: Mapping[str, str], expected: tuple[Lane, Lane]
) -> None:
    """RFC 9728 §3.1: the resource tells of itself. RFC 6749 §3.1: a browser goes between."""
    exchange = talk(1, asked, 200, fields=fields)
    assert (caller(exchange), callee(exchange)) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param({"access_token": "‹a1b2c3›"}, "access_token ‹a1b2c3›", id="token"),
        pytest.param({"issuer": "http://h"}, "issuer http://h", id="document"),
        pytest.param({"result": {"tools": [{}, {}]}}, "2 tools", id="list"),
        pytest.param({"result": {"content": [{"text": "Purr"}]}}, "Purr", id="text"),
        pytest.param(
            {"result": {"content": [{"text": '{"message": "Meow"}'}]}}, "Meow", id="json-in-text"
        ),
        pytest.param(
            {"result": {"inputRequests": {"q": {"params": {"message": "Sure?\nYes?"}}}}},
            "asks: Sure? Yes?",
            id="question",
        ),
        pytest.param({"result": {"content": 7}}, "", id="no-list"),
        pytest.param({"result": "words"}, "", id="no-object"),
        pytest.param([1], "", id="no-document"),
        pytest.param("[" * 5000, "", id="deep"),
    ],
)
def test_an_answer_is_told_by_what_it_is_good_for(said: Any, expected: str) -> None:
    """A stranger's answer may hold anything."""
    assert list(rungs([talk(1, "POST /mcp", 200, said=said)]))[-1].said == expected


def test_of_a_stream_the_last_event_is_told() -> None:
    """MCP 2025-11-25 basic/transports §sending-messages-to-the-server: a stream is an answer."""
    frames = [
        Frame(text='id: 1\ndata: {"method": "notifications/progress"}'),
        Frame(text='id: 2\ndata: {"result":\ndata: {"tools": [{}]}}'),
        Frame(text=": a comment"),
    ]
    found = list(rungs([talk(1, "POST /mcp", 200, *frames)]))
    assert found[-1].said == "1 tools"
    assert found[-2].said == "event id 1 notifications/progress"
    many = [Frame(text=f'data: {{"method": "m{n}"}}') for n in range(EVENTS + 5)]
    told = [rung.said for rung in rungs([talk(1, "POST /mcp", 200, *many)])]
    assert [said for said in told if said.startswith("event")] == [
        f"event m{n}" for n in range(EVENTS)
    ]
    assert "4 more events" in told


def test_what_is_asked_for_is_read_from_the_body_and_not_from_what_repeats_it() -> None:
    """Where the two differ, that is what the exchange is about."""
    sent = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "checkout"}}
    fields = {"Mcp-Method": "tools/call", "Mcp-Name": "list_products"}
    first = next(rungs([talk(1, "POST /mcp", 400, sent=sent, fields=fields)]))
    assert first.said == "POST /mcp tools/call checkout"
    hello = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert next(rungs([talk(1, "POST /mcp", 202, sent=hello)])).said.endswith("initialized")


def test_whoever_leaves_before_the_answer_had_none() -> None:
    *_, last = rungs([talk(1, "POST /mcp", 0)])
    assert (last.said, last.tone, last.status) == ("no answer", Tone.REFUSED, 0)
    *_, last = rungs([Exchange(2)])
    assert (last.said, last.status) == ("open", 0)


WORDS = st.text(max_size=80)


@given(WORDS, st.integers(60, 140), st.sampled_from([LINES, ASCII]))
def test_no_words_leave_the_paper_or_move_the_cursor(words: str, width: int, signs: Any) -> None:
    """A client must not write on our screen."""
    rung = Rung(1, Lane.CLIENT, Lane.MCP, Tone.ASKED, words)
    lines = list(ladder([rung], Style(signs, width)))
    assert all(line.isprintable() for line in lines)
    assert signs is LINES or all(map(str.isascii, lines))
    assert max(map(len, lines)) <= max(width, 45 + 20)


def test_a_diagram_says_what_the_ladder_says() -> None:
    """Participants, messages and notes, each on a line."""
    first, *lines = mermaid(rungs(TALK))
    assert first == "sequenceDiagram"
    assert all(map(DIAGRAM.fullmatch, lines)), lines
    assert lines[5:] == [
        "    client->>mcp: POST /mcp tools/call checkout",
        "    mcp-->>client: 401 E-CHAL-01 A token is needed, go to /.well-known/x",
        "    browser->>auth: GET /login",
        "    auth-->>browser: 303 go to /c?k=#lt;d4e5f6#gt;",
        "    client->>auth: POST /token",
        "    Note over auth: ok code.fresh",
        "    Note over auth: NO pkce.s256 E-PKCE-03",
        "    auth->>db: UPDATE codes, 1 SELECT",
        "    auth-->>client: 400 E-PKCE-03 The code_challenge is malformed",
    ]


@given(WORDS)
def test_no_words_leave_their_message(words: str) -> None:
    """What a stranger says is text in a diagram, too."""
    rung = Rung(1, Lane.CLIENT, Lane.MCP, Tone.ASKED, words)
    *_, line = mermaid([rung])
    assert DIAGRAM.fullmatch(line), line

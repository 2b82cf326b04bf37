"""The trace as lines: what came in, what went out, what happened inside, and no secret."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from catshop.inspector.printer import Printer
from catshop.inspector.recording import Answer, Exchange, Frame, Request
from catshop.inspector.redact import Redactor
from catshop.inspector.show import COLUMN, REMEMBERED, WIDTH, Showing, heading, rows
from catshop.kernel import Event, Kind, Secret, Trace, Verdict
from catshop.protocol.http1.messages import Fields

SSE = "text/event-stream"
PLANTED = "s3cr3t-Whiskers.9f8e7d6c"


def shown(*events: Event) -> str:
    stream = io.StringIO()
    printer = Printer(stream, redactor=Redactor(b"a key of this test"))
    for event in events:
        printer(event)
    return stream.getvalue()


def request(exchange: str = "x", at: float = 1.0, **fields: object) -> Event:
    asked = {"method": "POST", "target": "/token", **fields}
    return Event(Kind.HTTP, "request", exchange, fields=asked, at=at)


def answer(exchange: str = "x", status: int = 200, at: float = 1.0, **fields: object) -> Event:
    return Event(Kind.HTTP, "answer", exchange, fields={"status": status, **fields}, at=at)


def test_a_conversation_reads_like_one() -> None:
    """One request that fails a check; every secret of it is planted."""
    form = f"code={PLANTED}&code_verifier={PLANTED}&client_id=cl_1".encode()
    kind = "application/x-www-form-urlencoded"
    text = shown(
        request(fields=Fields((("content-type", kind), ("cookie", f"sid={PLANTED}")))),
        Event(Kind.HTTP, "body", "x", fields={"content_type": kind, "body": form}),
        Event(Kind.SQL, "statement", "x", fields={"sql": "SELECT 1", "rows": 1, "ms": 0.24}),
        Event(Kind.CHECK, "code.unexpired", "x", Verdict.OK, {"left": 271}, 1.0, "oauth/a.py:71"),
        Event(
            Kind.CHECK,
            "pkce.s256",
            "x",
            Verdict.NO,
            {"code": "E-PKCE-06", "arrived": Secret(PLANTED)},
            1.0,
            "oauth/a.py:88",
        ),
        answer(
            status=400,
            at=1.0031,
            fields=(("content-type", "application/json"),),
            body=b'{"error": "invalid_grant"}',
        ),
    )
    mark = Redactor(b"a key of this test").mark(PLANTED)

    def two(left: str, right: str) -> str:
        return f"{left:<{COLUMN}} {right}"

    assert text.splitlines() == [
        two("#1 browser▸auth  POST /token", "400     3.1 ms E-PKCE-06 flow 1"),
        two("  > content-type: application/x-www-form-urlencoded", "RFC 9110 §8.3"),
        two(f"  > cookie: sid={mark}", "RFC 6265 §4.2"),
        two(f"  > code={mark}", "RFC 6749 §4.1.3"),
        two(f"  > code_verifier={mark}", "RFC 7636 §4.5"),
        two("  > client_id=cl_1", "RFC 6749 §2.2"),
        two("  · sql    SELECT 1", "1 row  0.2 ms"),
        two("  · check  code.unexpired          ok  left=271", "oauth/a.py:71"),
        two(f"  · check  pkce.s256{'':15}NO  code=E-PKCE-06  arrived={mark}", "oauth/a.py:88"),
        "  < 400",
        two("  < content-type: application/json", "RFC 9110 §8.3"),
        two('  < {"error": "invalid_grant"}', "RFC 7636 §4.6"),
    ]  # fmt: skip


def test_a_fault_that_is_on_is_named_at_the_head_of_its_exchange() -> None:
    text = shown(request(), Event(Kind.STATE, "fault", "x", fields={"name": "pkce-skipped"}))
    assert text == ""
    told = Event(Kind.STATE, "fault", "x", fields={"name": "pkce-skipped"})
    assert shown(request(), told, answer()).splitlines()[0].endswith("fault: pkce-skipped")


def test_an_exchange_is_shown_when_it_ends_so_that_two_never_mix() -> None:
    text = shown(request("a"), request("b"), answer("b"), answer("a"))
    assert [line[:2] for line in text.splitlines() if line[0] == "#"] == ["#2", "#1"]


def test_an_exchange_that_streams_is_shown_while_it_does() -> None:
    """Whoever waits for the next event sees the last one, and when it came."""
    events = [
        request(),
        Event(Kind.HTTP, "stream", "x", fields={"status": 200, "fields": ()}),
        Event(Kind.HTTP, "event", "x", fields={"body": b"data: {}\n\n"}, at=1.25),
    ]
    first = shown(*events).splitlines()
    assert [row.split() for row in first] == [
        ["#1", "client▸auth", "POST", "/token", "open"],
        ["<", "200"],
        ["<", "event", "+250", "ms", "{}"],
        ["<", "data:", "{}"],
    ]
    second = Event(Kind.HTTP, "event", "x", fields={"body": b"data: 2\n\n"}, at=1.5)
    rest = shown(*events, second, answer(at=2.0)).splitlines()[4:]
    assert rest[:2] == ["#1 < event  +500 ms  2", "#1 <   data: 2"]
    assert rest[2].startswith("#1 client▸auth  POST /token")
    assert rest[2].endswith("200  1000.0 ms")


def test_a_stream_is_shown_from_its_head_on_though_no_event_has_come() -> None:
    """And thousands of events are not kept until it ends."""
    head = {"status": 200, "fields": (("content-type", "text/event-stream"),)}
    begun = [request(), Event(Kind.HTTP, "stream", "x", fields=head)]
    assert "open" in shown(*begun).splitlines()[0]
    showing, kept = Showing(), Exchange(1)
    for line in (Request(n=1), Answer(n=1, status=200, fields=(("Content-Type", SSE),))):
        kept.lines.append(line)
        list(showing(line))
    for number in range(50):
        assert list(showing(Frame(n=1, text=f"data: {number}")))
    assert len(showing._open[1].lines) == 2


def test_what_has_not_ended_where_a_recording_ends_is_open() -> None:
    showing = Showing(streams=False)
    assert list(showing(Request(n=1, method="GET", target="/a"))) == []
    assert next(showing.rest()).split() == ["#1", "client▸auth", "GET", "/a", "open"]
    assert (showing.seen, showing.shown) == (1, 1)


def test_an_event_says_what_it_is_and_then_its_octets() -> None:
    """MCP 2025-11-25 basic/utilities/progress: how far it has come, at a glance."""
    told = {"progressToken": "p", "progress": 3, "total": 5, "message": "Wand"}
    data = json.dumps({"method": "notifications/progress", "params": told})
    found = rows(Frame(n=1, text=f"id: 1-4\ndata: {data}", at=0.812), Exchange(1))
    assert next(found) == "  < event  id=1-4  +812 ms  notifications/progress 3/5 Wand"
    assert next(found) == "  <   id: 1-4"


def test_a_query_is_shown_a_parameter_a_line() -> None:
    line = Request(n=1, method="GET", target="/authorize?code_challenge=E9&state=s")
    found = [row.split() for row in rows(line, Exchange(1, 1, [line]))]
    assert found == [["?", "code_challenge=E9", "RFC", "7636", "§4.3"],
                     ["?", "state=s", "RFC", "6749", "§4.1.1"]]  # fmt: skip
    assert heading(Exchange(1, 0, [line])).split()[2:4] == ["GET", "/authorize"]


def test_a_long_statement_is_cut() -> None:
    sql = Event(Kind.SQL, "x", "x", fields={"sql": "SELECT " + "x" * 1000, "rows": 0})
    row = shown(sql, answer()).splitlines()[1]
    assert row.endswith(" 0 rows")
    assert len(row) < 120


def test_an_answer_that_nobody_was_there_to_read_says_so() -> None:
    assert shown(request(), answer(status=0)).splitlines()[0].split("  ")[-2:] != ["0"]
    assert "the client has gone" in shown(request(), answer(status=0))


def test_what_happens_outside_an_exchange_is_shown_at_once() -> None:
    assert shown(Event(Kind.STATE, "swept", "", fields={"rows": 3})) == (
        "  · state  swept                   rows=3\n"
    )


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(lambda: Event(Kind.STATE, "x", "", fields={"token": PLANTED}), id="by-name"),
        pytest.param(lambda: Event(Kind.STATE, "x", "", fields={"a": Secret(PLANTED)}), id="type"),
        pytest.param(lambda: request(target=f"/a?code={PLANTED}"), id="query"),
        pytest.param(lambda: request(fields={"DPoP": PLANTED}), id="field"),
        pytest.param(
            lambda: Event(Kind.RPC, "x", "x", fields={"params": {"a": [{"password": PLANTED}]}}),
            id="nested",
        ),
    ],
)
def test_a_planted_secret_is_a_mark(plant: Callable[[], Event]) -> None:
    text = shown(plant(), answer())
    assert PLANTED not in text
    assert Redactor(b"a key of this test").mark(PLANTED) in text


def test_nothing_that_a_client_sends_moves_the_cursor() -> None:
    name = "\x1b[2J\r\n"
    fields = [(name, name)]
    text = shown(
        request(method=name, target=name, fields=fields), Event(Kind.STATE, name, "x"), answer()
    )
    assert "\x1b" not in text
    assert "\r" not in text
    assert all(line.startswith(("#", "  ")) for line in text.splitlines())  # fmt: skip


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    row = shown(request(fields=[("x", "y" * 1000)]), answer()).splitlines()[1]
    assert row.endswith("... (1007 characters)")
    assert row.count("y") == WIDTH - len("  > x: ")


def test_exchanges_that_never_end_do_not_add_up() -> None:
    stream = io.StringIO()
    printer = Printer(stream)
    for number in range(REMEMBERED + 10):
        printer(request(str(number)))
    printer(answer("3"))
    assert "POST" not in stream.getvalue()
    printer(answer("500"))
    assert "POST /token" in stream.getvalue()


def test_a_stream_that_cannot_be_written_to_ends_the_show() -> None:
    class Full:
        tries = 0

        def write(self, text: str, /) -> object:
            self.tries += 1
            raise OSError

        def flush(self) -> None:
            raise AssertionError

    full, trace = Full(), Trace()
    trace.observe(Printer(full))
    for _ in range(3):
        trace.note(Kind.STATE, "x")
    assert full.tries == 1

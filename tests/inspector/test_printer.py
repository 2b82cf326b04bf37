"""The trace as lines: what came in, what went out, what happened inside, and no secret."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from catshop.inspector.printer import REMEMBERED, WIDTH, Printer
from catshop.inspector.redact import MARK, Redactor
from catshop.kernel import Event, Kind, Secret, Trace, Verdict
from catshop.protocol.http1.messages import Fields

PLANTED = "s3cr3t-Whiskers.9f8e7d6c"


def shown(*events: Event) -> str:
    stream = io.StringIO()
    printer = Printer(stream, redactor=Redactor(b"a key of this test"))
    for event in events:
        printer(event)
    return stream.getvalue()


def test_a_conversation_reads_like_one() -> None:
    """One request that fails a check; every secret of it is planted."""
    form = f"code={PLANTED}&code_verifier={PLANTED}&client_id=cl_1".encode()
    fields = (("content-type", "application/x-www-form-urlencoded"), ("cookie", f"sid={PLANTED}"))
    text = shown(
        Event(
            Kind.HTTP,
            "request",
            "11",
            fields={"method": "POST", "target": "/token", "fields": Fields(fields), "body": form},
            at=1.0,
        ),
        Event(Kind.SQL, "statement", "11", fields={"sql": "SELECT 1", "rows": 1}),
        Event(Kind.CHECK, "code.unexpired", "11", Verdict.OK, {"left": 271}),
        Event(Kind.CHECK, "pkce.s256", "11", Verdict.NO, {"arrived": Secret(PLANTED)}),
        Event(
            Kind.HTTP,
            "answer",
            "11",
            fields={
                "status": 400,
                "fields": (("content-type", "application/json"),),
                "body": b'{"error": "invalid_grant"}',
            },
            at=1.0031,
        ),
    )
    mark = Redactor(b"a key of this test").mark(PLANTED)
    assert text.splitlines() == [
        "#11",
        "  > POST /token",
        "  > content-type: application/x-www-form-urlencoded",
        f"  > cookie: sid={mark}",
        f"  > code={mark}&code_verifier={mark}&client_id=cl_1",
        "  · sql     SELECT 1  1 row",
        "  · check   code.unexpired                ok  left=271",
        f"  · check   pkce.s256                     NO  arrived={mark}",
        "  < 400  3.1 ms",
        "  < content-type: application/json",
        '  < {"error": "invalid_grant"}',
    ]


def test_the_number_of_an_exchange_comes_back_when_another_spoke_in_between() -> None:
    events = [Event(Kind.STATE, "x", exchange) for exchange in ("1", "1", "2", "1", "")]
    lines = shown(*events).splitlines()
    assert [line for line in lines if not line.startswith("  ")] == ["#1", "#2", "#1", ""]


def test_raw_octets_have_a_direction_and_a_size() -> None:
    data = Secret(f"Authorization: {PLANTED}")
    text = shown(
        Event(Kind.BYTES, "received", "1", fields={"octets": 39, "data": data}),
        Event(Kind.BYTES, "sent", "1", fields={"octets": 15, "data": data}),
        Event(Kind.BYTES, "cut", "1"),
    )
    assert text.splitlines() == ["#1", "  > 39 octets", "  < 15 octets", "  · bytes   cut"]


def test_a_body_that_comes_later_says_what_it_is() -> None:
    text = shown(
        Event(
            Kind.HTTP,
            "body",
            "1",
            fields={
                "content_type": "application/x-www-form-urlencoded",
                "body": f"grant_type=x&code={PLANTED}".encode(),
            },
        )
    )
    mark = Redactor(b"a key of this test").mark(PLANTED)
    assert text.splitlines() == ["#1", f"  > grant_type=x&code={mark}"]


def test_a_long_statement_is_cut() -> None:
    text = shown(Event(Kind.SQL, "x", "1", fields={"sql": "SELECT " + "x" * 1000, "rows": 0}))
    assert text.rstrip().endswith("xxx...  0 rows")
    assert len(text) < 120


def test_an_answer_that_nobody_was_there_to_read_says_so() -> None:
    text = shown(Event(Kind.HTTP, "answer", "1", fields={"status": 0}))
    assert text.splitlines() == ["#1", "  < the client has gone"]


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(lambda: Event(Kind.STATE, "x", "", fields={"token": PLANTED}), id="by-name"),
        pytest.param(lambda: Event(Kind.STATE, "x", "", fields={"a": Secret(PLANTED)}), id="type"),
        pytest.param(
            lambda: Event(Kind.RPC, "x", "", fields={"params": {"a": [{"password": PLANTED}]}}),
            id="nested",
        ),
        pytest.param(
            lambda: Event(Kind.CHECK, "x", "", fields={"arrived": f"Bearer {PLANTED}"}), id="text"
        ),
        pytest.param(
            lambda: Event(
                Kind.HTTP, "request", "", fields={"method": "GET", "target": f"/cb?code={PLANTED}"}
            ),
            id="target",
        ),
        pytest.param(
            lambda: Event(
                Kind.HTTP, "answer", "", fields={"status": 302, "fields": {"DPoP": PLANTED}}
            ),
            id="fields-as-a-mapping",
        ),
        pytest.param(
            lambda: Event(
                Kind.HTTP,
                "request",
                "",
                fields={"path": "/", "fields": {"authorization": Secret(f"Bearer {PLANTED}")}},
            ),
            id="field-that-is-a-secret",
        ),
        pytest.param(
            lambda: Event(
                Kind.HTTP, "request", "", fields={"path": "/", "fields": {"x": Secret(PLANTED)}}
            ),
            id="any-field-that-is-a-secret",
        ),
    ],
)
def test_a_planted_secret_never_reaches_the_stream(plant: Callable[[], Event]) -> None:
    text = shown(plant())
    assert "Whiskers" not in text
    assert MARK.search(text)


def test_a_token_of_ours_reaches_the_stream_from_nowhere() -> None:
    """Whatever holds it: a name, a field, a check, a statement, an id. RFC 6750 §5.3."""
    token = "cat_at_0123456789abcdefghij-_"
    text = shown(
        Event(Kind.HTTP, "request", "1", fields={"method": "GET", "path": f"/{token}",
              "fields": ((token, "a"), ("x-api-key", token), ("mcp-session-id", PLANTED)),
              "content_type": "text/plain", "body": token.encode()}),
        Event(Kind.SQL, "statement", "1", fields={"sql": f"SELECT '{token}'", "rows": 1}),
        Event(Kind.CHECK, token, "1", Verdict.NO, {"expected": token, token: "a"}),
        Event(Kind.CHECK, "x", token, Verdict.NO, {"arrived": {"a": [token]}}),
        Event(Kind.HTTP, "answer", "1", fields={"status": 1, "content_type": token, "body": b"a"}),
    )  # fmt: skip
    assert "0123456789" not in text
    assert "Whiskers" not in text


def test_a_client_cannot_write_on_the_operators_screen() -> None:
    text = shown(
        Event(
            Kind.HTTP,
            "request",
            "\x1b[1m",
            fields={"method": "GET\x1b[2J", "target": "/\r\n#2", "fields": (("x", "\x07"),)},
        ),
        Event(Kind.RPC, "\x1b]0;title\x07", "\x1b[1m", fields={"id": "\x9b"}),
    )
    assert all(each.isprintable() or each == "\n" for each in text)
    assert len(text.splitlines()) == 4


def test_a_long_value_is_cut_with_its_length_said() -> None:
    text = shown(Event(Kind.RPC, "tools/call", "1", fields={"id": "x" * 10_000}))
    assert "... (10000 characters)" in text
    assert len(text) < WIDTH + 100


def test_a_stream_that_is_gone_ends_the_show_and_not_the_shop() -> None:
    stream = io.StringIO()
    trace = Trace()
    trace.observe(Printer(stream))
    trace.note(Kind.STATE, "before")
    stream.close()
    trace.note(Kind.STATE, "after")
    trace.note(Kind.STATE, "later")


def test_requests_that_nobody_answers_do_not_add_up() -> None:
    printer = Printer(io.StringIO(), redactor=Redactor(b"key"))
    for number in range(REMEMBERED + 10):
        printer(Event(Kind.HTTP, "request", str(number), fields={"method": "GET"}))
    assert len(printer._began) == REMEMBERED

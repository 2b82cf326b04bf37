"""Octets in, messages out; and a stream that breaks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from catshop.client.errors import NotMcp
from catshop.client.reading import Reader, error_object, whole_answer
from catshop.client.resumption import Position, Resume, after_break, reconnect
from catshop.limits import ClientLimits
from catshop.protocol.jsonrpc import Notification, Response

LIMITS = ClientLimits()
SMALL = replace(LIMITS, message=40)
ANSWER = b'{"jsonrpc":"2.0","id":1,"result":{}}'
NOTE = '{"jsonrpc":"2.0","method":"notifications/progress","params":{}}'
STREAM = (
    f": hello\n\nid: e1\ndata:\n\nid: e2\nretry: 40\ndata: {NOTE}\n\n"
    f"id: e3\nevent: message\ndata: {ANSWER.decode()}\n\n"
).encode()


@pytest.mark.parametrize("size", [1, 7, len(STREAM)])
def test_a_stream_is_read_alike_in_whatever_pieces_it_comes(size: int) -> None:
    """MCP 2025-11-25 basic/transports §streamable-http; an event with empty data only primes."""
    reader = Reader(1, LIMITS)
    heard = [
        message
        for start in range(0, len(STREAM), size)
        for message in reader.receive(STREAM[start : start + size])
    ]
    assert heard == [Notification("notifications/progress", {})]
    assert reader.answer == Response(1, result={})
    assert reader.position == Position("e3", 40)


def test_another_s_answer_is_nobody_s_business() -> None:
    """MCP 2026-07-28 basic §result-responses: the same ID as the request."""
    reader = Reader(2, LIMITS)
    assert reader.receive(STREAM) == [Notification("notifications/progress", {})]
    assert reader.answer is None


def test_events_of_another_name_are_ignored() -> None:
    """MCP 2025-11-25 basic/transports §streamable-http."""
    reader = Reader(1, LIMITS)
    assert reader.receive(b"event: endpoint\ndata: /messages\n\n") == []
    assert reader.fault is None


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        pytest.param(b"data: {\n\n", "E-SERVER-03", id="no-json"),
        pytest.param(b"data: \xff\n\n", "E-SERVER-03", id="no-utf-8"),
        pytest.param(b"data: " + b"x" * 50, "E-SERVER-09", id="never-ends"),
    ],
)
def test_what_is_no_stream_of_messages_is_a_fault(octets: bytes, code: str) -> None:
    """MCP 2026-07-28 basic §messages."""
    reader = Reader(1, SMALL)
    assert reader.receive(octets) == []
    assert reader.fault is not None
    assert reader.fault.code == code


def test_a_new_connection_forgets_half_an_event_and_keeps_its_place() -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery."""
    reader = Reader(1, LIMITS)
    reader.receive(STREAM[:-10])
    reader.connect()
    assert reader.position == Position("e2", 40, in_vain=1)
    reader.receive(STREAM[STREAM.index(b"id: e3") :])
    assert reader.answer is not None
    assert reader.position == Position("e3", 40)


def test_an_answer_in_json_is_the_answer_to_our_request() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §sending-messages."""
    answer = whole_answer(1, "Application/JSON; charset=utf-8", ANSWER, LIMITS)
    assert answer == Response(1, result={})


def test_an_error_may_lack_the_id_that_could_not_be_read() -> None:
    """MCP 2026-07-28 basic §error-responses."""
    error = {"code": -32700, "message": "no"}
    for body in ({"error": error}, {"id": None, "error": error}, {"id": 1, "error": error}):
        octets = json.dumps({"jsonrpc": "2.0", **body}).encode()
        assert error_object(octets) == error
        assert whole_answer(1, "application/json", octets, LIMITS) == Response(1, error=error)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("text/html", ANSWER, id="a-page"),
        pytest.param("", ANSWER, id="no-type"),
        pytest.param("application/json", b"", id="no-body"),
        pytest.param("application/json", b"[" + ANSWER + b"]", id="a-batch"),
        pytest.param("application/json", ANSWER.replace(b"1", b"7"), id="another-s-answer"),
        pytest.param("application/json", NOTE.encode(), id="a-notification"),
    ],
)
def test_anything_else_is_no_answer(content_type: str, body: bytes) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §sending-messages."""
    with pytest.raises(NotMcp, match="E-SERVER-03"):
        whole_answer(1, content_type, body, LIMITS)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error":"no"}', b"[" * 100_000])
def test_what_has_no_error_object_says_nothing(body: bytes) -> None:
    """MCP 2026-07-28 basic §error-responses."""
    assert error_object(body) is None


@pytest.mark.parametrize(
    ("position", "step"),
    [
        pytest.param(Position(), None, id="no-event-was-named"),
        pytest.param(Position("e1"), Resume(1.0, "e1"), id="at-our-own-pace"),
        pytest.param(Position("e1", 500), Resume(0.5, "e1"), id="as-the-server-said"),
        pytest.param(Position("e1", 0), Resume(0.0, "e1"), id="at-once"),
        pytest.param(Position("e1", 10**9), Resume(60.0, "e1"), id="but-not-for-ever"),
        pytest.param(Position("e1", None, LIMITS.resumptions), None, id="too-often-in-vain"),
    ],
)
def test_a_stream_is_taken_up_where_it_broke_and_when_the_server_wants(
    position: Position, step: Resume | None
) -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery,
    §sending-messages-to-the-server: the client MUST respect the `retry` field.
    """
    assert after_break(position, LIMITS) == step


def test_the_server_s_own_stream_is_opened_anew_even_without_a_place() -> None:
    """MCP 2025-11-25 basic/transports §listening-for-messages-from-the-server."""
    assert reconnect(Position(), LIMITS) == Resume(1.0, "")

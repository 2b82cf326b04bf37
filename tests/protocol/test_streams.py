"""Event streams that are logged: numbering, resumption, bounds, one reader."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catshop.limits import SessionLimits
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.streams import Cursor, EventLog, EventStream

LIMITS = SessionLimits()


def stream_of(*events: str, number: int = 2, limits: SessionLimits = LIMITS) -> EventStream:
    """A stream on which these events were sent."""
    stream = EventStream(number, limits)
    for data in events:
        stream.append(data)
    return stream


def test_an_event_id_names_its_stream_and_its_place() -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery."""
    assert stream_of().append("a") == b"id: 2-1\ndata: a\n\n"


def test_the_priming_event_has_an_id_a_retry_and_no_data() -> None:
    """MCP 2025-11-25 basic/transports §sending-messages-to-the-server."""
    assert stream_of().append("", retry=1000) == b"id: 2-1\nretry: 1000\ndata: \n\n"


@pytest.mark.parametrize("seen", range(5))
def test_a_reconnection_gets_each_later_event_exactly_once_in_order(seen: int) -> None:
    """Z9. MCP 2025-11-25 basic/transports §resumability-and-redelivery."""
    stream = stream_of("a", "b", "c", "d")
    assert [number for number, _ in stream.since(seen)] == list(range(seen + 1, 5))


def test_an_event_that_was_never_sent_is_refused() -> None:
    """A cursor ahead of the stream is of another stream."""
    with pytest.raises(HttpError) as caught:
        stream_of("a").since(9)
    assert (caught.value.status, caught.value.code) == (400, "E-STREAM-01")


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(replace(LIMITS, events=2), id="by-number"),
        pytest.param(replace(LIMITS, event_octets=40), id="by-size"),
    ],
)
def test_the_log_is_bounded_and_says_when_an_event_is_gone(limits: SessionLimits) -> None:
    """An honest 410 instead of a silent gap."""
    stream = stream_of("a", "b", "c", "d", limits=limits)
    assert [number for number, _ in stream.since(2)] == [3, 4]
    with pytest.raises(HttpError) as caught:
        stream.since(0)
    assert (caught.value.status, caught.value.code) == (410, "E-STREAM-02")


@pytest.mark.parametrize("sent", ["", "2", "2-", "-1", "2-x", "2-1 ", "2-1\n", "a-1", "2-1-1"])
def test_an_id_that_is_none_of_ours_is_refused(sent: str) -> None:
    """Whatever a client puts into Last-Event-ID."""
    with pytest.raises(HttpError) as caught:
        Cursor.parse(sent)
    assert caught.value.status == 400


def test_whoever_resumes_takes_over() -> None:
    """A client that reconnects is not locked out by its own broken connection."""
    stream = stream_of("a")
    first = stream.attach()
    second = stream.attach()
    assert not stream.read_by(first)
    stream.detach(first)
    assert stream.read_by(second)


def test_the_log_forgets_the_oldest_stream_that_nobody_needs() -> None:
    """A session keeps only so many streams; the standalone one always."""
    log = EventLog(replace(LIMITS, streams=3))
    ended = log.open()
    ended.end()
    log.open()
    log.open()
    with pytest.raises(HttpError) as caught:
        log.find(Cursor(ended.number, 0))
    assert (caught.value.status, caught.value.code) == (410, "E-STREAM-02")
    assert log.find(Cursor(0, 0)) is log.standalone

"""What is recorded of a real conversation: both directions, what was decided, and no secret."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import anyio
import pytest

from catshop.inspector.recorder import EXCHANGES, FRAME_OCTETS, Memory, Recorder
from catshop.inspector.recording import (
    Check,
    Ended,
    Frame,
    Line,
    Message,
    Recording,
    Sql,
    read,
    written,
)
from catshop.inspector.redact import MARK, Redactor
from catshop.kernel import Event, Kind, Secret, Trace, Verdict
from tests.support.shop import open_shop
from tests.support.visit import recorder

PLANTED = "s3cr3t-Whiskers.9f8e7d6c"


def recorded(*events: Event) -> Recording:
    made, memory = recorder()
    for event in events:
        made(event)
    return memory.recording()


def request(exchange: str = "x", **fields: object) -> Event:
    return Event(Kind.HTTP, "request", exchange, fields={"method": "POST", **fields}, at=1.0)


def answer(exchange: str = "x", status: int = 200, **fields: object) -> Event:
    return Event(Kind.HTTP, "answer", exchange, fields={"status": status, **fields}, at=1.5)


async def test_the_file_and_the_memory_hold_the_same(
    visit: tuple[Recording, Path, list[str]],
) -> None:
    memory, path, _ = visit
    assert read(path).exchanges == memory.exchanges
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_no_secret_of_a_real_visit_is_in_the_recording(
    visit: tuple[Recording, Path, list[str]],
) -> None:
    _, path, hidden = visit
    text = path.read_text("utf-8")
    assert [secret for secret in hidden if secret in text] == []
    assert len(set(MARK.findall(text))) > 5


async def test_both_directions_are_kept_as_they_were_sent(
    visit: tuple[Recording, Path, list[str]],
) -> None:
    """Names of fields in the letters that were sent; what our server sends is in lower case."""
    first = next(iter(visit[0].exchanges.values()))
    assert (first.request.method, first.request.target) == ("POST", "/mcp")
    assert "Host" in dict(first.request.fields)
    assert (first.answer.status, first.answer.reason) == (401, "Unauthorized")
    assert {"www-authenticate", "date", "content-length"} <= dict(first.answer.fields).keys()
    assert first.body("<").size == int(dict(first.answer.fields)["content-length"])
    assert isinstance(first.lines[-1], Ended)


async def test_a_refused_verifier_is_seen_with_the_check_its_line_and_its_code(
    visit: tuple[Recording, Path, list[str]],
) -> None:
    """RFC 7636 §4.6."""
    refused = next(each for each in visit[0].exchanges.values() if each.status == 400)
    *passed, failed = refused.every(Check)[-4:]
    assert [check.verdict for check in passed] == ["ok", "ok", "ok"]
    assert (failed.name, failed.verdict, failed.told["code"]) == ("pkce.s256", "NO", "E-PKCE-06")
    file, _, line = failed.source.partition(":")
    source = (Path(__file__).parents[2] / "catshop" / file).read_text("utf-8").splitlines()
    assert source[int(line) - 1].strip() == 'raise InvalidGrant("E-PKCE-06")'
    assert any("oauth_codes" in each.sql and each.rows == 1 for each in refused.every(Sql))


async def test_frames_of_a_stream_are_kept_one_by_one_with_their_times(
    visit: tuple[Recording, Path, list[str]],
) -> None:
    last = list(visit[0].exchanges.values())[-1]
    frames = last.every(Frame)
    assert len(frames) > 2
    assert all(frame.text.splitlines()[-1].startswith("data: {") for frame in frames)
    assert [frame.at for frame in frames] == sorted(frame.at for frame in frames)
    assert [message.method for message in last.every(Message)] == ["tools/call"]
    assert last.status == 200


async def test_the_exchanges_of_one_authorization_are_one_flow(
    visit: tuple[Recording, Path, list[str]],
) -> None:
    """From the registration to the call with the token; the challenge before belongs to nobody."""
    recording = visit[0]
    challenge, registration, *others = recording.exchanges.values()
    assert challenge.flow == 0
    flow = recording.flow(registration.n)
    assert [each.request.target.partition("?")[0] for each in flow] == [
        "/register",
        "/authorize",
        "/login",
        "/login",
        "/consent",
        "/consent",
        "/token",
        "/token",
        "/mcp",
    ]
    assert others == flow[1:]


async def test_what_is_no_request_is_recorded_with_its_refusal(tmp_path: Path) -> None:
    """RFC 9112 §3."""
    trace = Trace()
    made, memory = recorder()
    trace.observe(made)
    async with open_shop(tmp_path, trace) as shop:
        port = int(shop.url.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"GET  /mcp HTTP/1.1\r\n\r\n")
            assert (await stream.receive()).startswith(b"HTTP/1.1 400")
    (found,) = memory.recording().exchanges.values()
    assert (found.status, found.request.method) == (400, "")
    assert found.every(Check)[0].told["code"] == "E-HTTP-01"


def planted() -> Iterator[Event]:
    """The same secret wherever one can be."""
    url = quote(f"http://x/?code={PLANTED}", safe="")
    head = f"POST /a?token={PLANTED} HTTP/1.1\r\nAuthorization: Bearer {PLANTED}\r\n"
    json = f'{{ "access_token" : "{PLANTED}", "n": [{{"password": "{PLANTED}"}}] }}'.encode()
    html = f'<input type="hidden" name="csrf" value="{PLANTED}">{PLANTED}'.encode()
    sse = f'id: 1\ndata: {{"token":"{PLANTED}"}}\n\n'.encode()
    yield request(
        target=Secret(f"/a?token={PLANTED}"), octets=Secret(f"{head}Cookie: a={PLANTED}\r\n\r\n")
    )
    yield request(path="/", fields=[("DPoP", Secret(PLANTED)), ("mcp-session-id", PLANTED)])
    for kind, body in (
        ("application/json", json),
        ("application/x-www-form-urlencoded", f"state=1&code={PLANTED}&next={url}".encode()),
        ("text/html", html),
        ("text/plain", f"Bearer {PLANTED}".encode()),
        ("text/event-stream", sse),
        ("image/png", PLANTED.encode()),
        ("application/json", PLANTED.encode()),
        ("application/json", b"\xff" + PLANTED.encode()),
    ):
        yield Event(Kind.HTTP, "body", "x", fields={"content_type": kind, "body": body})
    yield Event(Kind.HTTP, "stream", "x", fields={"status": 200, "fields": ()})
    for octet in sse:
        yield Event(Kind.HTTP, "event", "x", fields={"body": bytes([octet])})
    yield Event(Kind.CHECK, "c", "x", Verdict.NO, {"arrived": f"code={PLANTED}"})
    yield Event(Kind.STATE, "s", "x", fields={"token": PLANTED, "b": Secret(PLANTED)})
    yield Event(Kind.SQL, "q", "x", fields={"sql": f"SELECT 'Bearer {PLANTED}'", "rows": 1})
    yield Event(Kind.BYTES, "sent", "x", fields={"data": Secret(PLANTED)})
    yield answer(status=302, fields=[("location", f"/cb?code={PLANTED}")])


def test_a_planted_secret_is_nowhere_and_has_one_mark_everywhere() -> None:
    lines: list[Line] = []
    made = Recorder(redactor=Redactor(b"a key of this test"))
    made.watch(lines.append)
    for event in planted():
        made(event)
    text = "\n".join(map(written, lines))
    assert PLANTED not in text
    assert set(MARK.findall(text)) == {Redactor(b"a key of this test").mark(PLANTED)}
    assert len(MARK.findall(text)) > 12


def test_json_keeps_its_own_spelling() -> None:
    body = b'{ "b":1.0,  "a":"\\u00e4", "code" : "x-y-z" }'
    told = {"content_type": "application/json", "body": body}
    found = recorded(request(), Event(Kind.HTTP, "body", "x", fields=told)).exchanges[1]
    mark = Redactor(b"a key of this test").mark("x-y-z")
    assert found.body(">").text == body.decode().replace("x-y-z", mark)


def test_a_long_body_is_cut_with_a_note() -> None:
    body = b'"' + b"x" * 70_000 + b'"'
    told = {"content_type": "application/json", "body": body}
    found = recorded(request(), Event(Kind.HTTP, "body", "x", fields=told)).exchanges[1].body(">")
    assert (len(found.text), found.size) == (64 * 1024, 70_002)
    assert found.note == "cut: 4466 of 70002 characters left out"


def test_a_server_sent_event_without_an_end_is_given_up() -> None:
    told = {"body": b"data: " + b"x" * FRAME_OCTETS}
    opened = Event(Kind.HTTP, "stream", "x", fields={"status": 200, "fields": ()})
    found = recorded(opened, Event(Kind.HTTP, "event", "x", fields=told)).exchanges[1]
    assert [frame.text for frame in found.every(Frame)] == [""]


def test_memory_forgets_the_oldest_exchange_first() -> None:
    by_number, by_size = Memory(exchanges=2), Memory(octets=2000)
    made = Recorder()
    made.watch(by_number)
    made.watch(by_size)
    for number in range(30):
        made(request(str(number), path="/" + "x" * 300))
    assert list(by_number.recording().exchanges) == [29, 30]
    assert 2 < len(by_size.recording().exchanges) < 7


def test_what_has_not_ended_keeps_its_number_however_many_come_after() -> None:
    """A stream may be open for hours."""
    made, memory = recorder()
    made(request("open"))
    for number in range(EXCHANGES + 5):
        made(request(str(number)))
        made(answer(str(number)))
    made(answer("open"))
    assert made.number("open") == 1
    assert made.number("0") == 0
    assert [line.n for line in memory.recording().exchanges[1].every(Ended)] == [1] or (
        1 not in memory.recording().exchanges
    )


def test_an_event_that_cannot_be_recorded_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    made, _ = recorder()
    made(answer(status="odd"))  # type: ignore[arg-type]  # as a fault of ours would be
    assert "could not be recorded" in caplog.text


def test_who_no_longer_watches_is_told_nothing() -> None:
    lines: list[Line] = []
    made = Recorder()
    stop = made.watch(lines.append)
    stop()
    made(request())
    assert lines == []


def test_the_number_of_an_exchange_can_be_asked_for() -> None:
    made, _ = recorder()
    made(request("abc"))
    assert (made.number("abc"), made.number("other")) == (1, 0)

"""Probes of sessions and streams."""

from __future__ import annotations

import re

from tests.lab.world import Guest, World, fields, hold, message, probe
from tests.support.hosting import ENVELOPE

REPORT = {"name": "restock_report", "arguments": {"pace_ms": 0}}
WATCHED = {"_meta": {"progressToken": "p"}}


@probe("session-guessable")
async def nobody_guesses_the_name_of_a_session(w: World) -> None:
    named = (await (await w.bearer()).session())["Mcp-Session-Id"]
    hold(len(named) >= 22, named)


@probe("session-not-bound")
async def a_session_serves_its_owner_alone(w: World) -> None:
    session = await (await w.bearer()).session()
    answer = await (await w.bearer()).in_session(session, "ping")
    hold(answer.status_code == 404, answer.status_code)


@probe("session-not-ended")
async def a_session_is_over_when_its_client_ends_it(w: World) -> None:
    guest = await w.bearer()
    session = await guest.session()
    ended = await w.http.delete(w.mcp, headers={**guest.bears(), **session})
    assert ended.status_code == 200
    answer = await guest.in_session(session, "ping")
    hold(answer.status_code == 404, answer.status_code)


async def two_streams(w: World) -> tuple[Guest, dict[str, str]]:
    """A session in which two calls were answered by streams."""
    guest = await w.bearer()
    session = await guest.session()
    for _ in range(2):
        answer = await guest.in_session(session, "tools/call", **REPORT, **WATCHED)
        assert answer.headers["content-type"] == "text/event-stream", answer.text
    return guest, session


async def ids_after(w: World, last: str) -> list[str]:
    """The ids of the events that come after this one."""
    guest, session = await two_streams(w)
    headers = {**guest.bears(), **session, "Last-Event-ID": last}
    answer = await w.http.get(w.mcp, headers=headers)
    assert answer.status_code == 200, answer.text
    return re.findall(r"^id: (\S+)$", answer.text, re.MULTILINE)


@probe("replay-on-wrong-stream")
async def what_is_read_again_is_of_the_same_stream(w: World) -> None:
    ids = await ids_after(w, "1-1")
    assert ids
    hold(all(each.startswith("1-") for each in ids), ids)


@probe("replay-from-the-start")
async def what_was_read_is_not_read_again(w: World) -> None:
    ids = await ids_after(w, "1-2")
    hold(ids[0] == "1-3", ids)


@probe("events-without-ids")
async def every_event_of_a_session_has_an_id(w: World) -> None:
    guest = await w.bearer()
    session = await guest.session()
    answer = await guest.in_session(session, "tools/call", **REPORT, **WATCHED)
    hold("\nid: " in f"\n{answer.text}", answer.text[:80])


@probe("progress-after-result")
async def progress_comes_before_the_result(w: World) -> None:
    guest = await w.bearer()
    meta = {"_meta": {**ENVELOPE, "progressToken": "p"}}
    headers = {**fields("tools/call"), "Mcp-Name": "restock_report"}
    answer = await guest.post(message("tools/call", **REPORT, **meta), **headers)
    last = answer.text.rindex("notifications/progress")
    hold(last < answer.text.index('"result"'), answer.text[:80])

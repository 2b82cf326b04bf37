"""Probes of hosts, origins and the log."""

from __future__ import annotations

import logging

import anyio

from tests.lab.world import World, hold, message, probe


async def status_with(w: World, **headers: str) -> int:
    return (await w.http.post(w.mcp, json=message(), headers=headers)).status_code


@probe("host-not-checked")
async def a_request_for_another_host_is_refused(w: World) -> None:
    status = await status_with(w, Host="evil.example")
    hold(status == 421, status)


@probe("origin-not-checked")
async def a_page_of_another_origin_is_refused(w: World) -> None:
    status = await status_with(w, Origin="https://evil.example")
    hold(status == 403, status)


@probe("cors-for-everybody")
async def one_origin_may_read_the_answer(w: World) -> None:
    origin = "http://localhost:3000"
    answer = await w.http.post(w.mcp, json=message(), headers={"Origin": origin})
    allowed = answer.headers.get("access-control-allow-origin")
    hold(allowed == origin, allowed)


class Lines(logging.Handler):
    """What was logged, and an event for when that of one path was."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.text = ""
        self.came = anyio.Event()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage()
        if self._path in self.text:
            self.came.set()


@probe("secrets-in-logs")
async def no_token_and_no_query_is_in_the_log(w: World) -> None:
    lines, logger = Lines("/authorize"), logging.getLogger("catshop.http")
    before = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    try:
        headers = {"Authorization": "Bearer planted-token"}
        await w.http.get(f"{w.url}/authorize?state=planted-state", headers=headers)
        with anyio.fail_after(10):  # a line is written once its answer has been sent
            await lines.came.wait()
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)
    hold("planted" not in lines.text, lines.text)

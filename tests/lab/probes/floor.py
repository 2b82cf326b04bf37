"""Probes of hosts, origins and the log."""

from __future__ import annotations

import logging

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
    """What was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage()


@probe("secrets-in-logs")
async def no_token_and_no_query_is_in_the_log(w: World) -> None:
    lines, logger = Lines(), logging.getLogger("catshop.http")
    before = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    try:
        headers = {"Authorization": "Bearer planted-token"}
        await w.http.get(f"{w.url}/authorize?state=planted-state", headers=headers)
        await w.http.get(f"{w.url}/healthz")  # once this is answered, the other is in the log
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)
    assert "/authorize" in lines.text
    hold("planted" not in lines.text, lines.text)

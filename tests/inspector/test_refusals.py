"""Whatever is refused shows a check that said no, its code, and the line that decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from catshop.inspector.recording import Check
from catshop.inspector.web.exchanges import refused
from catshop.kernel import Trace, Verdict, begin_exchange, has_refused
from tests.support.hosting import BOTH, ENVELOPE, MODERN
from tests.support.shop import open_shop
from tests.support.shopper import token_of
from tests.support.visit import recorder

OLD = {"MCP-Protocol-Version": "2025-11-25"}
JSON = {"Accept": BOTH, "Content-Type": "application/json"}


def asking(method: str, **params: object) -> dict[str, Any]:
    """A request of the 2026-07-28 era."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": ENVELOPE}}
    return {
        "method": "POST",
        "json": message,
        "headers": {**JSON, "MCP-Protocol-Version": MODERN, "Mcp-Method": method},
    }


def posting(content: bytes, content_type: str) -> dict[str, Any]:
    return {"method": "POST", "content": content, "headers": {"Content-Type": content_type}}


REFUSED = [
    ("E-HTTP-40", "request.taken", "http1/routes.py", {"method": "GET", "path": "/nowhere"}),
    ("E-HTTP-41", "request.taken", "http1/routes.py", {"method": "PUT", "path": "/token"}),
    ("E-HTTP-31", "request.taken", "http1/",
     {**posting(b" " * 5_000_000, "application/json"), "path": "/register"}),
    ("E-MCP-01", "request.taken", "ladder.py", {"method": "POST", "headers": {"Accept": "a/b"}}),
    ("E-MCP-02", "request.taken", "ladder.py",
     {"method": "POST", "content": b"{}", "headers": {**JSON, "Content-Type": "a/b"}}),
    ("E-RPC-01", "message.taken", "jsonrpc.py",
     {"method": "POST", "content": b"{", "headers": JSON}),
    ("E-RPC-18", "message.taken", "dispatcher.py", asking("cats/pet")),
    ("E-RPC-19", "message.taken", "dispatcher.py", asking("tools/list", cursor=1)),
    ("E-PAGE-01", "message.taken", "pagination.py", asking("tools/list", cursor="nine")),
    ("E-SES-03", "request.taken", "sessions.py",
     {"method": "DELETE", "headers": {**OLD, "Mcp-Session-Id": "of-nobody"}}),
    ("E-SES-01", "request.taken", "sessions.py",
     {"method": "GET", "headers": {**OLD, "Accept": BOTH}}),
    ("E-REG-11", "request.taken", "oauth/clients.py",
     {**posting(b"a=b", "text/plain"), "path": "/register"}),
    ("E-REQ-02", "request.taken", "oauth/parameters.py",
     {**posting(b"{}", "application/json"), "path": "/token"}),
    ("E-REQ-03", "request.taken", "oauth/parameters.py",
     {**posting(b"a=1&a=2", "application/x-www-form-urlencoded"), "path": "/token"}),
    ("E-LOGIN-01", "request.taken", "oauth/parking.py", {"method": "GET", "path": "/login?req=x"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "check", "source", "asked"), REFUSED, ids=[each[0] for each in REFUSED]
)
async def test_a_refusal_shows_its_check_its_code_and_its_line(
    tmp_path: Path, code: str, check: str, source: str, asked: dict[str, Any]
) -> None:
    trace = Trace()
    made, memory = recorder()
    trace.observe(made)
    asking_mcp = "path" not in asked
    async with open_shop(tmp_path, trace) as shop, httpx2.AsyncClient() as client:
        token = {"Authorization": f"Bearer {await token_of(shop, 'alice')}"}
        sent = {"path": "/mcp", "headers": {}, **asked}
        url = f"{shop.url}{sent.pop('path')}"
        headers = {**sent.pop("headers"), **(token if asking_mcp else {})}
        answer = await client.request(url=url, headers=headers, **sent)
    assert answer.is_error
    [exchange] = memory.recording().exchanges.values()
    [no] = [each for each in exchange.every(Check) if each.verdict == "NO"]
    assert (no.name, no.told["code"]) == (check, code)
    assert source in no.source.rpartition(":")[0]
    refusal = refused(exchange)
    assert refusal is not None
    assert refusal.words is not None
    assert (refusal.words.code, refusal.source) == (code, no.source)


async def test_a_check_that_has_said_no_is_not_told_again(tmp_path: Path) -> None:
    """The check knows more than the door: its name, and what it had expected."""
    trace = Trace()
    made, memory = recorder()
    trace.observe(made)
    async with open_shop(tmp_path, trace) as shop, httpx2.AsyncClient() as client:
        assert (await client.post(shop.mcp)).status_code == 401
        assert (await client.get(f"{shop.url}/health", headers={"Host": "x"})).status_code == 421
    found = [
        [each.name for each in exchange.every(Check) if each.verdict == "NO"]
        for exchange in memory.recording().exchanges.values()
    ]
    assert found == [["bearer.valid"], ["host.listed"]]


async def test_a_no_belongs_to_its_exchange_and_to_the_tasks_that_serve_it() -> None:
    trace = Trace()
    trace.observe(lambda _: None)
    found: dict[str, bool] = {}

    async def exchange(name: str, verdict: Verdict) -> None:
        begin_exchange(name)
        async with anyio.create_task_group() as inside:
            inside.start_soon(anyio.to_thread.run_sync, trace.check, "a", verdict)
        found[name] = has_refused()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(exchange, "first", Verdict.NO)
        tasks.start_soon(exchange, "second", Verdict.OK)
    assert found == {"first": True, "second": False}
    assert not has_refused()

"""Probes of single messages."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from tests.lab.world import World, fields, hold, message, probe
from tests.support.hosting import BOTH


async def said(w: World, content: object, **headers: str) -> httpx2.Response:
    """The answer to a message of somebody with a token."""
    guest = await w.bearer()
    return await guest.post(content, **{**fields(), **headers})


def code_of(answer: httpx2.Response) -> Any:
    return answer.json().get("error", {}).get("code")


@probe("id-as-string")
async def an_id_keeps_its_type(w: World) -> None:
    told = (await said(w, {**message(), "id": 7})).json()
    hold(isinstance(told["id"], int), repr(told["id"]))


@probe("id-changed")
async def an_id_keeps_its_value(w: World) -> None:
    told = (await said(w, {**message(), "id": 7})).json()
    hold(told["id"] == 7, told["id"])


@probe("batch-accepted")
async def an_array_is_refused(w: World) -> None:
    answer = await said(w, [message(), message()])
    hold(answer.status_code == 400, answer.text[:80])


@probe("depth-unbounded")
async def what_is_nested_too_deeply_is_not_parsed(w: World) -> None:
    deep: object = None
    for _ in range(100):
        deep = [deep]
    answer = await said(w, message(cursor=deep))
    hold(code_of(answer) == -32700, answer.text[:80])


@probe("names-twice")
async def a_name_that_stands_twice_is_refused(w: World) -> None:
    guest = await w.bearer()
    twice = json.dumps(message()).replace('"id": 1', '"id": 1, "id": 2')
    headers = {**guest.bears(), **fields(), "Content-Type": "application/json"}
    answer = await w.http.post(w.mcp, content=twice, headers=headers)
    hold(code_of(answer) == -32700, answer.text[:80])


@probe("notification-answered")
async def a_notification_is_accepted_and_not_answered(w: World) -> None:
    answer = await said(w, {"jsonrpc": "2.0", "method": "notifications/cancelled"})
    hold((answer.status_code, answer.content) == (202, b""), answer.status_code)


@probe("accept-ignored")
async def a_client_that_cannot_read_the_answer_is_told_so(w: World) -> None:
    answer = await said(w, message(), Accept="text/html")
    hold(answer.status_code == 406, answer.status_code)


@probe("method-mirror-skipped")
async def another_method_in_the_field_is_refused(w: World) -> None:
    answer = await said(w, message(), **{"Mcp-Method": "prompts/list"})
    hold(code_of(answer) == -32020, answer.text[:80])


@probe("name-mirror-skipped")
async def another_name_in_the_field_is_refused(w: World) -> None:
    called = message("tools/call", name="view_cart", arguments={})
    named = {"Mcp-Method": "tools/call", "Mcp-Name": "list_products"}
    answer = await said(w, called, **named)
    hold(code_of(answer) == -32020, answer.text[:80])


@probe("version-unchecked")
async def another_version_in_the_field_is_refused(w: World) -> None:
    answer = await said(w, message(), **{"MCP-Protocol-Version": "2025-11-25"})
    hold(code_of(answer) == -32020, answer.text[:80])


@probe("version-echoed")
async def a_revision_that_nobody_speaks_is_not_agreed_to(w: World) -> None:
    guest = await w.bearer()
    about = {"capabilities": {}, "clientInfo": {"name": "guest", "version": "1"}}
    params = {"protocolVersion": "2099-01-01", **about}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    told = (await guest.post(asked)).json()["result"]["protocolVersion"]
    hold(told != "2099-01-01", told)


@probe("unknown-method-200")
async def a_method_that_does_not_exist_is_not_found(w: World) -> None:
    answer = await said(w, message("cats/purr"), **{"Mcp-Method": "cats/purr"})
    hold(answer.status_code == 404, answer.status_code)


@probe("error-tells-stack")
async def an_error_shows_nothing_of_the_inside(w: World) -> None:
    answer = await said(w, message("cats/purr"), **{"Mcp-Method": "cats/purr"})
    assert code_of(answer) == -32601
    hold("Traceback" not in answer.text, answer.text[:80])


@probe("json-as-text")
async def json_says_that_it_is_json(w: World) -> None:
    answer = await said(w, message(), Accept=BOTH)
    hold(answer.headers["content-type"] == "application/json", answer.headers["content-type"])

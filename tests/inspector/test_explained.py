"""Refusals that lead to their explanation. RFC 6749 §4.1.2.1, §5.2."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from catshop.inspector.web.explained import Explaining, explained
from catshop.oauth.authorize import location
from catshop.oauth.errors import InvalidGrant, InvalidRequest, render
from catshop.protocol.http1.door import render as refuse
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import (
    JSON,
    STREAMED,
    Answer,
    Request,
    Streamed,
    json_answer,
)
from catshop.protocol.jsonrpc import PARSE_ERROR, RpcError, error_response
from tests.oauth.house import request_of

BASE = "http://127.0.0.1:9000/-/explain/"


def told(answer: Answer) -> Any:
    return json.loads(explained(answer, BASE).body)


def test_an_oauth_error_has_an_error_uri() -> None:
    """RFC 6749 §5.2: a page with information about the error."""
    answer = render(InvalidGrant("E-PKCE-06"))
    assert told(answer) == {**json.loads(answer.body), "error_uri": f"{BASE}E-PKCE-06"}


def test_a_redirect_with_an_error_has_an_error_uri() -> None:
    """RFC 6749 §4.1.2.1: the same, in the query that the client gets."""
    error = InvalidRequest("E-PKCE-01")
    sent = {"error": error.code, "error_description": error.description}
    address = location("https://app.example/cb?a=b", "https://issuer.example", "s", **sent)
    answer = explained(Answer(303, (("location", address),)), BASE)
    query = parse_qs(urlsplit(answer.fields[0][1]).query)
    assert query["error_uri"] == [f"{BASE}E-PKCE-01"]
    assert answer.fields[0][1].startswith(address)


def test_a_json_rpc_error_says_where_it_is_explained() -> None:
    answer = Answer(400, (JSON,), error_response(RpcError(PARSE_ERROR, "E-RPC-01", id=7)))
    assert told(answer)["error"]["data"]["explain"] == f"{BASE}E-RPC-01"
    assert told(answer)["id"] == 7


def test_a_refusal_in_http_says_where_it_is_explained() -> None:
    answer = refuse(HttpError(404, "E-HTTP-40"), "id")
    assert told(answer)["explain"] == f"{BASE}E-HTTP-40"


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(200, {"error": "odd", "error_description": "ends like one E-NONE-99"}),
        json_answer(200, {"result": {"text": "E-PKCE-06"}}),
        Answer(200, (JSON,), b'["E-PKCE-06"]'),
        Answer(200, (("content-type", "text/plain"),), b"E-PKCE-06"),
        Answer(303, (("location", "https://app.example/cb?code=E-PKCE-06"),)),
        Answer(303, (("location", "https://app.example/cb?error=access_denied"),)),
        Answer(204),
    ],
    ids=["unknown-code", "result", "array", "text", "code", "no-description", "empty"],
)
def test_what_is_no_refusal_of_ours_stays_as_it_is(answer: Answer) -> None:
    assert explained(answer, BASE) == answer


async def test_a_stream_passes_and_what_a_handler_raises_is_explained(
    request_of_nobody: Request,
) -> None:
    async def streams(_: Request) -> Answer | Streamed:
        return STREAMED

    async def refuses(_: Request) -> Answer | Streamed:
        raise HttpError(404, "E-HTTP-40")

    assert await Explaining(streams, BASE)(request_of_nobody) is STREAMED
    answer = await Explaining(refuses, BASE)(request_of_nobody)
    assert isinstance(answer, Answer)
    assert json.loads(answer.body)["explain"] == f"{BASE}E-HTTP-40"


@pytest.fixture
def request_of_nobody() -> Request:
    """A request that no handler here looks at."""
    return request_of("GET", "/")

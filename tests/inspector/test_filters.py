"""What a filter means, term by term, and what it does not."""

from __future__ import annotations

import pytest

from catshop.inspector.filters import OF_CHECKS, OF_EXCHANGES, filtered
from catshop.inspector.recording import (
    Answer,
    Check,
    Ended,
    Exchange,
    Message,
    RecordingRefused,
    Request,
    Sql,
)

REFUSED = Exchange(
    11,
    7,
    [
        Request(n=11, method="POST", target="/token?x=status"),
        Check(n=11, name="client.known", verdict="ok", source="oauth/client_auth.py:9"),
        Check(n=11, name="pkce.s256", verdict="NO", told={"code": "E-PKCE-06"}),
        Sql(n=11, sql="SELECT * FROM oauth_codes", rows=1),
        Message(n=11, method="tools/call"),
        Answer(n=11, status=400),
        Ended(n=11, status=400, ms=13.7),
    ],
)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "n=11",
        "flow=7",
        "method=post",
        "path~/token status>=400 check=pkce verdict=NO lane=db",
        "path=/token",
        "path!=/mcp",
        "status<401 status>399",
        "ms<=13.7",
        "ms>2",
        "code=E-PKCE-06",
        "check=pkce.s256",
        "check~s256",
        "check=client verdict=ok source~client_auth",
        "rpc=tools/call",
        "sql~OAUTH_codes",
        "lane=auth",
        "code=E-PKCE",
        "any~oauth_codes",
        "tool!=checkout",
    ],
)
def test_it_lets_pass_what_it_describes(expression: str) -> None:
    assert filtered(expression)(REFUSED)


@pytest.mark.parametrize(
    "expression",
    [
        "n=1",
        "status=40",
        "status>400",
        "path~status",
        "path!=/token",
        "path=/tok",
        "check=pkce.s",
        "code=E-PK",
        "check=pkce verdict=ok",
        "check=pk",
        "verdict=NO check!=pkce",
        "lane=browser",
        "method>1",
        "rpc=ping",
    ],
)
def test_it_keeps_back_all_else(expression: str) -> None:
    """Terms about checks must all fit the same check; the query is no part of a path."""
    assert not filtered(expression)(REFUSED)


@pytest.mark.parametrize(
    "expression",
    [
        "color=red",
        "status",
        "status = 400",
        "=400",
        "n=",
        "verdict?NO",
        "lane=clients",
        "status=abc",
        "verdict=MAYBE",
        "status==200",
        "n=3,4",
    ],
)
def test_what_means_nothing_is_refused(expression: str) -> None:
    with pytest.raises(RecordingRefused) as refused:
        filtered(expression)
    assert refused.value.code == "E-REC-05"


def test_every_name_can_be_asked_for_of_an_exchange_that_says_nothing() -> None:
    for name in (*OF_EXCHANGES, *OF_CHECKS):
        value = "db" if name == "lane" else "no" if name == "verdict" else "7"
        assert not filtered(f"{name}={value}")(Exchange(1))


def test_a_name_or_a_value_that_is_nearly_one_is_told() -> None:
    for expression, meant in (("checks=pkce", "check"), ("lane=clients", "client")):
        with pytest.raises(RecordingRefused, match=f"did you mean {meant}"):
            filtered(expression)

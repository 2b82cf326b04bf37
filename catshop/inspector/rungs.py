"""A conversation in rungs: who asked whom for what, what happened inside, and how it ended.

Pure, from the exchanges of a recording; what was not recorded is in no rung, and nothing is told
that no line of the recording says. Who takes part is read from the request itself: whoever wants a
page is a browser, and paths tell the authorization server from the MCP endpoint.
Next: `ladder.py`, which draws rungs, and `mermaid.py`, which writes them as a diagram.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from catshop.catalogue import catalogue
from catshop.inspector.documents import mapping, members
from catshop.inspector.recording import Body, Check, Ended, Exchange, Frame, Message, Sql
from catshop.inspector.redact import MARK

CODE: Final = re.compile(r"\bE-[A-Z]+-\d+\b")
"""How a refusal is called, wherever it stands."""

METADATA: Final = re.compile(r'resource_metadata="([^"]*)"')
"""Where a challenge sends a client that has no token."""

WRITES: Final = re.compile(r"(INSERT) INTO (\w+)|(UPDATE) (\w+)|(DELETE) FROM (\w+)")

EVENTS: Final = 12
"""Events of one stream that get a rung of their own."""

AT_THE_DOOR: Final = frozenset({"host.listed", "origin.listed"})
"""Checks of every request, told last."""

TELLING: Final = ("access_token", "refresh_token", "client_id", "authorization_servers", "issuer")
"""Members of a JSON document that later requests use: what the answer was good for."""


class Lane(StrEnum):
    """Who takes part, from left to right."""

    CLIENT = "client"
    BROWSER = "browser"
    AUTHORIZATION = "auth"
    MCP = "mcp"
    DATABASE = "db"


class Tone(StrEnum):
    """What a rung is, for whoever colours it; its words say it, too."""

    ASKED = "asked"
    ANSWERED = "answered"
    REFUSED = "refused"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class Rung:
    """One line: from whom to whom, and what is said. Equal lanes: what one found by itself."""

    n: int
    start: Lane
    end: Lane
    tone: Tone
    said: str
    status: int = 0
    ms: float = 0.0


def caller(exchange: Exchange) -> Lane:
    """Who asked: a browser shows its cookies, wants a page, or carries a request or its answer.

    An authorization request and its answer go by the user's browser, whoever plays it.
    RFC 6749 §3.1, §4.1.2.
    """
    fields, query = named(exchange), urlsplit(exchange.request.target).query
    page = "text/html" in fields.get("accept", "") or "cookie" in fields
    carried = "response_type=" in query or callee(exchange) is Lane.CLIENT
    return Lane.BROWSER if page or carried else Lane.CLIENT


def callee(exchange: Exchange) -> Lane:
    """Who was asked: the program that waits for a redirect, the MCP endpoint, or else its guard."""
    path, fields = urlsplit(exchange.request.target).path, named(exchange)
    if path == "/callback":
        return Lane.CLIENT
    if "/.well-known/oauth-protected-resource" in path or path.rstrip("/").endswith("/mcp"):
        return Lane.MCP
    speaks = {"mcp-protocol-version", "mcp-session-id", "mcp-method"} & fields.keys()
    return Lane.MCP if speaks else Lane.AUTHORIZATION


def named(exchange: Exchange) -> Mapping[str, str]:
    """The fields of the request by lower-case name."""
    return {name.lower(): value for name, value in exchange.request.fields}


def rungs(exchanges: Iterable[Exchange]) -> Iterator[Rung]:
    """Every exchange, in order: asked, what happened inside, answered."""
    for exchange in exchanges:
        start, end = caller(exchange), callee(exchange)
        yield Rung(exchange.n, start, end, Tone.ASKED, asked(exchange))
        if exchange.fault:
            yield Rung(exchange.n, end, end, Tone.REFUSED, f"fault: {exchange.fault}")
        for tone, said in _found(exchange):
            yield Rung(exchange.n, end, end, tone, said)
        if statements := exchange.every(Sql):
            yield Rung(exchange.n, end, Lane.DATABASE, Tone.INSIDE, _stored(statements))
        yield from _streamed(exchange, end, start)
        yield _answer(exchange, end, start)


def title(exchange: Exchange) -> str:
    """One line that says which exchange this is, and whether it was served as it should be."""
    broken = f", fault: {exchange.fault}" if exchange.fault else ""
    return f"{exchange.n}. {caller(exchange)} to {callee(exchange)}: {asked(exchange)}{broken}"


def asked(exchange: Exchange) -> str:
    """Method and path; of a call what is called, as its body says, or the fields that repeat it."""
    request = exchange.request
    told = (request.method, urlsplit(request.target).path, method_of(exchange), name_of(exchange))
    return " ".join(filter(None, told))


def method_of(exchange: Exchange) -> str:
    """The JSON-RPC method that was asked for, understood or not; empty where there is none."""
    message = exchange.first(Message)
    said = message.method if message else members(exchange.body(">").text).get("method")
    return str(said or named(exchange).get("mcp-method", ""))


def name_of(exchange: Exchange) -> str:
    """The tool, prompt or resource that was asked for."""
    return _called(exchange.body(">")) or named(exchange).get("mcp-name", "")


def _called(body: Body) -> str:
    """The tool, prompt or resource that a JSON-RPC request names."""
    params = mapping(members(body.text).get("params"))
    return str(params.get("name") or params.get("uri") or "")


def _found(exchange: Exchange) -> Iterator[tuple[Tone, str]]:
    """The checks: those that passed by name, the one that failed with why."""
    checks = sorted(exchange.every(Check), key=lambda check: check.name in AT_THE_DOOR)
    passed = [check.name for check in checks if check.verdict == "ok"]
    if set(passed) - AT_THE_DOOR:
        yield Tone.INSIDE, "ok " + " ".join(passed)
    for check in checks:
        if check.verdict != "ok":
            why = ", ".join(check.told[each] for each in ("code", "arrived") if each in check.told)
            yield Tone.REFUSED, f"NO {check.name} {why}".rstrip()


def _stored(statements: Iterable[Sql]) -> str:
    """What was written, by verb and table with the rows, and how often was read."""
    wrote: dict[str, dict[str, int]] = {}
    reads = 0
    for each in statements:
        found = WRITES.match(each.sql)
        if found and each.rows:
            verb, table = filter(None, found.groups())
            tables = wrote.setdefault(verb, {})
            tables[table] = tables.get(table, 0) + each.rows
        reads += each.sql.startswith(("SELECT", "WITH"))
    told = [
        f"{verb} {' '.join(_rows(*each) for each in tables.items())}"
        for verb, tables in wrote.items()
    ]
    read = [f"{reads} SELECT{'s' if reads > 1 else ''}"] if reads else []
    return ", ".join([*told, *read])


def _rows(table: str, rows: int) -> str:
    return table if rows == 1 else f"{table} ({rows} rows)"


def event(frame: Frame) -> tuple[str, str]:
    """The id of an event, and what it says: a notification, a question, or the answer at last."""
    data = frame.value("data")
    found = members(data)
    said = str(found.get("method", ""))
    if said == "notifications/progress":
        params = mapping(found.get("params"))
        of = f"/{params['total']}" if "total" in params else ""
        said = f"{said} {params.get('progress', '')}{of} {params.get('message', '')}".rstrip()
    result = mapping(found.get("result"))
    return frame.value("id"), said or _result(result) or frame.value("event") or data[:60]


def _streamed(exchange: Exchange, start: Lane, end: Lane) -> Iterator[Rung]:
    """The events of a stream before its last one, as far as they are few."""
    frames = [each for each in exchange.every(Frame) if not each.text.startswith(":")]
    for frame in frames[: min(EVENTS, len(frames) - 1)]:
        id_, said = event(frame)
        since = (frame.at - exchange.request.at) * 1000
        told = " ".join(filter(None, ("event", id_ and f"id {id_}", said)))
        yield Rung(exchange.n, start, end, Tone.INSIDE, told, ms=max(0.0, since))
    if len(frames) - 1 > EVENTS:
        left = len(frames) - 1 - EVENTS
        yield Rung(exchange.n, start, end, Tone.INSIDE, f"{left} more events")


def _answer(exchange: Exchange, start: Lane, end: Lane) -> Rung:
    ended, status = exchange.first(Ended), exchange.status
    said = _refused(exchange) if status >= 400 else _said(exchange) if status else "no answer"
    if ended is None:
        said = f"{said} (open)" if status else "open"
    tone = Tone.ANSWERED if 0 < status < 400 else Tone.REFUSED
    return Rung(exchange.n, start, end, tone, said, status, ended.ms if ended else 0.0)


def _refused(exchange: Exchange) -> str:
    """The code of a refusal and its words, and where a challenge says to go. RFC 9728 §5.1."""
    fields = " ".join(value for _, value in exchange.answer.fields)
    code, way = CODE.search(exchange.body("<").text + fields), METADATA.search(fields)
    words = catalogue().get(code[0]) if code else None
    told = f"{words.code} {words.title}" if words else exchange.answer.reason
    return f"{told}, go to {_short(way[1])}" if way else told


def _said(exchange: Exchange) -> str:
    """Where an answer leads, what it gives, or what it says."""
    where = [value for name, value in exchange.answer.fields if name.lower() == "location"]
    if where:
        return f"go to {_short(where[0])}"
    found = _answered(exchange)
    result = mapping(found.get("result"))
    return _result(result) if result else _given(found)


def _answered(exchange: Exchange) -> Mapping[str, Any]:
    """The answer's document; of a stream, what came last."""
    for frame in reversed(exchange.every(Frame)):
        if (data := frame.value("data")).strip():
            return members(data)
    return members(exchange.body("<").text)


def _short(url: str) -> str:
    """An address of a redirect: its path, and what of its parameters is secret."""
    parts = urlsplit(url)
    hidden = [pair for pair in parts.query.split("&") if MARK.search(pair)]
    return parts.path + ("?" + "&".join(hidden) if hidden else "")


def _given(found: Mapping[str, Any]) -> str:
    told = [f"{name} {_one(found[name])}" for name in TELLING if name in found]
    return ", ".join(told)


def _one(value: object) -> str:
    return str(value[0] if isinstance(value, list) and value else value)


def _result(result: Mapping[str, Any]) -> str:
    """The result of a call as its user would hear it: a question, a text, or how many there are."""
    for asked in mapping(result.get("inputRequests")).values():
        message = str(mapping(mapping(asked).get("params")).get("message", ""))
        return f"asks: {' '.join(message.split())}"
    content = result.get("content")
    for block in content if isinstance(content, list) else ():
        return _text(str(mapping(block).get("text", "")))
    return ", ".join(_listed(*each) for each in result.items() if isinstance(each[1], list))


def _listed(name: str, entries: list[object]) -> str:
    """What a list holds: its words, or else how many entries."""
    words = [each for each in entries if isinstance(each, str)]
    return f"{name} {' '.join(words)}" if words else f"{len(entries)} {name}"


def _text(text: str) -> str:
    """The message of a text that is JSON; else the text."""
    return str(members(text).get("message", text))

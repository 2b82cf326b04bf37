"""A recorded request, made ready to be sent again, and what is different about its new answer.

Its secrets are gone: what stands in their place comes from whoever sends it, by name, and a request
in which a mark is left is not sent. Ids and times of a message differ always and say nothing, so
they are not compared; of secrets it is compared that they are there. Pure. Next:
`catshop/cli/replaying.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import unified_diff
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from catshop.inspector.recording import Exchange, Frame, Pairs, RecordingRefused
from catshop.inspector.redact import MARK

CARRIED: Final = frozenset({
    "host", "content-length", "connection", "accept-encoding", "transfer-encoding", "authorization",
    "dpop",
})  # fmt: skip
"""Fields that whoever sends the request writes anew."""

PASSING: Final = frozenset({"date", "x-request-id", "content-length"})
"""Fields that differ from one answer to the next."""

ANY: Final = "‹›"
"""What stands for every secret where two answers are compared."""


@dataclass(frozen=True, slots=True)
class Again:
    """A request without its address and its token."""

    method: str
    path: str
    query: str
    fields: Pairs
    body: str
    kind: str
    tokened: bool
    """Whether it had a token."""

    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


def again(exchange: Exchange) -> Again:
    """The request of an exchange. RecordingRefused when it was not recorded."""
    request, body = exchange.request, exchange.body(">")
    if not request.method or body.note:
        raise RecordingRefused("E-REC-08", f"#{exchange.n} {body.note}".strip())
    path, _, query = request.target.partition("?")
    fields = tuple(each for each in request.fields if each[0].lower() not in CARRIED)
    tokened = any(name.lower() == "authorization" for name, _ in request.fields)
    return Again(request.method, path, query, fields, body.text, body.type, tokened)


def changed(request: Again, name: str, value: str) -> Again:
    """With another value for what is called `name`: a parameter, a member, or else a field.

    Members of objects in objects are named with dots. RecordingRefused when nothing is called so.
    """
    if name in dict(parse_qsl(request.query, keep_blank_values=True)):
        return replace(request, query=_parameter(request.query, name, value))
    if "form" in request.kind and name in dict(parse_qsl(request.body, keep_blank_values=True)):
        return replace(request, body=_parameter(request.body, name, value))
    if "json" in request.kind and (body := _member(request.body, name, value)) is not None:
        return replace(request, body=body)
    others = tuple(each for each in request.fields if each[0].lower() != name.lower())
    if len(others) == len(request.fields) and name.lower() != "authorization":
        raise RecordingRefused("E-REC-09", name)
    return replace(request, fields=(*others, (name, value)))


def whole(request: Again) -> Again:
    """The request, in which no mark is left. RecordingRefused names what has to be set."""
    named = [*request.fields, *parse_qsl(request.query)]
    named += parse_qsl(request.body) if "form" in request.kind else [("the body", request.body)]
    missing = [name for name, value in named if MARK.search(value)]
    if missing:
        raise RecordingRefused("E-REC-10", ", ".join(missing))
    return request


def differences(exchange: Exchange, status: int, fields: Pairs, body: str) -> Iterator[str]:
    """The lines in which the new answer differs from the recorded one; none when it does not."""
    old = _lines(exchange.status, exchange.answer.fields, _said(exchange))
    new = _lines(status, fields, body)
    yield from unified_diff(old, new, "recorded", "now", n=1, lineterm="")


def _said(exchange: Exchange) -> str:
    """The body, or the events of a stream."""
    return "\n".join(frame.text for frame in exchange.every(Frame)) or exchange.body("<").text


def _lines(status: int, fields: Pairs, body: str) -> list[str]:
    told = sorted(f"{name.lower()}: {v}" for name, v in fields if name.lower() not in PASSING)
    return [MARK.sub(ANY, line) for line in (str(status), *told, *_spread(body))]


def _spread(body: str) -> list[str]:
    """JSON a member a line, without the id of the message; of anything else, its lines."""
    try:
        document = json.loads(body)
    except ValueError:
        return [line for line in body.splitlines() if line]
    if isinstance(document, dict):
        document.pop("request_id", None)
    return json.dumps(document, ensure_ascii=False, indent=1).splitlines()


def _parameter(text: str, name: str, value: str) -> str:
    pairs = parse_qsl(text, keep_blank_values=True)
    return urlencode([(each, value if each == name else held) for each, held in pairs])


def _member(text: str, name: str, value: str) -> str | None:
    """The document with another member; None when it has none of that name."""
    document: Any = json.loads(text)
    *way, last = name.split(".")
    inner = document
    for step in way:
        inner = inner.get(step) if isinstance(inner, Mapping) else None
    if not isinstance(inner, dict) or last not in inner:
        return None
    try:
        inner[last] = json.loads(value)
    except ValueError:
        inner[last] = value
    return json.dumps(document, ensure_ascii=False)

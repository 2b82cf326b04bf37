"""A recorded request, made ready to be sent again, and what is different about its new answer.

Its secrets are gone: what stands in their place is filled in, or comes from whoever sends it, by
name, and a request in which a mark is left is not sent. Fields that mirror the body follow it. Ids
and times of a message differ always and say nothing, so they are not compared; of secrets it is
compared that they are there. Pure. Next: `rehearsal.py`, where values come from;
`catshop/cli/replaying.py`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches, unified_diff
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from catshop.inspector.documents import document, mapping, spread
from catshop.inspector.gifts import FORM, Talk, talk
from catshop.inspector.recording import Exchange, Frame, Pairs, Recording, RecordingRefused
from catshop.inspector.redact import MARK
from catshop.inspector.rungs import Lane, callee

MANAGEMENT: Final = "registration_access_token"
"""What the token of a registration is called where it is given."""

TOKENS: Final = ("bearer ", "dpop ")
"""How a field Authorization begins that shows a token. RFC 6750 §2.1, RFC 9449 §7.1."""

PASSING: Final = frozenset({"date", "dpop-nonce", "x-request-id", "content-length"})
"""Fields that differ from one answer to the next."""

NAMELESS: Final = frozenset({
    "auth_time", "client_id", "client_id_issued_at", "exp", "iat", "registration_client_uri",
})  # fmt: skip
"""Members that are ids or dates: that they are there is all that is compared."""

ANY: Final = "‹›"
"""What stands for every secret where two answers are compared."""

VERSION: Final = "io.modelcontextprotocol/protocolVersion"
MIRRORS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "mcp-method": (("method",),),
    "mcp-name": (("params", "name"), ("params", "uri"), ("params", "taskId")),
    "mcp-protocol-version": (("params", "_meta", VERSION),),
}
"""What of a body is repeated in its fields. MCP 2026-07-28 basic/transports/streamable-http
§standard-request-headers."""

ARGUMENTS: Final = ("params", "arguments")
"""What `Mcp-Param-` fields repeat."""

PLAIN: Final = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
"""A text that a field can hold as it is."""


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
    proven: bool = False
    """Whether it had a proof of a key, and no token. RFC 9449 §5."""

    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def is_form(self) -> bool:
        """Whether the body is a form."""
        return self.kind.startswith(FORM)

    def holds(self) -> str:
        """Everything that could be what an answer gave."""
        form = parse_qsl(self.body, keep_blank_values=True) if self.is_form else [("", self.body)]
        pairs = (*parse_qsl(self.query, keep_blank_values=True), *self.fields, *form)
        return " ".join([self.path, *(value for _, value in pairs)])


def picked(recording: Recording, number: int) -> Exchange:
    """The exchange of that number. RecordingRefused names the numbers that there are."""
    if number not in recording.exchanges:
        raise RecordingRefused("E-REC-21", f"#{number}; {range_of(recording)}")
    return recording.exchanges[number]


def range_of(recording: Recording) -> str:
    """Which numbers there are."""
    numbers = sorted(recording.exchanges)
    return f"there are #{numbers[0]} to #{numbers[-1]}" if numbers else "there are no exchanges"


def again(exchange: Exchange, having: Talk | None = None) -> Again:
    """The request of an exchange, as part of a talk. RecordingRefused when it was not recorded."""
    request, body = exchange.request, exchange.body(">")
    if not request.method or body.note:
        raise RecordingRefused("E-REC-08", f"#{exchange.n} {body.note}".strip())
    if callee(exchange) is Lane.CLIENT:
        raise RecordingRefused("E-REC-08", f"#{exchange.n} went to the client itself")
    if not request.target.startswith("/"):
        raise RecordingRefused("E-REC-08", f"#{exchange.n} asks for no path of the server")
    path, _, query = request.target.partition("?")
    having = having or talk([exchange])
    sent, tokened = having.fields(exchange), is_tokened(request.fields, having)
    fields = tuple(
        (name, value)
        for name, value in sent
        if name.lower() != "dpop" and not (tokened and name.lower() == "authorization")
    )
    proven = not tokened and any(name.lower() == "dpop" for name, _ in request.fields)
    return Again(request.method, path, query, fields, body.text, body.type, tokened, proven)


def is_tokened(fields: Pairs, having: Talk) -> bool:
    """Whether a request shows an access token: whoever signs in can have another one.

    The token of a registration is none. RFC 7592 §3.
    """
    shown = [value for name, value in fields if name.lower() == "authorization"]
    given = [each.gift.name for value in shown for each in having.takes(value)]
    return MANAGEMENT not in given and any(value.lower().startswith(TOKENS) for value in shown)


# --- Other values ---


def changed(request: Again, name: str, value: str, explicit: Collection[str] = ()) -> Again:
    """With another value for what is called `name`: a parameter, a member, or else a field.

    Members of objects in objects are named with dots. Fields that mirror a member follow it, unless
    they are `explicit`. RecordingRefused when nothing is called so, and says what was meant.
    """
    if name in dict(parse_qsl(request.query, keep_blank_values=True)):
        return replace(request, query=_parameter(request.query, name, value))
    if request.is_form and name in dict(parse_qsl(request.body, keep_blank_values=True)):
        return replace(request, body=_parameter(request.body, name, value))
    if (body := _member(request, name, value)) is not None:
        return mirrored(replace(request, body=body), request.body, explicit)
    others = tuple(each for each in request.fields if each[0].lower() != name.lower())
    if len(others) == len(request.fields) and name.lower() != "authorization":
        raise RecordingRefused("E-REC-09", f"{name}{_meant(request, name)}")
    return replace(request, fields=(*others, (name, value)))


def mirrored(request: Again, before: str, explicit: Collection[str] = ()) -> Again:
    """With fields that say again what the body says by now, where they said what it said `before`.

    MCP 2026-07-28 basic/transports/streamable-http §standard-request-headers.
    """
    was, now = document(before), document(request.body)

    def followed(name: str, value: str) -> str:
        if name.lower() in explicit:
            return value
        new = (
            _at(now, path)
            for path in _mirrored_by(name.lower(), was)
            if value == _spelled(_at(was, path)) and _at(now, path) is not None
        )
        return _spelled(next(new, value))

    return replace(request, fields=tuple((name, followed(name, v)) for name, v in request.fields))


def _mirrored_by(field: str, told: object) -> Iterable[tuple[str, ...]]:
    """The members that a field may repeat."""
    if field.startswith("mcp-param-"):
        return [way for way in ways(told) if way[:2] == ARGUMENTS]
    return MIRRORS.get(field, ())


def _spelled(value: object) -> str:
    """A value as a field holds it. MCP 2026-07-28 basic/transports/streamable-http
    §value-encoding."""
    text = value if isinstance(value, str) else json.dumps(value)
    if PLAIN.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8')).decode('ascii')}?="


def _meant(request: Again, name: str) -> str:
    """What there is that is called almost so."""
    members = [".".join(way) for way in ways(document(request.body))]
    form = parse_qsl(request.body) if request.is_form else []
    others = [each for each, _ in (*parse_qsl(request.query), *form, *request.fields)]
    inside = [each for each in members if each.rpartition(".")[2] == name]
    close = inside or get_close_matches(name, [*members, *others], 1)
    return f"; did you mean {close[0]}?" if close else ""


def ways(told: object) -> Iterator[tuple[str, ...]]:
    """The way to each member of a document, whatever it holds."""
    for name, inner in mapping(told).items():
        yield (name,)
        yield from ((name, *way) for way in ways(inner))


def _parameter(text: str, name: str, value: str) -> str:
    pairs = parse_qsl(text, keep_blank_values=True)
    return urlencode([(each, value if each == name else held) for each, held in pairs])


def _member(request: Again, name: str, value: str) -> str | None:
    """The document with another member; None when it has none of that name."""
    found: Any = document(request.body) if "json" in request.kind else None
    way = next((way for way in ways(found) if ".".join(way) == name), None)
    if way is None:
        return None
    inner = found
    for step in way[:-1]:
        inner = inner[step]
    try:
        inner[way[-1]] = json.loads(value)
    except ValueError:
        inner[way[-1]] = value
    return json.dumps(found, ensure_ascii=False)


def _at(told: object, way: tuple[str, ...]) -> object:
    here = told
    for name in way:
        here = mapping(here).get(name)
    return here


# --- What is filled in ---


def filled(
    request: Again, values: Mapping[str, str], thought: Mapping[tuple[str, str], str]
) -> Again:
    """With `values` in place of what was recorded, and for a parameter what is `thought` anew."""

    def put(text: str, spell: Callable[[str], str] = str) -> str:
        found = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
        return re.sub(found, lambda each: spell(values[each[0]]), text) if found else text

    def pairs(text: str) -> str:
        held = parse_qsl(text, keep_blank_values=True)
        new = [(name, thought.get((name, value)) or put(value)) for name, value in held]
        return text if new == held else urlencode(new)

    in_json = put(request.body, lambda each: json.dumps(each)[1:-1])
    return replace(
        request,
        path=put(request.path, lambda each: quote(each, safe="")),
        query=pairs(request.query),
        fields=tuple((name, put(value)) for name, value in request.fields),
        body=pairs(request.body) if request.is_form else in_json,
    )


def missing(request: Again) -> list[str]:
    """The names of those secrets that are still marks."""
    form = parse_qsl(request.body) if request.is_form else [("the body", request.body)]
    named = [("the path", request.path), *request.fields, *parse_qsl(request.query), *form]
    return [name for name, value in named if MARK.search(value)]


def whole(request: Again) -> Again:
    """The request, in which no mark is left. RecordingRefused names what has to be set."""
    if lacking := missing(request):
        raise RecordingRefused("E-REC-10", ", ".join(lacking))
    return request


# --- What differs ---


def differences(exchange: Exchange, status: int, fields: Pairs, body: str) -> Iterator[str]:
    """The lines in which the new answer differs from the recorded one; none when it does not."""
    old = _lines(exchange.status, exchange.answer.fields, _said(exchange))
    new = _lines(status, fields, body)
    yield from unified_diff(old, new, "recorded", "now", n=1, lineterm="")


def events_of(exchange: Exchange) -> list[str]:
    """The events of a stream; a comment, which keeps it open, is none. WHATWG HTML §9.2.6."""
    return [each.text for each in exchange.every(Frame) if not each.text.startswith(":")]


def _said(exchange: Exchange) -> str:
    """The body, or the events of a stream."""
    return "\n".join(events_of(exchange)) or exchange.body("<").text


def _lines(status: int, fields: Pairs, body: str) -> list[str]:
    told = sorted(f"{name.lower()}: {v}" for name, v in fields if name.lower() not in PASSING)
    return [MARK.sub(ANY, line) for line in (str(status), *told, *_spread(body))]


def _spread(body: str) -> list[str]:
    """JSON a member a line, without the id of the message; of anything else, its lines."""
    found = document(body)
    if found is None:
        return [line for line in body.splitlines() if line]
    if isinstance(found, dict):
        found = {
            name: ANY if name in NAMELESS else value
            for name, value in found.items()
            if name != "request_id"
        }
    return spread(found, 1).splitlines()

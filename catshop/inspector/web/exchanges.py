"""One exchange, taken apart: its fields with their reasons, its octets, its checks, its difference.

Pure: from an exchange of a recording, and the flow that it belongs to, to a value that a page or a
JSON document shows. Nothing here is secret, because a recording holds marks alone; and nothing is
invented: what was not recorded is not said. Next: `pages/wire.html`, which shows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from catshop.catalogue import Explanation, catalogue
from catshop.inspector.annotations import reason
from catshop.inspector.curl import Variable, quoted
from catshop.inspector.documents import document, members, spread
from catshop.inspector.recording import Body, Check, Ended, Exchange, Frame, Sql
from catshop.inspector.redact import MARK
from catshop.inspector.rungs import CODE, Lane, callee, caller
from catshop.inspector.web.hexadecimal import dump

FORM: Final = "application/x-www-form-urlencoded"

BLAME: Final = {
    "pkce": ("code_verifier", "code_challenge"),
    "code": ("code",),
    "redirect_uri": ("redirect_uri",),
    "resource": ("resource",),
    "client": ("client_id", "client_secret", "authorization"),
    "scope": ("scope",),
    "refresh": ("refresh_token",),
    "grant_type": ("grant_type",),
    "bearer": ("authorization",),
    "dpop": ("dpop",),
    "host": ("host",),
    "origin": ("origin",),
    "form": ("csrf",),
    "login": ("username", "password"),
}
"""Which fields a check looks at, by the first word of its name."""

PROOF: Final = frozenset({"E-PKCE-06"})
"""Refusals of a verifier: what it should have been is known from where the flow began."""


@dataclass(frozen=True, slots=True)
class Part:
    """A field with its reason; `blamed` when it is what was refused."""

    place: str
    name: str
    value: str
    why: str
    section: str
    blamed: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which check said no, where it stands, and what the catalogue knows of it."""

    check: str
    source: str
    arrived: str
    words: Explanation | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A line of a difference: `-` what came, `+` what was expected, blank what both have."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Detail:
    """All that is shown of one exchange."""

    n: int
    flow: int
    start: Lane
    end: Lane
    method: str
    target: str
    status: int
    reason: str
    ms: float
    request: str
    response: str
    fault: str = ""
    request_octets: tuple[str, ...] = ()
    response_octets: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    checks: tuple[Check, ...] = ()
    statements: tuple[Sql, ...] = ()
    frames: tuple[Frame, ...] = ()
    decoded: Mapping[str, str] = field(default_factory=dict)
    refusal: Refusal | None = None
    difference: tuple[Changed, ...] = ()
    curl: str = ""


def detail(exchange: Exchange, flow: Iterable[Exchange], base: str) -> Detail:
    """The exchange, as part of its flow, at the server whose address is `base`."""
    request, answer, ended = exchange.request, exchange.answer, exchange.first(Ended)
    refusal = refused(exchange)
    blamed = BLAME.get(refusal.check.partition(".")[0], ()) if refusal else ()
    return Detail(
        n=exchange.n,
        flow=exchange.flow,
        start=caller(exchange),
        end=callee(exchange),
        method=request.method,
        target=request.target,
        status=exchange.status,
        reason=answer.reason,
        ms=ended.ms if ended else 0.0,
        request=octets_asked(exchange),
        response=octets_answered(exchange),
        fault=exchange.fault,
        request_octets=tuple(dump(octets_asked(exchange, "\r\n"))),
        response_octets=tuple(dump(octets_answered(exchange, "\r\n"))),
        parts=tuple(parts(exchange, blamed)),
        checks=tuple(exchange.every(Check)),
        statements=tuple(exchange.every(Sql)),
        frames=tuple(exchange.every(Frame)),
        decoded=dict(decoded(exchange)),
        refusal=refusal,
        difference=tuple(difference(exchange, refusal, tuple(flow))),
        curl=curl(exchange, base),
    )


def refused(exchange: Exchange) -> Refusal | None:
    """The check that said no; or, where none is named, the code that the answer tells."""
    said_no = [check for check in exchange.every(Check) if check.verdict == "NO"]
    if exchange.status < 400 and not said_no:
        return None
    told = said_no[-1] if said_no else Check()
    fields = " ".join(value for _, value in exchange.answer.fields)
    texts = (told.told.get("code", ""), told.name, exchange.body("<").text, fields)
    codes = (code for text in texts for code in CODE.findall(text) if code in catalogue())
    code = next(codes, "")
    words = catalogue().get(code)
    if words is None and not said_no:
        return None
    return Refusal(told.name, told.source, told.told.get("arrived", ""), words)


def octets_asked(exchange: Exchange, end: str = "\n") -> str:
    """The request as it was on the wire, with marks for its secrets; on the wire `end` is CRLF."""
    asked = exchange.request
    line = f"{asked.method} {asked.target} HTTP/{asked.version}"
    return _message(line, asked.fields, exchange.body(">"), end)


def octets_answered(exchange: Exchange, end: str = "\n") -> str:
    """The answer as it was on the wire, its events one after the other."""
    answer = exchange.answer
    if not answer.status:
        return ""
    line = f"HTTP/1.1 {answer.status} {answer.reason}".rstrip()
    frames = "".join(f"{frame.text or frame.note}\n\n" for frame in exchange.every(Frame))
    return _message(line, answer.fields, exchange.body("<"), end) + frames


def _message(line: str, fields: Iterable[tuple[str, str]], body: Body, end: str) -> str:
    head = end.join([line, *(f"{name}: {value}" for name, value in fields)])
    told = body.text + (f"\n({body.note})" if body.note else "")
    return f"{head}{end}{end}{told}"


def parts(exchange: Exchange, blamed: Iterable[str]) -> Iterator[Part]:
    """Every field of the request and of the answer, in the order of the wire."""
    wrong = frozenset(blamed)
    query, asked, said = urlsplit(exchange.request.target).query, exchange.body(">"), "<"
    rows = (
        *(("query", *pair) for pair in parse_qsl(query, keep_blank_values=True)),
        *((place, *pair) for place, pair in _members("form", "json", asked)),
        *(("header", *pair) for pair in exchange.request.fields),
        *(("answer header", *pair) for pair in exchange.answer.fields),
        *((place, *pair) for place, pair in _members("", "answer json", exchange.body(said))),
    )
    for place, name, value in rows:
        found = reason(place, name)
        bad = name.lower() in wrong and not place.startswith("answer")
        yield Part(place, name, value, found.why, found.section, bad)


def _members(form: str, json_place: str, body: Body) -> Iterator[tuple[str, tuple[str, str]]]:
    """The parameters of a form, or the members of a JSON object."""
    if form and body.type.startswith(FORM):
        for pair in parse_qsl(body.text, keep_blank_values=True):
            yield form, pair
        return
    for name, value in members(body.text).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield json_place, (name, text)


def decoded(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Bodies as somebody reads them: JSON with its lines, a form with its characters."""
    for name, way in (("request", ">"), ("answer", "<")):
        body = exchange.body(way)
        if (found := document(body.text)) is not None:
            yield name, spread(found)
        elif body.type.startswith(FORM):
            yield name, "\n".join(unquote_plus(pair) for pair in body.text.split("&"))


def difference(
    exchange: Exchange, refusal: Refusal | None, flow: tuple[Exchange, ...]
) -> Iterator[Changed]:
    """What came against what was expected, and the answer that this has led to."""
    if refusal is None:
        return
    yield Changed(" ", f"{exchange.request.method} {urlsplit(exchange.request.target).path}")
    yield from _proof(exchange, flow) if _is_proof(refusal) else _told(refusal)
    yield Changed(" ", "")
    yield Changed("-", f"HTTP/1.1 {exchange.status} {exchange.answer.reason}".rstrip())
    body = exchange.body("<").text
    for name in ("error", "error_description"):
        value = _text_member(body, name)
        if value:
            yield Changed("-", f'  "{name}": "{value}"')
    yield Changed("+", f"HTTP/1.1 {_better(exchange)}")


def _is_proof(refusal: Refusal) -> bool:
    return refusal.words is not None and refusal.words.code in PROOF


def _told(refusal: Refusal) -> Iterator[Changed]:
    if refusal.arrived:
        yield Changed("-", f"  {refusal.arrived}")
    if refusal.words:
        yield Changed("+", f"  {refusal.words.expected}")


def _proof(exchange: Exchange, flow: tuple[Exchange, ...]) -> Iterator[Changed]:
    """The verifier that came, and the challenge that it should hash to."""
    sent = dict(parse_qsl(exchange.body(">").text)).get("code_verifier", "")
    begun = [(each.n, challenge_of(each)) for each in flow if challenge_of(each)]
    yield Changed("-", f"  code_verifier={sent}")
    if begun:
        number, challenge = begun[-1]
        yield Changed("+", f"  code_verifier=(the text that you hashed for #{number})")
        yield Changed(" ", f"  because BASE64URL(SHA256(code_verifier)) must be {challenge}")


def challenge_of(exchange: Exchange) -> str:
    """What a request for a code has shown of its verifier."""
    query = urlsplit(exchange.request.target).query
    return dict(parse_qsl(query)).get("code_challenge", "")


def _better(exchange: Exchange) -> str:
    """How such a request is answered when nothing is wrong with it."""
    path = urlsplit(exchange.request.target).path
    if path.endswith("/register"):
        return "201 Created"
    return "303 See Other" if path.endswith(("/authorize", "/login", "/consent")) else "200 OK"


def _text_member(text: str, name: str) -> str:
    value = members(text).get(name, "")
    return value if isinstance(value, str) else ""


NOT_SENT: Final = frozenset({"host", "content-length", "connection", "accept-encoding"})
"""Fields that curl writes by itself."""


def curl(exchange: Exchange, base: str) -> str:
    """The request once more, for a shell; each secret is a variable, so that it can be run.

    Whoever was recorded wrote it: every word is quoted, names and method too.
    """
    request, body = exchange.request, exchange.body(">")
    form = body.type.startswith(FORM)
    lines = [f"curl -ig --path-as-is {_target(base, request.target)}"]
    if not request.target.startswith("/"):
        lines = [f"curl -ig {quoted([base])}", f"--request-target {_target('', request.target)}"]
    if request.method != ("POST" if body.text else "GET"):
        lines.append(f"-X {quoted([request.method])}")
    for name, value in request.fields:
        if name.lower() not in NOT_SENT and not (form and name.lower() == "content-type"):
            lines.append(f"-H {_word(f'{name}: ', name, value)}")
    if form:
        for name, value in parse_qsl(body.text, keep_blank_values=True):
            lines.append(f"--data-urlencode {_word(f'{name}=', name, value)}")
    elif body.text:
        lines.append(f"--data-raw {_word('', 'secret', body.text)}")
    return " \\\n  ".join(lines)


def _target(base: str, target: str) -> str:
    """The address with a variable for each secret in it."""
    path, mark, query = target.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    found: list[str] = [base, *_pieces("secret", path), mark]
    for number, (name, equals, value) in enumerate(pairs):
        found += ["&" * bool(number), name, equals, *_pieces(name, value)]
    return quoted(found)


def _word(before: str, name: str, value: str) -> str:
    return quoted([before, *_pieces(name, value)])


def _pieces(name: str, text: str) -> list[str]:
    """The text, with a variable named after `name` in place of each mark."""
    called = "TOKEN" if name.lower() == "authorization" else re.sub(r"[^A-Za-z]", "_", name).upper()
    parts = re.split(f"({MARK.pattern})", text)
    return [Variable(called or "SECRET") if MARK.fullmatch(part) else part for part in parts]

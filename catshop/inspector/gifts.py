"""What answers gave and later requests were made of: the thread of a recorded conversation.

A code, a session, a cookie or a token stands in an answer at some place: a field, a parameter of a
redirect, an input of a form, a member of a document. Where it stands again in a later request it
was a gift, and whoever has the conversation again reads it from the same place of the new answer.
What no answer gave is not known here. Pure. Next: `thoughts.py`, what whoever asked brought along;
`curl.py` and `again.py`, which have conversations again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from catshop.inspector.documents import document
from catshop.inspector.recording import Exchange, Frame
from catshop.inspector.redact import MARK
from catshop.inspector.rungs import Lane, callee, named

OPAQUE: Final = 16
"""Characters from which on a text of an answer is taken for an id, and not for a word."""

DEEP: Final = 32
"""Levels of a document that are looked at."""

READABLE: Final = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
"""Names by which a gift is read: no name that a stranger wrote can mean anything in a script."""

TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""The name of a field. RFC 9110 §5.6.2."""

AUTOMATIC: Final = frozenset({
    "accept-encoding", "connection", "content-length", "expect", "http2-settings", "keep-alive",
    "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    "user-agent",
})  # fmt: skip
"""Fields that whoever sends a request writes anew, or that were for the next one alone."""

BROKEN: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
"""What looks like an encoded octet, and is none. RFC 3986 §2.1."""

FORM: Final = "application/x-www-form-urlencoded"
MISDIRECTED: Final = 421
"""Who is answered so has named another server. RFC 9110 §15.5.20."""


@dataclass(frozen=True, slots=True)
class Gift:
    """A text in an answer: the kind of its place, the name there, and the how manieth of it."""

    reader: str
    name: str
    value: str
    nth: int = 1

    @property
    def place(self) -> tuple[str, str, int]:
        """Where another answer of the same kind has a text of the same meaning."""
        return self.reader, self.name, self.nth

    @property
    def is_worth_keeping(self) -> bool:
        """Whether it could be told from a word wherever it comes again."""
        long = len(self.value) >= OPAQUE and self.reader != "field"
        return long or MARK.fullmatch(self.value) is not None


@dataclass(frozen=True, slots=True)
class Given:
    """A gift, and the exchange whose answer gave it first."""

    by: Exchange
    gift: Gift


@dataclass(frozen=True, slots=True)
class Talk:
    """Exchanges that are had again, in order, and what they have from each other."""

    sent: tuple[Exchange, ...]
    base: str
    """The address of the server, as the client knew it."""
    cookies: frozenset[str]
    """Names of the cookies that answers set; all others belong to somebody else, if there are any.
    """
    given: Mapping[str, Given]
    """What answers gave and later requests hold, unless a request had it before."""

    def fields(self, exchange: Exchange) -> Iterator[tuple[str, str]]:
        """The fields that are sent again: all that somebody has chosen."""
        for name, value in exchange.request.fields:
            kept = self._cookies(value) if name.lower() == "cookie" else value
            ours = name.lower() == "host" and self.base.endswith(f"//{value}")
            chosen = TOKEN.fullmatch(name) and name.lower() not in AUTOMATIC and not ours
            if chosen and (kept or not value):
                yield name, kept

    def _cookies(self, value: str) -> str:
        ours = (f"{name}={held}" for name, held in cookies(value) if name in self.cookies)
        return "; ".join(ours) if self.cookies else value

    def holds(self, exchange: Exchange) -> str:
        """Everything in a request that could be what an answer gave."""
        body = exchange.body(">")
        texts = [exchange.request.target.partition("?")[0]]
        texts += (value for _, value in (*parameters(exchange), *self.fields(exchange)))
        return " ".join([*texts, "" if is_form(exchange) else body.text])

    def takes(self, text: str) -> list[Given]:
        """What of a request was given; `text` is all that it holds."""
        return [given for value, given in self.given.items() if value in text]

    def leading_up(self, text: str, holds: Callable[[Exchange], str]) -> list[Exchange]:
        """The exchanges without whose answers no request can hold `text`, in order."""
        found: set[int] = set()
        waiting = [text]
        for each in waiting:
            new = {id(given.by): given.by for given in self.takes(each)}
            waiting += [holds(by) for key, by in new.items() if key not in found]
            found |= new.keys()
        return [each for each in self.sent if id(each) in found]


def talk(
    exchanges: Iterable[Exchange], base: str = "", cookies: frozenset[str] = frozenset()
) -> Talk:
    """The exchanges, and what later ones have from earlier ones.

    `base` and `cookies` are what is known of the server besides.
    """
    sent = tuple(exchanges)
    readable = [list(readings(each)) for each in sent]
    plain = Talk(sent, base or server_of(sent), cookies | set_by(sent), {})
    given: dict[str, Given] = {}
    used: set[str] = set()
    before = ""
    for exchange, found in zip(sent, readable, strict=True):
        text = plain.holds(exchange)
        used |= {value for value in given if value in text}
        before += f" {text}"
        for gift in found:
            ours = plain.base and gift.value.startswith(plain.base)
            if gift.is_worth_keeping and not ours and gift.value not in before:
                given.setdefault(gift.value, Given(exchange, gift))
    kept = {value: each for value, each in given.items() if value in used}
    return replace(plain, given=kept)


def set_by(exchanges: Iterable[Exchange]) -> frozenset[str]:
    """The names of the cookies that answers set."""
    gifts = (gift for each in exchanges for gift in readings(each))
    return frozenset(gift.name for gift in gifts if gift.reader == "cookie")


def server_of(exchanges: Iterable[Exchange], url: str = "") -> str:
    """The address by which most requests knew the server; else `url`, by which it knows itself.

    A request that named another server, and was refused for it, says nothing of this one.
    """
    own = re.match(r"https?://[^/?#]+", url)
    hosts = Counter(
        named(each).get("host", "")
        for each in exchanges
        if each.status != MISDIRECTED and callee(each) is not Lane.CLIENT
    )
    most = next((host for host, _ in hosts.most_common() if host), "")
    if own and (not most or own[0].endswith(f"//{most}")):
        return own[0]
    return f"http://{most}" if most else ""


def cookies(value: str) -> list[tuple[str, str]]:
    """Name and value of each cookie that a request shows. RFC 6265 §4.2.1."""
    pairs = (each.partition("=") for each in value.split("; "))
    return [(name, held) for name, _, held in pairs]


def parameters(exchange: Exchange) -> list[tuple[str, str]]:
    """Those of the query, and those of a form."""
    query = parse_qsl(exchange.request.target.partition("?")[2], keep_blank_values=True)
    form = exchange.body(">").text if is_form(exchange) else ""
    return [*query, *parse_qsl(form, keep_blank_values=True)]


def is_form(exchange: Exchange) -> bool:
    """Whether the body of the request is a form."""
    return exchange.body(">").type.startswith(FORM)


def is_regular(text: str) -> bool:
    """Whether the parameters of a text, encoded anew, are the same text to whoever reads it."""
    named = all("=" in pair for pair in text.split("&"))
    return named and not BROKEN.search(text) and "\ufffd" not in unquote_plus(text)


def readings(exchange: Exchange) -> Iterator[Gift]:
    """Every text of an answer that has a name, each with its place."""
    counted: Counter[tuple[str, str]] = Counter()
    for reader, name, value in _texts(exchange):
        if READABLE.fullmatch(name):
            counted[reader, name] += 1
            yield Gift(reader, name, value, counted[reader, name])


def _texts(exchange: Exchange) -> Iterator[tuple[str, str, str]]:
    for name, value in exchange.answer.fields:
        yield from _of_field(name, value)
    body = exchange.body("<")
    if "<input" in body.text:
        yield from (("input", *each) for each in _inputs(body.text))
    frames = exchange.every(Frame)
    yield from (("event", "id", each.value("id")) for each in frames)
    for text in (body.text, *(each.value("data") for each in frames)):
        yield from (("member", *each) for each in _members(document(text)))


def _of_field(name: str, value: str) -> Iterator[tuple[str, str, str]]:
    match name.lower():
        case "location":
            query = value.partition("#")[0].partition("?")[2]
            yield from (("parameter", *each) for each in parse_qsl(query))
        case "set-cookie":
            cookie, _, held = value.partition(";")[0].partition("=")
            yield "cookie", cookie.strip(), held.strip()
        case _:
            yield "field", name, value


def _members(found: object, deep: int = DEEP) -> Iterator[tuple[str, str]]:
    """The text members of a document, in the order of the text."""
    inner = found if isinstance(found, list) and deep else ()
    for name, value in found.items() if isinstance(found, Mapping) and deep else ():
        if isinstance(value, str):
            yield str(name), value
        else:
            yield from _members(value, deep - 1)
    for each in inner:
        yield from _members(each, deep - 1)


def _inputs(text: str) -> Iterator[tuple[str, str]]:
    """Name and value of the inputs of a page, as far as they have one."""
    reader = _Inputs()
    reader.feed(text)
    yield from reader.found


class _Inputs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        if tag == "input" and held.get("name") and "value" in held:
            self.found.append((held["name"], held["value"]))

"""What whoever asked brought along: what a client thinks of itself, and secrets from elsewhere.

A verifier, a state, a name and a password are thought of anew whenever a conversation is had again,
each text as its own, so that what was wrong then is wrong again: the verifier that belongs to a
challenge is told from one that was guessed. A secret that no answer gave has to be brought again,
unless it was refused wherever it was shown, which any other would be, too. Pure. Next: `gifts.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from urllib.parse import parse_qsl

from catshop.inspector.gifts import Talk, cookies, is_form, parameters
from catshop.inspector.recording import Check, Exchange
from catshop.inspector.redact import MARK

OURS: Final = {
    "code_verifier": "VERIFIER",
    "code_challenge": "CHALLENGE",
    "state": "STATE",
    "username": "NAME",
    "password": "PASSWORD",
}
"""Parameters that whoever asks thinks of, and what is thought of anew is called."""

COOKIE: Final = "COOKIE"
"""What is thought of in place of a cookie that no answer gave."""

SIGN_IN: Final = ("action", "sign-in")
"""What a form says of somebody who has been here before."""

SCHEMES: Final = {"bearer": "TOKEN", "dpop": "TOKEN", "basic": "CREDENTIALS"}
"""What the secret of a field Authorization is called, by its scheme."""

USELESS: Final[Mapping[str, frozenset[int]]] = {
    "authorization": frozenset({401}),
    "mcp-session-id": frozenset({404}),
    "cookie": frozenset({400, 401, 403}),
}
"""Statuses that refuse a secret for what it is, by the field that shows it."""

REFUSED: Final = frozenset({400, 401, 403})
"""Those of any other place."""

RESERVED: Final = re.compile(
    r"BASE|DIR|ENV|HOME|IFS|LANG|OLDPWD|OPTIND|PATH|PPID|PS\d|PWD|SHELL|TERM|TMPDIR|USER"
    r"|(?:CURL|DYLD|LC|LD|OPENSSL|SSL)_.*|.*_PROXY"
)
"""Variables that mean something to a shell, or to the programs that it starts."""

NAMED: Final = re.compile(r'"([\w-]+)"\s*:\s*"[^"]*$')
NEAR: Final = 200
"""Characters before a secret in which the name of its member is looked for."""


@dataclass(frozen=True, slots=True)
class Thought:
    """What was thought of, as which parameter, and the variable for what is thought of anew."""

    kind: str
    name: str
    value: str
    variable: str
    of: str = ""
    """Of a challenge: the variable of its verifier."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A secret that no answer gave, and the variable for the one that is brought instead."""

    name: str
    value: str
    variable: str
    by: int
    """The exchange that showed it first."""
    useless: bool
    """Whether it was refused wherever it was shown."""


@dataclass(slots=True)
class Names:
    """Hands out variables, each once."""

    taken: set[str] = field(default_factory=set)

    def __call__(self, name: str) -> str:
        """A variable for what is called `name`; numbered where the name is taken."""
        plain = re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9]", "_", name).upper()
        fits = re.match(r"[A-Z_]", plain) and not RESERVED.fullmatch(plain)
        first = plain if fits else f"_{plain}"
        numbered = (first if n == 1 else f"{first}_{n}" for n in count(1))
        found = next(each for each in numbered if each not in self.taken)
        self.taken.add(found)
        return found


def thoughts(talk: Talk, names: Names) -> Iterator[Thought]:
    """Everything of the talk that is thought of anew; a verifier before its challenge."""
    paired: set[str] = set()
    for challenge, verifier in _pairs(talk).items():
        variable = names("VERIFIER")
        held = "" if verifier in paired else verifier
        paired.add(held)
        yield Thought("VERIFIER", "code_verifier", held, variable)
        yield Thought("CHALLENGE", "code_challenge", challenge, names("CHALLENGE"), variable)
    for name, value in _chosen(talk):
        if value not in paired and name != "code_challenge":
            yield Thought(OURS[name], name, value, names(OURS[name]))
    for name, value in _old_cookies(talk):
        yield Thought(COOKIE, name, value, names(name))


def _old_cookies(talk: Talk) -> dict[tuple[str, str], None]:
    """Cookies that a browser had from an earlier visit: to another server they are any cookie."""
    return {
        (name, held): None
        for exchange in talk.sent
        for name, held in _cookies_of(talk, exchange)
        if name in talk.cookies and held not in talk.given and MARK.fullmatch(held)
    }


def _chosen(talk: Talk) -> dict[tuple[str, str], None]:
    """What was thought of, in order: all of it that was accepted once, and all that is a secret."""
    theirs = _old_friends(talk)
    return {
        (name, value): None
        for exchange in talk.sent
        for name, value in parameters(exchange)
        if name in OURS and value and value not in talk.given and (name, value) not in theirs
        if MARK.fullmatch(value) or not refused(exchange)
    }


def _old_friends(talk: Talk) -> set[tuple[str, str]]:
    """Names and passwords of those who sign in without having signed up here: they stay."""
    new: set[str] = set()
    old: set[tuple[str, str]] = set()
    for exchange in talk.sent:
        told = parameters(exchange)
        name = dict(told).get("username", "")
        if SIGN_IN in told and name not in new and not refused(exchange):
            old |= {each for each in told if each[0] in {"username", "password"}}
        elif not refused(exchange):
            new.add(name)
    return old


def _pairs(talk: Talk) -> dict[str, str]:
    """The verifier of each challenge; empty where nobody has shown one. RFC 7636 §4.6."""
    asked: dict[str, str] = {}
    issued: dict[str, str] = {}
    shown: dict[str, list[tuple[str, Exchange]]] = {}
    last = ""
    for exchange in talk.sent:
        told, led = dict(parameters(exchange)), _led(exchange)
        if "code_challenge" in told and not refused(exchange):
            last = asked[told.get("state", "")] = told["code_challenge"]
            shown.setdefault(last, [])
        if "code" in led:
            issued[led["code"]] = asked.get(led.get("state", ""), last)
        if "code_verifier" in told and last:
            challenge = issued.get(told.get("code", "")) or last
            shown[challenge].append((told["code_verifier"], exchange))
    return {challenge: _fitting(tries) for challenge, tries in shown.items()}


def _fitting(tries: list[tuple[str, Exchange]]) -> str:
    """The verifier that was found to fit; else the first that was not found to be wrong."""
    fits = [verifier for verifier, exchange in tries if _verdict(exchange) is True]
    open_ = [verifier for verifier, exchange in tries if _verdict(exchange) is None]
    return next(iter([*fits, *open_]), "")


def _verdict(exchange: Exchange) -> bool | None:
    """Whether the verifier fitted; None where the request was refused for something else."""
    found = {check.verdict for check in exchange.every(Check) if check.name.startswith("pkce.")}
    if "NO" in found or "E-PKCE" in exchange.body("<").text:
        return False
    return True if "ok" in found or not refused(exchange) else None


def refused(exchange: Exchange) -> bool:
    """Whether the answer says no, be it by a redirect to the client. OAuth 2.1 §4.1.2.1."""
    return exchange.status >= 400 or "error" in _led(exchange)


def _led(exchange: Exchange) -> Mapping[str, str]:
    """The parameters of the address that an answer leads to."""
    where = [value for name, value in exchange.answer.fields if name.lower() == "location"]
    return dict(parse_qsl(where[0].partition("#")[0].partition("?")[2])) if where else {}


def brought(talk: Talk, thought: Collection[str], names: Names) -> list[Brought]:
    """Secrets of requests that no answer gave, and that are not `thought` of anew."""
    known = {*talk.given, *thought}
    uses: dict[str, list[tuple[str, str, Exchange]]] = {}
    for exchange in talk.sent:
        for place, name, mark in _secrets(talk, exchange):
            if mark not in known:
                uses.setdefault(mark, []).append((place, name, exchange))
    return [
        Brought(first[1], mark, names(first[1]), first[2].n, all(_is_useless(*use) for use in all_))
        for mark, all_ in uses.items()
        for first in all_[:1]
    ]


def _is_useless(place: str, _name: str, exchange: Exchange) -> bool:
    return exchange.status in USELESS.get(place, REFUSED)


def _secrets(talk: Talk, exchange: Exchange) -> Iterator[tuple[str, str, str]]:
    """Every mark of a request, where it stands, and what it is called there."""
    body = exchange.body(">").text
    texts = [
        *(("", *each) for each in parameters(exchange)),
        *(each for field_ in talk.fields(exchange) for each in _of_field(*field_)),
        ("", "path", exchange.request.target.partition("?")[0]),
        *([] if is_form(exchange) else _of_document(body)),
    ]
    for place, name, text in texts:
        for mark in MARK.findall(text):
            yield place, name, mark


def _cookies_of(talk: Talk, exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Name and value of each cookie of a request."""
    for name, value in talk.fields(exchange):
        if name.lower() == "cookie":
            yield from cookies(value)


def _of_field(name: str, value: str) -> Iterator[tuple[str, str, str]]:
    """A field, whose secrets have names of their own: the scheme, or each cookie."""
    place = name.lower()
    if place == "cookie":
        yield from ((place, *each) for each in cookies(value))
    elif place == "authorization":
        yield place, SCHEMES.get(value.partition(" ")[0].lower(), place), value
    else:
        yield place, place, value


def _of_document(text: str) -> Iterator[tuple[str, str, str]]:
    """The marks of a body, each with the name of its member."""
    for found in MARK.finditer(text):
        before = NAMED.search(text[max(0, found.start() - NEAR) : found.start()])
        yield "", before[1] if before else "body", found[0]

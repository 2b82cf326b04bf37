"""A recorded conversation as a shell script that has it again.

What an answer gave and a later request uses becomes a variable that is read from the new answer;
what the client thought of itself (a verifier, a state, a password) is thought of anew. The rest is
sent as it was recorded, whatever the server at `BASE` is by now, and the first answer with another
status ends the script. What no script can send is left out, and the first lines say so. It is one
subshell, so that it may be pasted, and wants curl and openssl. Pure. Next: `gifts.py` and
`thoughts.py`, which find out what is a variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, quote

from catshop.inspector.gifts import FORM, Gift, Talk, is_form, is_regular, readings, talk
from catshop.inspector.recording import Ended, Exchange, Frame
from catshop.inspector.redact import MARK
from catshop.inspector.rungs import Lane, callee, method_of, named, title
from catshop.inspector.thoughts import COOKIE, Brought, Names, Thought, brought, thoughts

PLAIN: Final = re.compile(r"[A-Za-z0-9_./:=-]+")
"""Text that the shell takes as it is."""

SAFE: Final = re.compile(r"""[^"\\$`!]*""")
"""Text that means itself between double quotes."""

SECONDS: Final = 2
"""How long a stream is read that nobody has ended."""

ANSWERS: Final = re.compile(r'"(?:result|error)"\s*:')
"""What an event holds that answers a request, and ends its stream. JSON-RPC 2.0 §5."""

LISTENS: Final = frozenset({"subscriptions/listen"})
"""Calls whose stream goes on until somebody leaves."""

OPENING: Final = r"""(
set -eu
BASE=${BASE:-http://127.0.0.1:8000}
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
step() { printf '%s\n' "$*"; }
need() {
  eval "[ \"\${$1:-}\" ]" || { echo "$1 is needed, and no answer gives it. $2" >&2; exit 1; }
}
see() {
  want=$1; shift
  got=$("$@" -g --path-as-is -sS --noproxy '*' -D "$DIR/head" -o "$DIR/body" -w '%{http_code}') ||
    { [ $? = 28 ] && [ "$got" != 000 ]; } ||
    { echo "Is the shop open at $BASE? Start it: catshop serve" >&2; exit 1; }
  [ "$got" = "$want" ] || { echo "The answer was $got, and $want before:" >&2
    cat "$DIR/body" >&2; exit 1; }
  printf '  %s\n' "$got"
}
in_head() { tr -d '\r' <"$DIR/head" | sed -n "s/^$1/\1/p" | sed -n "${2}p"; }
in_body() {
  tr '\r\n' '  ' <"$DIR/body" | sed "s/$1\"/\\
&/g" | sed -n "s/^$1\"\([^\"]*\)\".*/\1/p" | sed -n "${2}p"
}
event() { tr -d '\r' <"$DIR/body" | sed -n "s/^$1: *\(.*\)/\1/p" | sed -n "${2:-1}p"; }
field() { in_head "$1: *\(.*\)" "${2:-1}"; }
cookie() { in_head "[Ss]et-[Cc]ookie: *$1=\([^;]*\).*" "${2:-1}"; }
renewed() { set -- "$(cookie "$1")" "$2"; printf %s "${1:-$2}"; }
parameter() { in_head "[Ll]ocation:.*[?&]$1=\([^&#]*\).*" "${2:-1}"; }
member() { in_body "\"$1\" *: *" "${2:-1}"; }
input() { in_body "name=\"$1\" value=" "${2:-1}"; }
base64url() { openssl base64 | tr '+/' '-_' | tr -d '=\n'; }
"""

MAKERS: Final = {
    "VERIFIER": "openssl rand 32 | base64url",
    "CHALLENGE": 'printf %s "${}" | openssl dgst -sha256 -binary | base64url',
    "STATE": "openssl rand -hex 16",
    "NAME": "openssl rand -hex 4",
    "PASSWORD": "openssl rand -hex 16",
    "COOKIE": "openssl rand -hex 16",
}
"""How a shell thinks of something."""

BEFORE: Final = {"NAME": "alice-"}
"""What it begins with."""

ENDING: Final = """
cat "$DIR/body"; echo
)"""

HINTS: Final = {
    "TOKEN": "export {0}=$(catshop token issue --user alice --create-user)",
    "mcp-session-id": "Export the exchange with initialize, too: its answer gives one",
    "password": "export {0}=... is the password of somebody who has signed up before",
}
"""How one comes by a secret, by its name."""

ELSE: Final = "It is the {2} of {1}: export the exchange that gave it, too, or export {0}=..."


class Left(StrEnum):
    """Why an exchange is in no script."""

    UNASKED = "its request was not recorded"
    UNHEARD = "it went to the client itself"
    UNANSWERED = "nobody has answered"
    NOWHERE = "it asks for no path of the server, and would lead elsewhere"
    CUT = "its body was not recorded whole"
    PROVEN = "a DPoP proof is good once, and a script can make no other (RFC 9449 section 11.1)"
    LASTING = "its stream does not end by itself"


def left_out(exchange: Exchange) -> Left | None:
    """Why the request cannot be sent again by a script; None where it can."""
    fields = named(exchange)
    if not exchange.request.method:
        return Left.UNASKED
    if callee(exchange) is Lane.CLIENT:
        return Left.UNHEARD
    if not exchange.status:
        return Left.UNANSWERED
    if not exchange.request.target.startswith("/"):
        return Left.NOWHERE
    if "dpop" in fields or fields.get("authorization", "").lower().startswith("dpop "):
        return Left.PROVEN
    return Left.CUT if exchange.body(">").note else None


def is_cut(exchange: Exchange) -> bool:
    """Whether the answer is a stream whose end nobody has seen: its last event is no answer."""
    said = [data for frame in exchange.every(Frame) if (data := frame.value("data")).strip()]
    kinds = (value for name, value in exchange.answer.fields if name.lower() == "content-type")
    streams = any(kind.startswith("text/event-stream") for kind in kinds)
    return streams and not (exchange.first(Ended) and said and ANSWERS.search(said[-1]))


def is_lasting(exchange: Exchange) -> bool:
    """Whether it would never end: a stream of which no call is the reason."""
    listens = exchange.request.method == "GET" or method_of(exchange) in LISTENS
    return listens and is_cut(exchange)


def told(why: Mapping[int, Left]) -> Iterator[str]:
    """What is left out, a line for each reason; what the client was sent goes without saying."""
    for reason in Left:
        numbers = ", ".join(f"#{n}" for n, each in why.items() if each is reason)
        if numbers and reason is not Left.UNHEARD:
            yield f"Left out: {numbers}: {reason}."


def curl(exchanges: Iterable[Exchange], base: str = "") -> Iterator[str]:
    """The lines of the script; `base` is the address by which the client knew the server."""
    every = list(exchanges)
    why = {each.n: reason for each in every if (reason := left_out(each))}
    script = planned([each for each in every if each.n not in why], base)
    yield from (f"# {line}" for line in told(why))
    yield OPENING.rstrip()
    for thought in script.thoughts:
        maker = MAKERS[thought.kind].replace("{}", thought.of)
        yield f"{thought.variable}={BEFORE.get(thought.kind, '')}$({maker})"
    for secret in script.brought:
        yield _made(secret)
    for exchange in script.talk.sent:
        yield ""
        yield from script.step(exchange)
        for gift in script.kept(exchange):
            nth = f" {gift.nth}" if gift.nth > 1 else ""
            yield f"{script.variables[gift.value]}=$({gift.reader} {gift.name}{nth})"
        for old in script.renewed(exchange):
            yield f'{old.variable}=$(renewed {old.name} "${old.variable}")'
    yield ENDING.lstrip("\n")


def _made(secret: Brought) -> str:
    """How the script comes by a secret: it makes one that is as useless, or asks for it."""
    if secret.useless:
        return f"{secret.variable}=$({MAKERS['PASSWORD']})"
    return f"need {secret.variable} {_single(hint(secret))}"


def hint(secret: Brought) -> str:
    """How one comes by a secret that a script asks for."""
    words = HINTS.get(secret.name, ELSE)
    return words.format(secret.variable, f"#{secret.by}", re.sub(r"[^\w.-]", "?", secret.name))


def planned(sent: Iterable[Exchange], base: str) -> Script:
    """The script before its first step: what is thought of, and what has to be brought."""
    having, names = talk(sent, base), Names()
    thought = list(thoughts(having, names))
    lacking = brought(having, [each.value for each in thought], names)
    script = Script(having, thought, lacking, names)
    script.variables |= {
        each.value: each.variable for each in thought if MARK.fullmatch(each.value)
    }
    script.variables |= {each.value: each.variable for each in lacking}
    return script


@dataclass(slots=True)
class Script:
    """What a script knows so far: the variable that stands for a text."""

    talk: Talk
    thoughts: Sequence[Thought]
    brought: Sequence[Brought]
    names: Names
    variables: dict[str, str] = field(default_factory=dict)

    def thought(self, name: str, value: str) -> str:
        """The variable of what was thought of as the parameter `name`; empty where nothing was."""
        found = (each for each in self.thoughts if (each.name, each.value) == (name, value))
        return next((each.variable for each in found), "")

    def kept(self, exchange: Exchange) -> Iterator[Gift]:
        """What later requests use of the answer; from now on it has a variable."""
        for gift in readings(exchange):
            if gift.value in self.talk.given and gift.value not in self.variables:
                self.variables[gift.value] = self.names(gift.name)
                yield gift

    def renewed(self, exchange: Exchange) -> list[Thought]:
        """Cookies of an earlier visit that the request showed: the answer may set new ones."""
        held = self.talk.holds(exchange)
        return [each for each in self.thoughts if each.kind == COOKIE and each.value in held]

    def pieces(self, text: str) -> list[tuple[str, str]]:
        """What a text is made of: each piece, and the variable that stands for it."""
        known = {self.talk.base: "BASE", **self.variables}
        here = sorted((each for each in known if each and each in text), key=len, reverse=True)
        parts = re.split("(" + "|".join(map(re.escape, here)) + ")", text) if here else [text]
        return [(each, known.get(each, "")) for each in parts if each]

    def step(self, exchange: Exchange) -> Iterator[str]:
        """What the request was, and how curl sends it."""
        yield f"step {quoted([title(exchange)])}"
        path, _, query = exchange.request.target.partition("?")
        in_query = bool(query) and is_regular(query) and not exchange.body(">").text
        options = (
            *self._method(exchange),
            *(("-G", *self._parameters(query)) if in_query else ()),
            *self._fields(exchange),
            *self._body(exchange),
            *((f"--max-time {SECONDS}",) if is_cut(exchange) else ()),
        )
        target = path if in_query or not query else f"{path}?{query}"
        first = f"see {exchange.status} curl {self._filled(self.talk.base + target)}"
        yield " \\\n  ".join([first, *options])

    def _method(self, exchange: Exchange) -> Iterator[str]:
        """What curl would not guess from what it is to send."""
        method = exchange.request.method
        guessed = "POST" if exchange.body(">").text else "GET"
        if method == "HEAD":
            yield "-I"
        elif method != guessed:
            yield f"-X {quoted([method])}"

    def _fields(self, exchange: Exchange) -> Iterator[str]:
        """The fields, without those that curl adds by itself, and those away that it would add."""
        form = exchange.body(">").type.lower() == FORM
        sent = {name.lower() for name, _ in exchange.request.fields}
        added = ("Accept", "Content-Type") if exchange.body(">").text else ("Accept",)
        yield from (f"-H {name}:" for name in added if name.lower() not in sent)
        for name, value in self.talk.fields(exchange):
            if not (name.lower() == "content-type" and form):
                yield f"-H {self._filled(f'{name}: {value}' if value else f'{name};')}"

    def _body(self, exchange: Exchange) -> Iterator[str]:
        body = exchange.body(">")
        if is_form(exchange) and body.text and is_regular(body.text):
            yield from self._parameters(body.text)
        elif body.text:
            yield f"--data-raw {self._filled(body.text)}"

    def _parameters(self, text: str) -> Iterator[str]:
        for name, value in parse_qsl(text, keep_blank_values=True):
            ours, asked = self.thought(name, value), quote(name)
            pair = [f"{asked}=", Variable(ours)] if ours else self._split(f"{asked}={value}")
            said = quoted(pair)
            yield f"{'-d' if PLAIN.fullmatch(said) else '--data-urlencode'} {said}"

    def _filled(self, text: str) -> str:
        """The text for the shell, with a variable in each place where one is due."""
        return quoted(self._split(text))

    def _split(self, text: str) -> list[str]:
        return [Variable(known) if known else each for each, known in self.pieces(text)]


class Variable(str):
    """The name of a shell variable, where text may stand as well."""

    __slots__ = ()


def quoted(pieces: Sequence[str]) -> str:
    """Text and variables as one word of the shell."""
    texts = [each for each in pieces if not isinstance(each, Variable)]
    if len(texts) == len(pieces) and PLAIN.fullmatch("".join(texts)):
        return "".join(texts)
    if all(map(SAFE.fullmatch, texts)):
        shown = (f"${{{each}}}" if isinstance(each, Variable) else each for each in pieces)
        return '"' + "".join(shown) + '"'
    return "".join(_single(each) for each in pieces if each)


def _single(piece: str) -> str:
    if isinstance(piece, Variable):
        return f'"${piece}"'
    return "'" + piece.replace("'", "'\\''") + "'"

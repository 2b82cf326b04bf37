"""A recorded conversation as a shell script that has it again.

What an answer gave and a later request uses becomes a variable that is read from the new answer;
what the client thought of itself (a verifier, a state, a password) is thought of anew. The rest is
sent as it was recorded, whatever the server at `BASE` is by now, and the first answer with another
status ends the script. It is one subshell, so that it may be pasted, and wants curl and openssl.
Pure. Next: `recording.py`, where the exchanges come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from catshop.inspector.recording import Exchange
from catshop.inspector.redact import MARK
from catshop.inspector.rungs import Lane, callee, caller, document, named, title

KEPT: Final = re.compile(r"accept|authorization|content-type|mcp-.*", re.IGNORECASE)
"""Fields that are sent again; curl writes the others by itself."""

OPAQUE: Final = 16
"""Characters from which on a text of an answer is taken for an id, and not for a word."""

OURS: Final = {
    "code_verifier": "VERIFIER",
    "code_challenge": "CHALLENGE",
    "state": "STATE",
    "username": "NAME",
    "password": "PASSWORD",
}
"""Parameters that whoever asks thinks of, and what they are called in the script."""

ASKED_FOR: Final = {"authorization": "TOKEN"}
"""What a secret of a field is called, where whoever runs the script has to bring it."""

JAR: Final = ('-b "$DIR/jar" -c "$DIR/jar"',)
"""A browser keeps cookies."""

FORM: Final = "application/x-www-form-urlencoded"

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
"""What a script may call something."""

PLAIN: Final = re.compile(r"[A-Za-z0-9_./:=-]+")
"""Text that the shell takes as it is."""

SAFE: Final = re.compile(r"""[^"\\$`!]*""")
"""Text that means itself between double quotes."""

OPENING: Final = r"""(
set -eu
BASE=${BASE:-http://127.0.0.1:8000}
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
step() { printf '%s\n' "$*"; }
see() {
  want=$1; shift
  got=$("$@" -g --path-as-is -sS --noproxy '*' -D "$DIR/head" -o "$DIR/body" -w '%{http_code}') ||
    { echo "Is the shop open at $BASE? Start it: catshop serve" >&2; exit 1; }
  [ "$got" = "$want" ] || { echo "The answer was $got, and $want before:" >&2
    cat "$DIR/body" >&2; exit 1; }
  printf '  %s\n' "$got"
}
member() { tr -d '\n' <"$DIR/body" | sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p'; }
input() { tr '\n' ' ' <"$DIR/body" | sed 's/.*name="'"$1"'" value="\([^"]*\)".*/\1/'; }
parameter() {
  tr -d '\r' <"$DIR/head" | sed -n 's/^[Ll]ocation:.*[?&]'"$1"'=\([^&#]*\).*/\1/p'
}
base64url() { openssl base64 | tr '+/' '-_' | tr -d '=\n'; }
VERIFIER=$(openssl rand 32 | base64url)
CHALLENGE=$(printf %s "$VERIFIER" | openssl dgst -sha256 -binary | base64url)
STATE=$(openssl rand -hex 16)
NAME=alice-$(openssl rand -hex 4)
PASSWORD=$(openssl rand -hex 16)
"""

ENDING: Final = """
cat "$DIR/body"; echo
)"""


@dataclass(frozen=True, slots=True)
class Gift:
    """A text in an answer: where it stood, and how a script reads it from there."""

    reader: str
    name: str
    value: str


def curl(exchanges: Iterable[Exchange]) -> Iterator[str]:
    """The lines of the script. What was sent to the client itself has nobody to go to."""
    sent = [each for each in exchanges if _sent(each)]
    wanted, script = wanted_of(sent), _Script(base_of(sent))
    yield OPENING.rstrip()
    for mark, name in brought(sent, wanted).items():
        asked = variable(Gift("", ASKED_FOR.get(name, name), mark), script.variables)
        yield f': "${{{asked}:?the script needs it, and no answer gives it}}"'
    for exchange in sent:
        yield ""
        yield from script.step(exchange)
        for gift in gifts(exchange):
            if gift.value in wanted and gift.value not in script.variables:
                yield f"{variable(gift, script.variables)}=$({gift.reader} {gift.name})"
    yield ENDING.lstrip("\n")


def _sent(exchange: Exchange) -> bool:
    """Whether it was a request to the server, and was answered."""
    asked = exchange.request.method and exchange.status
    return bool(asked) and callee(exchange) is not Lane.CLIENT


def gifts(exchange: Exchange) -> Iterator[Gift]:
    """What a later request could be made of, whose name is a name and no more.

    Whoever answered chose the names, and a script will hold them.
    """
    return (gift for gift in _found(exchange) if NAME.fullmatch(gift.name))


def _found(exchange: Exchange) -> Iterator[Gift]:
    """Parameters of a redirect, hidden inputs, members."""
    for name, value in exchange.answer.fields:
        if name.lower() == "location":
            for parameter, text in parse_qsl(urlsplit(value).query):
                yield Gift("parameter", parameter, text)
    body = exchange.body("<").text
    for name, text in re.findall(r'type="hidden" name="([\w-]+)" value="([^"]*)"', body):
        yield Gift("input", name, text)
    yield from _texts(document(exchange.body("<")))


def _texts(found: object) -> Iterator[Gift]:
    """The text members of a JSON document, at any depth."""
    members = found.items() if isinstance(found, Mapping) else ()
    for name, value in members:
        if isinstance(value, str) and (len(value) >= OPAQUE or MARK.fullmatch(value)):
            yield Gift("member", str(name), value)
        yield from _texts(value)


def wanted_of(sent: Sequence[Exchange]) -> frozenset[str]:
    """What answers gave and later requests hold, unless a request had it before."""
    found: set[str] = set()
    given: set[str] = set()
    before = ""
    for exchange in sent:
        text = _text(exchange)
        found |= {value for value in given if value in text}
        before += text
        given |= {gift.value for gift in gifts(exchange) if gift.value not in before}
    return frozenset(found)


def brought(sent: Sequence[Exchange], wanted: frozenset[str]) -> dict[str, str]:
    """Secrets in fields that no answer gave: whoever runs the script has to bring them."""
    return {
        mark: name.lower()
        for exchange in sent
        for name, value in exchange.request.fields
        if KEPT.fullmatch(name)
        for mark in MARK.findall(value)
        if mark not in wanted
    }


def _text(exchange: Exchange) -> str:
    """Everything in a request that could hold what an answer gave."""
    fields = " ".join(value for name, value in exchange.request.fields if KEPT.fullmatch(name))
    return f"{exchange.request.target} {fields} {exchange.body('>').text}"


def base_of(sent: Sequence[Exchange]) -> str:
    """The address of the server as the client knew it."""
    return f"http://{named(sent[0]).get('host', '')}" if sent else ""


def variable(gift: Gift, variables: dict[str, str]) -> str:
    """A variable for what an answer gave; another one where the name is taken."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|\W", "_", gift.name, flags=re.ASCII).upper()
    taken = set(variables.values()) | set(OURS.values())
    numbered = (f"{name}_{n}" for n in count(2))
    found = name if name not in taken else next(n for n in numbered if n not in taken)
    variables[gift.value] = found
    return found


@dataclass(slots=True)
class _Script:
    """What the script knows so far: the variable that stands for a text."""

    base: str
    variables: dict[str, str] = field(default_factory=dict)

    def step(self, exchange: Exchange) -> Iterator[str]:
        """What the request was, and how curl sends it."""
        yield f"step {quoted([title(exchange)])}"
        path = urlsplit(exchange.request.target).path
        options = (
            *self._method(exchange),
            *(JAR if caller(exchange) is Lane.BROWSER else ()),
            *self._fields(exchange),
            *self._body(exchange),
        )
        first = f"see {exchange.status} curl {self._filled(self.base + path)}"
        yield " \\\n  ".join([first, *options])

    def _method(self, exchange: Exchange) -> Iterator[str]:
        """What curl would not guess from what it is to send, and the query."""
        request = exchange.request
        guessed = "POST" if exchange.body(">").text else "GET"
        if request.method != guessed:
            yield f"-X {quoted([request.method])}"
        if query := urlsplit(request.target).query:
            yield "-G"
            yield from self._parameters(query)

    def _fields(self, exchange: Exchange) -> Iterator[str]:
        form = exchange.body(">").type.startswith(FORM)
        for name, value in exchange.request.fields:
            if KEPT.fullmatch(name) and not (name.lower() == "content-type" and form):
                yield f"-H {self._filled(f'{name}: {value}')}"

    def _body(self, exchange: Exchange) -> Iterator[str]:
        body = exchange.body(">")
        if body.type.startswith(FORM):
            yield from self._parameters(body.text)
        elif body.text:
            yield f"--data-raw {self._filled(body.text)}"

    def _parameters(self, text: str) -> Iterator[str]:
        for name, value in parse_qsl(text, keep_blank_values=True):
            ours = OURS.get(name)
            told = quoted([f"{name}=", Variable(ours)]) if ours else self._filled(f"{name}={value}")
            yield f"{'-d' if PLAIN.fullmatch(told) else '--data-urlencode'} {told}"

    def _filled(self, text: str) -> str:
        """The text for the shell, with a variable in each place where one is due."""
        known = {self.base: "BASE", **self.variables}
        longest = sorted(filter(None, known), key=len, reverse=True)
        pieces = re.split("(" + "|".join(map(re.escape, longest)) + ")", text)
        return quoted([Variable(known[each]) if each in known else each for each in pieces])


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

"""A recorded conversation as an `.http` file, which httpYac and editors with it send again.

Each request stands between two `###`, with the status that it had as its test. What an answer gave
and a later request uses is a variable, as in the script that `curl.py` writes; so is what the
client thought of itself. Whatever else the format would take for its own (braces, line ends, a sign
at the start of a line) is written as a literal. httpYac looks for code in what a literal gave, too,
so two opening braces never stand together: JSON escapes one, elsewhere a space parts them. Pure.
Next: `curl.py`, which knows what is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote

from catshop.inspector.curl import Left, Script, hint, is_lasting, left_out, planned, told
from catshop.inspector.documents import document
from catshop.inspector.gifts import Gift, is_form, is_regular
from catshop.inspector.recording import Exchange
from catshop.inspector.rungs import title
from catshop.inspector.thoughts import Brought, Thought

PLAIN: Final = re.compile(r"""[\w./:=,;+*&%?@"'()\[\] -]*""", re.ASCII)
"""Text that means itself inside a line."""

NAME: Final = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
"""Names that are no trap in a script or at the start of a line."""

TWO: Final = re.compile(r"(?<=\{)\{")
"""The second of two braces that would begin code."""

OPENING: Final = r"""{{
const { createHash, randomBytes } = require('crypto');
const kept = globalThis.catshop ??= {};
const thought = (name, make) => { exports[name] = kept[name] ??= make(); };
const hashed = (text) => createHash('sha256').update(text).digest('base64url');
exports.BASE = process.env.BASE || 'http://127.0.0.1:8000';
exports.found = (text, pattern, nth = 1) => {
  const value = [...String(text).matchAll(pattern)].map((each) => each[1])[nth - 1];
  if (String(value).includes('{')) throw new Error('An answer may hold code: it is not used');
  return value;
};
exports.need = (name, hint) => {
  if (!process.env[name]) throw new Error(`${name} is needed, and no answer gives it. ${hint}`);
  return process.env[name];
};"""

MAKERS: Final = {
    "VERIFIER": "randomBytes(32).toString('base64url')",
    "CHALLENGE": "hashed(kept.{})",
    "STATE": "randomBytes(16).toString('hex')",
    "NAME": "`alice-${{randomBytes(4).toString('hex')}}`",
    "PASSWORD": "randomBytes(16).toString('hex')",
    "COOKIE": "randomBytes(16).toString('hex')",
}
"""How a script of httpYac thinks of something."""

READERS: Final = {
    "field": "found(response.headers['{}'], /(.*)/g, {})",
    "cookie": "found(response.headers['set-cookie'], /(?:^|,) *{}=([^;,]*)/g, {})",
    "member": r"""found(response.body, /"{}" *: *"([^"]*)/g, {})""",
    "event": """found(response.body, /^{}: *(.*)$/gm, {})""",
    "input": """found(response.body, /name="{}" value="([^"]*)/g, {})""",
    "parameter": "found(response.headers.location, /[?&]{}=([^&#]*)/g, {})",
}
"""How a variable is read from an answer, by the kind of the gift."""


def httpfile(exchanges: Iterable[Exchange], base: str = "") -> Iterator[str]:
    """The lines of the file; `base` is the address by which the client knew the server."""
    every = list(exchanges)
    why = {each.n: reason for each in every if (reason := unfit(each))}
    file = _File(planned([each for each in every if each.n not in why], base))
    yield OPENING
    yield from map(_thought, file.script.thoughts)
    yield from map(_brought, file.script.brought)
    yield "}}"
    yield from (f"# {line}" for line in told(why))
    for exchange in file.script.talk.sent:
        yield ""
        yield from file.request(exchange)
        yield from file.reading(exchange)


def unfit(exchange: Exchange) -> Left | None:
    """Why the request cannot be in the file; None where it can. httpYac reads an answer whole."""
    return left_out(exchange) or (Left.LASTING if is_lasting(exchange) else None)


def _thought(thought: Thought) -> str:
    maker = MAKERS[thought.kind].format(thought.of)
    return f"thought('{thought.variable}', () => {maker});"


def _brought(secret: Brought) -> str:
    """How the file comes by a secret: it makes one that is as useless, or asks for it."""
    if secret.useless:
        return f"thought('{secret.variable}', () => {MAKERS['PASSWORD'].format()});"
    return f"exports.{secret.variable} = need('{secret.variable}', {literal(hint(secret))});"


@dataclass(frozen=True, slots=True)
class _File:
    """Writes the requests of a script in the format."""

    script: Script

    def request(self, exchange: Exchange) -> Iterator[str]:
        """The request, and what its answer must be."""
        yield "### " + re.sub(r"[^\w.,/: -]", "?", title(exchange))
        yield "# @no-redirect"
        yield "# @no-cookie-jar"
        path, _, asked = exchange.request.target.partition("?")
        query = f"?{self._parameters(asked)}" if "?" in exchange.request.target else ""
        method = re.sub(r"\W", "", exchange.request.method)
        yield f"{method} {self._filled(self.script.talk.base + path)}{query}"
        for name, value in self.script.talk.fields(exchange):
            if NAME.fullmatch(name):
                yield f"{name}: {self._filled(value)}"
        if text := exchange.body(">").text:
            yield ""
            form = is_form(exchange) and is_regular(text)
            yield self._parameters(text) if form else self._text(text)
        yield ""
        yield f"?? status == {exchange.status}"

    def reading(self, exchange: Exchange) -> Iterator[str]:
        """What later requests use of the answer."""
        lines = [
            f"exports.{self.script.variables[gift.value]} = {_read(gift)};"
            for gift in self.script.kept(exchange)
        ]
        lines += [
            f"exports.{old.variable} = globalThis.catshop.{old.variable} ="
            f" {_read(Gift('cookie', old.name, ''))} ?? {old.variable};"
            for old in self.script.renewed(exchange)
        ]
        if lines:
            yield from ("{{", *lines, "}}")

    def _text(self, text: str) -> str:
        """A body: how its first line begins could mean something, unless it is JSON."""
        if is_json(text):
            return self._filled(TWO.sub(r"\\u007b", text))
        parted = TWO.sub(" {", text)
        return f"{{{{{literal(parted[0])}}}}}" + self._filled(parted[1:])

    def _parameters(self, text: str) -> str:
        if not is_regular(text):
            return self._filled(text)
        pairs = parse_qsl(text, keep_blank_values=True)
        return "&".join(f"{quote(name)}={self._value(name, value)}" for name, value in pairs)

    def _value(self, name: str, value: str) -> str:
        if ours := self.script.thought(name, value):
            return f"{{{{encodeURIComponent({ours})}}}}"
        pieces = (
            f"{{{{encodeURIComponent({known})}}}}" if known else quote(text, safe="")
            for text, known in self.script.pieces(value)
        )
        return "".join(pieces)

    def _filled(self, text: str) -> str:
        """The text with a variable in each place where one is due, and the rest as it is."""
        pieces = (
            f"{{{{{known}}}}}" if known else literally(each)
            for each, known in self.script.pieces(text)
        )
        return "".join(pieces)


def _read(gift: Gift) -> str:
    name = gift.name.lower() if gift.reader == "field" else gift.name
    return READERS[gift.reader].format(name, gift.nth)


def is_json(text: str) -> bool:
    """Whether two braces can stand together in strings alone, where one may be escaped."""
    return isinstance(document(text), dict | list)


def literally(text: str) -> str:
    """The text inside a line; a JSON object keeps its braces, as long as no two stand together."""
    text = TWO.sub(" {", text)
    if PLAIN.fullmatch(text):
        return text
    parts = re.split(r"([{}]{2,}|\{?[^\w./:=,;+*&%?@\"'()\[\]{} -]+|\{$)", text, flags=re.ASCII)
    return "".join(f"{{{{{literal(each)}}}}}" if n % 2 else each for n, each in enumerate(parts))


def literal(text: str) -> str:
    """The text as a JavaScript string without a brace."""
    return json.dumps(text).replace("{", r"\u007b").replace("}", r"\u007d")

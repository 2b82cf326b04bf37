"""A recorded conversation as an `.http` file, which httpYac and editors with it send again.

Each request stands between two `###`, with the status that it had as its test. What an answer gave
and a later request uses is a variable, as in the script that `curl.py` writes; so is what the
client thought of itself. Whatever else the format would take for its own (braces, line ends, a sign
at the start of a line) is written as a literal. httpYac looks for code in what a literal gave, too,
so two opening braces never stand together: JSON escapes one, elsewhere a space parts them. Pure.
Next: `curl.py`, which finds what is a variable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from catshop.inspector.curl import (
    ASKED_FOR,
    FORM,
    KEPT,
    OURS,
    Gift,
    base_of,
    brought,
    gifts,
    variable,
    wanted_of,
)
from catshop.inspector.recording import Exchange
from catshop.inspector.rungs import Lane, callee, caller, title

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
thought('VERIFIER', () => randomBytes(32).toString('base64url'));
thought('STATE', () => randomBytes(16).toString('hex'));
thought('NAME', () => `alice-${randomBytes(4).toString('hex')}`);
thought('PASSWORD', () => randomBytes(16).toString('hex'));
exports.CHALLENGE = createHash('sha256').update(kept.VERIFIER).digest('base64url');
exports.BASE = process.env.BASE || 'http://127.0.0.1:8000';
exports.found = (text, pattern) => {
  const value = (pattern.exec(text) || [])[1];
  if (String(value).includes('{')) throw new Error('An answer may hold code: it is not used');
  return value;
};
exports.brought = (name) => {
  if (!process.env[name]) throw new Error(`${name} is needed, and no answer gives it`);
  return process.env[name];
};"""

READERS: Final = {
    "member": r"""found(JSON.stringify(response.parsedBody), /"{}":"([^"]*)/)""",
    "input": """found(String(response.body), /name="{}" value="([^"]*)/)""",
    "parameter": "found(response.headers.location, /[?&]{}=([^&#]*)/)",
}
"""How a variable is read from an answer, by the kind of the gift."""


def httpfile(exchanges: Iterable[Exchange]) -> Iterator[str]:
    """The lines of the file. What was sent to the client itself has nobody to go to."""
    sent = [each for each in exchanges if callee(each) is not Lane.CLIENT and each.status]
    wanted, file = wanted_of(sent), _File(base_of(sent))
    yield OPENING
    for mark, name in brought(sent, wanted).items():
        asked = variable(Gift("", ASKED_FOR.get(name, name), mark), file.variables)
        yield f"exports.{asked} = brought({literal(asked)});"
    yield "}}"
    for exchange in sent:
        yield ""
        yield from file.request(exchange)
        read = [each for each in gifts(exchange) if each.value in wanted]
        yield from file.reading(read)


@dataclass(slots=True)
class _File:
    """What the file knows so far: the variable that stands for a text."""

    base: str
    variables: dict[str, str] = field(default_factory=dict)

    def request(self, exchange: Exchange) -> Iterator[str]:
        """The request, and what its answer must be."""
        yield "### " + re.sub(r"[^\w.,/: -]", "?", title(exchange))
        yield "# @no-redirect"
        if caller(exchange) is not Lane.BROWSER:
            yield "# @no-cookie-jar"
        parts = urlsplit(exchange.request.target)
        query = f"?{self._parameters(parts.query)}" if parts.query else ""
        method = re.sub(r"\W", "", exchange.request.method)
        yield f"{method} {self._filled(self.base + parts.path)}{query}"
        for name, value in exchange.request.fields:
            if KEPT.fullmatch(name) and NAME.fullmatch(name):
                yield f"{name}: {self._filled(value)}"
        body = exchange.body(">")
        form = body.type.startswith(FORM)
        if body.text:
            yield ""
            yield self._parameters(body.text) if form else self._text(body.text)
        yield ""
        yield f"?? status == {exchange.status}"

    def reading(self, found: Iterable[Gift]) -> Iterator[str]:
        """What later requests use of the answer."""
        lines = [
            f"exports.{variable(gift, self.variables)} = {READERS[gift.reader].format(gift.name)};"
            for gift in found
            if gift.value not in self.variables and NAME.fullmatch(gift.name)
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
        pairs = parse_qsl(text, keep_blank_values=True)
        return "&".join(f"{quote(name)}={self._value(name, value)}" for name, value in pairs)

    def _value(self, name: str, value: str) -> str:
        if ours := OURS.get(name):
            return f"{{{{encodeURIComponent({ours})}}}}"
        pieces = (
            f"{{{{encodeURIComponent({known})}}}}" if known else quote(text, safe="")
            for text, known in self._pieces(value)
        )
        return "".join(pieces)

    def _filled(self, text: str) -> str:
        """The text with a variable in each place where one is due, and the rest as it is."""
        pieces = (f"{{{{{known}}}}}" if known else told(each) for each, known in self._pieces(text))
        return "".join(pieces)

    def _pieces(self, text: str) -> Iterator[tuple[str, str]]:
        """What the text is made of: each piece, and the variable that stands for it."""
        names = {self.base: "BASE", **self.variables}
        longest = sorted(filter(None, names), key=len, reverse=True)
        pieces = (
            re.split("(" + "|".join(map(re.escape, longest)) + ")", text) if longest else [text]
        )
        yield from ((each, names.get(each, "")) for each in pieces if each)


def is_json(text: str) -> bool:
    """Whether two braces can stand together in strings alone, where one may be escaped."""
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def told(text: str) -> str:
    """The text inside a line; a JSON object keeps its braces, as long as no two stand together."""
    text = TWO.sub(" {", text)
    if PLAIN.fullmatch(text):
        return text
    parts = re.split(r"([{}]{2,}|\{?[^\w./:=,;+*&%?@\"'()\[\]{} -]+|\{$)", text, flags=re.ASCII)
    return "".join(f"{{{{{literal(each)}}}}}" if n % 2 else each for n, each in enumerate(parts))


def literal(text: str) -> str:
    """The text as a JavaScript string without a brace."""
    return json.dumps(text).replace("{", r"\u007b").replace("}", r"\u007d")

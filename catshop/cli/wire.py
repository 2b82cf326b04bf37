"""The client's own exchanges, as curl shows them: `>` what we sent, `<` what came back.

An observer of the client's trace; whatever else happened inside is not shown. Secrets are marks,
the same mark for the same secret. Next: `catshop/inspector/exact.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from catshop.inspector.exact import kept
from catshop.inspector.redact import Redactor, printable
from catshop.kernel import Event, Kind

SIGNS: Final = {"asked": ">", "answered": "<", "content": "<"}
"""The client's HTTP events, by name, and which way they went."""


class WirePrinter:
    """Says each line of each message to `say`."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._redactor = Redactor(secrets.token_bytes(32))

    def __call__(self, event: Event) -> None:
        """Show `event`; the signature of `kernel.Observer`."""
        if event.kind is Kind.HTTP and (sign := SIGNS.get(event.name)):
            for line in self._lines(event.name, event.fields):
                self._say(f"{sign} {printable(self._redactor.ours(line))}".rstrip())

    def _lines(self, name: str, told: Mapping[str, object]) -> Iterator[str]:
        match name:
            case "asked":
                yield from self._request(str(told["method"]), str(told["url"]))
                yield from self._fields(told["fields"])
                kind = _content_type(told["fields"])
            case "answered":
                yield f"HTTP/1.1 {told['status']}"
                yield from self._fields(told["fields"])
                kind = ""
            case _:
                kind = str(told["type"])
        body = told.get("body")
        if isinstance(body, bytes) and body:
            yield ""
            text, note = kept(self._redactor, kind, body)
            yield from filter(None, (*text.split("\n"), note))

    def _request(self, method: str, url: str) -> Iterator[str]:
        parts = urlsplit(url)
        target = parts.path + ("?" + parts.query if parts.query else "")
        yield f"{method} {self._redactor.target(target or '/')} HTTP/1.1"
        yield f"host: {parts.netloc}"

    def _fields(self, fields: object) -> Iterator[str]:
        for name, value in fields.items() if isinstance(fields, Mapping) else ():
            yield f"{name.lower()}: {self._redactor.header(name.lower(), str(value))}"


def _content_type(fields: object) -> str:
    found = fields.items() if isinstance(fields, Mapping) else ()
    return next((str(value) for name, value in found if name.lower() == "content-type"), "")

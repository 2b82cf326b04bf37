"""Bodies as they were on the wire, octet by octet, but for their secrets.

`redact.py` says what of a text may be shown; here that is said of whole bodies without losing how
they were spelled. What a redacted document hides is replaced in the text, and the result counts
only when it reads as the redacted document does; otherwise that is shown instead. What is not
understood is not shown: only its size remains. Of a page of HTML its forms are kept, with marks
for what they hide. Pure. Next: `recorder.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Final

from catshop.inspector.redact import Redactor, parsed

CUT: Final = 64 * 1024
"""Characters of a body that are kept."""

MOST: Final = 128 * 1024
"""Octets of a body that is looked at: hiding takes microseconds for each, and others wait."""

LITERAL: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
"""A string of JSON. RFC 8259 §7."""

LINES: Final = re.compile(r"\r\n|\n|\r")
"""What ends a line of a stream, and nothing else does. WHATWG HTML §9.2.5."""

TAGS: Final = frozenset({"form", "input", "button", "select", "option", "textarea"})
"""What a form is made of."""


def kept(redactor: Redactor, content_type: str, body: bytes) -> tuple[str, str]:
    """What is kept of a body, and a note of what is not."""
    if len(body) > MOST:
        return "", f"{len(body)} octets, more than the {MOST} that are looked at"
    text, note = _spelled(redactor, content_type, body)
    if len(text) > CUT:
        return text[:CUT], f"cut: {len(text) - CUT} of {len(text)} characters left out"
    return text, note


def _spelled(redactor: Redactor, content_type: str, body: bytes) -> tuple[str, str]:
    kind = content_type.partition(";")[0].strip().lower()
    try:
        text = body.decode("utf-8")
        if kind == "application/x-www-form-urlencoded":
            return redactor.form(text), ""
        if kind == "application/json" or kind.endswith("+json"):
            return json_text(redactor, text), ""
        if kind == "text/html":
            return "\n".join(_forms(redactor, text)), f"{len(body)} octets, only its forms are kept"
        if kind == "text/event-stream":
            return frame_text(redactor, text), ""
        if kind == "text/plain" or not body:
            return redactor.text(text), ""
    except (ValueError, RecursionError):
        pass
    return "", f"{len(body)} octets that are not shown"


def json_text(redactor: Redactor, text: str) -> str:
    """A JSON text with its own spelling and without its secrets. ValueError if it is none.

    An object in which a name stands twice is none: nobody knows which of the two is meant.
    """
    document = parsed(text)
    shown = redactor.document(document)
    swaps = dict(_differences(document, shown))
    if not swaps and document == shown:
        return text
    result = LITERAL.sub(lambda found: _swapped(found[0], swaps), text)
    same = json.loads(result) == shown
    return result if same else json.dumps(shown, ensure_ascii=False)


def _swapped(literal: str, swaps: Mapping[str, str]) -> str:
    """The literal, or the one of what is shown in its place."""
    mark = swaps.get(json.loads(literal))
    return literal if mark is None else json.dumps(mark, ensure_ascii=False)


def frame_text(redactor: Redactor, text: str) -> str:
    """A server-sent event; its data, however many lines they take, as the one text that they are.

    WHATWG HTML §9.2.6.
    """
    lines = [line.partition(":") for line in LINES.split(text)]
    data = "\n".join(value.removeprefix(" ") for name, _, value in lines if name == "data")
    said = any(name == "data" for name, _, _ in lines)
    shown = iter(_data(redactor, data).split("\n") if said else ())
    told = [
        f"data: {next(shown, '')}" if name == "data" else redactor.text(f"{name}{colon}{value}")
        for name, colon, value in lines
    ]
    return "\n".join([*told, *(f"data: {line}" for line in shown)])


def _data(redactor: Redactor, data: str) -> str:
    if not data.lstrip().startswith(("{", "[")):
        return redactor.text(data)
    try:
        return json_text(redactor, data)
    except (ValueError, RecursionError):
        return f"{len(data)} characters that are not JSON"


def _differences(was: object, shown: object) -> Iterator[tuple[str, str]]:
    """Every text of `was` for which `shown` has another one in its place, names included."""
    if isinstance(was, Mapping) and isinstance(shown, Mapping):
        for (name, inner), (name_shown, inner_shown) in zip(
            was.items(), shown.items(), strict=False
        ):
            yield from _differences(name, name_shown)
            yield from _differences(inner, inner_shown)
    elif isinstance(was, list) and isinstance(shown, list):
        for inner, inner_shown in zip(was, shown, strict=False):
            yield from _differences(inner, inner_shown)
    elif isinstance(was, str) and isinstance(shown, str) and was != shown:
        yield was, shown


def _forms(redactor: Redactor, text: str) -> Iterator[str]:
    """The tags of a page from which a form is made; what a secret field holds is a mark."""
    reader = _Forms(redactor)
    reader.feed(text)
    yield from reader.found


class _Forms(HTMLParser):
    """Reads the tags of `TAGS`, in whatever way their attributes are written."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in TAGS:
            held = {name: value or "" for name, value in attrs}
            self.found.append(self._tag(tag, held))

    def _tag(self, tag: str, held: dict[str, str]) -> str:
        value = held.get("value", "")
        if value:
            held["value"] = self._redactor.value(held.get("name", ""), value)
        shown = (f' {name}="{self._redactor.text(text)}"' for name, text in held.items())
        return f"<{tag}{''.join(shown)}>"

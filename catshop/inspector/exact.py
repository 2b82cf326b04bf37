"""Bodies as they were on the wire, octet by octet, but for their secrets.

`redact.py` says what of a body may be shown; here the same is said without losing how it was
spelled. What a redacted document hides is replaced in the text, and the result counts only when it
reads as the redacted document does; otherwise that is shown instead. Of a page of HTML its forms
are kept, with marks for what they hide. Pure. Next: `recorder.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Final

from catshop.inspector.redact import SECRET_NAMES, Redactor

CUT: Final = 64 * 1024
"""Characters of a body that are kept."""

_FORMS: Final = re.compile(r"<(?:form|input|button)\b[^>]*>", re.IGNORECASE)
_NAME: Final = re.compile(r'\bname="([^"]*)"', re.IGNORECASE)
_VALUE: Final = re.compile(r'(\bvalue=")([^"]*)(")', re.IGNORECASE)


def kept(redactor: Redactor, content_type: str, body: bytes) -> tuple[str, str]:
    """What is kept of a body, and a note of what is not."""
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
    """A JSON text with its own spelling and without its secrets. ValueError if it is none."""
    document = json.loads(text)
    shown = redactor.document(document)
    swaps = dict(_differences(document, shown))
    result = text
    for secret in sorted(swaps, key=len, reverse=True):
        mark = json.dumps(swaps[secret], ensure_ascii=False)
        for literal in {json.dumps(secret), json.dumps(secret, ensure_ascii=False)}:
            result = result.replace(literal, mark)
    same = json.loads(result) == shown and len(result) <= len(text) + 16 * text.count('"')
    hidden = not any(secret in result for secret in swaps if len(secret) > 3)
    return result if same and hidden else json.dumps(shown, ensure_ascii=False)


def frame_text(redactor: Redactor, text: str) -> str:
    """A server-sent event, line by line; what is JSON in it, as JSON."""
    return "\n".join(_line(redactor, line) for line in text.splitlines())


def _line(redactor: Redactor, line: str) -> str:
    name, colon, data = line.partition(":")
    if name != "data" or not data.lstrip(" ").startswith(("{", "[")):
        return redactor.text(line)
    space = data[: len(data) - len(data.lstrip(" "))]
    try:
        return name + colon + space + json_text(redactor, data.lstrip(" "))
    except (ValueError, RecursionError):
        return f"data: {len(data)} characters that are not JSON"


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
    for tag in _FORMS.findall(text):
        named, held = _NAME.search(tag), _VALUE.search(tag)
        secret = named is not None and named[1].lower() in SECRET_NAMES
        if secret and held and held[2]:
            mark = redactor.mark(unescape(held[2]))
            yield redactor.text(tag[: held.start(2)]) + mark + redactor.text(tag[held.end(2) :])
        else:
            yield redactor.text(tag)

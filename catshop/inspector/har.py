"""A recording as a HAR 1.2 archive, for whatever opens those.

Everything is what was recorded, marks in place of secrets. Server-sent events are the text of their
answer, and stand one by one with their times in `_events`. Pure. Next: `recording.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from catshop.inspector.recording import Body, Ended, Exchange, Frame, Pairs, Started

UNKNOWN: Final = -1
"""How HAR says that a size or a time is not known."""


def har(started: Started, exchanges: Iterable[Exchange]) -> Iterator[str]:
    """The lines of the archive."""
    creator = {"name": "catshop", "version": started.program.partition(" ")[2] or "unknown"}
    entries = [_entry(started, each) for each in exchanges if each.request.method]
    log = {"version": "1.2", "creator": creator, "pages": [], "entries": entries}
    yield from json.dumps({"log": log}, ensure_ascii=False, indent=1).splitlines()


def url_of(exchange: Exchange) -> str:
    """The address that was asked, as the client knew it."""
    target = exchange.request.target
    if not target.startswith("/"):
        return target
    named = {name.lower(): value for name, value in exchange.request.fields}
    return f"http://{named.get('host', 'localhost')}{target}"


def _entry(started: Started, exchange: Exchange) -> dict[str, Any]:
    ended = exchange.first(Ended)
    took = ended.ms if ended else 0.0
    began = datetime.fromisoformat(started.began) if started.began else datetime.min
    return {
        "startedDateTime": (began + timedelta(seconds=exchange.request.at)).isoformat(),
        "time": took,
        "request": _request(exchange),
        "response": _response(exchange),
        "cache": {},
        "timings": {"send": 0, "wait": took, "receive": 0},
        "comment": f"#{exchange.n}{f', fault: {exchange.fault}' if exchange.fault else ''}",
        "_events": [{"at": each.at, "text": each.text} for each in exchange.every(Frame)],
    }


def _request(exchange: Exchange) -> dict[str, Any]:
    request, body = exchange.request, exchange.body(">")
    query = parse_qsl(urlsplit(request.target).query, keep_blank_values=True)
    said = {
        "method": request.method,
        "url": url_of(exchange),
        "httpVersion": f"HTTP/{request.version}",
        "cookies": _cookies(request.fields),
        "headers": _named(request.fields),
        "queryString": _named(query),
        "headersSize": UNKNOWN,
        "bodySize": body.size,
    }
    if body.size:
        said["postData"] = _posted(body)
    return said


def _posted(body: Body) -> dict[str, Any]:
    form = body.type.startswith("application/x-www-form-urlencoded")
    params = _named(parse_qsl(body.text, keep_blank_values=True)) if form else []
    return {"mimeType": body.type, "text": body.text, "params": params, "comment": body.note}


def _response(exchange: Exchange) -> dict[str, Any]:
    answer, body = exchange.answer, exchange.body("<")
    fields = {name.lower(): value for name, value in answer.fields}
    frames = exchange.every(Frame)
    text = "".join(f"{frame.text}\n\n" for frame in frames) or body.text
    kind = body.type or fields.get("content-type", "x-unknown")
    size = len(text.encode()) if frames else body.size
    return {
        "status": answer.status,
        "statusText": answer.reason,
        "httpVersion": "HTTP/1.1",
        "cookies": [_set(value) for name, value in answer.fields if name.lower() == "set-cookie"],
        "headers": _named(answer.fields),
        "content": {"size": size, "mimeType": kind, "text": text, "comment": body.note},
        "redirectURL": fields.get("location", ""),
        "headersSize": UNKNOWN,
        "bodySize": UNKNOWN if frames else body.size,
    }


def _cookies(fields: Pairs) -> list[dict[str, str]]:
    sent = [value for name, value in fields if name.lower() == "cookie"]
    return _named(pair.split("=", 1) for each in sent for pair in each.split("; ") if "=" in pair)


def _set(value: str) -> dict[str, Any]:
    """A cookie that an answer sets, with the attributes that HAR has a name for. RFC 6265 §4.1."""
    pair, *attributes = value.split(";")
    name, _, held = pair.partition("=")
    told = {key.strip().lower(): text.strip() for key, _, text in map(_parted, attributes)}
    said: dict[str, Any] = {"name": name.strip(), "value": held.strip()}
    said |= {key: told[key] for key in ("path", "domain") if key in told}
    with suppress(ValueError):
        said |= {"expires": parsedate_to_datetime(told.get("expires", "")).isoformat()}
    return {**said, "httpOnly": "httponly" in told, "secure": "secure" in told}


def _parted(attribute: str) -> tuple[str, str, str]:
    return attribute.partition("=")


def _named(pairs: Iterable[Iterable[str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]

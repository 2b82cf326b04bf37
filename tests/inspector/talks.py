"""Recorded exchanges for tests, as a recorder would have kept them, and what a diagram may say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from catshop.inspector.recording import Answer, Body, Ended, Exchange, Line, Request
from catshop.inspector.rungs import Lane

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PAGE = {"Accept": "text/html"}
HOST = "127.0.0.1:4711"

LANES = "|".join(Lane)
DIAGRAM = re.compile(
    rf"    participant ({LANES}) as [\w ]+"
    rf"|    ({LANES})--?>>({LANES}): (?:[^#;<>\n]|#(?:\d+|lt|gt);)+"
    rf"|    Note over ({LANES}): (?:[^#;<>\n]|#(?:\d+|lt|gt);)+"
)
"""The part of Mermaid's grammar that we write: a message ends at `;`, `#` opens an entity."""


def body(way: str, content: object, kind: str) -> list[Line]:
    """A body, if there is one; what is no text is JSON."""
    text = content if isinstance(content, str) else json.dumps(content)
    return [Body(way=way, type=kind, text=text, size=len(text))] if content else []


def talk(
    n: int,
    asked: str,
    status: int,
    *inside: Line,
    sent: object = "",
    said: object = "",
    fields: Mapping[str, str] | None = None,
    answered: Mapping[str, str] | None = None,
) -> Exchange:
    """`GET /path` and what became of it. What is sent as text is a form."""
    method, _, target = asked.partition(" ")
    kind = FORM if isinstance(sent, str) else JSON
    head = {"Host": HOST, **({"Content-Type": kind} if sent else {}), **(fields or {})}
    return Exchange(
        n,
        0,
        [
            Request(method=method, target=target, fields=tuple(head.items())),
            *body(">", sent, kind),
            *inside,
            Answer(status=status, reason="Reason", fields=tuple((answered or {}).items())),
            *body("<", said, JSON),
            Ended(status=status, ms=1.25),
        ],
    )

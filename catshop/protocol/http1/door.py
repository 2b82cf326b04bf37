"""The one door out: whatever a handler raises leaves as an answer that teaches.

A refusal becomes JSON in the catalogue's words; unavailable state becomes 503 with Retry-After; any
other exception becomes 500 that says nothing but its request id, under which the log says all.
Shells call `admitted`; nobody else builds an error answer in this plane. What every shell tells of
a request, to the trace and to the log, is said here too. RFC 9110 §15.
"""

from __future__ import annotations

import logging
from typing import Final

from catshop.kernel import Kind, Secret, Trace, Unavailable
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import (
    NO_STORE,
    SECRET_FIELDS,
    Answer,
    ClientGone,
    Handler,
    Head,
    Request,
    Streamed,
    json_answer,
)

log: Final = logging.getLogger("catshop.http")


def render(error: HttpError, request_id: str) -> Answer:
    """The answer that refuses: status, fields, and a body that says what, why and what next."""
    words = error.explanation
    body: dict[str, object] = {
        "error": words.title,
        "code": words.code,
        "arrived": error.arrived,
        "expected": words.expected,
        "section": words.section,
        "fix": words.fix,
        "request_id": request_id,
    }
    closing = (("connection", "close"),) if error.close else ()
    return json_answer(error.status, body, NO_STORE, *error.fields, *closing)


async def admitted(handler: Handler, request: Request) -> Answer | Streamed:
    """What `handler` answers, or the answer that its exception becomes. ClientGone passes."""
    try:
        return await handler(request)
    except ClientGone:
        raise
    except HttpError as error:
        request.notes.setdefault("code", error.code)
        return render(error, request.id)
    except Unavailable as error:
        request.notes.setdefault("code", error.code)
        log.warning("%s unavailable: %s", request.id, error.detail)
        retry = ("retry-after", str(error.retry_after))
        return render(HttpError(503, error.code, fields=(retry,)), request.id)
    except Exception:
        log.exception("%s failed", request.id)
        return render(HttpError(500, "E-HTTP-50"), request.id)


def note_request(trace: Trace, head: Head) -> None:
    """Show a request to the observers, its secret fields as secrets."""
    if trace.observed:
        shown = {n: Secret(v) if n in SECRET_FIELDS else v for n, v in head.fields}
        trace.note(Kind.HTTP, "request", method=head.method, path=head.path, fields=shown)


def note_body(trace: Trace, content_type: str, body: bytes) -> None:
    """Show the body of a request, once somebody has read it; the observer hides its secrets."""
    trace.note(Kind.HTTP, "body", content_type=content_type, body=body)


def note_answer(
    trace: Trace, request: Request, status: int, seconds: float, answer: Answer | None = None
) -> None:
    """One line a request: what, how it ended, how long, which. No query: it may hold codes."""
    if trace.observed:
        fields = dict(answer.fields) if answer else {}
        shown = {n: Secret(v) if n in SECRET_FIELDS else v for n, v in fields.items()}
        body = answer.body if answer else b""
        trace.note(Kind.HTTP, "answer", status=status, fields=shown, body=body)
    if log.isEnabledFor(logging.INFO):
        notes = "".join(f" {name}={value}" for name, value in request.notes.items())
        line = (request.head.method, request.head.path, status or "gone", seconds * 1000)
        log.info("%s %s %s %.1fms %s%s", *line, request.id, notes)

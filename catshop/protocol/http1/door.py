"""The one door out: whatever a handler raises leaves as an answer that teaches.

A refusal becomes JSON in the catalogue's words; unavailable state becomes 503 with Retry-After; any
other exception becomes 500 that says nothing but its request id, under which the log says all.
Shells call `admitted`; nobody else builds an error answer in this plane. What every shell tells of
a request, to the trace and to the log, is said here too. RFC 9110 §15.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from catshop.kernel import SHAPE, Kind, Secret, Trace, Unavailable, Verdict, has_refused
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
        request.refuse(error, error.code, error.arrived)
        return render(error, request.id)
    except Unavailable as error:
        request.refuse(error, error.code)
        log.warning("%s unavailable: %s", request.id, error.detail)
        retry = ("retry-after", str(error.retry_after))
        return render(HttpError(503, error.code, fields=(retry,)), request.id)
    except Exception as error:
        request.refuse(error, "E-HTTP-50")
        log.exception("%s failed", request.id)
        return render(HttpError(500, "E-HTTP-50"), request.id)


def note_request(trace: Trace, head: Head, octets: bytes = b"") -> None:
    """Show a request to the observers, its secrets as secrets; `octets` is its head as it came."""
    if trace.observed:
        trace.note(
            Kind.HTTP,
            "request",
            method=head.method,
            path=head.path,
            target=Secret(head.target),
            version=head.version,
            fields=_pairs(head.fields),
            octets=Secret(octets.decode("latin-1")),
        )


def note_body(trace: Trace, content_type: str, body: bytes) -> None:
    """Show the body of a request, once somebody has read it; the observer hides its secrets."""
    if trace.observed and body:
        trace.note(Kind.HTTP, "body", content_type=content_type, body=body)


@dataclass(frozen=True, slots=True)
class Sent:
    """A whole answer that has been sent, and the octets that it became."""

    answer: Answer
    octets: bytes = b""


def note_refusal(trace: Trace, error: HttpError, answer: Answer, octets: bytes) -> None:
    """Show how what is no request was refused, with the octets of the answer."""
    if trace.observed:
        told = {"code": error.code, "arrived": error.arrived}
        trace.check("request.sound", Verdict.NO, by=error, **told)
        _note_answer(trace, answer.status, Sent(answer, octets))


def note_stream(
    trace: Trace, status: int, fields: tuple[tuple[str, str], ...], octets: bytes = b""
) -> None:
    """Show the head of an answer that streams; its end is told by `note_answer`."""
    if trace.observed:
        raw = Secret(octets.decode("latin-1"))
        trace.note(Kind.HTTP, "stream", status=status, fields=_pairs(fields), octets=raw)


def note_event(trace: Trace, data: bytes) -> None:
    """Show one piece of a stream, once it has been sent."""
    if trace.observed:
        trace.note(Kind.HTTP, "event", content_type="text/event-stream", body=data)


def note_answer(
    trace: Trace, request: Request, status: int, seconds: float, sent: Sent | None = None
) -> None:
    """One line a request: what, how it ended, how long, which. No query and no token is in it.

    To the observers a refusal that no named check has told is told by the line that raised it.
    """
    if trace.observed:
        if request.refusals and not has_refused():
            last = request.refusals[-1]
            told = {"code": last.code, "arrived": last.arrived}
            trace.check(last.check, Verdict.NO, by=last.error, **told)
        _note_answer(trace, status, sent)
    request.refusals.clear()
    if log.isEnabledFor(logging.INFO):
        notes = "".join(f" {name}={value}" for name, value in request.notes.items())
        path = SHAPE.sub("cat_...", request.head.path)
        line = (request.head.method, path, status or "gone", seconds * 1000)
        log.info("%s %s %s %.1fms %s%s", *line, request.id, notes)


def _note_answer(trace: Trace, status: int, sent: Sent | None) -> None:
    fields, body = (_pairs(sent.answer.fields), sent.answer.body) if sent else ((), b"")
    raw = Secret(sent.octets.partition(b"\r\n\r\n")[0].decode("latin-1") if sent else "")
    trace.note(Kind.HTTP, "answer", status=status, fields=fields, body=body, octets=raw)


def _pairs(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, Secret | str], ...]:
    return tuple((n, Secret(v) if n in SECRET_FIELDS else v) for n, v in fields)

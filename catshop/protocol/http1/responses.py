"""The octets of an answer: the head that we write ourselves, and the chunks of a stream.

Pure. A whole answer is one bytes object, so that it is one send. A field that could split the
answer in two is never written, whoever made it. Next: `connection.py`. RFC 9112 §4, §7.1, §11.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from catshop.protocol.http1.messages import Answer

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The interim answer to `Expect: 100-continue`. RFC 9110 §10.1.1."""

LAST_CHUNK: Final = b"0\r\n\r\n"
"""last-chunk, and no trailers. RFC 9112 §7.1."""

BODILESS: Final = frozenset({204, 205, 304})
"""Answers that have no content and no Content-Length. RFC 9110 §6.4.1, §8.6."""

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}
_SPLITTING: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_NAME: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Common:
    """What every answer says: when it was made, and in which exchange."""

    date: str
    request_id: str


class SplitAnswer(ValueError):
    """A field of an answer has an octet that could end the field. RFC 9112 §11.1."""


def field_text(fields: tuple[tuple[str, str], ...]) -> str:
    """The field lines; SplitAnswer when a name is no token or a value has a control character."""
    for name, value in fields:
        if not _NAME.fullmatch(name) or _SPLITTING.search(value):
            raise SplitAnswer(f"the field {name!r} cannot be sent")
    return "".join(f"{name}: {value}\r\n" for name, value in fields)


def head_octets(status: int, fields: str, common: Common, framing: str) -> bytes:
    """A whole head: status line, the handler's fields, ours, and how the body is framed."""
    line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    text = (
        f"{line}{fields}date: {common.date}\r\nx-content-type-options: nosniff\r\n"
        f"x-request-id: {common.request_id}\r\n{framing}\r\n"
    )
    return text.encode("latin-1")


def whole(answer: Answer, common: Common, method: str, closing: str) -> bytes:
    """The whole answer in one piece; for HEAD the same head alone. RFC 9110 §9.3.2."""
    fields = field_text(answer.fields)
    if answer.status in BODILESS:
        return head_octets(answer.status, fields, common, closing)
    length = f"content-length: {len(answer.body)}\r\n{closing}"
    head = head_octets(answer.status, fields, common, length)
    return head if method == "HEAD" else head + answer.body


def chunk(data: bytes) -> bytes:
    """`data`, which is not empty, as one chunk: an empty one would end the body. RFC 9112 §7.1."""
    return b"%x\r\n%b\r\n" % (len(data), data)

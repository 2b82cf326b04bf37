"""Server-sent events: what an event looks like on the wire, and what a stream of octets contains.

Pure. The encoder writes the least that says it; the decoder is the strict one that our client and
our tests use: it takes octets in any pieces and gives whole events. WHATWG HTML §9.2.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

MEDIA_TYPE: Final = "text/event-stream"

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_ONE_LINE: Final = re.compile(r"[^\r\n\0]*")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event as its reader gets it. WHATWG HTML §9.2.6.

    `id` is the last id that the stream has named, `retry` what this block set, in milliseconds.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


def event(
    data: str | bytes,
    *,
    id: str | None = None,  # noqa: A002 - the field's own name
    retry: int | None = None,
    event: str | None = None,
) -> bytes:
    """One event; each line of `data` becomes a `data` line. WHATWG HTML §9.2.5.

    ValueError when the id or the name has a line break or a NUL, which would make it another event.
    """
    lines: list[str] = []
    for name, value in (("event", event), ("id", id)):
        if value is not None:
            if not _ONE_LINE.fullmatch(value):
                raise ValueError(f"the {name} of an event must be one line without NUL")
            lines.append(f"{name}: {value}\n")
    if retry is not None:
        lines.append(f"retry: {retry}\n")
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    lines.extend(f"data: {line}\n" for line in _LINE_END.split(text))
    return "".join([*lines, "\n"]).encode("utf-8")


def comment(text: str = "") -> bytes:
    """A comment, which readers ignore: it keeps a stream alive. WHATWG HTML §9.2.7."""
    if not _ONE_LINE.fullmatch(text):
        raise ValueError("a comment must be one line without NUL")
    return f":{' ' if text else ''}{text}\n\n".encode()


class Decoder:
    """Octets in, events out. An event that is not ended by an empty line never was. §9.2.6."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("strict")
        self._rest = ""
        self._id = ""
        self._data: list[str] = []
        self._event = ""
        self._next_id: str | None = None
        self._retry: int | None = None
        self.reconnection_time: int | None = None
        """Milliseconds, as the stream last set them, with an event or alone. WHATWG HTML §9.2.6."""

    @property
    def last_event_id(self) -> str:
        """What `Last-Event-ID` says on the next connection. WHATWG HTML §9.2.4."""
        return self._id

    def receive(self, octets: bytes) -> list[ServerEvent]:
        """Every event that `octets` completes. UnicodeDecodeError when they are not UTF-8."""
        text = self._rest + self._decoder.decode(octets)
        *lines, self._rest = _LINE_END.split(text)
        if text.endswith("\r"):  # the LF of this line end may come with the next octets
            self._rest = f"{lines.pop()}\r"
        return [found for line in lines if (found := self._on_line(line)) is not None]

    def _on_line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        self._on_field(name, value.removeprefix(" "))
        return None

    def _on_field(self, name: str, value: str) -> None:
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._next_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self._retry = self.reconnection_time = int(value)

    def _dispatch(self) -> ServerEvent | None:
        self._id = self._id if self._next_id is None else self._next_id
        data, name, retry = self._data, self._event, self._retry
        self._clear()
        if not data:
            return None
        return ServerEvent("\n".join(data), name or "message", self._id, retry)

    def _clear(self) -> None:
        self._data, self._event, self._next_id, self._retry = [], "", None, None

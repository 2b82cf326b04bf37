"""A request head: from the octets of a connection to a `Head` that cannot be misread.

Pure. `take_head` finds where a head ends, and refuses one as soon as its beginning cannot become a
head any more, so that the outcome never depends on how TCP cut it into pieces. `read_head` is the
one function that parses: h11 knows the grammar, and everything that h11 lets pass though two
readers could understand it differently is refused around it. Next: `bodies.py`. RFC 9112 §2 to §6.
"""

from __future__ import annotations

import re
from typing import Final

import h11

from catshop.limits import HttpLimits
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.messages import Fields, Head
from catshop.protocol.http1.targets import parse_authority, parse_target, shown

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
"""Methods that a route could have; any other, CONNECT too, is not implemented. RFC 9110 §9.1."""

CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length:([^\r]*)", re.I)
"""One way to match: white space is taken off afterwards, or a head of blanks would take seconds."""

LENGTH: Final = re.compile(r"0|[1-9][0-9]*")
"""Content-Length = 1*DIGIT, less leading zeros, which some take for octal. RFC 9110 §8.6."""

DISGUISED: Final = frozenset({"content_length", "transfer_encoding"})
"""Names that a CGI-like reader behind us would take for a framing field."""

_END: Final = b"\r\n\r\n"
_VISIBLE: Final = bytes(octet for octet in range(0x20, 0x100) if octet != 0x7F) + b"\t"
_UNCLEAN: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|\Z)|(?<!\r)\n")
"""A control octet, a CR without LF, an LF without CR. RFC 9112 §2.2, RFC 9110 §5.5."""

_FAULTS: Final = {
    "illegal request line": "E-HTTP-01",
    "no request line received": "E-HTTP-01",
    "illegal header line": "E-HTTP-02",
    "continuation line at start of headers": "E-HTTP-02",
    "Missing mandatory Host": "E-HOST-02",
    "Found multiple Host": "E-HOST-02",
    "multiple Transfer-Encoding headers": "E-HTTP-12",
    "Only Transfer-Encoding": "E-HTTP-12",
}
"""What h11 says, up to the colon, and our word for it. What follows the colon may be a secret."""


def take_head(buffer: bytearray, seen: int, limits: HttpLimits) -> bytes | None:
    """Take the first whole head out of `buffer`; None when it has not come yet.

    `seen` octets were looked at before. The fault that the shortest prefix shows is the one that
    is raised: whole, in halves or octet by octet, the same stream meets the same end.
    """
    end = buffer.find(_END, max(0, seen - 3), limits.head)
    line = buffer.find(b"\r", 0, limits.request_line + 1)
    if end >= 0 and line >= 0:
        head = bytes(buffer[: end + 4])
        del buffer[: end + 4]
        return head
    _refuse_beginning(buffer, line, limits)
    return None


def _refuse_beginning(buffer: bytearray, line: int, limits: HttpLimits) -> None:
    """Raise the first fault, counted in octets, of a head that has no end within its limits."""
    faults: list[tuple[int, HttpError]] = []
    if unclean := _UNCLEAN.search(buffer, 0, limits.head + 2):
        needed = unclean.end() + (unclean[0] == b"\r")
        faults.append((needed, HttpError(400, "E-HTTP-03", close=True)))
    if line < 0 and len(buffer) > limits.request_line:
        faults.append((limits.request_line + 1, _long_line(buffer, limits.request_line)))
    if len(buffer) > limits.head:
        arrived = f"more than {limits.head} octets"
        faults.append((limits.head + 1, HttpError(431, "E-HTTP-09", arrived=arrived, close=True)))
    if faults:
        raise min(faults, key=lambda fault: fault[0])[1]


def _long_line(buffer: bytearray, limit: int) -> HttpError:
    """A method longer than any of ours is 501, a target longer than we parse 414. RFC 9112 §3."""
    if b" " not in buffer[:limit]:
        return HttpError(501, "E-HTTP-06", arrived=f"more than {limit} octets", close=True)
    return HttpError(414, "E-HTTP-08", arrived=f"more than {limit} octets", close=True)


def read_head(data: bytes, limits: HttpLimits) -> Head:
    """The one `Head` that `data`, a whole head with its empty line, can mean; else HttpError.

    Nothing that it returns is ambiguous: at most one framing, exactly one well-formed authority,
    no folded lines, no controls, a target in a form that its method has. RFC 9112 §3, §5, §6.3.
    """
    _refuse_unclean(data, limits)
    _refuse_lengths(data)
    request = _parse(data)
    items = [(n.decode("ascii"), v.decode("latin-1")) for n, v in request.headers]
    target = request.target.decode("ascii")
    version = request.http_version.decode("ascii")
    return make_head(request.method.decode("ascii"), target, version, items)


def make_head(method: str, target: str, version: str, items: list[tuple[str, str]]) -> Head:
    """The head that these parts are, if they go together; whoever parsed them, they are checked."""
    version = _understood(version)
    if method not in METHODS:
        raise HttpError(501, "E-HTTP-06", arrived=shown(method, 20), close=True)
    fields = Fields(item for item in items if item[0] not in DISGUISED)
    _refuse_framing(fields, version)
    parsed = parse_target(method, target)
    authority = _authority(fields, parsed.authority, version)
    return Head(method, target, parsed.path, parsed.query, authority, fields, version)


def _understood(version: str) -> str:
    """The version as which a message is processed: the highest minor one that we know.

    505 is about the major version alone. RFC 9110 §2.5, §15.6.6.
    """
    major, _, minor = version.partition(".")
    if major != "1":
        raise HttpError(505, "E-HTTP-05", arrived=f"HTTP/{version}", close=True)
    return "1.0" if minor == "0" else "1.1"


def _refuse_unclean(data: bytes, limits: HttpLimits) -> None:
    """Refuse octets that no field may hold, folded and too many lines. RFC 9112 §2.2, §5.2."""
    lines = data.count(b"\r\n")
    if data.translate(None, _VISIBLE) != b"\r\n" * lines:
        raise HttpError(400, "E-HTTP-03", close=True)
    if b"\n " in data or b"\n\t" in data:
        raise HttpError(400, "E-HTTP-04", close=True)
    if lines - 2 > limits.fields:
        raise HttpError(431, "E-HTTP-18", arrived=f"{lines - 2} fields", close=True)


def _refuse_lengths(data: bytes) -> None:
    """Refuse a Content-Length that is repeated, listed, or not a plain number; h11 merges them.

    RFC 9110 §8.6, RFC 9112 §6.3.
    """
    lengths = [value.strip(b" \t").decode("latin-1") for value in CONTENT_LENGTH.findall(data)]
    if not lengths:
        return
    length = lengths[0]
    if len(lengths) > 1 or not LENGTH.fullmatch(length):
        arrived = ", ".join(shown(value, 24) for value in lengths[:2])
        raise HttpError(400, "E-HTTP-10", arrived=arrived, close=True)
    if len(length) > 18:
        raise HttpError(413, "E-HTTP-31", arrived=f"{shown(length, 24)} octets", close=True)


def _parse(data: bytes) -> h11.Request:
    """What h11 reads in `data`. A new machine each time: this is a function, not a conversation."""
    machine = h11.Connection(h11.SERVER, max_incomplete_event_size=len(data))
    try:
        machine.receive_data(data)
        event = machine.next_event()
    except h11.RemoteProtocolError as error:
        fault = str(error).partition(":")[0]
        code = _FAULTS.get(fault, "E-HTTP-01")
        raise HttpError(error.error_status_hint, code, arrived=fault, close=True) from None
    if not isinstance(event, h11.Request):
        raise HttpError(400, "E-HTTP-01", close=True)
    return event


def _refuse_framing(fields: Fields, version: str) -> None:
    """Refuse two framings at once, chunks in HTTP/1.0, and expectations that we cannot meet.

    RFC 9112 §6.1, RFC 9110 §10.1.1.
    """
    if "transfer-encoding" in fields:
        if "content-length" in fields:
            raise HttpError(400, "E-HTTP-11", close=True)
        if version == "1.0":
            raise HttpError(400, "E-HTTP-13", close=True)
    expect = fields.get("expect")
    if expect is not None and version == "1.1" and expect.lower() != "100-continue":
        raise HttpError(417, "E-HTTP-14", arrived=shown(expect), close=True)


def _authority(fields: Fields, named: str | None, version: str) -> str:
    """Whom the request is for; a Host must be well-formed even where the target overrules it.

    Empty only for HTTP/1.0 without Host. RFC 9112 §3.2, RFC 9110 §7.2.
    """
    host = fields.get("host")
    if host is None and version == "1.1":
        raise HttpError(400, "E-HOST-02", arrived="no Host", close=True)
    if host is None:
        return named or ""
    parsed = parse_authority(host)
    if parsed is None:
        raise HttpError(400, "E-HOST-02", arrived=shown(host), close=True)
    return named or str(parsed)

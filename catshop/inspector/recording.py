"""The recording: one JSON object a line, one line for each thing that happened, no secret in any.

A line says what it is (`is`), when it happened and in which exchange; lines of exchanges that run
side by side are mixed, in the order of their happening. Every class below is one kind of line, its
fields are the members, and members with nothing in them are left out. Secrets are marks, the same
mark for the same secret throughout one recording. Pure, but for `read`. Next: `recorder.py`, which
writes lines; `docs/reference/recording.md` is this module as a page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

VERSION: Final = 1
"""Of the format. A reader refuses another one; kinds of line that it does not know it skips."""

Pairs = tuple[tuple[str, str], ...]
Told = Mapping[str, str]


class RecordingRefused(Exception):
    """A file is no recording that can be read here; `code` and `arrived` say why."""

    def __init__(self, code: str, arrived: str = "") -> None:
        super().__init__(f"{code}: {arrived}")
        self.code = code
        self.arrived = arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What every line says."""

    at: float = 0.0
    """Seconds since the recording began, on a clock that never jumps."""
    n: int = 0
    """The number of the exchange it belongs to, from 1; 0 where it belongs to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Line):
    """The first line of every file, and once more when the address of the server is known."""

    version: int = VERSION
    """The version of this format."""
    program: str = ""
    """What recorded, with its version."""
    began: str = ""
    """The date and time at which `at` was 0, in UTC. RFC 3339."""
    url: str = ""
    """The address of the server; empty where it is not known."""
    part: int = 1
    """Counts the files of one recording: a file that is full is set aside and a new one begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Line):
    """A request head came in."""

    id: str = ""
    """What the server calls the exchange: the value of `X-Request-Id`."""
    method: str = ""
    """As it was sent."""
    target: str = ""
    """The request target as it was sent."""
    version: str = "1.1"
    """Of HTTP."""
    fields: Pairs = ()
    """Name and value of each field line, in order, in the letters that were sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body(Line):
    """A whole body: of the request once the server has read it, or of the answer."""

    way: str = ">"
    """`>` came in, `<` went out."""
    type: str = ""
    """The media type that the head declares."""
    text: str = ""
    """As it was on the wire but for its secrets; what is no text that we know is left out."""
    size: int = 0
    """Octets on the wire."""
    note: str = ""
    """What was left out, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Line):
    """The head of the answer went out."""

    status: int = 0
    """Of HTTP."""
    reason: str = ""
    """The words after the status."""
    fields: Pairs = ()
    """As in a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame(Line):
    """A server-sent event, or a comment between two, went out."""

    text: str = ""
    """As it was on the wire but for its secrets, without the empty line that ends it."""
    note: str = ""
    """What was left out, and why."""

    def value(self, name: str) -> str:
        """A field of the event, its lines as the one text that they are. WHATWG HTML §9.2.6."""
        lines = (line.partition(":") for line in self.text.split("\n"))
        return "\n".join(value.removeprefix(" ") for found, _, value in lines if found == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Line):
    """A JSON-RPC request was understood."""

    method: str = ""
    """Its method."""
    told: Told = field(default_factory=dict)
    """What else is known: its id, the revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Line):
    """A named check was made."""

    name: str = ""
    """Its name."""
    verdict: str = ""
    """`ok` or `NO`."""
    source: str = ""
    """File and line of the function that decided it, below the package."""
    told: Told = field(default_factory=dict)
    """What it was about: `expected`, `arrived`, `code`, and what else the check tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sql(Line):
    """A statement was run; its values are never told."""

    sql: str = ""
    """The statement."""
    rows: int = 0
    """Rows that it gave or changed."""
    ms: float = 0.0
    """Milliseconds that it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Line):
    """Something else is now, or was found to be, so."""

    name: str = ""
    """What."""
    told: Told = field(default_factory=dict)
    """What is known about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Line):
    """The exchange was found to belong to a flow: the exchanges of one authorization."""

    flow: int = 0
    """The flow: the number of the first exchange known to belong to it."""
    was: int = 0
    """The flow that it was thought to be, when two have turned out to be one; all of it moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Line):
    """The last line of an exchange: the answer has been sent, or the client has gone."""

    status: int = 0
    """Of HTTP; 0 when the client left before it was answered."""
    ms: float = 0.0
    """Milliseconds since the request head."""


KINDS: Final[dict[str, type[Line]]] = {
    "recording": Started,
    "request": Request,
    "body": Body,
    "answer": Answer,
    "frame": Frame,
    "rpc": Message,
    "check": Check,
    "sql": Sql,
    "state": State,
    "joined": Joined,
    "ended": Ended,
}
"""Every kind of line by the value of its member `is`."""

FAULT: Final = "fault"
"""The state that says, in an exchange, that a check is broken on purpose, and which."""

NAMES: Final = {kind: name for name, kind in KINDS.items()}

L = TypeVar("L", bound=Line)


@dataclass(slots=True)
class Exchange:
    """The lines of one exchange, in order."""

    n: int
    flow: int = 0
    lines: list[Line] = field(default_factory=list)

    def every(self, kind: type[L]) -> list[L]:
        """Its lines of one kind."""
        return [line for line in self.lines if isinstance(line, kind)]

    def first(self, kind: type[L]) -> L | None:
        """Its first line of one kind."""
        return next(iter(self.every(kind)), None)

    @property
    def request(self) -> Request:
        """What was asked; an empty one where the recording began later."""
        return self.first(Request) or Request(n=self.n)

    @property
    def answer(self) -> Answer:
        """What was answered; an empty one where nobody was there to hear it."""
        return self.first(Answer) or Answer(n=self.n)

    @property
    def status(self) -> int:
        """Of the answer, 0 without one."""
        return self.answer.status

    @property
    def fault(self) -> str:
        """The fault of a laboratory that was on while it was served; empty without one."""
        named = (state for state in self.every(State) if state.name == FAULT)
        return next((state.told.get("name", "") for state in named), "")

    def body(self, way: str) -> Body:
        """The body that came in (`>`) or went out (`<`); an empty one where there was none."""
        found = (body for body in self.every(Body) if body.way == way)
        return next(found, Body(n=self.n, way=way))


@dataclass(slots=True)
class Recording:
    """A recording that has been read, or that is being made."""

    started: Started = field(default_factory=Started)
    exchanges: dict[int, Exchange] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Put a line where it belongs."""
        if isinstance(line, Started):
            self.started = line
        elif line.n:
            self.exchanges.setdefault(line.n, Exchange(line.n)).lines.append(line)
        if isinstance(line, Joined):
            self._join(line)

    def flow(self, number: int) -> list[Exchange]:
        """The exchanges of one flow, in order."""
        return [each for each in self.exchanges.values() if number and each.flow == number]

    def _join(self, line: Joined) -> None:
        self.exchanges[line.n].flow = line.flow
        for each in self.flow(line.was):
            each.flow = line.flow


def written(line: Line) -> str:
    """The line as it stands in a file, without its end."""
    said: dict[str, object] = {"is": NAMES[type(line)]}
    for each in fields(line):
        value = getattr(line, each.name)
        if value or each.name == "version":
            said[each.name] = value
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"), default=dict)


def parsed(text: str) -> Line | None:
    """What a line of a file says; None for a kind that is not known. ValueError if broken."""
    try:
        said = json.loads(text)
        kind = KINDS.get(said["is"])
        if kind is None:
            return None
        members: dict[str, Any] = {each.name: _member(each, said) for each in fields(kind)}
        return kind(**members)
    except (KeyError, TypeError, RecursionError):
        raise ValueError("not a line of a recording") from None


def lines_of(text: Iterable[str]) -> Iterator[Line]:
    """The lines of a file: the first must say that this is a recording of our version.

    A last line without its end is left out: whoever wrote it was stopped.
    """
    known = False
    for number, each in enumerate(text, 1):
        try:
            line = parsed(each) if each.strip() else None
        except ValueError:
            if known and not each.endswith("\n"):
                return
            code, where = ("E-REC-02", f"line {number}") if number > 1 else ("E-REC-01", "")
            raise RecordingRefused(code, where) from None
        if not known and not isinstance(line, Started):
            raise RecordingRefused("E-REC-01")
        if isinstance(line, Started) and line.version != VERSION:
            raise RecordingRefused("E-REC-03", f"version {line.version}")
        known = True
        if line is not None:
            yield line
    if not known:
        raise RecordingRefused("E-REC-01")


def read(path: Path) -> Recording:
    """The recording in a file. RecordingRefused when it is none, and says which file."""
    recording = Recording()
    try:
        with path.open(encoding="utf-8") as file:
            for line in lines_of(file):
                recording.add(line)
    except OSError as error:
        raise RecordingRefused("E-REC-01", f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RecordingRefused("E-REC-01", f"{path}: it is not UTF-8") from None
    except RecordingRefused as refused:
        where = f"{path}: {refused.arrived}" if refused.arrived else str(path)
        raise RecordingRefused(refused.code, where) from None
    return recording


def is_recording(path: Path) -> bool:
    """Whether the first line of a file says so; False for a file that is not there."""
    try:
        with path.open(encoding="utf-8") as file:
            return isinstance(parsed(file.readline()), Started)
    except (OSError, ValueError):
        return False


def _member(each: Field[Any], said: Mapping[str, object]) -> object:
    """The value of one member, of the type that it must have."""
    if each.name not in said:
        made = each.default_factory
        return each.default if made is MISSING else made()
    return _READERS[str(each.type)](said[each.name])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> float:
    return value if isinstance(value, float) else float(_whole(value))


def _pairs(value: object) -> Pairs:
    if not isinstance(value, list):
        raise TypeError
    return tuple((_text(name), _text(text)) for name, text in value)


def _told(value: object) -> Told:
    if not isinstance(value, dict):
        raise TypeError
    return {_text(name): _text(text) for name, text in value.items()}


_READERS: Final[dict[str, Callable[[object], object]]] = {
    "str": _text,
    "int": _whole,
    "float": _number,
    "Pairs": _pairs,
    "Told": _told,
}

"""Which exchanges belong to one authorization: those that share a state, code, token or session.

A flow is named after the first exchange that is known to belong to it. What is compared are marks,
never the secrets. A client that registers itself takes its registration into its flow; an id that
was known before joins nothing, for all users of a client share it. Next: `recorder.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from catshop.inspector.documents import members
from catshop.inspector.recording import Answer, Body, Joined, Line, Pairs, Request
from catshop.inspector.redact import MARK

JOINING: Final = frozenset({
    "access_token", "code", "device_code", "refresh_token", "req", "request_uri", "state",
    "subject_token", "token", "user_code",
})  # fmt: skip
"""Parameters and members by which the exchanges of a flow know each other."""

REMEMBERED: Final = 10_000
"""Keys that are remembered; the one that was used longest ago is forgotten first."""


class Flows:
    """Finds the flow of each exchange as its lines come."""

    def __init__(self) -> None:
        self._flow_of_key: OrderedDict[str, int] = OrderedDict()
        self._flow_of: OrderedDict[int, int] = OrderedDict()

    def joins(self, line: Line) -> Iterator[Joined]:
        """What `line` tells about the flow of its exchange."""
        for key in keys_of(line):
            if key.startswith("client_id=") and key not in self._flow_of_key:
                continue
            yield from self._join(line, key.removeprefix("new "))

    def _join(self, line: Line, key: str) -> Iterator[Joined]:
        mine = self._flow_of.get(line.n, 0)
        theirs = self._flow_of_key.get(key, 0)
        flow = min(filter(None, (mine, theirs)), default=line.n)
        self._remember(key, line.n, flow)
        if flow != mine:
            yield Joined(at=line.at, n=line.n, flow=flow, was=mine)
        if theirs not in {0, flow}:
            self._move(theirs, flow)
            yield Joined(at=line.at, n=line.n, flow=flow, was=theirs)
        elif mine not in {0, flow}:
            self._move(mine, flow)

    def _remember(self, key: str, n: int, flow: int) -> None:
        for known, name in ((self._flow_of_key, key), (self._flow_of, n)):
            known[name] = flow  # type: ignore[index]  # each of the two with its own kind of name
            known.move_to_end(name)  # type: ignore[arg-type]  # as above
            while len(known) > REMEMBERED:
                known.popitem(last=False)

    def _move(self, was: int, flow: int) -> None:
        """Two flows are one."""
        self._flow_of_key.update((k, flow) for k, v in self._flow_of_key.items() if v == was)
        self._flow_of.update((n, flow) for n, v in self._flow_of.items() if v == was)


def keys_of(line: Line) -> Iterator[str]:
    """By what the exchange of `line` can be known; `new` where a client is born."""
    match line:
        case Request(target=target, fields=fields):
            yield from _of_query(target)
            yield from _of_fields(fields)
        case Answer(fields=fields):
            yield from _of_fields(fields)
        case Body(type=kind, text=text) if "json" in kind:
            yield from _of_document(text)
        case Body(type=kind, text=text) if "form" in kind:
            yield from _of_query("?" + text)
        case _:
            pass


def _of_query(target: str) -> Iterator[str]:
    return _of_pairs(parse_qsl(urlsplit(target).query))


def _of_fields(fields: Pairs) -> Iterator[str]:
    for name, value in fields:
        match name.lower():
            case "authorization":
                yield f"token={value.partition(' ')[2]}"
            case "mcp-session-id":
                yield f"session={value}"
            case "location":
                yield from _of_query(value)
            case _:
                pass


def _of_document(text: str) -> Iterator[str]:
    found = members(text)
    yield from _of_pairs((k, v) for k, v in found.items() if isinstance(v, str))
    if "redirect_uris" in found and isinstance(found.get("client_id"), str):
        yield f"new client_id={found['client_id']}"


def _of_pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in pairs:
        if name == "client_id":
            yield f"client_id={value}"
        elif name == "state" or (name in JOINING and MARK.fullmatch(value)):
            kind = "token" if name.endswith("token") else name
            yield f"{kind}={value}"

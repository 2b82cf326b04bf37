"""What leads up to a recorded request: the steps that give it its secrets, when it is sent again.

A code is good once and a session ends, so they are had anew: the exchanges whose answers gave them
are had again first, and those that these need, and no others. A session that began before the
recording is opened as any client would. The access token is not had so; whoever replays has one.
Pure: what is filled in comes in as answers and as texts that nobody can guess. Next: `gifts.py`;
`catshop/cli/replaying.py`, which sends.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from catshop.inspector.again import Again, again, changed, filled, missing
from catshop.inspector.gifts import Talk, parameters, readings, server_of, set_by, talk
from catshop.inspector.recording import (
    Answer,
    Body,
    Exchange,
    Frame,
    Line,
    Pairs,
    Recording,
    RecordingRefused,
    Request,
)
from catshop.inspector.redact import MARK
from catshop.inspector.rungs import Lane, callee, method_of, named
from catshop.inspector.thoughts import COOKIE, Names, Thought, thoughts

SESSION: Final = "mcp-session-id"
VERSION: Final = "mcp-protocol-version"
AUTHORIZATION: Final = "authorization"
INITIALIZE: Final = "initialize"
INITIALIZED: Final = "notifications/initialized"
FIRST: Final = "2025-03-26"
"""The version of a request that names none. MCP 2025-11-25 basic/transports
§protocol-version-header."""

THUMBPRINT: Final = "dpop_jkt"
"""The parameter that names a key. RFC 9449 §10."""

Settings = Sequence[tuple[str, str]]
"""Names, and the values that they are to have."""

Mint = Callable[[], str]
"""A text that nobody can guess, anew at each call."""


@dataclass(frozen=True, slots=True)
class Step:
    """An exchange that is had again, and its request before anything is filled in."""

    was: Exchange
    request: Again


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A request, what leads up to it, and what is thought of anew on the way."""

    before: tuple[Step, ...]
    last: Step
    base: str
    """The address of the server, as the client knew it."""
    thoughts: tuple[Thought, ...] = ()

    def thumbprints(self) -> set[str]:
        """Keys that a sign-in was bound to. RFC 9449 §10."""
        every = (*self.before, self.last)
        return {v for each in every for name, v in parameters(each.was) if name == THUMBPRINT}

    def renewed(self, now: Exchange) -> dict[str, str]:
        """What an answer sets in place of cookies that a browser had from an earlier visit."""
        new = {each.name: each.value for each in readings(now) if each.reader == "cookie"}
        old = [each for each in self.thoughts if each.kind == COOKIE and each.name in new]
        return {each.value: new[each.name] for each in old}

    def invented(self, mint: Mint) -> dict[tuple[str, str], str]:
        """What is thought of anew, by the parameter and the text that it had."""
        made: dict[str, str] = {}
        for thought in self.thoughts:
            made[thought.variable] = _invented(thought, made.get(thought.of, ""), mint)
        return {
            (each.name, each.value): made[each.variable] for each in self.thoughts if each.value
        }


def _invented(thought: Thought, verifier: str, mint: Mint) -> str:
    """Names are short, and a challenge is that of its verifier."""
    if thought.kind == "NAME":
        return f"alice-{hashlib.sha256(mint().encode()).hexdigest()[:8]}"
    return s256(verifier) if verifier else mint()


def s256(verifier: str) -> str:
    """The S256 challenge of a verifier. RFC 7636 §4.2."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def rehearsed(
    recording: Recording, target: Exchange, settings: Settings = (), *, elsewhere: bool = False
) -> Rehearsal:
    """The request of `target` with other values, and what leads up to it.

    A secret has to be had anew, and `elsewhere`, at another server, every id has to be, too.
    RecordingRefused names what can be had from nowhere.
    """
    earlier = [each for each in recording.exchanges.values() if each.n < target.n and _sound(each)]
    every = recording.exchanges.values()
    base, cookies = server_of(every, recording.started.url), set_by(every)
    having = talk([*earlier, target], base, cookies)
    if (session := _lost(having, target)) and not _sets(settings, SESSION):
        having = talk([*opening(target, session), *earlier, target], base, cookies)
    request, rest = _set(again(target, having), settings)
    anew = elsewhere or MARK.search(request.holds()) is not None
    before = _before(having, request, target) if anew else []
    requests, unknown = _all_set([again(each, having) for each in before], rest)
    for name, value in unknown:
        changed(request, name, value)
    requests = [_shown(each, settings) for each in requests]
    thought = tuple(thoughts(talk([*before, target], base, cookies), Names())) if anew else ()
    steps = tuple(Step(*pair) for pair in zip(before, requests, strict=True))
    made = Rehearsal(steps, Step(target, request), base, thought)
    return _complete(made)


def _sound(exchange: Exchange) -> bool:
    """Whether it can be had again."""
    whole = exchange.status and not exchange.body(">").note
    return bool(whole) and callee(exchange) is not Lane.CLIENT


def _sets(settings: Settings, name: str) -> bool:
    return any(each.lower() == name for each, _ in settings)


def _set(request: Again, settings: Settings) -> tuple[Again, list[tuple[str, str]]]:
    """The request with those values that it has a place for, and the others."""
    explicit = [name.lower() for name, _ in settings]
    others: list[tuple[str, str]] = []
    for name, value in settings:
        try:
            request = changed(request, name, value, explicit)
        except RecordingRefused:
            others.append((name, value))
    return request, others


def _all_set(requests: list[Again], settings: Settings) -> tuple[list[Again], Settings]:
    """Each with those values that it has a place for, and what none has a place for."""
    done = [_set(each, settings) for each in requests]
    unknown = [each for each in settings if all(each in others for _, others in done)]
    return [request for request, _ in done], unknown


def _shown(request: Again, settings: Settings) -> Again:
    """The request with the token that is brought, where it had one."""
    given = [each for each in settings if each[0].lower() == AUTHORIZATION and request.tokened]
    return replace(request, fields=(*request.fields, *given))


def _complete(made: Rehearsal) -> Rehearsal:
    """The rehearsal, in which every secret can be had. RecordingRefused names the others."""
    thought = made.invented(lambda: "-")
    known = {value: "" for step in made.before for value in given_by(step.was, step.was)}
    known |= {value: "" for _, value in thought if MARK.fullmatch(value)}
    lacking = [
        name if step is made.last else f"{name} of #{step.was.n}"
        for step in (*made.before, made.last)
        for name in missing(filled(step.request, known, thought))
    ]
    if lacking:
        raise RecordingRefused("E-REC-10", ", ".join(lacking))
    return made


def given_by(was: Exchange, now: Exchange) -> dict[str, str]:
    """What an answer gave, and what another one gives in its place."""
    new = {each.place: each.value for each in readings(now)}
    return {
        each.value: new[each.place]
        for each in readings(was)
        if each.is_worth_keeping and each.place in new
    }


# --- Sessions of MCP 2025-11-25 ---


def _lost(having: Talk, target: Exchange) -> str:
    """The session of a request, if it began before the recording did; empty if it did not."""
    session = named(target).get(SESSION, "")
    return session if MARK.fullmatch(session) and session not in having.given else ""


def opening(target: Exchange, session: str) -> tuple[Exchange, Exchange]:
    """How a client opens the session of a request.

    MCP 2025-11-25 basic/lifecycle §initialization.
    """
    version = named(target).get(VERSION, FIRST)
    params = {
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "catshop replay", "version": "1"},
    }
    first = {"jsonrpc": "2.0", "id": 1, "method": INITIALIZE, "params": params}
    then = {"jsonrpc": "2.0", "method": INITIALIZED}
    theirs = ((SESSION, session), (VERSION, version))
    given = Answer(status=200, fields=((SESSION, session),))
    return (
        _made(target, first, (), given),
        _made(target, then, theirs, Answer(status=202)),
    )


def _made(target: Exchange, message: object, more: Pairs, answer: Answer) -> Exchange:
    """An exchange that was not recorded, by whoever sent the request."""
    kept = {"host", AUTHORIZATION}
    fields = (
        *((name, value) for name, value in target.request.fields if name.lower() in kept),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        *more,
    )
    path = target.request.target.partition("?")[0]
    text = json.dumps(message)
    lines: list[Line] = [
        Request(method="POST", target=path, fields=fields),
        Body(type="application/json", text=text, size=len(text)),
        answer,
    ]
    return Exchange(0, 0, lines)


def _before(having: Talk, request: Again, target: Exchange) -> list[Exchange]:
    """What gives the request what it holds, the stream that it reads on, and what these need."""
    streams = [each for each in having.sent if _goes_on(each, target)]
    texts = [request.holds(), *(again(each, having).holds() for each in streams)]
    needed = having.leading_up(" ".join(texts), lambda each: again(each, having).holds())
    found = {id(each) for each in (*needed, *streams)}
    return [
        each
        for each in having.sent[:-1]
        if id(each) in found or (method_of(each) == INITIALIZED and _is_of(each, having, found))
    ]


def _goes_on(exchange: Exchange, target: Exchange) -> bool:
    """Whether `target` reads on where the stream of `exchange` broke off.

    MCP 2025-11-25 basic/transports §resumability-and-redelivery.
    """
    asked, session = named(target), named(exchange).get(SESSION, "")
    last = asked.get("last-event-id", "")
    same = bool(session and last) and asked.get(SESSION) == session and exchange is not target
    sent = any(frame.value("id") == last for frame in exchange.every(Frame))
    return same and sent and exchange.request.method == "POST"


def _is_of(exchange: Exchange, having: Talk, found: set[int]) -> bool:
    session = named(exchange).get(SESSION, "")
    return any(id(each.by) in found for each in having.takes(session))


def closing(made: Rehearsal, request: Again) -> Again | None:
    """How a session that was opened for `request` is ended; None where there is none.

    MCP 2025-11-25 basic/transports §session-management.
    """
    opened = any(method_of(step.was) == INITIALIZE for step in made.before)
    if not opened or request.method == "DELETE":
        return None
    kept = {SESSION, VERSION, AUTHORIZATION}
    fields = tuple(each for each in request.fields if each[0].lower() in kept)
    return Again("DELETE", request.path, "", fields, "", "", request.tokened)

"""`catshop replay`: send a recorded request again, and see what is different about the answer.

The access token is that of the stored sign-in, unless `--set` brings another; what else was secret
is had anew, by sending again what led up to the request. The rest goes as it was recorded, or as
`--set` says. Next: `catshop/inspector/rehearsal.py`, `catshop/inspector/again.py`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import anyio
import typer

from catshop.cli.remote import NoBrowserOption, PortOption, Remote, credentials
from catshop.client.errors import Unreachable
from catshop.client.oauth.account import Account
from catshop.client.oauth.discovery import identifiers
from catshop.client.oauth.errors import SignInFailed
from catshop.client.oauth.keys import SigningKey
from catshop.client.oauth.memory import OnDisk
from catshop.client.oauth.possession import NONCE, Possession
from catshop.client.oauth.sending import Enough, Sender, sending, to_its_end
from catshop.client.oauth.steps import Ask, Reply, Sources
from catshop.client.ports import Incoming, Next, Outgoing
from catshop.inspector.again import Again, differences, events_of, filled, picked, whole
from catshop.inspector.curl import is_cut
from catshop.inspector.exact import frame_text, kept
from catshop.inspector.gifts import server_of
from catshop.inspector.proxy import origin_of
from catshop.inspector.recording import (
    Answer,
    Body,
    Exchange,
    Frame,
    Line,
    Pairs,
    RecordingRefused,
    read,
)
from catshop.inspector.redact import MARK, Redactor, printable
from catshop.inspector.rehearsal import AUTHORIZATION, Rehearsal, Step, closing, given_by, rehearsed
from catshop.kernel import Trace, utc_now

UNHEARD: Final = "E-OAC-24"
"""What the sender says where nobody answers."""

TOO_LONG: Final = "E-OAC-23"
"""What it says of an answer that is no document."""

TRIES: Final = 4
"""Without a token, with one, with the nonce that the server wants, and with a scope that it wants.
"""

SAME: Final = "Nothing differs but dates, ids and secrets."
STREAM: Final = "text/event-stream"

NOBODY: Final = (
    "Nobody is signed in at {}. If it asks for a token, a browser opens (--no-browser prints the"
    " address instead); --set 'authorization=Bearer TOKEN' needs neither."
)

SOURCES: Final = Sources(utc_now, partial(secrets.token_urlsafe, 32))

Signing = Callable[[str], Remote]
"""Who would sign in at the server at an address."""


def replay(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    number: Annotated[int, typer.Argument(help="The number of an exchange.")],
    *,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, for another value.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Another server: its scheme and host.")] = None,
    no_browser: NoBrowserOption = False,
    callback_port: PortOption = 0,
) -> None:
    """Send a request again with fresh secrets, and show what its answer says otherwise."""
    settings = [_setting(each) for each in values or ()]
    elsewhere = _origin(url) if url else ""
    recording = read(file)
    exchange = picked(recording, number)
    base = elsewhere or server_of(recording.exchanges.values(), recording.started.url)
    made = rehearsed(recording, exchange, settings, elsewhere=bool(elsewhere))
    signing = partial(Remote, no_browser=no_browser, callback_port=callback_port)
    stage, reply = anyio.run(_played, made, base, signing)
    request, was = made.last.request, made.last.was
    typer.echo(f"{request.method} {printable(request.path)} at {base}", err=True)
    typer.echo(f"recorded {was.status}, now {reply.status}")
    lines = list(differences(was, reply.status, *stage.comparable(reply)))
    for line in lines or [SAME]:
        typer.echo(printable(line))


def _origin(url: str) -> str:
    try:
        return origin_of(url)
    except ValueError:
        raise RecordingRefused("E-PROXY-02", url) from None


def _setting(text: str) -> tuple[str, str]:
    """A name and its value."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise RecordingRefused("E-REC-25", text)
    return name, value


async def _played(made: Rehearsal, base: str, signing: Signing) -> tuple[Stage, Reply]:
    """What leads up to the request, step by step, and then the request itself."""
    async with AsyncExitStack() as stack:
        send = await stack.enter_async_context(sending(Trace()))
        stage = Stage(made, base, signing, stack)
        for step in made.before:
            reply = await stage.play(send, step)
            shown = f"{step.request.method} {printable(step.request.path)}"
            typer.echo(f"first {_named(step)}{shown}: {reply.status}", err=True)
            if reply.status != step.was.status:
                arrived = f"{_named(step)}{shown}: recorded {step.was.status}, now {reply.status}"
                raise RecordingRefused("E-REC-23", arrived)
            now = _answer(reply)
            stage.values |= {**given_by(step.was, now), **made.renewed(now)}
        patient = sending(Trace(), _enough(made.last.was))
        reply = await stage.play(await stack.enter_async_context(patient), made.last)
        await stage.leave(send)
        return stage, reply


def _named(step: Step) -> str:
    return f"#{step.was.n} " if step.was.n else ""


def _enough(was: Exchange) -> Enough:
    """Of a stream that nobody ended as many events are wanted as there were, or else a comment."""
    if not is_cut(was):
        return to_its_end
    most = len(events_of(was))

    def enough(kind: str, body: bytes) -> bool:
        text = body.decode("utf-8", "replace")
        return kind.startswith(STREAM) and "\n\n" in text and len(_events(text)) >= most

    return enough


def _events(text: str) -> list[str]:
    """The events of a stream that have come; a comment, which keeps it open, is none."""
    return [each for each in re.split(r"\r?\n\r?\n", text) if each and not each.startswith(":")]


def _answer(reply: Reply) -> Exchange:
    """A new answer as a recording would have it, but for its secrets, which are there."""
    text, kind = reply.body.decode("utf-8", "replace"), reply.first("content-type") or ""
    lines: list[Line] = [Answer(status=reply.status, fields=tuple(reply.headers))]
    if kind.startswith(STREAM):
        lines += [Frame(text=each) for each in _events(text)]
    else:
        lines.append(Body(way="<", type=kind, text=text))
    return Exchange(0, 0, lines)


def _shown(redactor: Redactor, was: Exchange, reply: Reply) -> Iterator[str]:
    """The body, or of a stream as many events as were recorded, as a recording would have them."""
    answer = _answer(reply)
    events = answer.every(Frame)
    most = len(events_of(was)) if is_cut(was) else len(events)
    yield from (frame_text(redactor, each.text) for each in events[:most])
    if body := answer.first(Body):
        yield kept(redactor, body.type, reply.body)[0]


@dataclass(slots=True)
class Stage:
    """Where a rehearsal is played: what is known so far, and who signs in when it is needed."""

    made: Rehearsal
    base: str
    signing: Signing
    stack: AsyncExitStack
    thought: Mapping[tuple[str, str], str] = field(init=False)
    values: dict[str, str] = field(init=False)
    """What was recorded, and what stands in its place."""
    possession: Possession = field(default_factory=lambda: Possession(SigningKey.generate()))
    account: Account | None = None

    def __post_init__(self) -> None:
        self.thought = self.made.invented(partial(secrets.token_urlsafe, 32))
        prints = dict.fromkeys(self.made.thumbprints(), self.possession.key.thumbprint)
        there = {self.made.base: self.base} if self.made.base not in {"", self.base} else {}
        marks = {was: new for (_, was), new in self.thought.items() if MARK.fullmatch(was)}
        self.values = {**prints, **there, **marks}

    async def play(self, send: Sender, step: Step) -> Reply:
        """The answer to a step, with all that is known filled in."""
        request = whole(filled(step.request, self.values, self.thought))
        reply = await self._sent(send, request)
        nonce = reply.first(NONCE)
        self.possession.learn(self.base + request.target(), nonce)
        if request.proven and nonce and reply.status != step.was.status:
            return await self._sent(send, request)
        return reply

    async def _sent(self, send: Sender, request: Again) -> Reply:
        """The answer to a request, by whoever has to show what."""
        given = any(name.lower() == AUTHORIZATION for name, _ in request.fields)
        if request.tokened and not given:
            return await self._signed_in(send, request)
        return await self._ask(send, request, self._proof(request))

    def _proof(self, request: Again) -> Mapping[str, str]:
        """Where there was a proof without a token, one of the key of this rehearsal."""
        url = self.base + request.target()
        return self.possession.proof(request.method, url, SOURCES) if request.proven else {}

    async def _signed_in(self, send: Sender, request: Again) -> Reply:
        """The answer to whoever is signed in, and signs in if need be."""
        account = await self._account(request)
        outgoing = Outgoing(request.method, self.base + request.target(), dict(request.fields))
        for _ in range(TRIES):
            shown = await account.proof(outgoing)
            reply = await self._ask(send, request, shown)
            tried = Outgoing(outgoing.method, outgoing.url, {**outgoing.fields, **shown})
            arrived = Incoming(reply.status, reply.headers, reply.body)
            if await account.after(tried, arrived) is Next.TAKE:
                break
        return reply

    async def _account(self, request: Again) -> Account:
        """Our standing at the server; who has none is told what happens now."""
        if self.account is None:
            remote = self.signing(f"{self.base}{request.path}")
            if OnDisk(credentials()).load().for_resource(identifiers(remote.url)) is None:
                typer.echo(NOBODY.format(remote.host), err=True)
            self.account = await self.stack.enter_async_context(remote.account(Trace()))
        return self.account

    async def _ask(self, send: Sender, request: Again, shown: Mapping[str, str]) -> Reply:
        fields = {**dict(request.fields), **shown}
        url, body = self.base + request.target(), request.body.encode()
        asked = Ask("a request that was recorded", request.method, url, fields, body)
        try:
            return await send(asked)
        except SignInFailed as error:
            if error.code == TOO_LONG or error.arrived.endswith("TimeoutError"):
                raise RecordingRefused("E-REC-24", error.arrived) from None
            if error.code == UNHEARD:
                raise Unreachable("E-REC-22", error.arrived) from None
            raise

    async def leave(self, send: Sender) -> None:
        """End a session that was opened for the request."""
        last = closing(self.made, filled(self.made.last.request, self.values, self.thought))
        if last is not None:
            with suppress(Unreachable, RecordingRefused):
                await self._sent(send, last)

    def comparable(self, reply: Reply) -> tuple[Pairs, str]:
        """The fields and the body of an answer, with what was recorded in place of what is new."""
        redactor = Redactor(secrets.token_bytes(32))
        known = {**self.values, **{value: new for (_, value), new in self.thought.items()}}
        for was, new in known.items():
            if MARK.fullmatch(was):
                redactor.mark(new)
        plain = {new: was for was, new in known.items() if not MARK.fullmatch(was)}
        back = {quote(new, safe=""): quote(was, safe="") for new, was in plain.items()} | plain

        def restored(text: str) -> str:
            found = "|".join(map(re.escape, sorted(back, key=len, reverse=True)))
            return re.sub(found, lambda each: back[each[0]], text) if found else text

        body = "\n".join(_shown(redactor, self.made.last.was, reply))
        fields = ((name, redactor.header(name, value)) for name, value in reply.headers)
        return tuple((name, restored(value)) for name, value in fields), restored(body)

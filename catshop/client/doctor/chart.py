"""What a doctor writes down: how each check ended, and what was seen on the way.

A check is a generator like every flow of the OAuth half: it yields a request, is sent the answer,
and decides. It ends in a `Finding`, or raises what is wrong. What it learned it writes into the
`Chart`, and a later check may rely on that, since nothing runs after a failure. Pure.
Next: `ladder.py`, the order of the checks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from catshop.client import envelope
from catshop.client.envelope import Call, Hello, Peer, Sent
from catshop.client.eras import NEWEST
from catshop.client.errors import ClientError
from catshop.client.oauth.challenges import Challenge
from catshop.client.oauth.discovery import Resource, Server
from catshop.client.oauth.errors import printable
from catshop.client.oauth.memory import Held, Memory
from catshop.client.oauth.possession import Possession
from catshop.client.oauth.registration import Client
from catshop.client.oauth.steps import Ask, Browse, Landed, Reply, Sources, ask
from catshop.kernel import Secret
from catshop.protocol.versions import BY_NAME, LATEST_HANDSHAKE

T = TypeVar("T")

HELLO: Final = Hello("catshop-doctor", "1")
"""How the doctor names itself to a server."""


class Health(StrEnum):
    """How a check ended."""

    OK = "ok"
    WAIVED = "waived"
    WARN = "WARN"
    FAIL = "FAIL"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Finding:
    """The end of one check. `code` names the words of the catalogue, `fix` is better than theirs
    where the doctor knows what to type."""

    health: Health
    told: str = ""
    code: str | None = None
    fix: str | None = None


class Sick(ClientError):
    """The check failed, and nothing below it can be judged."""

    def __init__(self, code: str, arrived: str = "", fix: str | None = None) -> None:
        super().__init__(code, printable(arrived))
        self.fix = fix and printable(fix)


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a connection and close it again."""

    host: str
    port: int
    tls: bool = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Dialled:
    """How far that came: the addresses of the name, and why not further."""

    addresses: tuple[str, ...] = ()
    refused: str = ""
    untrusted: str = ""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user who is there for the time of the examination alone."""

    name: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Admit:
    """Open an account for a visitor, at the house itself."""

    house: Callable[[], Awaitable[Visitor]]


Walk = Generator[Ask | Browse | Dial | Admit, Reply | Landed | Dialled | Visitor, T]
"""A flow that may also dial, and let a visitor in."""


@dataclass(slots=True)
class Chart:
    """One server and what was seen of it, filled in from the top to the bottom of the ladder."""

    url: str
    sources: Sources
    memory: Memory = field(default_factory=Memory)
    dialled: Dialled = field(default_factory=Dialled)
    door: Reply = field(default_factory=lambda: Reply(0))
    """The answer to a request without a token."""
    challenge: Challenge | None = None
    guarded: bool = False
    resource: Resource | None = None
    server: Server | None = None
    client: Client | None = None
    registered: bool = False
    """Whether the client is one that the doctor made, and removes again."""
    held: Held | None = field(default=None, repr=False)
    """The token that is shown, once there is one."""
    possession: Possession | None = field(default=None, repr=False)
    peer: Peer | None = None
    tools: tuple[object, ...] = ()
    house: Callable[[], Awaitable[Visitor]] | None = None
    """How a visitor is let in; None where the shop is not ours."""
    visitor: Visitor | None = None


Check = Callable[[Chart], Walk[Finding] | Finding]
"""Its name says what holds when it passes; one that asks for nothing more just decides."""


def passed(told: str = "") -> Finding:
    """What was looked for is there."""
    return Finding(Health.OK, printable(told))


def waived(why: str) -> Finding:
    """There is nothing to look for; that is no praise."""
    return Finding(Health.WAIVED, why)


def warned(code: str, arrived: str = "", fix: str | None = None) -> Finding:
    """It works, and somebody will stumble over it."""
    return Finding(Health.WARN, printable(arrived), code, fix)


def failed(error: ClientError) -> Finding:
    """What a check raised."""
    fix = error.fix if isinstance(error, Sick) else None
    return Finding(Health.FAIL, printable(error.arrived), error.code, fix)


def discover_request() -> Sent:
    """The question that a server of either era has an answer to."""
    return envelope.request(Peer(NEWEST), HELLO, Call("server/discover"), 1)


def initialize_request() -> Sent:
    """The first message to a server of the handshake era."""
    return envelope.initialize(BY_NAME[LATEST_HANDSHAKE], HELLO, 1)


def send(
    chart: Chart, purpose: str, sent: Sent, fields: Mapping[str, str] | None = None
) -> Walk[Reply]:
    """POST a message to the endpoint, with these fields more."""
    every = {**sent.fields, **(fields or {})}
    return (yield from ask(Ask(purpose, "POST", chart.url, every, sent.body)))


def media_type(reply: Reply) -> str:
    """The type of the body, without its parameters. RFC 9110 §8.3.1."""
    return (reply.first("content-type") or "").partition(";")[0].strip().lower()


def text_of(reply: Reply) -> str:
    """The beginning of a body, safe to show."""
    return printable(reply.body[:160].decode("utf-8", "replace").strip())

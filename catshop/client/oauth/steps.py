"""What a sign-in asks of the world: a request to send, or a page to open, and what came back.

Every flow of this package is a generator. It yields the next thing to do, is sent the answer, and
returns what it was for; between two yields it only decides. So one flow runs over a real network,
in a test that plays the network from a list, and in a printer that shows each step, and reads from
top to bottom like the section that it obeys. Next: `discovery.py`, where a flow begins.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit

from catshop.client.oauth.errors import SignInFailed
from catshop.kernel import Clock, Secret

T = TypeVar("T")

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that a request reaches without leaving the machine."""

CLEAN = re.compile(r"[!#$%&'()*+,\-./0-9:;=?A-Z\[\]_a-z~]+")
"""RFC 3986 §2, without `@`: what a browser and a terminal read as we do."""

NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
"""A last label that makes some readers take the whole host for an IPv4 address."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, to be sent as it stands; a redirect is an answer, and is not followed."""

    purpose: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to an `Ask`; field names in lower case, as often as they came."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = field(default=b"", repr=False)

    def first(self, name: str) -> str | None:
        """The first value of the field, or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def every(self, name: str) -> tuple[str, ...]:
        """Every value of the field, in the order of arrival."""
        return tuple(value for key, value in self.headers if key.lower() == name)

    def members(self) -> Mapping[str, Any]:
        """The JSON object of the body; ValueError where it is none. RFC 8259 §4, §8.2."""
        found = json.loads(self.body.decode("utf-8"))
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # half a character is refused: §8.2
        if not isinstance(found, dict):
            raise ValueError(f"{type(found).__name__} in place of an object")
        return found


@dataclass(frozen=True, slots=True)
class Browse:
    """An address that the user is to visit; the answer is the query of the redirect back."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Landed:
    """The query with which the browser came back to the redirect_uri."""

    query: str = field(repr=False)


Steps = Generator[Ask | Browse, Reply | Landed, T]
"""A flow that returns a T."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a decision must not take for itself: the time, and text that nobody can guess."""

    clock: Clock
    random: Callable[[], str]
    """43 characters of base64url from 256 random bits, anew at each call."""


def ask(request: Ask) -> Steps[Reply]:
    """Send, and have the answer."""
    answer = yield request
    if not isinstance(answer, Reply):
        raise TypeError("a request was answered with a redirect of the browser")
    return answer


def browse(url: str) -> Steps[str]:
    """Have the user visit the page; the query that the browser brought back."""
    answer = yield Browse(url)
    if not isinstance(answer, Landed):
        raise TypeError("a page was answered with a response")
    return answer.query


def fetch(purpose: str, url: str) -> Steps[Reply]:
    """GET a document in JSON."""
    return (yield from ask(Ask(purpose, "GET", safe(url), {"Accept": "application/json"})))


def post(purpose: str, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Ask:
    """A form, encoded as RFC 6749 Appendix B wants it."""
    fields = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode(form).encode("ascii")
    return Ask(purpose, "POST", safe(url), fields | dict(headers), body)


def safe(url: str) -> str:
    """The address, if what is sent there can be read by nobody on the way. OAuth 2.1 §1.5.

    What is no address is shown to nobody: neither a browser nor a terminal has to make sense of it.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is no port
    except ValueError:
        raise SignInFailed("E-OAC-01", arrived=url) from None
    local = parts.scheme == "http" and (parts.hostname or "") in LOCAL
    sound = CLEAN.fullmatch(url) is not None and bool(parts.hostname)
    if not sound or not (parts.scheme == "https" or local):
        raise SignInFailed("E-OAC-01", arrived=url)
    return url


def within(url: str, steps: Steps[T]) -> Steps[T]:
    """The flow, as far as the server at `url` may lead it. RFC 9728 §7.7.

    A server elsewhere names addresses on this machine, or in its network, for nothing good: they
    answer us, and not the server. One in the network may name the network, and one on this machine
    the machine. A name is not looked up, so what it stands for is not known here.
    """
    allowed = _depth(url)
    try:
        wanted = next(steps)
        while True:
            if _depth(wanted.url) > allowed:
                raise SignInFailed("E-OAC-01", arrived=wanted.url.partition("?")[0])
            wanted = steps.send((yield wanted))
    except StopIteration as done:
        value: T = done.value
        return value


def _depth(url: str) -> int:
    """How far inside the host is: 0 out there, 1 in some network, 2 on this machine.
    RFC 6890 §2.2."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    last = host.rpartition(".")[2]
    try:
        address = ip_address(host)
    except ValueError:
        return 2 if last == "localhost" or NUMBER.fullmatch(last) else 0
    plain = getattr(address, "ipv4_mapped", None) or address
    if plain.is_loopback or plain.is_unspecified:
        return 2
    return 0 if address.is_global else 1


def origin(url: str) -> str:
    """Scheme and authority of an address, as it spells them. RFC 6454 §4."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))


def basic(user: str, password: Secret) -> str:
    """The value of a field Authorization: both parts form-encoded first. OAuth 2.1 §2.4.1."""
    pair = f"{_encoded(user)}:{_encoded(password.reveal())}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


def _encoded(text: str) -> str:
    return urlencode({"": text})[1:]

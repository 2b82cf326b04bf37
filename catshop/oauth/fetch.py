"""The one way out: whatever this server reads from somebody else's server, it reads through here.

Whoever names a URL to us makes us knock at it, so the door is narrow: https, no redirect, so many
octets in so much time, no cookie, no credential, no proxy. The guard stands where the socket is
opened: a name is looked up once, every address that it has is judged, and the judged address itself
is dialled, so that a second lookup cannot lead elsewhere. `Kept` remembers what proved good. Only
this file imports httpcore2, the floor of httpx2. RFC 6890 §2; RFC 9111 §5.2; MCP 2026-07-28
basic/authorization/security-considerations §client-id-metadata-document-security.
"""

from __future__ import annotations

import re
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import SOCK_STREAM
from typing import Any, Final, Generic, TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit
from weakref import WeakValueDictionary

import anyio
import httpcore2

from catshop.kernel import Clock, Kind, Trace
from catshop.limits import FetchLimits
from catshop.protocol.http1.fields import parse_media_type

T = TypeVar("T")

Admit = Callable[[], Awaitable[None]]
"""Raises when whoever asks has had enough fetched."""

CLEAN: Final = re.compile(r"[!$%&'()*+,\-./0-9:;=?A-Z\[\]_a-z~]+")
"""RFC 3986 §2 without fragment and user: what every reader of an address reads alike."""

HOST: Final = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+")

TRANSLATED: Final = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")))
"""IPv6 addresses that carry an IPv4 address to somewhere else. RFC 6052 §2.1; RFC 3056 §2."""

MAX_AGE: Final = re.compile(r"max-age=\"?([0-9]{1,12})\"?", re.IGNORECASE)


class Reach(Enum):
    """How far out one may read."""

    PUBLIC = "public"
    DEVELOPMENT = "development"
    """The issuer is this machine: http on this machine may be read, too."""


class FetchFailed(Exception):
    """Nothing was read; `code` names the words, `arrived` is safe to show."""

    def __init__(self, code: str, arrived: str = "") -> None:
        super().__init__(f"{code} ({arrived})")
        self.code = code
        self.arrived = arrived


@dataclass(frozen=True, slots=True)
class Ask:
    """What is sent, and how much of an answer is read for how long."""

    octets: int
    seconds: float
    form: tuple[tuple[str, str], ...] = ()
    """With a form it is a POST."""
    authorization: str = field(default="", repr=False)
    refusals: tuple[int, ...] = ()
    """Further statuses whose body is read, because a refusal says in JSON why."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body in JSON, and how many seconds its sender says that it stays true."""

    body: bytes = field(repr=False)
    fresh: int | None
    status: int = 200


class Internet:
    """Names and addresses, as they are out there."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Every address of the host."""
        found = await anyio.getaddrinfo(host, port, type=SOCK_STREAM)
        return [str(address[0]) for *_, address in found]

    async def dial(self, address: str, port: int) -> httpcore2.AsyncNetworkStream:
        """A connection to that very address."""
        return await httpcore2.AnyIOBackend().connect_tcp(address, port)


class Fetcher:
    """Reads one document at a time from whoever may be asked; FetchFailed says why not."""

    def __init__(
        self,
        limits: FetchLimits,
        trace: Trace,
        reach: Reach = Reach.PUBLIC,
        *,
        internet: Internet | None = None,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self.limits = limits
        self.reach = reach
        self._trace = trace
        self._internet = internet or Internet()
        self._make_tls = tls
        self._places = anyio.Semaphore(limits.at_once)
        self._hosts: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()
        self._asking = 0

    async def fetch(self, url: str, ask: Ask) -> Fetched:
        """The document at `url`: status 200, JSON, whole, in time."""
        host = permitted(url, self.reach).netloc.lower()
        if self._asking >= self.limits.at_once + self.limits.waiting:
            raise FetchFailed("E-FETCH-09", f"{self._asking} of them")
        self._asking += 1
        try:
            with anyio.fail_after(ask.seconds):
                fetched = await self._in_turn(host, url, ask)
        except TimeoutError:
            raise FetchFailed("E-FETCH-04", f"{host}, {ask.seconds:g} s") from None
        finally:
            self._asking -= 1
        self._trace.note(Kind.HTTP, "fetched", url=url, octets=len(fetched.body))
        return fetched

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made at the first use: reading the certificates of all authorities takes a while."""
        return self._make_tls()

    async def _in_turn(self, host: str, url: str, ask: Ask) -> Fetched:
        """So many at once, and fewer of them at one host."""
        held = self._hosts.setdefault(host, anyio.Semaphore(self.limits.per_host))
        async with held, self._places:
            try:
                return await self._exchange(url, ask)
            except (
                httpcore2.NetworkError,
                httpcore2.ProtocolError,
                httpcore2.TimeoutException,
                OSError,
                UnicodeError,
            ) as error:
                raise FetchFailed("E-FETCH-03", f"{host}, {type(error).__name__}") from None

    async def _exchange(self, url: str, ask: Ask) -> Fetched:
        headers = [
            ("accept", "application/json"),
            ("accept-encoding", "identity"),
            ("connection", "close"),
            ("user-agent", "catshop"),
        ]
        content = urlencode(ask.form).encode("ascii") if ask.form else None
        if content is not None:
            headers.append(("content-type", "application/x-www-form-urlencoded"))
        if ask.authorization:
            headers.append(("authorization", ask.authorization))
        method = "GET" if content is None else "POST"
        backend = _Guarded(self._internet, urlsplit(url).scheme)
        async with (
            aclosing(backend),
            httpcore2.AsyncConnectionPool(
                ssl_context=self._tls, max_keepalive_connections=0, network_backend=backend
            ) as pool,
            pool.stream(method, url, headers=headers, content=content) as response,
        ):
            fields = _fields(response.headers)
            _judge(response.status, fields, ask)
            body = b""
            async with aclosing(response.aiter_stream()) as parts:
                async for part in parts:
                    body += part
                    if len(body) > ask.octets:
                        raise FetchFailed("E-FETCH-06", f"more than {ask.octets} octets")
        return Fetched(body, freshness(fields.get("cache-control", "")), response.status)


class _Guarded(httpcore2.AsyncNetworkBackend):
    """Opens a socket to a judged address only, and closes it whatever happens."""

    def __init__(self, internet: Internet, scheme: str) -> None:
        self._internet = internet
        self._opened: list[httpcore2.AsyncNetworkStream] = []
        self._may = is_loopback if scheme == "http" else is_public

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore2
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """One lookup; one address that may not be dialled spoils them all."""
        addresses = await self._internet.resolve(host, port)
        if not addresses or not all(self._may(address) for address in addresses):
            raise FetchFailed("E-FETCH-02", host)
        stream = await self._first(addresses, port)
        self._opened.append(stream)
        return stream

    async def aclose(self) -> None:
        """Close what was opened: httpcore2 leaves a handshake open that is cancelled."""
        with anyio.CancelScope(shield=True):
            for stream in self._opened:
                await stream.aclose()

    async def _first(self, addresses: Sequence[str], port: int) -> httpcore2.AsyncNetworkStream:
        for address in addresses[:-1]:
            try:
                return await self._internet.dial(address, port)
            except httpcore2.NetworkError:
                continue
        return await self._internet.dial(addresses[-1], port)


def permitted(url: str, reach: Reach) -> SplitResult:
    """The parts of a URL that may be read from; FetchFailed for any other."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FetchFailed("E-FETCH-01", url) from None
    host = parts.netloc.removesuffix(f":{port}")
    sound = CLEAN.fullmatch(url) and HOST.fullmatch(host) and port != 0
    if not sound or not _may_be_asked(parts, reach):
        raise FetchFailed("E-FETCH-01", url)
    return parts


def _may_be_asked(parts: SplitResult, reach: Reach) -> bool:
    if parts.scheme == "http" and reach is Reach.DEVELOPMENT:
        return parts.hostname == "localhost" or is_loopback(parts.hostname or "")
    return parts.scheme == "https"


def is_public(address: str) -> bool:
    """Whether the address is somebody's on the open internet. RFC 6890 §2.2."""
    found = _address(address)
    if found is None or not found.is_global or found.is_multicast or found.is_reserved:
        return False
    return not any(found in network for network in TRANSLATED)


def is_loopback(address: str) -> bool:
    """Whether the address is this machine. RFC 6890 §2.2."""
    found = _address(address)
    return found is not None and found.is_loopback


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _fields(sent: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """The fields of an answer; those of one name are a list. RFC 9110 §5.3."""
    found: dict[str, str] = {}
    for raw, value in sent:
        name = raw.decode("ascii").lower()
        text = value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _judge(status: int, fields: dict[str, str], ask: Ask) -> None:
    """What can be refused before a single octet of the body has been read."""
    if status != 200 and status not in ask.refusals:
        raise FetchFailed("E-FETCH-05", f"status {status}")
    media_type = parse_media_type(fields.get("content-type"))
    name = media_type.name if media_type else "no Content-Type"
    if name != "application/json" and not name.endswith("+json"):
        raise FetchFailed("E-FETCH-07", name)
    if fields.get("content-encoding", "identity").lower() != "identity":
        raise FetchFailed("E-FETCH-07", "a Content-Encoding that was not asked for")
    length = fields.get("content-length", "0")
    if not length.isdecimal() or int(length) > ask.octets:
        raise FetchFailed("E-FETCH-06", f"{length} octets")


def freshness(cache_control: str) -> int | None:
    """How many seconds the sender allows; 0 for not at all, None when it says nothing.

    RFC 9111 §5.2.2.
    """
    directives = [item.strip() for item in cache_control.split(",")]
    if {"no-store", "no-cache"} & {item.lower() for item in directives}:
        return 0
    ages = [int(found[1]) for item in directives if (found := MAX_AGE.fullmatch(item))]
    return min(ages) if ages else None


@dataclass(slots=True)
class _Flight(Generic[T]):
    """A fetch under way, and how it ended."""

    landed: anyio.Event = field(default_factory=anyio.Event)
    value: T | None = None
    failure: FetchFailed | None = None


class Kept(Generic[T]):
    """What was fetched, read, and found good: at most so many, for so long.

    `read` turns what came into what is wanted or raises FetchFailed. Whoever asks for what is on
    its way waits for it. A failure is told to those who waited, and is forgotten.
    """

    def __init__(self, fetcher: Fetcher, read: Callable[[str, Fetched], T], clock: Clock) -> None:
        self._fetcher = fetcher
        self._read = read
        self._clock = clock
        self._limits = fetcher.limits
        self._kept: OrderedDict[str, tuple[T, datetime]] = OrderedDict()
        self._flights: dict[str, _Flight[T]] = {}

    def known(self, url: str) -> T | None:
        """What is kept for the URL and still fresh."""
        value, until = self._kept.get(url, (None, self._clock()))
        if value is None or until <= self._clock():
            self._kept.pop(url, None)
            return None
        self._kept.move_to_end(url)
        return value

    async def get(self, url: str, ask: Ask, admit: Admit | None = None) -> T:
        """What is at the URL: kept, on its way, or fetched now, if `admit` lets the asker."""
        while (value := self.known(url)) is None:
            flight = self._flights.get(url)
            if flight is None:
                return await self._fly(url, ask, admit)
            await flight.landed.wait()
            if flight.failure is not None:
                raise FetchFailed(flight.failure.code, flight.failure.arrived)
            if flight.value is not None:
                return flight.value
            # Whoever fetched has gone away, or was not let: the next in line fetches.
        return value

    async def _fly(self, url: str, ask: Ask, admit: Admit | None) -> T:
        flight = self._flights[url] = _Flight[T]()
        try:
            if admit is not None:
                await admit()
            fetched = await self._fetcher.fetch(url, ask)
            flight.value = self._read(url, fetched)
            self._keep(url, flight.value, fetched.fresh)
            return flight.value
        except FetchFailed as failure:
            flight.failure = failure
            raise
        finally:
            del self._flights[url]
            flight.landed.set()

    def _keep(self, url: str, value: T, fresh: int | None) -> None:
        """RFC 9111 §5.2.2: not what may not be kept; and never as briefly or long as some wish."""
        if fresh == 0:
            return
        shortest, longest = self._limits.shortest_seconds, self._limits.longest_seconds
        seconds = min(max(fresh or shortest, shortest), longest)
        self._kept[url] = (value, self._clock() + timedelta(seconds=seconds))
        while len(self._kept) > self._limits.kept:
            self._kept.popitem(last=False)

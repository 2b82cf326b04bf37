"""A world to read from: names that lead where a test wants, and servers that answer as it says.

Addresses are made up, the sockets are real: whoever dials a public address of this world reaches a
listener on loopback, and the test knows what was looked up and dialled.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import httpcore2
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from catshop.oauth.fetch import Internet
from catshop.protocol.http1.server import port_of

ADDRESS = "93.184.215.14"
"""Somebody's, in the open internet."""

LOOPBACKS = ("2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost.", "[::ffff:127.0.0.1]")
"""This computer, as some readers of addresses know it."""

Reply = Callable[["Site", ByteStream], Awaitable[None]]


class World(Internet):
    """Names, and where the addresses that they have really are."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.ports: dict[str, int] = {}
        self.looked_up: list[str] = []
        self.dialled: list[str] = []

    def lead(self, name: str, *answers: Sequence[str]) -> None:
        """Let lookups of the name find these, one after another; the last one for good."""
        self.names[name] = [list(answer) for answer in answers]

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append(host)
        answers = self.names.get(host)
        if answers is None:
            return await super().resolve(host, port)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def dial(self, address: str, port: int) -> httpcore2.AsyncNetworkStream:
        self.dialled.append(address)
        there = self.ports.get(address)
        return await super().dial(address if there is None else "127.0.0.1", there or port)


@dataclass
class Site:
    """A server: what it was asked, and how it answers."""

    port: int
    reply: Reply
    requests: list[str] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return len(self.requests)


@asynccontextmanager
async def site(
    world: World, name: str, reply: Reply, tls: ssl.SSLContext | None = None, address: str = ADDRESS
) -> AsyncIterator[Site]:
    """Serve `name` over https, for as long as the context lasts."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = port_of(listener.listeners[0])
    here = Site(port, reply)
    world.lead(name, [address])
    world.ports[address] = port
    context = tls or certified(name)

    async def handle(plain: ByteStream) -> None:
        async with plain:
            try:
                stream = await TLSStream.wrap(
                    plain, server_side=True, ssl_context=context, standard_compatible=False
                )
                await _answer(here, stream)
            except (anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError):
                pass

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield here
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def neighbour(reply: Reply) -> AsyncIterator[Site]:
    """A server on this machine, over http."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    here = Site(port_of(listener.listeners[0]), reply)

    async def handle(stream: ByteStream) -> None:
        async with stream:
            await _answer(here, stream)

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield here
        tasks.cancel_scope.cancel()


async def _answer(here: Site, stream: ByteStream) -> None:
    """Read one request, body and all, and reply to it."""
    request = b""
    while not _whole(request):
        request += await stream.receive()
    here.requests.append(request.decode("latin-1"))
    await here.reply(here, stream)
    await stream.aclose()


def _whole(request: bytes) -> bool:
    head, end, body = request.lower().partition(b"\r\n\r\n")
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) >= int(length or 0)


def answering(body: str | bytes, status: int = 200, **fields: str) -> Reply:
    """One answer to everything; `content_type` is a field."""
    content = body.encode() if isinstance(body, str) else body
    head = {"content_type": "application/json", "content_length": str(len(content)), **fields}
    lines = [f"{name.replace('_', '-')}: {text}" for name, text in head.items() if text]
    data = "\r\n".join([f"HTTP/1.1 {status} Word", *lines, "", ""]).encode() + content

    async def reply(_: Site, stream: ByteStream) -> None:
        await stream.send(data)

    return reply


def raw(data: bytes, then: Callable[[], Awaitable[None]] | None = None) -> Reply:
    """These octets, and whatever comes then."""

    async def reply(_: Site, stream: ByteStream) -> None:
        await stream.send(data)
        if then is not None:
            await then()

    return reply


@cache
def _authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority for tests")])
    built = _certificate(name, name, key, 3650).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    return built.sign(key, hashes.SHA256()), key


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
    )


@cache
def certified(name: str, days: int = 10, *, by_itself: bool = False) -> ssl.SSLContext:
    """What a server of that name presents; with negative `days` it has expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    authority, signer = _authority()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A server for tests")])
    issuer = subject if by_itself else authority.subject
    built = _certificate(subject, issuer, key, days).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
    )
    certificate = built.sign(key if by_itself else signer, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "chain.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
        context.load_cert_chain(path)
    return context


def trusting() -> ssl.SSLContext:
    """A client's context that believes the authority of this world, and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pem = _authority()[0].public_bytes(serialization.Encoding.PEM)
    context.load_verify_locations(cadata=pem.decode("ascii"))
    return context

"""A server whose answers a test writes down octet by octet, and that keeps what it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import SocketAttribute, SocketStream


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived; names of fields in lower case."""

    verb: str
    fields: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        """The JSON-RPC message; empty where there is none."""
        return json.loads(self.body) if self.body else {}

    @property
    def rpc(self) -> str:
        """Its method."""
        return str(self.message.get("method", ""))

    def result(self, **members: object) -> bytes:
        """An answer to it, in JSON."""
        return answer(200, {"jsonrpc": "2.0", "id": self.message["id"], "result": members})

    def error(self, status: int, code: int, data: object = None) -> bytes:
        """An error in answer to it."""
        error = {"code": code, "message": "no", "data": data}
        return answer(status, {"jsonrpc": "2.0", "id": self.message["id"], "error": error})

    def event(self, **members: object) -> str:
        """An answer to it, as the data of an event."""
        return json.dumps({"jsonrpc": "2.0", "id": self.message["id"], "result": members})


def answer(status: int, body: object = None, **fields: str) -> bytes:
    """A response with a body in JSON, or with none."""
    octets = b"" if body is None else json.dumps(body).encode()
    named = {"content-type": "application/json"} if octets else {}
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    head = {**named, "content-length": str(len(octets)), "connection": "close", **given}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status} x\r\n{lines}\r\n".encode() + octets


def stream(*events: str) -> bytes:
    """A response that is a stream of events, and ends with the connection."""
    head = "HTTP/1.1 200 x\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    return (head + "".join(f"{event}\n\n" for event in events)).encode()


Play = Callable[[Asked], bytes]


@dataclass
class Stub:
    """Where it listens, what it was asked, and how long it keeps an answer's connection open."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    """Methods and verbs whose connection stays open after what was written."""
    arrived: dict[str, anyio.Event] = field(default_factory=dict)
    """Set when one of those has come."""
    closed: dict[str, anyio.Event] = field(default_factory=dict)
    """Set when the client has closed one of those."""

    def of(self, name: str) -> list[Asked]:
        """Every request with that method of JSON-RPC, or that verb of HTTP."""
        return [each for each in self.asked if name in {each.rpc, each.verb}]

    async def serve(self, play: Play, connection: SocketStream) -> None:
        """One request and its answer."""
        async with connection:
            asked = await self.read(connection)
            if asked is None:
                return
            self.asked.append(asked)
            try:
                await connection.send(play(asked))
                for name in self.held & {asked.rpc, asked.verb}:
                    self.arrived[name].set()
                    await self.hold(connection, self.closed[name])
            except anyio.BrokenResourceError:
                return

    async def hold(self, connection: SocketStream, closed: anyio.Event) -> None:
        """Keep the connection until the client closes it."""
        try:
            await connection.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            closed.set()

    async def read(self, connection: SocketStream) -> Asked | None:
        """The request, whole."""
        octets = b""
        while b"\r\n\r\n" not in octets:
            try:
                octets += await connection.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return None
        head, _, body = octets.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
        while len(body) < int(fields.get("content-length", 0)):
            body += await connection.receive()
        return Asked(first.partition(" ")[0], fields, body)


@asynccontextmanager
async def stubbed(play: Play, *held: str) -> AsyncIterator[Stub]:
    """Answer as `play` says, on a free port of this machine."""
    stub = Stub(held=set(held))
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        address = dict(listener.extra_attributes)[SocketAttribute.local_address]()
        stub.url = f"http://127.0.0.1:{address[1]}/mcp"
        for name in held:
            stub.arrived[name], stub.closed[name] = anyio.Event(), anyio.Event()
        tasks.start_soon(listener.serve, lambda each: stub.serve(play, each))
        with anyio.fail_after(20):
            yield stub
        tasks.cancel_scope.cancel()

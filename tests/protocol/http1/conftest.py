"""A real server on a free port, and a client that sends octets and reads what comes back."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketListener, SocketStream, TaskStatus

from catshop.kernel import Trace
from catshop.limits import HttpLimits
from catshop.protocol.http1.messages import (
    Answer,
    Handler,
    Request,
    Streamed,
    json_answer,
)
from catshop.protocol.http1.server import Server, bind, port_of

STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Z]")
SHORT: Final = HttpLimits(linger_seconds=0.2, drain_seconds=3.0)
"""Limits for tests in which no deadline is meant to strike but the one after the last answer."""


@dataclass
class Shop:
    """A server under test, and what its handler was called with."""

    server: Server
    port: int
    paths: list[str] = field(default_factory=list)

    async def connect(self) -> SocketStream:
        return await anyio.connect_tcp("127.0.0.1", self.port)

    async def talk(self, *pieces: bytes) -> bytes:
        """Send `pieces` one by one and give all that comes until the server closes."""
        async with await self.connect() as stream:
            return await converse(stream, *pieces)

    async def all_gone(self) -> None:
        """Wait until the server holds no connection any more."""
        with anyio.fail_after(5):
            while self.server.connections:
                await anyio.lowlevel.checkpoint()

    async def statuses(self, *pieces: bytes) -> list[int]:
        return [int(status) for status in STATUS.findall(await self.talk(*pieces))]


async def converse(stream: SocketStream, *pieces: bytes) -> bytes:
    received = bytearray()

    async def read() -> None:
        try:
            async for data in stream:
                received.extend(data)
        except anyio.BrokenResourceError:
            pass

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            try:
                for piece in pieces:
                    await stream.send(piece)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass
    return bytes(received)


async def read_until(stream: SocketStream, mark: bytes) -> bytes:
    """What comes up to and with `mark`, and whatever came along with it."""
    received = b""
    with anyio.fail_after(5):
        while mark not in received:
            received += await stream.receive()
    return received


@pytest.fixture(name="read_until")
def read_until_fixture() -> Callable[..., object]:
    return read_until


@pytest.fixture(name="converse")
def converse_fixture() -> Callable[..., object]:
    return converse


async def echo(request: Request) -> Answer | Streamed:
    """Say what came."""
    body = await request.body()
    said = {"path": request.head.path, "body": body.decode("latin-1")}
    return json_answer(200, said)


Opener = Callable[..., AbstractAsyncContextManager[Shop]]


@asynccontextmanager
async def open_shop(
    handler: Handler = echo, limits: HttpLimits = SHORT, trace: Trace | None = None
) -> AsyncIterator[Shop]:
    ids = itertools.count(1)
    listeners = await bind(["127.0.0.1"], 0)
    paths: list[str] = []

    async def listed(request: Request) -> Answer | Streamed:
        paths.append(request.head.path)
        return await handler(request)

    server = Server(listed, limits=limits, trace=trace or Trace(), new_id=lambda: f"id-{next(ids)}")
    async with anyio.create_task_group() as tasks:
        await tasks.start(partial(_serve, server, listeners))
        yield Shop(server, port_of(listeners[0]), paths)
        server.stop()


async def _serve(
    server: Server, listeners: list[SocketListener], *, task_status: TaskStatus[None]
) -> None:
    await server.serve(listeners, task_status=task_status)


@pytest.fixture(name="open_shop")
def open_shop_fixture() -> Opener:
    """Opens a shop: `async with open_shop(handler, limits) as shop`."""
    return open_shop

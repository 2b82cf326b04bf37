"""A server as a program: one message a line, into its standard input and out of its output.

We start it, and it ends when we close its input; only a program that does not is asked and at last
killed. What it writes to standard error goes where ours goes. All messages share one line, so an
answer finds its request by id. Next: `conversation.py`, which speaks over this wire or the other.
MCP 2026-07-28 basic/transports/stdio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from subprocess import PIPE
from typing import Final

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process, TaskGroup

from catshop.client.envelope import Peer, Sent
from catshop.client.eras import Reply
from catshop.client.errors import Lost, NotMcp, Unreachable
from catshop.client.ports import Hear
from catshop.client.reading import read_message
from catshop.kernel import Kind, Trace
from catshop.limits import ClientLimits
from catshop.protocol.jsonrpc import Id, Response

READ: Final = 65536


class Lines:
    """Octets in, whole lines out; the end of a message is a line feed and nothing else."""

    def __init__(self, longest: int) -> None:
        self._rest = b""
        self._longest = longest

    def receive(self, octets: bytes) -> list[bytes]:
        """Every line that `octets` complete. NotMcp when one never ends."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        if len(self._rest) > self._longest:
            raise NotMcp("E-SERVER-09", f"more than {self._longest} octets")
        return lines


class Waiting:
    """A request on its way: what it waits for, and at last the answer."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.answer: Response | None = None


class Pipe:
    """The wire to one program that is running."""

    is_http = False

    def __init__(self, process: Process, limits: ClientLimits, trace: Trace) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a server needs its standard input and output")
        self._into: ByteSendStream = process.stdin
        self._out_of: ByteReceiveStream = process.stdout
        self._limits = limits
        self._trace = trace
        self._writing = anyio.Lock()
        self._waiting: dict[Id, Waiting] = {}
        self._ended = False

    def attach(self, tasks: TaskGroup, hear: Hear) -> None:
        """Begin to read."""
        self._hear = hear
        tasks.start_soon(self._read)

    async def ask(self, sent: Sent) -> Reply:
        """Write the request and wait until its answer has come by."""
        if sent.id is None:
            raise ValueError("only a request has an answer")
        waiting = self._waiting[sent.id] = Waiting()
        try:
            await self.tell(sent)
            await waiting.done.wait()
        finally:
            del self._waiting[sent.id]
        if waiting.answer is None:
            raise Lost("E-SERVER-04", "the program has ended")
        return Reply(answer=waiting.answer)

    async def tell(self, sent: Sent) -> None:
        """Write one line, and no part of another in between."""
        self._trace.note(Kind.RPC, ">", line=sent.body.decode("utf-8", "replace"))
        async with self._writing:
            if self._ended:
                raise Lost("E-SERVER-04", "the program has ended")
            self._ended = True  # and stays so if we are cancelled in the middle of a line
            try:
                await self._into.send(sent.body + b"\n")
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
                raise Lost("E-SERVER-04", "the program does not read") from error
            self._ended = False

    async def listen(self, peer: Peer) -> None:
        """There is nothing to open."""

    async def leave(self, peer: Peer) -> None:
        """Closing the input says goodbye."""

    async def _read(self) -> None:
        """Read lines until there are no more, then tell everybody who still waits."""
        lines = Lines(self._limits.message)
        try:
            while True:
                for line in lines.receive(await self._out_of.receive(READ)):
                    await self._on_line(line)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, NotMcp):
            self._trace.note(Kind.RPC, "the program has ended")
        finally:
            self._ended = True
            for waiting in self._waiting.values():
                waiting.done.set()

    async def _on_line(self, line: bytes) -> None:
        """Hand one message over; "MUST NOT write anything that is not valid" is not our fault."""
        try:
            message = read_message(line, self._limits)
        except NotMcp as fault:
            self._trace.note(Kind.RPC, "a line that is no message", why=str(fault))
            return
        self._trace.note(Kind.RPC, "<", line=line.decode("utf-8", "replace"))
        if not isinstance(message, Response):
            await self._hear(message)
        elif message.id in self._waiting:
            waiting = self._waiting[message.id]
            waiting.answer = waiting.answer or message
            waiting.done.set()


@asynccontextmanager
async def launched(
    command: Sequence[str],
    limits: ClientLimits,
    trace: Trace,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Pipe]:
    """Run the program for as long as the context lasts, then see it out."""
    try:
        process = await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=None, env=env)
    except OSError as error:
        raise Unreachable("E-SERVER-01", f"{command[0]}: {error.strerror}") from error
    try:
        yield Pipe(process, limits, trace)
    finally:
        with anyio.CancelScope(shield=True):
            await _see_out(process, limits.exit_seconds)


async def _see_out(process: Process, seconds: float) -> None:
    """Close its input and wait; then ask; then kill.

    MCP 2026-07-28 basic/transports/stdio §shutdown.
    """
    if process.stdin is not None:
        await process.stdin.aclose()
    for stop in (process.terminate, process.kill):
        with anyio.move_on_after(seconds):
            await process.wait()
        if process.returncode is None:
            stop()
    await process.wait()
    await process.aclose()

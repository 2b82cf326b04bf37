"""How a client is opened: by the URL of a server, or by the command that starts one.

Everything that the other modules are handed is put together here: the wire, who we are, who
answers, who proves. The context that a client is opened in owns all that it has running, and ends
it in order: first goodbye, then the streams, then the connections or the program.
MCP 2026-07-28 basic/transports.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import httpx2

from catshop import __version__
from catshop.client.client import Client
from catshop.client.conversation import Conversation, Ways
from catshop.client.envelope import Hello
from catshop.client.inputs import Handlers
from catshop.client.pipe import launched
from catshop.client.ports import Anonymous, Authorization, Wire
from catshop.client.streamable import Streamable
from catshop.kernel import Trace
from catshop.limits import ClientLimits
from catshop.protocol.versions import Revision


@dataclass(frozen=True, slots=True)
class Options:
    """What one may want to say of oneself before a client is opened."""

    name: str = "catshop"
    version: str = __version__
    speak: Revision | None = None
    """The revision to speak; None to find out."""
    limits: ClientLimits = field(default_factory=ClientLimits)
    trace: Trace = field(default_factory=Trace)

    def ways(self, handlers: Handlers) -> Ways:
        """With those who answer."""
        hello = Hello(self.name, self.version, handlers.capabilities)
        return Ways(hello, handlers, self.limits, self.trace, self.speak)


@asynccontextmanager
async def connect(
    url: str,
    handlers: Handlers | None = None,
    authorization: Authorization | None = None,
    options: Options | None = None,
) -> AsyncIterator[Client]:
    """A client of the server at `url`."""
    chosen = options or Options()
    limits = chosen.limits
    timeout = httpx2.Timeout(limits.request_seconds, connect=limits.connect_seconds, read=None)
    async with httpx2.AsyncClient(timeout=timeout, follow_redirects=False) as http:
        proof = authorization or Anonymous()
        wire = Streamable(url, http, proof, limits, chosen.trace)
        async with _open(wire, chosen.ways(handlers or Handlers())) as client:
            yield client


@asynccontextmanager
async def launch(
    command: Sequence[str],
    handlers: Handlers | None = None,
    options: Options | None = None,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Client]:
    """A client of the server that this command is."""
    chosen = options or Options()
    async with (
        launched(command, chosen.limits, chosen.trace, env) as wire,
        _open(wire, chosen.ways(handlers or Handlers())) as client,
    ):
        yield client


@asynccontextmanager
async def _open(wire: Wire, ways: Ways) -> AsyncIterator[Client]:
    """A client on a wire. What goes wrong inside comes out as it is, and not as a group."""
    conversation = Conversation(wire, ways)
    failed: Exception | None = None
    async with anyio.create_task_group() as tasks:
        conversation.attach(tasks)
        try:
            yield Client(conversation, ways)
        except Exception as error:
            failed = error
        await conversation.leave()
        tasks.cancel_scope.cancel()
    if failed is not None:
        raise failed

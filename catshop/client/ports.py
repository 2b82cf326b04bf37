"""What the client asks of others: somebody who can prove who asks, and something that carries.

`Authorization` is the seam to the OAuth half. It is handed each HTTP request before it leaves and
each response when its head is there, and it alone knows of tokens; the MCP half only sends again
when it is told to. `Wire` is HTTP or a pipe. Next: `streamable.py`, `pipe.py`.
MCP 2026-07-28 basic/authorization.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from anyio.abc import TaskGroup

from catshop.client.envelope import Peer, Sent
from catshop.client.eras import Reply
from catshop.protocol.jsonrpc import Message


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An HTTP request, before it leaves without any proof of who asks, afterwards with it."""

    method: str
    url: str
    fields: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Incoming:
    """The head of its response; the body only with 401 and 403."""

    status: int
    headers: Sequence[tuple[str, str]]
    """Names in lower case, each as often as it came: there may be several challenges."""
    body: bytes = b""


class Next(Enum):
    """What follows a response."""

    TAKE = "take"
    """Go on with it, whatever it says."""
    AGAIN = "again"
    """Send the same request once more; there is a new proof."""


class Authorization(Protocol):
    """Proves who asks. One object serves one MCP endpoint, and many requests at once."""

    async def proof(self, request: Outgoing) -> Mapping[str, str]:
        """The fields that prove it for this very request; none while nobody has signed in.

        Asked anew each time that a request leaves, since a proof may be good once only.
        """
        ...

    async def after(self, request: Outgoing, response: Incoming) -> Next:
        """What a response means to the request as it was sent; whether a 401 or 403 is final.

        Called for every response, as a server may name a new nonce with each (RFC 9449 §8.2).
        Whatever has to be fetched, opened or asked of the user happens before it returns.
        """
        ...


class Anonymous:
    """Nobody signs in: what is refused stays refused."""

    async def proof(self, _request: Outgoing) -> Mapping[str, str]:
        """None."""
        return {}

    async def after(self, _request: Outgoing, _response: Incoming) -> Next:
        """Take it as it is."""
        return Next.TAKE


Hear = Callable[[Message], Awaitable[None]]
"""Is told everything that arrives and is not the answer to a request of ours."""


class Wire(Protocol):
    """Carries messages to one server and back."""

    is_http: bool
    """Whether messages travel with header fields, each on a stream that can be closed."""

    def attach(self, tasks: TaskGroup, hear: Hear) -> None:
        """From now on, what is no answer goes to `hear`; lasting work belongs into `tasks`."""
        ...

    async def ask(self, sent: Sent) -> Reply:
        """Send a request and wait for its answer. Unreachable, Lost, NotMcp, Refused."""
        ...

    async def tell(self, sent: Sent) -> None:
        """Send what has no answer."""
        ...

    async def listen(self, peer: Peer) -> None:
        """Open the stream for the server's own messages, where the wire needs one."""
        ...

    async def leave(self, peer: Peer) -> None:
        """Say goodbye to a session."""
        ...

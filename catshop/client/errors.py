"""What can go wrong between us and a server, each with the words of the catalogue.

`ServerError` is the server's own word: an error object, passed on as it came. Everything else is
ours: there was nobody, what came was no MCP, or the answer never arrived. Who calls the client
tells them apart by class and shows `str()`. Pure. Next: `envelope.py`, what we send.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from catshop.catalogue import explain
from catshop.protocol.jsonrpc import Params

SESSION_UNKNOWN: Final = 404
"""MCP 2025-11-25 basic/transports §session-management."""


class ClientError(Exception):
    """A conversation did not go as the specification says; `code` names the words."""

    def __init__(self, code: str, arrived: str = "") -> None:
        super().__init__(f"{code} {explain(code).title}" + (f" ({arrived})" if arrived else ""))
        self.code = code
        self.arrived = arrived


class Unreachable(ClientError):
    """Nobody answered: no connection, or a program that cannot be started."""


class Lost(ClientError):
    """The request was sent and its answer never came; it may have been carried out."""


class NotMcp(ClientError):
    """What came is not what an MCP server says."""


class Refused(ClientError):
    """The server answered with an HTTP status and no error object, such as 401 or 503."""

    def __init__(self, status: int, fields: Mapping[str, str], detail: str = "") -> None:
        super().__init__("E-SERVER-06", f"{status} {detail[:200]}".strip())
        self.status = status
        self.fields = fields


class ServerError(Exception):
    """The server's error object. JSON-RPC 2.0 §5.1."""

    def __init__(self, error: Params) -> None:
        code, message = error.get("code"), error.get("message")
        self.code = code if isinstance(code, int) else 0
        self.message = str(message)
        self.data = error.get("data")
        super().__init__(f"{self.code} {self.message}")

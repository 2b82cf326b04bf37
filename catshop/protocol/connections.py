"""What the SDK is told of a client that has no session: read when a handler asks, not before.

Every stateless request declares its client anew, and hardly any handler looks. The SDK's own
constructor validates the declaration three times over; this one keeps it raw until somebody wants
it. Next: `stateless.py`. MCP 2026-07-28 basic §_meta.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, TypeVar

from mcp.server.connection import Connection
from mcp.shared.dispatcher import CallOptions, Outbound
from mcp.shared.exceptions import NoBackChannelError
from mcp_types import ClientCapabilities, Implementation, InitializeRequestParams
from pydantic import BaseModel, ValidationError

from catshop.protocol.ladder import Envelope
from catshop.protocol.versions import STATELESS

ModelT = TypeVar("ModelT", bound=BaseModel)


class EnvelopeConnection(Connection):
    """A connection that lives as long as its one request; `envelope` has passed the ladder."""

    def __init__(self, envelope: Envelope, outbound: Outbound | None = None) -> None:
        self._envelope = envelope
        super().__init__(outbound or NOWHERE, protocol_version=envelope.version)
        self.initialized.set()

    @cached_property
    def _declared(self) -> ClientCapabilities | None:
        return _typed(ClientCapabilities, self._envelope.client_capabilities)

    @property
    def client_capabilities(self) -> ClientCapabilities | None:
        """What the client can do; None where the declaration has another shape."""
        return self._declared

    @client_capabilities.setter
    def client_capabilities(self, value: ClientCapabilities | None) -> None:
        """Ignored: the envelope says it."""

    @property
    def client_params(self) -> InitializeRequestParams | None:
        """The same as if the client had initialized; None where it did not say who it is."""
        info = _typed(Implementation, self._envelope.client_info)
        if info is None or self._declared is None:
            return None
        return InitializeRequestParams(
            protocol_version=self._envelope.version,
            capabilities=self._declared,
            client_info=info,
        )

    @client_params.setter
    def client_params(self, value: InitializeRequestParams | None) -> None:
        """Ignored: the envelope says it."""


def _typed(model: type[ModelT], raw: object) -> ModelT | None:
    """The declaration as a model; None when it has another shape."""
    try:
        return model.model_validate(raw, by_name=False)
    except ValidationError:
        return None


class _NoChannel(Outbound):
    """Sends nothing: this era has no channel beside its requests."""

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Refuse: there is nobody to ask."""
        raise NoBackChannelError(method)

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Drop it: notifications are advisory, and nobody listens."""


NOWHERE: Final = _NoChannel()
UNDECLARED: Final = Envelope(STATELESS[0], None, None)
"""What a notification says of its sender: nothing."""

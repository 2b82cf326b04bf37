"""What a handler sees of its client: what it can do, what it wants to hear, which connection it is.

Every stateless request declares its client anew, and hardly any handler looks. The SDK's own
constructor validates the declaration three times over; this one keeps it raw until somebody wants
it. A handler's session, whichever the era, sends the log messages that the client asked for and no
others. Next: `stateless.py`. MCP 2026-07-28 basic §_meta, server/utilities/logging.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, TypeVar, cast, get_args

from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.shared.dispatcher import CallOptions, Outbound
from mcp.shared.exceptions import NoBackChannelError
from mcp_types import (
    ClientCapabilities,
    Implementation,
    InitializeRequestParams,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    RequestId,
    RequestParamsMeta,
    ServerNotification,
)
from pydantic import BaseModel, ValidationError

from catshop.protocol.channels import BackChannel
from catshop.protocol.ladder import Envelope
from catshop.protocol.versions import STATELESS

ModelT = TypeVar("ModelT", bound=BaseModel)

LEVELS: Final[tuple[LoggingLevel, ...]] = get_args(LoggingLevel)
"""Of log messages, from the least to the most severe. RFC 5424 §6.2.1."""

LOG_LEVEL: Final = "io.modelcontextprotocol/logLevel"
"""Of one request. MCP 2026-07-28 server/utilities/logging §per-request-log-level."""


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


class HostedSession(ServerSession):
    """The SDK's session of one request, which knows its connection and how loud it may be."""

    def __init__(
        self,
        channel: BackChannel,
        connection: Connection,
        *,
        request_meta: RequestParamsMeta | None = None,
    ) -> None:
        super().__init__(channel, connection, request_meta=request_meta)
        self.connection = connection
        self._request_id = channel.request_id
        self._meta: Mapping[str, Any] = request_meta or {}

    async def send_log_message(
        self,
        level: LoggingLevel,
        data: object,
        logger: str | None = None,
        related_request_id: RequestId | None = None,
    ) -> None:
        """Send a log message, if the client wants one of this level."""
        params = LoggingMessageNotificationParams(level=level, data=data, logger=logger)
        await self.send_notification(LoggingMessageNotification(params=params), related_request_id)

    async def send_notification(
        self, notification: ServerNotification, related_request_id: RequestId | None = None
    ) -> None:
        """Send a notification: on the stream of the request it relates to, or beside all requests.

        A log message of the stateless era has no other stream than its request's.
        """
        if isinstance(notification, LoggingMessageNotification):
            if not self._wants(notification.params.level):
                return
            if self.protocol_version in STATELESS:
                related_request_id = self._request_id
        await super().send_notification(notification, related_request_id)

    def set_log_level(self, level: LoggingLevel) -> None:
        """From now on this connection wants messages of `level` and above."""
        self.connection.state[LOG_LEVEL] = level

    def _wants(self, level: LoggingLevel) -> bool:
        """Whether the client wants messages of this level: this request says so, or its session.

        A request of the stateless era that says nothing wants none; a session that never said
        anything hears all.
        """
        if self.protocol_version in STATELESS:
            least = self._meta.get(LOG_LEVEL)
        else:
            least = self.connection.state.get(LOG_LEVEL, LEVELS[0])
        return least in LEVELS and LEVELS.index(level) >= LEVELS.index(least)


def hosted(ctx: ServerRequestContext[Any, Any]) -> HostedSession:
    """The session of a handler's context, as our dispatcher built it."""
    return cast("HostedSession", ctx.session)


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

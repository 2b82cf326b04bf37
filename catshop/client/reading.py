"""From octets to messages: the body of one answer, or a stream of events that holds one.

Octets in, messages out, in whatever pieces they come. The first answer with the id of the request
ends the reading; everything before it is for whoever hears notifications. Where a server refuses
with an HTTP status, an error object may lack the id that could not be read. Pure.
Next: `resumption.py`. MCP 2025-11-25 basic/transports §streamable-http.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from catshop.client.errors import NotMcp
from catshop.client.resumption import Position
from catshop.limits import ClientLimits, RpcLimits
from catshop.protocol.http1.sse import Decoder
from catshop.protocol.jsonrpc import Id, Message, Params, Response, RpcError, parse


def read_message(octets: bytes, limits: ClientLimits) -> Message:
    """The one message. NotMcp when it is none."""
    try:
        return parse(octets, RpcLimits(nodes=limits.nodes))
    except RpcError as error:
        raise NotMcp("E-SERVER-03", str(error)) from error


def whole_answer(id_: Id | None, content_type: str, body: bytes, limits: ClientLimits) -> Response:
    """The answer in the body of a success. NotMcp when it is another's or none.

    MCP 2026-07-28 basic/transports/streamable-http §sending-messages.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise NotMcp("E-SERVER-03", f"Content-Type {content_type[:80]!a}")
    error = error_object(body)
    if error is not None and id_ is not None:
        return Response(id_, error=error)
    message = read_message(body, limits)
    if not isinstance(message, Response) or message.id != id_:
        raise NotMcp("E-SERVER-03", f"no answer to {id_!a}")
    return message


def error_object(body: bytes) -> Params | None:
    """The error object in a body, with or without an id; None where there is none.

    MCP 2026-07-28 basic §error-responses.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    error = value.get("error") if isinstance(value, Mapping) else None
    if isinstance(error, Mapping) and isinstance(error.get("code"), int):
        return error
    return None


class Reader:
    """Reads the stream of one request, over as many connections as it takes."""

    def __init__(self, id_: Id | None, limits: ClientLimits) -> None:
        self._id = id_
        self._limits = limits
        self._decoder = Decoder()
        self._unread = 0
        self.position = Position()
        self.answer: Response | None = None
        self.fault: NotMcp | None = None
        """Set instead of raised, since whoever reads has a connection to leave in good order."""

    def connect(self) -> None:
        """A new connection: half an event is forgotten, the position is not."""
        self._decoder = Decoder()
        self._unread = 0
        self.position = self.position.connected()

    def receive(self, octets: bytes) -> list[Message]:
        """Every message that `octets` complete, but the answer."""
        try:
            return self._receive(octets)
        except UnicodeDecodeError:
            self.fault = NotMcp("E-SERVER-03", "a stream that is not UTF-8")
        except NotMcp as fault:
            self.fault = fault
        return []

    def _receive(self, octets: bytes) -> list[Message]:
        events = self._decoder.receive(octets)
        self._measure(octets, len(events))
        if events or self._decoder.last_event_id:
            decoder = self._decoder
            self.position = self.position.after(decoder.last_event_id, decoder.reconnection_time)
        heard = [
            read_message(event.data.encode("utf-8"), self._limits)
            for event in events
            if event.data and event.event == "message"
        ]
        return [message for message in heard if not self._answered_by(message)]

    def _measure(self, octets: bytes, events: int) -> None:
        """No event is longer than an answer may be."""
        self._unread = 0 if events else self._unread + len(octets)
        if self._unread > self._limits.message:
            raise NotMcp("E-SERVER-09", f"more than {self._limits.message} octets")

    def _answered_by(self, message: Message) -> bool:
        """Whether it is an answer: ours is kept, another's is nobody's business."""
        if not isinstance(message, Response):
            return False
        if message.id == self._id and self.answer is None:
            self.answer = message
        return True

"""Behind the door: the server takes the token, holds a conversation, and lists sound tools.

The messages are written and read one by one, by the same pure modules that our client is made of,
so that a fault is found where it is and not repaired on the way: an id that comes back as text, a
session that is demanded and was never named, a tool without a schema. Pure. Next: `ladder.py`.
MCP 2026-07-28 basic; MCP 2025-11-25 basic/lifecycle.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from catshop.client import envelope, eras
from catshop.client.doctor.chart import (
    HELLO,
    Chart,
    Finding,
    Health,
    Sick,
    Walk,
    discover_request,
    initialize_request,
    media_type,
    passed,
    send,
    text_of,
    waived,
    warned,
)
from catshop.client.doctor.door import OPEN
from catshop.client.envelope import Call, Peer, Sent
from catshop.client.eras import Discover, Initialize, Speak
from catshop.client.errors import ServerError
from catshop.client.mirrors import annotated
from catshop.client.oauth.challenges import best
from catshop.client.oauth.discovery import identifiers
from catshop.client.oauth.possession import CODE, NONCE, Possession
from catshop.client.oauth.steps import Ask, Reply, ask
from catshop.client.reading import Reader, error_object, whole_answer
from catshop.limits import ClientLimits
from catshop.protocol.http1.sse import MEDIA_TYPE
from catshop.protocol.jsonrpc import Id, Params, Response

STRANGE: Final = "no-such-session-cat"
"""A session that no server has begun."""

LIMITS: Final = ClientLimits()


def the_token_opens(chart: Chart) -> Walk[Finding]:
    """What was given for this server is taken by it. RFC 8707 §2; OAuth 2.1 §5.3."""
    if not chart.guarded:
        return waived(OPEN)
    held = chart.memory.for_resource(identifiers(chart.url))
    if held is None:
        return Finding(Health.NOT_RUN, f"it needs a token: catshop login --url {chart.url}")
    tokens, chart.held = held.tokens, held
    chart.possession = Possession(held.key) if held.key is not None else None
    reply = yield from shown(chart, "the token that is held", discover_request())
    if reply.status != 401:
        return passed(" ".join(tokens.scopes))
    ends = tokens.expires_at
    if ends is not None and ends <= chart.sources.clock():
        raise Sick("E-DOC-26", f"it ended at {ends:%Y-%m-%d %H:%M} UTC", _login(chart))
    audience = _audience(tokens.access_token.reveal())
    if audience and not set(audience) & set(identifiers(chart.url)):
        raise Sick("E-DOC-25", f"the token is for {', '.join(audience)}", _login(chart))
    challenge = best(reply.every("www-authenticate"))
    why = challenge.parameters.get("error_description") if challenge else None
    raise Sick("E-DOC-25", why or text_of(reply), _login(chart))


def shown(chart: Chart, purpose: str, sent: Sent) -> Walk[Reply]:
    """Send with the token, and once more where a proof has to carry a nonce. RFC 9449 §9."""
    reply = yield from send(chart, purpose, sent, _proof(chart))
    nonce = reply.first(NONCE)
    if chart.possession is None or nonce is None:
        return reply
    chart.possession.learn(chart.url, nonce)
    challenge = best(reply.every("www-authenticate"))
    if challenge is None or challenge.error != CODE:
        return reply
    return (yield from send(chart, purpose, sent, _proof(chart)))


def _proof(chart: Chart, method: str = "POST") -> Mapping[str, str]:
    """What shows the token: a proof is good for one request. RFC 9449 §4.2."""
    if chart.held is None:
        return {}
    tokens = chart.held.tokens
    shown = {"Authorization": f"{tokens.token_type} {tokens.access_token.reveal()}"}
    if chart.possession is None:
        return shown
    proof = chart.possession.proof(method, chart.url, chart.sources, tokens.access_token)
    return {**shown, **proof}


def _login(chart: Chart) -> str:
    return f"catshop logout --url {chart.url}; catshop login --url {chart.url}"


def _audience(token: str) -> tuple[str, ...]:
    """For whom a signed token is; nothing where it cannot be read. RFC 7519 §4.1.3."""
    try:
        padded = token.split(".")[1] + "=="
        found = json.loads(base64.urlsafe_b64decode(padded)).get("aud", ())
    except (IndexError, ValueError, AttributeError):
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else (str(found),) if found else ()


def a_conversation_begins(chart: Chart) -> Walk[Finding]:
    """The server says in which revision it is spoken to, and keeps the id of the question.

    MCP 2026-07-28 basic/versioning; MCP 2025-11-25 basic/lifecycle §initialization.
    """
    step: eras.Step = eras.first(None)
    try:
        while not isinstance(step, Speak):
            step = yield from _take(chart, step)
    except ServerError as error:
        raise Sick("E-DOC-27", str(error)) from None
    chart.peer = step.peer
    if not step.peer.stateless:
        yield from _initialized(chart, step.peer)
    return passed(step.peer.revision.name)


def _take(chart: Chart, step: Discover | Initialize) -> Walk[eras.Step]:
    if isinstance(step, Discover):
        sent = envelope.request(Peer(step.revision), HELLO, Call("server/discover"), 1)
        return eras.after_discover(step, (yield from _say(chart, "server/discover", sent)))
    sent = envelope.initialize(step.revision, HELLO, 1)
    return Speak(eras.after_initialize((yield from _say(chart, "initialize", sent))))


def _initialized(chart: Chart, peer: Peer) -> Walk[None]:
    """The note that ends the handshake is accepted, and not answered.

    MCP 2025-11-25 basic/transports §sending-messages-to-the-server.
    """
    told = envelope.notification(peer, "notifications/initialized")
    reply = yield from shown(chart, "notifications/initialized", told)
    if reply.status >= 300:
        _refused_revision(reply, peer)
        raise Sick("E-DOC-28", f"{reply.status} {text_of(reply)}")


def left(chart: Chart) -> Walk[None]:
    """End our session. MCP 2025-11-25 basic/transports §session-management."""
    if chart.peer is not None:
        yield from _left(chart, chart.peer)


def _left(chart: Chart, peer: Peer) -> Walk[None]:
    if peer.session_id is not None:
        fields = {**envelope.listening(peer), **_proof(chart, "DELETE")}
        yield from ask(Ask("the end of the session", "DELETE", chart.url, fields))


def an_old_session_is_unknown(chart: Chart) -> Walk[Finding]:
    """404 to a session that is not there: only then does a client begin anew.

    MCP 2025-11-25 basic/transports §session-management.
    """
    peer = chart.peer
    if peer is None or peer.stateless or peer.session_id is None:
        return waived("the server keeps no sessions")
    stranger = replace(peer, session_id=STRANGE)
    sent = envelope.request(stranger, HELLO, Call("ping"), 3)
    reply = yield from shown(chart, "a session that never was", sent)
    if reply.status >= 400 and reply.status != 404:
        raise Sick("E-DOC-29", f"{reply.status} {text_of(reply)}")
    return passed(str(reply.status))


def the_tools_are_listed(chart: Chart) -> Walk[Finding]:
    """tools/list has a list. MCP 2026-07-28 server/tools §listing-tools."""
    peer = chart.peer
    if peer is None or "tools" not in _object(peer.about.get("capabilities")):
        return waived("the server offers no tools")
    heard = yield from _say(
        chart, "tools/list", envelope.request(peer, HELLO, Call("tools/list"), 2)
    )
    if heard.result is None:
        raise _unlisted(heard, peer)
    tools = heard.result.get("tools")
    if not isinstance(tools, list):
        raise Sick("E-DOC-32", f"tools: {type(tools).__name__}")
    chart.tools = tuple(tools)
    return passed(f"{len(tools)} tools") if tools else warned("E-DOC-33")


def _unlisted(heard: eras.Reply, peer: Peer) -> Sick:
    """Why there is no list, read from what the server says."""
    said = str(heard.error.get("message") or f"{heard.status}")
    if re.search(r"session", said, re.I) and peer.session_id is None:
        return Sick("E-DOC-30", said)
    if re.search(r"initiali[sz]", said, re.I):
        return Sick("E-DOC-31", said)
    return Sick("E-DOC-27", f"{heard.status}: {said}")


def every_tool_can_be_called(chart: Chart) -> Finding:
    """Each definition has a name of its own and a schema for an object. MCP 2026-07-28
    server/tools §tool."""
    names: set[str] = set()
    for number, tool in enumerate(chart.tools):
        found = _object(tool)
        name, schema = found.get("name"), found.get("inputSchema")
        if not isinstance(name, str) or not name or name in names:
            raise Sick("E-DOC-34", f"tool {number}: its name is {ascii(name)[:60]}")
        if not isinstance(schema, Mapping) or schema.get("type") != "object":
            raise Sick("E-DOC-35", f"tool {number}, {name}: {_what(schema)}")
        annotated(schema)
        names.add(name)
    return passed(f"{len(names)} definitions") if names else waived("there are none")


def the_older_era_lists_the_same(chart: Chart) -> Walk[Finding]:
    """A client of the handshake sees the tools that one without it sees. MCP 2026-07-28
    basic/versioning; MCP 2025-11-25 basic/lifecycle §initialization."""
    if not chart.tools or chart.peer is None or not chart.peer.stateless:
        return waived("one era was spoken, and that is told above")
    answer = yield from _say(chart, "initialize", initialize_request())
    if answer.result is None:
        return waived("the server has no handshake")
    peer = eras.after_initialize(answer)
    yield from _initialized(chart, peer)
    sent = envelope.request(peer, HELLO, Call("tools/list"), 2)
    listed = yield from _say(chart, "tools/list after the handshake", sent)
    yield from _left(chart, peer)
    if listed.result is None:
        raise _unlisted(listed, peer)
    before, after = _names(chart.tools), _names(listed.result.get("tools"))
    if before != after:
        raise Sick("E-DOC-40", f"only in one: {', '.join(sorted(before ^ after))}")
    return passed(f"{len(after)} tools in {peer.revision.name}")


def _names(tools: object) -> frozenset[str]:
    listed = tools if isinstance(tools, list | tuple) else ()
    return frozenset(str(_object(tool).get("name")) for tool in listed)


def _what(schema: object) -> str:
    if schema is None:
        return "no inputSchema"
    kind = schema.get("type") if isinstance(schema, Mapping) else schema
    return f"inputSchema of type {ascii(kind)[:40]}"


def _say(chart: Chart, purpose: str, sent: Sent) -> Walk[eras.Reply]:
    reply = yield from shown(chart, purpose, sent)
    if reply.status in {401, 403}:
        raise Sick("E-SERVER-06", f"{reply.status} to {purpose}")
    if reply.status >= 500:
        raise Sick("E-DOC-11", f"{reply.status} to {purpose}: {text_of(reply)}")
    return heard(reply, sent.id)


def heard(reply: Reply, id_: Id | None) -> eras.Reply:
    """What a response says, in the words of `eras.py`; Sick where the id is not the question's.

    JSON-RPC 2.0 §5: the id of the answer "MUST be the same as the value of the id member".
    """
    fields = {name.lower(): value for name, value in reply.headers}
    if reply.status >= 300:
        error = error_object(reply.body)
        answer = Response(id_ if id_ is not None else "", error=error) if error else None
        return eras.Reply(reply.status, fields, answer)
    _same_id(reply, id_)
    if media_type(reply) == MEDIA_TYPE:
        reader = Reader(id_, LIMITS)
        reader.receive(reply.body)
        return eras.Reply(reply.status, fields, reader.answer)
    kind = fields.get("content-type", "")
    return eras.Reply(reply.status, fields, whole_answer(id_, kind, reply.body, LIMITS))


def _same_id(reply: Reply, id_: Id | None) -> None:
    if media_type(reply) == MEDIA_TYPE:
        return
    try:
        found = reply.members()
    except (ValueError, RecursionError):
        return
    if "id" in found and found["id"] is not None and (found["id"] != id_):
        raise Sick("E-DOC-36", f"{found['id']!a} in answer to {id_!a}")


def _refused_revision(reply: Reply, peer: Peer) -> None:
    """A server that refuses in a header what it has just agreed to."""
    if reply.status == 400 and re.search(rb"protocol.{0,3}version", reply.body, re.I):
        raise Sick("E-DOC-37", f"{peer.revision.name}: {text_of(reply)}")


def _object(value: object) -> Mapping[str, Any] | Params:
    return value if isinstance(value, Mapping) else {}

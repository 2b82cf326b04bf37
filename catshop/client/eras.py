"""Which era a server is of, read from what it answers, one answer at a time.

We ask `server/discover` in our newest revision and read the reply, whatever it is: a result or one
of the errors that only the stateless era has settles it; everything else that a server says means
the handshake. An outage says nothing about eras, so it never gets here. Pure: an answer in, the
next step out. Next: `conversation.py`, which takes the steps.
MCP 2026-07-28 basic/versioning §backward-compatibility-with-initialization-based-versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from catshop.client.envelope import Peer
from catshop.client.errors import SESSION_UNKNOWN, ClientError, NotMcp, ServerError
from catshop.protocol.jsonrpc import Params, Response
from catshop.protocol.versions import BY_NAME, HANDSHAKE, LATEST_HANDSHAKE, REVISIONS, Era, Revision

UNSUPPORTED_VERSION: Final = -32022
MODERN_ERRORS: Final = frozenset({-32020, -32021, UNSUPPORTED_VERSION})
"""Errors that only a server of the stateless era sends. MCP 2026-07-28 basic §error-codes."""

SESSION_ID: Final = re.compile(r"[\x21-\x7e]+")
"""Visible ASCII. MCP 2025-11-25 basic/transports §session-management."""

NEWEST: Final = REVISIONS[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: an HTTP status where there is HTTP, its fields, and the answer if any."""

    status: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    answer: Response | None = None

    @property
    def result(self) -> Params | None:
        """The result, when the answer is one."""
        return self.answer.result if self.answer else None

    @property
    def error(self) -> Params:
        """The error object; empty when there is none."""
        return (self.answer.error if self.answer else None) or {}


NOTHING: Final = Reply()
"""What a program that does not answer has said."""


@dataclass(frozen=True, slots=True)
class Discover:
    """Ask `server/discover` in this revision; `again` once the server has named it itself."""

    revision: Revision
    again: bool = False


@dataclass(frozen=True, slots=True)
class Initialize:
    """Begin a session, offering this revision."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Speak:
    """It is settled: this is how the server is spoken to."""

    peer: Peer


Step = Discover | Initialize | Speak

FALLBACK: Final = Initialize(BY_NAME[LATEST_HANDSHAKE])
"""What there is to do where nothing speaks for the stateless era."""


def first(wanted: Revision | None) -> Step:
    """Where we begin: with a question, or at once in the revision that we were told to speak."""
    if wanted is None:
        return Discover(NEWEST)
    return Speak(Peer(wanted)) if wanted.era is Era.STATELESS else Initialize(wanted)


def after_discover(asked: Discover, reply: Reply) -> Step:
    """What the answer to `server/discover` means.

    MCP 2026-07-28 basic/transports/streamable-http §backward-compatibility;
    MCP 2026-07-28 basic/transports/stdio §backward-compatibility.
    """
    if reply.result is not None:
        return _discovered(reply.result)
    if reply.error.get("code") == UNSUPPORTED_VERSION:
        return after_unsupported(asked, reply.error)
    if reply.error.get("code") in MODERN_ERRORS:
        raise ServerError(reply.error)
    return FALLBACK


def _discovered(result: Params) -> Step:
    """The newest that both speak; a result that names no version is not that of this method."""
    names = _names(result.get("supportedVersions"))
    step = _mutual(names or HANDSHAKE)
    return Speak(Peer(step.revision, about=result)) if isinstance(step, Discover) else step


def after_unsupported(asked: Discover, error: Params) -> Discover | Initialize:
    """Once more in a revision that the server names, even the same; its word counts, not ours.

    Once only: a server that refuses what it has named is not to be talked to. -32022 is never a
    reason to guess the older era, but the list may name a revision of it.
    MCP 2026-07-28 basic/versioning §protocol-version-negotiation.
    """
    data = error.get("data")
    names = _names(data.get("supported") if isinstance(data, Mapping) else None)
    if asked.again:
        raise ClientError("E-SERVER-02", ", ".join(names))
    return _mutual(names)


def after_reply(peer: Peer, reply: Reply) -> Step | None:
    """How to speak before the same request is sent once more; None when the reply stands.

    The server no longer speaks the revision, or it has ended the session: "When a client receives
    HTTP 404 in response to a request containing an MCP-Session-Id, it MUST start a new session".
    MCP 2026-07-28 basic/versioning §protocol-version-negotiation;
    MCP 2025-11-25 basic/transports §session-management.
    """
    if peer.stateless and reply.error.get("code") == UNSUPPORTED_VERSION:
        step = after_unsupported(Discover(peer.revision), reply.error)
        is_modern = isinstance(step, Discover)
        return Speak(Peer(step.revision, about=peer.about)) if is_modern else step
    if reply.status == SESSION_UNKNOWN and peer.session_id is not None:
        return Initialize(peer.revision)
    return None


def after_initialize(reply: Reply) -> Peer:
    """The session that the server has begun, in the revision that it chose.

    A revision that we do not speak ends the conversation, and so does every error.
    MCP 2025-11-25 basic/lifecycle §version-negotiation.
    """
    if reply.answer is None:
        raise NotMcp("E-SERVER-03", f"status {reply.status} to initialize")
    if reply.result is None:
        raise ServerError(reply.error)
    version = reply.result.get("protocolVersion")
    chosen = BY_NAME.get(str(version))
    if chosen is None or chosen.era is not Era.HANDSHAKE:
        raise ClientError("E-SERVER-02", ascii(version)[:40])
    session_id = reply.fields.get("mcp-session-id")
    if session_id is not None and not SESSION_ID.fullmatch(session_id):
        raise NotMcp("E-SERVER-03", f"session id {session_id[:80]!a}")
    return Peer(chosen, session_id, reply.result)


def newest(era: Era, names: Sequence[str]) -> Revision:
    """The newest revision of that era among `names`. ClientError when there is none."""
    known = set(names)
    for revision in REVISIONS:
        if revision.era is era and revision.name in known:
            return revision
    raise ClientError("E-SERVER-02", ", ".join(sorted(known))[:200])


def _mutual(names: Sequence[str]) -> Discover | Initialize:
    """The newest stateless revision that both speak, else the newest of the handshake."""
    if any(BY_NAME[name].era is Era.STATELESS for name in names if name in BY_NAME):
        return Discover(newest(Era.STATELESS, names), again=True)
    return Initialize(newest(Era.HANDSHAKE, names))


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()

"""Which era a server is of: each kind of answer, and what it means."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from catshop.client.envelope import Peer
from catshop.client.eras import (
    FALLBACK,
    NEWEST,
    NOTHING,
    Discover,
    Initialize,
    Reply,
    Speak,
    Step,
    after_discover,
    after_initialize,
    after_reply,
    after_unsupported,
    first,
)
from catshop.client.errors import ClientError, NotMcp, ServerError
from catshop.protocol.jsonrpc import Response
from catshop.protocol.versions import BY_NAME

ASKED = Discover(NEWEST)
OLD = BY_NAME["2025-06-18"]


def error(code: int, data: object = None, status: int | None = 400) -> Reply:
    return Reply(status, answer=Response(1, error={"code": code, "message": "no", "data": data}))


def result(members: Mapping[str, object], **fields: str) -> Reply:
    return Reply(200, fields, Response(1, result=members))


def unsupported(*supported: str) -> Reply:
    return error(-32022, {"supported": list(supported), "requested": NEWEST.name})


@pytest.mark.parametrize(
    ("wanted", "step"),
    [
        pytest.param(None, ASKED, id="unknown"),
        pytest.param(NEWEST, Speak(Peer(NEWEST)), id="stateless"),
        pytest.param(OLD, Initialize(OLD), id="handshake"),
    ],
)
def test_whoever_knows_the_revision_does_not_ask_for_it(wanted: None, step: Step) -> None:
    """MCP 2026-07-28 basic/versioning §protocol-version-negotiation: a client MAY discover."""
    assert first(wanted) == step


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(400), id="400-without-a-body"),
        pytest.param(Reply(404), id="404-without-a-body"),
        pytest.param(Reply(405), id="405-without-a-body"),
        pytest.param(error(-32600), id="400-without-a-session"),
        pytest.param(error(-32601, status=404), id="404-unknown-method"),
        pytest.param(error(-32602, status=200), id="200-before-initialize"),
        pytest.param(error(-32000), id="400-implementation-defined"),
        pytest.param(error(-32601, status=None), id="pipe-unknown-method"),
        pytest.param(NOTHING, id="pipe-silence"),
        pytest.param(result({"tools": []}), id="another-result"),
    ],
)
def test_whatever_is_no_modern_word_means_the_handshake(reply: Reply) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §backward-compatibility;
    MCP 2026-07-28 basic/transports/stdio §backward-compatibility: keyed to no one code.
    """
    assert after_discover(ASKED, reply) == FALLBACK


@pytest.mark.parametrize("code", [-32020, -32021])
def test_a_modern_error_never_leads_to_the_handshake(code: int) -> None:
    """MCP 2026-07-28 basic §error-codes;
    MCP 2026-07-28 basic/versioning §backward-compatibility-with-initialization-based-versions.
    """
    with pytest.raises(ServerError):
        after_discover(ASKED, error(code))


def test_a_server_that_has_been_discovered_is_spoken_to_in_the_newest_common_revision() -> None:
    """MCP 2026-07-28 basic/versioning §protocol-version-negotiation."""
    about = {"supportedVersions": ["2099-01-01", "2025-11-25", NEWEST.name]}
    assert after_discover(ASKED, result(about)) == Speak(Peer(NEWEST, about=about))


def test_a_discovery_that_offers_only_the_handshake_is_taken_at_its_word() -> None:
    """MCP 2026-07-28 basic/versioning §protocol-version-negotiation."""
    assert after_discover(ASKED, result({"supportedVersions": [OLD.name]})) == Initialize(OLD)


@pytest.mark.parametrize(
    ("supported", "step"),
    [
        pytest.param([NEWEST.name], Discover(NEWEST, again=True), id="even-the-same"),
        pytest.param([OLD.name, NEWEST.name], Discover(NEWEST, again=True), id="stateless-first"),
        pytest.param(["2025-03-26", OLD.name], Initialize(OLD), id="newest-handshake"),
    ],
)
def test_the_server_s_list_decides_after_32022(supported: list[str], step: Step) -> None:
    """MCP 2026-07-28 basic/versioning §protocol-version-negotiation."""
    assert after_discover(ASKED, unsupported(*supported)) == step


@pytest.mark.parametrize("supported", [[], ["2099-01-01"], None])
def test_no_common_revision_ends_it_and_is_no_reason_to_guess(supported: list[str] | None) -> None:
    """MCP 2026-07-28 basic/versioning §protocol-version-negotiation: surface an error."""
    with pytest.raises(ClientError, match="E-SERVER-02"):
        after_discover(ASKED, error(-32022, {"supported": supported}))


def test_a_server_that_refuses_what_it_has_named_is_asked_no_third_time() -> None:
    """MCP 2026-07-28 basic/versioning §protocol-version-negotiation."""
    with pytest.raises(ClientError, match="E-SERVER-02"):
        after_unsupported(Discover(NEWEST, again=True), unsupported(NEWEST.name).error)


def test_an_initialize_result_names_the_revision_and_the_session() -> None:
    """MCP 2025-11-25 basic/lifecycle §version-negotiation, §initialization;
    MCP 2025-11-25 basic/transports §session-management.
    """
    about = {"protocolVersion": OLD.name, "capabilities": {}}
    reply = result(about, **{"mcp-session-id": "s-1"})
    assert after_initialize(reply) == Peer(OLD, "s-1", about)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        pytest.param(result({"protocolVersion": "2099-01-01"}), ClientError, id="unknown"),
        pytest.param(result({"protocolVersion": NEWEST.name}), ClientError, id="other-era"),
        pytest.param(result({}), ClientError, id="none"),
        pytest.param(error(-32600), ServerError, id="error"),
        pytest.param(Reply(404), NotMcp, id="nothing"),
        pytest.param(
            result({"protocolVersion": OLD.name}, **{"mcp-session-id": "a b"}), NotMcp, id="id"
        ),
    ],
)
def test_an_answer_that_opens_no_session_ends_the_conversation(
    reply: Reply, fault: type[Exception]
) -> None:
    """MCP 2025-11-25 basic/lifecycle §version-negotiation: the client SHOULD disconnect."""
    with pytest.raises(fault):
        after_initialize(reply)


STATELESS, SESSION = Peer(NEWEST, about={"a": 1}), Peer(OLD, "s-1")


@pytest.mark.parametrize(
    ("peer", "reply", "step"),
    [
        pytest.param(STATELESS, unsupported(NEWEST.name), Speak(STATELESS), id="inline-32022"),
        pytest.param(STATELESS, unsupported(OLD.name), Initialize(OLD), id="inline-older"),
        pytest.param(STATELESS, error(-32601, status=404), None, id="unknown-method"),
        pytest.param(STATELESS, Reply(404), None, id="404-without-a-session"),
        pytest.param(SESSION, Reply(404), Initialize(OLD), id="session-ended"),
        pytest.param(SESSION, error(-32600, status=404), Initialize(OLD), id="session-ended-said"),
        pytest.param(SESSION, error(-32602, status=200), None, id="an-error-of-its-own"),
        pytest.param(Peer(OLD), Reply(404), None, id="404-and-there-was-no-session"),
        pytest.param(SESSION, unsupported(NEWEST.name), None, id="32022-in-a-session"),
        pytest.param(SESSION, result({}), None, id="a-result"),
    ],
)
def test_a_request_is_sent_once_more_only_where_the_way_to_speak_has_changed(
    peer: Peer, reply: Reply, step: Step | None
) -> None:
    """MCP 2026-07-28 basic/versioning §protocol-version-negotiation;
    MCP 2025-11-25 basic/transports §session-management, rule 4.
    """
    assert after_reply(peer, reply) == step

"""The client against servers that are written down octet by octet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anyio
import pytest

from catshop.client.changes import Wanted
from catshop.client.client import Client
from catshop.client.connect import Options, connect
from catshop.client.envelope import CAPABILITIES, CLIENT_INFO, PROTOCOL_VERSION, TASKS
from catshop.client.errors import ClientError, Lost, NotMcp, Refused, ServerError, Unreachable
from catshop.client.inputs import Handlers, accepted
from catshop.client.mirrors import InvalidAnnotation
from catshop.client.ports import Incoming, Next, Outgoing
from catshop.limits import ClientLimits
from catshop.protocol.versions import BY_NAME
from tests.client.stub import Asked, Play, Stub, answer, stream, stubbed

MODERN, OLD = BY_NAME["2026-07-28"], BY_NAME["2025-11-25"]
FAST = replace(ClientLimits(), retry_milliseconds=1, resumptions=2, linger_seconds=0.05)
STATELESS = Options(speak=MODERN, limits=FAST)
HANDSHAKE = Options(speak=OLD, limits=FAST)
WELCOME = {"protocolVersion": OLD.name, "capabilities": {}, "serverInfo": {"name": "stub"}}


def session(play: Play, id_: str = "s-1") -> Play:
    """A server of the handshake era: `play` answers what is not about the session itself."""

    def answered(asked: Asked) -> bytes:
        if asked.rpc == "initialize":
            body = {"jsonrpc": "2.0", "id": asked.message["id"], "result": WELCOME}
            return answer(200, body, mcp_session_id=id_)
        if asked.verb == "POST" and "id" not in asked.message:
            return answer(202)
        return answer(405) if asked.verb != "POST" else play(asked)

    return answered


def tools(*definitions: dict[str, Any]) -> Play:
    """A server that lists these tools and says of each call that it was made."""

    def play(asked: Asked) -> bytes:
        if asked.rpc == "tools/list":
            return asked.result(tools=definitions)
        return asked.result(content=[])

    return play


async def test_every_request_of_the_stateless_era_stands_for_itself() -> None:
    """MCP 2026-07-28 basic §_meta;
    MCP 2026-07-28 basic/transports/streamable-http §sending-messages, §protocol-version-header.
    """
    handlers = Handlers(elicit=_agree)
    async with stubbed(tools()) as stub, connect(stub.url, handlers, options=STATELESS) as client:
        await client.call("cats", {"n": 1})
        await client.tools()
    call, listing = stub.asked
    for asked in (call, listing):
        meta = asked.message["params"]["_meta"]
        assert meta[PROTOCOL_VERSION] == asked.fields["mcp-protocol-version"] == MODERN.name
        assert meta[CLIENT_INFO]["name"] == "catshop"
        assert meta[CAPABILITIES] == {"elicitation": {}, "extensions": {TASKS: {}}}
        assert asked.fields["accept"] == "application/json, text/event-stream"
        assert asked.fields["mcp-method"] == asked.rpc
        assert "mcp-session-id" not in asked.fields
    assert call.fields["mcp-name"] == "cats"
    assert call.message["id"] != listing.message["id"]


async def test_a_session_says_who_we_are_once_and_then_its_own_name() -> None:
    """MCP 2025-11-25 basic/lifecycle §initialization;
    MCP 2025-11-25 basic/transports §session-management, §protocol-version-header.
    """
    async with (
        stubbed(session(tools())) as stub,
        connect(stub.url, options=HANDSHAKE) as client,
    ):
        await client.tools()
    first, noted, listing, bye = stub.asked
    assert first.message["params"]["clientInfo"]["name"] == "catshop"
    assert first.message["params"]["protocolVersion"] == OLD.name
    assert "mcp-session-id" not in first.fields
    assert noted.rpc == "notifications/initialized"
    assert (bye.verb, listing.message["params"]) == ("DELETE", {})
    for asked in (noted, listing, bye):
        assert asked.fields["mcp-session-id"] == "s-1"
        assert asked.fields["mcp-protocol-version"] == OLD.name
        assert "mcp-method" not in asked.fields


def older(status: int, body: object = None) -> Play:
    """A server that has never heard of `server/discover`, and says so in its own way."""
    play = session(tools())

    def answered(asked: Asked) -> bytes:
        return answer(status, body) if asked.rpc == "server/discover" else play(asked)

    return answered


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(older(400), id="400"),
        pytest.param(older(404), id="404"),
        pytest.param(older(400, {"error": "Bad Request: no session"}), id="400-of-its-own"),
        pytest.param(
            older(200, {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "?"}}),
            id="200-unknown-method",
        ),
    ],
)
async def test_a_server_of_the_handshake_era_is_recognised_and_asked_once(play: Play) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §backward-compatibility."""
    async with stubbed(play) as stub, connect(stub.url, options=Options(limits=FAST)) as client:
        await client.tools()
        await client.tools()
        assert (await client.server()).revision == OLD
        assert len(stub.of("server/discover")) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_outage_says_nothing_about_the_era(status: int) -> None:
    """MCP 2026-07-28 basic/versioning
    §backward-compatibility-with-initialization-based-versions.
    """
    async with (
        stubbed(lambda _: answer(status, retry_after="1")) as stub,
        connect(stub.url) as client,
    ):
        with pytest.raises(Refused) as caught:
            await client.tools()
    assert (caught.value.status, caught.value.fields["retry-after"]) == (status, "1")
    assert len(stub.asked) == 1


async def test_a_request_that_names_an_unsupported_revision_is_sent_once_more() -> None:
    """MCP 2026-07-28 basic/versioning §protocol-version-negotiation: inline, without discovery."""
    refusal = {"supported": [MODERN.name], "requested": "x"}

    def play(asked: Asked) -> bytes:
        return asked.error(400, -32022, refusal) if asked.message["id"] == 1 else tools()(asked)

    async with stubbed(play) as stub, connect(stub.url, options=STATELESS) as client:
        await client.tools()
    assert [asked.message["id"] for asked in stub.asked] == [1, 2]


async def test_a_session_that_is_gone_is_begun_anew_and_the_request_sent_again() -> None:
    """MCP 2025-11-25 basic/transports §session-management, rule 4."""
    begun: list[str] = []

    def play(asked: Asked) -> bytes:
        if asked.rpc == "initialize":
            begun.append(f"s-{len(begun)}")
        if asked.rpc == "tools/list" and asked.fields["mcp-session-id"] == "s-0":
            return answer(404)
        return session(tools(), begun[-1])(asked)

    async with (
        stubbed(play) as stub,
        connect(stub.url, options=HANDSHAKE) as client,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(3):
            tasks.start_soon(client.tools)
    _, again = stub.of("initialize")
    assert "mcp-session-id" not in again.fields
    assert len(stub.of("tools/list")) == 6
    assert stub.of("DELETE")[0].fields["mcp-session-id"] == "s-1"


async def test_a_session_that_is_gone_again_at_once_is_given_up() -> None:
    """MCP 2025-11-25 basic/transports §session-management."""
    async with (
        stubbed(session(lambda _: answer(404))) as stub,
        connect(stub.url, options=HANDSHAKE) as client,
    ):
        with pytest.raises(Refused, match="404"):
            await client.tools()
    assert len(stub.of("initialize")) == 2


class Broken:
    """A stream that breaks after its first event, and is whole when it is resumed."""

    def __init__(self, *resumed: bytes) -> None:
        self.resumed = list(resumed)
        self.call: Asked | None = None

    def __call__(self, asked: Asked) -> bytes:
        if asked.rpc == "tools/call":
            self.call = asked
            return stream("id: é1\nretry: 1\ndata:")
        if asked.verb == "GET" and self.call is not None:
            data = self.call.event(content=[], resumed=True)
            return self.resumed.pop(0) if self.resumed else stream(f"id: e9\ndata: {data}")
        return session(tools())(asked)


async def test_a_broken_stream_is_taken_up_after_its_last_event() -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery."""
    polled = stream("id: e2\ndata:")
    async with stubbed(Broken(polled)) as stub, connect(stub.url, options=HANDSHAKE) as client:
        assert (await client.call("slow"))["resumed"] is True
    gets = [asked.fields for asked in stub.of("GET")]
    assert [fields["last-event-id"] for fields in gets] == ["é1", "e2"]
    assert all(fields["mcp-session-id"] == "s-1" for fields in gets)
    assert all(fields["accept"] == "text/event-stream" for fields in gets)


@pytest.mark.parametrize(
    ("resumed", "fault"),
    [
        pytest.param([answer(405)], Refused, id="not-resumable"),
        pytest.param([b"", b"", b""], Lost, id="too-often-in-vain"),
        pytest.param([stream("data: {")], NotMcp, id="no-message"),
    ],
)
async def test_a_stream_that_cannot_be_taken_up_is_lost(
    resumed: list[bytes], fault: type[ClientError]
) -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery."""
    async with stubbed(Broken(*resumed)) as stub, connect(stub.url, options=HANDSHAKE) as client:
        with pytest.raises(fault):
            await client.call("slow")


async def test_a_stream_of_the_stateless_era_is_not_resumed() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §receiving-messages: no `Last-Event-ID`."""
    async with (
        stubbed(lambda _: stream("id: e1\ndata:")) as stub,
        connect(stub.url, options=STATELESS) as client,
    ):
        with pytest.raises(Lost, match="E-SERVER-04"):
            await client.tools()
    assert not stub.of("GET")


async def test_an_answer_is_taken_from_a_stream_that_does_not_end() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §receiving-messages: it SHOULD end."""

    def play(asked: Asked) -> bytes:
        return stream(": hello", f"data: {asked.event(tools=[])}")

    async with (
        stubbed(play, "tools/list") as stub,
        connect(stub.url, options=STATELESS) as client,
    ):
        assert await client.tools() == []
        await stub.closed["tools/list"].wait()


async def left(client: Client, stub: Stub) -> None:
    """Call, and wait no longer once the call has arrived."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.call, "slow")
        await stub.arrived["tools/call"].wait()
        tasks.cancel_scope.cancel()


async def test_leaving_a_request_of_the_stateless_era_closes_its_stream_and_says_nothing() -> None:
    """MCP 2026-07-28 basic/patterns/cancellation §transport-specific-cancellation."""
    async with (
        stubbed(lambda _: stream(": hello"), "tools/call") as stub,
        connect(stub.url, options=STATELESS) as client,
    ):
        await left(client, stub)
        await stub.closed["tools/call"].wait()
    assert [asked.rpc for asked in stub.asked] == ["tools/call"]


async def test_leaving_a_request_of_a_session_is_told() -> None:
    """MCP 2025-11-25 basic/utilities/cancellation §cancellation-flow."""
    play = session(lambda _: stream(": hello"))
    async with (
        stubbed(play, "tools/call") as stub,
        connect(stub.url, options=HANDSHAKE) as client,
    ):
        await left(client, stub)
    (cancelled,) = stub.of("notifications/cancelled")
    assert cancelled.message["params"] == {"requestId": stub.of("tools/call")[0].message["id"]}


async def test_a_request_that_takes_too_long_is_left() -> None:
    """MCP 2026-07-28 basic/patterns/cancellation §timeouts."""
    hurried = Options(speak=MODERN, limits=replace(FAST, request_seconds=0.05))
    async with (
        stubbed(lambda _: stream(": hello"), "tools/call") as stub,
        connect(stub.url, options=hurried) as client,
    ):
        with pytest.raises(Lost, match="no answer in"):
            await client.call("slow")
        await stub.closed["tools/call"].wait()


@pytest.mark.parametrize("speak", [None, OLD], ids=["server/discover", "initialize"])
async def test_a_server_that_never_answers_the_first_request_is_left(speak: Any) -> None:
    """MCP 2026-07-28 basic/patterns/cancellation §timeouts: silence over HTTP is no era."""
    hurried = Options(speak=speak, limits=replace(FAST, request_seconds=0.05))
    async with (
        stubbed(lambda _: stream(": hello"), "initialize", "server/discover") as stub,
        connect(stub.url, options=hurried) as client,
    ):
        with pytest.raises(Lost, match="no answer in"):
            await client.tools()
    assert len(stub.asked) == 1


async def _agree(params: Mapping[str, object]) -> Mapping[str, object]:
    return accepted(params)


async def test_a_question_on_the_server_s_own_stream_is_answered_there() -> None:
    """MCP 2025-11-25 basic/transports §listening-for-messages-from-the-server;
    MCP 2025-11-25 client/elicitation §requested-schema.
    """
    question = (
        '{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?",'
        '"requestedSchema":{"type":"object","properties":{"n":{"type":"integer","default":7}}}}}'
    )
    ping = '{"jsonrpc":"2.0","id":0,"method":"ping"}'
    odd = '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}'
    answered = anyio.Event()
    told: list[dict[str, Any]] = []

    def play(asked: Asked) -> bytes:
        if asked.verb == "GET":
            return stream(*(f"data: {each}" for each in (question, ping, odd)))
        if asked.verb == "POST" and "method" not in asked.message:
            told.append(asked.message)
            if len(told) == 3:
                answered.set()
        return session(tools())(asked)

    async with (
        stubbed(play, "GET") as stub,
        connect(stub.url, Handlers(elicit=_agree), options=HANDSHAKE) as client,
    ):
        await client.server()
        await answered.wait()
    by_id = {each["id"]: each for each in told}
    assert by_id["q"]["result"] == {"action": "accept", "content": {"n": 7}}
    assert by_id[0]["result"] == {}
    assert by_id[1]["error"]["code"] == -32601
    assert stub.of("GET")[0].fields["mcp-session-id"] == "s-1"


async def test_a_question_that_the_server_takes_back_is_not_answered() -> None:
    """MCP 2025-11-25 basic/utilities/cancellation §cancellation-flow."""
    events = [
        '"id":"q","method":"elicitation/create","params":{}',
        '"method":"notifications/cancelled","params":{"requestId":[]}',
        '"method":"notifications/cancelled","params":{"requestId":"q"}',
        '"id":"p","method":"ping"',
    ]
    answered = anyio.Event()
    told: list[object] = []

    def play(asked: Asked) -> bytes:
        if asked.verb == "GET":
            return stream(*(f'data: {{"jsonrpc":"2.0",{each}}}' for each in events))
        if asked.verb == "POST" and "method" not in asked.message:
            told.append(asked.message["id"])
            answered.set()
        return session(tools())(asked)

    async with (
        stubbed(play, "GET") as stub,
        connect(stub.url, Handlers(elicit=_agree), options=HANDSHAKE) as client,
    ):
        await client.server()
        await answered.wait()
    assert told == ["p"]


async def test_a_subscription_that_the_server_ends_has_no_more_news() -> None:
    """MCP 2026-07-28 basic/patterns/cancellation §behavior-requirements."""
    meta = '"_meta":{"io.modelcontextprotocol/subscriptionId":1}'
    events = [
        f'"notifications/subscriptions/acknowledged","params":{{"notifications":{{}},{meta}}}',
        f'"notifications/tools/list_changed","params":{{{meta}}}',
        '"notifications/cancelled","params":{"requestId":1}',
    ]
    said = stream(*(f'data: {{"jsonrpc":"2.0","method":{each}}}' for each in events))
    async with (
        stubbed(lambda _: said, "subscriptions/listen") as stub,
        connect(stub.url, options=STATELESS) as client,
        client.follow(Wanted(lists=("tools",))) as changes,
    ):
        news = [each.method async for each in changes]
    assert news == ["notifications/tools/list_changed"]


async def test_whoever_answers_nothing_opens_no_stream_of_its_own() -> None:
    """MCP 2025-11-25 basic/transports §listening-for-messages-from-the-server: the client MAY."""
    async with (
        stubbed(session(tools())) as stub,
        connect(stub.url, options=HANDSHAKE) as client,
    ):
        await client.tools()
    assert not stub.of("GET")


async def test_a_tool_that_cannot_be_mirrored_is_dropped_with_a_reason() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §schema-extension."""
    bad = {"type": "object", "properties": {"a": {"type": "number", "x-mcp-header": "A"}}}
    play = tools({"name": "good", "inputSchema": {}}, {"name": "bad", "inputSchema": bad})
    async with stubbed(play) as stub, connect(stub.url, options=STATELESS) as client:
        assert [tool.name for tool in await client.tools()] == ["good"]
        (dropped,) = client.dropped
        assert (dropped.name, dropped.why[:15]) == ("bad", "E-ANNOTATION-04")
        with pytest.raises(InvalidAnnotation, match="E-ANNOTATION-06"):
            await client.call("bad")
    assert not stub.of("tools/call")


async def test_a_tool_whose_header_was_not_known_is_listed_and_called_again() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §client-behavior."""
    schema = {"type": "object", "properties": {"r": {"type": "string", "x-mcp-header": "R"}}}

    def play(asked: Asked) -> bytes:
        if asked.rpc == "tools/call" and "mcp-param-r" not in asked.fields:
            return asked.error(400, -32020)
        return tools({"name": "t", "inputSchema": schema})(asked)

    async with stubbed(play) as stub, connect(stub.url, options=STATELESS) as client:
        await client.call("t", {"r": "é"})
    assert [asked.rpc for asked in stub.asked] == ["tools/call", "tools/list", "tools/call"]
    assert stub.asked[-1].fields["mcp-param-r"] == "=?base64?w6k=?="


async def test_a_list_is_read_to_its_last_page_and_its_cursor_goes_back_as_it_came() -> None:
    """MCP 2026-07-28 server/utilities/pagination §pagination-flow."""

    def play(asked: Asked) -> bytes:
        cursor = asked.message["params"].get("cursor", "")
        more = {} if cursor == "é/=xx" else {"nextCursor": cursor + ("x" if cursor else "é/=")}
        return asked.result(prompts=[{"name": cursor}], **more)

    async with stubbed(play) as stub, connect(stub.url, options=STATELESS) as client:
        assert [each["name"] for each in await client.prompts()] == ["", "é/=", "é/=x", "é/=xx"]


async def test_a_server_that_never_comes_to_an_end_is_left() -> None:
    """MCP 2026-07-28 basic/patterns/mrtr §basic-workflow;
    MCP 2026-07-28 server/utilities/pagination §pagination-flow.
    """

    def play(asked: Asked) -> bytes:
        if asked.rpc == "tools/call":
            return asked.result(resultType="input_required", requestState="again")
        return asked.result(tools=[], nextCursor="again")

    limits = replace(FAST, rounds=3, pages=2)
    async with (
        stubbed(play) as stub,
        connect(stub.url, options=Options(speak=MODERN, limits=limits)) as client,
    ):
        with pytest.raises(ClientError, match="E-SERVER-10"):
            await client.call("t")
        with pytest.raises(ClientError, match="E-SERVER-10"):
            await client.tools()
    assert len(stub.of("tools/call")) == 3
    assert len({asked.message["id"] for asked in stub.asked}) == 5


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        pytest.param(answer(200, {"jsonrpc": "2.0", "id": 7, "result": {}}), NotMcp, id="id"),
        pytest.param(answer(200, content_type="text/html"), NotMcp, id="a-page"),
        pytest.param(answer(302, location="http://127.0.0.1:9/"), Refused, id="a-redirect"),
        pytest.param(answer(404), Refused, id="nothing-there"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", Lost, id="no-http"),
        pytest.param(stream("data: {}"), NotMcp, id="an-event-that-is-no-message"),
        pytest.param(
            answer(400, {"jsonrpc": "2.0", "error": {"code": -32700, "message": "no"}}),
            ServerError,
            id="an-error-without-an-id",
        ),
    ],
)
async def test_whatever_else_answers_is_told_apart(response: bytes, fault: type[Exception]) -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §sending-messages."""
    async with stubbed(lambda _: response) as stub, connect(stub.url, options=STATELESS) as client:
        with pytest.raises(fault):
            await client.tools()


@pytest.mark.parametrize("response", [answer(200, "x" * 5000), stream() + b"data: " + b"x" * 5000])
async def test_an_answer_is_read_up_to_a_bound(response: bytes) -> None:
    """RFC 9110 §2.3 leaves the bound to the reader."""
    bounded = Options(speak=MODERN, limits=replace(FAST, message=1000))
    async with stubbed(lambda _: response) as stub, connect(stub.url, options=bounded) as client:
        with pytest.raises(NotMcp, match="E-SERVER-09"):
            await client.tools()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/mcp", "htp://127.0.0.1/mcp", "http://[::1/mcp", "/mcp"]
)
async def test_nobody_there_is_unreachable(url: str) -> None:
    """RFC 9110 §15.5 knows no status for it."""
    async with connect(url, options=STATELESS) as client:
        with pytest.raises(Unreachable, match="E-SERVER-01"):
            await client.tools()


class Signing:
    """An authorization that has a new proof for every request, and wants another after a 401."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.seen: list[int] = []
        self.challenges: list[str] = []

    async def proof(self, request: Outgoing) -> Mapping[str, str]:
        """A token that says how often it was refused."""
        assert "Authorization" not in request.fields
        return {"Authorization": f"Bearer {len(self.seen)}"}

    async def after(self, request: Outgoing, response: Incoming) -> Next:
        """Again, for as long as there is patience."""
        assert request.fields["Authorization"] == f"Bearer {len(self.seen)}", "as it was sent"
        self.seen.append(response.status)
        headers = response.headers
        self.challenges.extend(value for name, value in headers if name == "www-authenticate")
        refused = response.status in {401, 403}
        return Next.AGAIN if refused and len(self.seen) <= self.patience else Next.TAKE


def guarded(asked: Asked) -> bytes:
    """A server that wants the third proof."""
    if asked.fields.get("authorization") != "Bearer 2":
        return answer(401, {"error": "invalid_token"}, www_authenticate="Bearer x, DPoP y")
    return asked.result(tools=[])


async def test_a_refused_request_is_sent_again_for_as_long_as_there_is_a_new_proof() -> None:
    """MCP 2026-07-28 basic/authorization; RFC 9110 §11.6.1, §15.5.2."""
    signing = Signing(5)
    async with (
        stubbed(guarded) as stub,
        connect(stub.url, authorization=signing, options=STATELESS) as client,
    ):
        assert await client.tools() == []
    assert signing.seen == [401, 401, 200]
    assert signing.challenges == ["Bearer x, DPoP y"] * 2
    assert len({asked.body for asked in stub.asked}) == 1, "the same request"


@pytest.mark.parametrize("patience", [1, 99])
async def test_what_stays_refused_is_told_with_its_challenge(patience: int) -> None:
    """RFC 9110 §15.5.2, §15.5.4; however patient an authorization is, there is an end."""

    signing = Signing(patience)
    async with (
        stubbed(lambda _: answer(403, {"error": "x"})) as stub,
        connect(stub.url, authorization=signing, options=STATELESS) as client,
    ):
        with pytest.raises(Refused, match="E-SERVER-06"):
            await client.tools()
    assert len(stub.asked) == min(patience + 1, FAST.proofs)


async def test_without_an_authorization_what_is_refused_stays_refused() -> None:
    """RFC 9110 §15.5.2."""
    async with stubbed(guarded) as stub, connect(stub.url) as client:
        with pytest.raises(Refused) as caught:
            await client.tools()
    assert (caught.value.status, len(stub.asked)) == (401, 1)
    assert "www-authenticate" in caught.value.fields

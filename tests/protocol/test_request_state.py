"""What a client brings back: whole, in time, from who got it, on the same call, perhaps once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
import pytest
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextResourceContents,
)

from catshop.kernel import Secret
from catshop.protocol.request_state import RequestStates, SingleUse
from catshop.signing import Signer
from tests.support.fixture_server import Context, said
from tests.support.hosting import ENVELOPE, Hosting, hosting

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY, OTHER = Secret("k" * 43), Secret("o" * 43)
CAPABLE: dict[str, Any] = {"elicitation": {}, "roots": {}}
QUESTION = ElicitRequest(
    params=ElicitRequestFormParams(
        message="Sure?", requested_schema={"type": "object", "properties": {}}
    )
)
PAGE = ElicitRequest(
    params=ElicitRequestURLParams(message="Pay", url="https://pay.test", elicitation_id="1")
)


@dataclass
class Memory:
    """`ports.UsedStates`, for as long as the test lasts."""

    used: dict[str, datetime] = field(default_factory=dict)

    async def use(self, state_id: str, until: datetime) -> bool:
        """True once."""
        first = state_id not in self.used
        self.used.setdefault(state_id, until)
        return first

    async def sweep(self, now: datetime) -> int:
        """Nothing."""
        return 0


@dataclass
class Shop:
    """A server whose every handler asks once, and then says what its state was."""

    seen: list[str | None] = field(default_factory=list)
    raw: list[Mapping[str, Any]] = field(default_factory=list)
    asked: dict[str, InputRequest] = field(default_factory=lambda: {"sure": QUESTION})
    plain: bool = False

    def build(self) -> Server[Any]:
        """The server."""
        return Server(
            "fixture",
            version="1",
            on_call_tool=self.call_tool,
            on_get_prompt=self.get_prompt,
            on_read_resource=self.read,
        )

    def state(self, ctx: Context, state: str | None) -> InputRequiredResult | None:
        """The question, where there is no state yet."""
        self.seen.append(state)
        self.raw.append(ctx.params or {})
        if state is not None or self.plain:
            return None
        return InputRequiredResult(input_requests=self.asked, request_state="5 cats, $10")

    async def call_tool(
        self, ctx: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        """A tool."""
        if params.name == "stateless":
            return InputRequiredResult(input_requests=self.asked)
        return self.state(ctx, params.request_state) or said(str(params.request_state))

    async def get_prompt(
        self, ctx: Context, params: GetPromptRequestParams
    ) -> GetPromptResult | InputRequiredResult:
        """A prompt."""
        return self.state(ctx, params.request_state) or GetPromptResult(messages=[])

    async def read(
        self, ctx: Context, params: ReadResourceRequestParams
    ) -> ReadResourceResult | InputRequiredResult:
        """A resource."""
        contents = TextResourceContents(uri=params.uri, text="meow")
        return self.state(ctx, params.request_state) or ReadResourceResult(contents=[contents])


@asynccontextmanager
async def asking(shop: Shop, states: RequestStates | None = None) -> AsyncIterator[Hosting]:
    """The shop on a socket."""
    async with hosting(shop.build(), states=states) as host:
        yield host


async def call(
    host: Hosting, tool: str = "buy", *, user: str = "alice", **params: Any
) -> httpx2.Response:
    """Call a tool with what these tests answer."""
    meta = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": CAPABLE}
    whole = {"_meta": meta, "name": tool, "arguments": {"cat": 1}, **params}
    return await host.modern("tools/call", whole, Authorization=f"Bearer {user}")


async def minted(host: Hosting) -> str:
    """The state of a first call."""
    result = (await call(host)).json()["result"]
    assert result["resultType"] == "input_required"
    assert isinstance(result["requestState"], str)
    return str(result["requestState"])


def is_refused(response: httpx2.Response) -> bool:
    """Whether the state was refused, in words that do not say why."""
    error = response.json().get("error", {})
    if error.get("code") != -32602:
        return False
    assert response.status_code == 400
    assert error["message"] == "Not a requestState that may be used here"
    assert set(error["data"]) == {"code", "expected", "section", "fix"}
    assert error["data"]["code"] == "E-STATE-01"
    return True


def ring(key: Secret, *previous: Secret, later: int = 0, **more: Any) -> RequestStates:
    """States under these keys, at that time."""
    return RequestStates(Signer(key, previous, lambda: NOW + timedelta(seconds=later)), 600, **more)


async def test_a_handler_reads_the_state_that_it_wrote() -> None:
    """MCP 2026-07-28 basic/patterns/mrtr §basic-workflow."""
    shop = Shop()
    async with asking(shop) as host:
        state = await minted(host)
        assert "cats" not in state
        answered = await call(host, requestState=state)
    assert answered.json()["result"]["content"][0]["text"] == "5 cats, $10"
    assert shop.seen == [None, "5 cats, $10"]
    assert shop.raw[1]["requestState"] == "5 cats, $10"


@pytest.mark.parametrize(
    ("method", "params"),
    [("prompts/get", {"name": "gift"}), ("resources/read", {"uri": "c://1"})],
)
async def test_every_method_that_may_ask_has_states(method: str, params: dict[str, str]) -> None:
    """MCP 2026-07-28 basic/patterns/mrtr §supported-requests."""
    meta = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": CAPABLE}
    (named,) = params.values()
    async with asking(Shop()) as host:
        ask = {"_meta": meta, **params}
        first = (await host.modern(method, ask, **{"Mcp-Name": named})).json()["result"]
        again = {**ask, "requestState": first["requestState"]}
        second = (await host.modern(method, again, **{"Mcp-Name": named})).json()["result"]
        other = {**again, next(iter(params)): "c://2"}
        refused = await host.modern(method, other, **{"Mcp-Name": "c://2"})
    assert (first["resultType"], second["resultType"]) == ("input_required", "complete")
    assert is_refused(refused)


async def test_two_states_are_never_the_same() -> None:
    """MCP 2026-07-28 basic/patterns/mrtr: a second round is another round."""
    async with asking(Shop(), ring(KEY)) as host:
        assert await minted(host) != await minted(host)


async def test_a_result_without_a_state_gets_none() -> None:
    """MCP 2026-07-28 basic/patterns/mrtr §inputrequiredresult: the member is optional."""
    async with asking(Shop()) as host:
        result = (await call(host, "stateless")).json()["result"]
    assert "requestState" not in result


async def test_no_bit_of_a_state_may_change() -> None:
    """Security case W1: every single bit flipped. The dispatcher, without a socket between."""
    states = ring(KEY)
    shop = Shop()
    async with asking(shop, states) as host:
        state = (await minted(host)).encode()
        assert not is_refused(await call(host, requestState=state.decode()))
        for place in (0, len(state) // 2, len(state) - 1):
            for bit in range(7):
                changed = bytearray(state)
                changed[place] ^= 1 << bit
                assert is_refused(await call(host, requestState=changed.decode("ascii")))
        assert len(shop.seen) == 2


@pytest.mark.parametrize(
    "state",
    ["", ".", "5 cats, $10", "\N{CAT}", "x" * 1_000_000, 7, None, ["a"], {}, True],
    ids=["empty", "dot", "plain", "cat", "long", "number", "null", "array", "object", "boolean"],
)
async def test_what_is_no_state_of_ours_is_refused(state: object) -> None:
    """Security case W1: nothing of it reaches the handler."""
    shop = Shop()
    async with asking(shop) as host:
        assert is_refused(await call(host, requestState=state))
    assert shop.seen == []


@pytest.mark.parametrize("cut", [1, 10, 43, 60])
async def test_a_state_that_was_cut_is_refused(cut: int) -> None:
    """Security case W1."""
    async with asking(Shop()) as host:
        state = await minted(host)
        assert is_refused(await call(host, requestState=state[:-cut]))
        assert is_refused(await call(host, requestState=state[cut:]))
        assert is_refused(await call(host, requestState=state + "A" * cut))
        assert is_refused(await call(host, requestState=state + "-TAMPERED"))


async def test_a_state_is_for_one_user_one_tool_and_one_set_of_arguments() -> None:
    """Security case W2. MCP 2026-07-28 basic/patterns/mrtr §server-requirements-basic-workflow."""
    async with asking(Shop()) as host:
        state = await minted(host)
        assert is_refused(await call(host, user="bob", requestState=state))
        assert is_refused(await call(host, "sell", requestState=state))
        assert is_refused(await call(host, arguments={"cat": 2}, requestState=state))
        assert is_refused(await call(host, arguments={}, requestState=state))
        same = {"inputResponses": {"sure": {"action": "accept", "content": {}}}}
        assert not is_refused(await call(host, requestState=state, **same))


async def test_arguments_in_another_order_are_the_same_arguments() -> None:
    """RFC 8259 §4: an object is unordered."""
    async with asking(Shop()) as host:
        first = (await call(host, arguments={"a": 1, "b": 2})).json()["result"]
        state = first["requestState"]
        assert not is_refused(await call(host, arguments={"b": 2, "a": 1}, requestState=state))


@pytest.mark.parametrize(("later", "good"), [(600, True), (601, False), (-1, False)])
async def test_a_state_is_good_for_ten_minutes(later: int, *, good: bool) -> None:
    """Security case W2."""
    async with asking(Shop(), ring(KEY)) as host:
        state = await minted(host)
    async with asking(Shop(), ring(KEY, later=later)) as host:
        assert is_refused(await call(host, requestState=state)) is not good


async def test_a_state_outlives_its_key_as_long_as_the_key_is_known() -> None:
    """Security case W4: from before a rotation it is good, from a removed key it is not."""
    async with asking(Shop(), ring(KEY)) as host:
        state = await minted(host)
    async with asking(Shop(), ring(OTHER, KEY)) as host:
        assert not is_refused(await call(host, requestState=state))
    async with asking(Shop(), ring(OTHER)) as host:
        assert is_refused(await call(host, requestState=state))
    async with asking(Shop()) as host:
        assert is_refused(await call(host, requestState=state))


async def test_a_single_use_state_is_taken_once_however_many_bring_it() -> None:
    """Security case W3: fifty at once, and one is served."""
    memory, shop = Memory(), Shop()
    once = SingleUse(frozenset({("tools/call", "buy")}), memory, lambda: NOW)
    async with asking(shop, ring(KEY, single_use=once)) as host:
        state = await minted(host)
        refused: list[bool] = []

        async def retry() -> None:
            refused.append(is_refused(await call(host, requestState=state)))

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(retry)
        assert sorted(refused) == [False] + [True] * 49
        assert not is_refused(await call(host, requestState=await minted(host)))
    assert list(memory.used.values()) == [NOW + timedelta(seconds=600)] * 2


async def test_any_other_state_may_come_back_again() -> None:
    """MCP 2026-07-28 basic/patterns/mrtr: a client whose connection broke makes the call again."""
    once = SingleUse(frozenset({("tools/call", "sell")}), Memory())
    async with asking(Shop(), ring(KEY, single_use=once)) as host:
        state = await minted(host)
        for _ in range(2):
            assert not is_refused(await call(host, requestState=state))


async def test_where_there_can_be_no_state_the_member_means_nothing() -> None:
    """MCP 2025-11-25 has no requestState: what a client puts there reaches no handler."""
    shop = Shop(plain=True)
    async with asking(shop) as host:
        session = await host.open()
        params = {"name": "buy", "arguments": {}, "requestState": "5 cats, $1"}
        answer = await host.call(session, "tools/call", params)
        assert answer.json()["result"]["content"][0]["text"] == "None"
        assert (await host.modern("server/discover", {"requestState": "x"})).status_code == 200
    assert shop.seen == [None]
    assert "requestState" not in shop.raw[0]


async def test_a_result_that_is_a_mere_mapping_is_sealed_as_well() -> None:
    """House rule: the SDK lets a handler return a model or a mapping, and both are the same."""

    async def ask(_ctx: Context, params: CallToolRequestParams) -> dict[str, Any]:
        if params.request_state is None:
            return {"resultType": "input_required", "requestState": "mere"}
        content = [{"type": "text", "text": params.request_state}]
        return {"resultType": "complete", "content": content}

    server: Server[Any] = Server("fixture", version="1")
    server.add_request_handler("tools/call", CallToolRequestParams, ask)
    async with hosting(server) as host:
        state = await minted(host)
        assert is_refused(await call(host, requestState="mere"))
        answered = await call(host, requestState=state)
    assert answered.json()["result"]["content"][0]["text"] == "mere"


# --- What may be asked ---


@pytest.mark.parametrize(
    ("asked", "declared", "missing"),
    [
        ({"a": QUESTION}, {}, {"elicitation": {"form": {}}}),
        ({"a": QUESTION}, {"elicitation": {}}, None),
        ({"a": QUESTION}, {"elicitation": {"form": {}}}, None),
        ({"a": QUESTION}, {"elicitation": {"url": {}}}, {"elicitation": {"form": {}}}),
        ({"a": PAGE}, {"elicitation": {}}, {"elicitation": {"url": {}}}),
        ({"a": PAGE}, {"elicitation": {"url": {}}}, None),
        ({"a": QUESTION, "b": ListRootsRequest()}, {"elicitation": {}}, {"roots": {}}),
        ({"b": ListRootsRequest()}, {"roots": {"listChanged": True}}, None),
    ],
)
async def test_a_client_is_asked_only_for_what_it_declared(
    asked: dict[str, InputRequest],
    declared: dict[str, Any],
    missing: dict[str, Any] | None,
) -> None:
    """Security case K9. MCP 2026-07-28 basic/patterns/mrtr §server-requirements-basic-workflow."""
    meta = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": declared}
    async with asking(Shop(asked=asked)) as host:
        answer = await call(host, _meta=meta)
    if missing is None:
        assert answer.json()["result"]["resultType"] == "input_required"
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32021)
        assert answer.json()["error"]["data"]["requiredCapabilities"] == missing

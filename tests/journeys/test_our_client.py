"""Whole conversations of our own client with our own servers: both ends of the wire, by hand.

In both eras, over HTTP and on a pipe. Where the SDK's client makes the same journey, in
`test_shop_features.py`, the two must agree.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from catshop.client.changes import Wanted
from catshop.client.client import Client
from catshop.client.connect import Options, connect, launch
from catshop.client.errors import Refused, ServerError
from catshop.client.inputs import DECLINED, Handlers, accepted
from catshop.client.ports import Incoming, Next, Outgoing
from catshop.kernel import Event, Observer, Trace, utc_now
from catshop.limits import ClientLimits, Limits
from catshop.protocol.endpoint import Endpoint
from catshop.protocol.http1.guard import Guard
from catshop.protocol.http1.routes import Router
from catshop.protocol.http1.server import Server, bind, port_of
from catshop.protocol.sessions import Sessions
from catshop.protocol.versions import BY_NAME, Era
from conformance.host import OpenGate, everything
from tests.support.fixture_server import Fixture
from tests.support.hosting import Hosting, hosting
from tests.support.program import catshop, environment
from tests.support.shop import Open, open_shop
from tests.support.shopper import token_of

STATELESS, HANDSHAKE = BY_NAME["2026-07-28"], BY_NAME["2025-11-25"]
ERAS = [pytest.param(STATELESS, id="stateless"), pytest.param(HANDSHAKE, id="handshake")]
CART = "catshop://cart"


PATIENCE = 60
"""Seconds that a whole conversation may take."""


@dataclass
class Human:
    """Sits before the client, and agrees or does not."""

    agrees: bool = True
    asked: list[str] = field(default_factory=list)

    async def __call__(self, params: Mapping[str, object]) -> Mapping[str, object]:
        """Read the question and answer."""
        self.asked.append(str(params["message"]))
        return accepted(params, {"confirm": True}) if self.agrees else DECLINED


@dataclass(frozen=True)
class Token:
    """An authorization that has a token already."""

    text: str

    async def proof(self, _request: Outgoing) -> Mapping[str, str]:
        """The same for every request."""
        return {"Authorization": f"Bearer {self.text}"}

    async def after(self, _request: Outgoing, _response: Incoming) -> Next:
        """There is no other."""
        return Next.TAKE


@asynccontextmanager
async def shopper(
    shop: Open, speak: Any = None, human: Human | None = None, name: str = "alice"
) -> AsyncIterator[Client]:
    """A client of that user."""
    token = Token(await token_of(shop, name))
    handlers = Handlers(elicit=human)
    with anyio.fail_after(PATIENCE):
        async with connect(shop.mcp, handlers, token, Options(speak=speak)) as client:
            yield client


@asynccontextmanager
async def visitor(
    served: Hosting, speak: Any = None, human: Human | None = None
) -> AsyncIterator[Client]:
    """A client of a server that asks nobody to sign in."""
    with anyio.fail_after(PATIENCE):
        async with connect(served.url, Handlers(human), options=Options(speak=speak)) as client:
            yield client


async def ask(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured content of a call that must succeed."""
    result = await client.call(tool, arguments)
    assert not result.get("isError"), result
    return result["structuredContent"]


def text_of(result: Mapping[str, Any]) -> str:
    """The first text of a result."""
    return str(result["content"][0]["text"])


async def buy(client: Client, human: Human) -> None:
    """Fill the cart and check out, if the human agrees."""
    await ask(client, "add_to_cart", product_id=1, quantity=2)
    if not human.agrees:
        assert (await client.call("checkout"))["isError"]
        return
    order = await ask(client, "checkout")
    assert (order["status"], order["total"]) == ("confirmed", 19.98)


@pytest.mark.parametrize("speak", [*ERAS, pytest.param(None, id="unknown")])
async def test_a_human_who_says_yes_has_ordered(tmp_path: Path, speak: Any) -> None:
    """MCP 2026-07-28 basic/patterns/mrtr; MCP 2025-11-25 client/elicitation."""
    human = Human()
    async with open_shop(tmp_path) as shop, shopper(shop, speak, human) as client:
        assert {tool.name for tool in await client.tools()} >= {"add_to_cart", "checkout"}
        await buy(client, human)
        [piece] = (await client.read(CART))["contents"]  # type: ignore[misc]
        assert json.loads(piece["text"])["items"] == []
        assert (await client.server()).revision == (speak or STATELESS)
    assert human.asked == ["Order this?\n2 x Whisker Wand: $19.98\nTotal: $19.98"]


@pytest.mark.parametrize("speak", ERAS)
async def test_a_human_who_says_no_has_ordered_nothing(tmp_path: Path, speak: Any) -> None:
    """MCP 2026-07-28 client/elicitation §response-actions."""
    human = Human(agrees=False)
    async with open_shop(tmp_path) as shop, shopper(shop, speak, human) as client:
        await buy(client, human)
        assert (await ask(client, "get_order_history"))["result"] == []
    assert len(human.asked) == 1


@pytest.mark.parametrize("speak", ERAS)
async def test_everything_that_can_be_read_is_read(tmp_path: Path, speak: Any) -> None:
    """MCP 2026-07-28 server/resources §listing-resources, §resource-templates,
    §reading-resources; MCP 2026-07-28 server/prompts §listing-prompts, §getting-a-prompt;
    MCP 2026-07-28 server/utilities/completion §requesting-completions;
    MCP 2026-07-28 extensions/skills §listing-skills, §verification-on-read.
    """
    async with open_shop(tmp_path) as shop, shopper(shop, speak) as client:
        uris = [str(each["uri"]) for each in await client.resources()]
        assert all([(await client.read(uri))["contents"] for uri in uris])
        assert [each["uriTemplate"] for each in await client.templates()]
        name = str((await client.prompts())[0]["name"])
        ref = {"type": "ref/prompt", "name": name}
        assert await client.complete(ref, "category", "to") == ["toys"]
        written = await client.prompt(name, {"cat": "Mia", "budget": "5", "category": "toys"})
        assert "Catnip Mouse" in str(written["messages"])
        [skill] = await client.skills()
        assert skill.files is not None
        assert [len(await client.read_skill(skill, uri)) for uri in skill.files]


@pytest.mark.parametrize("speak", ERAS)
async def test_a_changed_cart_is_told_to_whoever_follows_it(tmp_path: Path, speak: Any) -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §opening-a-stream, §notification-filter,
    §acknowledgment; MCP 2025-11-25 server/resources §subscriptions.
    """
    wanted = Wanted((CART,), ("resources",))
    async with (
        open_shop(tmp_path) as shop,
        shopper(shop, speak) as alice,
        shopper(shop, speak, name="bob") as bob,
    ):
        async with alice.follow(wanted) as hers, bob.follow(wanted) as his:
            assert hers.agreed == wanted.filter
            await ask(bob, "add_to_cart", product_id=2)
            assert (await anext(his)).method == "notifications/resources/updated"
            await ask(alice, "add_to_cart", product_id=1)
            assert ((await anext(hers)).params or {})["uri"] == CART
        assert (await ask(alice, "view_cart"))["item_count"] == 1


async def test_a_server_that_stops_ends_what_is_followed(tmp_path: Path) -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §graceful-closure."""
    async with (
        open_shop(tmp_path) as shop,
        shopper(shop, STATELESS) as client,
        client.follow(Wanted((CART,))) as changes,
    ):
        shop.server.drain()
        with pytest.raises(StopAsyncIteration):
            await anext(changes)


async def test_a_filter_that_is_refused_is_an_error_at_once(tmp_path: Path) -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions §opening-a-stream."""
    async with open_shop(tmp_path) as shop, connect(shop.mcp) as client:
        with pytest.raises(Refused, match="401"):
            async with client.follow(Wanted((CART,))):
                pytest.fail("nobody has signed in")


@pytest.mark.parametrize("speak", ERAS)
async def test_progress_finds_the_request_that_asked_for_it(speak: Any) -> None:
    """MCP 2026-07-28 basic/patterns/progress §progress-flow."""
    fixture = Fixture()
    async with (
        hosting(fixture.build()) as served,
        visitor(served, speak) as client,
    ):
        seen: list[tuple[str, object]] = []
        async with anyio.create_task_group() as tasks:
            for name in ("one", "two"):
                note = partial(lambda who, params: seen.append((who, params["progress"])), name)
                tasks.start_soon(partial(client.call, "progress", progress=note))
        for name in ("one", "two"):
            assert [step for who, step in seen if who == name] == [1, 2, 3]


@pytest.mark.parametrize("speak", ERAS)
async def test_what_nobody_waits_for_any_more_is_cancelled(speak: Any) -> None:
    """MCP 2026-07-28 basic/patterns/cancellation §transport-specific-cancellation;
    MCP 2025-11-25 basic/utilities/cancellation §cancellation-flow.
    """
    fixture = Fixture()
    async with (
        hosting(fixture.build()) as served,
        visitor(served, speak) as client,
    ):
        async with anyio.create_task_group() as tasks:
            call = partial(client.call, "wait", {"stream": True}, progress=lambda _: None)
            tasks.start_soon(call)
            await fixture.entered.wait()
            tasks.cancel_scope.cancel()
        await fixture.cancelled.wait()
        assert text_of(await client.call("echo", {"text": "still here"})) == "still here"


async def test_a_stream_that_the_server_closes_is_taken_up_again() -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery."""
    fixture = Fixture()
    fixture.release.set()
    limits = Limits(session=replace(Limits().session, retry_milliseconds=10))
    async with (
        hosting(fixture.build(), limits) as served,
        visitor(served, HANDSHAKE) as client,
    ):
        assert text_of(await client.call("leave")) == "later"


async def test_a_session_that_the_server_has_forgotten_is_begun_anew() -> None:
    """MCP 2025-11-25 basic/transports §session-management."""
    async with (
        hosting(Fixture().build()) as served,
        visitor(served, HANDSHAKE) as client,
    ):
        first = await client.server()
        headers = {"Mcp-Session-Id": str(first.session_id), "MCP-Protocol-Version": HANDSHAKE.name}
        assert (await served.client.delete(served.url, headers=headers)).is_success
        assert await client.tools()
        assert (await client.server()).session_id not in {None, first.session_id}


@pytest.mark.parametrize("era", list(Era))
async def test_a_server_of_one_era_is_spoken_to_in_that_era(era: Era) -> None:
    """MCP 2026-07-28 basic/versioning
    §backward-compatibility-with-initialization-based-versions.
    """
    async with (
        hosting(Fixture().build(), eras=frozenset({era})) as served,
        visitor(served) as client,
    ):
        assert await client.tools()
        assert (await client.server()).revision.era is era


async def test_a_question_of_the_handshake_era_is_answered_while_its_call_waits() -> None:
    """MCP 2025-11-25 client/elicitation §requested-schema."""
    human = Human()
    async with (
        hosting(Fixture().build()) as served,
        visitor(served, HANDSHAKE, human) as client,
    ):
        assert text_of(await client.call("ask")) == "accept"
    assert human.asked == ["Really?"]


@pytest.mark.parametrize("speak", ERAS)
async def test_an_error_of_the_server_s_keeps_its_code_and_its_data(speak: Any) -> None:
    """JSON-RPC 2.0 §5.1."""
    async with (
        hosting(Fixture().build()) as served,
        visitor(served, speak) as client,
    ):
        with pytest.raises(ServerError) as caught:
            await client.call("refuse")
    assert (caught.value.code, caught.value.data) == (-31000, {"why": "moon"})


@asynccontextmanager
async def jobs(human: Human, watch: Observer | None = None) -> AsyncIterator[Client]:
    """A client of the fixture of the official suite, whose calls become tasks."""
    trace = Trace()
    if watch is not None:
        trace.observe(watch)
    limits = Limits(task=replace(Limits().task, poll_milliseconds=10))
    listeners = await bind(("127.0.0.1",), 0)
    url = f"http://127.0.0.1:{port_of(listeners[0])}/mcp"
    async with everything() as dispatcher, anyio.create_task_group() as tasks:
        sessions = Sessions(limits, clock=utc_now, new_id=secrets.token_urlsafe, trace=Trace())
        endpoint = Endpoint(dispatcher, OpenGate(), sessions, limits)
        router = Router(endpoint.routes("/mcp"), Guard(), Trace())
        server = Server(router, limits=limits.http, trace=Trace())
        tasks.start_soon(server.serve, listeners)
        hurried = replace(ClientLimits(), longest_retry_seconds=0.05)
        fill_in = Handlers(elicit=_any(human))
        with anyio.fail_after(PATIENCE):
            async with connect(url, fill_in, None, Options(limits=hurried, trace=trace)) as client:
                yield client
        tasks.cancel_scope.cancel()


def _any(human: Human) -> Any:
    """The human fills in whatever the form has."""

    async def answer(params: Mapping[str, Any]) -> Mapping[str, object]:
        human.asked.append(str(params["message"]))
        fields = params["requestedSchema"]["properties"]
        kinds = {"boolean": True, "string": "Alice"}
        return accepted(params, {name: kinds[each["type"]] for name, each in fields.items()})

    return answer


async def test_a_result_that_comes_later_is_waited_for_and_its_questions_are_answered() -> None:
    """MCP 2026-07-28 extensions/tasks §task-polling, §task-update-requests, §task-status."""
    human = Human()
    async with jobs(human) as client:
        assert "Alice" in text_of(await client.call("test_tool_with_task"))
        await client.call("confirm_delete", {"filename": "cats.txt"})
        await client.call("multi_input")
        with pytest.raises(ServerError, match="broke off"):
            await client.call("protocol_error_job")
    assert len(human.asked) == len(set(human.asked)) == 4, "no question is put twice"


async def test_a_task_that_nobody_waits_for_any_more_is_cancelled() -> None:
    """MCP 2026-07-28 extensions/tasks §task-cancellation."""
    seen: list[str] = []
    begun = anyio.Event()

    def watch(event: Event) -> None:
        seen.append(event.name)
        if event.name == "task":
            begun.set()

    async with jobs(Human(), watch) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.call, "slow_compute", {"seconds": 600, "label": "cats"})
        await begun.wait()
        tasks.cancel_scope.cancel()
    assert "> tasks/cancel" in seen


@pytest.mark.parametrize("speak", [HANDSHAKE, None], ids=["handshake", "unknown"])
async def test_the_shop_is_the_same_on_a_pipe(tmp_path: Path, speak: Any) -> None:
    """MCP 2026-07-28 basic/transports/stdio; MCP 2026-07-28 basic/patterns/progress
    §progress-flow.
    """
    typed = "tuna and string\n"
    added = catshop(tmp_path, "user", "add", "alice", "--password-stdin", typed=typed)
    assert added.returncode == 0
    human, steps = Human(), list[object]()
    database = str(tmp_path / "catshop.db")
    env = environment(CATSHOP_USER="alice", CATSHOP_DATABASE=database)
    command = [sys.executable, "-m", "catshop", "stdio"]
    with anyio.fail_after(PATIENCE):
        async with launch(command, Handlers(human), Options(speak=speak), env) as client:
            async with client.follow(Wanted((CART,))) as changes:
                await buy(client, human)
                assert (await anext(changes)).method == "notifications/resources/updated"
            note = partial(lambda params: steps.append(params["progress"]))
            await client.call("restock_report", {"pace_ms": 0}, progress=note)
            assert (await client.server()).revision == (speak or STATELESS)
    assert len(human.asked) == 1
    assert steps or speak is not HANDSHAKE

"""Checkout and the human: who is asked, about what, and what an answer is good for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest
from mcp.client.client import Client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ClientCapabilities,
    ElicitationCapability,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    FormElicitationCapability,
    InputRequiredResult,
    UrlElicitationCapability,
)

from catshop.tools.human import shows_forms
from catshop.tools.products import SEED
from catshop.tools.shop import Shop

YES = ElicitResult(action="accept", content={"confirm": True})
UNTICKED = ElicitResult(action="accept", content={"confirm": False})
DECLINED = ElicitResult(action="decline")
DISMISSED = ElicitResult(action="cancel")
UNCLEAR = [
    pytest.param(ElicitResult(action="accept"), id="W5-no-content"),
    pytest.param(ElicitResult(action="accept", content={"confirm": "yes"}), id="W5-wrong-type"),
    pytest.param(ElicitResult(action="accept", content={"price": 1}), id="W5-other-field"),
]
CANCELLED = {"error": "Checkout cancelled"}


@dataclass
class Person:
    """Sits before a client that can ask, and gives the next of some answers."""

    answers: list[ElicitResult | ErrorData]
    asked: list[str] = field(default_factory=list)
    before: Callable[[], Any] | None = None

    async def answer(self, context: Any, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        """Read the question, perhaps do something else first, and answer."""
        del context
        self.asked.append(params.message)
        if self.before is not None:
            await self.before()
        return self.answers.pop(0)


async def fill(client: Client) -> None:
    """Put something into the cart."""
    await client.call_tool("add_to_cart", {"product_id": 1, "quantity": 2})


async def count(client: Client) -> int:
    """How many orders there are."""
    history = await client.call_tool("get_order_history")
    return len(history.structured_content["result"])


async def test_the_human_is_asked_what_it_costs_and_then_it_is_ordered(
    server: Server[Any], mode: str
) -> None:
    """MCP 2026-07-28 basic/patterns/mrtr §basic-workflow, MCP 2025-11-25 client/elicitation."""
    person = Person([YES])
    async with Client(server, mode=mode, elicitation_callback=person.answer) as client:
        await fill(client)
        ordered = await client.call_tool("checkout")
        assert await count(client) == 1
    assert ordered.structured_content["status"] == "confirmed"
    assert person.asked == ["Order this?\n2 x Whisker Wand: $19.98\nTotal: $19.98"]


@pytest.mark.parametrize("answer", [UNTICKED, DECLINED, DISMISSED])
async def test_a_human_who_does_not_agree_has_ordered_nothing(
    server: Server[Any], mode: str, answer: ElicitResult
) -> None:
    """MCP 2026-07-28 client/elicitation §response-actions."""
    person = Person([answer])
    async with Client(server, mode=mode, elicitation_callback=person.answer) as client:
        await fill(client)
        refused = await client.call_tool("checkout", {"confirm": True})
        assert (refused.is_error, refused.structured_content) == (True, CANCELLED)
        assert await count(client) == 0
        cart = await client.call_tool("view_cart")
    assert cart.structured_content["item_count"] == 2
    assert len(person.asked) == 1


@pytest.mark.parametrize("unclear", UNCLEAR)
async def test_an_answer_that_is_neither_yes_nor_no_is_asked_for_again(
    server: Server[Any], unclear: ElicitResult
) -> None:
    """Security case W5; MCP 2026-07-28 basic/patterns/mrtr §error-handling."""
    person = Person([unclear, YES])
    async with Client(server, elicitation_callback=person.answer) as client:
        await fill(client)
        assert not (await client.call_tool("checkout")).is_error
    assert len(person.asked) == 2


@pytest.mark.parametrize(
    "answer", [*UNCLEAR, pytest.param(ErrorData(code=-1, message="no screen"), id="error")]
)
async def test_a_client_that_brings_no_agreement_on_the_line_has_not_agreed(
    server: Server[Any], answer: ElicitResult | ErrorData
) -> None:
    """MCP 2025-11-25 client/elicitation §response-actions."""
    person = Person([answer])
    async with Client(server, mode="legacy", elicitation_callback=person.answer) as client:
        await fill(client)
        assert (await client.call_tool("checkout")).structured_content == CANCELLED
        assert await count(client) == 0


async def test_a_price_that_changed_while_the_human_thought_is_asked_about_again(
    server: Server[Any], shop: Shop, mode: str
) -> None:
    """Security case W5: the server's price wins, and nobody pays a price they did not see."""

    async def raise_price() -> None:
        await shop.catalog.replace([replace(SEED[0], price_cents=1099), *SEED[1:]])

    person = Person([YES, YES], before=raise_price)
    async with Client(server, mode=mode, elicitation_callback=person.answer) as client:
        await fill(client)
        ordered = await client.call_tool("checkout")
    assert ordered.structured_content["total"] == 21.98
    assert [question.rpartition("Total: ")[2] for question in person.asked] == ["$19.98", "$21.98"]


async def test_an_empty_cart_and_a_repeated_key_ask_nobody(server: Server[Any], mode: str) -> None:
    """docs/why/0005: a call that would order nothing has no question."""
    person = Person([YES])
    async with Client(server, mode=mode, elicitation_callback=person.answer) as client:
        assert (await client.call_tool("checkout")).is_error
        await fill(client)
        first = await client.call_tool("checkout", {"idempotency_key": "k"})
        await fill(client)
        again = await client.call_tool("checkout", {"idempotency_key": "k"})
    assert len(person.asked) == 1
    assert first.structured_content["order_id"] == again.structured_content["order_id"]


async def ask(client: Client) -> InputRequiredResult:
    """Begin a checkout, and get the question."""
    asked = await client.session.call_tool("checkout", {}, allow_input_required=True)
    assert isinstance(asked, InputRequiredResult)
    return asked


async def confirm(client: Client, asked: InputRequiredResult) -> CallToolResult:
    """Say yes to a question, however often it was answered before."""
    result = await client.session.call_tool(
        "checkout",
        {},
        input_responses={"confirm": YES},
        request_state=asked.request_state,
        allow_input_required=True,
    )
    assert isinstance(result, CallToolResult), "asked again"
    return result


async def test_of_50_confirmations_of_one_question_one_orders(server: Server[Any]) -> None:
    """Security case W3: one order, and errors for the rest."""
    outcomes: list[bool | None] = []
    person = Person([])
    async with Client(server, elicitation_callback=person.answer) as client:
        await fill(client)
        asked = await ask(client)

        async def say_yes() -> None:
            outcomes.append((await confirm(client, asked)).is_error)

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(say_yes)
        assert await count(client) == 1
    assert sorted(map(bool, outcomes)) == [False] + [True] * 49


async def test_an_answer_to_the_last_order_is_no_answer_to_the_next(server: Server[Any]) -> None:
    """Security case W3: a cart that looks the same is another cart."""
    person = Person([])
    async with Client(server, elicitation_callback=person.answer) as client:
        await fill(client)
        asked = await ask(client)
        assert not (await confirm(client, asked)).is_error
        await fill(client)
        with pytest.raises(AssertionError, match="asked again"):
            await confirm(client, asked)
        assert await count(client) == 1


async def test_who_cannot_be_asked_orders_by_calling(server: Server[Any], mode: str) -> None:
    """000.45: `checkout()` goes on working; `confirm` says the same in so many words."""
    async with Client(server, mode=mode) as client:
        for arguments in ({}, {"confirm": True}):
            await fill(client)
            assert not (await client.call_tool("checkout", arguments)).is_error
        assert await count(client) == 2


async def test_confirm_false_orders_nothing_and_asks_nobody(server: Server[Any], mode: str) -> None:
    """docs/why/0009: it is a no, whoever says it."""
    person = Person([])
    async with Client(server, mode=mode, elicitation_callback=person.answer) as client:
        await fill(client)
        refused = await client.call_tool("checkout", {"confirm": False})
        assert refused.structured_content == CANCELLED
        assert await count(client) == 0
    assert person.asked == []


FORMS = FormElicitationCapability()
URLS = UrlElicitationCapability()


@pytest.mark.parametrize(
    ("elicitation", "shown"),
    [
        pytest.param(None, "no form", id="nothing"),
        pytest.param(ElicitationCapability(), "a form", id="empty-means-forms"),
        pytest.param(ElicitationCapability(form=FORMS, url=URLS), "a form", id="forms-and-urls"),
        pytest.param(ElicitationCapability(url=URLS), "no form", id="urls-only"),
    ],
)
def test_only_who_shows_forms_is_asked(
    elicitation: ElicitationCapability | None, shown: str
) -> None:
    """MCP 2026-07-28 client/elicitation §capabilities."""
    assert shows_forms(ClientCapabilities(elicitation=elicitation)) is (shown == "a form")
    assert not shows_forms(None)


class Unread:
    """A session whose client's declaration nobody may read."""

    @property
    def client_capabilities(self) -> ClientCapabilities | None:
        """Fail: reading it takes time."""
        raise AssertionError("nobody has to be asked")


async def test_a_tool_that_asks_nobody_does_not_read_what_the_client_can(
    server: Server[Any],
) -> None:
    """docs/why/0003: a call that needs nothing pays for nothing."""
    entry = server.get_request_handler("tools/call")
    assert entry is not None
    ctx = ServerRequestContext[Any](
        session=Unread(),  # type: ignore[arg-type]  # all that a tool needs of a session
        lifespan_context={},
        protocol_version="2026-07-28",
        method="tools/call",
    )
    result = await entry.handler(ctx, CallToolRequestParams(name="list_products"))
    assert isinstance(result, CallToolResult)
    assert not result.is_error

"""Ready-made openings that a user picks: a gift for a cat, and buying again what was good.

A prompt is a table row: its arguments, what each may be and what to suggest for it, and the
function that writes the words. The words name real products at today's prices, and always leave
the last step to the user. Next: `completion.py`. MCP 2026-07-28 server/prompts.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final

from mcp_types import GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from catshop.tools.arguments import MOST, did_you_mean, show
from catshop.tools.faults import refusal
from catshop.tools.model import Line, Order, Product, dollars, plain
from catshop.tools.registry import Identity, Scope
from catshop.tools.shop import ToolCall

Values = Mapping[str, str]
Suggest = Callable[[ToolCall, Values], Awaitable[Sequence[str]]]
"""What an argument may be, the likeliest first; sees the arguments that are chosen already."""

BUDGETS: Final = ("5", "10", "15", "20", "30", "50", "100", "200")
"""Dollars that people spend on a cat."""

LINE: Final = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,200}"
"""One line of text: a value cannot pretend to be a paragraph of its own."""

AMOUNT: Final = r"[0-9]{1,6}(\.[0-9]{1,2})?"


RECENT: Final = 10
"""Orders that are looked at; nobody remembers more."""


async def categories(call: ToolCall, _chosen: Values) -> Sequence[str]:
    """The categories of the shelf, by name."""
    shelf = await call.shop.catalog.shelf()
    return sorted({product.category for product in shelf.products})


async def budgets(call: ToolCall, chosen: Values) -> Sequence[str]:
    """Budgets that buy something, in the chosen category if there is one."""
    products = (await call.shop.catalog.shelf()).of(chosen.get("category"))
    prices = [product.price_cents for product in products]
    return [budget for budget in BUDGETS if any(price <= cents(budget) for price in prices)]


async def products_bought_first(call: ToolCall, _chosen: Values) -> Sequence[str]:
    """Names of products: those that the user has bought, newest first, then the rest."""
    sold = [product.name for product in (await call.shop.catalog.shelf()).products]
    bought = [line.name for order in await _history(call) for line in order.basket.lines]
    return list(dict.fromkeys([*bought, *sold]))


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a prompt. MCP 2026-07-28 server/prompts §prompt."""

    name: str
    description: str
    required: bool = False
    pattern: str = LINE
    suggest: Suggest | None = None


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """One prompt: what it asks for, and who writes it."""

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    identity: Identity
    scopes: tuple[Scope, ...]
    write: Callable[[ToolCall, Values], Awaitable[str]]

    def listed(self) -> Prompt:
        """As `prompts/list` shows it."""
        arguments = [
            PromptArgument(name=one.name, description=one.description, required=one.required)
            for one in self.arguments
        ]
        return Prompt(
            name=self.name,
            title=self.title,
            description=self.description,
            arguments=arguments,
        )

    def argument(self, name: str) -> Argument | None:
        """The argument of that name."""
        return next((one for one in self.arguments if one.name == name), None)


async def gift(call: ToolCall, values: Values) -> str:
    """A gift for a given cat: what the budget buys."""
    shelf = await call.shop.catalog.shelf()
    budget = cents(values["budget"]) if "budget" in values else None
    fitting = [
        product
        for product in shelf.of(values.get("category"))
        if budget is None or product.price_cents <= budget
    ]
    limit = "" if budget is None else f" I want to spend at most {dollars(budget)}."
    return "\n".join(
        (
            f"Help me to choose a gift for a cat: {values['cat']}.{limit}",
            "The shop has these:" if fitting else "The shop has nothing like that.",
            *(f"- {_described(product)}" for product in fitting),
            "Suggest what suits this cat best, at most three things, and say why in a sentence"
            " each. Ask me before you put anything into the cart.",
        )
    )


async def reorder(call: ToolCall, values: Values) -> str:
    """What the user bought last, at today's prices."""
    wanted = values.get("product")
    lines = _bought(await _history(call), wanted)
    if not lines:
        what = f"{wanted} here" if wanted else "anything here"
        return f"I have not bought {what} yet. Show me what the shop sells, and let me choose."
    shelf = await call.shop.catalog.shelf()
    return "\n".join(
        (
            "I want to buy again what I bought last:",
            *(f"- {_again(line, shelf.by_id.get(line.product_id))}" for line in lines),
            "Put it into my cart, show me the cart, and check out only when I have said yes.",
        )
    )


CATEGORY: Final = Argument("category", "Only gifts of this category.", suggest=categories)

PROMPTS: Final[Mapping[str, PromptSpec]] = {
    spec.name: spec
    for spec in (
        PromptSpec(
            "gift_for_a_cat",
            "A gift for a cat",
            "Choose something for a given cat, within a budget.",
            (
                Argument("cat", "The cat: its name, and what it likes.", required=True),
                Argument(
                    "budget", "The most to spend, in dollars.", pattern=AMOUNT, suggest=budgets
                ),
                CATEGORY,
            ),
            Identity.NONE,
            (Scope.CATALOG_READ,),
            gift,
        ),
        PromptSpec(
            "reorder",
            "Buy again",
            "Buy once more what you bought last, or one product of your past orders.",
            (
                Argument(
                    "product", "Only this product, by its name.", suggest=products_bought_first
                ),
            ),
            Identity.USER,
            (Scope.CATALOG_READ, Scope.ORDERS_READ),
            reorder,
        ),
    )
}
"""Every prompt, in the order of the names."""


def offered(call: ToolCall) -> dict[str, PromptSpec]:
    """The prompts that this caller can use: without a user there is nothing to buy again."""
    return {
        name: spec
        for name, spec in PROMPTS.items()
        if call.owner or spec.identity is not Identity.USER
    }


async def get(call: ToolCall, name: str, values: Values) -> GetPromptResult:
    """The prompt, written for these arguments. MCPError E-PROMPT-01 or E-PROMPT-02.

    MCP 2026-07-28 server/prompts §error-handling.
    """
    known = offered(call)
    spec = known.get(name)
    if spec is None:
        raise refusal("E-PROMPT-01", f"{show(name)}{did_you_mean(name, known)}")
    if wrong := list(islice(_wrong(spec, values), MOST)):
        raise refusal("E-PROMPT-02", "; ".join(wrong))
    text = TextContent(type="text", text=await spec.write(call, values))
    return GetPromptResult(
        description=spec.description, messages=[PromptMessage(role="user", content=text)]
    )


def _wrong(spec: PromptSpec, values: Values) -> Iterable[str]:
    """What does not fit, each as `/pointer: why`."""
    names = [one.name for one in spec.arguments]
    for one in spec.arguments:
        if one.name not in values and one.required:
            yield f"/{one.name}: is missing"
        elif one.name in values and not re.fullmatch(one.pattern, values[one.name]):
            yield f"/{one.name}: {show(values[one.name])} is not what it should be"
    for name in values:
        if name not in names:
            yield f"/{show(name)}: is not known here{did_you_mean(name, names)}"


def cents(amount: str) -> int:
    """Dollars as they are written, in cents."""
    return int(Decimal(amount) * 100)


def _described(product: Product) -> str:
    price = dollars(product.price_cents)
    return f"{product.name} (product_id {product.id}), {price}: {product.description}"


def _bought(history: Iterable[Order], wanted: str | None) -> list[Line]:
    """The lines of the newest order, or of the newest that has the wanted product."""
    for order in history:
        lines = [
            line
            for line in order.basket.lines
            if wanted is None or plain(line.name) == plain(wanted)
        ]
        if lines:
            return lines
    return []


def _again(line: Line, today: Product | None) -> str:
    if today is None:
        return f"{line.quantity} x {line.name}: no longer sold; suggest something like it"
    price = dollars(today.price_cents)
    return f"{line.quantity} x {today.name} (product_id {today.id}), now {price} each"


async def _history(call: ToolCall) -> list[Order]:
    if call.owner is None:
        return []
    return await call.shop.orders.history(call.owner, RECENT)

"""Faults of the shop itself: whose cart, at whose price, and how often.

They show that a wire without a flaw makes no sound shop. Next: `../bench.py`, which switches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from catshop.lab.model import Fault, Plane
from catshop.lab.swaps import Swap, instead
from catshop.tools.model import UserId


def _everybody(_original: Any) -> property:
    return property(lambda call: UserId("everybody", "everybody"))


async def _never_placed(*_: object) -> None:
    """No order is known by its key."""


def _keyless(original: Any) -> Callable[..., Any]:
    async def place(self: Any, user: Any, order_id: str, now: Any, _key: Any, agreed: Any) -> Any:
        return await original(self, user, order_id, now, None, agreed)

    return place


def _at_your_price(original: Any) -> Callable[..., Any]:
    """A `price` among the arguments of add_to_cart becomes the price."""

    async def serve(spec: Any, call: Any, params: Any) -> Any:
        given = dict(params.arguments or {})
        price = given.pop("price", None) if spec.name == "add_to_cart" else None
        if price is not None:
            shelf = await call.shop.catalog.shelf()
            cents, bought = round(price * 100), given.get("product_id")
            await call.shop.catalog.replace(
                [
                    replace(each, price_cents=cents) if each.id == bought else each
                    for each in shelf.products
                ]
            )
        return await original(spec, call, params.model_copy(update={"arguments": given}))

    return serve


async def _yes(*_: object) -> bool:
    """The human is not asked."""
    return True


def _unread(_original: Any) -> Callable[..., Any]:
    return lambda _self, given: dict(given)


FAULTS: Final = (
    Fault(
        "cart-of-another-user",
        Plane.SHOP,
        "cart.owner",
        "All users have one cart.",
        "Bob sees what alice is about to buy, and can buy it.",
        "a look into a cart that should be empty",
        "MCP 2026-07-28 server/tools section security-considerations",
        (Swap("catshop.tools.shop:ToolCall.user", _everybody),),
    ),
    Fault(
        "checkout-not-idempotent",
        Plane.SHOP,
        "checkout.idempotency_key",
        "A checkout that is repeated with its key orders again.",
        "One lost answer, and the user pays twice.",
        "a comparison of two order_ids",
        "docs/why/0005",
        (
            instead("catshop.storage.shop.orders:SqlOrders.repeated", _never_placed),
            Swap("catshop.storage.shop.orders:SqlOrders.place", _keyless),
        ),
    ),
    Fault(
        "price-from-client",
        Plane.SHOP,
        "tool.add_to_cart",
        "A price among the arguments of add_to_cart becomes the price.",
        "A cat tree costs a cent.",
        "E-ARGS-01",
        "MCP 2026-07-28 server/tools section security-considerations",
        (Swap("catshop.tools.server:_serve", _at_your_price),),
    ),
    Fault(
        "checkout-unasked",
        Plane.SHOP,
        "checkout.agreed",
        "An order is placed without asking the human, where the client could.",
        "A model buys, and its user learns of it afterwards.",
        "a look for the question before an order",
        "docs/why/0009",
        (instead("catshop.tools.human:Caller.agrees", _yes),),
    ),
    Fault(
        "arguments-unchecked",
        Plane.SHOP,
        "tool.arguments",
        "The arguments of a tool are not held against its schema.",
        "A quantity of minus one makes a cart smaller than empty, or the server fails.",
        "E-ARGS-01",
        "MCP 2026-07-28 server/tools section security-considerations",
        (Swap("catshop.tools.arguments:Arguments.read", _unread),),
    ),
)
"""Of carts and orders."""

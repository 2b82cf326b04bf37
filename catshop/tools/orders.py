"""The tools that order, and that show what was ordered.

A call may be repeated because its answer was lost. With an `idempotency_key` the repeated call
gives the same order, however late it comes. Without one it finds the cart empty, so it orders
nothing either, and its answer shows the order that was just placed. Before anything is ordered the
human is asked, where that is possible, and agrees to one cart at its prices, once: docs/why/0009.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from catshop.tools.answers import Answer, Json
from catshop.tools.cart import LINES
from catshop.tools.catalog import CEILINGS, MONEY
from catshop.tools.faults import ToolFault
from catshop.tools.model import Offer, Order, Placement, decimal, dollars
from catshop.tools.registry import (
    ORDERS,
    Identity,
    RateClass,
    Schema,
    Scope,
    ToolSpec,
    answers,
    listing,
    record,
    tool,
)
from catshop.tools.shop import ToolCall

ORDER_ID: Final[Schema] = {"type": "string", "pattern": "^[0-9A-F]{16}$"}
STATUS: Final[Schema] = {"const": "confirmed"}
PAST_ORDER: Final = record(
    "*",
    order_id=ORDER_ID,
    status=STATUS,
    placed_at={"type": "string", "format": "date-time"},
    items=LINES,
    total=MONEY,
)


@tool(
    title="Order what is in the cart",
    takes=record(
        idempotency_key={
            "type": "string",
            "pattern": r"^[!-~]{1,64}(?![\s\S])",
            "maxLength": 64,
            "description": (
                "A name of your choice for this purchase, new for each. A call that is repeated"
                " with the same key gives the same order instead of a second one."
            ),
        },
        confirm={
            "type": "boolean",
            "default": True,
            "description": (
                "Whether the user wants the order; false orders nothing. It does not replace the"
                " user's own answer where the client can ask for it."
            ),
        },
    ),
    gives=answers(
        record(
            "*",
            order_id=ORDER_ID,
            status=STATUS,
            items=LINES,
            total=MONEY,
            message={"type": "string"},
        ),
        record("error", error={"type": "string"}, last_order=PAST_ORDER),
    ),
    scopes=(Scope.CART_WRITE, Scope.ORDERS_WRITE),
    identity=Identity.USER,
    annotations=ORDERS,
    rate_class=RateClass.ORDER,
)
async def checkout(
    call: ToolCall, idempotency_key: str | None = None, *, confirm: bool = True
) -> Answer:
    """Order everything in the user's cart at today's prices, and empty the cart.

    Use it only when the user has said that they want to buy. Gives the order_id, the items, the
    total and a sentence for the user. If you get no answer, call again with the same
    idempotency_key: it never orders twice. Where the client can ask the user, the user is asked
    first; a user who does not agree has ordered nothing.
    """
    shop, user = call.shop, call.user
    if not confirm:
        raise ToolFault("E-ORDER-02")
    placed = await shop.orders.repeated(user, idempotency_key) if idempotency_key else None
    while placed is None:
        offer = await _agreed(call)
        placed = await shop.orders.place(
            user, shop.new_order_id(), shop.clock(), idempotency_key, offer
        )
    return {
        "order_id": placed.order.id,
        "status": "confirmed",
        "items": [line.wire() for line in placed.order.basket.lines],
        "total": decimal(placed.order.basket.total_cents),
        "message": _message(placed, call.name),
    }


async def _agreed(call: ToolCall) -> Offer:
    """What the cart offers, once the human has agreed to just that."""
    offer = await call.shop.orders.offer(call.user)
    if not offer.basket.lines:
        raise ToolFault("E-ORDER-01", None, **await _just_ordered(call))
    if not await call.human.agrees(_question(offer), offer.digest):
        raise ToolFault("E-ORDER-02")
    return offer


def _question(offer: Offer) -> str:
    """What the human is asked: what is bought, and what it costs. Prices are the server's."""
    lines = [
        f"{line.quantity} x {line.name}: {dollars(line.subtotal_cents)}"
        for line in offer.basket.lines
    ]
    total = dollars(offer.basket.total_cents)
    return "\n".join(["Order this?", *lines, f"Total: {total}"])


@tool(
    title="Show past orders",
    takes=record(
        number_of_orders={
            "type": "integer",
            "minimum": 1,
            "maximum": CEILINGS.history,
            "default": 5,
            "description": "How many of the last orders to show.",
        },
    ),
    gives=answers(listing(PAST_ORDER)),
    scopes=(Scope.ORDERS_READ,),
    identity=Identity.USER,
    rate_class=RateClass.ORDER,
)
async def get_order_history(call: ToolCall, number_of_orders: int = 5) -> Answer:
    """Show the user's last orders, newest first, with the names and prices of their day.

    Use it when the user asks what they bought, or to see whether a checkout went through. Gives
    order_id, status, time (UTC), items and total of each.
    """
    most = min(number_of_orders, call.shop.limits.history)
    return [_past(order) for order in await call.shop.orders.history(call.user, most)]


def _message(placed: Placement, name: str) -> str:
    if placed.still_in_cart:
        return (
            f"Order {placed.order.id} was confirmed before with this idempotency_key. Your cart"
            f" still holds {placed.still_in_cart} things; order them with a new key."
        )
    return (
        f"Order {placed.order.id} confirmed! Thanks {name}, your cats will love their new goodies!"
    )


async def _just_ordered(call: ToolCall) -> Json:
    """The order that an impatient caller has just placed, for the answer that finds no cart."""
    age = timedelta(seconds=call.shop.limits.repeat_seconds)
    for order in await call.shop.orders.history(call.user, 1):
        if call.shop.clock() - order.placed_at <= age:
            return {"last_order": _past(order)}
    return {}


def _past(order: Order) -> Json:
    return {
        "order_id": order.id,
        "status": "confirmed",
        "placed_at": order.placed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "items": [line.wire() for line in order.basket.lines],
        "total": decimal(order.basket.total_cents),
    }


TOOLS: Final[tuple[ToolSpec, ...]] = (checkout, get_order_history)

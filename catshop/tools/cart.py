"""The tools that fill a cart: add, view, change, remove.

They need a user, because a cart belongs to one, and they never read another's. What they refuse,
they refuse in the words that the first Cat Shop used. Next: `orders.py`, which sells it.
"""

from __future__ import annotations

from typing import Final, NoReturn

from catshop.tools.answers import Answer
from catshop.tools.catalog import MONEY, PRODUCT_ID
from catshop.tools.faults import ToolFault
from catshop.tools.model import MOST
from catshop.tools.ports import Refusal
from catshop.tools.registry import (
    ADDS,
    CHANGES,
    Identity,
    RateClass,
    Schema,
    Scope,
    ToolSpec,
    answers,
    record,
    tool,
)
from catshop.tools.shop import ToolCall

LINE: Final = record(
    "*",
    product_id={"type": "integer"},
    name={"type": "string"},
    price=MONEY,
    quantity={"type": "integer", "minimum": 1},
    subtotal=MONEY,
)
LINES: Final[Schema] = {"type": "array", "items": LINE}
DONE: Final = answers(record("*", success={"const": True}, message={"type": "string"}))


@tool(
    title="Put into the cart",
    takes=record(
        "product_id",
        product_id=PRODUCT_ID,
        quantity={
            "type": "integer",
            "minimum": 1,
            "maximum": MOST,
            "default": 1,
            "description": "How many to add to what is in the cart already.",
        },
    ),
    gives=DONE,
    scopes=(Scope.CART_WRITE,),
    identity=Identity.USER,
    annotations=ADDS,
    rate_class=RateClass.CART,
)
async def add_to_cart(call: ToolCall, product_id: int, quantity: int = 1) -> Answer:
    """Put some of a product into the user's cart.

    Use it when the user wants to buy something; nothing is ordered before checkout. What is in the
    cart already is added to, so do not repeat a call that has answered. Use update_cart_quantity to
    set an exact number.
    """
    line = await call.shop.carts.add(call.user, product_id, quantity, call.shop.most)
    if isinstance(line, Refusal):
        _refuse(line, call.shop.most)
    return _done(f"Added {quantity}x {line.name} to your cart")


@tool(
    title="View the cart",
    takes=record(),
    gives=answers(
        record("*", items=LINES, total=MONEY, item_count={"type": "integer", "minimum": 0})
    ),
    scopes=(Scope.CART_READ,),
    identity=Identity.USER,
    rate_class=RateClass.CART,
)
async def view_cart(call: ToolCall) -> Answer:
    """Show the user's cart.

    Use it before checkout, and whenever the user asks what they are about to buy. Gives each line
    with price, quantity and subtotal, the total, and how many things there are in all.
    """
    return (await call.shop.carts.view(call.user)).wire()


@tool(
    title="Take out of the cart",
    takes=record("product_id", product_id=PRODUCT_ID),
    gives=DONE,
    scopes=(Scope.CART_WRITE,),
    identity=Identity.USER,
    annotations=CHANGES,
    rate_class=RateClass.CART,
)
async def remove_from_cart(call: ToolCall, product_id: int) -> Answer:
    """Take a product out of the user's cart, however many of it there are.

    Use update_cart_quantity to take out only some of them.
    """
    if not await call.shop.carts.remove(call.user, product_id):
        raise ToolFault("E-CART-01")
    return _done("Item removed from cart")


@tool(
    title="Change a quantity",
    takes=record(
        "product_id quantity",
        product_id=PRODUCT_ID,
        quantity={
            "type": "integer",
            "minimum": 0,
            "maximum": MOST,
            "description": "How many there shall be; 0 takes the product out.",
        },
    ),
    gives=DONE,
    scopes=(Scope.CART_WRITE,),
    identity=Identity.USER,
    annotations=CHANGES,
    rate_class=RateClass.CART,
)
async def update_cart_quantity(call: ToolCall, product_id: int, quantity: int) -> Answer:
    """Set how many of a product are in the user's cart; 0 takes it out.

    Use it to correct a number. The product must be in the cart; add_to_cart puts it there.
    """
    if quantity == 0:
        if not await call.shop.carts.remove(call.user, product_id):
            raise ToolFault("E-CART-01")
        return _done("Item removed from cart")
    if quantity > call.shop.most:
        _refuse(Refusal.TOO_MANY, call.shop.most)
    line = await call.shop.carts.set(call.user, product_id, quantity)
    if isinstance(line, Refusal):
        _refuse(line, call.shop.most)
    return _done(f"Updated {line.name} to {quantity} in your cart")


def _done(message: str) -> Answer:
    return {"success": True, "message": message}


def _refuse(refusal: Refusal, most: int) -> NoReturn:
    match refusal:
        case Refusal.UNKNOWN_PRODUCT:
            raise ToolFault("E-TOOL-02")
        case Refusal.NOT_IN_CART:
            raise ToolFault("E-CART-01")
        case Refusal.TOO_MANY:
            raise ToolFault("E-CART-02", f"A cart holds at most {most} of one product")


TOOLS: Final[tuple[ToolSpec, ...]] = (
    add_to_cart,
    view_cart,
    remove_from_cart,
    update_cart_quantity,
)

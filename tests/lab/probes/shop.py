"""Probes of carts and orders."""

from __future__ import annotations

from tests.lab.world import World, hold, probe
from tests.support.hosting import ENVELOPE

FORMS = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}


@probe("cart-of-another-user")
async def nobody_sees_the_cart_of_another(w: World) -> None:
    assert (await (await w.bearer()).tool("add_to_cart", product_id=1))["isError"] is False
    seen = await (await w.bearer()).tool("view_cart")
    hold(seen["structuredContent"]["items"] == [], seen["structuredContent"])


@probe("checkout-not-idempotent")
async def a_key_orders_once(w: World) -> None:
    guest, orders = await w.bearer(), []
    for _ in range(2):
        await guest.tool("add_to_cart", product_id=1)
        placed = await guest.tool("checkout", idempotency_key="one-purchase")
        orders.append(placed["structuredContent"]["order_id"])
    hold(orders[0] == orders[1], orders)


@probe("price-from-client")
async def nobody_names_a_price(w: World) -> None:
    told = await (await w.bearer()).tool("add_to_cart", product_id=1, price=0.01)
    hold(told["isError"], told)


@probe("checkout-unasked")
async def the_human_is_asked_before_an_order(w: World) -> None:
    guest = await w.bearer()
    await guest.tool("add_to_cart", product_id=1)
    told = await guest.tool("checkout", FORMS)
    hold("inputRequests" in told, told)


@probe("arguments-unchecked")
async def arguments_that_do_not_fit_are_refused(w: World) -> None:
    told = await (await w.bearer()).tool("get_order_history", number_of_orders=0)
    hold(told.get("isError"), told)

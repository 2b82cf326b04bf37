"""The tools that belong to a user: cart, checkout and history, in the words of system 000."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from mcp_types import CallToolResult

from catshop.kernel import Principal
from catshop.tools.model import decimal
from tests.oauth.cases import case

CallTool = Callable[..., Awaitable[CallToolResult]]


def error(result: CallToolResult) -> tuple[str, str]:
    """Code and words of a failed call."""
    assert result.is_error
    assert result.meta is not None
    return str(result.meta["catshop/code"]), result.structured_content["error"]


@pytest.mark.parametrize(
    ("cents", "number"), [(999, 9.99), (1000, 10), (0, 0), (1, 0.01), (4999 * 99, 4949.01)]
)
def test_money_is_a_decimal_on_the_wire(cents: int, number: float) -> None:
    """Integer cents inside, a JSON number outside, without a binary remainder."""
    assert repr(decimal(cents)) == repr(number)


async def test_a_filled_cart_is_shown_and_ordered_and_empty(call: CallTool) -> None:
    """000.42 to 000.45, word by word."""
    added = await call("add_to_cart", product_id=1, quantity=2)
    assert added.structured_content == {
        "success": True,
        "message": "Added 2x Whisker Wand to your cart",
    }
    items = [
        {"product_id": 1, "name": "Whisker Wand", "price": 9.99, "quantity": 2, "subtotal": 19.98}
    ]
    viewed = await call("view_cart")
    assert viewed.structured_content == {"items": items, "total": 19.98, "item_count": 2}
    ordered = await call("checkout")
    assert ordered.structured_content == {
        "order_id": "0000000000000001",
        "status": "confirmed",
        "items": items,
        "total": 19.98,
        "message": "Order 0000000000000001 confirmed! Thanks alice, your cats will love their new"
        " goodies!",
    }
    empty = await call("view_cart")
    assert empty.structured_content == {"items": [], "total": 0, "item_count": 0}


async def test_an_item_is_removed_once(call: CallTool) -> None:
    """000.44."""
    await call("add_to_cart", product_id=1)
    removed = await call("remove_from_cart", product_id=1)
    assert removed.structured_content == {"success": True, "message": "Item removed from cart"}
    again = await call("remove_from_cart", product_id=1)
    assert error(again) == ("E-CART-01", "Item not in cart")


async def test_a_quantity_of_0_removes(call: CallTool) -> None:
    """000.60: update_cart_quantity."""
    await call("add_to_cart", product_id=1)
    updated = await call("update_cart_quantity", product_id=1, quantity=7)
    assert updated.structured_content["message"] == "Updated Whisker Wand to 7 in your cart"
    removed = await call("update_cart_quantity", product_id=1, quantity=0)
    assert removed.structured_content["message"] == "Item removed from cart"
    for quantity in (0, 1):
        missing = await call("update_cart_quantity", product_id=1, quantity=quantity)
        assert error(missing) == ("E-CART-01", "Item not in cart")


async def test_what_does_not_exist_is_not_added(call: CallTool) -> None:
    """000.42."""
    refused = await call("add_to_cart", product_id=999)
    assert error(refused) == ("E-TOOL-02", "Product not found")


async def test_a_hundredth_of_one_product_is_refused(call: CallTool) -> None:
    """Quantity 1 to 99 of one product in one cart."""
    await call("add_to_cart", product_id=1, quantity=99)
    refused = await call("add_to_cart", product_id=1)
    assert error(refused) == ("E-CART-02", "A cart holds at most 99 of one product")


async def test_a_checkout_retried_with_its_key_is_the_same_answer(call: CallTool) -> None:
    """A retried call never orders twice."""
    await call("add_to_cart", product_id=1)
    first = await call("checkout", idempotency_key="order-of-today")
    second = await call("checkout", idempotency_key="order-of-today")
    assert first.structured_content == second.structured_content


async def test_a_used_key_says_what_still_lies_in_the_cart(call: CallTool) -> None:
    """A model that uses one key for two purchases learns why the second did not happen."""
    await call("add_to_cart", product_id=1)
    await call("checkout", idempotency_key="k")
    await call("add_to_cart", product_id=2, quantity=3)
    again = await call("checkout", idempotency_key="k")
    assert again.structured_content["order_id"] == "0000000000000001"
    assert "still holds 3 things; order them with a new key" in again.structured_content["message"]


async def test_a_checkout_retried_without_key_shows_the_order_just_placed(
    call: CallTool, steps: Any
) -> None:
    """It finds the cart empty, orders nothing, and says what the lost answer would have said."""
    await call("add_to_cart", product_id=1)
    placed = await call("checkout")
    retried = await call("checkout")
    assert error(retried) == ("E-ORDER-01", "Your cart is empty")
    order = retried.structured_content["last_order"]
    assert order["order_id"] == placed.structured_content["order_id"]
    assert order["placed_at"] == "2026-11-20T12:00:00.000Z"
    steps.now += timedelta(hours=1)
    later = await call("checkout")
    assert later.structured_content == {"error": "Your cart is empty"}


async def test_history_shows_the_newest_first(call: CallTool, steps: Any) -> None:
    """000.61: get_order_history(number_of_orders=5)."""
    for _ in range(7):
        await call("add_to_cart", product_id=1)
        await call("checkout")
        steps.now += timedelta(minutes=1)
    five = (await call("get_order_history")).structured_content["result"]
    assert [order["order_id"][-1] for order in five] == ["7", "6", "5", "4", "3"]
    assert five[0] == {
        "order_id": "0000000000000007",
        "status": "confirmed",
        "placed_at": "2026-11-20T12:06:00.000Z",
        "items": [
            {
                "product_id": 1,
                "name": "Whisker Wand",
                "price": 9.99,
                "quantity": 1,
                "subtotal": 9.99,
            }
        ],
        "total": 9.99,
    }
    assert len((await call("get_order_history", number_of_orders=2)).content) == 2


@case("S16", "carts and orders of others are answered as if they did not exist")
async def test_carts_and_orders_of_another_user_are_not_there(
    call: CallTool, alice: Principal
) -> None:
    """Check A000-12: the same answer as if they did not exist."""
    bob = replace(alice, subject="user-2", username="alice")
    await call("add_to_cart", product_id=1)
    viewed = await call("view_cart", bob)
    assert viewed.structured_content == {"items": [], "total": 0, "item_count": 0}
    refused = await call("remove_from_cart", bob, product_id=1)
    assert error(refused) == ("E-CART-01", "Item not in cart")
    await call("checkout")
    history = await call("get_order_history", bob)
    assert history.structured_content == {"result": []}


USERS_TOOLS = [
    ("add_to_cart", {"product_id": 1}),
    ("view_cart", {}),
    ("remove_from_cart", {"product_id": 1}),
    ("update_cart_quantity", {"product_id": 1, "quantity": 1}),
    ("checkout", {}),
    ("get_order_history", {}),
]


@pytest.mark.parametrize(("name", "arguments"), USERS_TOOLS, ids=[name for name, _ in USERS_TOOLS])
async def test_a_cart_needs_a_user_and_not_only_a_client(
    call: CallTool, alice: Principal, name: str, arguments: dict[str, object]
) -> None:
    """000.46: no user named unknown; a token without subject has no cart."""
    machine = replace(alice, subject=None, username=None)
    for principal in (machine, None):
        refused = await call(name, principal, **arguments)
        assert error(refused) == (
            "E-TOOL-03",
            "This tool needs a user; the token belongs to a client alone",
        )


async def test_a_user_without_a_name_is_thanked_by_subject(
    call: CallTool, alice: Principal
) -> None:
    """The name is for greeting, never for deciding."""
    nameless = replace(alice, username=None)
    await call("add_to_cart", nameless, product_id=1)
    ordered = await call("checkout", nameless)
    assert "Thanks user-1," in ordered.structured_content["message"]

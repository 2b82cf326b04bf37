"""The contract of `tools.ports.Carts`, for every engine."""

from __future__ import annotations

import anyio
import pytest

from catshop.storage.database import Database
from catshop.storage.shop import ShopStores, stores
from catshop.tools.model import Line, UserId
from catshop.tools.ports import Refusal
from catshop.tools.products import SEED

ALICE = UserId("https://shop.test", "1")
BOB = UserId("https://shop.test", "2")
ALICE_ELSEWHERE = UserId("https://other.test", "1")


@pytest.fixture
async def shop(database: Database) -> ShopStores:
    """A shop with the eight products."""
    found = stores(database)
    await found.catalog.seed(SEED)
    return found


async def test_the_same_product_added_twice_is_one_line(shop: ShopStores) -> None:
    """Check A000-12: quantities are summed."""
    await shop.carts.add(ALICE, 1, 2, 99)
    assert await shop.carts.add(ALICE, 1, 3, 99) == Line(1, "Whisker Wand", 999, 5)
    basket = await shop.carts.view(ALICE)
    assert (len(basket.lines), basket.count, basket.total_cents) == (1, 5, 4995)


async def test_a_cart_is_seen_by_its_user_alone(shop: ShopStores) -> None:
    """Check A000-12: two users' carts are disjoint; a subject is a user only at its issuer."""
    await shop.carts.add(ALICE, 1, 1, 99)
    await shop.carts.add(BOB, 2, 1, 99)
    assert (await shop.carts.view(ALICE_ELSEWHERE)).lines == ()
    assert [line.product_id for line in (await shop.carts.view(BOB)).lines] == [2]
    assert await shop.carts.remove(BOB, 1) is False
    assert await shop.carts.set(BOB, 1, 9) is Refusal.NOT_IN_CART
    assert (await shop.carts.view(ALICE)).count == 1


async def test_a_product_that_is_not_sold_cannot_be_added(shop: ShopStores) -> None:
    """000.42: unknown product."""
    assert await shop.carts.add(ALICE, 999, 1, 99) is Refusal.UNKNOWN_PRODUCT
    assert await shop.carts.add(ALICE, 2**53 - 1, 1, 99) is Refusal.UNKNOWN_PRODUCT


@pytest.mark.parametrize(
    ("first", "second"),
    [pytest.param(99, 1, id="99-and-one-more"), pytest.param(50, 50, id="two-halves-too-many")],
)
async def test_a_cart_never_holds_more_than_the_most(
    shop: ShopStores, first: int, second: int
) -> None:
    """Quantity 1 to 99, and what is in the cart counts."""
    await shop.carts.add(ALICE, 1, first, 99)
    assert await shop.carts.add(ALICE, 1, second, 99) is Refusal.TOO_MANY
    assert (await shop.carts.view(ALICE)).count == first


async def test_a_first_addition_above_the_most_is_refused_too(shop: ShopStores) -> None:
    """A limit below 99 holds for a new line as for an old one."""
    assert await shop.carts.add(ALICE, 1, 11, 10) is Refusal.TOO_MANY
    assert (await shop.carts.view(ALICE)).lines == ()


async def test_additions_that_race_add_up_and_stop_at_the_most(shop: ShopStores) -> None:
    """Fifty calls of three: thirty-three fit into 99, and the others are told so."""
    outcomes: list[Line | Refusal] = []

    async def add() -> None:
        outcomes.append(await shop.carts.add(ALICE, 1, 3, 99))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(add)
    assert (await shop.carts.view(ALICE)).count == 99
    assert outcomes.count(Refusal.TOO_MANY) == 17


async def test_a_quantity_is_set_exactly(shop: ShopStores) -> None:
    """000.60: update_cart_quantity."""
    await shop.carts.add(ALICE, 1, 5, 99)
    assert await shop.carts.set(ALICE, 1, 2) == Line(1, "Whisker Wand", 999, 2)
    assert await shop.carts.set(ALICE, 2, 2) is Refusal.NOT_IN_CART


@pytest.mark.parametrize("quantity", [0, -1, 100])
async def test_the_tables_themselves_refuse_a_quantity_out_of_range(
    shop: ShopStores, database: Database, quantity: int
) -> None:
    """CHECK (quantity BETWEEN 1 AND 99): the last line of defence, whatever the code above does."""
    with pytest.raises(Exception, match=r"(?i)constraint"):
        await database.write(
            lambda s: s.run("INSERT INTO cart_items VALUES ('i', 's', 1, ?)", quantity)
        )
    assert (await shop.carts.view(UserId("i", "s"))).lines == ()


async def test_of_those_who_race_to_remove_one_does(shop: ShopStores) -> None:
    """Exactly one is told that it was in the cart."""
    await shop.carts.add(ALICE, 1, 1, 99)
    removed: list[bool] = []

    async def remove() -> None:
        removed.append(await shop.carts.remove(ALICE, 1))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(remove)
    assert removed.count(True) == 1

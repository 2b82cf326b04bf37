"""The contract of `tools.ports.Orders`, for every engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import anyio
import pytest

from catshop.kernel import Trace
from catshop.limits import StorageLimits
from catshop.storage.database import Database
from catshop.storage.shop import ShopStores, stores
from catshop.storage.sqlite import SqliteDatabase
from catshop.tools.model import Placement, UserId
from catshop.tools.products import SEED
from tests.oauth.cases import case

NOW = datetime(2026, 11, 20, 12, 0, 0, 123_000, tzinfo=UTC)
ALICE = UserId("https://shop.test", "1")
BOB = UserId("https://shop.test", "2")


@pytest.fixture
async def shop(database: Database) -> ShopStores:
    """A shop with the eight products, and a full cart for Alice."""
    found = stores(database)
    await found.catalog.seed(SEED)
    await found.carts.add(ALICE, 1, 2, 99)
    await found.carts.add(ALICE, 4, 1, 99)
    return found


async def take(
    shop: ShopStores, user: UserId, order_id: str, now: datetime, key: str | None
) -> Placement | None:
    """Order what the cart offers at this moment."""
    return await shop.orders.place(user, order_id, now, key, await shop.orders.offer(user))


async def test_an_order_holds_the_cart_and_the_cart_is_empty(shop: ShopStores) -> None:
    """000.45: one transaction, and the order is stored."""
    placed = await take(shop, ALICE, "A" * 16, NOW, None)
    assert placed is not None
    assert (placed.order.id, placed.order.placed_at) == ("A" * 16, NOW)
    assert placed.order.basket.total_cents == 2 * 999 + 2999
    assert (await shop.carts.view(ALICE)).lines == ()
    assert await shop.orders.history(ALICE, 5) == [placed.order]


async def test_an_empty_cart_is_no_order(shop: ShopStores) -> None:
    """000.45: nothing is written."""
    assert await take(shop, BOB, "A" * 16, NOW, None) is None
    assert await take(shop, BOB, "A" * 16, NOW, "key") is None
    assert await shop.orders.history(BOB, 5) == []


async def test_an_offer_is_the_cart_with_todays_prices(shop: ShopStores) -> None:
    """What a checkout would order, and nothing else."""
    offer = await shop.orders.offer(ALICE)
    assert offer.basket == await shop.carts.view(ALICE)
    assert offer.number == 1
    assert (await shop.orders.offer(BOB)).basket.lines == ()


async def add_one(shop: ShopStores) -> None:
    """Change what the cart holds."""
    await shop.carts.add(ALICE, 1, 1, 99)


async def take_out(shop: ShopStores) -> None:
    """Change what the cart holds."""
    await shop.carts.remove(ALICE, 4)


async def raise_a_price(shop: ShopStores) -> None:
    """Change what the cart costs."""
    await shop.catalog.replace([replace(SEED[0], price_cents=1099), *SEED[1:]])


async def order_and_fill_again(shop: ShopStores) -> None:
    """Another cart that looks the same."""
    await take(shop, ALICE, "B" * 16, NOW, None)
    await shop.carts.add(ALICE, 1, 2, 99)
    await shop.carts.add(ALICE, 4, 1, 99)


@pytest.mark.parametrize("change", [add_one, take_out, raise_a_price, order_and_fill_again])
async def test_an_offer_that_is_no_longer_what_was_agreed_to_is_not_taken(
    shop: ShopStores, change: Callable[[ShopStores], Awaitable[None]]
) -> None:
    """Security cases W3 and W5: an agreement holds for one cart, at its prices, and once."""
    agreed = await shop.orders.offer(ALICE)
    await change(shop)
    cart = await shop.carts.view(ALICE)
    assert await shop.orders.place(ALICE, "A" * 16, NOW, None, agreed) is None
    assert await shop.carts.view(ALICE) == cart
    now = await shop.orders.offer(ALICE)
    assert now.digest != agreed.digest


async def test_a_key_finds_the_order_that_it_placed(shop: ShopStores) -> None:
    """And no other user's."""
    assert await shop.orders.repeated(ALICE, "key-1") is None
    placed = await take(shop, ALICE, "A" * 16, NOW, "key-1")
    assert await shop.orders.repeated(ALICE, "key-1") == placed
    assert await shop.orders.repeated(BOB, "key-1") is None


async def test_of_50_checkouts_of_one_cart_one_orders(shop: ShopStores) -> None:
    """A retried call never orders twice, however many arrive together."""
    placed: list[Placement | None] = []

    async def checkout(number: int) -> None:
        placed.append(await take(shop, ALICE, f"{number:016X}", NOW, None))

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(checkout, number)
    assert sum(one is not None for one in placed) == 1
    assert len(await shop.orders.history(ALICE, 50)) == 1
    assert await shop.orders.sold(1) == 2


async def test_50_checkouts_with_one_key_all_get_the_one_order(shop: ShopStores) -> None:
    """idempotency_key: every retry is answered with the order of the first."""
    numbers, ids = count(), set[str]()

    async def checkout() -> None:
        placed = await take(shop, ALICE, f"{next(numbers):016X}", NOW, "key-1")
        assert placed is not None
        ids.add(placed.order.id)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(checkout)
    assert len(ids) == 1
    assert len(await shop.orders.history(ALICE, 50)) == 1


async def test_a_used_key_takes_nothing_from_a_new_cart(shop: ShopStores) -> None:
    """However late the retry comes, what was put into the cart since stays there."""
    first = await take(shop, ALICE, "A" * 16, NOW, "key-1")
    await shop.carts.add(ALICE, 2, 3, 99)
    again = await take(shop, ALICE, "B" * 16, NOW + timedelta(days=9), "key-1")
    assert first is not None
    assert again is not None
    assert again == replace(first, still_in_cart=3)
    assert (await shop.carts.view(ALICE)).count == 3
    other = await take(shop, ALICE, "B" * 16, NOW, "key-2")
    assert other is not None
    assert other.order.id == "B" * 16


@case("S16", "the key of another user's order tells nothing and takes nothing")
async def test_a_key_is_one_users_own(shop: ShopStores) -> None:
    """Another user's key tells nothing and takes nothing."""
    await take(shop, ALICE, "A" * 16, NOW, "key-1")
    assert await take(shop, BOB, "B" * 16, NOW, "key-1") is None
    await shop.carts.add(BOB, 1, 1, 99)
    placed = await take(shop, BOB, "B" * 16, NOW, "key-1")
    assert placed is not None
    assert placed.order.id == "B" * 16
    assert [order.id for order in await shop.orders.history(ALICE, 5)] == ["A" * 16]


async def test_an_order_keeps_the_prices_and_names_of_its_day(shop: ShopStores) -> None:
    """The price snapshot outlives the catalog."""
    placed = await take(shop, ALICE, "A" * 16, NOW, None)
    await shop.catalog.replace([replace(SEED[0], name="Magic Wand", price_cents=1)])
    [order] = await shop.orders.history(ALICE, 5)
    assert placed is not None
    assert order == placed.order
    assert [line.name for line in order.basket.lines] == ["Whisker Wand", "Cozy Cat Bed"]


async def test_history_is_newest_first_and_no_longer_than_asked(shop: ShopStores) -> None:
    """000.61: get_order_history(number_of_orders)."""
    for number in range(4):
        await shop.carts.add(ALICE, 1, 1, 99)
        at = NOW + timedelta(minutes=number)
        await take(shop, ALICE, f"{number:016X}", at, None)
    newest = await shop.orders.history(ALICE, 3)
    assert [order.id for order in newest] == [f"{number:016X}" for number in (3, 2, 1)]


async def test_an_order_that_fails_in_the_middle_leaves_the_cart(
    shop: ShopStores, database: Database
) -> None:
    """Security case I4: what was not acknowledged is wholly absent."""
    await take(shop, ALICE, "A" * 16, NOW, None)
    await shop.carts.add(ALICE, 1, 1, 99)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await take(shop, ALICE, "A" * 16, NOW, None)
    assert (await shop.carts.view(ALICE)).count == 1
    assert await database.one("SELECT count(*) AS n FROM order_items") == {"n": 2}


BUY = """
import sys, anyio, pathlib, datetime
from catshop.kernel import Trace, utc_now
from catshop.limits import StorageLimits
from catshop.storage.migrate import migrate
from catshop.storage.shop import stores
from catshop.storage.sqlite import SqliteDatabase
from catshop.tools.model import UserId
from catshop.tools.products import SEED
from tests.oauth.cases import case

async def main():
    database = SqliteDatabase.open(pathlib.Path(sys.argv[1]), StorageLimits(), Trace())
    await migrate(database, utc_now())
    shop, alice = stores(database), UserId("https://shop.test", "1")
    await shop.catalog.seed(SEED)
    await shop.carts.add(alice, 1, 2, 99)
    offer = await shop.orders.offer(alice)
    await shop.orders.place(alice, "A" * 16, utc_now(), "key-1", offer)
    await shop.carts.add(alice, 2, 1, 99)
    print("acknowledged", flush=True)
    sys.stdin.read()

anyio.run(main)
"""


async def test_orders_and_carts_survive_kill_9(
    tmp_path: Path, killed: Callable[[str, Path], None]
) -> None:
    """Security case I3: what was acknowledged is there, and a retry still gives the one order."""
    path = tmp_path / "killed.db"
    killed(BUY, path)
    database = SqliteDatabase.open(path, StorageLimits(), Trace())
    shop = stores(database)
    again = await take(shop, ALICE, "B" * 16, NOW, "key-1")
    assert again is not None
    assert (again.order.id, again.still_in_cart) == ("A" * 16, 1)
    assert (await shop.carts.view(ALICE)).count == 1
    await database.close()

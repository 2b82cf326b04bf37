"""The contract of `tools.ports.Catalog`, for every engine."""

from __future__ import annotations

from dataclasses import replace

import anyio

from catshop.storage.database import Database
from catshop.storage.shop import stores
from catshop.tools.model import Product, UserId
from catshop.tools.products import SEED

ALICE = UserId("https://shop.test", "alice")
YARN = Product(9, "Ball of Yarn", "Red", 150, "toys")


async def test_an_empty_catalog_is_seeded_with_8_products_once(database: Database) -> None:
    """Check A000-2: a second run still has 8."""
    catalog = stores(database).catalog
    assert await catalog.seed(SEED) == 8
    assert await catalog.seed(SEED) == 0
    assert (await catalog.shelf()).products == SEED


async def test_of_those_who_seed_at_once_one_does(database: Database) -> None:
    """Two servers that start on one new file."""
    added: list[int] = []

    async def start() -> None:
        added.append(await stores(database).catalog.seed(SEED))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(start)
    assert sorted(added) == [0] * 7 + [8]


async def test_the_shelf_is_the_same_object_until_the_catalog_changes(database: Database) -> None:
    """What was computed from a shelf may be kept for as long as the shelf is current."""
    catalog = stores(database).catalog
    await catalog.seed(SEED)
    before = await catalog.shelf()
    await stores(database).carts.add(ALICE, 1, 1, 99)
    assert await catalog.shelf() is before
    await catalog.replace([*SEED, YARN])
    assert (await catalog.shelf()).products == (*SEED, YARN)


async def test_a_change_by_somebody_else_is_seen_at_once(database: Database) -> None:
    """Another process that replaces the catalog leaves no reader with an old price."""
    here, there = stores(database).catalog, stores(database).catalog
    await here.seed(SEED)
    await here.shelf()
    dearer = replace(SEED[0], price_cents=1999)
    await there.replace([dearer, *SEED[1:]])
    assert (await here.shelf()).by_id[1].price_cents == 1999


async def test_replacing_the_catalog_by_itself_changes_nothing(database: Database) -> None:
    """A server that starts with the same file each time keeps carts and readers undisturbed."""
    shop = stores(database)
    await shop.catalog.seed(SEED)
    await shop.carts.add(ALICE, 1, 2, 99)
    shelf = await shop.catalog.shelf()
    await shop.catalog.replace(SEED)
    assert await shop.catalog.shelf() is shelf
    assert (await shop.carts.view(ALICE)).count == 2


async def test_a_new_catalog_keeps_what_is_still_sold_in_the_carts(database: Database) -> None:
    """Carts lose what is no longer sold and show the new price of what is."""
    shop = stores(database)
    await shop.catalog.seed(SEED)
    await shop.carts.add(ALICE, 1, 2, 99)
    await shop.carts.add(ALICE, 2, 1, 99)
    await shop.catalog.replace([replace(SEED[0], price_cents=1000)])
    [line] = (await shop.carts.view(ALICE)).lines
    assert (line.product_id, line.price_cents, line.quantity) == (1, 1000, 2)

"""Who is told that a product, the catalog or a cart has changed, and that nobody else is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import pytest
from mcp_types import CallToolResult

from catshop.kernel import Change, Changes, ListChanged, Listing, Principal, ResourceUpdated
from catshop.tools.announcing import announced, differences, watch
from catshop.tools.model import Product, Shelf
from catshop.tools.products import SEED
from catshop.tools.server import build_server
from catshop.tools.shop import Shop

CallTool = Callable[..., Awaitable[CallToolResult]]
CART = ResourceUpdated("catshop://cart")
LIST = ListChanged(Listing.RESOURCES)
YARN = Product(9, "Ball of Yarn", "Red", 150, "toys")
DEARER = replace(SEED[0], price_cents=1099)


@pytest.fixture
def heard() -> list[Change]:
    """What was told."""
    return []


@pytest.fixture
def telling(shop: Shop, heard: list[Change]) -> Shop:
    """The shop, with somebody who listens."""
    changes = Changes()
    changes.listen(heard.append)
    return announced(shop, changes)


@pytest.fixture
def call(telling: Shop, caller: Callable[..., CallTool]) -> CallTool:
    """A tool of that shop."""
    return caller(build_server(telling, version="1"))


def test_a_new_price_is_told_of_the_product_and_of_every_cart() -> None:
    """MCP 2026-07-28 server/resources §subscriptions: a cart shows today's prices."""
    after = Shelf((DEARER, *SEED[1:]))
    assert list(differences(Shelf(SEED), after)) == [ResourceUpdated("catshop://products/1"), CART]


@pytest.mark.parametrize(
    ("after", "uri"),
    [((*SEED, YARN), "catshop://products/9"), (SEED[:7], "catshop://products/8")],
    ids=["added", "gone"],
)
def test_another_set_of_products_is_another_list(after: tuple[Product, ...], uri: str) -> None:
    """MCP 2026-07-28 server/resources §list-changed-notification."""
    assert list(differences(Shelf(SEED), Shelf(after))) == [ResourceUpdated(uri), LIST, CART]


async def test_each_change_of_a_cart_is_told_to_its_owner_alone(
    call: CallTool, heard: list[Change], alice: Principal
) -> None:
    """Security case S16: that somebody shops is nobody else's business."""
    hers = ResourceUpdated("catshop://cart", alice.user)
    told: list[tuple[str, dict[str, object], list[Change]]] = [
        ("add_to_cart", {"product_id": 1}, [hers]),
        ("add_to_cart", {"product_id": 99}, []),
        ("update_cart_quantity", {"product_id": 1, "quantity": 3}, [hers]),
        ("remove_from_cart", {"product_id": 1}, [hers]),
        ("remove_from_cart", {"product_id": 1}, []),
        ("add_to_cart", {"product_id": 2}, [hers]),
        ("checkout", {"confirm": False}, []),
        ("checkout", {"idempotency_key": "k"}, [hers]),
        ("checkout", {"idempotency_key": "k"}, []),
        ("view_cart", {}, []),
        ("get_order_history", {}, []),
    ]
    for name, arguments, expected in told:
        heard.clear()
        await call(name, **arguments)
        assert heard == expected, name
    assert hers.concerns(alice)
    assert not hers.concerns(replace(alice, subject="bob"))


async def test_a_catalog_that_is_replaced_here_is_told_at_once(
    telling: Shop, heard: list[Change]
) -> None:
    """MCP 2026-07-28 server/resources §subscriptions."""
    assert await telling.catalog.seed(SEED) == 0
    assert heard == []
    await telling.catalog.replace([DEARER, *SEED[1:]])
    assert heard == [ResourceUpdated("catshop://products/1"), CART]


async def test_a_catalog_that_somebody_else_replaces_is_told_when_it_is_seen(
    shop: Shop, telling: Shop, heard: list[Change]
) -> None:
    """Another process writes to the same database; a subscriber of this one is told."""
    rounds, seen = 0, anyio.Event()

    async def pause(seconds: float) -> None:
        nonlocal rounds
        assert seconds == shop.limits.watch_seconds
        rounds += 1
        if rounds == 1:
            await shop.catalog.replace([DEARER, *SEED[1:]])
            return
        seen.set()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, replace(telling, pause=pause))
        with anyio.fail_after(5):
            await seen.wait()
        tasks.cancel_scope.cancel()
    assert heard == [ResourceUpdated("catshop://products/1"), CART]

"""Stores that tell of their changes: to each port of `ports.py`, the same port with a voice.

A tool changes a cart and knows nothing of subscriptions; the store that it writes to has been
wrapped, and says what is no longer what it was, once that is true. Another process may change the
catalog too: `watch` looks from time to time. Next: `resources.py`. MCP 2026-07-28 server/resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from catshop.kernel import Change, Changes, ListChanged, Listing, ResourceUpdated, Unavailable
from catshop.tools.model import Basket, Line, Offer, Order, Placement, Product, Shelf, UserId
from catshop.tools.ports import Carts, Catalog, Orders, Refusal
from catshop.tools.shop import Shop
from catshop.tools.uris import CART, product_uri


def announced(shop: Shop, changes: Changes) -> Shop:
    """The same shop, telling `changes` of everything that a subscriber may follow."""
    return replace(
        shop,
        catalog=AnnouncingCatalog(shop.catalog, changes),
        carts=AnnouncingCarts(shop.carts, changes),
        orders=AnnouncingOrders(shop.orders, changes),
    )


async def watch(shop: Shop) -> NoReturn:
    """Look for a new shelf again and again, for whoever follows it and asks nothing."""
    while True:
        with suppress(Unavailable):
            await shop.catalog.shelf()
        await shop.pause(shop.limits.watch_seconds)


def differences(before: Shelf, after: Shelf) -> Iterator[Change]:
    """What a new shelf makes untrue: each product that changed, the list, and every cart.

    A cart shows today's prices, so whoever follows a cart hears of a new price, too.
    """
    for number in sorted(before.by_id.keys() | after.by_id.keys()):
        if before.by_id.get(number) != after.by_id.get(number):
            yield ResourceUpdated(product_uri(number))
    if [(one.id, one.name) for one in before.products] != [
        (one.id, one.name) for one in after.products
    ]:
        yield ListChanged(Listing.RESOURCES)
    yield ResourceUpdated(CART)


class AnnouncingCatalog:
    """The catalog, telling of each new shelf that it sees."""

    def __init__(self, catalog: Catalog, changes: Changes) -> None:
        self._catalog = catalog
        self._changes = changes
        self._seen: Shelf | None = None

    async def shelf(self) -> Shelf:
        """The catalog as it is now."""
        shelf = await self._catalog.shelf()
        before, self._seen = self._seen, shelf
        if before is not None and before is not shelf:
            for change in differences(before, shelf):
                self._changes.publish(change)
        return shelf

    async def seed(self, products: Sequence[Product]) -> int:
        """Fill an empty catalog."""
        added = await self._catalog.seed(products)
        await self.shelf()
        return added

    async def replace(self, products: Sequence[Product]) -> None:
        """Make `products` the whole catalog."""
        await self._catalog.replace(products)
        await self.shelf()


class AnnouncingCarts:
    """The carts, telling each owner of what became of theirs."""

    def __init__(self, carts: Carts, changes: Changes) -> None:
        self._carts = carts
        self._changes = changes

    async def view(self, user: UserId) -> Basket:
        """The cart with today's prices."""
        return await self._carts.view(user)

    async def add(self, user: UserId, product_id: int, quantity: int, most: int) -> Line | Refusal:
        """Put more of a product into the cart."""
        return self._told(user, await self._carts.add(user, product_id, quantity, most))

    async def set(self, user: UserId, product_id: int, quantity: int) -> Line | Refusal:
        """Change how many of a product are in the cart."""
        return self._told(user, await self._carts.set(user, product_id, quantity))

    async def remove(self, user: UserId, product_id: int) -> bool:
        """Take a product out."""
        removed = await self._carts.remove(user, product_id)
        if removed:
            self._changes.publish(cart_of(user))
        return removed

    def _told(self, user: UserId, outcome: Line | Refusal) -> Line | Refusal:
        if isinstance(outcome, Line):
            self._changes.publish(cart_of(user))
        return outcome


class AnnouncingOrders:
    """The orders; one that is placed has emptied a cart."""

    def __init__(self, orders: Orders, changes: Changes) -> None:
        self._orders = orders
        self._changes = changes

    async def offer(self, user: UserId) -> Offer:
        """What a checkout would order now."""
        return await self._orders.offer(user)

    async def repeated(self, user: UserId, key: str) -> Placement | None:
        """The order that this user has placed with `key`."""
        return await self._orders.repeated(user, key)

    async def place(
        self, user: UserId, order_id: str, now: datetime, key: str | None, agreed: Offer
    ) -> Placement | None:
        """Turn the cart into an order and empty it."""
        placed = await self._orders.place(user, order_id, now, key, agreed)
        if placed is not None and placed.order.id == order_id:
            self._changes.publish(cart_of(user))
        return placed

    async def history(self, user: UserId, most: int) -> list[Order]:
        """The user's last orders."""
        return await self._orders.history(user, most)

    async def sold(self, product_id: int) -> int:
        """How many of a product were ever ordered."""
        return await self._orders.sold(product_id)


def cart_of(user: UserId) -> ResourceUpdated:
    """The change of one user's cart, of which nobody else may learn."""
    return ResourceUpdated(CART, owner=(user.issuer, user.subject))

"""What the shop asks of whatever keeps its goods, carts and orders. Each verb says what must hold
when it races with itself; a contract test per port proves it for every engine.

Every verb may raise `kernel.Unavailable`; then nothing was changed. Next: `registry.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from catshop.tools.model import Basket, Line, Offer, Order, Placement, Product, Shelf, UserId


class Refusal(Enum):
    """Why a cart stays as it was."""

    UNKNOWN_PRODUCT = auto()
    NOT_IN_CART = auto()
    TOO_MANY = auto()


class Catalog(Protocol):
    """What is sold."""

    async def shelf(self) -> Shelf:
        """The catalog as it is now, whoever changed it; the same object while it is unchanged."""
        ...

    async def seed(self, products: Sequence[Product]) -> int:
        """Fill an empty catalog and say how many were added; 0 when it was not empty.

        However many ask together, one of them fills it.
        """
        ...

    async def replace(self, products: Sequence[Product]) -> None:
        """Make `products` the whole catalog, at once for every reader.

        Carts lose what is no longer sold and show the new price of what is; orders do not change.
        """
        ...


class Carts(Protocol):
    """What each user is about to buy. No verb reads or changes another user's cart."""

    async def view(self, user: UserId) -> Basket:
        """The cart with today's prices, by product id."""
        ...

    async def add(self, user: UserId, product_id: int, quantity: int, most: int) -> Line | Refusal:
        """Put more of a product into the cart. Calls that race add up, and never exceed `most`."""
        ...

    async def set(self, user: UserId, product_id: int, quantity: int) -> Line | Refusal:
        """Change how many of a product are in the cart, at least 1; the last of a race stays."""
        ...

    async def remove(self, user: UserId, product_id: int) -> bool:
        """Take a product out; True for exactly one of those who race to take it."""
        ...


class Orders(Protocol):
    """What was bought."""

    async def offer(self, user: UserId) -> Offer:
        """What a checkout would order now."""
        ...

    async def repeated(self, user: UserId, key: str) -> Placement | None:
        """The order that this user has placed with `key`, if there is one."""
        ...

    async def place(
        self, user: UserId, order_id: str, now: datetime, key: str | None, agreed: Offer
    ) -> Placement | None:
        """Turn the cart into an order and empty it, in one transaction.

        None when what was agreed to is no longer what the cart offers, or offers nothing; so an
        offer is taken at most once, however many ask together. A `key` that this user has used
        gives the order that it gave before, and takes nothing from the cart.
        """
        ...

    async def history(self, user: UserId, most: int) -> list[Order]:
        """The user's last orders, newest first."""
        ...

    async def sold(self, product_id: int) -> int:
        """How many of a product were ever ordered, by anybody."""
        ...

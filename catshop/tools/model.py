"""The shop's own words: products on a shelf, lines in a cart, orders that keep their prices.

Everything is frozen, and money is integer cents from the database to the last step, where `decimal`
makes 999 the JSON number 9.99. Knows neither the wire nor the tables. Next: `ports.py`.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import astuple, dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

MOST: Final = 99
"""Of one product in one cart or order; the tables refuse more, so a limit can only be lower."""


def decimal(cents: int) -> int | float:
    """Cents as the JSON number that a reader expects: 999 is 9.99, and 1000 is 10."""
    return cents // 100 if cents % 100 == 0 else cents / 100


def dollars(cents: int) -> str:
    """Cents as a human reads them."""
    return f"${cents // 100}.{cents % 100:02}"


@dataclass(frozen=True, slots=True)
class UserId:
    """Who owns a cart: the subject at its issuer, which stays when a name changes."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Product:
    """Something that is sold."""

    id: int
    name: str
    description: str
    price_cents: int
    category: str

    def wire(self) -> dict[str, object]:
        """As a tool answers it."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "price": decimal(self.price_cents),
            "category": self.category,
        }


class Shelf:
    """The catalog at one moment. It never changes: another catalog is another shelf.

    So whatever was computed from a shelf may be kept for as long as the shelf is the current one.
    """

    def __init__(self, products: tuple[Product, ...]) -> None:
        self.products = products

    @cached_property
    def by_id(self) -> dict[int, Product]:
        """Each product under its id."""
        return {product.id: product for product in self.products}

    def of(self, category: str | None) -> tuple[Product, ...]:
        """The products of one category, or all; none for a category that nobody has heard of."""
        if category is None:
            return self.products
        return tuple(product for product in self.products if product.category == category)

    def search(self, query: str, category: str | None, most: int) -> tuple[Product, ...]:
        """Products that have every word in their name or description; hits in the name come first.

        The words are compared without case, in Python: every engine gives the same answer, and
        `%` and `_` mean themselves. A shop of some thousand products needs no index for it.
        """
        words = plain(query).split()
        hits = [
            (not all(word in plain(product.name) for word in words), product)
            for product in self.of(category)
            if all(word in plain(f"{product.name}\n{product.description}") for word in words)
        ]
        return tuple(product for _, product in sorted(hits, key=lambda hit: hit[0])[:most])


def plain(text: str) -> str:
    """Text as it is compared: without case, and however it was composed."""
    return unicodedata.normalize("NFKC", text).casefold()


@dataclass(frozen=True, slots=True)
class Line:
    """Some of one product, at a price: now, in a cart; as it was, in an order."""

    product_id: int
    name: str
    price_cents: int
    quantity: int

    @property
    def subtotal_cents(self) -> int:
        """What the line costs."""
        return self.price_cents * self.quantity

    def wire(self) -> dict[str, object]:
        """As a tool answers it."""
        return {
            "product_id": self.product_id,
            "name": self.name,
            "price": decimal(self.price_cents),
            "quantity": self.quantity,
            "subtotal": decimal(self.subtotal_cents),
        }


@dataclass(frozen=True, slots=True)
class Basket:
    """Lines that belong together, and what they come to."""

    lines: tuple[Line, ...]

    @property
    def total_cents(self) -> int:
        """What all lines cost."""
        return sum(line.subtotal_cents for line in self.lines)

    @property
    def count(self) -> int:
        """How many things, not how many lines."""
        return sum(line.quantity for line in self.lines)

    def wire(self) -> dict[str, object]:
        """As a cart is shown."""
        return {
            "items": [line.wire() for line in self.lines],
            "total": decimal(self.total_cents),
            "item_count": self.count,
        }


@dataclass(frozen=True, slots=True)
class Order:
    """A checkout that happened, with the names and prices of its moment."""

    id: str
    placed_at: datetime
    basket: Basket


@dataclass(frozen=True, slots=True)
class Offer:
    """What a checkout would order now: the cart, at today's prices, as the user's order number so.

    Whoever agrees, agrees to one offer. A changed cart and a changed price make another one, and so
    does every order: an offer that was taken never comes back, though the next cart be the same.
    """

    basket: Basket
    number: int

    @property
    def digest(self) -> str:
        """The same for the same offer, and for no other."""
        lines = [astuple(line) for line in self.basket.lines]
        return hashlib.sha256(json.dumps([self.number, lines]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Placement:
    """What a checkout came to: an order, and what still lies in the cart.

    The cart is empty after an order was placed; after a repeated call, which answers with the order
    of the first, it may already hold something new.
    """

    order: Order
    still_in_cart: int

"""The port `tools.ports.Carts` in SQL: what each user is about to buy.

What may race is one statement: it adds, and it refuses too many, so that two calls at once cannot
both see room for the last of a product. Knows no tools. Next: `orders.py`, which empties a cart.
"""

from __future__ import annotations

from typing import Final

from catshop.storage.database import Database, Statements
from catshop.storage.shop.rows import line
from catshop.tools.model import Basket, Line, UserId
from catshop.tools.ports import Refusal

CART: Final = """
    SELECT product_id, name, price_cents, quantity
    FROM cart_items JOIN products ON products.id = cart_items.product_id
    WHERE issuer = ? AND subject = ?
"""

ADD: Final = """
    INSERT INTO cart_items (issuer, subject, product_id, quantity) VALUES (?, ?, ?, ?)
    ON CONFLICT (issuer, subject, product_id)
    DO UPDATE SET quantity = cart_items.quantity + excluded.quantity
    WHERE cart_items.quantity + excluded.quantity <= ?
"""


class SqlCarts:
    """What each user is about to buy."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def view(self, user: UserId) -> Basket:
        """The cart with today's prices, by product id."""
        rows = await self._database.all(f"{CART} ORDER BY product_id", user.issuer, user.subject)
        return Basket(tuple(line(row) for row in rows))

    async def add(self, user: UserId, product_id: int, quantity: int, most: int) -> Line | Refusal:
        """Put more of a product into the cart; together never more than `most`."""

        def work(statements: Statements) -> Line | Refusal:
            if statements.one("SELECT id FROM products WHERE id = ?", product_id) is None:
                return Refusal.UNKNOWN_PRODUCT
            key = (user.issuer, user.subject, product_id)
            if quantity > most or not statements.run(ADD, *key, quantity, most):
                return Refusal.TOO_MANY
            return _line(statements, user, product_id)

        return await self._database.write(work)

    async def set(self, user: UserId, product_id: int, quantity: int) -> Line | Refusal:
        """Change how many of a product are in the cart."""

        def work(statements: Statements) -> Line | Refusal:
            changed = statements.run(
                "UPDATE cart_items SET quantity = ?"
                " WHERE issuer = ? AND subject = ? AND product_id = ?",
                *(quantity, user.issuer, user.subject, product_id),
            )
            return _line(statements, user, product_id) if changed else Refusal.NOT_IN_CART

        return await self._database.write(work)

    async def remove(self, user: UserId, product_id: int) -> bool:
        """Take a product out; True when it was in."""

        def work(statements: Statements) -> bool:
            return bool(
                statements.run(
                    "DELETE FROM cart_items WHERE issuer = ? AND subject = ? AND product_id = ?",
                    *(user.issuer, user.subject, product_id),
                )
            )

        return await self._database.write(work)


def _line(statements: Statements, user: UserId, product_id: int) -> Line:
    [row] = statements.all(f"{CART} AND product_id = ?", user.issuer, user.subject, product_id)
    return line(row)

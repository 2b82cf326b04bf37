"""The port `tools.ports.Orders` in SQL: what was bought, at the price of that moment.

A cart is taken by one statement, `DELETE ... RETURNING`: whoever gets its rows writes the order,
and everybody else finds another offer than was agreed to. Knows no tools. Next:
`catshop/tools/orders.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from catshop.storage.database import Database, Row, Statements, milliseconds, moment
from catshop.storage.shop.carts import CART
from catshop.storage.shop.rows import line, number, text
from catshop.tools.model import Basket, Offer, Order, Placement, UserId

TAKE: Final = """
    DELETE FROM cart_items WHERE issuer = ? AND subject = ? RETURNING product_id, quantity
"""

SNAPSHOT: Final = """
    INSERT INTO order_items (order_id, product_id, name, price_cents, quantity)
    SELECT ?, id, name, price_cents, ? FROM products WHERE id = ?
"""

LINES: Final = """
    SELECT product_id, name, price_cents, quantity FROM order_items
    WHERE order_id = ? ORDER BY product_id
"""

PLACED: Final = "SELECT count(*) AS placed FROM orders WHERE issuer = ? AND subject = ?"

BY_KEY: Final = """
    SELECT id, placed_at FROM orders WHERE issuer = ? AND subject = ? AND idempotency_key = ?
"""

WAITING: Final = "SELECT quantity FROM cart_items WHERE issuer = ? AND subject = ?"

HISTORY: Final = """
    SELECT id, placed_at FROM orders WHERE issuer = ? AND subject = ?
    ORDER BY placed_at DESC, id DESC LIMIT ?
"""


class SqlOrders:
    """What was bought."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def offer(self, user: UserId) -> Offer:
        """What a checkout would order now."""
        [placed] = await self._database.all(PLACED, user.issuer, user.subject)
        rows = await self._database.all(f"{CART} ORDER BY product_id", user.issuer, user.subject)
        return _offer(placed, rows)

    async def repeated(self, user: UserId, key: str) -> Placement | None:
        """The order that this user has placed with `key`, if there is one."""
        row = await self._database.one(BY_KEY, user.issuer, user.subject, key)
        if row is None:
            return None
        lines = await self._database.all(LINES, row["id"])
        waiting = await self._database.all(WAITING, user.issuer, user.subject)
        return _placement(row, lines, waiting)

    async def place(
        self, user: UserId, order_id: str, now: datetime, key: str | None, agreed: Offer
    ) -> Placement | None:
        """Turn the cart into an order and empty it, in one transaction, if it is as agreed."""

        def work(statements: Statements) -> Placement | None:
            if key is not None and (placed := _placed_before(statements, user, key)):
                return placed
            if _offered(statements, user) != agreed:
                return None
            taken = statements.all(TAKE, user.issuer, user.subject)
            if not taken:
                return None
            statements.run(
                "INSERT INTO orders (id, issuer, subject, placed_at, idempotency_key)"
                " VALUES (?, ?, ?, ?, ?)",
                *(order_id, user.issuer, user.subject, milliseconds(now), key),
            )
            for row in taken:
                statements.run(SNAPSHOT, order_id, row["quantity"], row["product_id"])
            [written] = statements.all("SELECT id, placed_at FROM orders WHERE id = ?", order_id)
            return Placement(_order(written, statements.all(LINES, order_id)), still_in_cart=0)

        return await self._database.write(work)

    async def history(self, user: UserId, most: int) -> list[Order]:
        """The user's last orders, newest first."""
        rows = await self._database.all(HISTORY, user.issuer, user.subject, most)
        return [_order(row, await self._database.all(LINES, row["id"])) for row in rows]

    async def sold(self, product_id: int) -> int:
        """How many of a product were ever ordered, by anybody."""
        row = await self._database.one(
            "SELECT coalesce(sum(quantity), 0) AS sold FROM order_items WHERE product_id = ?",
            product_id,
        )
        return number(row, "sold") if row else 0


def _offered(statements: Statements, user: UserId) -> Offer:
    [placed] = statements.all(PLACED, user.issuer, user.subject)
    rows = statements.all(f"{CART} ORDER BY product_id", user.issuer, user.subject)
    return _offer(placed, rows)


def _offer(placed: Row, rows: list[Row]) -> Offer:
    return Offer(Basket(tuple(line(row) for row in rows)), number(placed, "placed") + 1)


def _placed_before(statements: Statements, user: UserId, key: str) -> Placement | None:
    row = statements.one(BY_KEY, user.issuer, user.subject, key)
    if row is None:
        return None
    lines = statements.all(LINES, row["id"])
    return _placement(row, lines, statements.all(WAITING, user.issuer, user.subject))


def _placement(row: Row, lines: list[Row], waiting: list[Row]) -> Placement:
    return Placement(_order(row, lines), sum(number(one, "quantity") for one in waiting))


def _order(row: Row, lines: list[Row]) -> Order:
    basket = Basket(tuple(line(one) for one in lines))
    return Order(text(row, "id"), moment(number(row, "placed_at")), basket)

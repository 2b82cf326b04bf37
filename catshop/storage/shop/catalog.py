"""The port `tools.ports.Catalog` in SQL: what is sold.

The shelf is kept in memory and read again only when the catalog has a new edition, which any
process may have made. Knows no tools and no prices in anybody's cart. Next: `carts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from catshop.storage.database import Database, Statements
from catshop.storage.shop.rows import number, product
from catshop.tools.model import Product, Shelf


class SqlCatalog:
    """What is sold, and the last shelf that was read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._edition = -1
        self._shelf = Shelf(())

    async def shelf(self) -> Shelf:
        """The catalog as it is now; the same object while it is unchanged.

        The edition is read before the products: when another process changes both in between, the
        newer products stand under the older number, and the next call reads them once more.
        """
        edition = await self._database.one("SELECT edition FROM catalog_edition")
        if edition is not None and edition["edition"] != self._edition:
            rows = await self._database.all("SELECT * FROM products ORDER BY id")
            self._shelf = Shelf(tuple(product(row) for row in rows))
            self._edition = number(edition, "edition")
        return self._shelf

    async def seed(self, products: Sequence[Product]) -> int:
        """Fill an empty catalog and say how many were added; 0 when it was not empty."""

        def fill(statements: Statements) -> int:
            if statements.one("SELECT id FROM products LIMIT 1") is not None:
                return 0
            return _put(statements, products)

        return await self._database.write(fill)

    async def replace(self, products: Sequence[Product]) -> None:
        """Make `products` the whole catalog, at once for every reader."""

        def swap(statements: Statements) -> None:
            kept = {one.id for one in products}
            before = [product(row) for row in statements.all("SELECT * FROM products ORDER BY id")]
            if before == sorted(products, key=lambda one: one.id):
                return
            for gone in before:
                if gone.id not in kept:
                    statements.run("DELETE FROM products WHERE id = ?", gone.id)
            _put(statements, products)

        await self._database.write(swap)


def _put(statements: Statements, products: Sequence[Product]) -> int:
    for one in products:
        statements.run(
            """
            INSERT INTO products (id, name, description, price_cents, category)
            VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET
                name = excluded.name, description = excluded.description,
                price_cents = excluded.price_cents, category = excluded.category
            """,
            *(one.id, one.name, one.description, one.price_cents, one.category),
        )
    statements.run("UPDATE catalog_edition SET edition = edition + 1")
    return len(products)

"""The shop's repositories: a file for each port of `catshop.tools.ports`, in SQL for any engine."""

from __future__ import annotations

from dataclasses import dataclass

from catshop.storage.database import Database
from catshop.storage.shop.carts import SqlCarts
from catshop.storage.shop.catalog import SqlCatalog
from catshop.storage.shop.orders import SqlOrders


@dataclass(frozen=True, slots=True)
class ShopStores:
    """Everything that the shop keeps, in one database."""

    catalog: SqlCatalog
    carts: SqlCarts
    orders: SqlOrders


def stores(database: Database) -> ShopStores:
    """The shop's repositories on a database that has the schema."""
    return ShopStores(SqlCatalog(database), SqlCarts(database), SqlOrders(database))

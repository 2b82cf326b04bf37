"""Rows into the shop's words.

Parse, don't validate: the tables have checked what they hold, so a row that does not fit is a
fault of the schema and may fail here. Next: `catshop/tools/model.py`, for the words.
"""

from __future__ import annotations

from catshop.storage.database import Row
from catshop.tools.model import Line, Product


def number(row: Row, column: str) -> int:
    """An integer column."""
    value = row[column]
    assert isinstance(value, int), column  # noqa: S101 - the schema says BIGINT NOT NULL
    return value


def text(row: Row, column: str) -> str:
    """A text column."""
    value = row[column]
    assert isinstance(value, str), column  # noqa: S101 - the schema says TEXT NOT NULL
    return value


def product(row: Row) -> Product:
    """One row of `products`."""
    return Product(
        number(row, "id"),
        text(row, "name"),
        text(row, "description"),
        number(row, "price_cents"),
        text(row, "category"),
    )


def line(row: Row) -> Line:
    """One line of a cart or an order."""
    return Line(
        number(row, "product_id"),
        text(row, "name"),
        number(row, "price_cents"),
        number(row, "quantity"),
    )

"""The tools that show what is sold. Any token will do; they need no user.

An answer that depends on the shelf alone is built once for each shelf and then given again, the
same object each time, so that the transport may keep its octets too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from mcp_types import CallToolResult

from catshop.limits import ShopLimits
from catshop.tools.answers import Answer, Kept, many, single
from catshop.tools.faults import ToolFault
from catshop.tools.model import Product, Shelf
from catshop.tools.registry import Duration, Schema, ToolSpec, answers, listing, record, tool
from catshop.tools.shop import ToolCall

CEILINGS: Final = ShopLimits()
"""What the schemas promise; a shop that is configured otherwise can only allow less."""

PRODUCT_ID: Final[Schema] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 2**53 - 1,
    "description": "The id of a product, as list_products and search_products give it.",
}
CATEGORY: Final[Schema] = {
    "type": "string",
    "maxLength": 100,
    "description": "Only products of this category, for example toys, beds, food or furniture.",
}
MONEY: Final[Schema] = {"type": "number", "minimum": 0}
PRODUCT: Final = record(
    "*",
    id={"type": "integer"},
    name={"type": "string"},
    description={"type": "string"},
    price=MONEY,
    category={"type": "string"},
)


@tool(title="List products", takes=record(category=CATEGORY), gives=answers(listing(PRODUCT)))
async def list_products(call: ToolCall, category: str | None = None) -> Answer:
    """List everything the shop sells, or one category of it.

    Use it to browse, or to learn which categories and product ids there are. Gives id, name,
    description, price and category of each product; an unknown category gives an empty list.
    """
    return _listed(await call.shop.catalog.shelf(), category)


@tool(
    title="Show a product",
    takes=record("product_id", product_id=PRODUCT_ID),
    gives=answers(PRODUCT),
)
async def get_product(call: ToolCall, product_id: int) -> Answer:
    """Show one product by its id.

    Use it for details or the current price when you know the id. Gives id, name, description,
    price and category.
    """
    product = (await call.shop.catalog.shelf()).by_id.get(product_id)
    if product is None:
        raise ToolFault("E-TOOL-02")
    return _shown(product)


@tool(
    title="Search products",
    takes=record(
        "query",
        query={
            "type": "string",
            "minLength": 1,
            "maxLength": CEILINGS.query_length,
            "description": "Words that must all occur in the name or the description.",
        },
        category={**CATEGORY, "x-mcp-header": "Category"},
    ),
    gives=answers(listing(PRODUCT)),
)
async def search_products(call: ToolCall, query: str, category: str | None = None) -> Answer:
    """Find products whose name or description has all words of the query.

    Use it when the user describes what they want instead of naming it. Upper and lower case are
    the same, a part of a word is enough, and hits in the name come first. Gives the same fields
    as list_products; no hit gives an empty list.
    """
    if len(query) > (most := call.shop.limits.query_length):
        raise ToolFault("E-ARGS-01", f"/query: is longer than the maximum of {most} characters")
    shelf = await call.shop.catalog.shelf()
    hits = shelf.search(query, category, call.shop.limits.search_results)
    return many([product.wire() for product in hits])


@tool(
    title="Report what sells",
    takes=record(
        pace_ms={
            "type": "integer",
            "minimum": 0,
            "maximum": 1000,
            "default": 200,
            "description": "How many milliseconds to take over each product.",
        },
    ),
    gives=answers(
        listing(
            record(
                "*",
                product_id={"type": "integer"},
                name={"type": "string"},
                sold={"type": "integer", "minimum": 0},
            )
        )
    ),
    duration=Duration.LONG,
)
async def restock_report(call: ToolCall, pace_ms: int = 200) -> Answer:
    """Count how many of each product were ordered so far, to decide what to restock.

    Takes its time: it walks through the shelf product by product and reports its progress after
    each. It can be cancelled, and a client that knows tasks may come back for it. Gives product_id,
    name and the number sold.
    """
    report: list[dict[str, object]] = []
    products = (await call.shop.catalog.shelf()).products
    for done, product in enumerate(products, start=1):
        sold = await call.shop.orders.sold(product.id)
        report.append({"product_id": product.id, "name": product.name, "sold": sold})
        await call.progress.report_progress(done, len(products), product.name)
        await call.shop.pause(pace_ms / 1000)
    return report


@lru_cache(maxsize=32)
def _listed(shelf: Shelf, category: str | None) -> CallToolResult:
    return many([product.wire() for product in shelf.of(category)], Kept)


@lru_cache(maxsize=256)
def _shown(product: Product) -> CallToolResult:
    return single(product.wire(), Kept)


TOOLS: Final[tuple[ToolSpec, ...]] = (list_products, get_product, search_products, restock_report)

"""What a client may read without calling a tool: each product, and the user's cart.

The same JSON as the tools give. The cart is listed and found for a user only; for a client that
acts for itself there is none, as if nobody had ever heard of it. That a resource has changed is
told by `announcing.py`. MCP 2026-07-28 server/resources.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Final, Literal

from mcp_types import (
    INVALID_PARAMS,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from catshop.tools.arguments import show
from catshop.tools.faults import refusal
from catshop.tools.model import Shelf
from catshop.tools.shop import ToolCall
from catshop.tools.uris import CART, PRODUCT, product_id, product_uri

JSON: Final = "application/json"

NOT_FOUND: Final = -32002
"""Before 2026-07-28 a missing resource has a code of its own. MCP 2025-11-25 server/resources
§error-handling.
"""

SHOWN: Final = 200
"""Characters of a URI that a refusal repeats."""

FRESH_MILLISECONDS: Final = 5_000
"""For so long a client may show a product without reading it again. A cart is always read."""

THE_CART: Final = Resource(
    uri=CART,
    name="cart",
    title="Your cart",
    description="What the user is about to buy: lines, total, and how many things there are.",
    mime_type=JSON,
)

TEMPLATES: Final = (
    ResourceTemplate(
        uri_template=PRODUCT,
        name="product",
        title="A product",
        description="One product by its id: name, description, price and category.",
        mime_type=JSON,
    ),
)


async def listed(call: ToolCall) -> tuple[Resource, ...]:
    """The cart of the user, if there is one, and every product by its id."""
    products = _products(await call.shop.catalog.shelf())
    return (THE_CART, *products) if call.owner else products


async def read(call: ToolCall, uri: str, version: str) -> ReadResourceResult:
    """One resource. MCPError E-RES-01, with the URI, when there is none.

    MCP 2026-07-28 server/resources §error-handling.
    """
    if uri == CART and call.owner:
        cart = await call.shop.carts.view(call.owner)
        return _contents(uri, cart.wire(), 0, "private")
    number = product_id(uri)
    product = (await call.shop.catalog.shelf()).by_id.get(number) if number else None
    if product is None:
        code = INVALID_PARAMS if version in MODERN_PROTOCOL_VERSIONS else NOT_FOUND
        raise refusal("E-RES-01", show(uri), code, uri=uri[:SHOWN])
    return _contents(uri, product.wire(), FRESH_MILLISECONDS, "public")


@lru_cache(maxsize=8)
def _products(shelf: Shelf) -> tuple[Resource, ...]:
    return tuple(
        Resource(
            uri=product_uri(product.id),
            name=product.name,
            description=product.description,
            mime_type=JSON,
        )
        for product in shelf.products
    )


def _contents(
    uri: str, item: dict[str, object], fresh: int, scope: Literal["public", "private"]
) -> ReadResourceResult:
    text = json.dumps(item, ensure_ascii=False)
    contents = TextResourceContents(uri=uri, mime_type=JSON, text=text)
    return ReadResourceResult(contents=[contents], ttl_ms=fresh, cache_scope=scope)

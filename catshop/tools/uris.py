"""The URIs of the shop: what a client reads, and what it is told has changed.

A product has one URI, the same for everybody; the cart has one, too, and is another thing for each
user. Pure. Next: `resources.py`, which reads them, and `announcing.py`, which tells of them.
"""

from __future__ import annotations

import re
from typing import Final

CART: Final = "catshop://cart"
PRODUCT: Final = "catshop://products/{id}"
"""RFC 6570 §3.2.2: one simple variable."""

_PRODUCT = re.compile(r"catshop://products/([1-9][0-9]{0,15})")


def product_uri(product_id: int) -> str:
    """The one URI of a product."""
    return PRODUCT.replace("{id}", str(product_id))


def product_id(uri: str) -> int | None:
    """Which product a URI names; None when it names none, or in another spelling than ours."""
    found = _PRODUCT.fullmatch(uri)
    return int(found[1]) if found else None

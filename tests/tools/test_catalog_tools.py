"""The tools that show what is sold: names, arguments and answers of system 000."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, TextContent

from catshop.tools.products import SEED
from catshop.tools.server import build_server
from catshop.tools.shop import Shop

CallTool = Callable[..., Awaitable[CallToolResult]]
WAND = {
    "id": 1,
    "name": "Whisker Wand",
    "description": "Interactive feather toy on a flexible wand",
    "price": 9.99,
    "category": "toys",
}


def texts(result: CallToolResult) -> list[object]:
    """What the text blocks hold, as JSON."""
    assert all(isinstance(block, TextContent) for block in result.content)
    return [json.loads(block.text) for block in result.content if isinstance(block, TextContent)]


def names(result: CallToolResult) -> list[str]:
    """The names of the products in a list answer."""
    return [product["name"] for product in result.structured_content["result"]]


async def test_list_products_gives_the_eight_in_order(call: CallTool) -> None:
    """000.40, 000.11."""
    result = await call("list_products")
    assert names(result) == [product.name for product in SEED]
    assert result.structured_content["result"][0] == WAND
    assert not result.is_error


async def test_a_list_has_one_text_block_for_each_product(call: CallTool) -> None:
    """000.47; MCP 2026-07-28 server/tools §structured-content."""
    result = await call("list_products")
    assert texts(result) == result.structured_content["result"]


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        pytest.param("beds", ["Cozy Cat Bed", "Window Hammock"], id="known"),
        pytest.param("dogs", [], id="unknown"),
        pytest.param("", [], id="empty"),
    ],
)
async def test_list_products_shows_one_category(
    call: CallTool, category: str, expected: list[str]
) -> None:
    """000.40: an unknown category is an empty list, not a failure."""
    result = await call("list_products", category=category)
    assert names(result) == expected
    assert not result.is_error


async def test_an_empty_list_says_so_in_its_text_too(call: CallTool) -> None:
    """A reader of the text alone sees an empty list, not nothing."""
    assert texts(await call("list_products", category="dogs")) == [[]]


async def test_the_answer_is_the_same_object_until_the_catalog_changes(
    call: CallTool, shop: Shop
) -> None:
    """What does not change is encoded once, and dropped when its source changes."""
    first = await call("list_products")
    assert await call("list_products") is first
    assert type(first).model_config["frozen"]
    await shop.catalog.replace([replace(SEED[0], price_cents=1000)])
    second = await call("list_products")
    assert second.structured_content["result"] == [{**WAND, "price": 10}]


async def test_get_product_gives_one(call: CallTool) -> None:
    """000.41."""
    result = await call("get_product", product_id=1)
    assert result.structured_content == WAND
    assert texts(result) == [WAND]


async def test_get_product_does_not_find_what_is_not_there(call: CallTool) -> None:
    """000.41: the words of the seed, marked as a failure."""
    result = await call("get_product", product_id=99)
    assert result.is_error
    assert result.structured_content == {"error": "Product not found"}
    assert texts(result) == [{"error": "Product not found"}]
    assert result.meta == {"catshop/code": "E-TOOL-02"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("CAT", ["Catnip Mouse", "Cozy Cat Bed"], id="any-case"),
        pytest.param("bed donut", ["Cozy Cat Bed"], id="every-word"),
        pytest.param("post", ["Scratching Post Tower"], id="in-name-and-description"),
        pytest.param("salmon bites", ["Salmon Treats"], id="words-apart"),
        pytest.param("%", [], id="percent-is-itself"),
        pytest.param("_", [], id="underscore-is-itself"),
        pytest.param("' OR 1=1 --", [], id="quote-is-itself"),
        pytest.param("ＣＡＴＮＩＰ", ["Catnip Mouse"], id="full-width-letters"),  # noqa: RUF001 - the case
    ],
)
async def test_search_finds_products_with_every_word(
    call: CallTool, query: str, expected: list[str]
) -> None:
    """000.60: search_products."""
    assert names(await call("search_products", query=query)) == expected


async def test_search_shows_hits_in_the_name_first(call: CallTool, shop: Shop) -> None:
    """A product that is called so stands before one that only mentions it."""
    mention = replace(SEED[1], description="As good as a bed")
    await shop.catalog.replace([SEED[0], mention, SEED[3]])
    assert names(await call("search_products", query="bed")) == ["Cozy Cat Bed", "Catnip Mouse"]


async def test_a_shop_may_allow_shorter_searches_than_the_schema(
    shop: Shop, caller: Callable[[Server[Any]], CallTool]
) -> None:
    """ShopLimits: a configuration can lower a number that stands in a schema."""
    strict = replace(shop, limits=replace(shop.limits, query_length=3))
    result = await caller(build_server(strict, version="1"))("search_products", query="wand")
    assert result.structured_content == {
        "error": "/query: is longer than the maximum of 3 characters"
    }


async def test_search_keeps_to_a_category(call: CallTool) -> None:
    """000.60."""
    assert names(await call("search_products", query="cat", category="toys")) == ["Catnip Mouse"]


async def test_a_report_tells_its_progress_product_by_product(
    call: CallTool, steps: object
) -> None:
    """MCP 2026-07-28 basic/patterns/progress: it increases with each step."""
    await call("add_to_cart", product_id=2, quantity=3)
    await call("checkout")
    result = await call("restock_report", pace_ms=500)
    assert result.structured_content["result"][:2] == [
        {"product_id": 1, "name": "Whisker Wand", "sold": 0},
        {"product_id": 2, "name": "Catnip Mouse", "sold": 3},
    ]
    assert steps.reported == [  # type: ignore[attr-defined]  # conftest.Steps
        (number, 8, product.name) for number, product in enumerate(SEED, start=1)
    ]
    assert steps.paused == [0.5] * 8  # type: ignore[attr-defined]  # conftest.Steps


async def test_browsing_needs_no_user(call: CallTool) -> None:
    """000.46: the catalog tools are identity-free."""
    assert not (await call("list_products", None)).is_error
    assert not (await call("get_product", None, product_id=1)).is_error

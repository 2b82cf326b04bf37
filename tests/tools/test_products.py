"""A catalog file becomes products with exact prices, or one line says what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catshop.tools.model import Product
from catshop.tools.products import SEED, CatalogRefused, load_catalog, parse_catalog

YARN = {"name": "Yarn", "description": "Red", "price": 1.1, "category": "toys"}


def with_price(price: str) -> str:
    """A catalog of one product, with its price written so."""
    return f'[{{"name":"Yarn","description":"Red","category":"toys","price":{price}}}]'


def test_the_seed_is_the_eight_products_in_their_order() -> None:
    """000.11: ids 1 to 8, prices in cents."""
    assert [(product.id, product.price_cents, product.category) for product in SEED] == [
        (1, 999, "toys"),
        (2, 499, "toys"),
        (3, 1299, "toys"),
        (4, 2999, "beds"),
        (5, 2499, "beds"),
        (6, 799, "food"),
        (7, 599, "food"),
        (8, 4999, "furniture"),
    ]


@pytest.mark.parametrize(
    ("written", "cents"),
    [
        ("9.99", 999),
        ('"9.99"', 999),
        ("1.10", 110),
        ("1.1", 110),
        ("0", 0),
        ("29", 2900),
        ("1e2", 10_000),
        ("0.29", 29),
        ("1.000", 100),
        ('"4.5"', 450),
    ],
)
def test_a_price_is_read_exactly(written: str, cents: int) -> None:
    """0.29 times 100 is 28.999999999999996 in binary floating point."""
    assert parse_catalog(with_price(written)) == (Product(1, "Yarn", "Red", cents, "toys"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(with_price("9.999"), "/0/price: 9.999 has more than two decimals", id="mills"),
        pytest.param(with_price("-1"), "/0/price: -1 is less than the minimum of 0", id="negative"),
        pytest.param(with_price('"1,50"'), '/0/price: "1,50" does not match', id="comma"),
        pytest.param(with_price('"1.5\\n"'), "does not match", id="newline"),
        pytest.param(with_price("NaN"), "NaN is not a number in JSON", id="nan"),
        pytest.param(with_price("true"), "/0/price: true is not of type", id="boolean"),
        pytest.param(with_price("1e9"), "is greater than the maximum of 10000000", id="huge"),
        pytest.param("{}", '/: {} is not of type "array"', id="no-list"),
        pytest.param("[]", "/: [] does not fit the schema (minItems)", id="empty"),
        pytest.param("[{}]", "/0/category: is missing; /0/description: is missing", id="bare"),
        pytest.param(
            json.dumps([{**YARN, "prize": 1}]),
            "/0/prize: is not known here; did you mean price?",
            id="misspelt",
        ),
        pytest.param(
            json.dumps([{**YARN, "id": 1}, YARN]),
            "id must be in every product or in none",
            id="ids",
        ),
        pytest.param(
            json.dumps([{**YARN, "id": 1}, {**YARN, "id": 1}]), "an id stands twice", id="twice"
        ),
        pytest.param(
            json.dumps([{**YARN, "name": "a\0"}]), "/0/name: NUL or a lone surrogate", id="nul"
        ),
    ],
)
def test_a_file_that_is_no_catalog_is_refused_with_the_place(
    tmp_path: Path, text: str, said: str
) -> None:
    """E-CATALOG-02: one line that names the file, the place and what to do."""
    path = tmp_path / "catalog.json"
    path.write_text(text, "utf-8")
    with pytest.raises(CatalogRefused) as refused:
        load_catalog(path)
    assert refused.value.code == "E-CATALOG-02"
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[{", id="cut"),
        pytest.param(b"\xff\xfe", id="not-utf-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(None, id="missing"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """E-CATALOG-01."""
    path = tmp_path / "catalog.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CatalogRefused) as refused:
        load_catalog(path)
    assert refused.value.code == "E-CATALOG-01"


def test_ids_that_are_given_are_kept(tmp_path: Path) -> None:
    """So that carts survive a new catalog whose order has changed."""
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps([{**YARN, "id": 7}, {**YARN, "id": 3}]), "utf-8")
    assert [product.id for product in load_catalog(path)] == [7, 3]

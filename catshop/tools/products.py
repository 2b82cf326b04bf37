"""What is on the shelf at first, and how a file replaces it.

A catalog file is a JSON list of objects with `name`, `description`, `price` and `category`, and
with `id` in all of them or in none; without, they are numbered from 1. A price is read as it is
written, `9.99` or `"9.99"`, and becomes 999 cents without passing through binary floating point.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from referencing import Registry

from catshop.catalogue import explain
from catshop.tools.arguments import is_text, problems, texts
from catshop.tools.model import Product
from catshop.tools.registry import Schema, record

SEED: Final = tuple(
    Product(number, name, description, cents, category)
    for number, (name, cents, category, description) in enumerate(
        (
            ("Whisker Wand", 999, "toys", "Interactive feather toy on a flexible wand"),
            ("Catnip Mouse", 499, "toys", "Organic catnip-stuffed plush mouse"),
            ("Laser Pointer Pro", 1299, "toys", "Red-dot laser with adjustable patterns"),
            ("Cozy Cat Bed", 2999, "beds", "Soft donut-shaped bed for curling up"),
            ("Window Hammock", 2499, "beds", "Suction-cup window perch with fleece lining"),
            ("Salmon Treats", 799, "food", "Freeze-dried wild salmon bites, 100g"),
            ("Tuna Crunchies", 599, "food", "Crunchy tuna-flavored dental treats, 80g"),
            (
                "Scratching Post Tower",
                4999,
                "furniture",
                "3-tier sisal scratching post with platforms",
            ),
        ),
        start=1,
    )
)
"""The eight products of a new shop."""

TEXT: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 1000}
ENTRY: Final = record(
    "name description price category",
    id={"type": "integer", "minimum": 1, "maximum": 2**53 - 1},
    name=TEXT,
    description=TEXT,
    price={
        "type": ["number", "string"],
        "minimum": 0,
        "maximum": 10_000_000,
        "pattern": r"^[0-9]{1,7}(\.[0-9]{1,2})?\Z",
    },
    category=TEXT,
)
FILE: Final = Draft202012Validator(
    {"type": "array", "minItems": 1, "items": ENTRY}, registry=Registry()
)


class CatalogRefused(Exception):
    """The file is no catalog; `str()` is the one line for the operator. The old catalog is kept."""

    def __init__(self, code: str, path: Path, detail: str) -> None:
        words = explain(code)
        super().__init__(f"{code} {path}: {words.title}: {detail}. {words.fix}")
        self.code = code


def load_catalog(path: Path) -> tuple[Product, ...]:
    """The products in a file. CatalogRefused says what is wrong with it, and where."""
    try:
        return parse_catalog(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        detail = error.strerror if isinstance(error, OSError) else str(error)
        raise CatalogRefused("E-CATALOG-01", path, detail or "unreadable") from error
    except ValueError as error:
        raise CatalogRefused("E-CATALOG-02", path, str(error)) from error


def parse_catalog(text: str) -> tuple[Product, ...]:
    """The products in a text; ValueError with JSON pointers when it does not hold a catalog."""
    entries = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    wrong = problems(FILE, entries) or [
        f"{where}: NUL or a lone surrogate" for where, found in texts(entries) if not is_text(found)
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return _numbered(entries)


def _numbered(entries: list[dict[str, Any]]) -> tuple[Product, ...]:
    with_id = [int(entry["id"]) for entry in entries if "id" in entry]
    if with_id and len(with_id) < len(entries):
        raise ValueError("id must be in every product or in none")
    ids = with_id or range(1, len(entries) + 1)
    if len(set(ids)) < len(entries):
        raise ValueError("an id stands twice")
    return tuple(
        Product(
            number, entry["name"], entry["description"], _cents(place, entry), entry["category"]
        )
        for place, (number, entry) in enumerate(zip(ids, entries, strict=True))
    )


def _cents(place: int, entry: dict[str, Any]) -> int:
    """A price exactly, or not at all: 9.999 has no cents."""
    cents = Decimal(entry["price"]) * 100
    if cents != cents.to_integral_value():
        raise ValueError(f"/{place}/price: {entry['price']} has more than two decimals")
    return int(cents)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")

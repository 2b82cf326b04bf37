"""`catshop doctor` at its own shop: a visitor climbs every rung, and nobody was ever there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.program import Serving, catshop, serving

VISITED = (
    "a visitor signs in",
    "the token opens",
    "the tools are listed",
    "the older era lists the same",
    "the token is for this address alone",
    "more is asked for by name",
    "a refresh token is good once",
    "a token given back is over",
)
TABLES = ("oauth_users", "oauth_clients", "oauth_families", "oauth_access_tokens")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as running:
        yield running


def examine(shop: Serving, database: Path) -> dict[str, Any]:
    """The report of a doctor in a process of its own."""
    home = str(database.parent)
    env = {"HOME": home, "XDG_CONFIG_HOME": home, "PORT": str(urlsplit(shop.url).port)}
    env["CATSHOP_DATABASE"] = str(database)
    said = catshop(database.parent, "doctor", "--json", env=env)
    assert not said.stderr
    report: dict[str, Any] = json.loads(said.stdout)
    assert said.returncode == (0 if report["healthy"] else 1)
    return report


def left_in(database: Path) -> dict[str, int]:
    """How many rows of each table of people, programs and tokens there are."""
    with closing(sqlite3.connect(database)) as rows:
        return {
            table: rows.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - the names are ours
            for table in TABLES
        }


def test_a_visitor_climbs_every_rung_and_leaves_nothing(shop: Serving) -> None:
    """OAuth 2.1 §4.1, §4.3.1, §5.3.2; RFC 7009 §2; RFC 8707 §2."""
    database = shop.log.parent / "catshop.db"
    before = left_in(database)
    report = examine(shop, database)
    checks = {row["check"]: row for row in report["checks"]}
    assert {row["health"] for row in report["checks"]} <= {"ok", "waived"}, report
    assert [checks[name]["health"] for name in VISITED] == ["ok"] * len(VISITED)
    assert checks["a visitor signs in"]["told"].startswith("doctor-")
    assert "cart:write" in checks["more is asked for by name"]["told"]
    assert left_in(database) == before


def test_a_shop_with_another_database_is_told(shop: Serving, tmp_path: Path) -> None:
    """The visitor is unknown at the shop that runs, and is removed from where it was made."""
    other = tmp_path / "other"
    other.mkdir()
    database = other / "catshop.db"
    with serving(other):
        pass
    before = left_in(database)
    report = examine(shop, database)
    [cause] = [row for row in report["checks"] if row["health"] == "FAIL"]
    assert (cause["check"], cause["code"]) == ("a visitor signs in", "E-DOC-41")
    assert left_in(database) == before
    assert left_in(shop.log.parent / "catshop.db")["oauth_clients"] == 0


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("laboratory"), "--lab") as running:
        yield running


@pytest.mark.parametrize(
    ("fault", "check", "code"),
    [
        ("resource-ignored", "the token is for this address alone", "E-DOC-42"),
        ("scope-ignored", "more is asked for by name", "E-DOC-43"),
        ("refresh-not-rotated", "a refresh token is good once", "E-DOC-44"),
        ("revocation-ignored", "a token given back is over", "E-DOC-45"),
    ],
)
def test_what_only_a_visitor_can_see_is_told(
    laboratory: Serving, fault: str, check: str, code: str
) -> None:
    """RFC 8707 §2; OAuth 2.1 §4.3.1; RFC 7009 §2; MCP 2026-07-28 basic/authorization
    §scope-challenge-handling. And nobody stays."""
    folder = laboratory.log.parent
    before = left_in(folder / "catshop.db")
    assert catshop(folder, "break", fault).returncode == 0
    report = examine(laboratory, folder / "catshop.db")
    assert catshop(folder, "break", "off").returncode == 0
    failed = [row for row in report["checks"] if row["health"] == "FAIL"]
    assert [(row["check"], row["code"]) for row in failed] == [(check, code)]
    assert left_in(folder / "catshop.db") == before

"""The skill that the shop ships: what it tells a model is true of this shop."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

import catshop
from catshop.catalogue import explain
from catshop.tools.composition import takes_long, tools

FOLDER: Final = Path(catshop.__file__).parent / "skills" / "shopping-for-a-cat"
SKILL: Final = (FOLDER / "SKILL.md").read_text("utf-8")


def test_the_skill_names_tools_and_arguments_that_there_are() -> None:
    """A tool that is renamed takes its skill along."""
    arguments = {name for spec in tools().values() for name in spec.input_schema["properties"]}
    answered = {"order_id", "last_order"}
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", SKILL))
    assert named - arguments - answered <= tools().keys()
    assert {"search_products", "add_to_cart", "view_cart"} <= named


@pytest.mark.parametrize("code", ["E-ORDER-01", "E-ORDER-02", "E-TOOL-02"])
def test_the_skill_quotes_the_words_of_the_shop(code: str) -> None:
    """What goes wrong is recognised by its words."""
    assert f"`{explain(code).title}`" in SKILL


def test_every_link_of_the_skill_leads_to_a_file_of_the_skill() -> None:
    """MCP 2026-07-28 extensions/skills: references are relative to the skill."""
    links = re.findall(r"\]\(([^)]+)\)", SKILL)
    assert links
    assert all((FOLDER / link).is_file() for link in links)


def test_only_the_report_takes_long() -> None:
    """A call may become a task where that helps: not where somebody waits for an order."""
    assert [name for name in tools() if takes_long(name)] == ["restock_report"]
    assert not takes_long("no_such_tool")

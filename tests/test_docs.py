"""What the pages say exists: links lead somewhere, stops are in the code, commands are commands."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = sorted(
    path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
)
LINK: Final = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
STOP: Final = re.compile(r"`(catshop/[\w/]+\.py)`(?:\s+`(\w+)`)?")
NAMED: Final = re.compile(r"`((?:catshop|tests|docs|conformance|bench|requirements)/[\w/.-]*)`")


def read(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    targets = [target for target in LINK.findall(read(page)) if "://" not in target]
    missing = [target for target in targets if not ((ROOT / page).parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    assert not [name for name in NAMED.findall(read(page)) if not (ROOT / name).exists()]


def test_every_stop_of_the_reading_order_is_in_the_code() -> None:
    stops = STOP.findall(read("docs/reading-order.md"))
    assert len(stops) >= 20
    for file, name in stops:
        tree = ast.parse(read(file))
        names = {getattr(node, "name", None) for node in tree.body}
        assert not name or name in names, f"{file} has no {name}"
        assert name or ast.get_docstring(tree)


def test_every_decision_is_in_the_index() -> None:
    pages = {path.name for path in (ROOT / "docs/why").glob("*.md")} - {"README.md"}
    assert pages == set(LINK.findall(read("docs/why/README.md"))) - {"../../ARCHITECTURE.md"}


def test_a_decision_says_what_was_given_up_and_who_does_it_otherwise() -> None:
    for path in (ROOT / "docs/why").glob("0*.md"):
        text = path.read_text("utf-8")
        for part in ("The question.", "What we do.", "What we gave up.", "Who does it otherwise."):
            assert f"**{part}**" in text, f"{path.name} lacks {part!r}"
        assert text.startswith(f"# {path.name[:4]}: ")
        assert text.count("\n") <= 45


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", read(page), re.MULTILINE))
    assert named <= targets


def test_every_dependency_has_a_line_that_says_what_it_is_for() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for group in [*project["project"]["optional-dependencies"].values()]:
        wanted += group
    for group in project["dependency-groups"].values():
        wanted += [each for each in group if isinstance(each, str)]
    names = {re.split(r"[\[<>=; ]", each)[0] for each in wanted}
    lines = [line for line in read("docs/why/dependencies.md").splitlines() if line.startswith("|")]
    assert not {name for name in names if not any(name in line for line in lines)}


def test_the_pins_name_no_host() -> None:
    for path in [*ROOT.glob("requirements/*.txt"), ROOT / "conformance/package-lock.json"]:
        text = path.read_text("utf-8")
        assert "://" not in text, f"{path.name} names a host"
        assert "sha256:" in text or "sha512-" in text

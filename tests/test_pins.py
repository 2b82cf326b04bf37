"""What `make serve` and `make test` import is among their own pins, whatever else a machine has.

A machine on which everything is checked has the pins of all, and never notices that a test wants a
package that a newcomer's machine has not. So the imports are followed here, as Python follows them
when it collects the tests: those at the top of a module, but not those for types alone.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
OURS: Final = frozenset({"bench", "catshop", "conformance", "docs", "tests"})
OPTIONAL: Final = frozenset({"uvloop"})
"""The extra `speed`: imported where it is there."""


def pinned(name: str) -> set[str]:
    """The packages of one list, as they are compared. PEP 503."""
    text = (ROOT / f"requirements/{name}.txt").read_text("utf-8")
    return {plain(found) for found in re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==", text, re.M)}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports as it is read."""
    waiting = list(ast.parse(path.read_text("utf-8")).body)
    for node in waiting:
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield module
                yield from (f"{module}.{each.name}" for each in names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=other):
                waiting += other
            case ast.If() | ast.Try() | ast.With() | ast.ClassDef():
                waiting += [each for each in ast.walk(node) if isinstance(each, ast.Import)]
                waiting += [each for each in ast.walk(node) if isinstance(each, ast.ImportFrom)]
            case _:
                pass


def file_of(module: str) -> Path | None:
    """The file of a module of ours; None for anything else."""
    path = ROOT / module.replace(".", "/")
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((each for each in files if each.is_file()), None)


def wanted(begin: list[Path]) -> dict[str, str]:
    """Every package of others that is reached from these files, and the file that wants it."""
    found: dict[str, str] = {}
    waiting, seen = list(begin), set(begin)
    for path in waiting:
        for module in imported(path):
            top = module.partition(".")[0]
            if top not in OURS:
                found.setdefault(top, str(path.relative_to(ROOT)))
            elif (ours := file_of(module)) and ours not in seen:
                seen.add(ours)
                waiting.append(ours)
    return {top: by for top, by in found.items() if top not in sys.stdlib_module_names}


BEGINNINGS: Final = {
    "run": sorted((ROOT / "catshop").rglob("*.py")),
    "test": sorted((*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("tests/**/conftest.py"))),
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_nothing_is_imported_that_is_not_pinned_for_it(name: str) -> None:
    """A newcomer has Python and make, and nothing else."""
    from_where, there = packages_distributions(), pinned(name)
    missing = {
        top: by
        for top, by in wanted(BEGINNINGS[name]).items()
        if top not in OPTIONAL and not {plain(each) for each in from_where.get(top, [])} & there
    }
    assert missing == {}


def test_what_only_types_want_is_not_imported(tmp_path: Path) -> None:
    """And what a block holds that runs at once is."""
    file = tmp_path / "x.py"
    file.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import for_types\nelse:\n    import otherwise\n"
        "try:\n    import tried\nexcept ImportError:\n    pass\n"
        "def later():\n    import lazily\n"
    )
    assert set(imported(file)) >= {"otherwise", "tried"}
    assert not {"for_types", "lazily"} & set(imported(file))

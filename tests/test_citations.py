"""Which sentence of which specification, and which test says so: what code cites, a test cites.

A citation has one form, `RFC 9112 §6.3`; `OAuth 2.1`, `JSON-RPC 2.0` or `MCP <revision> <page>` may
stand in place of the RFC. A test that cites a subsection covers the section above it. What no test
can cite, and what we do otherwise than a section says, is data with a reason in `divergences.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parent.parent
SECTION: Final = r"§[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
CITATION: Final = re.compile(
    r"(RFC \d+|OAuth 2\.1|JSON-RPC 2\.0|OpenID Connect [A-Z]\w+ 1\.0"
    r"|MCP \d{4}-\d\d-\d\d [a-z][a-z/_-]*)"
    rf"((?:(?:,| and|,? or| to)? {SECTION})+)"
)


def citations(text: str) -> Iterator[str]:
    """Each section that `text` cites; `RFC 1 §2, §3` cites two, and a line break is a space."""
    for found in CITATION.finditer(re.sub(r"[\s#]+", " ", text)):
        yield from (f"{found[1]} {section}" for section in re.findall(SECTION, found[2]))


@cache
def cited(folder: str) -> dict[str, set[str]]:
    """Section -> the files below `folder` that cite it."""
    places: dict[str, set[str]] = {}
    for path in (ROOT / folder).rglob("*.py"):
        if path != Path(__file__):
            for section in citations(path.read_text("utf-8")):
                places.setdefault(section, set()).add(path.relative_to(ROOT).as_posix())
    return places


def covers(section: str, tested: Iterable[str]) -> bool:
    """Whether a test cites the section or one below it."""
    return any(each == section or each.startswith(f"{section}.") for each in tested)


def recorded(kind: str) -> dict[str, dict[str, Any]]:
    entries = tomllib.loads((ROOT / "divergences.toml").read_text("utf-8")).get(kind, [])
    return {entry["section"]: entry for entry in entries}


def test_a_section_that_the_code_cites_is_cited_by_a_test() -> None:
    tested, excused = cited("tests"), recorded("untested")
    missing = [
        f"{section} in {', '.join(sorted(places))}"
        for section, places in sorted(cited("catshop").items())
        if section not in excused and not covers(section, tested)
    ]
    assert not missing, "\n".join(["no test cites", *missing])


def test_what_is_recorded_as_untested_is_cited_and_has_no_test() -> None:
    stale = [s for s in recorded("untested") if covers(s, cited("tests"))]
    unknown = recorded("untested").keys() - cited("catshop").keys()
    assert not stale
    assert not unknown


@pytest.mark.parametrize("kind", ["divergence", "untested"])
def test_what_is_recorded_has_a_citation_and_a_reason(kind: str) -> None:
    for section, entry in recorded(kind).items():
        assert list(citations(section)) == [section]
        assert len(entry["why"].split()) >= 5
        assert kind == "untested" or entry["does"]


def test_a_divergence_that_the_code_declares_is_recorded() -> None:
    """`Deviates:` stands in the docstring that cites the section."""
    for path in (ROOT / "catshop").rglob("*.py"):
        for docstring in re.findall(
            r'"""(?:(?!""").)*?Deviates:.*?"""', path.read_text("utf-8"), re.DOTALL
        ):
            assert recorded("divergence").keys() & set(citations(docstring)), f"{path}: {docstring}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("RFC 9112 §6.3.", ["RFC 9112 §6.3"], id="full-stop"),
        pytest.param("(RFC 9112\n    §6.3)", ["RFC 9112 §6.3"], id="line-break"),
        pytest.param("# RFC 9112\n# §6.3", ["RFC 9112 §6.3"], id="comment"),
        pytest.param("RFC 1 §2.1, §3 and §4", ["RFC 1 §2.1", "RFC 1 §3", "RFC 1 §4"], id="list"),
        pytest.param(
            "MCP 2025-11-25 basic/transports §session-management, rule 5",
            ["MCP 2025-11-25 basic/transports §session-management"],
            id="mcp",
        ),
        pytest.param("RFC 9112 section 6.3", [], id="other-form"),
    ],
)
def test_a_citation_is_read_in_its_one_form(text: str, found: list[str]) -> None:
    assert list(citations(text)) == found

"""The catalogue of refusals: every code in use is explained, and none is explained in vain."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pytest

from catshop.catalogue import Explanation, catalogue, explain

PACKAGE: Final = Path(__file__).parent.parent / "catshop"
CODE: Final = re.compile(r"E-[A-Z]+-[0-9]{2}")
NQCHAR: Final = re.compile(r"[\x20\x21\x23-\x5B\x5D-\x7E]+")
"""What an OAuth error_description may contain. RFC 6749 §5.2, appendix A."""


def used() -> dict[str, str]:
    """Each code that the source names as a literal, with one place that does."""
    return {
        code: f"{path.relative_to(PACKAGE.parent)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for code, line in literals(path)
    }


def literals(path: Path) -> Iterator[tuple[str, int]]:
    """Strings of the module that are codes and nothing else; docstrings only mention them."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and CODE.fullmatch(str(node.value)):
            yield str(node.value), node.lineno


def test_every_code_that_the_source_names_is_in_the_catalogue() -> None:
    missing = {code: place for code, place in used().items() if code not in catalogue()}
    assert not missing


def test_every_code_of_the_catalogue_is_named_by_the_source() -> None:
    assert set(catalogue()) - set(used()) == set()


@pytest.mark.parametrize("code", catalogue())
def test_the_words_of_a_code_fit_into_an_oauth_description(code: str) -> None:
    """RFC 6749 §5.2."""
    assert CODE.fullmatch(code)
    for name, words in asdict(explain(code)).items():
        odd = NQCHAR.sub("", words)
        assert not odd, f"{name} of {code} has {odd!r}: {words}"
        assert words == words.strip() != ""


@pytest.mark.parametrize("code", catalogue())
def test_an_explanation_cites_and_advises(code: str) -> None:
    told = explain(code)
    assert len({told.title, told.expected, told.cause, told.fix}) == 4, "each says its own thing"
    assert "://" not in told.section, "a section is cited, not linked"


def test_a_code_that_nobody_wrote_is_an_error() -> None:
    with pytest.raises(KeyError):
        explain("E-CAT-99")


def test_an_explanation_knows_its_own_code() -> None:
    assert all(entry == Explanation(**asdict(entry)) for entry in catalogue().values())
    assert all(code == entry.code for code, entry in catalogue().items())

"""The code of a check, found by the line that decided it."""

from __future__ import annotations

import pytest

from catshop.inspector.web.source import LINES, code_at
from catshop.oauth import pkce


def test_a_line_is_shown_in_its_function() -> None:
    """From the first line of the function to its last, and the one that decided is told apart."""
    function = pkce.prove
    first = function.__code__.co_firstlineno
    found = code_at(f"oauth/pkce.py:{first + 1}")
    assert found[0].number == first
    assert [line.number for line in found if line.decided] == [first + 1]
    assert "def prove" in "".join(line.text for line in found[:3])
    assert len(found) < LINES


def test_a_line_outside_a_function_is_shown_with_its_neighbours() -> None:
    found = code_at("oauth/pkce.py:1")
    assert (found[0].number, found[0].decided) == (1, True)
    assert len(found) == 4


@pytest.mark.parametrize(
    "place",
    ["", "oauth/pkce.py", "oauth/pkce.py:0", "oauth/pkce.py:99999", "nothing.py:1", "pkce.py:x",
     "../conftest.py:1", "/etc/passwd:1", "oauth/../../setup.py:1", "oauth/pkce.py:1\n",
     "inspector/why.toml:1"],
)  # fmt: skip
def test_what_is_no_line_of_ours_has_no_code(place: str) -> None:
    assert code_at(place) == ()

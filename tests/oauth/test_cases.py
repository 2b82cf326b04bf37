"""The table of OAuth cases is whole: every row has a test, and a mark says what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oauth import cases
from tests.oauth.cases import ORDER, held, read


def test_every_row_has_a_test() -> None:
    assert not set(ORDER) - {each.row for each in held()}


def test_no_row_stands_twice_in_the_table() -> None:
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize(("row", "holds"), [("A99", "a sentence"), ("A5", " ")])
def test_a_mark_names_a_row_and_says_what_holds(row: str, holds: str) -> None:
    with pytest.raises(ValueError, match="row"):
        cases.case(row, holds)


@pytest.mark.case("A5", "an example")
@pytest.mark.parametrize(
    "other",
    [
        pytest.param("A1", marks=pytest.mark.case("A1", "an example"), id="with-a-row-of-its-own"),
        pytest.param("", id="without"),
    ],
)
async def test_a_marked_test_carries_its_rows_in_its_id(
    request: pytest.FixtureRequest, other: str
) -> None:
    _, _, parameters = request.node.nodeid.partition("[")
    assert parameters.startswith("A5-")
    assert parameters.endswith("-A1-with-a-row-of-its-own]" if other else "-without]")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param('@case("A1", "x")\ndef test_a(): ...', ["A1"], id="on-a-test"),
        pytest.param('@case("A1", "x")\nasync def test_a(): ...', ["A1"], id="on-an-async-test"),
        pytest.param(
            '@case("A1", "x")\n@case("A2", "y")\ndef test_a(): ...', ["A1", "A2"], id="twice"
        ),
        pytest.param(
            '@parametrize("n", [param(1, marks=case("A1", "x"))])\ndef test_a(n): ...',
            ["A1"],
            id="on-a-parameter",
        ),
        pytest.param(
            'ALL = [param(1, marks=[case("A1", "x")])]\n@parametrize("n", ALL)\ndef test_a(n): ...',
            ["A1"],
            id="in-a-table",
        ),
        pytest.param("def test_a(): ...", [], id="none"),
    ],
)
def test_a_mark_is_read_without_running_the_test(
    tmp_path: Path, text: str, rows: list[str]
) -> None:
    module = tmp_path / "test_some.py"
    module.write_text(text, "utf-8")
    assert [each.row for each in read(module)] == rows


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('@case(row, "x")\ndef test_a(): ...', id="not-a-literal"),
        pytest.param('@case("A99", "x")\ndef test_a(): ...', id="no-such-row"),
        pytest.param('@case("A1", "")\ndef test_a(): ...', id="no-sentence"),
        pytest.param('LOST = [param(1, marks=case("A1", "x"))]', id="worn-by-no-test"),
    ],
)
def test_a_mark_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    module = tmp_path / "test_some.py"
    module.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="case"):
        list(read(module))

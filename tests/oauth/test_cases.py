"""The table of OAuth cases is whole: every row has a test, and a mark says what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.oauth import cases
from tests.oauth.cases import ORDER, held, read

UNTESTED: Final = (
    "M1 M2 M4 M5 M6 M7",
    "M8 M9",
    "R1 R2 R3 R4 R5 R6",
    "R7 R8 R9 R10 R11 R12",
    "R14 R15 R16 R17 R18 R19",
    "R20",
    "C1 C2 C4 C5 C6 C7",
    "C8 C9 C10 C11 C12 C13",
    "C14 C15 C16 C17 C18 C19",
    "C20 C21 C22 C23",
    "A1 A2 A3 A4 A5 A6",
    "A7 A8 A9 A10 A11 A12",
    "A13 A14 A15 A17 A18 A19",
    "A20 A21 A22",
    "L1 L2 L3 L4 L5 L6",
    "L7 L8 L9 L10 L11 L12",
    "L13 L14 L15 L16 L17 L19",
    "L20 L21 L22 L23 L24",
    "T1 T2 T3 T4 T5 T6",
    "T7 T8 T9 T10 T11 T12",
    "T13 T14 T15 T16 T17 T19",
    "T21 T22 T23 T24 T25 T26",
    "T27 T28 T29 T30 T31",
    "T33",
    "F1 F2 F3 F5 F6 F7",
    "F8 F9 F10 F11 F12 F13",
    "V1 V2 V4 V5 V6 V7",
    "V8 V9",
    "I1 I2 I3 I4 I5 I6",
    "I7",
    "S1 S2 S3 S4 S5 S6",
    "S7 S8 S9 S10 S11 S12",
    "S14 S15 S16",
    "U1 U2 U3 U4 U5 U6",
    "P1 P2 P3 P4 P5 P6",
    "P7 P8 P9 P10 P11 P12",
    "P13 P14 P15",
    "J1 J2 J3 J4 J5 J6",
    "J7 J8 J9 J10 J11 J12",
    "J13 J14 J16 J17 J18 J19",
    "J20 J21 J22 J23 J24",
    "X1 X2 X3 X4 X5 X6",
    "X7 X9 X10 X11 X12 X13",
    "X14",
)
"""Rows that have no test yet: whoever lands one takes it out, until this is empty."""


def test_every_row_has_a_test() -> None:
    """A row that is missing has no test; one that is too many has got its test: take it out."""
    assert set(ORDER) - {each.row for each in held()} == set(" ".join(UNTESTED).split())


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
    assert parameters.endswith("-A1+with-a-row-of-its-own]" if other else "-without]")


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

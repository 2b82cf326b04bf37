"""The rows of the table of OAuth cases, and which test holds which: `@case("A5", "what holds")`.

A row is one way to ask, or to attack, that has one right answer; `ROWS` is the whole table, in the
order of a conversation. A marked test carries its rows in its id (tests/conftest.py puts them
there), so that `pytest -k A5` runs what holds a row, and docs/reference/oauth-cases.md is printed
from the marks alone. They are read without running a test, so both arguments are literals, and a
mark stands on a test, on a `pytest.param`, on many of them with `each`, or in a table of the same
module that a test names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

TESTS: Final = Path(__file__).parent.parent

ROWS: Final = {
    "Metadata and published keys": "M1 M2 M4 M5 M6 M7 M8 M9",
    "Registration": "R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R11 R12 R14 R15 R16 R17 R18 R19 R20",
    "Client ID metadata documents": "C1 C2 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C15 C16 C17 C18 "
    "C19 C20 C21 C22 C23",
    "Authorization endpoint": "A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A17 A18 A19 A20 "
    "A21 A22",
    "Login and consent": "L1 L2 L3 L4 L5 L6 L7 L8 L9 L10 L11 L12 L13 L14 L15 L16 L17 L19 L20 L21 "
    "L22 L23 L24",
    "Token endpoint": "T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14 T15 T16 T17 T19 T21 T22 T23 "
    "T24 T25 T26 T27 T28 T29 T30 T31 T32 T33",
    "Refresh": "F1 F2 F3 F5 F6 F7 F8 F9 F10 F11 F12 F13",
    "Revocation": "V1 V2 V4 V5 V6 V7 V8 V9",
    "Introspection": "I1 I2 I3 I4 I5 I6 I7",
    "Resource server": "S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S12 S14 S15 S16",
    "Step-up": "U1 U2 U3 U4 U5 U6",
    "DPoP": "P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15",
    "JWT verification": "J1 J2 J3 J4 J5 J6 J7 J8 J9 J10 J11 J12 J13 J14 J16 J17 J18 J19 J20 J21 "
    "J22 J23 J24",
    "Proxy to an upstream issuer": "X1 X2 X3 X4 X5 X6 X7 X9 X10 X11 X12 X13 X14",
}
"""Title of each part -> the ids of its rows. A number that is left out was never a row."""

ORDER: Final = [row for rows in ROWS.values() for row in rows.split()]


def case(row: str, holds: str) -> pytest.MarkDecorator:
    """Mark a test, or one `pytest.param` of it: it holds the row, and this is what holds."""
    if row not in ORDER:
        raise ValueError(f"there is no row {row!r}")
    if not holds.strip():
        raise ValueError(f"row {row} needs a sentence that says what holds")
    return pytest.mark.case(row, holds)


def each(mark: pytest.MarkDecorator, examples: Mapping[str, object]) -> list[Any]:
    """Parameters that hold the row of `mark`, by their ids; a tuple is one for each name."""
    return [
        pytest.param(*(told if isinstance(told, tuple) else (told,)), marks=mark, id=name)
        for name, told in examples.items()
    ]


def name_after_rows(metafunc: pytest.Metafunc) -> None:
    """Put the rows of a test, and those of its parameters, into its id."""
    own = metafunc.definition.own_markers
    if rows := sorted((each.args[0] for each in own if each.name == "case"), key=ORDER.index):
        metafunc.parametrize("rows_held", ["+".join(rows)])
    own[:] = [named(each) if each.name == "parametrize" else each for each in own]


def named(mark: pytest.Mark) -> pytest.Mark:
    """The same parameters; those that hold a row say so in their ids."""
    names, values, *others = mark.args
    return pytest.mark.parametrize(names, [*map(labelled, values)], *others, **mark.kwargs).mark


def labelled(value: object) -> object:
    """One set of parameters, which needs an id of its own to hold a row."""
    rows = [each.args[0] for each in getattr(value, "marks", ()) if each.name == "case"]
    return value._replace(id="-".join([*rows, value.id])) if rows else value


@dataclass(frozen=True, slots=True)
class Held:
    """One row that one test holds."""

    row: str
    holds: str
    path: Path
    test: str
    line: int


@cache
def held() -> tuple[Held, ...]:
    """Every mark of every test, in the order of the rows, then of the files."""
    found = {each for path in TESTS.rglob("*.py") for each in read(path)}
    return tuple(
        sorted(found, key=lambda each: (ORDER.index(each.row), each.path, each.line, each.holds))
    )


def read(path: Path) -> Iterator[Held]:
    """The marks of one file; one that no test wears is an error, as it would hold nothing."""
    text = path.read_text("utf-8")
    if "case(" not in text or path == Path(__file__):
        return
    tree = ast.parse(text)
    tables = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    worn: set[ast.Call] = set()
    for test in ast.walk(tree):
        if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in marks(test.decorator_list, tables):
                worn.add(mark)
                yield Held(*literals(mark, path), path, test.name, test.lineno)
    if lost := set(marks([tree], {})) - worn:
        raise ValueError(f"{path}:{min(each.lineno for each in lost)}: no test wears this case")


def marks(nodes: Sequence[ast.AST], tables: dict[str, ast.expr]) -> Iterator[ast.Call]:
    """Every `case(...)` below the nodes, and in the tables that they name."""
    for node in (inner for each in nodes for inner in ast.walk(each)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "case"
        ):
            yield node
        elif isinstance(node, ast.Name) and node.id in tables:
            yield from marks([tables[node.id]], tables)


def literals(mark: ast.Call, path: Path) -> tuple[str, str]:
    """The row and the sentence, which can be read as they stand."""
    match [each.value if isinstance(each, ast.Constant) else None for each in mark.args]:
        case [str(row), str(holds)] if row in ORDER and holds.strip() and not mark.keywords:
            return row, " ".join(holds.split())
        case _:
            raise ValueError(f"{path}:{mark.lineno}: write case(row, sentence) as two literals")

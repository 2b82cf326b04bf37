"""What `bench/` compares the shop with: the trace is out and all else is in; how that is judged."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from bench.record import (
    NOBODY,
    Figure,
    Record,
    Row,
    Verdict,
    figure,
    judged,
    of_now,
    read,
    unwatched,
    write,
)
from bench.servers import LIST, free_port, house
from bench.without_trace import Loader, NothingRemoved, is_trace, removing, without
from catshop.kernel import Trace
from catshop.tools.products import SEED

ROOT: Final = Path(__file__).parent.parent
MODULES: Final = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted((ROOT / "catshop").rglob("*.py"))
    if path.parts[len(ROOT.parts) + 1] != "lab"  # no server that is measured has one
}

KEPT: Final = frozenset({"note_answer", "settle"})
"""What is handed a trace and does something else besides: writes a line of the log, refuses."""

SAMPLE: Final = '''
class Shop:
    """Sells."""

    def __init__(self, trace):
        self._trace = trace
        self.sold = []

    def sell(self, cat):
        self._trace.note("state", "asked", cat=cat)
        if not cat:
            self._trace.check("cat.named", "NO")
            raise ValueError("no cat")
        if self._trace.observed:
            self._trace.check("cat.named", "ok", said=self.describe(cat))
        try:
            self.sold.append(cat)
        finally:
            report(cat, self._trace)
        return len(self.sold) if self._trace.observed or cat else 0

    def describe(self, cat):
        return cat.upper()


def report(cat, trace):
    if not trace.observed:
        return
    trace.note("state", "sold", cat=cat)
'''


class Deaf:
    """A trace that nobody may touch."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the trace was asked for {name}")


def shop(code: ast.Module, trace: object) -> Any:
    """The shop of a sample."""
    names: dict[str, Any] = {}
    exec(compile(code, "sample", "exec"), names)  # noqa: S102 - the sample stands above
    return names["Shop"](trace)


def outcome(of: Callable[[str], object], cat: str) -> object:
    """What comes of it: a value, or the error."""
    try:
        return of(cat)
    except ValueError as error:
        return repr(error)


def test_without_the_trace_the_code_does_all_else_and_never_touches_it() -> None:
    stripped, removed = without(SAMPLE, "sample")
    plain, silent = shop(ast.parse(SAMPLE), Trace()), shop(stripped, Deaf())
    for cat in ("Tom", "", "Felix"):
        assert outcome(silent.sell, cat) == outcome(plain.sell, cat)
    assert silent.sold == plain.sold == ["Tom", "Felix"]
    assert silent.__doc__ == "Sells."
    assert removed == {
        "self._trace.note": 1,
        "self._trace.check": 2,
        "self._trace.observed": 2,
        "report": 1,
        "trace.note": 1,
        "trace.observed": 1,
    }


@pytest.mark.parametrize(
    ("line", "left"),
    [
        pytest.param("shop.trace.check(name, NO)", "pass", id="a-check"),
        pytest.param("note_request(service.trace, head)", "pass", id="a-helper"),
        pytest.param("door.note_body(self._trace, body)", "pass", id="a-helper-of-a-module"),
        pytest.param("x = trace.observed and body", "x = False and body", id="a-question"),
        pytest.param("note_answer(trace, answer)", "note_answer(trace, answer)", id="it-logs"),
        pytest.param("settle(found, trace)", "settle(found, trace)", id="it-refuses"),
        pytest.param("report(findings)", "report(findings)", id="of-another-kind"),
        pytest.param("self.check(chart)", "self.check(chart)", id="of-no-trace"),
        pytest.param("x = note(trace)", "x = note(trace)", id="something-is-done-with-it"),
        pytest.param("page.observed", "page.observed", id="a-question-to-others"),
    ],
)
def test_only_what_serves_the_trace_alone_is_taken_out(line: str, left: str) -> None:
    tree, removed = without(line, "sample")
    assert ast.unparse(tree) == left
    assert removed.total() == (left != line)


def test_no_module_of_ours_tells_a_trace_anything_afterwards() -> None:
    """Whoever adds a helper that is handed a trace tells `HELPERS`, or `KEPT`, of it."""
    told, handed = 0, set()
    for name, path in MODULES.items():
        tree, removed = without(path.read_bytes(), name)
        told += removed.total()
        again, left = without(ast.unparse(tree), "sample")
        assert (name, left) == (name, {})
        for node in ast.walk(again):
            match node:
                case ast.Expr(value=ast.Call(func=called, args=args)) if any(map(is_trace, args)):
                    handed.add(ast.unparse(called))
    assert told > 0
    assert handed <= KEPT


@pytest.mark.parametrize("name", ["catshop.protocol.http1.conversation", "catshop.storage.sqlite"])
def test_a_module_that_is_not_as_it_was_thought_to_be_is_no_base_of_a_measurement(
    name: str,
) -> None:
    with pytest.raises(NothingRemoved, match=name):
        without("x = 1", name)


def test_a_module_that_is_there_already_would_keep_its_trace() -> None:
    with pytest.raises(NothingRemoved, match="was imported before"), removing():
        pass


def test_the_loader_leaves_no_compiled_module_that_another_program_would_load(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sample.py"
    path.write_text(SAMPLE, "utf-8")
    removed: Counter[str] = Counter()
    Loader("catshop.sample", str(path), removed).get_code("catshop.sample")
    assert removed == {"catshop.sample": 8}
    assert list(tmp_path.iterdir()) == [path]


def test_the_shop_without_its_trace_serves_and_says_how_much_was_taken_out(tmp_path: Path) -> None:
    ours = house(tmp_path / "shop", "asyncio")
    with ours.served("without", ["without_trace.py"], free_port()) as runner:
        products = [product.wire() for product in SEED]
        assert runner.answer(LIST) == ({"result": products}, products)
        said = json.loads(runner.said())
    assert 1 < said["modules"] < said["places"]


# --- What follows from it ---


def recorded(*costs: Figure) -> Record:
    """A record of as many works."""
    tables = {f"{n}": [Row(NOBODY, cost, cost)] for n, cost in enumerate(costs)}
    return of_now("a command", {"fact": "1"}, tables)


GOOD: Final = Figure(0.99, 1.0, 1.01)


@pytest.mark.parametrize(
    ("costs", "verdict"),
    [
        pytest.param([GOOD, GOOD], Verdict.HELD, id="below"),
        pytest.param([GOOD, Figure(1.01, 1.015, 1.021)], Verdict.OPEN, id="across"),
        pytest.param([GOOD, Figure(1.021, 1.03, 1.04)], Verdict.BROKEN, id="above"),
        pytest.param([Figure(*[float("nan")] * 3)], Verdict.OPEN, id="not-measured"),
        pytest.param([], Verdict.OPEN, id="nothing"),
    ],
)
def test_the_promise_is_held_when_every_interval_is_below_it(
    costs: list[Figure], verdict: Verdict
) -> None:
    assert judged(recorded(*costs)) is verdict


def test_a_figure_is_the_median_within_an_interval_that_is_always_the_same() -> None:
    sittings = [[1.0, 1.1, 1.2], [1.1, 1.1, 1.4], [0.9, 1.0, 1.1]]
    found = figure(sittings)
    assert found == figure(sittings)
    assert found.median == 1.1
    assert 0.9 <= found.low < found.median < found.high <= 1.4
    assert figure([[1.0, 1.0]]) == Figure(1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        pytest.param(Figure(0.9951, 1.0042, 1.01), "1.004 (0.995 to 1.010)", id="about-the-same"),
        pytest.param(Figure(4.86, 5.12, 5.5), "5.1 (4.9 to 5.5)", id="times"),
    ],
)
def test_a_figure_shows_as_much_as_was_found(ratio: Figure, text: str) -> None:
    assert str(ratio) == text


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    saved = recorded(GOOD)
    write("x", saved, tmp_path / "results")
    again = read("x", tmp_path / "results")
    assert (again.date, again.facts, unwatched(again)) == (saved.date, saved.facts, [GOOD])


def test_the_record_tells_of_reading_and_of_writing_and_of_everybody_who_watches() -> None:
    trace = read("overhead")
    assert len(unwatched(trace)) == len(trace.tables) == 2
    assert {len(rows) for rows in trace.tables.values()} == {4}

"""The format of a recording: what is written is what is read, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catshop.inspector.recording import (
    KINDS,
    Answer,
    Body,
    Check,
    Ended,
    Joined,
    Line,
    Recording,
    RecordingRefused,
    Request,
    Started,
    lines_of,
    parsed,
    read,
    written,
)

TEXT = st.text(max_size=20)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)


@given(
    st.one_of(
        st.builds(Request, n=st.integers(0), id=TEXT, target=TEXT, fields=PAIRS),
        st.builds(Check, at=st.floats(0, 1e6), name=TEXT, told=st.dictionaries(TEXT, TEXT)),
        st.builds(Body, text=TEXT, size=st.integers(0)),
    )
)
def test_a_line_that_was_written_reads_as_it_was(line: Line) -> None:
    text = written(line)
    assert "\n" not in text
    assert parsed(text) == line


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_line_can_be_written_and_read_when_it_says_nothing(name: str) -> None:
    line = KINDS[name]()
    assert parsed(written(line)) == line


def test_a_kind_of_line_that_is_not_known_is_skipped() -> None:
    """A newer program may tell more without becoming unreadable."""
    text = [written(Started()), '{"is":"weather","at":1,"wind":"north"}', written(Ended(n=1))]
    assert [type(line) for line in lines_of(text)] == [Started, Ended]


FIRST = written(Started()) + "\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("", "E-REC-01", id="no-beginning"),
        pytest.param('{"is":"ended","n":1}\n', "E-REC-01", id="the-beginning-was-cut-off"),
        pytest.param("HTTP/1.1 200 OK\n", "E-REC-01", id="not-json"),
        pytest.param("[1]\n", "E-REC-01", id="no-object"),
        pytest.param('{"is":"recording","version":2}\n', "E-REC-03", id="of-the-future"),
        pytest.param('{"is":"recording","version":"1"}\n', "E-REC-01", id="text-for-a-number"),
        pytest.param(FIRST + '{"is":"request","fields":[["a"]]}\n', "E-REC-02", id="odd-pair"),
        pytest.param(FIRST + '{"is":"check","told":[]}\n', "E-REC-02", id="odd-told"),
        pytest.param(FIRST + '{"is":"request","n":true}\n', "E-REC-02", id="true"),
        pytest.param(FIRST + "[" * 9000 + "\n", "E-REC-02", id="deep"),
    ],
)
def test_what_is_no_recording_is_refused_with_its_reason(
    tmp_path: Path, text: str, code: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(RecordingRefused) as refused:
        read(path)
    assert refused.value.code == code


def test_a_refusal_names_the_file_and_the_line_and_shows_nothing_of_it(tmp_path: Path) -> None:
    """It may be a file of secrets that somebody named by mistake."""
    path = tmp_path / "x.jsonl"
    path.write_text(FIRST + "{}\n", "utf-8")
    with pytest.raises(RecordingRefused) as refused:
        read(path)
    assert refused.value.arrived == f"{path}: line 2"
    path.write_text("root:secret\n", "utf-8")
    with pytest.raises(RecordingRefused) as refused:
        read(path)
    assert refused.value.arrived == str(path)


def test_a_last_line_without_its_end_is_left_out(tmp_path: Path) -> None:
    """Whoever wrote it was stopped; what came before is worth reading."""
    path = tmp_path / "x.jsonl"
    path.write_text(FIRST + written(Request(n=1)) + "\n" + '{"is":"frame","at":1.', "utf-8")
    assert list(read(path).exchanges) == [1]


def test_a_file_that_is_not_there_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingRefused):
        read(tmp_path / "nothing")


def test_lines_of_exchanges_side_by_side_find_their_exchange() -> None:
    recording = Recording()
    for line in (Request(n=1), Request(n=2), Answer(n=2, status=202), Answer(n=1, status=200)):
        recording.add(line)
    assert {n: each.status for n, each in recording.exchanges.items()} == {1: 200, 2: 202}


def test_two_flows_that_turn_out_to_be_one_become_the_older_one() -> None:
    recording = Recording()
    for line in (Joined(n=1, flow=1), Joined(n=3, flow=3), Joined(n=4, flow=3)):
        recording.add(line)
    recording.add(Joined(n=5, flow=1))
    recording.add(Joined(n=5, flow=1, was=3))
    assert [each.n for each in recording.flow(1)] == [1, 3, 4, 5]
    assert recording.flow(3) == []
    assert recording.flow(0) == []


def test_an_exchange_of_which_the_beginning_is_missing_is_still_one() -> None:
    """A file begins where the one before was full."""
    recording = Recording()
    recording.add(Ended(n=7, status=200))
    found = recording.exchanges[7]
    assert (found.request.method, found.status, found.body("<").text) == ("", 0, "")

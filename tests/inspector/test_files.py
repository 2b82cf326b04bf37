"""A recording in a file: bounded, for its owner alone, and never over what somebody wants."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from catshop.inspector.files import ASIDE, Files
from catshop.inspector.recording import RecordingRefused, Request, Started, read


def test_a_full_file_is_set_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    files = Files(path, Started(program="test"), octets=500)
    for number in range(60):
        files(Request(n=number + 1, target="/" + "x" * 60))
    files.close()
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["r.jsonl", *(f"r.jsonl.{number + 1}" for number in range(ASIDE))]
    parts = [read(tmp_path / name).started.part for name in names]
    assert parts == sorted(parts, reverse=True)
    assert 60 in read(path).exchanges
    assert all(each.stat().st_size <= 500 for each in tmp_path.iterdir())


def test_a_file_that_cannot_be_written_to_ends_the_recording_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    files = Files(folder / "r.jsonl", Started(), octets=10)
    shutil.rmtree(folder)
    files(Request(n=1))
    files(Request(n=2))
    assert caplog.text.count("the recording ends") == 1


def test_a_recording_that_is_there_is_set_aside(tmp_path: Path) -> None:
    """The same command, twice: the second run destroys nothing of the first."""
    path = tmp_path / "r.jsonl"
    for number in (1, 2):
        files = Files(path, Started())
        files(Request(n=number))
        files.close()
    assert list(read(path).exchanges) == [2]
    assert list(read(tmp_path / "r.jsonl.1").exchanges) == [1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("notes", "utf-8")
    with pytest.raises(RecordingRefused, match="E-REC-11"):
        Files(path, Started())
    assert path.read_text("utf-8") == "notes"


def test_two_programs_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    first = Files(path, Started())
    with pytest.raises(RecordingRefused, match="E-REC-12"):
        Files(path, Started())
    first(Request(n=1))
    with pytest.raises(RecordingRefused, match="E-REC-12"):
        Files(path, Started())
    first.close()
    Files(path, Started()).close()


def test_a_link_is_not_followed_and_an_open_file_is_closed_to_others(tmp_path: Path) -> None:
    theirs, link = tmp_path / "theirs.jsonl", tmp_path / "link.jsonl"
    theirs.touch(0o644)
    link.symlink_to(theirs)
    with pytest.raises(OSError, match="link"):
        Files(link, Started())
    assert theirs.read_text() == ""
    Files(theirs, Started()).close()
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o600


def test_the_first_line_says_where_the_server_is(tmp_path: Path) -> None:
    files = Files(tmp_path / "r.jsonl", Started())
    files.located("http://127.0.0.1:8000")
    files.close()
    assert read(tmp_path / "r.jsonl").started.url == "http://127.0.0.1:8000"

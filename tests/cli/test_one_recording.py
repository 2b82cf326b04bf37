"""One purchase, recorded once: the trace, the ladder, the pages and every export tell the same.

Each is read as its own kind of reader reads it; what they must agree on is which exchanges there
were, in which order, and how each ended.
"""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dpkt
import httpx2
import pytest

from catshop.inspector.recording import read
from tests.cli.test_export import streams
from tests.support.program import PATIENCE, catshop, environment

Told = list[tuple[int, int]]
"""Number and status of each exchange."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `demo --record` has left a whole purchase, sign-up and sign-in included."""
    where = tmp_path_factory.mktemp("recorded")
    done = catshop(where, "demo", "--record", "trip.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    return where


@pytest.fixture(scope="module")
def told(folder: Path) -> Told:
    """What the file itself says."""
    found = [(each.n, each.status) for each in read(folder / "trip.jsonl").exchanges.values()]
    assert {200, 201, 303, 401} <= {status for _, status in found}
    return found


def said(folder: Path, *command: str) -> str:
    done = catshop(folder, *command, env={"COLUMNS": "160"})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def exported(folder: Path, form: str) -> str:
    return said(folder, "export", "trip.jsonl", "--as", form)


def by_trace(folder: Path) -> Iterator[tuple[int, int]]:
    found = re.findall(r"^#(\d+) .* (\d{3}) +[\d.]+ ms", said(folder, "trace", "trip.jsonl"), re.M)
    yield from ((int(n), int(status)) for n, status in found)


def by_ladder(folder: Path) -> Iterator[tuple[int, int]]:
    number = 0
    for line in said(folder, "trace", "trip.jsonl", "--ladder").splitlines():
        asked, answered = re.match(r" *(\d+) ", line[:4]), re.search(r"[◀▶].*  (\d{3}) ", line)
        number = int(asked[1]) if asked else number
        if answered and not asked:
            yield number, int(answered[1])


def by_mermaid(folder: Path) -> Iterator[tuple[int, int]]:
    answers = re.findall(r"-->>\w+: (\d{3})\b", exported(folder, "mermaid"))
    yield from enumerate(map(int, answers), 1)


def by_page(folder: Path) -> Iterator[tuple[int, int]]:
    text = exported(folder, "html")
    found = re.findall(r"<summary>#(\d+) .*? (\d{3}) [\d.]+ ms", text)
    yield from ((int(n), int(status)) for n, status in found)


def by_har(folder: Path) -> Iterator[tuple[int, int]]:
    for entry in json.loads(exported(folder, "har"))["log"]["entries"]:
        yield int(entry["comment"].removeprefix("#")), entry["response"]["status"]


def by_capture(folder: Path) -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "catshop", "export", "trip.jsonl", "--as", "pcapng"]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, timeout=PATIENCE, check=True
    )
    for number, (_, answered) in enumerate(streams(done.stdout), 1):
        yield number, int(dpkt.http.Response(io.BytesIO(answered).read()).status)


def by_inspector(folder: Path) -> Iterator[tuple[int, int]]:
    """The pages that `trace --inspect` serves, until Ctrl-C."""
    command = [sys.executable, "-m", "catshop", "trace", "trip.jsonl", "--inspect"]
    with subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        link = next(line.strip() for line in process.stdout if "http://" in line)
        home = link.partition("/-/")[0]
        with httpx2.Client(follow_redirects=True) as http:
            assert http.get(link).status_code == 200
            rows = http.get(f"{home}/-/wire.json").json()["rows"]
            assert http.get(f"{home}/-/wire/11").status_code == 200
            assert http.get(f"{home}/-/store").status_code == 404
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    yield from ((row["n"], int(row["ended"])) for row in rows if row["tone"] != "stored")


READERS: list[Callable[[Path], Iterator[tuple[int, int]]]] = [
    by_trace, by_ladder, by_mermaid, by_page, by_har, by_capture, by_inspector,
]  # fmt: skip


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_every_picture_of_a_recording_tells_the_same(
    folder: Path, told: Told, reader: Callable[[Path], Iterator[tuple[int, int]]]
) -> None:
    assert list(reader(folder)) == told


@pytest.mark.parametrize("form", ["curl", "http"])
def test_a_script_asks_for_the_same_and_expects_the_same(
    folder: Path, told: Told, form: str
) -> None:
    """But for what the client was sent itself, at its own address."""
    text = exported(folder, form)
    numbers = [int(n) for n in re.findall(r"^(?:step \W*|### )(\d+)\. ", text, re.M)]
    statuses = [int(s) for s in re.findall(r"^(?:see (\d{3})|\?\? status == (\d{3}))", text, re.M)
                for s in s if s]  # fmt: skip
    found = read(folder / "trip.jsonl").exchanges.values()
    sent = [each.n for each in found if not each.request.target.startswith("/callback")]
    assert len(sent) == len(told) - 1
    assert list(zip(numbers, statuses, strict=True)) == [each for each in told if each[0] in sent]


def test_no_file_is_no_recording_to_inspect(tmp_path: Path) -> None:
    refused = catshop(tmp_path, "trace", "--inspect")
    assert refused.returncode == 1
    assert "E-REC-06" in refused.stderr
    missing = catshop(tmp_path, "trace", "nothing.jsonl", "--inspect")
    assert "E-REC-01" in missing.stderr

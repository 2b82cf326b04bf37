"""The command line in this process, as quick as it can be: its own `main`, with its own exits."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from catshop.cli import main
from tests.support.program import OURS


@dataclass(frozen=True)
class Said:
    """How a command ended: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run `catshop` with these arguments in an empty folder, with `typed` on its standard input."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if OURS.fullmatch(name)]:
        monkeypatch.delenv(name)

    def run(*arguments: str, typed: str = "") -> Said:
        monkeypatch.setattr(sys, "argv", ["catshop", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, re.sub(r"\s+", " ", said.err).strip())

    return run

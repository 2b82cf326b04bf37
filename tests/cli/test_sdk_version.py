"""The SDK is asked for its version before a line of ours imports it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from catshop import cli
from tests.support.program import PATIENCE, ROOT, environment


def distribution(folder: Path, version: str) -> None:
    """Make it look as if `mcp` were installed in this version."""
    metadata = folder / f"mcp-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mcp\nVersion: {version}\n")


@pytest.mark.parametrize("version", ["1.20.0", "2.30.0", "3.0.0"])
def test_another_sdk_is_refused_with_the_version_that_is_needed(
    tmp_path: Path, version: str
) -> None:
    """A000-1: one line, and no traceback."""
    distribution(tmp_path, version)
    done = subprocess.run(
        [sys.executable, "-m", "catshop", "config"],
        env=environment(PYTHONPATH=f"{tmp_path}:{ROOT}"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"catshop: mcp {version} is here; this version needs mcp 2.3. ")
    assert "pip install 'mcp==2.3.*'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_series_that_is_asked_for_is_the_one_that_is_pinned() -> None:
    """A000-1: the message and pyproject.toml must not drift apart."""
    pinned = f'"mcp>={cli.SDK},<'
    assert pinned in (ROOT / "pyproject.toml").read_text("utf-8")
    assert cli.sdk().startswith(f"{cli.SDK}.")

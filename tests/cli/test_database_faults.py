"""A database that cannot be used: one clear message, status 1, and the file as it was.

In a process of its own, because what is tested is what its user sees.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.program import PATIENCE, catshop, environment


def refused(folder: Path, *arguments: str, **env: str) -> str:
    """The one message of a start that fails."""
    done = catshop(folder, *arguments, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("catshop: ")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def strangers(path: Path) -> None:
    """A database of another program."""
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE dogs (name TEXT)")
    database.execute("INSERT INTO dogs VALUES ('Rex')")
    database.commit()
    database.close()


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("user", "list")])
def test_another_programs_database_is_left_alone(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A mistyped path must not make a shop of somebody's data."""
    strangers(tmp_path / "catshop.db")
    before = (tmp_path / "catshop.db").read_bytes()
    assert "E-DB-09 catshop.db" in refused(tmp_path, *command)
    assert (tmp_path / "catshop.db").read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"Dear diary, today there was tuna.\n" * 100, id="text"),
        pytest.param(b"SQLite format 3\0" + b"\xff" * 4080, id="garbage"),
    ],
)
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """It may be all that is left of one."""
    (tmp_path / "catshop.db").write_bytes(content)
    assert "catshop.db" in refused(tmp_path, "serve", "--port", "0")
    assert (tmp_path / "catshop.db").read_bytes() == content


def test_a_damaged_database_is_left_alone(tmp_path: Path) -> None:
    """What can still be read of it must not be made worse."""
    assert catshop(tmp_path, "selfcheck").returncode == 0
    path = tmp_path / "catshop.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xaa" * (len(whole) - 4096))
    before = path.read_bytes()
    assert "catshop.db" in refused(tmp_path, "serve", "--port", "0")
    assert path.read_bytes() == before


def test_a_locked_database_is_waited_for_and_then_named(tmp_path: Path) -> None:
    """Whoever holds it may be a backup; the start gives up after `storage.busy_seconds`."""
    assert catshop(tmp_path, "selfcheck").returncode == 0
    holder = sqlite3.connect(tmp_path / "catshop.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        said = refused(tmp_path, "user", "list", CATSHOP_STORAGE_BUSY_SECONDS="0.2")
    finally:
        holder.close()
    assert "E-DB-01" in said


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """And not made: the path is more likely wrong than new."""
    said = refused(tmp_path, "serve", "--port", "0", "--database", "none/such/catshop.db")
    assert "E-DB-08 none/such" in said
    assert not (tmp_path / "none").exists()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """Its rows may mean what this version cannot know."""
    assert catshop(tmp_path, "selfcheck").returncode == 0
    database = sqlite3.connect(tmp_path / "catshop.db")
    database.execute("INSERT INTO migrations VALUES (9999, 'from the future', 0)")
    database.commit()
    before = list(database.iterdump())
    assert "E-DB-07" in refused(tmp_path, "user", "list")
    assert list(database.iterdump()) == before
    database.close()


NOBODY = """
import os, pathlib, sys
from catshop.cli import main, serve, telling

def catshop(*arguments):
    sys.argv = ["catshop", *arguments, "--database", str(path)]
    try:
        main()
    except SystemExit as ended:
        return ended.code

path = pathlib.Path(sys.argv[1])
assert catshop("user", "list") == 0
before = path.read_bytes()
path.chmod(0o444)
path.parent.chmod(0o555)
if os.getuid() == 0:  # root may write anything; whatever is needed has been imported by now
    os.setuid(65534)
print(catshop("serve", "--port", "0"), path.read_bytes() == before)
"""


def test_a_database_that_cannot_be_written_is_named() -> None:
    """Its folder is somebody else's, say."""
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", NOBODY, str(Path(folder) / "catshop.db")],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        Path(folder).chmod(0o755)
    assert done.stdout == "1 True\n", done.stderr
    assert done.stderr.startswith("catshop: E-DB-02 ")
    assert done.stderr.count("\n") == 1


def test_a_catalog_replaces_the_built_in_one(tmp_path: Path) -> None:
    """000.11: `--catalog FILE` sells something else."""
    (tmp_path / "mine.json").write_text(
        '[{"id": 1, "name": "Box", "price": 0.5, "category": "toys", "description": "Empty."}]'
    )
    done = catshop(tmp_path, "selfcheck", env={"CATSHOP_CATALOG": "mine.json"})
    assert "1 products" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "content", ["", "{}", '[{"id": 1}]', '[{"id": 1, "name": "Box", "price": -1}]']
)
def test_a_catalog_that_cannot_be_sold_is_refused(tmp_path: Path, content: str) -> None:
    """The message names the file, and what was in the shop stays in it."""
    (tmp_path / "mine.json").write_text(content)
    assert "mine.json" in refused(tmp_path, "serve", "--port", "0", "--catalog", "mine.json")
    assert "8 products" in catshop(tmp_path, "selfcheck", "--layer", "storage").stdout

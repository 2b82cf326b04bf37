"""A log in a file: every line whole, with its time, whoever writes it."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from catshop.app import open_house
from catshop.config import load
from catshop.kernel import Secret
from catshop.storage.logfile import appended


async def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    """RFC 3339 §5.6: the time is UTC, and says so. Only the owner reads the file."""
    path, log = tmp_path / "audit.log", logging.getLogger("catshop.audit")
    for number in range(2):
        async with appended(log, path), appended(log, path):
            log.info("line %d", number)
        log.info("nobody hears this")
    lines = path.read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["line 0", "line 0", "line 1", "line 1"]
    for line in lines:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_without_a_file_nothing_changes() -> None:
    """RFC 3339 §5.6."""
    log = logging.getLogger("catshop.audit")
    before = (log.level, list(log.handlers))
    async with appended(log, None):
        assert (log.level, list(log.handlers)) == before


async def test_what_a_command_grants_is_in_the_file_of_the_audit(tmp_path: Path) -> None:
    """RFC 9700 §4.14.2: there is no other way to a token than one that leaves a line."""
    file = tmp_path / "audit.log"
    named = {"database": str(tmp_path / "shop.db"), "audit_file": str(file)}
    async with open_house(load(flags=named)) as house:
        await house.administration.add_user("alice", Secret("whiskers and paws"))
        secret, token = await house.administration.issue_token("alice", frozenset({"read"}), 60)
    [line] = file.read_text().splitlines()
    assert line.split(" ")[1] == "granted"
    assert f"token={token.id}" in line
    assert secret.reveal() not in line


@pytest.mark.parametrize("name", ["nowhere/audit.log"])
async def test_a_file_that_cannot_be_written_stops_the_start(tmp_path: Path, name: str) -> None:
    """RFC 9700 §4.14.2: without the audit nothing is granted."""
    named = {"database": str(tmp_path / "shop.db"), "audit_file": str(tmp_path / name)}
    with pytest.raises(FileNotFoundError):
        async with open_house(load(flags=named)):
            pass

"""`catshop serve --lab` and `catshop break`: switched while the server runs, shown everywhere."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from catshop.lab.faults import FAULTS
from catshop.lab.switch import Position, Switch
from tests.support.program import PATIENCE, catshop, environment, serving

if TYPE_CHECKING:
    from .conftest import Command


def test_list_prints_one_fault_a_line(cli: Command) -> None:
    lines = cli("break", "list").out.splitlines()
    assert [line.partition("\t")[0] for line in lines] == list(FAULTS)


def test_a_fault_is_switched_on_and_off_while_the_server_runs(tmp_path: Path) -> None:
    """The answer, the trace and the log say so, and the command asks the server before it does."""
    with serving(tmp_path, "--lab", "--trace") as shop:
        assert "LABORATORY" in shop.banner
        switch = tmp_path / "catshop.db.lab"
        assert stat.S_IMODE(switch.stat().st_mode) == 0o600
        assert "x-catshop-fault" not in httpx2.get(f"{shop.url}/healthz").headers
        on = catshop(tmp_path, "break", "pkce-skipped")
        assert (on.returncode, on.stdout.splitlines()[0]) == (
            0,
            f"pkce-skipped is on at {shop.url}",
        )
        refused = httpx2.post(f"{shop.url}/token", data={"grant_type": "odd"})
        assert (refused.status_code, refused.headers["x-catshop-fault"]) == (400, "pkce-skipped")
        off = catshop(tmp_path, "break", "off")
        assert off.stdout == f"Every check at {shop.url} is whole.\n"
        assert "x-catshop-fault" not in httpx2.get(f"{shop.url}/healthz").headers
        assert shop.stop() == 0
        assert not switch.exists()
        log = shop.log.read_text()
    assert "WARNING catshop.lab fault: pkce-skipped." in log
    assert "[pkce-skipped]   < 400" in log
    assert "fault=pkce-skipped" in log


def test_a_name_that_is_none_is_answered_with_the_one_that_was_meant(cli: Command) -> None:
    said = cli("break", "pkce-skiped")
    assert said.status == 1
    assert "did you mean pkce-skipped" in said.err


@pytest.mark.parametrize("left", ["", '{"url": "http://127.0.0.1:9", "fault": null}', "[]"])
def test_without_a_laboratory_nothing_is_broken(cli: Command, tmp_path: Path, left: str) -> None:
    """Not even where one that was killed has left its switch behind."""
    if left:
        (tmp_path / "catshop.db.lab").write_text(left)
    said = cli("break", "pkce-skipped")
    assert said.status == 1
    assert "E-LAB-02" in said.err


@pytest.mark.parametrize(
    "flags", [("--host", "0.0.0.0"), ("--issuer", "https://shop.example"), ("--host", "::")]
)
def test_a_laboratory_that_others_could_reach_does_not_start(
    cli: Command, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """RFC 6761 §6.3: only what never leaves this machine."""
    said = cli("serve", "--lab", "--port", "0", *flags)
    assert said.status == 1
    assert "E-LAB-01" in said.err
    assert list(tmp_path.iterdir()) == []


LOOK = """
import sys
from catshop.cli import main
sys.argv = ["catshop", "serve", "--port", "0", *sys.argv[1:]]
try:
    main()
finally:
    print("loaded", *sorted(name for name in sys.modules if name.startswith("catshop.")))
"""


def loaded(folder: Path, *flags: str) -> set[str]:
    """Which modules of ours a server has, once it has served and was told to stop."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOOK, *flags],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        url = next(line.split()[1] for line in process.stdout if line.startswith("  at "))
        assert httpx2.get(f"{url}/healthz").status_code == 200  # so it serves, and hears signals
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE)
    [modules] = [line for line in said.splitlines() if line.startswith("loaded ")]
    return set(modules.split()[1:])


def test_a_server_without_lab_has_loaded_no_fault(tmp_path: Path) -> None:
    """And no page for developers; with the flags the same look finds what it looks for."""
    modules = loaded(tmp_path)
    assert "catshop.app" in modules
    assert not {name for name in modules if name.startswith(("catshop.lab", "catshop.learn"))}
    assert not {name for name in modules if name.startswith("catshop.inspector.web")}
    assert "catshop.lab.faults.redeem" in loaded(tmp_path, "--lab")
    assert "catshop.inspector.web.pages" in loaded(tmp_path, "--inspect")


def test_a_second_laboratory_of_one_database_is_refused(tmp_path: Path) -> None:
    """They would share a switch: what one mends, the other would mend too."""
    with serving(tmp_path, "--lab") as shop:
        assert catshop(tmp_path, "break", "pkce-skipped").returncode == 0
        second = catshop(tmp_path, "serve", "--lab", "--port", "0")
        assert (second.returncode, "E-LAB-04" in second.stderr) == (1, True)
        assert f"pkce-skipped is on at {shop.url}" in catshop(tmp_path, "break", "status").stdout
        catshop(tmp_path, "break", "off")
        assert "is whole" in catshop(tmp_path, "break", "status").stdout


def test_a_laboratory_that_was_killed_starts_again_where_it_was(tmp_path: Path) -> None:
    """Its switch is still there, and with it a fault: nobody wants it any more."""
    with serving(tmp_path, "--lab") as shop:
        assert catshop(tmp_path, "break", "pkce-skipped").returncode == 0
        port = shop.url.rpartition(":")[2]
    assert (tmp_path / "catshop.db.lab").exists()  # the helper kills with -9
    with serving(tmp_path, "--lab", "--port", port):
        assert "is whole" in catshop(tmp_path, "break", "status").stdout


@pytest.mark.parametrize("fault", [["x"], 7, {"a": 1}])
def test_a_switch_that_says_nothing_understandable_says_nothing(
    tmp_path: Path, fault: object
) -> None:
    switch = Switch.beside(str(tmp_path / "catshop.db"))
    switch.path.write_text(json.dumps({"url": "http://127.0.0.1:1", "fault": fault}))
    assert switch.read() is None


def test_a_laboratory_takes_away_its_own_switch_alone(tmp_path: Path) -> None:
    switch = Switch.beside(str(tmp_path / "catshop.db"))
    switch.set(Position("http://127.0.0.1:1", None))
    switch.remove("http://127.0.0.1:2")
    assert switch.path.exists()
    switch.remove("http://127.0.0.1:1")
    assert not switch.path.exists()

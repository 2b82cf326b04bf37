"""`catshop doctor` as its user meets it: one cause, one fix, a status, and the same as JSON."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from catshop.cli.doctor import COLOURS
from catshop.client.doctor.chart import Health
from catshop.client.doctor.ladder import LADDER
from tests.cli.conftest import Command
from tests.support.program import Serving, catshop, serving

NOBODY = "http://127.0.0.1:1/mcp"
LOCAL = 4
"""Checks of this machine."""


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without tokens."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("shop")) as running:
        yield running


def test_a_failure_names_its_cause_and_one_fix(cli: Command) -> None:
    """The first cause alone; the rest is told in one line."""
    said = cli("doctor", NOBODY)
    assert said.status == 1
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines].count("fix") == 1
    assert re.search(r"^ 2 FAIL +somebody listens: E-SERVER-01", said.out, re.MULTILINE)
    assert "fix       start the server (catshop serve --port 1)" in said.out
    assert lines[-1] == f"3 to {len(LADDER)} not run (they need 2)"


def test_the_same_is_there_for_programs(cli: Command) -> None:
    said = cli("doctor", NOBODY, "--json")
    report = json.loads(said.out)
    assert (said.status, report["healthy"], report["url"]) == (1, False, NOBODY)
    assert [row["number"] for row in report["checks"]] == list(range(1, len(LADDER) + 1))
    cause = report["checks"][1]
    assert {"code", "title", "expected", "cause", "fix", "section"} <= set(cause)
    assert (cause["health"], cause["code"]) == ("FAIL", "E-SERVER-01")
    assert {row["told"] for row in report["checks"][2:]} == {"it needs 2"}


def test_a_healthy_server_ends_in_0(shop: Serving, tmp_path: Path) -> None:
    """In a process of its own; what needs a token says how to have one."""
    said = catshop(tmp_path, "doctor", shop.mcp, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert said.returncode == 0, said.stdout
    assert "waived  nobody can listen in: loopback" in said.stdout
    assert f"catshop login --url {shop.mcp}" in said.stdout
    assert "FAIL" not in said.stdout
    assert not said.stderr


def test_the_wire_can_be_watched(shop: Serving, tmp_path: Path) -> None:
    """Every exchange on stderr, and no secret in it."""
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    said = catshop(tmp_path, "doctor", shop.mcp, "--wire", env=env)
    assert "> POST /register HTTP/1.1" in said.stderr
    assert "> OPTIONS /mcp HTTP/1.1" in said.stderr
    assert "client_secret" not in said.stdout


def test_without_a_url_this_machine_comes_first(cli: Command, free: int) -> None:
    """Python, the database, the port, the issuer; then the ladder at the address of the shop."""
    said = cli("doctor", "--json")
    report = json.loads(said.out)
    names = [row["check"] for row in report["checks"][:LOCAL]]
    assert names == [
        "python and the sdk fit",
        "the database is sound",
        "the port is told",
        "the issuer is what clients type",
    ]
    assert {row["health"] for row in report["checks"][:LOCAL]} == {"ok"}
    assert len(report["checks"]) == LOCAL + len(LADDER)
    assert report["url"] == f"http://127.0.0.1:{free}/mcp"
    assert not Path("catshop.db").exists(), "nothing is made"


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, cli: Command) -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = int(held.getsockname()[1])
    monkeypatch.setenv("PORT", str(port))
    return port


def test_an_issuer_on_another_port_is_told(
    cli: Command, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8414 §3.3: tokens and metadata would name a server that is not there."""
    monkeypatch.setenv("ISSUER_URL", "http://localhost:1")
    said = cli("doctor")
    assert said.status == 1
    assert "E-DOC-39" in said.out
    assert f"fix       catshop serve --issuer http://127.0.0.1:{free}" in said.out
    assert f"5 to {LOCAL + len(LADDER)} not run (they need 4)" in said.out


def test_a_database_that_is_none_is_told(cli: Command, free: int) -> None:
    Path("catshop.db").write_text("this is no database, and longer than a header is" * 9)
    said = cli("doctor")
    assert said.status == 1
    assert "E-DOC-38" in said.out


def test_a_database_of_the_shop_is_read(cli: Command, shop: Serving, free: int) -> None:
    """While the shop is open, and without changing it."""
    said = cli("doctor", "--json")
    assert said.status == 1
    Path("catshop.db").symlink_to(shop.log.parent / "catshop.db")
    report = json.loads(cli("doctor", "--json").out)
    assert "8 products" in report["checks"][1]["told"]


def test_every_word_has_a_colour_and_no_colour_stands_alone() -> None:
    assert set(COLOURS) == set(Health)
    assert len({health.value for health in Health}) == len(Health)

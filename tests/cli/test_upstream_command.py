"""`catshop serve` with an upstream issuer: who cannot sign anybody in does not start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.oauth.cases import case
from tests.support.program import catshop


@case("X7", "the shop does not start while its upstream cannot be known for what it is")
def test_a_shop_does_not_start_without_its_upstream(tmp_path: Path) -> None:
    """RFC 8414 §3.3."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        issuer = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        named = {"CATSHOP_UPSTREAM_CLIENT": "shop"}
        flags = ("serve", "--port", "0", "--upstream-issuer", issuer)
        said = catshop(tmp_path, *flags, env=named)
    assert said.returncode == 1
    assert f"E-UPS-01 {issuer}" in said.stderr
    assert "Traceback" not in said.stderr


@case("X7", "commands of the operator need no upstream")
def test_commands_work_while_the_upstream_is_down(
    cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8414 §3.3: only who serves has to know it."""
    monkeypatch.setenv("CATSHOP_UPSTREAM_CLIENT", "shop")
    monkeypatch.setenv("CATSHOP_UPSTREAM_ISSUER", "http://127.0.0.1:1")
    assert cli("user", "list").status == 0

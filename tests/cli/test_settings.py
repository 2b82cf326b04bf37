"""`catshop config` and `catshop selfcheck`: what is set, where, and whether each plane works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Command


def test_config_shows_value_and_origin_and_the_nearer_source_wins(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environment beats file, file beats default, and the operator can see which it was."""
    (tmp_path / "catshop.toml").write_text('port = 1\nhost = "127.0.0.2"\n')
    monkeypatch.setenv("CATSHOP_PORT", "2")
    lines = {line.partition("=")[0]: line for line in cli("config").out.splitlines()}
    assert lines["CATSHOP_PORT"].startswith("CATSHOP_PORT=2\t# CATSHOP_PORT: ")
    assert lines["CATSHOP_HOST"].startswith("CATSHOP_HOST=127.0.0.2\t# catshop.toml:2: ")
    assert lines["CATSHOP_ERA"].startswith("CATSHOP_ERA=both\t# default: ")
    assert lines["CATSHOP_ISSUER"].startswith("CATSHOP_ISSUER=http://127.0.0.2:2\t")


def test_what_config_prints_can_be_the_environment(
    cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line before its comment is an assignment of the value that it shows."""
    for line in cli("config").out.splitlines():
        name, _, value = line.partition("\t#")[0].partition("=")
        if value and name != "CATSHOP_ISSUER":
            monkeypatch.setenv(name, value)
    assert cli("config").status == 0


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CATSHOP_HTTP_HEAD_SECOND", "CATSHOP_HTTP_HEAD_SECONDS"),
        ("CATSHOP_DATABSE", "CATSHOP_DATABASE"),
    ],
)
def test_a_setting_that_nobody_knows_is_refused_with_the_one_that_was_meant(
    cli: Command, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    """A misspelt limit that is silently ignored is no limit."""
    monkeypatch.setenv(name, "1")
    said = cli("config")
    assert (said.status, said.out) == (1, "")
    assert said.err == f"catshop: {name} is no setting; did you mean {meant}?"


def test_a_file_that_cannot_be_meant_is_refused_with_its_line(cli: Command, tmp_path: Path) -> None:
    """`--config` names the file; the message names the line."""
    (tmp_path / "mine.toml").write_text("\nport = 'many'\n")
    said = cli("config", "--config", "mine.toml")
    assert said.status == 1
    assert "mine.toml:2: port must be a whole number" in said.err


def test_selfcheck_asks_every_plane(cli: Command) -> None:
    """A000-3: storage, oauth, protocol, tools; the server's name is Cat Shop."""
    lines = [line.split("\t") for line in cli("selfcheck").out.splitlines()]
    assert [line[:2] for line in lines] == [
        [layer, "OK"] for layer in ("storage", "oauth", "protocol", "tools")
    ]
    found = {layer: told for layer, _, told in lines}
    assert "8 products" in found["storage"]
    assert "Cat Shop" in found["protocol"]
    assert "2026-07-28" in found["protocol"]


def test_selfcheck_can_ask_one_plane_and_again(cli: Command) -> None:
    """A000-2: the catalog is seeded once."""
    for _ in range(2):
        said = cli("selfcheck", "--layer", "storage")
        assert (said.status, said.out.count("\n")) == (0, 1)
        assert "8 products" in said.out


def test_selfcheck_names_the_tools(cli: Command) -> None:
    """A000-4."""
    told = cli("selfcheck", "--layer", "tools").out.strip().split("\t")[2].split(", ")
    wanted = {"add_to_cart", "checkout", "get_product", "list_products", "remove_from_cart"}
    assert wanted | {"view_cart"} <= set(told)


@pytest.mark.parametrize("arguments", [("fly",), ("user", "add"), ("serve", "--port", "many")])
def test_a_command_that_was_called_wrongly_ends_with_2(
    cli: Command, arguments: tuple[str, ...]
) -> None:
    """And tells how it is called, on stderr."""
    said = cli(*arguments)
    assert (said.status, said.out) == (2, "")
    assert "Usage" in said.err

"""`catshop user` and `catshop token`: results on stdout, everything else on stderr."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Command

PASSWORD = "whiskers and string"


def add(cli: Command, name: str = "alice", password: str = PASSWORD) -> None:
    """Open an account."""
    assert cli("user", "add", name, "--password-stdin", typed=f"{password}\n").status == 0


def test_an_account_is_added_listed_and_removed(cli: Command) -> None:
    """The list is for programs: one line each, tabs between."""
    said = cli("user", "add", "alice", "--password-stdin", typed=f"{PASSWORD}\n")
    assert (said.status, said.out, said.err) == (0, "", "alice can sign in.")
    assert re.fullmatch(r"alice\t\d{4}-\d\d-\d\d\tactive\n", cli("user", "list").out)
    assert cli("user", "remove", "alice").status == 0
    assert cli("user", "list").out == ""


@pytest.mark.parametrize(
    ("name", "password", "told"),
    [
        pytest.param("x", PASSWORD, "2 to 30", id="A000-14-one-letter"),
        pytest.param("x" * 31, PASSWORD, "2 to 30", id="A000-14-31-letters"),
        pytest.param("<b>", PASSWORD, "2 to 30", id="A000-14-markup"),
        pytest.param("bob", "kitty", "8", id="short-password"),
        pytest.param("bob", "x" * 1025, "1024", id="long-password"),
        pytest.param("alice", PASSWORD, "taken", id="taken"),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_what_to_do(
    cli: Command, name: str, password: str, told: str
) -> None:
    """The rules are those of the sign-up page, and so are the words."""
    add(cli)
    said = cli("user", "add", "--password-stdin", "--", name, typed=f"{password}\n")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("catshop: E-LOGIN-")
    assert told in said.err
    assert password not in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "remove", "nobody"),
        ("user", "password", "nobody", "--password-stdin"),
        ("token", "issue", "--user", "nobody"),
    ],
)
def test_somebody_unknown_is_named_with_the_way_to_find_who_is_known(
    cli: Command, arguments: tuple[str, ...]
) -> None:
    """A mistake that can be mended is told in one message, without a stack."""
    said = cli(*arguments, typed=f"{PASSWORD}\n")
    assert (said.status, said.out) == (1, "")
    assert "(nobody)" in said.err
    assert said.err.endswith("catshop user list.")


def test_a_new_password_ends_every_token(cli: Command) -> None:
    """Whoever changes a password may have lost the old one."""
    add(cli)
    assert cli("token", "issue", "--user", "alice").status == 0
    assert len(cli("token", "list").out.splitlines()) == 1
    said = cli("user", "password", "alice", "--password-stdin", typed="another and better\n")
    assert (said.status, said.out) == (0, "")
    assert cli("token", "list").out == ""


def test_issue_prints_the_token_and_nothing_else(cli: Command) -> None:
    """A000-9: TOKEN=$(catshop token issue ...) is all that a shell needs."""
    add(cli)
    said = cli("token", "issue", "--user", "alice", "--scope", "read write")
    assert (said.status, said.err) == (0, "")
    assert re.fullmatch(r"cat_at_[\w-]{43}\n", said.out)


@pytest.mark.parametrize("seconds", ["315360001", "99999999999999"])
def test_a_token_that_would_outlast_everything_is_refused_in_a_line(
    cli: Command, seconds: str
) -> None:
    """Moments have a last one; a command that was called wrongly says how to call it."""
    add(cli)
    said = cli("token", "issue", "--user", "alice", "--ttl", seconds)
    assert (said.status, said.out) == (2, "")
    assert "'--ttl'" in said.err
    assert "315360000" in said.err
    assert "Traceback" not in said.err


def test_the_list_of_tokens_tells_everything_but_the_tokens(cli: Command, tmp_path: Path) -> None:
    """A000-9: id, user, client, scopes, audience, expiry; the file itself holds only hashes."""
    add(cli)
    token = cli("token", "issue", "--user", "alice", "--scope", "read write", "--ttl", "300").out
    row = cli("token", "list").out.rstrip("\n").split("\t")
    assert row[1:5] == ["alice", "catshop-terminal", "read write", "http://127.0.0.1:8000/mcp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[5])
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.strip().encode() not in files
    assert PASSWORD.encode() not in files


def test_a_token_is_revoked_by_its_id(cli: Command) -> None:
    """A000-11; an id that was never issued is a mistake, said as one."""
    add(cli)
    cli("token", "issue", "--user", "alice")
    token_id = cli("token", "list").out.split("\t")[0]
    assert cli("token", "revoke", token_id).status == 0
    assert cli("token", "list").out == ""
    said = cli("token", "revoke", "none-such")
    assert said.status == 1
    assert "none-such" in said.err
    assert "catshop token list" in said.err


def test_a_user_can_be_made_on_the_way_to_a_token(cli: Command) -> None:
    """The first thing to try works on a fresh database; stdout is still the token alone."""
    said = cli("token", "issue", "--user", "alice", "--create-user")
    assert re.fullmatch(r"cat_at_[\w-]{43}\n", said.out)
    assert "catshop user password alice" in said.err
    assert cli("user", "list").out.startswith("alice\t")


def test_a_scope_that_does_not_exist_is_refused(cli: Command) -> None:
    """Nothing is issued that could not be used. OAuth 2.1 §1.4.1."""
    add(cli)
    said = cli("token", "issue", "--user", "alice", "--scope", "fly")
    assert (said.status, said.out) == (1, "")
    assert "fly" in said.err


def test_files_of_the_shop_are_for_their_owner_alone(cli: Command, tmp_path: Path) -> None:
    """What is in them would let anybody else be anybody."""
    add(cli)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert {"catshop.db", "catshop.db.key"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_an_account_is_switched_off_and_on_again(cli: Command) -> None:
    """The list says which it is; somebody unknown is no account."""
    add(cli)
    assert cli("user", "disable", "alice").status == 0
    assert cli("user", "list").out.endswith("\tdisabled\n")
    assert cli("user", "enable", "alice").status == 0
    assert cli("user", "list").out.endswith("\tactive\n")
    for command in ("disable", "enable"):
        assert "(nobody)" in cli("user", command, "nobody").err


def test_a_password_that_is_no_text_is_refused_in_one_line(
    cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be decoded cannot be typed at the sign-in page either."""
    raw = io.TextIOWrapper(io.BytesIO(b"\xff\xfe whiskers\n"), encoding="utf-8", errors="strict")
    monkeypatch.setattr(io, "StringIO", lambda _: raw)
    said = cli("user", "add", "alice", "--password-stdin")
    assert said.status == 2
    assert "The password is no utf-8 text." in said.err
    assert "Traceback" not in said.err


def test_what_a_user_granted_is_listed_and_taken_back(cli: Command) -> None:
    """OAuth 2.1 §4.3.3: what the page `/apps` shows, for the operator."""
    add(cli)
    cli("token", "issue", "--user", "alice", "--scope", "read write")
    row = cli("consent", "list").out.rstrip("\n").split("\t")
    assert row[:4] == ["alice", "catshop-terminal", "catshop token issue", "read write"]
    assert cli("consent", "list", "--user", "nobody").status == 1
    assert cli("consent", "revoke", "alice", "catshop-terminal").status == 0
    assert cli("consent", "list", "--user", "alice").out == ""
    assert cli("token", "list").out == ""
    said = cli("consent", "revoke", "alice", "catshop-terminal")
    assert (said.status, said.out) == (1, "")
    assert "E-CONSENT-06" in said.err

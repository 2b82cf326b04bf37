"""`catshop connect`: what is printed can be run or pasted, and what is written loses nothing."""

from __future__ import annotations

import ast
import base64
import json
import re
import shlex
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from catshop.cli.hosts import HOSTS, CannotConnect, File, Format, Host, Server, find
from catshop.cli.merging import merged
from tests.cli.conftest import Command

URL = "http://127.0.0.1:8123/mcp"
SERVER = Server("catshop", URL)
WITH_FILE = [pytest.param(host, id=host.name) for host in HOSTS if host.file]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of our own, which is also where the project is."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


def place(host: Host, home: Path) -> Path:
    """Where the program's file lies."""
    assert host.file is not None
    return home / host.file.place(sys.platform).removeprefix("~/")


def parsed(host: Host, text: str) -> Any:
    """The file, as its program reads it."""
    assert host.file is not None
    return tomllib.loads(text) if host.file.written is Format.TOML else json.loads(text)


@pytest.mark.parametrize("host", [pytest.param(host, id=host.name) for host in HOSTS])
def test_what_is_printed_is_in_a_language_that_something_reads(host: Host, cli: Command) -> None:
    """A command is words, a file parses, a program compiles; each names the server once typed."""
    said = cli("connect", host.name, "--url", URL)
    assert said.status == 0
    assert URL in said.out
    if host.command:
        words = shlex.split(said.out)
        assert words[0] == host.command[0]
        assert "\n" not in said.out.strip()
    elif host.file:
        entry = parsed(host, said.out)[host.file.table]["catshop"]
        assert URL in json.dumps(entry)
    else:
        ast.parse(said.out)


@pytest.mark.parametrize("host", [pytest.param(host, id=host.name) for host in HOSTS])
def test_nothing_that_is_printed_is_a_token(host: Host) -> None:
    """A program signs in itself, or reads a variable: no file of settings can leak one."""
    entry = SERVER.entry(host.file) if host.file else {}
    assert not {"headers", "http_headers", "bearer_token", "env"} & set(entry)
    assert not re.search(r"Bearer [A-Za-z0-9]", SERVER.text(host) + " ".join(SERVER.then(host)))


def test_an_address_with_signs_of_the_shell_stays_one_word() -> None:
    odd = Server("catshop", "https://shop.example/mcp?a=1&b='$(x)'")
    for host in HOSTS:
        if host.command:
            assert any(odd.url in word for word in shlex.split(odd.text(host)))
        elif not host.file:
            assert odd.url in ast.unparse(ast.parse(odd.text(host))).replace("\\'", "'")


def test_vs_code_is_given_json_as_one_word() -> None:
    added = json.loads(shlex.split(SERVER.text(find("vscode")))[2])
    assert added == {"name": "catshop", "type": "http", "url": URL}


def test_the_link_for_cursor_holds_the_entry() -> None:
    link = next(word for word in " ".join(SERVER.then(find("cursor"))).split() if "://" in word)
    query = parse_qs(urlsplit(link).query)
    assert query["name"] == ["catshop"]
    assert json.loads(base64.b64decode(query["config"][0])) == {"url": URL}


@pytest.mark.parametrize("host", WITH_FILE)
def test_nothing_is_written_without_being_asked(host: Host, cli: Command, home: Path) -> None:
    assert cli("connect", host.name).status == 0
    assert not place(host, home).exists()


@pytest.mark.parametrize("host", WITH_FILE)
def test_a_file_is_made_changed_and_then_left_alone(host: Host, cli: Command, home: Path) -> None:
    """The first time it is new, the second time another address, the third time the same."""
    path = place(host, home)
    assert host.file is not None
    assert cli("connect", host.name, "--write", "--url", "http://127.0.0.1:1/mcp").status == 0
    assert cli("connect", host.name, "--write", "--url", URL).status == 0
    written = path.read_text()
    assert parsed(host, written)[host.file.table] == {"catshop": SERVER.entry(host.file)}
    backups = [each.name for each in path.parent.glob("*.bak*")]
    assert backups == [f"{path.name}.bak"]
    again = cli("connect", host.name, "--write", "--url", URL)
    assert "says so already" in again.err
    assert path.read_text() == written
    assert [each.name for each in path.parent.glob("*.bak*")] == backups


@pytest.mark.parametrize("host", WITH_FILE)
def test_a_file_that_is_new_is_its_users_alone(host: Host, cli: Command, home: Path) -> None:
    """Keys of other servers come into it, from its first octet on."""
    assert cli("connect", host.name, "--write").status == 0
    assert stat.S_IMODE(place(host, home).stat().st_mode) == 0o600


def test_other_servers_and_settings_stay(cli: Command, home: Path) -> None:
    """And the old file stays beside the new one, octet by octet, with the same mode."""
    path = home / ".cursor/mcp.json"
    path.parent.mkdir()
    before = '{"theme": "käse", "mcpServers": {"other": {"command": "x", "args": ["--y"]}}}'
    path.write_text(before, "utf-8")
    path.chmod(0o600)
    assert cli("connect", "cursor", "--write", "--url", URL).status == 0
    after = json.loads(path.read_text("utf-8"))
    assert after["theme"] == "käse"
    assert after["mcpServers"]["other"] == {"command": "x", "args": ["--y"]}
    assert after["mcpServers"]["catshop"] == {"url": URL}
    assert (path.parent / "mcp.json.bak").read_text("utf-8") == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


TOML = """\
# my settings
model = "x" # the best

[mcp_servers.catshop] # old
url = "http://127.0.0.1:1/mcp"

[mcp_servers.other]
command = "y"
"""


def test_comments_in_toml_stay(cli: Command, home: Path) -> None:
    """Only the lines of our own table change."""
    path = home / ".codex/config.toml"
    path.parent.mkdir()
    path.write_text(TOML)
    assert cli("connect", "codex", "--write", "--url", URL).status == 0
    after = path.read_text()
    assert "# my settings" in after
    assert "# the best" in after
    servers = tomllib.loads(after)["mcp_servers"]
    assert servers == {"catshop": {"url": URL}, "other": {"command": "y"}}


@pytest.mark.parametrize(
    ("client", "text"),
    [
        pytest.param("cursor", '{"mcpServers": {} // mine\n}', id="json-with-a-comment"),
        pytest.param("cursor", "[]", id="json-of-another-kind"),
        pytest.param("cursor", '{"mcpServers": []}', id="json-with-another-table"),
        pytest.param("codex", "[mcp_servers", id="no-toml"),
        pytest.param("codex", 'mcp_servers.catshop = {url = "x"}', id="toml-written-otherwise"),
        pytest.param("codex", "mcp_servers = 1", id="toml-with-another-table"),
    ],
)
def test_what_cannot_be_read_is_not_written_over(
    client: str, text: str, cli: Command, home: Path
) -> None:
    path = place(find(client), home)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    said = cli("connect", client, "--write")
    assert said.status == 1
    assert "E-CONNECT-02" in said.err
    assert path.read_text() == text
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_no_text_is_not_written_over(cli: Command, home: Path) -> None:
    path = home / ".cursor/mcp.json"
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe")
    assert "E-CONNECT-02" in cli("connect", "cursor", "--write").err


def test_a_place_that_cannot_be_written_is_named(cli: Command, home: Path) -> None:
    (home / ".cursor").write_text("a file in the folder's place")
    said = cli("connect", "cursor", "--write")
    assert said.status == 1
    assert "E-CONNECT-06" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("claude-cod",), "E-CONNECT-01", "did you mean claude-code?"),
        (("cursor", "--name", "cat shop"), "E-CONNECT-03", "cat shop"),
        (("cursor", "--url", "npx server"), "E-CONNECT-04", "npx server"),
        (("cursor", "--url", "https://alice:secret@shop.example/mcp"), "E-CONNECT-04", "password"),
        (("inspector", "--write"), "E-CONNECT-05", "inspector"),
    ],
)
def test_a_refusal_names_its_cause(
    arguments: tuple[str, ...], code: str, told: str, cli: Command
) -> None:
    said = cli("connect", *arguments)
    assert said.status == 1
    assert code in said.err
    assert told in said.err
    assert "secret" not in said.err


def test_without_a_client_they_are_listed(cli: Command) -> None:
    listed = cli("connect").out.splitlines()
    assert [line.split("\t")[0] for line in listed] == [host.name for host in HOSTS]


def test_a_merge_never_invents_a_table_beside_an_inline_one() -> None:
    """TOML 1.0 §inline-table: it cannot be added to, so nothing is."""
    file = File({"": "x"}, "mcp_servers", {"url": "$url"}, Format.TOML)
    with pytest.raises(CannotConnect):
        merged('mcp_servers = {other = {command = "y"}}\n', file, "catshop", {"url": URL})

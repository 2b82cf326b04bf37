"""The client commands as their user meets them: real processes, a real browser program between."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest

from tests.support.hosting import BOTH, ENVELOPE, MODERN
from tests.support.program import PATIENCE, Serving, catshop, environment, serving

TOKEN = re.compile(r"cat_(?:at|rt|ac)_[\w-]{8,}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("shop")) as running:
        yield running


class Terminal:
    """Somebody's machine: a home, a browser, and a name that is theirs."""

    def __init__(self, home: Path, name: str, shop: Serving) -> None:
        self.home = home
        self.shop = shop
        self.env = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "BROWSER": f"{sys.executable} -m tests.support.reader %s",
            "PERSON": name,
        }

    @property
    def file(self) -> Path:
        return self.home / "config" / "catshop" / "client.json"

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        url = () if "--url" in arguments else ("--url", self.shop.mcp)
        return catshop(self.home, *arguments, *url, env={**self.env, **env})


@pytest.fixture
def terminal(tmp_path: Path, shop: Serving, request: pytest.FixtureRequest) -> Terminal:
    name = re.sub(r"[^a-z]", "", request.node.originalname.removeprefix("test_"))[:24]
    return Terminal(tmp_path, name, shop)


def test_a_purchase_from_the_command_line(terminal: Terminal) -> None:
    """One sign-in, then every call: the number is a number because the schema says so."""
    listed = terminal.run("call", "list_products")
    assert listed.returncode == 0, listed.stderr
    assert "Whisker Wand" in listed.stdout
    added = terminal.run("call", "add_to_cart", "product_id=1", "quantity=2")
    assert added.returncode == 0, added.stderr
    cart = json.loads(terminal.run("call", "view_cart", "--json").stdout)
    assert '"quantity": 2' in json.dumps(cart["structuredContent"])


def test_a_misspelled_name_is_answered_with_the_one_that_was_meant(terminal: Terminal) -> None:
    """Before anything is called."""
    wrong_tool = terminal.run("call", "list_product")
    assert (wrong_tool.returncode, wrong_tool.stdout) == (1, "")
    assert "did you mean list_products?" in wrong_tool.stderr
    wrong_argument = terminal.run("call", "add_to_cart", "product=1")
    assert wrong_argument.returncode == 1
    assert "did you mean product_id?" in wrong_argument.stderr


def test_a_tool_that_fails_says_so_to_a_script(terminal: Terminal) -> None:
    """MCP 2026-07-28 server/tools §error-handling: isError is a result; its status is 3."""
    failed = terminal.run("call", "add_to_cart", "product_id=4711")
    assert failed.returncode == 3, failed.stderr
    assert "E-CALL-05" in failed.stderr
    assert failed.stdout.strip()


def test_a_sign_in_that_was_refused_has_a_status_of_its_own(terminal: Terminal) -> None:
    """OAuth 2.1 §4.1.2.1: the person said no."""
    refused = terminal.run("call", "list_products", DECISION="deny")
    assert refused.returncode == 2, refused.stderr
    assert "E-OAC-17" in refused.stderr
    assert "access_denied" in refused.stderr


def test_nobody_there_has_a_status_of_its_own(terminal: Terminal) -> None:
    """RFC 9110 §15.1: no answer is no status."""
    nobody = terminal.run("tools", "--url", "http://127.0.0.1:1/mcp")
    assert nobody.returncode == 4
    assert "127.0.0.1:1" in nobody.stderr


def test_the_wire_shows_every_exchange_and_no_secret(terminal: Terminal) -> None:
    """RFC 6750 §5.3; the same secret has the same mark."""
    shown = terminal.run("call", "list_products", "--wire").stderr
    for line in (
        "> GET /.well-known/oauth-protected-resource/mcp HTTP/1.1",
        "> GET /.well-known/oauth-authorization-server HTTP/1.1",
        "> POST /register HTTP/1.1",
        "> POST /token HTTP/1.1",
        "> POST /mcp HTTP/1.1",
        "< HTTP/1.1 401",
        "< HTTP/1.1 200",
    ):
        assert line in shown
    assert not TOKEN.search(shown)
    kept = json.loads(terminal.file.read_text())["tokens"][0]
    assert kept["access_token"] not in shown
    assert len(set(re.findall(r"> authorization: DPoP (‹\w+›)", shown))) == 1


def ask(shop: Serving, token: str) -> int:
    """`tools/list` with this token."""
    fields = {
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/list",
        "Accept": BOTH,
        "Authorization": f"Bearer {token}",
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": ENVELOPE}}
    return httpx2.post(shop.mcp, json=message, headers=fields, trust_env=False).status_code


def test_a_shell_gets_its_token_and_signing_out_takes_it_back(terminal: Terminal) -> None:
    """RFC 7009 §2.1: what was revoked opens nothing."""
    signed_in = terminal.run("login", "--print-env")
    assert signed_in.returncode == 0, signed_in.stderr
    token = TOKEN.search(signed_in.stdout)
    assert token
    assert not TOKEN.search(signed_in.stderr)
    assert f"export MCP_URL={terminal.shop.mcp}" in signed_in.stdout
    assert stat.S_IMODE(terminal.file.stat().st_mode) == 0o600
    assert ask(terminal.shop, token[0]) == 200
    assert terminal.run("logout").returncode == 0
    assert ask(terminal.shop, token[0]) == 401
    assert "Nothing is kept" in terminal.run("logout").stderr


def test_lists_are_for_people_and_for_programs(terminal: Terminal) -> None:
    """One line each on stdout, or the entries as they came."""
    lines = terminal.run("tools").stdout.splitlines()
    names = {tool["name"] for tool in json.loads(terminal.run("tools", "--json").stdout)}
    assert {line.split()[0] for line in lines} == names
    assert any("product_id=INTEGER" in line for line in lines)
    assert terminal.run("resources").returncode == 0
    assert terminal.run("prompts").returncode == 0


def test_an_interrupted_command_says_so(terminal: Terminal) -> None:
    """130, as shells count: 128 and the number of SIGINT."""
    command = [sys.executable, "-m", "catshop", "tools", "--no-browser", "--url", terminal.shop.mcp]
    env: Mapping[str, str] = environment(**terminal.env)
    with subprocess.Popen(
        command, cwd=terminal.home, env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "/authorize?" in process.stderr.readline()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 130

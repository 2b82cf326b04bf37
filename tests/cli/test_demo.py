"""`catshop demo` as its user meets it: one command, no flag, no network, and every word true."""

from __future__ import annotations

import os
import pty
import re
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.inspector.talks import DIAGRAM
from tests.support.program import PATIENCE, Serving, catshop, environment, serving

SECRET = re.compile(r"cat_(?:at|rt|ac|ra)_[\w-]{8,}|the cat sleeps")
SECONDS = 3
"""Of this machine's time, for the whole trip."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the command prints, on paper wide enough for all that is to be found there."""
    said = catshop(tmp_path_factory.mktemp("demo"), "demo", env={"COLUMNS": "160"})
    assert (said.returncode, said.stderr) == (0, "")
    return said.stdout


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same trip for a shell."""
    said = catshop(tmp_path_factory.mktemp("demo"), "demo", "--as", "curl")
    assert (said.returncode, said.stderr) == (0, "")
    return said.stdout


def test_alice_buys_a_whisker_wand_and_the_first_answer_is_a_refusal(page: str) -> None:
    """MCP 2026-07-28 basic/authorization §authorization-flow-steps: in this order."""
    story = (
        "POST /mcp server/discover",
        "401",
        "E-CHAL-01 A token is needed",
        "GET /.well-known/oauth-protected-resource/mcp",
        "GET /.well-known/oauth-authorization-server",
        "POST /register",
        "GET /authorize",
        "pkce.challenge",
        "POST /login",
        "INSERT oauth_attempts oauth_users",
        "POST /consent",
        "GET /callback",
        "POST /token",
        "pkce.s256",
        "access_token ‹",
        "tools/call add_to_cart",
        "INSERT cart_items",
        "asks: Order this?",
        "tools/call checkout",
        "Thanks alice",
    )
    at = 0
    for words in story:
        at = page.find(words, at)
        assert at >= 0, words


def test_what_is_printed_holds_no_secret_and_nothing_for_a_terminal(page: str, script: str) -> None:
    """RFC 6750 §5.3."""
    for text in (page, script):
        assert not SECRET.search(text)
        assert "\x1b" not in text
    assert len(set(re.findall(r"refresh_token ‹\w+›", page))) == 1


def test_the_trip_takes_less_than_three_seconds(tmp_path: Path) -> None:
    """Of this machine's time: others may be at work, too."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert catshop(tmp_path, "demo").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert taken < SECONDS


def test_it_needs_no_network_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """A proxy that the environment names is not for this machine's own addresses."""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    for folder in (home, temporary):
        folder.mkdir()
    proxies = {f"{kind}_proxy": "http://127.0.0.1:1" for kind in ("http", "https", "all")}
    env = {"HOME": str(home), "TMPDIR": str(temporary), "CATSHOP_DATABASE": "mine.db", **proxies}
    said = catshop(home, "demo", env=env)
    assert said.returncode == 0, said.stderr
    assert not list(home.iterdir())
    assert not list(temporary.iterdir())


def test_two_runs_with_all_hidden_that_differs_are_one_text(tmp_path: Path) -> None:
    """So that the page in the README can be compared; the width of the paper is not asked for."""
    first, second = (
        catshop(tmp_path, "demo", "--deterministic", env={"COLUMNS": columns}).stdout
        for columns in ("80", "140")
    )
    assert first == second
    assert "Thanks alice" in " ".join(first.split())


def test_ascii_is_ascii_by_wish_or_where_nothing_else_can_be_shown(tmp_path: Path) -> None:
    """Marks, lanes and arrows have other signs."""
    wished = catshop(tmp_path, "demo", "--ascii").stdout
    needed = catshop(tmp_path, "demo", env={"PYTHONIOENCODING": "ascii"}).stdout
    for page in (wished, needed):
        assert page.isascii()
        assert "+------->|" in page
        assert "access_token <" in page


def shown_on_a_terminal(folder: Path, **env: str) -> str:
    """What a terminal gets to see."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "catshop", "demo"]
    given = environment(TERM="xterm", **env)
    with closing(os.fdopen(ours, "rb", buffering=0)) as screen:
        process = subprocess.Popen(command, cwd=folder, env=given, stdout=theirs)
        os.close(theirs)
        shown = b"".join(everything(screen.fileno()))
    assert process.wait(PATIENCE) == 0
    return shown.decode()


def everything(screen: int) -> Iterator[bytes]:
    """What comes until the other side hangs up, which Linux tells as an error."""
    try:
        while octets := os.read(screen, 65536):
            yield octets
    except OSError:
        return


def test_a_terminal_shows_colours_unless_it_is_told_not_to(tmp_path: Path) -> None:
    """NO_COLOR, when it is present and not empty; the words are the same."""
    coloured = shown_on_a_terminal(tmp_path)
    plain = shown_on_a_terminal(tmp_path, NO_COLOR="1")
    assert "\x1b[31m401" in coloured
    assert "\x1b" not in plain
    assert "E-CHAL-01" in plain


TOOLS = ("sh", "curl", "openssl", "sed", "tr", "mktemp", "rm", "cat")
needs_curl = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="the script needs curl and openssl, and CI has them"
)


def shell(script: str, tmp_path: Path, base: str) -> subprocess.CompletedProcess[str]:
    """Paste the script into a shell that has nothing but what the script may use."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    for tool in TOOLS:
        (programs / tool).unlink(missing_ok=True)
        (programs / tool).symlink_to(str(shutil.which(tool)))
    return subprocess.run(
        [str(programs / "sh")],
        input=script,
        env=environment(PATH=str(programs), BASE=base),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("shop")) as running:
        yield running


@needs_curl
def test_the_script_makes_the_same_trip_at_another_shop(
    script: str, page: str, shop: Serving, tmp_path: Path
) -> None:
    """As often as one likes: each time a new Alice, a new client and a new order."""
    orders = set()
    for _ in range(2):
        done = shell(script, tmp_path, shop.url)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        [order] = set(re.findall(r"Order ([0-9A-F]{16}) confirmed! Thanks alice-\w+", done.stdout))
        orders.add(order)
        steps = re.findall(r"^\d+\. .*: (.*)$", done.stdout, re.MULTILINE)
        assert [step for step in steps if step not in page] == []
        assert "POST /token" in steps
    assert len(orders) == 2


@needs_curl
def test_the_script_says_where_no_shop_is_open(script: str, tmp_path: Path) -> None:
    """And what to do about it."""
    done = shell(script, tmp_path, "http://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.endswith("Is the shop open at http://127.0.0.1:1? Start it: catshop serve\n")


@needs_curl
def test_the_script_stops_at_the_first_surprise(script: str, tmp_path: Path) -> None:
    """A shop that lets nobody in answers otherwise, and the script shows its words."""
    with serving(tmp_path, "--no-signup") as closed:
        done = shell(script, tmp_path, closed.url)
    assert done.returncode == 1
    assert re.match(r"The answer was \d+, and 303 before:\n", done.stderr)
    assert "No new accounts are made here" in done.stderr


def test_the_diagram_has_every_exchange(tmp_path: Path, page: str) -> None:
    """The same rungs as the ladder."""
    said = catshop(tmp_path, "demo", "--as", "mermaid").stdout
    first, *lines = said.splitlines()
    assert first == "sequenceDiagram"
    assert all(map(DIAGRAM.fullmatch, lines))
    assert said.count("->>") >= 2 * len(re.findall(r"^ {0,2}\d+ ", page, re.MULTILINE))


def test_what_to_try_next_can_be_typed(tmp_path: Path, page: str) -> None:
    """As the program was called; whatever needs no shop is run here, the script is run above."""
    after = page.partition("Try next\n")[2]
    typed = re.findall(rf"{re.escape(sys.executable)} -m catshop ([^,|\n]+)", after)
    assert typed == [
        "serve",
        "demo --as curl ",
        "call list_products",
        "explain E-CHAL-01",
        "demo --as mermaid",
    ]
    for command in typed[3:]:
        assert catshop(tmp_path, *shlex.split(command)).returncode == 0

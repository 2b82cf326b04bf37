"""`catshop replay`: the same request once more, by somebody who has signed in."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import pytest

from catshop.cli.replaying import SAME
from catshop.inspector.recording import Message, Started, read, written
from tests.examples.test_curl import TOOLS, walk
from tests.inspector.talks import talk
from tests.support.program import Serving, catshop, environment, serving

needs_curl = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="the walk needs curl and openssl, and CI has them"
)


def somebody(folder: Path) -> dict[str, str]:
    """Who has a home of their own, and a browser that signs up."""
    return {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "BROWSER": f"{sys.executable} -m tests.support.reader %s",
        "PERSON": "alice",
    }


def test_a_call_is_made_again_with_the_stored_sign_in_and_its_differences_are_shown(
    tmp_path: Path,
) -> None:
    """A token that is bound to a key, too. RFC 9449 §7."""
    env = somebody(tmp_path)
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        added = catshop(
            tmp_path, "call", "search_products", "query=wand", "--url", shop.mcp, env=env
        )
        assert added.returncode == 0, added.stderr
        numbers = [
            str(each.n)
            for each in read(tmp_path / "r.jsonl").exchanges.values()
            if each.status == 200 and {m.method for m in each.every(Message)} == {"tools/call"}
        ]
        same = catshop(tmp_path, "replay", "r.jsonl", numbers[-1], env=env)
        assert (same.returncode, same.stdout) == (0, f"recorded 200, now 200\n{SAME}\n"), (
            same.stderr
        )
        setting = ("--set", "params.arguments.query=mouse")
        other = catshop(tmp_path, "replay", "r.jsonl", numbers[-1], *setting, env=env)
        assert (other.returncode, other.stdout.splitlines()[0]) == (0, "recorded 200, now 200")
        assert "+++ now" in other.stdout
        assert "\n-" in other.stdout


def test_a_request_without_a_token_goes_as_it_was_and_to_another_address(tmp_path: Path) -> None:
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        assert httpx2.get(f"{shop.url}/health").status_code == 200
        assert shop.stop() == 0
    with serving(tmp_path, "--database", "another.db") as shop:
        said = catshop(tmp_path, "replay", "r.jsonl", "1", "--url", shop.url)
    assert (said.returncode, said.stdout) == (0, f"recorded 200, now 200\n{SAME}\n"), said.stderr


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Path]]:
    """A shop where the walk has been done, and the recording of it."""
    folder = tmp_path_factory.mktemp("walk")
    with serving(folder, "--record", "r.jsonl") as shop:
        done = walk(folder, shop.url)
        assert done.returncode == 0, done.stderr
        yield shop, folder / "r.jsonl"


def number_of(path: Path, asked: str, words: str = "", status: int = 0) -> str:
    """The first exchange with that request line, these words in its body, and this answer."""
    return next(
        str(each.n)
        for each in read(path).exchanges.values()
        if f"{each.request.method} {each.request.target}".startswith(asked)
        and words in each.body(">").text
        and status in {0, each.status}
    )


@needs_curl
@pytest.mark.parametrize(
    ("asked", "words", "status"),
    [
        ("GET /login", "", 200),
        ("POST /login", "", 303),
        ("POST /consent", "", 303),
        ("POST /token", "authorization_code", 400),
        ("POST /token", "authorization_code", 200),
        ("POST /token", "refresh_token", 200),
        ("POST /revoke", "", 200),
    ],
)
def test_a_request_of_a_sign_in_is_sent_again_after_what_leads_up_to_it(
    walked: tuple[Serving, Path], tmp_path: Path, asked: str, words: str, status: int
) -> None:
    """Another Alice signs up, and what was wrong is wrong again: nothing differs."""
    number = number_of(walked[1], asked, words, status)
    said = catshop(tmp_path, "replay", str(walked[1]), number)
    assert (said.returncode, said.stdout) == (0, f"recorded {status}, now {status}\n{SAME}\n")
    assert "POST /register: 201" in said.stderr


@needs_curl
@pytest.mark.parametrize(
    ("asked", "words"), [("POST /mcp", "view_cart"), ("GET /mcp", ""), ("DELETE /mcp", "")]
)
def test_a_session_is_opened_for_a_request_that_needs_one(
    walked: tuple[Serving, Path], tmp_path: Path, asked: str, words: str
) -> None:
    """And, where it reads on in a stream, the call whose stream it was.

    MCP 2025-11-25 basic/lifecycle §initialization.
    """
    shop, path = walked
    issue = ("token", "issue", "--user", "bob", "--create-user", "--issuer", shop.url)
    token = catshop(path.parent, *issue).stdout.strip()
    number = number_of(path, asked, words)
    said = catshop(tmp_path, "replay", str(path), number, "--set", f"authorization=Bearer {token}")
    assert said.stdout.startswith("recorded 200, now 200\n"), said.stderr
    assert re.search(r"first #\d+ POST /mcp: 200\nfirst #\d+ POST /mcp: 202\n", said.stderr)


@needs_curl
def test_at_another_server_a_client_is_registered_anew(
    walked: tuple[Serving, Path], tmp_path: Path
) -> None:
    """What the first one knew, the other one does not."""
    number = number_of(walked[1], "GET /authorize")
    with serving(tmp_path) as other:
        said = catshop(tmp_path, "replay", str(walked[1]), number, "--url", other.url)
    assert (said.returncode, said.stdout) == (0, f"recorded 303, now 303\n{SAME}\n"), said.stderr


@needs_curl
def test_a_step_that_goes_otherwise_is_named(walked: tuple[Serving, Path], tmp_path: Path) -> None:
    """Where nobody new is let in, there is no page of consent to come to."""
    number = number_of(walked[1], "POST /consent")
    with serving(tmp_path, "--no-signup") as closed:
        said = catshop(tmp_path, "replay", str(walked[1]), number, "--url", closed.url)
    assert (said.returncode, said.stdout) == (1, "")
    assert re.search(r"E-REC-23: .* \(#\d+ POST /login: recorded 303, now \d+\)", said.stderr)


def test_a_sign_in_with_a_key_is_had_again_with_another_key(tmp_path: Path) -> None:
    """RFC 9449 §5, §10."""
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        env = somebody(tmp_path)
        assert catshop(tmp_path, "call", "view_cart", "--url", shop.mcp, env=env).returncode == 0
        number = number_of(tmp_path / "r.jsonl", "POST /token")
        said = catshop(tmp_path, "replay", "r.jsonl", number)
    assert (said.returncode, said.stdout) == (0, f"recorded 200, now 200\n{SAME}\n"), said.stderr


def test_who_is_not_signed_in_is_told_what_happens_and_how_to_avoid_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        fields = {"Authorization": "Bearer of-nothing-at-all"}
        assert httpx2.post(shop.mcp, headers=fields).status_code == 401
        with subprocess.Popen(
            [sys.executable, "-m", "catshop", "replay", "r.jsonl", "1", "--no-browser"],
            cwd=tmp_path,
            env=environment(**somebody(tmp_path)),
            stderr=subprocess.PIPE,
            text=True,
        ) as waiting:
            assert waiting.stderr is not None
            told = [waiting.stderr.readline() for _ in range(2)]
            waiting.kill()
    assert "Nobody is signed in" in told[0]
    assert "--no-browser" in told[0]
    assert "--set 'authorization=Bearer TOKEN'" in told[0]
    assert told[1].startswith("Sign in at 127.0.0.1:")


def test_a_recorded_host_is_sent_and_decides_nothing(tmp_path: Path) -> None:
    """RFC 9110 §7.4: a name of another server is refused again, by this one."""
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        said = httpx2.get(f"{shop.url}/health", headers={"Host": "evil.example"})
        assert said.status_code == 421
        again = catshop(tmp_path, "replay", "r.jsonl", "1")
    assert (again.returncode, again.stdout) == (0, f"recorded 421, now 421\n{SAME}\n")


class Talkative(BaseHTTPRequestHandler):
    """Somebody else's server, which has a lot to say."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "300000")
        self.end_headers()
        self.wfile.write(b"x" * 300_000)

    def log_message(self, *_: object) -> None:
        """Nothing: it is a test."""


def test_an_answer_that_is_too_long_is_not_compared(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Talkative) as server:
        Thread(target=server.handle_request).start()
        asked = talk(1, "GET /", 200, fields={"Host": f"127.0.0.1:{server.server_port}"})
        lines = [Started(), *(replace(line, n=1) for line in asked.lines)]
        (tmp_path / "r.jsonl").write_text("".join(f"{written(each)}\n" for each in lines))
        said = catshop(tmp_path, "replay", "r.jsonl", "1")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("catshop: E-REC-24: ")


def test_what_cannot_be_sent_is_told_with_a_way_out(tmp_path: Path) -> None:
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        httpx2.post(f"{shop.url}/token", data={"grant_type": "authorization_code", "code": "abc"})
        lacking = catshop(tmp_path, "replay", "r.jsonl", "1")
        assert (lacking.returncode, lacking.stdout) == (1, "")
        assert lacking.stderr.startswith("catshop: E-REC-10: ")
        assert "(code)" in lacking.stderr
        given = catshop(tmp_path, "replay", "r.jsonl", "1", "--set", "code=def")
        assert given.stdout.startswith("recorded 401, now 401\n"), given.stderr
        unknown = catshop(tmp_path, "replay", "r.jsonl", "99")
        assert unknown.stderr.startswith("catshop: E-REC-21: ")
        assert "(#99; there are #1 to #2)" in unknown.stderr
        nothing = catshop(tmp_path, "replay", "r.jsonl", "1", "--set", "code")
        assert "E-REC-25: This says no new value (code)" in nothing.stderr
        meant = catshop(tmp_path, "replay", "r.jsonl", "1", "--set", "coed=1")
        assert "E-REC-09" in meant.stderr
        assert "did you mean code?" in meant.stderr
        odd = catshop(tmp_path, "replay", "r.jsonl", "1", "--url", "127.0.0.1:1")
        assert odd.stderr.startswith("catshop: E-PROXY-02: ")
    gone = catshop(tmp_path, "replay", "r.jsonl", "1", "--set", "code=def")
    assert (gone.returncode, gone.stderr.startswith("catshop: E-REC-22: ")) == (4, True)

"""`catshop replay`: the same request once more, by somebody who has signed in."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx2

from catshop.inspector.recording import Message, read
from tests.support.program import catshop, serving


def test_a_call_is_made_again_with_the_stored_sign_in_and_its_differences_are_shown(
    tmp_path: Path,
) -> None:
    """A token that is bound to a key, too. RFC 9449 §7."""
    env = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "BROWSER": f"{sys.executable} -m tests.support.reader %s",
        "PERSON": "alice",
    }
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
        assert (same.returncode, same.stdout) == (0, "recorded 200, now 200\n"), same.stderr
        setting = ("--set", "params.arguments.query=mouse")
        other = catshop(tmp_path, "replay", "r.jsonl", numbers[-1], *setting, env=env)
        assert (other.returncode, other.stdout.splitlines()[0]) == (0, "recorded 200, now 200")
        assert "+++ now" in other.stdout
        assert "\n-" in other.stdout


def test_a_request_without_a_token_goes_as_it_was_and_to_another_address(tmp_path: Path) -> None:
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        assert httpx2.get(f"{shop.url}/health").status_code == 200
    with serving(tmp_path, "--database", "another.db") as shop:
        said = catshop(tmp_path, "replay", "r.jsonl", "1", "--url", shop.url)
    assert (said.returncode, said.stdout) == (0, "recorded 200, now 200\n"), said.stderr


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
        assert unknown.stderr.startswith("catshop: E-REC-08: ")

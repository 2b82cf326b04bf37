"""The walk of `examples/curl` against a shop in a process of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support.program import ROOT, environment, serving

WALK: Final = ROOT / "examples/curl/walk.sh"
TOOLS: Final = (
    "sh",
    "curl",
    "sed",
    "grep",
    "openssl",
    "cat",
    "dirname",
    "fold",
    "mktemp",
    "rm",
    "tr",
)
"""All that the walk may use: what every system has, and curl and openssl."""

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="the walk needs curl and openssl, and CI has them"
)


def walk(tmp_path: Path, base: str) -> subprocess.CompletedProcess[str]:
    """Run the walk with nothing but the listed programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(str(shutil.which(tool)))
    return subprocess.run(
        [str(programs / "sh"), str(WALK), base],
        env=environment(PATH=str(programs)),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )


def test_every_step_of_the_walk_goes_as_it_says(tmp_path: Path) -> None:
    """A000-8, A000-10, A000-11, A000-13, A000-15: all that curl can do."""
    with serving(tmp_path) as shop:
        done = walk(tmp_path, shop.url)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    steps = re.findall(r"^(\d+)\. (.*)$", done.stdout, re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert done.stdout.endswith(f"All {len(steps)} steps went as the specifications say.\n")
    statuses = re.findall(r"^< HTTP/1.1 (\d+)", done.stdout, re.MULTILINE)
    assert {"200", "201", "202", "303", "400", "401", "404"} == set(statuses)
    assert done.stderr == ""


def test_what_the_walk_prints_shows_each_thing_that_it_teaches(tmp_path: Path) -> None:
    """MCP 2025-11-25 basic/transports §resumability-and-redelivery, among others."""
    with serving(tmp_path) as shop:
        said = walk(tmp_path, shop.url).stdout.replace("\n  ", "")
    for words in (
        f'< www-authenticate: Bearer resource_metadata="{shop.url}/.well-known/',
        '"error":"invalid_grant"',
        '"name":"add_to_cart"',
        '"code":-32020',
        "< content-type: text/event-stream",
        "$ LAST=",
        "E-SES-03",
        "E-PKCE-06",
        "E-TOKEN-14",
        'error="invalid_token"',
    ):
        assert words in said


def test_a_walk_to_a_closed_shop_says_so(tmp_path: Path) -> None:
    """The first step fails, with the reason and the address."""
    done = walk(tmp_path, "http://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr == (
        "walk: step 1, Knock: curl ended with 7; is the shop open at http://127.0.0.1:1?\n"
    )


def test_a_walk_stops_at_the_first_surprise(tmp_path: Path) -> None:
    """Where sign-up is switched off nobody new gets in, and the walk repeats what the page says."""
    with serving(tmp_path, "--no-signup") as shop:
        done = walk(tmp_path, shop.url)
    assert done.returncode == 1
    assert "step 8, Open an account and sign in: the status must be 303" in done.stderr
    assert "No new accounts are made here" in done.stderr


def test_the_trace_of_a_walk_shows_every_check_and_no_secret(tmp_path: Path) -> None:
    """Codes, tokens, cookies, verifiers and passwords pass, and none of them is printed."""
    with serving(tmp_path, "--trace") as shop:
        said = walk(tmp_path, shop.url).stdout
        shown = shop.log.read_text()
    secrets = set(re.findall(r"cat_(?:at|rt|ac)_[\w.-]+", said)) | set(
        re.findall(r"^ *(?:\$ )?CSRF=(\S+)$", said, re.MULTILINE)
    )
    assert len(secrets) > 8
    assert [secret for secret in secrets if secret in shown] == []
    for check in ("pkce.s256", "bearer.valid", "form.token", "login", "tools/call"):
        assert check in shown

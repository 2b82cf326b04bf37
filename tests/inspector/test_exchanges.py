"""One exchange as a page shows it: nothing that a stranger has sent does anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx2
import pytest

from catshop.cli.demo import trip
from catshop.inspector.recording import Body, Exchange, Request
from catshop.inspector.redact import MARK
from catshop.inspector.web.exchanges import curl, parts
from tests.support.inspected import inspected
from tests.support.terminal import Terminal

TOUCH = "$(touch pwned)`touch pwned`"
FORM = "application/x-www-form-urlencoded"


def ran(folder: Path, command: str) -> list[str]:
    """What a shell makes of the command: the words that curl would be given."""
    shell = 'curl() { printf "%s\\n" "$@"; }\nTOKEN=t CODE=c SECRET=s\n' + command
    done = subprocess.run(
        ["/bin/sh", "-c", shell], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        pytest.param(
            Exchange(1, 1, [Request(method="GET", target=f"/{TOUCH}?{TOUCH}={TOUCH}")]),
            [f"http://x/{TOUCH}?{TOUCH}={TOUCH}"],
            id="path-and-query",
        ),
        pytest.param(
            Exchange(1, 1, [Request(method="GET; touch pwned #", target="/")]),
            ["-X", "GET; touch pwned #"],
            id="method",
        ),
        pytest.param(
            Exchange(1, 1, [Request(method="GET", target="/", fields=((TOUCH, TOUCH),))]),
            ["-H", f"{TOUCH}: {TOUCH}"],
            id="field",
        ),
        pytest.param(
            Exchange(1, 1, [
                Request(method="POST", target="/"),
                Body(type=FORM, text="%24%28touch%20pwned%29=%24%28touch%20pwned%29"),
            ]),
            ["--data-urlencode", "$(touch pwned)=$(touch pwned)"],
            id="form",
        ),
        pytest.param(
            Exchange(1, 1, [
                Request(method="POST", target="/"), Body(type="text/plain", text=f"@{TOUCH}"),
            ]),
            ["--data-raw", f"@{TOUCH}"],
            id="body",
        ),
    ],
)  # fmt: skip
def test_what_is_copied_into_a_shell_is_text(
    tmp_path: Path, exchange: Exchange, words: list[str]
) -> None:
    """A page of another site can make a browser send any path; the developer pastes it."""
    found = ran(tmp_path, curl(exchange, "http://x"))
    assert not (tmp_path / "pwned").exists()
    at = found.index(words[0])
    assert found[at : at + len(words)] == words


def test_secrets_are_variables_of_the_shell(tmp_path: Path) -> None:
    request = Request(
        method="POST", target="/token?a=1", fields=(("Authorization", "Bearer ‹0a0b0c›"),)
    )
    body = Body(type=FORM, text="code=‹1a1b1c›&grant_type=authorization_code")
    found = ran(tmp_path, curl(Exchange(1, 1, [request, body]), "http://x"))
    assert {"Authorization: Bearer t", "code=c", "grant_type=authorization_code"} <= set(found)


async def test_every_field_of_a_purchase_says_why_it_is_there() -> None:
    """And where there is a section that gives it its meaning, which."""
    recording = await trip()
    found = [part for each in recording.exchanges.values() for part in parts(each, ())]
    assert len({part.name for part in found}) > 60
    assert {(part.place, part.name) for part in found if not part.why} == set()
    refused = [part for part in found if part.name in {"expected", "fix"}]
    assert refused
    assert not [part for part in refused if MARK.search(part.value)]


async def test_half_a_character_is_shown_as_what_it_is(tmp_path: Path) -> None:
    """RFC 8259 §8.2: one lone surrogate must not close the wire to everybody."""
    async with inspected(tmp_path) as shop, shop.visitor() as http, httpx2.AsyncClient() as anybody:
        kind = {"content-type": "application/json"}
        await anybody.post(f"{shop.url}/register", content='{"params":{"name":"\\ud800x"}}',
                           headers=kind)  # fmt: skip
        for path in ("/-/wire", "/-/wire.json", "/-/wire/1", "/-/wire/1.json"):
            assert (await http.get(path)).status_code == 200, path


async def test_the_store_marks_what_the_wire_marks(tmp_path: Path) -> None:
    """The id of a waiting request opens it, so it is a secret in its table, too."""
    async with inspected(tmp_path) as shop, shop.visitor() as http, httpx2.AsyncClient() as anybody:
        client = Terminal(shop.url, anybody, anybody)
        await client.register()
        begun = await anybody.get(client.asking())
        opens = begun.headers["location"].partition("req=")[2]
        assert len(opens) > 16
        assert opens not in (await http.get("/-/store.json")).text


async def test_a_page_that_is_read_again_issues_no_token(tmp_path: Path) -> None:
    """RFC 9110 §9.2.1: reading changes nothing."""
    async with inspected(tmp_path) as shop, shop.visitor() as http, httpx2.AsyncClient() as anybody:
        client = Terminal(shop.url, anybody, anybody)
        await client.register()
        await client.code("alice")

        async def issued() -> int:
            row = await shop.house.database.one("SELECT count(*) AS n FROM oauth_access_tokens")
            assert row is not None
            return int(str(row["n"]))

        await http.get("/-/play")
        before = await issued()
        for _ in range(3):
            assert (await http.get("/-/play")).status_code == 200
        assert await issued() == before


@pytest.mark.parametrize("target", ["@evil.example/x", "http://evil.example/", "*", "evil"])
def test_what_is_copied_goes_to_this_server_whatever_was_asked_for(
    tmp_path: Path, target: str
) -> None:
    """RFC 9112 §3.2: a target is no part of the address that curl is given."""
    found = ran(tmp_path, curl(Exchange(1, 1, [Request(method="GET", target=target)]), "http://x"))
    assert "http://x" in found
    assert found[found.index("--request-target") + 1] == target
    assert not [word for word in found if word.startswith("http://x") and word != "http://x"]

"""Two processes on one database: what is good once is good once for both together.

Both are the real program, each on a port of its own, and serve one issuer, as behind a balancer.
Requests come over real sockets, all at once and half of them to each. What was written is read
through the port `Database`, so that an engine is one more parameter of `pair`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import pytest

from catshop.kernel import Trace, utc_now
from catshop.limits import StorageLimits
from catshop.storage.database import Database
from catshop.storage.sqlite import SqliteDatabase
from tests.oauth.cases import case
from tests.oauth.keys import assertion, public_set, shown
from tests.support.person import CALLBACK, forms_of
from tests.support.program import serving
from tests.support.terminal import Terminal

PATIENT = {
    "CATSHOP_STORAGE_BUSY_SECONDS": "25",  # a slow machine is no fault
    "CATSHOP_OAUTH_REFRESH_TWIN_SECONDS": "20",  # nor does it make a retry of what came together
    "CATSHOP_OAUTH_REGISTRATIONS_PER_HOUR": "1000",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two shops that are one."""

    first: str
    second: str
    file: Path
    logs: tuple[Path, Path]

    def audit(self, *words: str) -> list[str]:
        """The lines of both logs that hold all of these words."""
        lines = [line for log in self.logs for line in log.read_text().splitlines()]
        return [line for line in lines if all(word in line for word in words)]

    def each(self, times: int) -> list[str]:
        """So many addresses, half of them of each process."""
        return [self.first, self.second] * (times // 2)


@pytest.fixture(scope="module", params=["sqlite-opaque", "sqlite-jwt"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Two processes, on each engine and with each format of access tokens."""
    _, _, token_format = request.param.partition("-")
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    shared = ("--token-format", token_format, "--database", str(one / "catshop.db"))
    with serving(one, *shared, env=PATIENT) as first:
        same = ("--issuer", first.url)
        with serving(two, *shared, *same, env=PATIENT) as second:
            yield Pair(first.url, second.url, one / "catshop.db", (first.log, second.log))
        said = first.log.read_text() + second.log.read_text()
        assert "Traceback" not in said, said


@pytest.fixture
async def database(pair: Pair) -> AsyncIterator[Database]:
    """What both have written."""
    opened = SqliteDatabase.open(pair.file, StorageLimits(), Trace())
    yield opened
    await opened.close()


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """A client with as many connections as it likes."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx2.AsyncClient(limits=limits, timeout=30) as client:
        yield client


@pytest.fixture
async def browser() -> AsyncIterator[httpx2.AsyncClient]:
    """The user's."""
    async with httpx2.AsyncClient(timeout=30) as client:
        yield client


@pytest.fixture
async def alice(pair: Pair, http: httpx2.AsyncClient, browser: httpx2.AsyncClient) -> Terminal:
    """A client of the first process."""
    terminal = Terminal(pair.first, http, browser)
    await terminal.register()
    return terminal


def somebody() -> str:
    """A name that nobody has."""
    return f"alice{time.monotonic_ns() % 10**12}"


async def at_once(
    http: httpx2.AsyncClient, urls: list[str], form: Mapping[str, Any], **fields: str
) -> list[httpx2.Response]:
    """What the same form is answered, posted to all addresses together."""
    found: list[httpx2.Response] = []

    async def post(url: str) -> None:
        found.append(await http.post(url, data=dict(form), headers=fields))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for url in urls:
                tasks.start_soon(post, url)
    return found


def counted(answers: list[httpx2.Response]) -> Counter[tuple[int, str]]:
    """How often each status came, with which error."""
    return Counter((each.status_code, error_of(each)) for each in answers)


def error_of(answer: httpx2.Response) -> str:
    told = answer.json() if answer.status_code == 400 and answer.text.startswith("{") else {}
    return str(told.get("error", ""))


async def number(database: Database, query: str, *values: str) -> int:
    """What a query counts."""
    row = await database.one(query, *values)
    assert row is not None
    return int(row["n"] or 0)


@case("T21", "of 100 redemptions over two processes one gets tokens, and there is one grant")
async def test_of_a_hundred_redemptions_over_two_processes_one_succeeds(
    pair: Pair, alice: Terminal, http: httpx2.AsyncClient, database: Database
) -> None:
    """RFC 6749 §4.1.2; OAuth 2.1 §4.1.3. The others were second valid requests, so it is over."""
    form = {
        "grant_type": "authorization_code",
        "client_id": alice.client_id,
        "code": await alice.code(somebody()),
        "code_verifier": alice.verifier,
        "redirect_uri": CALLBACK,
    }
    answers = await at_once(http, [f"{url}/token" for url in pair.each(100)], form)
    assert counted(answers) == {(200, ""): 1, (400, "invalid_grant"): 99}
    grants = "SELECT count(*) AS n FROM oauth_families WHERE client_id = ?"
    assert await number(database, grants, alice.client_id) == 1
    assert await number(database, f"{grants} AND revoked_at IS NULL", alice.client_id) == 0
    [winner] = [each.json() for each in answers if each.status_code == 200]
    for url in (pair.first, pair.second):
        alice.url, alice.tokens = url, winner
        assert (await alice.ask("tools/list")).status_code == 401
        assert (await alice.refresh()).json()["error"] == "invalid_grant"


@case("F8", "of 50 refreshes over two processes one gets tokens, which stay good; one token lives")
async def test_of_fifty_refreshes_over_two_processes_one_succeeds(
    pair: Pair, alice: Terminal, http: httpx2.AsyncClient, database: Database
) -> None:
    """RFC 9700 §4.14.2. Those that were under way together are no theft: docs/why/0018."""
    assert (await alice.redeem(await alice.code(somebody()))).status_code == 200
    form = {
        "grant_type": "refresh_token",
        "client_id": alice.client_id,
        "refresh_token": alice.tokens["refresh_token"],
    }
    answers = await at_once(http, [f"{url}/token" for url in pair.each(50)], form)
    assert counted(answers) == {(200, ""): 1, (400, "invalid_grant"): 49}
    live = (
        "SELECT count(*) AS n FROM oauth_refresh_tokens t JOIN oauth_families f"
        " ON f.id = t.family_id WHERE t.state = 'live' AND f.client_id = ?"
    )
    assert await number(database, live, alice.client_id) == 1
    [alice.tokens] = [each.json() for each in answers if each.status_code == 200]
    for url in (pair.first, pair.second):
        alice.url = url
        assert (await alice.ask("tools/list")).status_code == 200
        assert (await alice.refresh()).status_code == 200


@case("L16", "of 50 posts of one approval one gets the code, the rest 400; there is one code")
async def test_of_fifty_approvals_over_two_processes_one_gives_a_code(
    pair: Pair,
    alice: Terminal,
    http: httpx2.AsyncClient,
    browser: httpx2.AsyncClient,
    database: Database,
) -> None:
    """OAuth 2.1 §4.1.2."""
    await alice.code(somebody())
    page = await browser.get(alice.asking(), follow_redirects=True)
    [form] = [form for form in forms_of(page) if ("decision", "approve") in form.buttons]
    filled: dict[str, Any] = {"decision": "approve", "scope": []}
    for name, value in form.values:
        filled[name] = [*filled["scope"], value] if name == "scope" else value
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    urls = [f"{url}/consent" for url in pair.each(50)]
    answers = await at_once(http, urls, filled, cookie=cookies)
    assert counted(answers) == {(303, ""): 1, (400, ""): 49}
    [told] = [each.headers["location"] for each in answers if each.status_code == 303]
    assert "code" in parse_qs(urlsplit(told).query)
    codes = "SELECT count(*) AS n FROM oauth_codes WHERE redeemed_at IS NULL AND client_id = ?"
    assert await number(database, codes, alice.client_id) == 2  # and the first one of hers


@case("V9", "50 revocations of one token over two processes: each is told 200, one is audited")
async def test_of_fifty_revocations_over_two_processes_all_are_told_the_same(
    pair: Pair, alice: Terminal, http: httpx2.AsyncClient
) -> None:
    """RFC 7009 §2.2."""
    assert (await alice.redeem(await alice.code(somebody()))).status_code == 200
    form = {"client_id": alice.client_id, "token": alice.tokens["refresh_token"]}
    answers = await at_once(http, [f"{url}/revoke" for url in pair.each(50)], form)
    assert counted(answers) == {(200, ""): 50}
    assert len(pair.audit(" revoked ", f"client={alice.client_id}")) == 1
    for url in (pair.first, pair.second):
        alice.url = url
        assert (await alice.ask("tools/list")).status_code == 401


@case("V8", "a token that one process has revoked is 401 at another, which knew it, within 1 s")
async def test_a_token_that_was_revoked_elsewhere_is_refused_within_a_second(
    pair: Pair, alice: Terminal, http: httpx2.AsyncClient
) -> None:
    """RFC 7009 §2.1; RFC 9068 §4: a signature alone says nothing about today."""
    assert (await alice.redeem(await alice.code(somebody()))).status_code == 200
    alice.url = pair.second
    assert (await alice.ask("tools/list")).status_code == 200
    form = {"client_id": alice.client_id, "token": alice.tokens["access_token"]}
    assert (await http.post(f"{pair.first}/revoke", data=form)).status_code == 200
    over = time.monotonic() + 1
    with anyio.fail_after(30):
        asked = time.monotonic()
        while (await alice.ask("tools/list")).status_code == 200:
            assert asked < over, "more than a second after the revocation"
            asked = time.monotonic()


@case("T28", "an assertion that one process has taken is 401 at the other")
async def test_an_assertion_is_good_once_for_both_processes(
    pair: Pair, http: httpx2.AsyncClient
) -> None:
    """RFC 7523 §3: also when it is shown twenty times at once."""
    metadata = {
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": public_set("ec"),
    }
    told = (await http.post(f"{pair.first}/register", json=metadata)).json()
    grant = {"grant_type": "client_credentials"}
    for urls in ([pair.first], [pair.second]):
        proof = shown(assertion(told["client_id"], utc_now, aud=pair.first))
        answers = await at_once(http, [f"{url}/token" for url in urls], {**grant, **proof})
        assert counted(answers) == {(200, ""): 1}
        for url in (pair.first, pair.second):
            again = await http.post(f"{url}/token", data={**grant, **proof})
            assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    proof = shown(assertion(told["client_id"], utc_now, aud=pair.first))
    answers = await at_once(http, [f"{url}/token" for url in pair.each(20)], {**grant, **proof})
    assert Counter(each.status_code for each in answers) == {200: 1, 401: 19}


@case("R19", "100 identical registrations at once are 100 clients, each with an id of its own")
async def test_a_hundred_registrations_at_once_are_a_hundred_clients(
    pair: Pair, http: httpx2.AsyncClient, database: Database
) -> None:
    """RFC 7591 §3.2.1, §5."""
    name = somebody()
    asked = json.dumps({"redirect_uris": [CALLBACK], "client_name": name})
    found: list[str] = []

    async def register(url: str) -> None:
        fields = {"content-type": "application/json"}
        answer = await http.post(f"{url}/register", content=asked, headers=fields)
        assert answer.status_code == 201, answer.text
        found.append(answer.json()["client_id"])

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for url in pair.each(100):
                tasks.start_soon(register, url)
    assert len(set(found)) == 100
    clients = "SELECT count(*) AS n FROM oauth_clients WHERE name = ?"
    assert await number(database, clients, name) == 100

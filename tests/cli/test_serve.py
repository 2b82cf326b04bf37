"""`catshop serve` as its user meets it: what it prints, where it listens, how it stops."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from catshop.inspector.recording import Check, read
from catshop.inspector.redact import MARK
from tests.support.hosting import BOTH, ENVELOPE, MODERN
from tests.support.program import PATIENCE, Serving, catshop, environment, serving


def free_port() -> str:
    """A port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def issued(folder: Path, shop: Serving) -> str:
    """A token for a new user."""
    who = ("--user", "alice", "--create-user", "--scope", "read write", "--issuer", shop.url)
    return catshop(folder, "token", "issue", *who).stdout.strip()


def fields(token: str, method: str, **more: str) -> dict[str, str]:
    """The header of one request of the stateless era."""
    named = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method, "Accept": BOTH}
    return {**named, "Authorization": f"Bearer {token}", **more}


def listed(shop: Serving, token: str) -> httpx2.Response:
    """`tools/list` with nothing before it."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": ENVELOPE}}
    return httpx2.post(shop.mcp, json=message, headers=fields(token, "tools/list"))


@contextmanager
def report(shop: Serving, token: str, pace_ms: int) -> Iterator[Iterator[str]]:
    """A call that takes its time, begun: the lines of its stream after the first of progress."""
    params = {
        "name": "restock_report",
        "arguments": {"pace_ms": pace_ms},
        "_meta": {**ENVELOPE, "progressToken": "p"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = fields(token, "tools/call", **{"Mcp-Name": "restock_report"})
    with httpx2.stream("POST", shop.mcp, json=message, headers=headers, timeout=PATIENCE) as answer:
        lines = answer.iter_lines()
        assert "notifications/progress" in next(line for line in lines if line)
        yield lines


def test_the_banner_says_what_this_is_and_where_the_data_is(tmp_path: Path) -> None:
    """A newcomer has to know whether it is up, and which file to keep."""
    with serving(tmp_path, "--database", "mine.db") as shop:
        assert "an MCP server and its OAuth 2.1 authorization server" in shop.banner
        assert f"database  {tmp_path / 'mine.db'}" in shop.banner
        assert (tmp_path / "mine.db").exists()


def test_the_three_things_to_try_work_when_they_are_pasted(tmp_path: Path) -> None:
    """A client's URL, a challenge, and a token for curl, on a shop that nobody has used yet."""
    with serving(tmp_path, "--database", "a shop.db") as shop:
        tried = re.search(
            r"with an MCP client +(\S+)\n +see the challenge +(.+)\n +a token for curl +(.+)\n\n",
            shop.banner,
            re.DOTALL,
        )
        assert tried
        url, challenge, command = tried.groups()
        assert shlex.split(challenge) == ["curl", "-i", "-X", "POST", shop.mcp]
        assert httpx2.post(shop.mcp).status_code == 401
        pasted = subprocess.run(
            ["/bin/sh", "-c", f'{command}\nprintf %s "$TOKEN"'],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        assert url == shop.mcp
        assert listed(shop, pasted.stdout).status_code == 200


def test_a_busy_port_names_its_holder_and_a_way_out(tmp_path: Path) -> None:
    """A000-16."""
    with serving(tmp_path) as shop:
        port = shop.url.rpartition(":")[2]
        second = catshop(tmp_path, "serve", "--port", port, "--database", "other.db")
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr.startswith(f"catshop: 127.0.0.1:{port} is taken by ")
        if Path("/proc/net/tcp").exists():
            assert f"(process {shop.process.pid})" in second.stderr
        assert second.stderr.rstrip().endswith("-m catshop serve --port 0")
        assert second.stderr.count("\n") == 1
        assert not (tmp_path / "other.db").exists()


def test_record_writes_down_every_exchange_for_its_owner_alone(tmp_path: Path) -> None:
    """Both directions and what was decided between them."""
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        assert httpx2.post(shop.mcp).status_code == 401
        assert listed(shop, token := issued(tmp_path, shop)).status_code == 200
        assert shop.stop() == 0
    first, second = read(tmp_path / "r.jsonl").exchanges.values()
    assert (first.status, second.status) == (401, 200)
    assert "bearer.valid" in {check.name for check in second.every(Check)}
    assert (tmp_path / "r.jsonl").stat().st_mode & 0o077 == 0
    assert token not in (tmp_path / "r.jsonl").read_text("utf-8")


def test_a_recording_that_cannot_be_written_is_told_before_anything_is_served(
    tmp_path: Path,
) -> None:
    said = catshop(tmp_path, "serve", "--record", "no/such/folder", "--port", "0")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("catshop: E-REC-04: ")


@pytest.mark.parametrize("host", ["192.0.2.1", "fe80::1%none"])
def test_an_address_of_another_machine_is_refused_with_one_of_this(
    tmp_path: Path, host: str
) -> None:
    """Whether it is there for somebody else, or leads nowhere."""
    said = catshop(tmp_path, "serve", "--host", host, "--issuer", "https://shop.example")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith(f"catshop: {host} is no address of this machine: ")
    assert said.stderr.endswith("Try --host 127.0.0.1\n")


def test_port_from_the_environment_moves_the_issuer_too(tmp_path: Path) -> None:
    """A000-5: nobody has to say it twice."""
    port = free_port()
    with serving(tmp_path, env={"PORT": port}) as shop:
        assert shop.url == f"http://127.0.0.1:{port}"
        found = httpx2.get(f"{shop.url}/.well-known/oauth-authorization-server").json()
        assert found["issuer"] == shop.url


def test_a_flag_beats_the_environment(tmp_path: Path) -> None:
    """What is typed last is meant most."""
    with serving(tmp_path, "--port", "0", env={"CATSHOP_PORT": "1", "PORT": "2"}) as shop:
        assert shop.url.rpartition(":")[2] not in {"1", "2"}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_lets_what_has_begun_come_to_its_end(
    tmp_path: Path, backend: str, name: str
) -> None:
    """H58: the call in flight is answered, then the process ends well."""
    with serving(tmp_path, "--backend", backend) as shop:
        with report(shop, issued(tmp_path, shop), pace_ms=100) as lines:
            shop.process.send_signal(signal.Signals[name])
            rest = list(lines)
        assert '"structuredContent"' in "".join(rest)
        assert shop.wait() == 0


def test_an_idle_shop_stops_at_once(tmp_path: Path) -> None:
    """There is nothing to wait for, not even a client that keeps its connection."""
    with serving(tmp_path, env={"CATSHOP_HTTP_IDLE_SECONDS": "3600"}) as shop:
        with httpx2.Client() as client:
            assert client.get(f"{shop.url}/health").status_code == 200
            assert shop.stop() == 0
        assert "Traceback" not in shop.log.read_text()


def test_a_second_signal_stops_what_has_begun(tmp_path: Path) -> None:
    """Whoever asks twice does not want to wait."""
    with serving(tmp_path) as shop, report(shop, issued(tmp_path, shop), pace_ms=1000) as lines:
        shop.process.send_signal(signal.SIGINT)
        assert shop.stop() == 0
        said = ""
        try:
            for line in lines:
                said += line
        except httpx2.TransportError:
            pass
        assert "structuredContent" not in said
        assert "Traceback" not in shop.log.read_text()


def test_a_running_shop_stops_taking_a_token_that_another_process_revoked(tmp_path: Path) -> None:
    """A000-10, A000-11: within `oauth.token_cache_seconds`, which is nothing here."""
    with serving(tmp_path, env={"CATSHOP_OAUTH_TOKEN_CACHE_SECONDS": "0"}) as shop:
        token = issued(tmp_path, shop)
        assert listed(shop, token).status_code == 200
        token_id = catshop(tmp_path, "token", "list").stdout.split("\t")[0]
        assert catshop(tmp_path, "token", "revoke", token_id).returncode == 0
        refused = listed(shop, token)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_the_trace_shows_the_exchange_and_not_the_token(tmp_path: Path) -> None:
    """`--trace` is for a lecture hall: what is on the screen must be of no use to anybody."""
    with serving(tmp_path, "--trace") as shop:
        token = issued(tmp_path, shop)
        assert listed(shop, token).status_code == 200
        assert shop.stop() == 0
        shown = shop.log.read_text()
    assert token not in shown
    assert token.removeprefix("cat_at_") not in shown
    for words in ("client▸mcp  POST /mcp", "mcp-method: tools/list", "bearer.valid", "< 200"):
        assert words in shown.replace("Mcp-Method", "mcp-method")


@pytest.mark.parametrize(
    ("era", "stateless", "handshake"), [("modern", 200, 400), ("legacy", 400, 200)]
)
def test_an_era_can_be_left_out(tmp_path: Path, era: str, stateless: int, handshake: int) -> None:
    """Each era can be learned alone. MCP 2026-07-28 basic/versioning."""
    with serving(tmp_path, "--era", era) as shop:
        token = issued(tmp_path, shop)
        assert listed(shop, token).status_code == stateless
        about = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}
        headers = {"Authorization": f"Bearer {token}", "Accept": BOTH}
        assert httpx2.post(shop.mcp, json=message, headers=headers).status_code == handshake


def test_what_is_printed_and_what_is_recorded_have_the_same_marks(tmp_path: Path) -> None:
    """One secret, one mark, wherever one looks; and a file that is taken is refused in words."""
    with serving(tmp_path, "--trace", "--record", "r.jsonl") as shop:
        assert f"recording {tmp_path.resolve() / 'r.jsonl'}" in shop.banner
        headers = {"Authorization": "Bearer a-token-of-nobody"}
        assert httpx2.post(shop.mcp, headers=headers).status_code == 401
        second = catshop(tmp_path, "serve", "--port", "0", "--record", "r.jsonl")
        assert (second.returncode, "E-REC-12" in second.stderr) == (1, True)
        assert shop.stop() == 0
    recording = read(tmp_path / "r.jsonl")
    assert recording.started.url == shop.url
    kept = {mark for each in recording.exchanges.values() for _, value in each.request.fields
            for mark in MARK.findall(value)}  # fmt: skip
    assert kept
    assert kept <= set(MARK.findall(shop.log.read_text("utf-8")))

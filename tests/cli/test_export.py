"""What a recording becomes, as programs read it that know nothing of us; and no secret in it."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import dpkt
import httpx2
import pytest
from haralyzer import HarParser

from catshop.cli.exporting import FORMS, Form
from catshop.inspector.pcapng import FIRST_PORT, checksum, octets_of
from catshop.inspector.recording import (
    Answer,
    Body,
    Exchange,
    Frame,
    Recording,
    Request,
    Started,
    read,
    written,
)
from tests.cli.conftest import Command
from tests.examples.test_curl import TOOLS, walk
from tests.inspector.talks import talk
from tests.support.hosting import BOTH, ENVELOPE, MODERN
from tests.support.person import CALLBACK, Person
from tests.support.program import PATIENCE, catshop, environment, serving
from tests.support.visit import CHALLENGE, PASSWORD, Visit

HOSTILE = "</pre><script>alert(1)</script>\"'&\x1b[2J"


def made(form: Form, recording: Recording) -> bytes:
    return FORMS[form](recording.started, list(recording.exchanges.values()))


@pytest.mark.parametrize("form", Form)
async def test_no_secret_of_a_real_visit_is_in_an_export(visit: Visit, form: Form) -> None:
    recording, _, hidden = visit
    text = made(form, recording)
    assert [secret for secret in hidden if secret.encode() in text] == []
    assert b"/token" in text


@pytest.mark.parametrize("form", Form)
async def test_what_is_read_from_the_file_is_exported_as_what_is_in_memory(
    visit: Visit, form: Form
) -> None:
    """The pictures of one visit cannot disagree."""
    recording, path, _ = visit
    assert made(form, read(path)) == made(form, recording)


@pytest.mark.parametrize("form", Form)
def test_what_somebody_else_wrote_is_text_in_every_export(form: Form) -> None:
    fields = (("Host", "x"), ("X-Cat", HOSTILE))
    exchange = Exchange(1, 1, [Request(n=1, method="POST", target="/a", fields=fields)])
    exchange.lines.append(Body(n=1, type="application/json", text=HOSTILE, size=9))
    exchange.lines.append(Frame(n=1, text=HOSTILE))
    text = FORMS[form](Started(program=HOSTILE), [exchange])
    if form not in {Form.PCAPNG}:
        assert b"\x1b" not in text
    if form is Form.HTML:
        assert b"<script" not in text


async def test_a_har_reader_finds_every_exchange(visit: Visit) -> None:
    """HAR 1.2, read by haralyzer."""
    recording = visit[0]
    parser = HarParser(json.loads(made(Form.HAR, recording)))
    entries = parser.har_data["entries"]
    kept = list(recording.exchanges.values())
    assert parser.version == "1.2"
    assert [entry["response"]["status"] for entry in entries] == [each.status for each in kept]
    refused = [entry for entry in entries if parser.match_status_code(entry, "4.*")]
    assert [entry["request"]["url"].rpartition("/")[2] for entry in refused] == ["mcp", "token"]
    posted = refused[1]["request"]["postData"]
    assert "code_verifier" in {each["name"] for each in posted["params"]}
    assert all(parser.match_request_type(entry, "POST") for entry in refused)
    assert entries[-1]["response"]["content"]["text"].startswith("id: ") or entries[-1]["_events"]


def test_a_cookie_that_an_answer_sets_is_one_of_the_archive() -> None:
    """HAR 1.2, cookies; RFC 6265 §4.1."""
    lasts = "c=‹aaaaaa›; Path=/a; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly; Secure"
    fields = (("Set-Cookie", lasts), ("set-cookie", "d=1; Expires=never"))
    exchange = talk(1, "GET /", 200)
    exchange.lines[1] = Answer(status=200, fields=fields)
    archive = json.loads(FORMS[Form.HAR](Started(), [exchange]))
    assert archive["log"]["entries"][0]["response"]["cookies"] == [
        {
            "name": "c",
            "value": "‹aaaaaa›",
            "path": "/a",
            "expires": "2026-10-21T07:28:00+00:00",
            "httpOnly": True,
            "secure": True,
        },
        {"name": "d", "value": "1", "httpOnly": False, "secure": False},
    ]


def test_a_page_cuts_no_text() -> None:
    long = "x" * 5000
    page = FORMS[Form.HTML](Started(), [talk(1, "POST /", 200, sent={"a": long}, said={"b": long})])
    assert page.count(long.encode()) == 2


class Shown(HTMLParser):
    """What a page holds: its tags, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {"src", "href", "onclick", "style"} & dict(attrs).keys()

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_a_page_shows_every_exchange_and_asks_nobody_for_anything(visit: Visit) -> None:
    recording = visit[0]
    shown = Shown()
    shown.feed(made(Form.HTML, recording).decode())
    assert shown.tags.count("details") == len(recording.exchanges)
    assert not {"script", "img", "link", "iframe", "form"} & set(shown.tags)
    assert "oauth/grants.py:" in shown.text
    assert "E-PKCE-06" in shown.text


def streams(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What both sides of each connection said, put together by somebody else's reader."""
    said: dict[tuple[int, bool], dict[int, bytes]] = defaultdict(dict)
    for _, packet in dpkt.pcapng.Reader(io.BytesIO(octets)):
        ip = dpkt.ip.IP(packet)
        tcp = ip.data
        assert isinstance(tcp, dpkt.tcp.TCP)
        assert checksum(packet[:20]) == 0
        pseudo = ip.src + ip.dst + bytes((0, 6)) + (ip.len - 20).to_bytes(2, "big")
        assert checksum(pseudo + packet[20:]) == 0
        mine = tcp.sport >= FIRST_PORT
        port = tcp.sport if mine else tcp.dport
        if tcp.data:
            said[port, mine][tcp.seq] = tcp.data
    for port in sorted({port for port, _ in said}):
        ours, theirs = (said[port, mine] for mine in (True, False))
        yield tuple(b"".join(each[seq] for seq in sorted(each)) for each in (ours, theirs))  # type: ignore[misc] # two


async def test_a_capture_reader_puts_every_message_together(visit: Visit) -> None:
    """pcapng, IPv4 and TCP with their checksums, and HTTP/1.1, read by dpkt.

    RFC 791 §3.1, RFC 1071 §1, RFC 9293 §3.1, §3.5, §3.6, RFC 3986 §2.2.
    """
    recording = visit[0]
    found = list(streams(made(Form.PCAPNG, recording)))
    assert len(found) == len(recording.exchanges)
    for (asked, answered), exchange in zip(found, recording.exchanges.values(), strict=True):
        request, answer = dpkt.http.Request(asked), dpkt.http.Response(answered)
        assert request.method == exchange.request.method
        assert request.uri.encode() == octets_of(exchange.request.target)
        assert int(answer.status) == exchange.status
        assert request.body == octets_of(exchange.body(">").text)
        events = "".join(f"{frame.text}\n\n" for frame in exchange.every(Frame))
        assert answer.body == octets_of(events or exchange.body("<").text)


def test_a_long_message_is_cut_into_segments_that_fit_together() -> None:
    body = Body(n=1, type="text/plain", text="x" * 50_001, size=50_001)
    exchange = Exchange(1, 0, [Request(n=1, method="POST", target="/"), body])
    ((asked, answered),) = streams(FORMS[Form.PCAPNG](Started(), [exchange]))
    assert (dpkt.http.Request(asked).body, answered) == (b"x" * 50_001, b"")


def test_times_of_a_capture_are_those_of_the_recording() -> None:
    started = Started(began="2026-11-20T12:00:00+00:00")
    exchange = Exchange(1, 0, [Request(n=1, at=1.5, method="GET", target="/")])
    octets = FORMS[Form.PCAPNG](started, [exchange])
    moment, _ = next(iter(dpkt.pcapng.Reader(io.BytesIO(octets))))
    assert moment == pytest.approx(1795176001.5)


def ran(script: str, base: str, **secrets: str) -> subprocess.CompletedProcess[str]:
    """The script in a shell of its own."""
    return subprocess.run(
        ["/bin/sh"],
        input=script,
        env=environment(BASE=base, **secrets),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


needs_curl = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="the walk needs curl and openssl, and CI has them"
)


@needs_curl
def test_a_script_of_the_walk_makes_the_same_walk_at_another_shop(tmp_path: Path) -> None:
    """Sessions, cookies, a verifier that was wrong, a stream that broke off: to the last step."""
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        assert walk(tmp_path, shop.url).returncode == 0
        assert shop.stop() == 0
    exported = catshop(tmp_path, "export", "r.jsonl")
    with serving(tmp_path, "--database", "another.db") as other:
        done = ran(exported.stdout, other.url)
    assert (done.returncode, exported.stderr, done.stderr) == (0, "", "")
    statuses = [int(each) for each in re.findall(r"^  (\d{3})$", done.stdout, re.MULTILINE)]
    kept = read(tmp_path / "r.jsonl").exchanges.values()
    assert statuses == [each.status for each in kept]
    assert len(statuses) > 30


@needs_curl
async def test_a_browser_that_was_here_before_is_a_new_one_elsewhere(tmp_path: Path) -> None:
    """Its old cookie is nothing to another shop, which gives it a new one. RFC 6265 §8.6."""
    wanted = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        async with httpx2.AsyncClient() as browser:
            born = (await browser.post(f"{shop.url}/register", json=wanted)).json()
            asked = {
                "response_type": "code",
                "client_id": born["client_id"],
                "redirect_uri": CALLBACK,
                "code_challenge": CHALLENGE,
                "code_challenge_method": "S256",
                "resource": shop.mcp,
            }
            address = f"{shop.url}/authorize?{httpx2.QueryParams(asked)}"
            assert (await browser.get(address)).status_code == 303
            await Person(browser, "alice", PASSWORD).open(address)
        assert shop.stop() == 0
    lines = (tmp_path / "r.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if '"n":2,' not in line]  # it had it before
    (tmp_path / "r.jsonl").write_text("".join(kept))
    exported = catshop(tmp_path, "export", "r.jsonl")
    assert "CATSHOP=$(renewed catshop" in exported.stdout
    with serving(tmp_path, "--database", "another.db") as other:
        done = ran(exported.stdout, other.url)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@needs_curl
def test_a_stream_that_its_client_has_left_is_left_again(tmp_path: Path) -> None:
    """MCP 2026-07-28 basic/patterns/subscriptions."""
    params = {"notifications": {"toolsListChanged": True}, "_meta": ENVELOPE}
    message = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        issue = ("token", "issue", "--user", "alice", "--create-user", "--issuer", shop.url)
        token = catshop(tmp_path, *issue).stdout.strip()
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": BOTH,
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "subscriptions/listen",
        }
        with httpx2.stream("POST", shop.mcp, json=message, headers=headers) as stream:
            assert next(stream.iter_raw())
        exported = catshop(tmp_path, "export", "r.jsonl")
        done = ran(exported.stdout, shop.url, TOKEN=token)
        asked = catshop(tmp_path, "export", "r.jsonl", "1", "--as", "http")
    assert (done.returncode, done.stdout.count("  200\n")) == (0, 1), done.stderr
    assert asked.stderr.startswith("catshop: E-REC-20: ")
    assert "(#1: its stream does not end by itself)" in asked.stderr


@pytest.mark.parametrize("form", ["curl", "http"])
def test_what_needs_a_proof_of_a_key_is_left_out_and_told(tmp_path: Path, form: str) -> None:
    """RFC 9449 §11.1: a proof is good once, and a script has no key."""
    made = {1: talk(1, "GET /a", 200), 2: talk(2, "POST /mcp", 200, fields={"DPoP": "‹aaaaaa›"})}
    lines = [Started(), *(replace(line, n=each.n) for each in made.values() for line in each.lines)]
    (tmp_path / "r.jsonl").write_text("".join(f"{written(line)}\n" for line in lines))
    told = "Left out: #2: a DPoP proof is good once, and a script can make no other (RFC 9449"
    every = catshop(tmp_path, "export", "r.jsonl", "--as", form)
    assert f"# {told}" in every.stdout
    assert every.stderr.startswith(told)
    one = catshop(tmp_path, "export", "r.jsonl", "2", "--as", form)
    assert (one.returncode, one.stdout) == (1, "")
    assert one.stderr.startswith("catshop: E-REC-20: ")


def test_a_script_of_one_exchange_asks_for_the_token_and_works(tmp_path: Path) -> None:
    """The secret itself is in no script: whoever runs it has one."""
    with serving(tmp_path, "--record", "r.jsonl") as shop:
        issue = ("token", "issue", "--user", "alice", "--create-user", "--issuer", shop.url)
        token = catshop(tmp_path, *issue).stdout.strip()
        params = {"name": "list_products", "arguments": {}, "_meta": ENVELOPE}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": BOTH,
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "list_products",
        }
        assert httpx2.post(shop.mcp, json=message, headers=headers).status_code == 200
        assert shop.stop() == 0
    recording = read(tmp_path / "r.jsonl")
    last = list(recording.exchanges)[-1]
    script = catshop(tmp_path, "export", "r.jsonl", str(last), "--as", "curl").stdout
    assert token not in script
    with serving(tmp_path, "--port", shop.url.rpartition(":")[2]) as shop:
        assert ran(script, shop.url).stderr == (
            "TOKEN is needed, and no answer gives it."
            " export TOKEN=$(catshop token issue --user alice --create-user)\n"
        )
        worked = ran(script, shop.url, TOKEN=token)
    assert worked.returncode == 0, worked.stderr
    assert "Whisker" in worked.stdout


async def test_the_command_takes_one_exchange_a_flow_or_all(cli: Command, visit: Visit) -> None:
    recording, path, _ = visit
    flow = recording.exchanges[2].flow
    counts = [
        cli("export", str(path), *which, "--as", "html").out.count("<details")
        for which in ((), ("3",), ("--flow", str(flow)))
    ]
    assert counts == [len(recording.exchanges), 1, len(recording.flow(flow))]
    nothing = cli("export", str(path), "999")
    assert (nothing.status, nothing.out) == (1, "")
    assert nothing.err.startswith("catshop: E-REC-07: ")
    assert f"(#999; there are #1 to #{len(recording.exchanges)})" in nothing.err
    both = cli("export", str(path), "2", "--flow", "999")
    assert f"(#2 of flow 999: both must hold, and #2 is of flow {flow})" in both.err
    flows = cli("export", str(path), "--flow", "999")
    assert f"(flow 999; flows are {flow}" in flows.err
    meant = cli("export", str(path), "--as", "pcap")
    assert (meant.status, "did you mean pcapng?" in meant.err) == (2, True)
    assert "Value error" not in meant.err


def test_an_exchange_without_a_request_is_left_out_where_it_has_no_place() -> None:
    """A file may begin in the middle of one."""
    exchange = Exchange(1, 0, [Frame(n=1, text="data: 1")])
    assert json.loads(FORMS[Form.HAR](Started(), [exchange]))["log"]["entries"] == []
    assert list(streams(FORMS[Form.PCAPNG](Started(), [exchange]))) == []

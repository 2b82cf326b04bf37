"""Who may look at the inspector, in raw HTTP: nobody but the browser that opened the link."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio
import httpx2
import pytest

from catshop.cli.inspecting import Inspector
from catshop.inspector.beside import InspectorRefused
from catshop.kernel import Trace
from tests.support.hosting import ENVELOPE
from tests.support.inspected import Inspected, inspected
from tests.support.shop import config_in
from tests.support.terminal import Terminal

PLANTED: Final = "cat_at_planted-0123456789abcdef.secret"
PAGES: Final = ("/-/", "/-/wire", "/-/journey", "/-/wire.json", "/-/journey.json", "/-/wire/1")


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Inspected]:
    async with inspected(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("path", [*PAGES, "/-/wire/events", "/-/wire/1.json"])
async def test_without_the_cookie_every_page_is_refused(watched: Inspected, path: str) -> None:
    """RFC 6265 §4.1.2.6: and the refusal says what to do."""
    async with httpx2.AsyncClient(base_url=watched.home) as http:
        answer = await http.get(path)
    assert answer.status_code == 403
    assert "E-INSPECT-01" in answer.text


async def test_the_link_is_swapped_once_for_a_cookie_that_no_script_and_no_site_has(
    watched: Inspected,
) -> None:
    """RFC 6265 §4.1.2.6, RFC 9110 §15.4.4: HttpOnly; SameSite=Strict, at our paths alone."""
    async with httpx2.AsyncClient() as http:
        first = await http.get(watched.link)
        cookie = first.headers["set-cookie"]
        assert (first.status_code, first.headers["location"]) == (303, "/-/")
        assert cookie.endswith("; Path=/-/; HttpOnly; SameSite=Strict")
        assert watched.token not in cookie
    async with httpx2.AsyncClient() as http:
        second = await http.get(watched.link)
        assert second.status_code == 403
        assert "E-INSPECT-02" in second.text
        assert "set-cookie" not in second.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "localhost"]
)
async def test_a_request_for_another_host_is_misdirected(watched: Inspected, host: str) -> None:
    """RFC 9110 §7.4, §15.5.20: 421, which is what a rebound name gets."""
    port = watched.home.rpartition(":")[2]
    async with watched.visitor() as http:
        for path in (*PAGES, "/-/style.css", "/-/explain/E-PKCE-06"):
            answer = await http.get(path, headers={"Host": host.format(port=port)})
            assert answer.status_code == 421, path


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_page_of_another_origin_reads_nothing(watched: Inspected, origin: str) -> None:
    """Fetch §3.3: not even a page of this machine, on another port. RFC 6454 §7."""
    async with watched.visitor() as http:
        answer = await http.get("/-/wire.json", headers={"Origin": origin})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_every_answer_lets_the_browser_load_nothing_else_and_keep_nothing(
    watched: Inspected,
) -> None:
    """RFC 9111 §5.2.2.5; Content Security Policy Level 3 §6: refusals, too."""
    async with watched.visitor() as http:
        for path in (*PAGES, "/-/style.css", "/-/script.js", "/-/wire/77", "/-/explain/E-NO-01"):
            answer = await http.get(path)
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; ")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert not re.findall(r'(?:src|href|action)="(?!/-/|data:,|#)', answer.text), path
            assert "DEV ONLY" in answer.text or not answer.headers["content-type"].startswith(
                "text/html"
            )


async def test_a_page_and_its_json_hold_the_same(watched: Inspected) -> None:
    async with watched.visitor() as http, httpx2.AsyncClient() as anybody:
        await anybody.get(f"{watched.url}/health")
        for path in ("/-/wire", "/-/journey", "/-/explain", "/-/explain/E-PKCE-06", "/-/wire/1"):
            page, document = await http.get(path), await http.get(f"{path}.json")
            assert (page.status_code, document.status_code) == (200, 200), path
            assert document.headers["content-type"] == "application/json"
        assert (await http.get("/-/wire.json")).json()["rows"][0]["said"] == "GET /health"


async def plant(shop: Inspected, anybody: httpx2.AsyncClient) -> None:
    """Leave a token in a header, the query, a form, JSON, a name, and an event of a stream."""
    client = Terminal(shop.url, anybody, anybody, name=f"A client {PLANTED}")
    await client.register()
    assert (await client.redeem(await client.code("alice"))).status_code == 200
    await anybody.get(f"{shop.url}/{PLANTED}?code={PLANTED}&x=Bearer%20{PLANTED}")
    await anybody.get(shop.mcp, headers={"Authorization": f"Bearer {PLANTED}"})
    await anybody.post(f"{shop.url}/token", data={"code": PLANTED, "other": PLANTED})
    call = {"name": "search_products", "arguments": {"query": PLANTED}}
    await anybody.post(shop.mcp, json={"params": call, "access_token": PLANTED})
    await client.ask("tools/call", **call)
    await shop.house.database.write(
        lambda work: work.run("UPDATE products SET name = ? WHERE id = 1", f"Wand {PLANTED}")
    )
    told = {"arguments": {"pace_ms": 1}, "_meta": {**ENVELOPE, "progressToken": PLANTED}}
    streamed = await client.ask("tools/call", name="restock_report", **told)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert PLANTED in streamed.text


async def test_no_planted_secret_is_on_any_page(watched: Inspected) -> None:
    """RFC 6750 §5.3: nor on the JSON of a page, nor in the rows that come by themselves."""
    async with watched.visitor() as http, httpx2.AsyncClient() as anybody:
        await plant(watched, anybody)
        seen = (await http.get("/-/wire.json")).json()
        assert [row for row in seen["rows"] if "restock_report" in row["said"]]
        numbered = [f"/-/wire/{number}" for number in range(1, seen["last"] + 1)]
        for path in ("/-/journey", "/-/wire", "/-/store", "/-/connect", "/-/decode", *numbered):
            for shape in ("", ".json"):
                text = (await http.get(path + shape)).text
                assert "planted-0123456789" not in text, path + shape
        rows = await followed(watched, dict(http.cookies), "restock_report")
        assert "planted-0123456789" not in rows


async def followed(shop: Inspected, cookies: dict[str, str], until: str) -> str:
    """What comes by itself to a page that follows, up to the row that holds `until`."""
    host, _, port = shop.home.partition("://")[2].partition(":")
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    asked = f"GET /-/wire/events HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\n\r\n"
    text = b""
    with anyio.fail_after(10):
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(asked.encode())
            while until.encode() not in text:
                text += await stream.receive()
    return text.decode()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"origin": None}, id="no-origin"),
        pytest.param({"origin": "http://127.0.0.1:1"}, id="another-port"),
        pytest.param({"origin": "https://evil.example"}, id="another-site"),
        pytest.param({"csrf": "guessed"}, id="a-token-that-is-not-ours"),
        pytest.param({"csrf": None}, id="no-token"),
    ],
)
async def test_only_a_form_of_ours_is_taken(
    watched: Inspected, fault: dict[str, str | None]
) -> None:
    """RFC 6454 §7: its origin is ours and it holds the token of our pages."""
    async with watched.visitor() as http:
        page = (await http.get("/-/decode")).text
        csrf = re.findall(r'name="csrf" value="(\w+)"', page)[0]
        sent = {"origin": watched.home, "csrf": csrf, **fault}
        form = {"as": "pkce", "text": "n" * 43}
        form |= {"csrf": sent["csrf"]} if sent["csrf"] else {}
        headers = {"Origin": sent["origin"]} if sent["origin"] else {}
        refused = await http.post("/-/decode", data=form, headers=headers)
        assert refused.status_code == 403
        good = await http.post(
            "/-/decode", data={**form, "csrf": csrf}, headers={"Origin": watched.home}
        )
        assert good.status_code == 200
        assert "code_challenge" in good.text


async def test_the_store_shows_the_rows_that_an_exchange_has_made(watched: Inspected) -> None:
    """And of the client that it registered the name, but no hash."""
    async with watched.visitor() as http, httpx2.AsyncClient() as anybody:
        client = Terminal(watched.url, anybody, anybody, name="A client in a table")
        await client.register()
        with anyio.fail_after(5):
            while True:
                tables = (await http.get("/-/store.json?n=1")).json()["tables"]
                found = next(each for each in tables if each["name"] == "oauth_clients")
                if found["fresh"]:
                    break
        assert [row for row in found["fresh"] if "A client in a table" in row]
        assert found["plane"] == "oauth"
        page = (await http.get("/-/store?n=1")).text
        assert 'class="changed"' in page
        assert not re.findall(r"<code>[0-9a-f]{64}</code>", page)


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param({"host": "0.0.0.0"}, id="a-host-for-others"),
        pytest.param({"issuer": "https://shop.example"}, id="an-issuer-for-others"),
    ],
)
def test_the_inspector_never_meets_a_server_for_others(
    tmp_path: Path, flags: dict[str, object]
) -> None:
    """RFC 6761 §6.3: it refuses to start, whatever else is set."""
    with pytest.raises(InspectorRefused, match="E-INSPECT-07"):
        Inspector(config_in(tmp_path, **flags), Trace(), lambda _: None)


async def test_a_number_that_no_exchange_has_is_not_found(watched: Inspected) -> None:
    """RFC 9110 §15.5.5: however long it is."""
    async with watched.visitor() as http:
        for name in ("0", "7", "x", "9" * 5000, "-1", "wire"):
            assert (await http.get(f"/-/wire/{name}")).status_code == 404, name[:9]
        assert (await http.get("/-/store.json?n=" + "9" * 5000)).json()["number"] == 0

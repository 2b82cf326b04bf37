"""Single rungs, played from a list: what no small server on a socket of ours can be."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from catshop.client.doctor import authority, door, reach, talk
from catshop.client.doctor.chart import Chart, Check, Dialled, Finding, Health, failed
from catshop.client.errors import ClientError
from catshop.client.oauth.discovery import Resource, Server
from catshop.client.oauth.grants import Tokens
from catshop.client.oauth.keys import SigningKey
from catshop.client.oauth.memory import Held, Memory
from catshop.client.oauth.steps import Ask, Reply, Sources
from catshop.kernel import Secret

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
URL = "https://shop.example/mcp"
ISSUER = "https://shop.example"


def fresh(url: str = URL) -> Chart:
    """An empty chart."""
    return Chart(url, Sources(lambda: NOW, lambda: "r" * 43))


def guarded(url: str = URL) -> Chart:
    """A chart of a server that has a guard, and says nothing of it."""
    chart = fresh(url)
    chart.guarded = True
    return chart


def said(members: object, status: int = 200, **fields: str) -> Reply:
    """An answer in JSON."""
    named = {"content_type": "application/json", **fields}
    headers = tuple((name.replace("_", "-"), value) for name, value in named.items())
    return Reply(status, headers, json.dumps(members).encode())


METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "code_challenge_methods_supported": ["S256"],
}


def look(check: Check, chart: Chart, *answers: Reply | Dialled) -> tuple[Finding, list[Ask]]:
    """The end of one check, and what it asked for; every answer is used."""
    asked: list[Ask] = []
    script = iter(answers)
    try:
        found = check(chart)
        if isinstance(found, Finding):
            return found, asked
        wanted = next(found)
        while True:
            if isinstance(wanted, Ask):
                asked.append(wanted)
            wanted = found.send(next(script))
    except StopIteration as done:
        assert not list(script)
        finding: Finding = done.value
        return finding, asked
    except ClientError as error:
        return failed(error), asked


def test_a_server_that_others_can_overhear_is_told() -> None:
    """OAuth 2.1 §1.5."""
    assert look(reach.nobody_can_listen_in, fresh("http://shop.example/mcp"))[0].code == "E-OAC-01"
    assert look(reach.nobody_can_listen_in, fresh())[0].health is Health.OK


def test_nobody_there_has_a_fix_on_this_machine_alone() -> None:
    """Nobody starts a stranger's server."""
    for url, fix in ((URL, False), ("http://127.0.0.1:9/mcp", True)):
        chart = fresh(url)
        chart.dialled = Dialled(("192.0.2.1",), refused="Connection refused")
        assert bool(look(reach.somebody_listens, chart)[0].fix) is fix


def test_a_server_without_a_date_has_no_clock_to_compare() -> None:
    """RFC 9110 §6.6.1."""
    assert look(reach.the_clocks_agree, fresh())[0].health is Health.WAIVED


def test_a_guard_of_hosts_may_speak_with_another_status() -> None:
    """RFC 9110 §15.5.20: several frameworks say 400 or 403 in place of 421."""
    refused = Reply(400, (("content-type", "text/plain"),), b"Invalid host header")
    found, _ = look(reach.the_endpoint_answers, fresh(), refused)
    assert (found.code, found.fix) == (
        "E-DOC-05",
        "allow shop.example: CATSHOP_ALLOWED_HOSTS=shop.example, or --issuer https://shop.example",
    )


def test_a_page_that_may_send_must_be_able_to_read() -> None:
    """Fetch §3.3: the session's id and the challenge are hidden unless they are exposed."""
    allowed = {
        "access_control_allow_origin": "*",
        "access_control_allow_headers": ", ".join(reach.SENT),
    }
    answers = said({}, 200, **allowed), said({}, 401, access_control_allow_origin="*")
    found, _ = look(reach.a_web_page_may_call, fresh(), *answers)
    assert found.code == "E-DOC-14"
    assert "mcp-session-id, www-authenticate" in found.told


def test_a_server_of_2025_03_26_is_found_by_its_origin_and_warned() -> None:
    """MCP 2025-03-26 basic/authorization: there was no document of the resource."""
    chart = guarded()
    found, _ = look(door.the_resource_is_the_url, chart, Reply(404), Reply(404), said(METADATA))
    assert (found.health, found.code) == (Health.WARN, "E-DOC-19")
    assert chart.server is not None
    assert look(authority.the_authority_is_its_issuer, chart)[0].health is Health.OK


def test_an_authorization_server_on_the_clients_own_machine_is_a_mistake() -> None:
    """RFC 9728 §3.3: behind a tunnel the server still believes that it is at localhost."""
    chart = guarded()
    chart.resource = Resource(URL, ("http://localhost:8000",))
    assert look(authority.the_authority_is_its_issuer, chart)[0].code == "E-DOC-16"


def test_documents_alone_are_a_way_in() -> None:
    """MCP 2026-07-28 basic/authorization/client-registration."""
    chart = guarded()
    chart.server = Server(ISSUER, None, f"{ISSUER}/token", reads_documents=True)
    assert look(authority.a_newcomer_can_register, chart)[0].health is Health.WAIVED
    assert look(authority.the_sign_in_page_opens, chart)[0].health is Health.WAIVED


def bound() -> Chart:
    """A token that is bound to a key is held."""
    chart = guarded()
    tokens = Tokens(ISSUER, URL, "cat", Secret("token"), token_type="DPoP")
    held = Held(tokens, SigningKey.generate())
    chart.memory = Memory(held={(ISSUER, URL): held})
    return chart


def test_a_bound_token_is_shown_with_a_proof_and_with_the_nonce_that_is_asked_for() -> None:
    """RFC 9449 §4.2, §9: a proof is good for one request."""
    challenge = 'DPoP error="use_dpop_nonce"'
    first = said({}, 401, dpop_nonce="n1", www_authenticate=challenge)
    found, asked = look(talk.the_token_opens, bound(), first, said({}, 200, dpop_nonce="n2"))
    assert found.health is Health.OK
    assert asked[0].headers["Authorization"] == "DPoP token"
    assert asked[0].headers["DPoP"] != asked[1].headers["DPoP"]


def result(**members: object) -> Reply:
    """A result in a stream."""
    message = {"jsonrpc": "2.0", "id": 1, "result": members}
    data = f"event: message\ndata: {json.dumps(message)}\n\n".encode()
    return Reply(200, (("content-type", "text/event-stream"),), data)


def test_an_answer_may_come_in_a_stream() -> None:
    """MCP 2026-07-28 basic/transports/streamable-http §sending-messages."""
    about = result(supportedVersions=["2026-07-28"], capabilities={"tools": {}})
    chart = fresh()
    found, _ = look(talk.a_conversation_begins, chart, about)
    assert (found.health, found.told) == (Health.OK, "2026-07-28")
    assert look(talk.an_old_session_is_unknown, chart)[0].health is Health.WAIVED


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(lambda: Reply(401), "E-SERVER-06", id="refused"),
        pytest.param(lambda: Reply(500), "E-DOC-11", id="broken"),
        pytest.param(
            lambda: said(
                {"jsonrpc": "2.0", "id": 1, "error": {"code": -32020, "message": "no"}}, 400
            ),
            "E-DOC-27",
            id="an-error-of-its-era",
        ),
        pytest.param(lambda: Reply(200, (), b"{"), "E-SERVER-03", id="no-json"),
    ],
)
def test_a_conversation_that_does_not_begin_is_told_why(
    answer: Callable[[], Reply], code: str
) -> None:
    """MCP 2026-07-28 basic/versioning."""
    assert look(talk.a_conversation_begins, fresh(), answer())[0].code == code

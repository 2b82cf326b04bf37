"""The doctor among people who mean no good: nothing is obeyed that a server only says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import anyio
import pytest
from anyio.abc import ByteStream
from anyio.streams.tls import TLSListener

from catshop.client.doctor.authority import taken_back
from catshop.client.doctor.chart import Chart
from catshop.client.doctor.ladder import climb, drive, enough
from catshop.client.doctor.talk import left
from catshop.client.oauth.memory import Memory
from catshop.client.oauth.sending import sending
from catshop.client.oauth.steps import Sources
from catshop.kernel import Trace, utc_now
from catshop.protocol.http1.messages import Answer, Request, json_answer
from catshop.protocol.http1.server import bind, port_of
from tests.client.doctor.ward import SESSION, Healthy, admitted, examine
from tests.oauth.world import certified


def fresh(url: str, memory: Memory | None = None) -> Chart:
    """An empty chart."""
    return Chart(url, Sources(utc_now, lambda: "r" * 43), memory or Memory())


class Watched(Healthy):
    """Notes what is deleted."""

    deleted: ClassVar[list[str]] = []

    def answer(self, request: Request, body: bytes) -> Answer:
        """204 to whoever deletes."""
        if request.head.method != "DELETE":
            return super().answer(request, body)
        session = request.fields.get("mcp-session-id") or ""
        self.deleted.append(f"{request.head.path} {session}".strip())
        return Answer(204)


class Managed(Watched):
    """A registration can be removed here. RFC 7592 §2.3."""

    place = ""

    def register(self, asked: Mapping[str, Any]) -> Answer:
        """With the address of the registration."""
        where = (self.place or self.base) + "/register/cat"
        managed = {"registration_client_uri": where, "registration_access_token": "key"}
        return json_answer(201, {**asked, **managed, "client_id": "cat"})


class Elsewhere(Managed):
    """Would have something of somebody else's deleted."""

    place = "http://127.0.0.1:1"


async def climbed(patient: Healthy) -> str:
    """The whole ladder and the way out; what is said to stay behind."""
    async with sending(Trace(), enough) as send:
        chart = fresh(patient.url, patient.memory())
        await climb(chart, send, lambda _rung: None)
        await drive(left(chart), send)
        return await drive(taken_back(chart), send)


async def test_what_was_begun_is_ended() -> None:
    """RFC 7592 §2.3; MCP 2025-11-25 basic/transports §session-management."""
    Watched.deleted.clear()
    async with admitted(Managed) as patient:
        assert await climbed(patient) == ""
    assert Watched.deleted == [f"/mcp {SESSION}", "/register/cat"]


async def test_nothing_is_deleted_elsewhere_because_a_server_says_so() -> None:
    """RFC 7592 §3: the address of a registration is the authorization server's own."""
    async with admitted(Elsewhere) as patient:
        assert "the server keeps the client cat" in await climbed(patient)


class Painter(Healthy):
    """Writes to the terminal. RFC 9110 §5.5 keeps controls out of fields, and not out of bodies."""

    def mcp(self, request: Request, body: bytes) -> Answer:
        """A failure in colour."""
        return Answer(500, (), b"\x1b]0;owned\x07\x1b[2Jnothing here\nfix: rm -rf")


async def test_what_a_server_says_is_text_and_no_command_of_the_terminal() -> None:
    async with admitted(Painter) as patient:
        examined = await examine(patient.url)
    told = examined.words[0].finding.told
    assert told.isprintable()
    assert "nothing here" in told


class Riddler(Healthy):
    """Names an address that cannot be read."""

    def sign(self) -> str:
        """No closing bracket."""
        return "http://[::1/.well-known/oauth-protected-resource/mcp"


async def test_an_address_of_the_server_that_cannot_be_read_is_a_finding() -> None:
    async with admitted(Riddler) as patient:
        examined = await examine(patient.url)
    assert examined.words[0].finding.code == "E-DOC-01"


@pytest.mark.parametrize("url", ["http://[::1/mcp", "http://127.0.0.1:cat/mcp", "", "http://"])
async def test_an_address_of_the_user_that_cannot_be_read_is_a_finding(url: str) -> None:
    """RFC 9110 §4.2.1."""
    examined = await examine(url)
    assert [rung.finding.code for rung in examined.words] == ["E-DOC-01"]


@asynccontextmanager
async def encrypted(name: str) -> AsyncIterator[str]:
    """A server with a certificate of its own making."""
    (plain,) = await bind(("127.0.0.1",), 0)
    listener = TLSListener(plain, certified(name, by_itself=True))

    async def nothing(stream: ByteStream) -> None:
        await stream.aclose()

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, nothing)
        with anyio.fail_after(20):
            yield f"https://localhost:{port_of(plain)}/mcp"
        tasks.cancel_scope.cancel()


async def test_a_certificate_that_nobody_vouches_for_is_told() -> None:
    """OAuth 2.1 §1.5."""
    async with encrypted("localhost") as url:
        examined = await examine(url)
    assert [rung.finding.code for rung in examined.words] == ["E-DOC-03"]
    assert "self" in examined.words[0].finding.told


async def test_a_server_without_encryption_at_https_is_told() -> None:
    """OAuth 2.1 §1.5."""
    async with admitted(Healthy) as patient:
        examined = await examine(patient.url.replace("http:", "https:"))
    assert [rung.finding.code for rung in examined.words] == ["E-DOC-03"]

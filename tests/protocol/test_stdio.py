"""The pipe: one message a line, both eras, and a clean end."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.client import ConnectMode

from catshop.kernel import Trace
from catshop.limits import Limits, SessionLimits
from catshop.protocol.dispatcher import Dispatcher
from catshop.protocol.stdio import PipeServer
from tests.support.fixture_server import Fixture
from tests.support.hosting import ENVELOPE, OpenGate, principal

PROGRESS = {"_meta": {**ENVELOPE, "progressToken": "p"}}


class Pipe:
    """Both ends of a pipe to a server, in this process."""

    def __init__(
        self,
        lines: MemoryObjectSendStream[bytes],
        out: MemoryObjectReceiveStream[bytes],
        server: PipeServer,
    ) -> None:
        self._lines = lines
        self._out = out
        self.server = server

    async def say(self, message: object) -> None:
        """Send one message."""
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        await self._lines.send(text + b"\n")

    async def hear(self) -> Any:
        """The next message; every one is a whole line."""
        with anyio.fail_after(5):
            line = await self._out.receive()
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        return json.loads(line)

    async def ask(self, method: str, params: dict[str, Any] | None = None, id: object = 1) -> Any:  # noqa: A002 - the member's name
        """Send a request and take the next message as its answer."""
        message = {"jsonrpc": "2.0", "id": id, "method": method}
        await self.say(message if params is None else {**message, "params": params})
        return await self.hear()

    async def end(self) -> None:
        """Say no more."""
        await self._lines.aclose()


@asynccontextmanager
async def piped(fixture: Fixture, limits: Limits | None = None) -> AsyncIterator[Pipe]:
    """A pipe to a fixture server."""
    lines, read = anyio.create_memory_object_stream[bytes](100)
    write, out = anyio.create_memory_object_stream[bytes](100)
    async with (
        Dispatcher(fixture.build(), Trace()) as dispatcher,
        anyio.create_task_group() as tasks,
        lines,
        read,
        write,
        out,
    ):
        server = PipeServer(
            dispatcher, OpenGate(), principal("alice"), write.send, limits or Limits()
        )
        tasks.start_soon(server.serve, read)
        yield Pipe(lines, out, server)
        tasks.cancel_scope.cancel()


async def handshake(pipe: Pipe) -> Any:
    """Open the handshake era."""
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "t", "version": "1"},
    }
    result = await pipe.ask("initialize", params)
    await pipe.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
    return result


async def test_an_enveloped_request_needs_no_handshake() -> None:
    """MCP 2026-07-28 basic/transports/stdio §request-metadata."""
    async with piped(Fixture()) as pipe:
        answer = await pipe.ask("server/discover", {"_meta": ENVELOPE}, "d")
    assert (answer["id"], answer["result"]["resultType"]) == ("d", "complete")


async def test_any_other_request_needs_the_handshake_first() -> None:
    """MCP 2025-11-25 basic/lifecycle §initialization."""
    async with piped(Fixture()) as pipe:
        refused = await pipe.ask("tools/list")
        assert refused["error"]["data"]["code"] == "E-SES-04"
        assert (await handshake(pipe))["result"]["protocolVersion"] == "2025-11-25"
        assert "resultType" not in (await pipe.ask("tools/list"))["result"]
        again = await pipe.ask("initialize", {})
    assert again["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(b"nope", -32700, id="A004-7-not-json"),
        pytest.param(b'{"jsonrpc":"2.0"}', -32600, id="A004-7-no-message"),
        pytest.param(b"[]", -32600, id="batch"),
    ],
)
async def test_what_is_no_message_is_refused_and_the_pipe_goes_on(line: bytes, code: int) -> None:
    """JSON-RPC 2.0 §5.1."""
    async with piped(Fixture()) as pipe:
        await pipe.say(line)
        assert (await pipe.hear())["error"]["code"] == code
        assert "result" in await pipe.ask("server/discover", {"_meta": ENVELOPE})


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"_meta": {**ENVELOPE}}, -32601, id="unknown-method"),
        pytest.param(
            {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}, -32602, id="K8"
        ),
        pytest.param(
            {"_meta": {**ENVELOPE, "io.modelcontextprotocol/protocolVersion": "v9"}},
            -32022,
            id="K2",
        ),
    ],
)
async def test_the_rungs_that_need_no_fields_hold_on_a_pipe_too(
    params: dict[str, Any], code: int
) -> None:
    """MCP 2026-07-28 basic/versioning."""
    async with piped(Fixture()) as pipe:
        assert (await pipe.ask("unknown/method", params))["error"]["code"] == code


async def test_a_notification_is_never_answered() -> None:
    """A004-7. JSON-RPC 2.0 §4.1."""
    async with piped(Fixture()) as pipe:
        await pipe.say({"jsonrpc": "2.0", "method": "unknown/notification"})
        assert (await pipe.ask("server/discover", {"_meta": ENVELOPE}, "after"))["id"] == "after"


async def test_requests_run_beside_each_other_and_one_can_be_cancelled() -> None:
    """MCP 2026-07-28 basic/transports/stdio §cancellation: no message follows for it."""
    fixture = Fixture()
    async with piped(fixture) as pipe:
        wait = {"name": "wait", "arguments": {}, "_meta": ENVELOPE}
        await pipe.say({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": wait})
        with anyio.fail_after(5):
            await fixture.entered.wait()
        echo = {"name": "echo", "arguments": {"text": "b"}, "_meta": ENVELOPE}
        assert (await pipe.ask("tools/call", echo, 2))["id"] == 2
        cancel = {"requestId": 1}
        await pipe.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel})
        with anyio.fail_after(5):
            await fixture.cancelled.wait()
        assert (await pipe.ask("tools/call", echo, 3))["id"] == 3


async def test_progress_comes_before_the_response() -> None:
    """MCP 2026-07-28 basic/transports/stdio §receiving-messages."""
    async with piped(Fixture()) as pipe:
        call = {"name": "progress", "arguments": {}, **PROGRESS}
        await pipe.say({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})
        heard = [await pipe.hear() for _ in range(4)]
    assert [m.get("params", {}).get("progress") for m in heard] == [1, 2, 3, None]


async def test_a_server_asks_on_the_pipe_and_hears_the_answer() -> None:
    """MCP 2025-11-25 client/elicitation."""
    async with piped(Fixture()) as pipe:
        await handshake(pipe)
        question = await pipe.ask("tools/call", {"name": "ask", "arguments": {}}, 5)
        assert question["method"] == "elicitation/create"
        result = {"action": "accept", "content": {}}
        await pipe.say({"jsonrpc": "2.0", "id": question["id"], "result": result})
        assert (await pipe.hear())["result"]["content"][0]["text"] == "accept"


async def test_the_end_of_the_input_lets_calls_finish() -> None:
    """MCP 2026-07-28 basic/transports/stdio §shutdown."""
    fixture = Fixture()
    async with piped(fixture) as pipe:
        wait = {"name": "wait", "arguments": {}, "_meta": ENVELOPE}
        await pipe.say({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": wait})
        with anyio.fail_after(5):
            await fixture.entered.wait()
        await pipe.end()
        fixture.release.set()
        assert (await pipe.hear())["id"] == 1


async def test_a_ping_is_answered_before_the_handshake() -> None:
    """MCP 2025-11-25 basic/lifecycle §initialization."""
    async with piped(Fixture()) as pipe:
        assert (await pipe.ask("ping"))["result"] == {}


@pytest.mark.parametrize("cancelled", [True, False, 1.0, "1", [1], None, {}])
async def test_only_the_id_of_a_request_cancels_it(cancelled: object) -> None:
    """MCP 2025-11-25 basic/utilities/cancellation §behavior-requirements: true is not 1."""
    fixture = Fixture()
    async with piped(fixture) as pipe:
        wait = {"name": "wait", "arguments": {}, "_meta": ENVELOPE}
        await pipe.say({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": wait})
        with anyio.fail_after(5):
            await fixture.entered.wait()
        params = {"requestId": cancelled}
        await pipe.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        fixture.release.set()
        assert (await pipe.hear())["id"] == 1


async def test_an_unanswered_question_is_told_apart_from_a_fault() -> None:
    """MCP 2025-11-25 basic/lifecycle §timeouts."""
    limits = Limits(session=replace(SessionLimits(), answer_seconds=0.02))
    async with piped(Fixture(), limits) as pipe:
        await handshake(pipe)
        await pipe.ask("tools/call", {"name": "ask", "arguments": {}}, 5)
        assert (await pipe.hear())["error"]["data"]["code"] == "E-RPC-32"


# --- The real program ---


def command(folder: Path, *more: str) -> list[str]:
    """`catshop stdio` on a database of this test's own."""
    database = str(folder / "catshop.db")
    return [sys.executable, "-m", "catshop", "stdio", "--database", database, *more]


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_the_sdk_client_shops_on_a_pipe(tmp_path: Path, mode: ConnectMode) -> None:
    """Identity comes from the environment. MCP 2026-07-28 basic §auth."""
    add = [sys.executable, "-m", "catshop", "user", "add", "alice", "--password-stdin"]
    database = ["--database", str(tmp_path / "catshop.db")]
    await anyio.run_process([*add, *database], input=b"whiskers and string\n")
    program, *arguments = command(tmp_path)
    server = StdioServerParameters(
        command=program, args=arguments, env={**os.environ, "CATSHOP_USER": "alice"}
    )
    async with Client(server, mode=mode) as client:
        await client.call_tool("add_to_cart", {"product_id": 2})
        cart = await client.call_tool("view_cart", {})
    assert cart.structured_content is not None
    assert cart.structured_content["item_count"] == 1


def test_nothing_but_messages_is_on_stdout_and_the_end_is_clean(tmp_path: Path) -> None:
    """MCP 2026-07-28 basic/transports/stdio §shutdown."""
    discover = {"jsonrpc": "2.0", "id": 1, "method": "server/discover"}
    line = json.dumps({**discover, "params": {"_meta": ENVELOPE}}) + "\n"
    done = subprocess.run(
        command(tmp_path), input=line, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(message)["id"] for message in done.stdout.splitlines()] == [1]


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    """MCP 2025-11-25 basic/lifecycle §shutdown."""
    with subprocess.Popen(
        command(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        discover = {"jsonrpc": "2.0", "id": 1, "method": "server/discover"}
        process.stdin.write(json.dumps({**discover, "params": {"_meta": ENVELOPE}}) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        params = {"_meta": ENVELOPE, "notifications": {"resourcesListChanged": True}}
        listen = {**discover, "id": 2, "method": "subscriptions/listen", "params": params}
        process.stdin.write(json.dumps(listen) + "\n")
        process.stdin.flush()
        assert "acknowledged" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        ended, cancelled = [json.loads(line) for line in process.stdout]
        assert (ended["id"], "result" in ended) == (2, True)
        assert cancelled["params"]["requestId"] == 2
        assert process.wait(timeout=30) == 0


def piped_through(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """What the program says to this input."""
    return subprocess.run(
        command(folder), input=text, capture_output=True, text=True, timeout=60, check=False
    )


def discover(id_: int) -> str:
    """A request on a line of its own."""
    params = {"_meta": ENVELOPE}
    message = {"jsonrpc": "2.0", "id": id_, "method": "server/discover", "params": params}
    return json.dumps(message) + "\n"


def test_requests_that_are_merely_fast_are_all_answered(tmp_path: Path) -> None:
    """A pipe waits; nobody has to be refused because a thousand lines came at once."""
    done = piped_through(tmp_path, "".join(map(discover, range(1_200))))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(answer["id"] for answer in answers) == list(range(1_200))
    assert all("result" in answer for answer in answers)


def test_of_a_line_that_is_too_long_nothing_is_executed(tmp_path: Path) -> None:
    """A message at the end of it is no message; the next line is one."""
    overlong = "x" * (5 * 1024 * 1024) + discover(1)
    done = piped_through(tmp_path, overlong + discover(2))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer.get("id") for answer in answers] == [None, 2]


def test_a_client_that_reads_no_more_ends_the_conversation(tmp_path: Path) -> None:
    """Without a stack on stderr: that a client has gone is no fault."""
    with subprocess.Popen(
        command(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(discover(1))
        process.stdin.flush()
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_without_an_input_or_an_output_there_is_no_conversation(
    tmp_path: Path, closed: str
) -> None:
    """It ends at once, and not with a stack."""
    line = f"{shlex.join(command(tmp_path))} {closed}"
    done = subprocess.run(
        ["/bin/sh", "-c", line], input="", capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

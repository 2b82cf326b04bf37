"""The tasks extension on a real socket, with rows in a real database."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestedSchema,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)

from catshop.kernel import Trace, utc_now
from catshop.limits import StorageLimits, TaskLimits
from catshop.protocol.tasks import TASKS, Tasks, TaskSupport
from catshop.storage.migrate import migrate
from catshop.storage.protocol.tasks import SqlTasks
from catshop.storage.sqlite import SqliteDatabase
from tests.support.fixture_server import said
from tests.support.hosting import ENVELOPE, Hosting, hosting

Context = ServerRequestContext[Any, Any]
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
KNOWS = {**ENVELOPE, CAPABILITIES: {"extensions": {TASKS: {}}, "elicitation": {}}}
TERMINAL = {"completed", "failed", "cancelled"}
SCHEMA: ElicitRequestedSchema = {"type": "object", "properties": {"name": {"type": "string"}}}
ALICE_ACCEPTS = {"action": "accept", "content": {"name": "Alice"}}
LIMITS = TaskLimits(poll_milliseconds=20, beat_seconds=0.05)


@dataclass
class Jobs:
    """A server whose tools are jobs, and the events by which a test moves them."""

    release: anyio.Event = field(default_factory=anyio.Event)
    entered: anyio.Event = field(default_factory=anyio.Event)
    stopped: anyio.Event = field(default_factory=anyio.Event)

    def build(self) -> Server[Any]:
        return Server("jobs", version="1", on_call_tool=self.call_tool)

    async def call_tool(
        self, ctx: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        tool = getattr(self, params.name)
        result: CallToolResult | InputRequiredResult = await tool(ctx, params)
        return result

    async def greet(self, ctx: Context, _params: CallToolRequestParams) -> CallToolResult:
        return said(f"Hello, {ctx.request.principal.subject if ctx.request else None}!")

    quick = must = greet

    async def slow(self, ctx: Context, _params: CallToolRequestParams) -> CallToolResult:
        """Report progress, wait to be released, and say when that was given up."""
        await ctx.session.report_progress(1, 3, "one of three")
        self.entered.set()
        try:
            await self.release.wait()
        finally:
            self.stopped.set()
        return said("released")

    async def stubborn(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        """Answer although it was cancelled."""
        try:
            return await self.slow(ctx, params)
        except anyio.get_cancelled_exc_class():
            return said("finished all the same")

    async def unhappy(self, _ctx: Context, _params: CallToolRequestParams) -> CallToolResult:
        return replace_error(said("out of cats"))

    async def broken(self, _ctx: Context, _params: CallToolRequestParams) -> CallToolResult:
        raise MCPError(-31000, "no cats today")

    async def asks(self, ctx: Context, _params: CallToolRequestParams) -> CallToolResult:
        """Ask in the handshake era's way."""
        answer = await ctx.session.elicit_form("Who?", SCHEMA, related_request_id=ctx.request_id)
        return said(f"{answer.action} {(answer.content or {}).get('name')}")

    async def asks_two(self, ctx: Context, _params: CallToolRequestParams) -> CallToolResult:
        """Ask two things at once."""
        names: list[object] = []

        async def ask() -> None:
            answer = await ctx.session.elicit_form("Who?", SCHEMA, ctx.request_id)
            names.append((answer.content or {}).get("name"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
        return said(f"{sorted(map(str, names))}")

    async def gives_up(self, ctx: Context, _params: CallToolRequestParams) -> CallToolResult:
        """Ask, and stop waiting for the answer."""
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                await ctx.session.elicit_form("Who?", SCHEMA, ctx.request_id)

            tasks.start_soon(ask)
            await self.entered.wait()
            tasks.cancel_scope.cancel()
        await self.release.wait()
        return said("went on alone")

    async def rounds(
        self, _ctx: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        """Ask in the stateless era's way: twice under one key, remembering in between."""
        answer = (params.input_responses or {}).get("who")
        if not isinstance(answer, ElicitResult):
            return wants_name("first")
        name = str((answer.content or {}).get("name"))
        if params.request_state == "first":
            return wants_name(name)
        return said(f"{params.request_state} and {name}")

    async def retries(
        self, _ctx: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        """Ask for nothing but another call."""
        if params.request_state is None:
            return InputRequiredResult(request_state="later")
        return said(params.request_state)

    before = rounds


def wants_name(state: str) -> InputRequiredResult:
    question = ElicitRequestFormParams(message="Who?", requested_schema=SCHEMA)
    return InputRequiredResult(
        input_requests={"who": ElicitRequest(params=question)}, request_state=state
    )


def replace_error(result: CallToolResult) -> CallToolResult:
    return result.model_copy(update={"is_error": True})


def support(params: CallToolRequestParams) -> TaskSupport:
    """What the author of these tools says of each call."""
    if params.name == "quick" or (params.name == "before" and not params.input_responses):
        return TaskSupport.FORBIDDEN
    return TaskSupport.REQUIRED if params.name == "must" else TaskSupport.OPTIONAL


@dataclass
class Client:
    """Somebody who calls the jobs."""

    host: Hosting
    engine: SqliteDatabase
    user: str = "alice"
    meta: dict[str, Any] = field(default_factory=lambda: KNOWS)

    async def rpc(self, method: str, params: dict[str, Any], **headers: str) -> httpx2.Response:
        fields = {"Authorization": f"Bearer {self.user}", **headers}
        if "taskId" in params:
            fields = {"Mcp-Name": params["taskId"], **fields}
        return await self.host.modern(method, {"_meta": self.meta, **params}, **fields)

    async def call(self, name: str, **params: Any) -> dict[str, Any]:
        response = await self.rpc("tools/call", {"name": name, **params})
        result: dict[str, Any] = response.json()["result"]
        return result

    async def begin(self, name: str) -> str:
        created = await self.call(name)
        assert created["resultType"] == "task"
        return str(created["taskId"])

    async def get(self, task: str) -> dict[str, Any]:
        result: dict[str, Any] = (await self.rpc("tasks/get", {"taskId": task})).json()["result"]
        assert result["resultType"] == "complete"
        return result

    async def answer(self, task: str, answers: dict[str, Any]) -> httpx2.Response:
        return await self.rpc("tasks/update", {"taskId": task, "inputResponses": answers})

    async def until(self, task: str, *statuses: str) -> dict[str, Any]:
        """Poll until the task has one of these statuses."""
        with anyio.fail_after(5):
            while (found := await self.get(task))["status"] not in statuses:
                pass
        return found

    async def until_asked(self, task: str, count: int, last: str = "") -> list[str]:
        """Poll until the task asks so many things, `last` the last of them; their keys."""
        with anyio.fail_after(5):
            while True:
                keys = list((await self.get(task)).get("inputRequests", {}))
                if len(keys) == count and keys[-1].endswith(last):
                    return keys


@asynccontextmanager
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    engine = SqliteDatabase.open(path, StorageLimits(), Trace())
    try:
        await migrate(engine, utc_now())
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def hosted(
    path: Path, jobs: Jobs | None = None, limits: TaskLimits = LIMITS, late: timedelta = timedelta()
) -> AsyncIterator[Client]:
    """The jobs behind our transport; its clock is `late` ahead."""

    def clock() -> datetime:
        return utc_now() + late

    async with database(path / "shop.db") as engine:
        server = (jobs or Jobs()).build()
        feature = Tasks(
            SqlTasks(engine),
            support,
            limits=limits,
            clock=clock,
            new_id=lambda: secrets.token_hex(8),
            trace=Trace(),
        )
        feature.install(server)
        async with hosting(server) as host:
            yield Client(host, engine)


def code(response: httpx2.Response) -> tuple[int, int]:
    return response.status_code, response.json()["error"]["code"]


def text(task: dict[str, Any]) -> str:
    return str(task["result"]["content"][0]["text"])


async def test_discover_names_the_extension_and_no_old_tasks_capability(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §extension-identifier."""
    async with hosted(tmp_path) as client:
        found = (await client.rpc("server/discover", {})).json()["result"]["capabilities"]
    assert found["extensions"][TASKS] == {}
    assert "tasks" not in found


async def test_a_call_is_answered_with_a_flat_task_that_resolves_at_once(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-creation, §polymorphic-results."""
    jobs = Jobs()
    async with hosted(tmp_path, jobs) as client:
        created = await client.call("slow")
        assert {key for key in created if key != "_meta"} == {
            *("resultType", "taskId", "status", "createdAt", "lastUpdatedAt", "ttlMs"),
            "pollIntervalMs",
        }
        assert (created["resultType"], created["status"]) == ("task", "working")
        found = await client.get(created["taskId"])
        assert (found["status"], found["createdAt"]) == ("working", created["createdAt"])
        jobs.release.set()
        done = await client.until(created["taskId"], *TERMINAL)
    assert (done["status"], text(done)) == ("completed", "released")
    assert done["lastUpdatedAt"] >= done["createdAt"]


async def test_the_handler_knows_who_called(tmp_path: Path) -> None:
    async with hosted(tmp_path) as client:
        done = await client.until(await client.begin("greet"), *TERMINAL)
    assert text(done) == "Hello, alice!"


async def test_progress_becomes_the_message_of_the_task(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-status-notifications: no stream, no notifications."""
    jobs = Jobs()
    async with hosted(tmp_path, jobs) as client:
        task = await client.begin("slow")
        await jobs.entered.wait()
        assert (await client.get(task))["statusMessage"] == "one of three"


@pytest.mark.parametrize("name", ["quick", "greet"])
async def test_a_client_that_does_not_know_tasks_gets_its_result(tmp_path: Path, name: str) -> None:
    """MCP 2026-07-28 extensions/tasks §capability-negotiation."""
    async with hosted(tmp_path) as client:
        client.meta = ENVELOPE
        assert (await client.call(name))["content"][0]["text"] == "Hello, alice!"


async def test_a_call_that_must_not_become_a_task_gets_its_result(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §capability-negotiation: the server decides."""
    async with hosted(tmp_path) as client:
        done = await client.call("quick", task={"ttl": 60000})
    assert (done["resultType"], done["content"][0]["text"]) == ("complete", "Hello, alice!")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "must"}),
        ("tasks/get", {"taskId": "unknown"}),
        ("tasks/update", {"taskId": "unknown", "inputResponses": {}}),
        ("tasks/cancel", {"taskId": "unknown"}),
    ],
)
async def test_the_capability_is_checked_on_every_request_and_before_the_task_is_looked_up(
    tmp_path: Path, method: str, params: dict[str, Any]
) -> None:
    """MCP 2026-07-28 extensions/tasks §capability-negotiation, §protocol-errors."""
    async with hosted(tmp_path) as client:
        await client.begin("greet")
        client.meta = ENVELOPE
        refused = await client.rpc(method, params)
    assert code(refused) == (400, -32021)
    required = refused.json()["error"]["data"]["requiredCapabilities"]
    assert required == {"extensions": {TASKS: {}}}


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
@pytest.mark.parametrize("whose", ["unknown", "of bob"])
async def test_an_unknown_task_and_the_task_of_somebody_else_are_refused_alike(
    tmp_path: Path, method: str, whose: str
) -> None:
    """MCP 2026-07-28 extensions/tasks §protocol-errors."""
    async with hosted(tmp_path) as client:
        bob = replace(client, user="bob")
        theirs = await bob.begin("slow")
        task = theirs if whose == "of bob" else "unknown"
        refused = await client.rpc(method, {"taskId": task, "inputResponses": {}})
        assert (await bob.get(theirs))["status"] == "working"
    assert code(refused) == (400, -32602)
    assert refused.json()["error"]["data"]["arrived"] == repr(task)


@pytest.mark.parametrize("method", ["tasks/result", "tasks/list"])
async def test_the_methods_of_the_old_tasks_do_not_exist(tmp_path: Path, method: str) -> None:
    """MCP 2026-07-28 extensions/tasks §supported-methods."""
    async with hosted(tmp_path) as client:
        assert code(await client.rpc(method, {"taskId": "t"})) == (404, -32601)


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
@pytest.mark.parametrize("headers", [{"Mcp-Name": "other"}, {"Mcp-Method": "tools/call"}])
async def test_the_task_id_and_the_method_are_mirrored(
    tmp_path: Path, method: str, headers: dict[str, str]
) -> None:
    """MCP 2026-07-28 extensions/tasks §streamable-http-routing-headers."""
    async with hosted(tmp_path) as client:
        params = {"taskId": "t", "inputResponses": {}}
        assert code(await client.rpc(method, params, **headers)) == (400, -32020)


async def test_the_handshake_era_has_no_tasks(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §capability-negotiation: its clients declare nothing."""
    async with hosted(tmp_path) as client:
        session = await client.host.open()
        called = await client.host.call(session, "tools/call", {"name": "greet"})
        assert called.json()["result"]["content"][0]["text"] == "Hello, alice!"
        refused = await client.host.call(session, "tasks/get", {"taskId": "t"})
        assert refused.json()["error"]["code"] == -32601


async def test_a_result_that_says_that_it_is_an_error_completes_its_task(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-execution-errors."""
    async with hosted(tmp_path) as client:
        done = await client.until(await client.begin("unhappy"), *TERMINAL)
    assert (done["status"], done["result"]["isError"], text(done)) == (
        "completed",
        True,
        "out of cats",
    )


async def test_an_error_fails_its_task(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-execution-errors."""
    async with hosted(tmp_path) as client:
        done = await client.until(await client.begin("broken"), *TERMINAL)
    assert (done["status"], done["statusMessage"]) == ("failed", "no cats today")
    assert done["error"]["code"] == -31000
    assert "result" not in done


async def test_what_the_handler_asks_is_answered_through_the_task(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-update-requests."""
    async with hosted(tmp_path) as client:
        task = await client.begin("asks")
        waiting = await client.until(task, "input_required")
        [(key, question)] = waiting["inputRequests"].items()
        assert question["method"] == "elicitation/create"
        assert question["params"]["message"] == "Who?"
        assert "requestState" not in waiting
        ack = (await client.answer(task, {key: ALICE_ACCEPTS})).json()["result"]
        assert {name for name in ack if name != "_meta"} == {"resultType"}
        done = await client.until(task, *TERMINAL)
    assert text(done) == "accept Alice"
    assert "inputRequests" not in done


@pytest.mark.parametrize("name", ["asks", "rounds"])
async def test_a_client_is_asked_only_for_what_it_declared(tmp_path: Path, name: str) -> None:
    """MCP 2026-07-28 basic §error-codes: the task fails, and says what is missing."""
    async with hosted(tmp_path) as client:
        client.meta = {**ENVELOPE, CAPABILITIES: {"extensions": {TASKS: {}}}}
        failed = await client.until(await client.begin(name), *TERMINAL)
    assert (failed["status"], failed["error"]["code"]) == ("failed", -32021)
    assert "elicitation" in failed["error"]["data"]["requiredCapabilities"]


async def test_a_partial_answer_leaves_the_rest_to_be_answered(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-update-requests."""
    async with hosted(tmp_path) as client:
        task = await client.begin("asks_two")
        first, second = await client.until_asked(task, 2)
        await client.answer(task, {first: ALICE_ACCEPTS, "never asked": ALICE_ACCEPTS})
        waiting = await client.get(task)
        assert (waiting["status"], list(waiting["inputRequests"])) == ("input_required", [second])
        again = {"action": "accept", "content": {"name": "Mallory"}}
        await client.answer(task, {first: again, second: again})
        done = await client.until(task, *TERMINAL)
    assert text(done) == "['Alice', 'Mallory']"


async def test_a_malformed_answer_is_refused_and_its_question_stays_open(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-update-requests."""
    async with hosted(tmp_path) as client:
        task = await client.begin("asks")
        [key] = (await client.until(task, "input_required"))["inputRequests"]
        refused = await client.answer(task, {key: {"action": "perhaps"}})
        assert code(refused) == (400, -32602)
        assert key in (await client.get(task))["inputRequests"]


async def test_a_question_that_nobody_waits_for_any_more_is_withdrawn(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-update-requests: superseded."""
    jobs = Jobs()
    async with hosted(tmp_path, jobs) as client:
        task = await client.begin("gives_up")
        [key] = (await client.until(task, "input_required"))["inputRequests"]
        jobs.entered.set()
        await client.until(task, "working")
        assert (await client.answer(task, {key: ALICE_ACCEPTS})).status_code == 200
        jobs.release.set()
        assert text(await client.until(task, *TERMINAL)) == "went on alone"


async def test_a_handler_that_asks_in_rounds_is_asked_again_under_keys_never_used_before(
    tmp_path: Path,
) -> None:
    """MCP 2026-07-28 extensions/tasks §task-update-requests, and what it keeps in between."""
    async with hosted(tmp_path) as client:
        task = await client.begin("rounds")
        assert await client.until_asked(task, 1) == ["who"]
        await client.answer(task, {"who": ALICE_ACCEPTS})
        assert await client.until_asked(task, 1, last="2") == ["who-2"]
        await client.answer(task, {"who-2": {"action": "accept", "content": {"name": "Bob"}}})
        done = await client.until(task, *TERMINAL)
    assert text(done) == "Alice and Bob"


async def test_a_handler_that_only_wants_to_be_called_again_is(tmp_path: Path) -> None:
    """MCP 2026-07-28 basic/patterns/mrtr: a result may have a state and no questions."""
    async with hosted(tmp_path) as client:
        done = await client.until(await client.begin("retries"), *TERMINAL)
    assert text(done) == "later"


async def test_what_is_asked_before_the_task_is_asked_of_the_call(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-creation: first the round trips, then the task."""
    async with hosted(tmp_path) as client:
        asked = await client.call("before")
        assert asked["resultType"] == "input_required"
        assert "taskId" not in asked
        state, answers = asked["requestState"], {"who": ALICE_ACCEPTS}
        created = await client.call("before", inputResponses=answers, requestState=state)
        assert created["resultType"] == "task"
        task = created["taskId"]
        await client.until_asked(task, 1)
        await client.answer(task, {"who": {"action": "accept", "content": {"name": "Bob"}}})
        done = await client.until(task, *TERMINAL)
    assert text(done) == "Alice and Bob"


async def test_a_cancelled_task_stops_its_handler_and_stays_cancelled(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-cancellation."""
    jobs = Jobs()
    async with hosted(tmp_path, jobs) as client:
        task = await client.begin("slow")
        await jobs.entered.wait()
        ack = (await client.rpc("tasks/cancel", {"taskId": task})).json()["result"]
        assert {name for name in ack if name != "_meta"} == {"resultType"}
        with anyio.fail_after(1):
            await jobs.stopped.wait()
        assert (await client.get(task))["status"] == "cancelled"
        again = await client.rpc("tasks/cancel", {"taskId": task})
        assert (again.status_code, (await client.get(task))["status"]) == (200, "cancelled")


async def test_a_handler_that_answers_after_its_cancellation_changes_nothing(
    tmp_path: Path,
) -> None:
    """MCP 2026-07-28 extensions/tasks §task-status: terminal is terminal."""
    jobs = Jobs()
    async with hosted(tmp_path, jobs) as client:
        task = await client.begin("stubborn")
        await jobs.entered.wait()
        await client.rpc("tasks/cancel", {"taskId": task})
        await jobs.stopped.wait()
        assert (await client.get(task))["status"] == "cancelled"


async def test_a_task_that_waits_for_input_can_be_cancelled(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-cancellation."""
    async with hosted(tmp_path) as client:
        task = await client.begin("asks")
        await client.until(task, "input_required")
        await client.rpc("tasks/cancel", {"taskId": task})
        found = await client.get(task)
    assert found["status"] == "cancelled"
    assert "inputRequests" not in found


async def test_one_client_may_have_only_so_many_live_tasks(tmp_path: Path) -> None:
    jobs = Jobs()
    async with hosted(tmp_path, jobs, replace(LIMITS, live=2)) as client:
        for _ in range(2):
            await client.begin("slow")
        refused = await client.rpc("tools/call", {"name": "slow"})
        assert code(refused) == (429, -31429)
        await replace(client, user="bob").begin("slow")


async def test_a_task_that_takes_longer_than_its_ttl_is_stopped_and_forgotten(
    tmp_path: Path,
) -> None:
    """MCP 2026-07-28 extensions/tasks §task-polling: the ttl is a backstop."""
    jobs = Jobs()
    async with hosted(tmp_path, jobs, replace(LIMITS, ttl_seconds=0.2)) as client:
        task = await client.begin("slow")
        with anyio.fail_after(5):
            await jobs.stopped.wait()
        assert code(await client.rpc("tasks/get", {"taskId": task})) == (400, -32602)


async def test_a_server_that_stops_says_that_its_tasks_have_failed(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-execution-errors."""
    jobs = Jobs()
    async with hosted(tmp_path, jobs) as client:
        task = await client.begin("slow")
        await jobs.entered.wait()
    assert jobs.stopped.is_set()
    async with hosted(tmp_path) as client:
        found = await client.get(task)
    assert (found["status"], found["error"]["data"]["code"]) == ("failed", "E-TASK-06")


async def test_a_result_outlives_the_server_that_found_it(tmp_path: Path) -> None:
    """MCP 2026-07-28 extensions/tasks §task-polling: after a restart, too."""
    async with hosted(tmp_path) as client:
        task = await client.begin("greet")
        await client.until(task, "completed")
    async with hosted(tmp_path) as client:
        assert text(await client.get(task)) == "Hello, alice!"


async def test_a_task_whose_process_was_killed_has_failed(tmp_path: Path) -> None:
    """Nobody beats for it; whoever looks after the lease finds that out."""
    jobs = Jobs()
    asleep = replace(LIMITS, beat_seconds=60)
    async with hosted(tmp_path, jobs, asleep) as client:
        task = await client.begin("slow")
        async with hosted(tmp_path) as soon:
            assert (await soon.get(task))["status"] == "working"
        async with hosted(tmp_path, late=timedelta(seconds=11)) as later:
            found = await later.get(task)
            assert (found["status"], found["error"]["data"]["code"]) == ("failed", "E-TASK-06")
        jobs.release.set()
        await jobs.stopped.wait()
        assert (await client.get(task))["status"] == "failed"


async def test_a_store_that_is_gone_costs_a_task_its_end_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be written down is told to the operator; the server goes on."""
    jobs = Jobs()
    async with hosted(tmp_path, jobs) as client:
        await client.begin("slow")
        await client.engine.close()
        with anyio.fail_after(5):
            while "nobody knows that 1 tasks run" not in caplog.text:
                await client.rpc("server/discover", {})
            jobs.release.set()
            while "the end of task" not in caplog.text:
                await client.rpc("server/discover", {})
        assert (await client.rpc("tools/call", {"name": "slow"})).status_code == 503


async def test_a_task_can_be_cancelled_through_another_process(tmp_path: Path) -> None:
    """Its handler is stopped with the next beat; an answer has to reach the right process."""
    jobs = Jobs()
    async with hosted(tmp_path, jobs) as client, hosted(tmp_path) as other:
        asking = await client.begin("asks")
        [key] = (await client.until(asking, "input_required"))["inputRequests"]
        assert (await other.answer(asking, {key: ALICE_ACCEPTS})).status_code == 503
        slow = await client.begin("slow")
        await other.rpc("tasks/cancel", {"taskId": slow})
        with anyio.fail_after(5):
            await jobs.stopped.wait()
        assert (await client.get(slow))["status"] == "cancelled"


def test_tasks_need_tools_to_call() -> None:
    class Unused(SqlTasks):
        def __init__(self) -> None:
            pass

    feature = Tasks(
        Unused(), support, limits=LIMITS, clock=utc_now, new_id=lambda: "t", trace=Trace()
    )
    with pytest.raises(ValueError, match="tools/call"):
        feature.install(Server("empty"))

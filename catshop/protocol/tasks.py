"""The tasks extension, as a feature that any low-level `Server` can switch on.

`Tasks(...).install(server)` wraps the server's `tools/call`: where the author's `support` allows it
and the client has said that it knows tasks, the call is answered at once with a task, and the same
handler goes on in the background, in a task group that lives as long as the server's own lifespan,
which is the dispatcher's. A task belongs to who made it: for everybody else there is none.
Next: `task_states.py`, `task_runs.py`. MCP 2026-07-28 extensions/tasks.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from enum import Enum
from functools import partial
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup
from mcp.server.context import HandlerResult
from mcp.server.lowlevel import Server
from mcp_types import CallToolRequestParams, RequestParams

from catshop.kernel import Call, Clock, Kind, Trace, Unavailable, Verdict
from catshop.limits import TaskLimits
from catshop.protocol.capabilities import MISSING_CAPABILITY
from catshop.protocol.dispatcher import error_object
from catshop.protocol.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    LIMIT_EXCEEDED,
    METHOD_NOT_FOUND,
    RpcError,
)
from catshop.protocol.ports import TaskStore
from catshop.protocol.results import Encoder
from catshop.protocol.task_runs import Context, Run, ToolHandler, check_answer
from catshop.protocol.task_states import (
    LIVE,
    Members,
    Owner,
    Task,
    answered,
    begin,
    cancelled,
    lapsed,
    members,
    raised,
    returned,
)
from catshop.protocol.versions import STATELESS

TASKS: Final = "io.modelcontextprotocol/tasks"
"""The extension's identifier. §extension-identifier."""

logger = logging.getLogger("catshop.mcp")


class TaskSupport(Enum):
    """Whether a call may become a task."""

    FORBIDDEN = "the call is always answered directly"
    OPTIONAL = "a task for a client that knows tasks, a direct answer for one that does not"
    REQUIRED = "a task, or a refusal"


class TaskParams(RequestParams):
    """What `tasks/get` and `tasks/cancel` take."""

    task_id: str


class UpdateParams(TaskParams):
    """What `tasks/update` takes."""

    input_responses: dict[str, dict[str, Any]]


class Tasks:
    """The feature. `support` is asked anew for each call, with its name, arguments and answers."""

    def __init__(
        self,
        store: TaskStore,
        support: Callable[[CallToolRequestParams], TaskSupport],
        *,
        limits: TaskLimits,
        clock: Clock,
        new_id: Callable[[], str],
        trace: Trace,
    ) -> None:
        self._store = store
        self._support = support
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._trace = trace
        self._runs: dict[str, Run] = {}

    def install(self, server: Server[Any]) -> None:
        """Switch the extension on. The server has its `tools/call` already; a server, once."""
        entry = server.get_request_handler("tools/call")
        if entry is None:
            raise ValueError("tasks are calls of tools: give the server its tools/call first")
        self._handler: ToolHandler = entry.handler
        self._encoder = Encoder(server)
        self._background: TaskGroup
        server.lifespan = self._around(server.lifespan)
        server.extensions[TASKS] = {}
        server.add_request_handler("tools/call", CallToolRequestParams, self._call)
        server.add_request_handler("tasks/get", TaskParams, self._get)
        server.add_request_handler("tasks/update", UpdateParams, self._update)
        server.add_request_handler("tasks/cancel", TaskParams, self._cancel)

    # --- What the client calls ---

    async def _call(self, ctx: Context, params: CallToolRequestParams) -> HandlerResult:
        """A task in place of the result, where author and client agree. §capability-negotiation."""
        support = self._support(params)
        if support is TaskSupport.FORBIDDEN:
            return await self._handler(ctx, params)
        if not declared(ctx):
            if support is TaskSupport.REQUIRED:
                raise self._missing_capability()
            return await self._handler(ctx, params)
        now, ttl = self._clock(), self._limits.ttl_seconds
        task = begin(self._new_id(), owner_of(ctx), now, ttl)
        if not await self._store.create(task, self._limits.live):
            raise RpcError(LIMIT_EXCEEDED, "E-TASK-02", arrived=f"{self._limits.live} live tasks")
        run = self._runs[task.id] = Run(task.id, self._store, self._limits, self._clock)
        self._background.start_soon(self._work, run, ctx, params)
        self._tell(task)
        return {"resultType": "task", **members(task, self._limits.poll_milliseconds)}

    async def _get(self, ctx: Context, params: TaskParams) -> HandlerResult:
        """How far the task is, and what it came to. §task-polling."""
        task = await self._find(ctx, params)
        return members(task, self._limits.poll_milliseconds)

    async def _update(self, ctx: Context, params: UpdateParams) -> HandlerResult:
        """Take answers; those that nobody waits for are ignored. §task-update-requests."""
        task = await self._find(ctx, params)
        sent = params.input_responses
        answers = {key: sent[key] for key in task.questions if key in sent}
        for key, answer in answers.items():
            check_answer(key, task.questions[key], answer)
        if not answers:
            return {}
        run = self._runs.get(task.id)
        if run is None:
            raise Unavailable("E-TASK-05", f"task {task.id} runs in another process")
        await self._move(task.id, partial(answered, keys=answers, now=self._clock()))
        run.deliver(answers)
        return {}

    async def _cancel(self, ctx: Context, params: TaskParams) -> HandlerResult:
        """End the task, and then stop its handler. A task that has ended stays. §task-cancellation.

        A handler in another process is stopped when that process next looks.
        """
        task = await self._find(ctx, params)
        await self._move(task.id, partial(cancelled, now=self._clock()))
        if run := self._runs.get(task.id):
            run.scope.cancel()
        return {}

    async def _find(self, ctx: Context, params: TaskParams) -> Task:
        """The caller's task: era, then capability, then lookup. §protocol-errors."""
        if ctx.protocol_version not in STATELESS:
            raise RpcError(METHOD_NOT_FOUND, "E-RPC-18", arrived=ctx.method)
        if not declared(ctx):
            raise self._missing_capability()
        now = self._clock()
        task = await self._store.find(owner_of(ctx), params.task_id, now)
        if task is None:
            raise RpcError(INVALID_PARAMS, "E-TASK-01", arrived=ascii(params.task_id)[:80])
        if lapsed(task, now, self._limits.lease_seconds):
            abandoned = partial(raised, error=interruption(), now=now)
            task = await self._move(task.id, abandoned) or task
        run = self._runs.get(task.id)
        said = run.message if run and task.status in LIVE else None
        return task if said is None else replace(task, message=said)

    def _missing_capability(self) -> RpcError:
        """The refusal of a client that has not said that it knows tasks."""
        self._trace.check("tasks.capability", Verdict.NO, expected=TASKS)
        required: dict[str, object] = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
        return RpcError(MISSING_CAPABILITY, "E-TASK-04", required=required)

    # --- What goes on in the background ---

    def _around(
        self, inner: Callable[[Server[Any]], AbstractAsyncContextManager[Any]]
    ) -> Callable[[Server[Any]], AbstractAsyncContextManager[Any]]:
        """The server's lifespan, with the handlers at work inside it."""

        @asynccontextmanager
        async def lifespan(server: Server[Any]) -> AsyncIterator[Any]:
            async with inner(server) as state, anyio.create_task_group() as background:
                self._background = background
                background.start_soon(self._beat)
                yield state
                background.cancel_scope.cancel()

        return lifespan

    async def _work(self, run: Run, ctx: Context, params: CallToolRequestParams) -> None:
        """Run one handler to its end, and write down how it ended, whatever ends it.

        A task that was cancelled has ended before its handler, so then nothing is written.
        """
        settle: Callable[[Task], Task | None] | None = None
        try:
            with run.scope, anyio.move_on_after(self._limits.ttl_seconds):
                settle = await self._attempt(run, ctx, params)
        finally:
            del self._runs[run.task_id]
            settle = settle or partial(raised, error=interruption(), now=self._clock())
            with anyio.move_on_after(self._limits.settle_seconds, shield=True):
                await self._settle(run.task_id, settle)

    async def _attempt(
        self, run: Run, ctx: Context, params: CallToolRequestParams
    ) -> Callable[[Task], Task | None]:
        """What the handler's result, or the error in its place, makes of the task."""
        try:
            result = await run.call(self._handler, ctx, params)
            shown = json.loads(self._encoder.encode(ctx.method, ctx.protocol_version, result))
            return partial(returned, result=shown, now=self._clock())
        except Exception as error:
            exchange = ctx.request.exchange if isinstance(ctx.request, Call) else ""
            return partial(raised, error=error_object(error, exchange), now=self._clock())

    async def _settle(self, task_id: str, move: Callable[[Task], Task | None]) -> None:
        """Write down how a task ended; what goes wrong here is that task's loss alone."""
        try:
            await self._move(task_id, move)
        except Exception:
            logger.exception("the end of task %s is lost", task_id)

    async def _beat(self) -> None:
        """Say which tasks run here, and stop those that somebody else has ended."""
        while True:
            await anyio.sleep(self._limits.beat_seconds)
            mine = dict(self._runs)
            if not mine:
                continue
            try:
                live = await self._store.beat(tuple(mine), self._clock())
            except Unavailable as error:
                logger.warning("nobody knows that %d tasks run: %s", len(mine), error.detail)
                continue
            for ended in mine.keys() - live:
                mine[ended].scope.cancel()

    async def _move(self, task_id: str, move: Callable[[Task], Task | None]) -> Task | None:
        task = await self._store.change(task_id, move)
        if task is not None:
            self._tell(task)
        return task

    def _tell(self, task: Task) -> None:
        if self._trace.observed:
            self._trace.note(Kind.STATE, "task", task=task.id, status=task.status.value)


def declared(ctx: Context) -> bool:
    """Whether this very request says that its client knows tasks. §capability-negotiation."""
    capabilities = ctx.session.client_capabilities
    known = (capabilities and capabilities.extensions) or {}
    return ctx.protocol_version in STATELESS and TASKS in known


def owner_of(ctx: Context) -> Owner:
    """Whose task the call makes: its principal's, or everybody's where the host knows none."""
    return ctx.request.principal.key if isinstance(ctx.request, Call) else ("", "", None)


def interruption() -> Members:
    """The error of a task whose handler was stopped or whose process is gone."""
    return error_object(RpcError(INTERNAL_ERROR, "E-TASK-06"), "")

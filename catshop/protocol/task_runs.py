"""A handler at work in the background: what it may say and ask while nobody waits on its call.

The handler's body is the same as without tasks. Its progress becomes the task's message. Whatever
it asks the client becomes `input_required`, be it asked in the handshake era's way (a request on
the session) or in the stateless one's (an `InputRequiredResult`, answered by a second call). Knows
no methods and no owners. Next: `tasks.py`. MCP 2026-07-28 extensions/tasks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import anyio
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp_types import CallToolRequestParams, ClientCapabilities, InputRequiredResult
from mcp_types import methods as surfaces
from pydantic import ValidationError

from catshop.kernel import Clock
from catshop.limits import TaskLimits
from catshop.protocol.capabilities import needed_for, require
from catshop.protocol.channels import BackChannel, ConnectionOutlet
from catshop.protocol.connections import EnvelopeConnection, HostedSession
from catshop.protocol.jsonrpc import INVALID_PARAMS, Params, Request, RpcError
from catshop.protocol.ladder import read_envelope
from catshop.protocol.ports import TaskStore
from catshop.protocol.task_states import Members, Task, answered, asked

Context = ServerRequestContext[Any, Any]
ToolHandler = Callable[[Context, CallToolRequestParams], Awaitable[HandlerResult]]

ANSWERS_OF: Final = "2025-11-25"
"""The last revision in which an answer is a result of its own; its members are still the same."""


@dataclass(eq=False)
class _Question:
    """What one key of `inputRequests` asks, until it is answered."""

    asked: Members
    answered: anyio.Event = field(default_factory=anyio.Event)
    answer: Params = field(default_factory=dict)


class Run(ConnectionOutlet):
    """One task's handler at work: its scope, its last words, and its open questions."""

    can_ask = True

    def __init__(self, task_id: str, store: TaskStore, limits: TaskLimits, clock: Clock) -> None:
        self.task_id = task_id
        self.scope = anyio.CancelScope()
        self.message: str | None = None
        self._store = store
        self._limits = limits
        self._clock = clock
        self._declared: ClientCapabilities | None = None
        self._open: dict[str, _Question] = {}
        self._keys: set[str] = set()

    async def call(
        self, handler: ToolHandler, ctx: Context, params: CallToolRequestParams
    ) -> HandlerResult:
        """The handler's final result, however many rounds of questions it takes."""
        ctx = self._context(ctx)
        while True:
            result = await handler(ctx, params)
            if not isinstance(result, InputRequiredResult):
                return result
            params = await self._another_round(result, params)

    async def emit(self, message: bytes) -> None:
        """Drop it: a task has no stream. §task-status-notifications."""

    def post(self, message: bytes) -> None:
        """Drop it, likewise."""

    async def ask(self, method: str, params: Params | None, seconds: float | None) -> Params:
        """Ask the client and wait for its answer. TimeoutError after `seconds`."""
        question = {"method": method, **({} if params is None else {"params": params})}
        with anyio.fail_after(seconds):
            [answer] = (await self._ask_all({"input": question})).values()
            return answer

    def deliver(self, answers: Mapping[str, Params]) -> None:
        """Hand each answer to whoever waits for it."""
        for key, answer in answers.items():
            question = self._open.get(key)
            if question is not None and not question.answered.is_set():
                question.answer = answer
                question.answered.set()

    def _context(self, ctx: Context) -> Context:
        """The request's context, with this run in place of its stream."""
        request = Request(self.task_id, ctx.method, ctx.params)
        connection = EnvelopeConnection(read_envelope(request), self)
        self._declared = connection.client_capabilities
        session = HostedSession(_Channel(request, self), connection, request_meta=ctx.meta)
        return replace(ctx, session=session, close_sse_stream=None)

    async def _another_round(
        self, result: InputRequiredResult, params: CallToolRequestParams
    ) -> CallToolRequestParams:
        """Ask what the handler wants to know, and call it as a client that retries would.

        One that wants nothing but to be called again waits as long as a client would.
        """
        wanted = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        questions = wanted.get("inputRequests") or {}
        answers = await self._ask_all(questions)
        if not questions:
            await anyio.sleep(self._limits.poll_milliseconds / 1000)
        members = params.model_dump(by_alias=True, mode="json", exclude_none=True)
        members |= {"inputResponses": answers, "requestState": result.request_state}
        return CallToolRequestParams.model_validate(members, by_name=False)

    async def _ask_all(self, questions: Mapping[str, Mapping[str, Any]]) -> dict[str, Params]:
        """Put questions into the task and wait until all are answered; by the names given here.

        A client is asked only for what it declared. Who stops waiting takes back what is open.
        """
        for wanted in questions.values():
            require(self._declared, needed_for(wanted["method"], wanted.get("params") or {}))
        keys = {self._fresh(name): name for name in questions}
        mine = {key: _Question(questions[name]) for key, name in keys.items()}
        if not mine:
            return {}
        self._open |= mine
        try:
            asking = {key: question.asked for key, question in mine.items()}
            await self._change(partial(asked, questions=asking, now=self._clock()))
            for question in mine.values():
                await question.answered.wait()
        finally:
            await self._withdraw(mine)
        return {keys[key]: question.answer for key, question in mine.items()}

    async def _withdraw(self, mine: Mapping[str, _Question]) -> None:
        for key in mine:
            del self._open[key]
        left = [key for key, question in mine.items() if not question.answered.is_set()]
        if left:
            with anyio.move_on_after(self._limits.settle_seconds, shield=True):
                await self._change(partial(answered, keys=left, now=self._clock()))

    async def _change(self, move: Callable[[Task], Task | None]) -> None:
        await self._store.change(self.task_id, move)

    def _fresh(self, name: str) -> str:
        """A key that this task has never used. §task-update-requests."""
        key, number = name, 1
        while key in self._keys:
            number += 1
            key = f"{name}-{number}"
        self._keys.add(key)
        return key


class _Channel(BackChannel):
    """The handler's way back: progress goes into the run, and questions through it."""

    def __init__(self, request: Request, run: Run) -> None:
        super().__init__(request, run)
        self._run = run

    async def progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Remember how far the handler is, for whoever asks. §task-polling."""
        of = "" if total is None else f" of {total:g}"
        self._run.message = message or f"{progress:g}{of}"


def check_answer(key: str, question: Members, answer: Params) -> None:
    """An answer has the members that its question wants. §task-update-requests."""
    try:
        surfaces.validate_client_result(str(question.get("method")), ANSWERS_OF, dict(answer))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in (key, *first["loc"]))[:80]
        raise RpcError(INVALID_PARAMS, "E-TASK-03", arrived=f"{where}: {first['msg']}") from None

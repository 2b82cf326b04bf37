"""The client: list, call, read, get, follow; one method for each thing that a server offers.

A result that asks for input is answered, a result that comes later is waited for, a list is read to
its last page, and a tool that asks for impossible header fields is dropped. Every step of that is
decided in a pure module; here it is only done. Next: `connect.py`, which opens one of these.
MCP 2026-07-28 server/tools, server/resources, server/prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

import anyio

from catshop.client import answers, skills, tasks
from catshop.client.answers import Complete, Deferred, InputRequired
from catshop.client.changes import Changes, Wanted, following
from catshop.client.conversation import Conversation, Progress, Ways
from catshop.client.envelope import Call, Peer
from catshop.client.errors import ClientError, ServerError
from catshop.client.mirrors import InvalidAnnotation, Path, annotated, custom
from catshop.client.skills import Skill, Tampered
from catshop.kernel import Kind, Verdict
from catshop.protocol.jsonrpc import Params

HEADER_MISMATCH = -32020
"""MCP 2026-07-28 basic/transports/streamable-http §server-validation."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the server defines it, every keyword of its schemas kept."""

    name: str
    definition: Params
    annotated: Mapping[Path, str] = field(default_factory=dict)
    """Arguments that header fields repeat."""

    @property
    def input_schema(self) -> Params:
        """What its arguments must be."""
        schema = self.definition.get("inputSchema")
        return schema if isinstance(schema, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Dropped:
    """A tool that is not shown, and why not."""

    name: str
    why: str


class Client:
    """One server, open for as long as the context that made it."""

    def __init__(self, conversation: Conversation, ways: Ways) -> None:
        self._conversation = conversation
        self._ways = ways
        self._limits = ways.limits
        self._trace = ways.trace
        self._tools: dict[str, Tool] = {}
        self._tampered: dict[str, Tampered] = {}
        self.dropped: tuple[Dropped, ...] = ()
        """Tools that the last list had and that we do not show."""

    async def server(self) -> Peer:
        """How the server is spoken to, and what it says of itself."""
        return await self._conversation.peer()

    async def request(
        self, method: str, params: Params | None = None, *, progress: Progress | None = None
    ) -> Params:
        """The complete result of a method, however many rounds and however long it takes."""
        return await self._complete(Call(method, params or {}), progress)

    # --- Rounds and tasks ---

    async def _complete(self, call: Call, progress: Progress | None = None) -> Params:
        """Ask until the result is complete. MCP 2026-07-28 basic/patterns/mrtr §basic-workflow."""
        asking = call
        for _ in range(self._limits.rounds):
            match answers.read(call.method, await self._conversation.ask(asking, progress)):
                case Complete(result):
                    return result
                case Deferred(task):
                    return await self._finish(task)
                case InputRequired() as wanted:
                    given = await self._ways.handlers.answer_all(wanted.requests)
                    asking = replace(call, params=answers.again(call.params, wanted, given))
        raise ClientError("E-SERVER-10", f"{self._limits.rounds} rounds of {call.method}")

    async def _finish(self, task: Params) -> Params:
        """The result that a task has at last; when we stop waiting, the task is cancelled.

        MCP 2026-07-28 extensions/tasks §task-polling, §task-cancellation.
        """
        id_ = {"taskId": tasks.task_id(task)}
        try:
            return await self._poll(id_, task)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(self._limits.goodbye_seconds, shield=True):
                await self._give_up(id_)
            raise

    async def _poll(self, id_: Params, task: Params) -> Params:
        answered: set[str] = set()
        while True:
            self._trace.note(Kind.STATE, "task", id=id_, status=task.get("status"))
            match tasks.next_step(task, answered, self._limits):
                case tasks.Done(result):
                    return result
                case tasks.Wait(seconds):
                    await anyio.sleep(seconds)
                case tasks.Answer(requests):
                    given = await self._ways.handlers.answer_all(requests)
                    await self.request("tasks/update", {**id_, "inputResponses": given})
                    answered |= requests.keys()
            task = await self.request("tasks/get", id_)

    async def _give_up(self, id_: Params) -> None:
        try:
            await self.request("tasks/cancel", id_)
        except (ClientError, ServerError) as error:
            self._trace.note(Kind.RPC, "not cancelled", why=str(error))

    # --- Lists ---

    async def entries(self, method: str, member: str) -> list[Params]:
        """Every entry of a list, over all its pages.

        The cursor is the server's own business and goes back as it came.
        MCP 2026-07-28 server/utilities/pagination §pagination-flow.
        """
        found: list[Params] = []
        params: Params = {}
        for _ in range(self._limits.pages):
            result = await self.request(method, params)
            page = result.get(member)
            if isinstance(page, list):
                found += [each for each in page if isinstance(each, Mapping)]
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str):
                return found
            params = {"cursor": cursor}
        raise ClientError("E-SERVER-10", f"{self._limits.pages} pages of {method}")

    async def resources(self) -> list[Params]:
        """Every resource. MCP 2026-07-28 server/resources §listing-resources."""
        return await self.entries("resources/list", "resources")

    async def templates(self) -> list[Params]:
        """Every template. MCP 2026-07-28 server/resources §resource-templates."""
        return await self.entries("resources/templates/list", "resourceTemplates")

    async def prompts(self) -> list[Params]:
        """Every prompt. MCP 2026-07-28 server/prompts §listing-prompts."""
        return await self.entries("prompts/list", "prompts")

    # --- Tools ---

    async def tools(self) -> list[Tool]:
        """Every tool that can be called; `dropped` says which cannot, and why.

        "The client MUST exclude the invalid tool from the result of tools/list"; on a pipe, where
        no field is sent, an annotation does no harm.
        MCP 2026-07-28 basic/transports/streamable-http §schema-extension.
        """
        listed = await self.entries("tools/list", "tools")
        judged = [self._judge(definition) for definition in listed]
        self.dropped = tuple(each for each in judged if isinstance(each, Dropped))
        self._tools = {each.name: each for each in judged if isinstance(each, Tool)}
        return list(self._tools.values())

    def _judge(self, definition: Params) -> Tool | Dropped:
        tool = Tool(str(definition.get("name")), definition)
        try:
            return replace(tool, annotated=annotated(tool.input_schema))
        except InvalidAnnotation as invalid:
            if not self._conversation.has_fields:
                return tool
            arrived = f"{tool.name}: {invalid}"
            self._trace.check("tool.annotations", Verdict.NO, arrived=arrived)
            return Dropped(tool.name, str(invalid))

    async def call(
        self, name: str, arguments: Params | None = None, *, progress: Progress | None = None
    ) -> Params:
        """The CallToolResult, which may say that the tool has failed.

        A server that misses header fields has changed the tool's schema: it is read anew, once.
        MCP 2026-07-28 basic/transports/streamable-http §client-behavior.
        """
        try:
            return await self._complete(self._call(name, arguments or {}), progress)
        except ServerError as error:
            if error.code != HEADER_MISMATCH:
                raise
        await self.tools()
        return await self._complete(self._call(name, arguments or {}), progress)

    def _call(self, name: str, arguments: Params) -> Call:
        for dropped in self.dropped:
            if dropped.name == name:
                raise InvalidAnnotation("E-ANNOTATION-06", f"{name}: {dropped.why}")
        tool = self._tools.get(name)
        fields = custom(tool.annotated, arguments) if tool else {}
        return Call("tools/call", {"name": name, "arguments": arguments}, fields)

    # --- Resources, prompts, skills ---

    async def read(self, uri: str) -> Params:
        """The contents of a resource. MCP 2026-07-28 server/resources §reading-resources."""
        return await self.request("resources/read", {"uri": uri})

    async def prompt(self, name: str, arguments: Mapping[str, str] | None = None) -> Params:
        """The messages of a prompt. MCP 2026-07-28 server/prompts §getting-a-prompt."""
        return await self.request("prompts/get", {"name": name, "arguments": arguments or {}})

    async def complete(self, ref: Params, argument: str, value: str) -> list[str]:
        """What an argument may become. MCP 2026-07-28 server/utilities/completion
        §requesting-completions."""
        about = {"ref": ref, "argument": {"name": argument, "value": value}}
        completion = (await self.request("completion/complete", about)).get("completion")
        values = completion.get("values") if isinstance(completion, Mapping) else None
        return [str(each) for each in values] if isinstance(values, list) else []

    async def skills(self) -> list[Skill]:
        """Every skill, and no file of any of them.

        MCP 2026-07-28 extensions/skills §listing-skills.
        """
        return [skills.read_entry(entry) for entry in await self.entries("skills/list", "skills")]

    async def read_skill(self, skill: Skill, uri: str | None = None) -> bytes:
        """One verified file of a skill, its SKILL.md unless another is named. Tampered, and from
        then on always, when the server did not keep its word.

        MCP 2026-07-28 extensions/skills §verification-on-read.
        """
        wanted = uri or skill.uri
        if skill.uri in self._tampered:
            raise self._tampered[skill.uri]
        content = skills.contents(wanted, await self.read(wanted))
        try:
            skills.verify(skill, wanted, content)
        except Tampered as fault:
            self._tampered[skill.uri] = fault
            self._trace.check("skill.verified", Verdict.NO, arrived=str(fault))
            raise
        self._trace.check("skill.verified", Verdict.OK, arrived=wanted)
        return content

    def follow(self, wanted: Wanted) -> AbstractAsyncContextManager[Changes]:
        """What changes, for as long as the context lasts."""
        return following(self._conversation, wanted, self._limits.backlog)

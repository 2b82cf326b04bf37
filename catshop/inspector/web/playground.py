"""The playground: a form for each tool, made from its `inputSchema`, and what a call has answered.

Calls go out through ports, by our own client, so they are on the wire like anybody's. A field is
sent when something was typed into it, as the type that the schema asks for; the server judges what
is right. Next: `pages/play.html`. MCP 2026-07-28 server/tools §tool.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from catshop.inspector.redact import Redactor
from catshop.inspector.web.frame import Frame
from catshop.inspector.web.pages import Page
from catshop.protocol.http1.forms import Form
from catshop.protocol.http1.messages import Request
from catshop.protocol.http1.routes import Route

PATH: Final = "/-/play"

ARGUMENT: Final = "argument."
"""Before the name of an argument, so that none is taken for a field of ours."""


@dataclass(frozen=True, slots=True)
class Input:
    """One argument of a tool, as a form asks for it."""

    name: str
    type: str
    hint: str
    required: bool
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Playable:
    """A tool with its form."""

    name: str
    description: str
    inputs: tuple[Input, ...]


Users = Callable[[], Awaitable[Sequence[str]]]
Tools = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]
"""The definitions of the tools, as a user's client lists them."""
Call = Callable[[str, str, str, Mapping[str, object]], Awaitable[Mapping[str, Any]]]
"""User, scopes, tool and arguments to what was answered, refusals included."""


@dataclass(frozen=True, slots=True)
class Play:
    """Who can play, with what, and how."""

    users: Users
    tools: Tools
    call: Call


def playable(definition: Mapping[str, Any]) -> Playable:
    """The form of a tool."""
    schema = definition.get("inputSchema") or {}
    required = set(schema.get("required") or ())
    inputs = tuple(
        Input(
            name,
            str(told.get("type", "")),
            str(told.get("description", "")),
            name in required,
            tuple(map(str, told.get("enum") or ())),
        )
        for name, told in (schema.get("properties") or {}).items()
    )
    return Playable(str(definition["name"]), str(definition.get("description", "")), inputs)


def arguments(tool: Playable, form: Form) -> dict[str, object]:
    """What was typed, each as its type; what is no such thing stays the text that it is."""
    typed = {each.name: form.one(ARGUMENT + each.name) or "" for each in tool.inputs}
    types = {each.name: each.type for each in tool.inputs}
    return {name: _value(types[name], text) for name, text in typed.items() if text}


def _value(kind: str, text: str) -> object:
    if kind == "string":
        return text
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value


class Playground:
    """The page and its forms."""

    def __init__(self, play: Play, redactor: Redactor) -> None:
        self._play = play
        self._redactor = redactor

    def routes(self, frame: Frame) -> tuple[Route, ...]:
        """The page with its forms, and the same as JSON."""
        read = frame.get(f"{PATH}.json", frame.shown(self.page))
        return (frame.form(PATH, self.page, self.called), read)

    async def page(self, _request: Request) -> Page:
        """Every tool with its form."""
        return await self._page("", "")

    async def called(self, form: Form) -> Page:
        """The same, with what a call has answered."""
        user, name = form.one("user") or "", form.one("tool") or ""
        tools = {tool.name: tool for tool in await self._tools()}
        if user not in await self._play.users() or name not in tools:
            return await self._page("", "")
        sent = arguments(tools[name], form)
        answer = await self._play.call(user, form.one("scope") or "", name, sent)
        shown = self._redactor.document(answer)
        return await self._page(name, json.dumps(shown, indent=2, ensure_ascii=False))

    async def _tools(self) -> list[Playable]:
        users = await self._play.users()
        return [playable(each) for each in await self._play.tools(users[0])] if users else []

    async def _page(self, called: str, answer: str) -> Page:
        users, tools = await self._play.users(), await self._tools()
        model = {"users": users, "tools": tools, "called": called, "answer": answer}
        return Page("play.html", "Playground", model)

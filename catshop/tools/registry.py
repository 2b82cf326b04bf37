"""A tool as data: what a model is told, what a client may send, what the gate asks for.

`@tool(...)` turns an async function into a `ToolSpec`: its name is the tool's name, its docstring
the description that the model reads. Every schema is written by hand, because it is the contract,
and checked where the module is loaded. Next: `catalog.py`, `cart.py`, `orders.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Final

from jsonschema import Draft202012Validator
from mcp_types import Tool, ToolAnnotations

from catshop.tools.answers import Answer
from catshop.tools.arguments import Arguments

Schema = Mapping[str, Any]


class Scope(StrEnum):
    """What a token must allow before the tool is reached, by its own name or a broader one."""

    CATALOG_READ = "catalog:read"
    CART_READ = "cart:read"
    CART_WRITE = "cart:write"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"


class Identity(Enum):
    """Whether the tool needs to know a user."""

    NONE = auto()
    USER = auto()


class RateClass(StrEnum):
    """Which allowance a call draws on."""

    BROWSE = "browse"
    CART = "cart"
    ORDER = "order"


class Duration(Enum):
    """How long a call takes: whether a client that can come back later may want to."""

    SHORT = auto()
    LONG = auto()


READS: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
ADDS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
CHANGES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
ORDERS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False
)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool. MCP 2026-07-28 server/tools §tool."""

    name: str
    title: str
    description: str
    arguments: Arguments
    output_schema: Schema
    scopes: tuple[Scope, ...]
    identity: Identity
    annotations: ToolAnnotations
    rate_class: RateClass
    run: Callable[..., Awaitable[Answer]]
    """Called with a `ToolCall` and the arguments by name."""
    duration: Duration = Duration.SHORT

    @property
    def input_schema(self) -> Schema:
        """What a client may send."""
        return self.arguments.schema

    def listed(self) -> Tool:
        """As `tools/list` shows it."""
        return Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=dict(self.input_schema),
            output_schema=dict(self.output_schema),
            annotations=self.annotations,
        )


def tool(  # noqa: PLR0913 - each is a line of the table that a tool is
    *,
    title: str,
    takes: Schema,
    gives: Schema,
    scopes: tuple[Scope, ...] = (Scope.CATALOG_READ,),
    identity: Identity = Identity.NONE,
    annotations: ToolAnnotations = READS,
    rate_class: RateClass = RateClass.BROWSE,
    duration: Duration = Duration.SHORT,
) -> Callable[[Callable[..., Awaitable[Answer]]], ToolSpec]:
    """Make a tool of an async function whose docstring tells a model when to use it."""

    def specify(run: Callable[..., Awaitable[Answer]]) -> ToolSpec:
        description = inspect.getdoc(run)
        if not description:
            raise ValueError(f"{run.__name__} has no docstring, so no model knows when to use it")
        Draft202012Validator.check_schema(gives)
        return ToolSpec(
            name=run.__name__,
            title=title,
            description=description,
            arguments=Arguments(takes),
            output_schema=gives,
            scopes=scopes,
            identity=identity,
            annotations=annotations,
            rate_class=rate_class,
            run=run,
            duration=duration,
        )

    return specify


def record(required: str = "", /, **properties: Schema) -> Schema:
    """The schema of an object with these members and no others.

    `required` names the members that must be there, with spaces between; `*` is all of them.
    """
    names = list(properties) if required == "*" else required.split()
    return {
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": False,
    }


def listing(item: Schema) -> Schema:
    """The schema of a list answer."""
    return record("*", result={"type": "array", "items": item})


FAILURE: Final = record("*", error={"type": "string"})


def answers(success: Schema, failure: Schema = FAILURE) -> Schema:
    """The output schema of a tool that may fail.

    A failed answer keeps `{"error": ...}` in its structured content. Some clients validate that
    too, though it is marked `isError`, so the schema admits both.
    """
    return {"type": "object", "anyOf": [success, failure]}

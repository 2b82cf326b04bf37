"""`catshop call`, `tools`, `resources`, `prompts`: shop, or look around, at any MCP server.

The client finds out which era the server speaks and who guards it; the terminal stands in for
everything that a host application would show: the progress, the questions, the page to sign in on.
Next: `catshop/client/client.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bar

from catshop.cli.arguments import Mistyped, meant, typed
from catshop.cli.remote import (
    OURS,
    JsonOption,
    NoBrowserOption,
    PortOption,
    Remote,
    ToolFailed,
    UrlOption,
    WireOption,
)
from catshop.client.client import Client, Tool
from catshop.client.oauth.errors import printable
from catshop.protocol.jsonrpc import Params


def call(
    tool: Annotated[str, typer.Argument(help="The tool's name; `catshop tools` lists them.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE...")] = None,
    *,
    url: UrlOption = OURS,
    as_json: JsonOption = False,
    wire: WireOption = False,
    no_browser: NoBrowserOption = False,
    callback_port: PortOption = 0,
) -> None:
    """Call a tool and print what it says."""
    given = arguments or []

    async def work(client: Client) -> Params:
        tools = {each.name: each for each in await client.tools()}
        if tool not in tools:
            raise Mistyped("E-CALL-04", meant(tool, tools))
        return await _call(client, tools[tool], typed(tools[tool].input_schema, given))

    result = Remote(url, no_browser, callback_port, wire).run(work)
    shown = in_json(result) if as_json else None
    typer.echo(shown or "\n".join(_said(result)))
    if result.get("isError") is True:
        raise ToolFailed("E-CALL-05", tool)


async def _call(client: Client, tool: Tool, arguments: Params) -> Params:
    """The call, with a bar once there is something to show on it."""
    with Bar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        rows: list[Any] = []

        def progress(told: Params) -> None:
            if not rows:
                rows.append(bar.add_task(escape(tool.name), total=None))
            bar.update(
                rows[0],
                completed=_number(told.get("progress")),
                total=_number(told.get("total")),
                description=described(told, tool.name),
            )

        return await client.call(tool.name, arguments, progress=progress)


def described(told: Params, name: str) -> str:
    """What a server says of its progress, for a bar that would take some of it for markup."""
    return escape(printable(str(told.get("message") or name)))


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) else None


def _said(result: Params) -> Iterator[str]:
    """The content for a person: its text, and of everything else what it is."""
    content = result.get("content")
    for block in content if isinstance(content, list) else []:
        if isinstance(block, Mapping):
            yield _block(block)


def _block(block: Mapping[str, Any]) -> str:
    match block.get("type"):
        case "text":
            return _printable_lines(str(block.get("text", "")))
        case "resource_link":
            return printable(f"[{block.get('name', 'resource')}] {block.get('uri', '')}")
        case kind:
            return printable(f"[{kind} {block.get('mimeType', '')}]")


def _printable_lines(text: str) -> str:
    return "\n".join(printable_line(line) for line in text.split("\n"))


def printable_line(line: str) -> str:
    """One line of a stranger's text, without what a terminal would obey."""
    return "".join(each if each.isprintable() or each == "\t" else " " for each in line)


def in_json(value: object) -> str:
    """JSON for people and programs; what a terminal would obey is escaped. RFC 8259 §7."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


Entries = list[tuple[Params, str]]
"""Entries of a list as they came, each with its line for a person."""


def listing(words: str, ask: Callable[[Client], Awaitable[Entries]]) -> Callable[..., None]:
    """A command that prints what `ask` finds; `words` are its help."""

    def command(
        *,
        url: UrlOption = OURS,
        as_json: JsonOption = False,
        wire: WireOption = False,
        no_browser: NoBrowserOption = False,
        callback_port: PortOption = 0,
    ) -> None:
        found = Remote(url, no_browser, callback_port, wire).run(ask)
        lines = "\n".join(printable_line(line) for _, line in found)
        typer.echo(in_json([entry for entry, _ in found]) if as_json else lines)

    command.__doc__ = words
    return command


async def _tools(client: Client) -> Entries:
    found = await client.tools()
    for dropped in client.dropped:
        typer.echo(f"left out: {printable(dropped.name)}: {printable(dropped.why)}", err=True)
    return [(tool.definition, _usage(tool)) for tool in found]


async def _resources(client: Client) -> Entries:
    found = [*await client.resources(), *await client.templates()]
    return [(one, f"{one.get('uri') or one.get('uriTemplate')}\t{_told(one)}") for one in found]


async def _prompts(client: Client) -> Entries:
    return [(one, f"{one.get('name')}\t{_told(one)}") for one in await client.prompts()]


def _told(entry: Params) -> str:
    return str(entry.get("description") or entry.get("title") or "").partition("\n")[0]


def _usage(tool: Tool) -> str:
    """`add_item_to_cart product_id=STRING [quantity=INTEGER]` and what it does."""
    properties = tool.input_schema.get("properties")
    required = tool.input_schema.get("required")
    needed = required if isinstance(required, list) else []
    words = [tool.name]
    for name, schema in properties.items() if isinstance(properties, Mapping) else ():
        kind = schema.get("type", "json") if isinstance(schema, Mapping) else "json"
        pair = f"{name}={str(kind).upper()}"
        words.append(pair if name in needed else f"[{pair}]")
    return f"{' '.join(words)}\t{_told(tool.definition)}"


tools = listing("List the tools, each with its arguments.", _tools)
resources = listing("List the resources and the templates of more.", _resources)
prompts = listing("List the prompts.", _prompts)

"""The programs that bring MCP to a model, and how each is told of a server: one row a program.

A row is data: the command that one types, the file that the program reads, or the lines that one
pastes. No row holds a token: a program signs in by itself, or reads what `catshop login
--print-env` put into the environment. `$name` and `$url` are the server's. Pure.
Next: `connect.py`.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from string import Template
from typing import Final
from urllib.parse import quote

from catshop.cli.arguments import meant
from catshop.client.errors import ClientError


class CannotConnect(ClientError):
    """The program cannot be told of the server in that way."""


class Format(Enum):
    """How a file of settings is written."""

    JSON = "json"
    TOML = "toml"


@dataclass(frozen=True, slots=True)
class File:
    """A file that a program reads: where it is, by `sys.platform`, and which table has servers."""

    places: Mapping[str, str]
    """The place of every other platform stands under the empty name."""
    table: str
    entry: Mapping[str, object]
    written: Format = Format.JSON

    def place(self, platform: str) -> str:
        """The path, with `~` for the user's home; relative to the project where it begins so."""
        return self.places.get(platform, self.places[""])


@dataclass(frozen=True, slots=True)
class Host:
    """One program: by command, by file or by lines of Python, whichever is there, in that order."""

    name: str
    title: str
    command: tuple[str, ...] = ()
    file: File | None = None
    program: str = ""
    then: tuple[str, ...] = field(default=())
    """What is left to do, a line each."""


DESKTOP: Final = "Claude/claude_desktop_config.json"
BRIDGE: Final = ("npx", "-y", "mcp-remote", "$url")

LANGCHAIN: Final = """\
import asyncio

from langchain.mcp import MCPAdapter


async def main() -> None:
    async with MCPAdapter({"mcpServers": {$name: {"url": $url, "auth": "oauth"}}}) as adapter:
        for tool in await adapter.list_tools():
            print(tool.name)


asyncio.run(main())
"""

AGENTS: Final = """\
import asyncio
import os

from agents.mcp import MCPServerStreamableHttp


async def main() -> None:
    bearer = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    params = {"url": $url, "headers": bearer}
    async with MCPServerStreamableHttp(name=$name, params=params) as server:
        for tool in await server.list_tools():
            print(tool.name)


asyncio.run(main())
"""

HOSTS: Final = (
    Host(
        "claude-code",
        "Claude Code",
        command=("claude", "mcp", "add", "--transport", "http", "$name", "$url"),
        file=File({"": ".mcp.json"}, "mcpServers", {"type": "http", "url": "$url"}),
        then=("Then type /mcp in Claude Code to sign in.",),
    ),
    Host(
        "claude-desktop",
        "Claude Desktop",
        file=File(
            {
                "darwin": f"~/Library/Application Support/{DESKTOP}",
                "win32": f"~/AppData/Roaming/{DESKTOP}",
                "": f"~/.config/{DESKTOP}",
            },
            "mcpServers",
            {"command": BRIDGE[0], "args": list(BRIDGE[1:])},
        ),
        then=(
            "Then start Claude Desktop anew; mcp-remote opens the browser to sign in.",
            "A connector of its own reaches only a public HTTPS address.",
        ),
    ),
    Host(
        "cursor",
        "Cursor",
        file=File({"": "~/.cursor/mcp.json"}, "mcpServers", {"url": "$url"}),
        then=(
            "Or open cursor://anysphere.cursor-deeplink/mcp/install?name=$name&config=$packed",
            "Then sign in under Settings, MCP.",
        ),
    ),
    Host(
        "vscode",
        "VS Code",
        command=("code", "--add-mcp", "$named"),
        file=File({"": ".vscode/mcp.json"}, "servers", {"type": "http", "url": "$url"}),
        then=("Then start the server in the view of MCP servers; it asks to sign in.",),
    ),
    Host(
        "codex",
        "Codex",
        command=("codex", "mcp", "add", "$name", "--url", "$url"),
        file=File({"": "~/.codex/config.toml"}, "mcp_servers", {"url": "$url"}, Format.TOML),
        then=("Then sign in: codex mcp login $name",),
    ),
    Host(
        "inspector",
        "MCP Inspector",
        command=(
            *("npx", "@modelcontextprotocol/inspector"),
            *("--server-url", "$url", "--transport", "http"),
        ),
        then=("It needs Node 22.19 or newer, and opens a page of its own.",),
    ),
    Host(
        "langchain",
        "LangChain",
        program=LANGCHAIN,
        then=("It needs: pip install 'langchain[mcp]>=1.4'",),
    ),
    Host(
        "openai-agents",
        "OpenAI Agents SDK",
        program=AGENTS,
        then=(
            "It needs: pip install openai-agents",
            'It reads TOKEN: eval "$$(catshop login --print-env --url $quoted)"',
        ),
    ),
    Host(
        "mcp-remote",
        "mcp-remote, for programs that start a server as a command",
        command=BRIDGE,
        then=("It signs in with the browser, and keeps what it gets in ~/.mcp-auth.",),
    ),
)


@dataclass(frozen=True, slots=True)
class Server:
    """What a program is told: how to call the server, and where it is."""

    name: str
    url: str

    def entry(self, file: File) -> dict[str, object]:
        """The server's entry in a file."""
        return {key: self._filled(value) for key, value in file.entry.items()}

    def text(self, host: Host) -> str:
        """What is typed or pasted."""
        if host.command:
            words = self._words(host.file)
            return shlex.join(Template(word).substitute(words) for word in host.command)
        if host.file is not None:
            return fragment(host.file, self.name, self.entry(host.file)).rstrip("\n")
        literal = {"name": json.dumps(self.name), "url": json.dumps(self.url)}
        return Template(host.program).substitute(literal).rstrip("\n")

    def then(self, host: Host) -> list[str]:
        """What is left to do."""
        return [Template(line).substitute(self._words(host.file)) for line in host.then]

    def _words(self, file: File | None) -> dict[str, str]:
        words = {"name": self.name, "url": self.url, "quoted": shlex.quote(self.url)}
        if file is None:
            return words
        entry = self.entry(file)
        packed = base64.b64encode(json.dumps(entry).encode("ascii")).decode("ascii")
        named = json.dumps({"name": self.name, **entry})
        return {**words, "named": named, "packed": quote(packed, safe="")}

    def _filled(self, value: object) -> object:
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        return Template(str(value)).substitute(name=self.name, url=self.url)


def find(name: str) -> Host:
    """The row of that name; CannotConnect, with the name that was meant, where there is none."""
    known = {host.name: host for host in HOSTS}
    if name not in known:
        raise CannotConnect("E-CONNECT-01", meant(name, known))
    return known[name]


def fragment(file: File, name: str, entry: Mapping[str, object]) -> str:
    """A whole file with this server alone."""
    if file.written is Format.JSON:
        return json.dumps({file.table: {name: entry}}, indent=2) + "\n"
    return f"[{file.table}.{name}]\n" + "".join(_toml(entry.items()))


def _toml(pairs: Iterable[tuple[str, object]]) -> Iterable[str]:
    """Members whose values JSON and TOML write alike. TOML 1.0 §string."""
    return (f"{key} = {json.dumps(value)}\n" for key, value in pairs)

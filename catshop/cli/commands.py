"""Every command, one module a group, and the one door by which errors leave.

A command prints its result on stdout and everything else on stderr. What an operator can mend is
told in one message with the next step, without a stack; anything else is a fault of ours and shows
one. A command's module is loaded when it is asked for: a call need not wait until the whole shop
has been read. Next: `serve.py`; `telling.py`, where errors get their words.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final, cast

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

COMMANDS: Final = {
    "demo": "demo:demo",
    "serve": "serve:serve",
    "stdio": "serve:stdio",
    "call": "call:call",
    "tools": "call:tools",
    "resources": "call:resources",
    "prompts": "call:prompts",
    "login": "login:login",
    "logout": "login:logout",
    "doctor": "doctor:doctor",
    "connect": "connect:connect",
    "config": "checks:config",
    "selfcheck": "checks:selfcheck",
    "explain": "explaining:explain",
    "break": "breaking:break_",
    "trace": "tracing:trace",
    "export": "exporting:export",
    "replay": "replaying:replay",
    "user": "users:app",
    "client": "clients:app",
    "token": "tokens:app",
    "consent": "consents:app",
    "keys": "keys:app",
}
"""Each command, and where it is: a function, or a group of them."""


class Table(TyperGroup):
    """The commands of the table, each loaded when it is asked for."""

    def list_commands(self, ctx: object) -> list[str]:
        """Their names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | None:
        """The command of that name; None without one."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(f"catshop.cli.{module}"), name)
        holder = typer.Typer(add_completion=False, callback=catshop)
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=cmd_name)
        else:
            holder.command(cmd_name)(found)
        return cast("TyperCommand", get_group(holder).commands[cmd_name])


def catshop() -> None:
    """A small shop behind an MCP server and an OAuth 2.1 authorization server."""


app = typer.Typer(
    name="catshop",
    cls=Table,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    callback=catshop,
)


def main() -> None:
    """Run one command; its exit status is 0 when it worked, and else says what went wrong."""
    try:
        app()
    except Exception as error:
        telling = import_module("catshop.cli.telling")
        lines = telling.told(error)
        if not lines:
            raise
        Console(stderr=True, soft_wrap=True, highlight=False).print("\n".join(lines), markup=False)
        sys.exit(telling.status_of(error))

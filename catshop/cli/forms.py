"""A server's question, asked in the terminal: one line for each field, its default in brackets.

The question comes from a stranger, so it says who asks, shows nothing that would move the cursor,
and can be declined; where nobody is at the terminal, it is.
MCP 2026-07-28 client/elicitation §response-actions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anyio.to_thread
import typer

from catshop.cli.arguments import Mistyped, value
from catshop.client.inputs import CANCELLED, DECLINED, accepted
from catshop.client.oauth.errors import printable
from catshop.protocol.jsonrpc import Params

Ask = Callable[[str, str], str]
"""A label and a default -> what was typed."""


async def fill_in(host: str, params: Params) -> Params:
    """The answer of whoever sits at the terminal; a decline where nobody does."""
    if not sys.stdin.isatty():
        return DECLINED
    form = partial(_form, host, params)
    return await anyio.to_thread.run_sync(form, abandon_on_cancel=True)


def _form(host: str, params: Params) -> Params:
    typer.echo(f"{host} asks: {printable(str(params.get('message', '')))}", err=True)
    try:
        if not typer.confirm("Answer?", default=True, err=True):
            return DECLINED
        return accepted(params, answers(params, _prompt))
    except typer.Abort:
        return CANCELLED


def answers(params: Params, ask: Ask) -> dict[str, object]:
    """The fields of the form, each asked until it fits; one that is optional may stay empty."""
    schema = params.get("requestedSchema")
    told = schema if isinstance(schema, Mapping) else {}
    fields, listed = told.get("properties"), told.get("required")
    required = listed if isinstance(listed, list) else []
    found: dict[str, object] = {}
    for name, field in fields.items() if isinstance(fields, Mapping) else ():
        typed = _field(name, field if isinstance(field, Mapping) else {}, ask, name in required)
        if typed is not None:
            found[name] = typed
    return found


def _field(name: str, field: Mapping[str, Any], ask: Ask, needed: bool) -> object:  # noqa: FBT001 -- a fact of the schema
    label, default = _label(name, field), _shown(field.get("default"))
    while True:
        text = ask(label, default)
        if not text and not needed:
            return None
        try:
            return value(name, field, text)
        except Mistyped as mistake:
            typer.echo(printable(str(mistake)), err=True)


def _label(name: str, field: Mapping[str, Any]) -> str:
    said = field.get("description") or field.get("title") or name
    choices = field.get("enum")
    offered = f" ({', '.join(map(str, choices))})" if isinstance(choices, list) else ""
    return printable(f"{said}{offered}")


def _shown(default: object) -> str:
    """A default as it is shown, which is what an empty line sends."""
    if isinstance(default, bool):
        return "yes" if default else "no"
    return "" if default is None else printable(str(default))


def _prompt(label: str, default: str) -> str:
    typed: str = typer.prompt(label, default=default, err=True)
    return typed

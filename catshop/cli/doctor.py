"""`catshop doctor [URL]`: what stands between a client and a server, the first cause alone.

Without a URL it is about the shop that would run here: this Python, the settings, the database, the
port, and then the whole ladder at the address that clients are given, on which a visitor signs in
who is gone afterwards. With one, it is about that server, whoever wrote it. Each line is a check; a
failure says what came, why, and what to type.
Next: `catshop/client/doctor/ladder.py`.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final

import anyio
import typer

from catshop.catalogue import explain
from catshop.cli.local import Guests, examined, expected
from catshop.cli.remote import JsonOption, WireOption, credentials
from catshop.cli.wire import WirePrinter
from catshop.client.doctor.authority import taken_back
from catshop.client.doctor.chart import Chart, Health
from catshop.client.doctor.ladder import Rung, Send, climb, drive, enough
from catshop.client.doctor.talk import left
from catshop.client.errors import ClientError
from catshop.client.oauth.errors import printable
from catshop.client.oauth.memory import OnDisk
from catshop.client.oauth.sending import sending
from catshop.client.oauth.steps import Sources
from catshop.kernel import Trace, utc_now

COLOURS: Final = {
    Health.OK: "green",
    Health.WAIVED: "cyan",
    Health.WARN: "yellow",
    Health.FAIL: "red",
    Health.NOT_RUN: "bright_black",
}
"""Beside the word, never in its place."""


def doctor(
    url: Annotated[
        str | None, typer.Argument(help="The MCP endpoint; without one, the shop of this folder.")
    ] = None,
    *,
    as_json: JsonOption = False,
    wire: WireOption = False,
) -> None:
    """Find the first thing that keeps a client from a server."""
    guests = None if url else expected()
    before, here = ((), url) if url else examined()
    told = (lambda _rung: None) if as_json else _print
    for rung in before:
        told(rung)
    trace = Trace()
    if wire:
        trace.observe(WirePrinter(partial(typer.echo, err=True)))
    rungs, kept = anyio.run(partial(_examine, here, trace, told, before, guests))
    if as_json:
        typer.echo(json.dumps(_report(here, rungs), indent=2, ensure_ascii=False))
    else:
        _end(rungs)
    if kept:
        typer.echo(kept, err=True)
    sys.exit(1 if _cause(rungs) else 0)


async def _examine(
    url: str,
    trace: Trace,
    told: Callable[[Rung], None],
    before: tuple[Rung, ...],
    guests: Guests | None,
) -> tuple[list[Rung], str]:
    """Climb, and take back what was left at the server on the way."""
    memory = OnDisk(credentials()).load()
    chart = Chart(url, Sources(utc_now, partial(secrets.token_urlsafe, 32)), memory)
    chart.house = guests.admit if guests is not None else None
    async with sending(trace, enough) as send:
        try:
            rungs = await climb(chart, send, told, before)
        finally:
            with anyio.CancelScope(shield=True):
                kept = await _leave(chart, send)
                if guests is not None:
                    await guests.leave()
        return rungs, kept


async def _leave(chart: Chart, send: Send) -> str:
    """End what was begun, and say what could not be ended."""
    try:
        await drive(left(chart), send)
        return await drive(taken_back(chart), send)
    except (ClientError, ValueError) as error:
        return printable(str(error))


def _print(rung: Rung) -> None:
    """One line for a check, and for a cause all that the catalogue knows."""
    finding = rung.finding
    if rung.needs is not None:
        return
    word = typer.style(f"{finding.health:7}", fg=COLOURS[finding.health])
    told = f"{finding.code} {explain(finding.code).title}" if finding.code else finding.told
    typer.echo(f"{rung.number:2} {word} {rung.name}{': ' if told else ''}{told}")
    if finding.code:
        words = explain(finding.code)
        if finding.told:
            typer.echo(f"           came      {finding.told}")
        typer.echo(f"           expected  {words.expected}")
        typer.echo(f"           cause     {words.cause}")
        typer.echo(f"           fix       {finding.fix or words.fix}")
        typer.echo(f"           section   {words.section}")


def _end(rungs: list[Rung]) -> None:
    """What was not looked at, in one line."""
    skipped = [rung for rung in rungs if rung.needs is not None]
    if skipped:
        first, last = skipped[0], skipped[-1]
        typer.echo(f"{first.number} to {last.number} not run (they need {first.needs})")


def _cause(rungs: list[Rung]) -> Rung | None:
    return next((rung for rung in rungs if rung.finding.health is Health.FAIL), None)


def _report(url: str, rungs: list[Rung]) -> dict[str, object]:
    """The same for a program."""
    return {
        "url": url,
        "healthy": _cause(rungs) is None,
        "checks": [_row(rung) for rung in rungs],
    }


def _row(rung: Rung) -> dict[str, object]:
    finding = rung.finding
    row: dict[str, object] = {
        "number": rung.number,
        "check": rung.name,
        "health": finding.health,
        "told": f"it needs {rung.needs}" if rung.needs else finding.told,
    }
    if finding.code:
        words = explain(finding.code)
        row |= {"code": finding.code, "title": words.title, "expected": words.expected}
        row |= {"cause": words.cause, "fix": finding.fix or words.fix, "section": words.section}
    return row

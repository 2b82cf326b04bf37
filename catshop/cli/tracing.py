"""`catshop trace`: look at a recording, at one that is being made, or at somebody else's server.

What is shown is the same everywhere: an exchange a block, or a ladder; which ones, says a filter.
With `--proxy` a server of ours stands between any client and any MCP server on this machine.
Next: `catshop/inspector/show.py`, `catshop/inspector/proxy.py`.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from signal import Signals
from typing import Annotated, Final, TextIO

import anyio
import typer

from catshop import __version__
from catshop.app import mint
from catshop.cli.logs import outlet
from catshop.cli.serve import (
    INSPECTOR,
    LINE,
    CannotListen,
    advice,
    announce_link,
    drawable,
    program,
    recorded,
)
from catshop.inspector.filters import filtered
from catshop.inspector.ladder import ASCII, LINES, Style, ladder
from catshop.inspector.proxy import origin_of, proxying
from catshop.inspector.recorder import Recorder
from catshop.inspector.recording import Exchange, Line, RecordingRefused, lines_of, read
from catshop.inspector.redact import Redactor
from catshop.inspector.rungs import rungs
from catshop.inspector.show import Showing, block
from catshop.kernel import Trace
from catshop.limits import HttpLimits
from catshop.protocol.http1.server import Server, bind, port_of

HOST: Final = "127.0.0.1"
"""Where the proxy listens, and nowhere else."""

POLL: Final = 0.1
"""Seconds between two looks at a file that is being written."""


def trace(
    file: Annotated[Path | None, typer.Argument(help="A recording.")] = None,
    number: Annotated[
        int | None, typer.Argument(help="One exchange, by its number; without it, all.")
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Show what is added, too.")] = False,
    as_ladder: Annotated[bool, typer.Option("--ladder", help="Draw who asks whom.")] = False,
    in_ascii: Annotated[bool, typer.Option("--ascii", help="Draw with plain characters.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Cut no long text.")] = False,
    only: Annotated[
        str, typer.Option("--filter", help="For example: path~/token status>=400 verdict=NO")
    ] = "",
    proxy: Annotated[str | None, typer.Option(help="Stand before the server at this URL.")] = None,
    port: Annotated[
        int, typer.Option(help="Of the proxy; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    record: Annotated[Path | None, typer.Option(help="Record what passes the proxy.")] = None,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="Show the recording in a browser, on this machine.")
    ] = False,
) -> None:
    """Show who asked whom for what, and why it ended as it did."""
    _check_together(file, proxy, record, inspect=inspect)
    if inspect and file is not None:
        anyio.run(import_module(INSPECTOR).show, read(file), announce_link)
        return
    terms = " ".join(filter(None, (only, f"n={number}" if number is not None else "")))
    keep = filtered(terms) if terms else None
    signs = LINES if drawable() and not in_ascii else ASCII
    style = Style(signs, shutil.get_terminal_size((100, 24)).columns)

    def drawn(exchange: Exchange) -> Iterator[str]:
        """The rungs of one exchange; the names of the lanes were told once."""
        yield from list(ladder(rungs([exchange]), style))[1:]

    full = partial(block, most=sys.maxsize) if whole else block
    showing = Showing(keep, drawn if as_ladder else full, streams=not as_ladder)
    if as_ladder:
        typer.echo(next(iter(ladder((), style))))
    if file is not None:
        _print(file, showing, follow=follow)
        if keep and not showing.shown:
            typer.echo(f"None of the {showing.seen} exchanges is {terms}", err=True)
    elif proxy is not None:
        _stand_between(proxy, port, record, showing)


def _print(file: Path, showing: Showing, *, follow: bool) -> None:
    """What is in the file, and with `follow` what comes, until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        for line in lines_of(_texts(file, follow=follow)):
            _say(showing(line))
        _say(showing.rest())


def _texts(file: Path, *, follow: bool) -> Iterator[str]:
    """Whole lines; of a file that was set aside, what comes after goes on in its successor."""
    with _opened(file) as opened:
        text = ""
        while more := opened.readline() or _waited(file, opened.fileno(), follow=follow):
            text += more.rstrip("\0")
            if text.endswith("\n"):
                yield text
                text = ""
    if text:
        yield text
    elif follow:
        yield from _texts(file, follow=follow)


def _opened(file: Path) -> TextIO:
    try:
        return file.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RecordingRefused("E-REC-01", f"{file}: {error.strerror}") from None


def _waited(file: Path, descriptor: int, *, follow: bool) -> str:
    """Nothing where no more will come to this file; else, after a while, a sign without meaning."""
    if not follow or (file.exists() and file.stat().st_ino != os.fstat(descriptor).st_ino):
        return ""
    time.sleep(POLL)
    return "\0"


def _check_together(
    file: Path | None, proxy: str | None, record: Path | None, *, inspect: bool
) -> None:
    """RecordingRefused (E-REC-06) says what of the command line does not fit together."""
    wrong = {
        "a file and --proxy": file is not None and proxy is not None,
        "--inspect without a file": inspect and file is None,
        "neither": file is None and proxy is None,
        "--record without --proxy": record is not None and proxy is None,
    }
    for what, is_so in wrong.items():
        if is_so:
            raise RecordingRefused("E-REC-06", what)


def _say(rows: Iterator[str]) -> None:
    """Each row, in the characters that standard output has."""
    encoding = sys.stdout.encoding or "ascii"
    for row in rows:
        typer.echo(row.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _stand_between(url: str, port: int, record: Path | None, showing: Showing) -> None:
    """Serve as a proxy until Ctrl-C or SIGTERM."""
    server = origin_of(url)
    observed, redactor = Trace(), Redactor(mint().encode())
    with outlet(sys.stderr) as errors, recorded(observed, record, redactor) as files:
        logging.basicConfig(level=logging.WARNING, format=LINE, stream=errors)
        recorder = Recorder(f"catshop {__version__}", redactor=redactor)
        if files is not None:
            files.located(server)

        def show(line: Line) -> None:
            _say(showing(line))

        recorder.watch(show)
        observed.observe(recorder)
        anyio.run(_serve, server, url.removeprefix(server), port, observed)


async def _serve(server: str, path: str, port: int, observed: Trace) -> None:
    try:
        listeners = await bind((HOST,), port)
    except OSError as error:
        words = advice(HOST, port, error, f"{program()} trace --proxy {server}{path}")
        raise CannotListen(words or str(error)) from error
    here = f"http://{HOST}:{port_of(listeners[0])}"
    async with proxying(server, here) as handler, anyio.create_task_group() as tasks:
        serving = Server(handler, limits=HttpLimits(), trace=observed)
        tasks.start_soon(serving.serve, listeners)
        typer.echo(f"  Before {server}: give your client {here}{path}\n  Ctrl-C stops it.\n")
        sys.stdout.flush()
        with anyio.open_signal_receiver(Signals.SIGINT, Signals.SIGTERM) as received:
            await anext(received)
        serving.stop()
        tasks.cancel_scope.cancel()

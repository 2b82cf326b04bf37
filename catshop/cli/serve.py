"""`catshop serve` and `catshop stdio`: run the shop.

Says what it is, where its data is and what to try next, once it listens; says who is in the way
when it cannot. What happens inside is `catshop/app.py`. Next: `holder.py`.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from signal import Signals
from typing import Annotated, Final

import anyio
import typer

from catshop import __version__, app
from catshop.cli.holder import holder_of
from catshop.cli.logs import outlet
from catshop.cli.options import ConfigOption, DatabaseOption, IssuerOption, configured, run
from catshop.config import Config, load
from catshop.conversions import Backend, Era, TokenFormat
from catshop.inspector.files import Files
from catshop.inspector.printer import Printer
from catshop.inspector.recorder import Recorder
from catshop.inspector.recording import RecordingRefused
from catshop.inspector.redact import Redactor
from catshop.kernel import Principal, Trace
from catshop.oauth.administration import Mistake
from catshop.oauth.scopes import parse
from catshop.protocol.stdio import PipeServer, read_lines, write_all

LINE: Final = "%(levelname)s %(name)s %(message)s"
"""A line of the log."""


STDIN, STDOUT = 0, 1
"""Their numbers, because Python has no objects for them where a program was started without."""


LABORATORY: Final = "catshop.lab.laboratory"
"""Loaded for `--lab` and never without it: no server has a fault that it was not asked to have."""


INSPECTOR: Final = "catshop.cli.inspecting"
"""Loaded for `--inspect` and never without it: a server for others has no such pages."""


class CannotListen(Exception):
    """The address cannot be had; the message says why, who has it, and which one to take."""


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.")] = None,
    issuer: IssuerOption = None,
    database: DatabaseOption = None,
    catalog: Annotated[
        str | None, typer.Option(help="A JSON file with products that replaces the catalog.")
    ] = None,
    backend: Annotated[Backend | None, typer.Option(help="The event loop.")] = None,
    era: Annotated[Era | None, typer.Option(help="The protocol eras to speak.")] = None,
    signup: Annotated[
        bool | None, typer.Option("--signup/--no-signup", help="May people open accounts?")
    ] = None,
    token_format: Annotated[
        TokenFormat | None, typer.Option(help="What access tokens look like.")
    ] = None,
    upstream_issuer: Annotated[
        str | None, typer.Option(help="Where users sign in, in place of an account here.")
    ] = None,
    trace: Annotated[
        bool | None, typer.Option("--trace", help="Print every exchange, secrets hidden.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Write every exchange to a file, secrets hidden.")
    ] = None,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="Show what happens in a browser, on this machine.")
    ] = False,
    lab: Annotated[
        bool, typer.Option("--lab", help="Let `catshop break` break checks; on this machine only.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Serve the shop until Ctrl-C or SIGTERM."""
    settings = configured(
        host=host,
        port=port,
        issuer=issuer,
        database=database,
        catalog=catalog,
        backend=backend,
        era=era,
        signup=signup,
        token_format=token_format,
        upstream_issuer=upstream_issuer,
        trace=trace,
        config=config,
    )
    try:
        _serve(settings, record, inspect=inspect, lab=lab)
    except OSError as error:
        words = advice(settings.host, settings.port, error, f"{program()} serve")
        if words is None:
            raise
        raise CannotListen(words) from error


def _serve(settings: Config, record: Path | None, *, inspect: bool, lab: bool) -> None:
    """The shop, and beside it whatever was asked for."""
    observed, redactor = Trace(), Redactor(app.mint().encode())
    made = import_module(LABORATORY).Laboratory(settings, observed) if lab else None
    watching = (
        import_module(INSPECTOR).Inspector(settings, observed, announce_link, made, redactor)
        if inspect
        else None
    )

    beside = app.alone if made is None else made.around
    if watching is not None:
        beside = watching.around(beside)

    async def work(files: Files | None) -> None:
        ready = partial(_ready, files, record, in_laboratory=lab)
        await app.serve(settings, trace=observed, ready=ready, beside=beside)

    with outlet(sys.stderr) as errors, recorded(observed, record, redactor) as files:
        logging.basicConfig(level=logging.INFO, format=LINE, stream=errors)
        if settings.trace:
            paper = errors if made is None else made.paper(errors)
            observed.observe(Printer(paper, redactor=redactor))
        run(settings, partial(work, files))


@contextmanager
def recorded(
    trace: Trace, path: Path | None, redactor: Redactor | None = None
) -> Iterator[Files | None]:
    """Record what `trace` tells into `path`, if there is one. RecordingRefused if it cannot be."""
    if path is None:
        yield None
        return
    recorder = Recorder(f"catshop {__version__}", redactor=redactor)
    try:
        files = Files(path, recorder.started)
    except OSError as error:
        raise RecordingRefused("E-REC-04", f"{path}: {error.strerror}") from error
    recorder.watch(files)
    stop = trace.observe(recorder)
    try:
        yield files
    finally:
        stop()
        files.close()


def _ready(
    files: Files | None, record: Path | None, config: Config, *, in_laboratory: bool
) -> None:
    """Tell everybody where the server has come to be."""
    if files is not None:
        files.located(config.issuer)
    if in_laboratory:
        _announce_laboratory(config)
    _announce(config, record)


def announce_link(link: str) -> None:
    """Where the inspector is."""
    typer.echo(f"\n  Inspector, for this machine alone; the link is good once:\n    {link}")
    sys.stdout.flush()


def _announce(config: Config, record: Path | None) -> None:
    """What this is, where its data is, and three things to try."""
    called = program()
    recording = f"\n  recording {record.resolve()}" if record else ""
    read_it = (
        f"\n    read the recording   {called} trace {shlex.quote(str(record))}" if record else ""
    )
    where = Path(config.database).resolve()
    flags = _database_flag(config)
    if config.issuer != load().issuer:
        flags += f" --issuer {shlex.quote(config.issuer)}"
    typer.echo(
        f"""
  Cat Shop {__version__}, an MCP server and its OAuth 2.1 authorization server
  at        {config.issuer}
  database  {where}{recording}

  Try next
    with an MCP client   {config.issuer}/mcp
    see the challenge    curl -i -X POST {config.issuer}/mcp
    a token for curl     TOKEN=$({called} token issue --user alice --create-user \\
                           --scope "read write"{flags}){read_it}

  Ctrl-C stops it.
""".rstrip("\n")
        + "\n"
    )
    sys.stdout.flush()


def _announce_laboratory(config: Config) -> None:
    """The same, and that nobody should trust this server."""
    called, flags = program(), _database_flag(config)
    typer.echo(
        f"""
  LABORATORY: this server can be broken on purpose. It serves this machine alone.
    what can be broken   {called} break list
    break a check        {called} break pkce-skipped{flags}
    mend it              {called} break off{flags}
""".rstrip("\n")
    )


def _database_flag(config: Config) -> str:
    """What another command needs to find the same database, if anything."""
    where = Path(config.database).resolve()
    return "" if config.database == "catshop.db" else f" --database {shlex.quote(str(where))}"


def drawable() -> bool:
    """Whether standard output takes the signs of `LINES`."""
    try:
        "├─▶●┤‹›…".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def program() -> str:
    """How the command was called, so that what is printed can be pasted."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{sys.executable} -m catshop"
    if called.is_absolute() and called.is_relative_to(Path.cwd()):
        called = called.relative_to(Path.cwd())
    return shlex.quote(str(called))


def advice(host: str, port: int, error: OSError, again: str) -> str | None:
    """Why the address cannot be had, and what to do; None when that is not what failed.

    `again` is the command that was given, without its port.
    """
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: {error.strerror}. Try --host 127.0.0.1"
    if error.errno == errno.EACCES:
        return f"{host}:{port} cannot be listened on: {error.strerror}. Try --port 0"
    if error.errno != errno.EADDRINUSE:
        return None
    holder = holder_of(port) or "another program"
    free = f"Stop it, or take a free port: {again} --port 0"
    return f"{host}:{port} is taken by {holder}. {free}"


def stdio(
    *,
    user: Annotated[
        str | None, typer.Option(envvar="CATSHOP_USER", help="Who shops; must have an account.")
    ] = None,
    scope: Annotated[
        str, typer.Option(envvar="CATSHOP_SCOPE", help="What the client may do.")
    ] = "read write",
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve the shop on standard input and output; identity comes from the environment.

    MCP 2026-07-28 basic §auth: on this transport there is no OAuth.
    """
    settings = configured(database=database, config=config)

    async def work() -> None:
        async with app.open_house(settings) as house, anyio.create_task_group() as tasks:
            principal = await _who(house, user, scope)
            pipe = PipeServer(
                house.dispatcher,
                house.gate,
                principal,
                lambda data: write_all(out, data),
                settings.limits,
            )
            tasks.start_soon(_end_on_signal, pipe, tasks.cancel_scope)
            await pipe.serve(read_lines(STDIN, settings.limits.http.body))
            tasks.cancel_scope.cancel()

    with outlet(sys.stderr) as errors:
        logging.basicConfig(level=logging.WARNING, format=LINE, stream=errors)
        out = os.dup(STDOUT)
        os.dup2(errors.descriptor, STDOUT)
        run(settings, work)


async def _end_on_signal(pipe: PipeServer, scope: anyio.CancelScope) -> None:
    """The first signal drains, the second stops."""
    with anyio.open_signal_receiver(Signals.SIGTERM, Signals.SIGINT) as received:
        await anext(received)
        pipe.drain()
        await anext(received)
        scope.cancel()


async def _who(house: app.House, name: str | None, scope: str) -> Principal:
    """The principal that the environment names; without a user, a client that shops for nobody."""
    subject = None
    if name is not None:
        found = {user.name: user for user in await house.administration.users()}.get(name)
        if found is None or not found.active:
            raise Mistake("E-LOGIN-13", name)
        subject = found.id
    return Principal(
        issuer=house.config.issuer,
        subject=subject,
        username=name,
        client_id="stdio",
        audience=f"{house.config.issuer}/mcp",
        scopes=parse(scope),
        token_id="stdio",  # noqa: S106 - a name for the audit, where HTTP has the id of a token
        expires_at=datetime.max.replace(tzinfo=UTC),
    )

"""`catshop connect CLIENT`: what to tell a program so that it finds the server.

It prints, on stdout what is typed or pasted and on stderr what to do with it. Only `--write`
changes a file: the old one stays beside it, every other server stays in it, and a file that cannot
be read is left alone. Next: `hosts.py`, the table; `merging.py`, what is written.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from itertools import count
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from catshop.cli.hosts import HOSTS, CannotConnect, Host, Server, find
from catshop.cli.merging import merged
from catshop.cli.remote import OURS, UrlOption

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What every program takes for a name, and no shell, JSON or TOML has to quote."""


def connect(
    client: Annotated[
        str | None, typer.Argument(help="The program; without one, all of them are listed.")
    ] = None,
    *,
    url: UrlOption = OURS,
    name: Annotated[str, typer.Option(help="What the program calls the server.")] = "catshop",
    write: Annotated[
        bool, typer.Option("--write", help="Change the program's file, and keep the old one.")
    ] = False,
) -> None:
    """Show how a program is told of the server."""
    if client is None:
        for each in HOSTS:
            typer.echo(f"{each.name}\t{each.title}")
        return
    host, server = find(client), _server(name, url)
    if write:
        _write(host, server)
    else:
        typer.echo(server.text(host))
        if host.file is not None:
            verb = "Or the file" if host.command else "The file is"
            typer.echo(f"{verb} {_path(host)}: --write adds it there.", err=True)
    for line in server.then(host):
        typer.echo(line, err=True)


def _server(name: str, url: str) -> Server:
    """CannotConnect for what is no name, and for an address that is none or holds a password."""
    if not NAME.fullmatch(name):
        raise CannotConnect("E-CONNECT-03", name)
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable():
        raise CannotConnect("E-CONNECT-04", url)
    if parts.username is not None:
        raise CannotConnect("E-CONNECT-04", "an address with a user or password in it")
    return Server(name, url)


def _path(host: Host) -> Path:
    if host.file is None:
        raise CannotConnect("E-CONNECT-05", host.name)
    return Path(host.file.place(sys.platform)).expanduser()


def _write(host: Host, server: Server) -> None:
    path = _path(host).resolve()
    assert host.file is not None  # noqa: S101 -- _path has refused a row without one
    try:
        before = path.read_text("utf-8") if path.exists() else ""
        after = merged(before, host.file, server.name, server.entry(host.file))
        if after == before:
            typer.echo(f"{path} says so already.", err=True)
            return
        kept = _replace(path, after)
    except UnicodeDecodeError as error:
        raise CannotConnect("E-CONNECT-02", f"{path}: {error.reason}") from None
    except OSError as error:
        raise CannotConnect("E-CONNECT-06", f"{path}: {error.strerror}") from None
    typer.echo(f"Wrote {path}" + (f"; as it was: {kept}" if kept else "") + ".", err=True)


def _replace(path: Path, text: str) -> Path | None:
    """Written beside the file and moved into its place; where the old one is now.

    Such files hold keys of other servers, so at no moment are they anybody else's to read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    kept = _backup(path) if path.exists() else None
    try:
        fresh.touch(0o600, exist_ok=False)
        fresh.write_text(text, "utf-8")
        if kept is not None:
            shutil.copymode(path, fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return kept


def _backup(path: Path) -> Path:
    """A copy under the first name that is free."""
    names = (path.with_name(f"{path.name}.bak{number or ''}") for number in count())
    copy = next(name for name in names if not name.exists())
    copy.touch(0o600, exist_ok=False)
    shutil.copy2(path, copy)
    return copy

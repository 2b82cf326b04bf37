"""`catshop break`: swap one check of a running server for a broken one, and put it back.

The server must have been started with `catshop serve --lab`; the two meet at a small file beside
the database. What was asked for is asked after, at the server, before it is said to be so. Next:
`catshop/lab/laboratory.py`.
"""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from catshop.cli.options import ConfigOption, DatabaseOption, configured
from catshop.lab.faults import FAULTS, meant
from catshop.lab.model import Fault
from catshop.lab.switch import Position, Switch
from catshop.oauth.administration import Mistake

PATIENCE: Final = 5
"""Seconds that a server on this machine may take to say that it is there."""


def break_(
    name: Annotated[
        str, typer.Argument(help="`list`, `status`, `off`, or the name of a fault.")
    ] = "list",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the list as a JSON array.")
    ] = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Break one check of a server that was started with --lab, or mend it again.

    `list` prints every fault, one a line; `status` says which one is on; `off` mends. One fault is
    on at a time.
    """
    if name == "list":
        _list(as_json=as_json)
        return
    fault = None if name in {"off", "status"} else _fault(name)
    switch = Switch.beside(configured(database=database, config=config).database)
    position = switch.read()
    on = _asked(position.url) if position else None
    if position is None or on is None:
        raise Mistake("E-LAB-02", str(switch.path))
    url = position.url
    if name == "status":
        typer.echo(_said(FAULTS.get(on), url))
        return
    switch.set(Position(url, fault.name if fault else None))
    if _asked(url) != (fault.name if fault else ""):
        raise Mistake("E-LAB-02", url)
    typer.echo(_said(fault, url))


def _list(*, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([fault.told() for fault in FAULTS.values()], indent=2))
        return
    for fault in FAULTS.values():
        typer.echo(f"{fault.name}\t{fault.plane}\t{fault.breaks}")


def _fault(name: str) -> Fault:
    found = FAULTS.get(name.strip().lower())
    if found is None:
        likely = " or ".join(meant(name))
        raise Mistake("E-LAB-03", f"{name!a}{f'; did you mean {likely}?' if likely else ''}")
    return found


def _said(fault: Fault | None, url: str) -> str:
    if fault is None:
        return f"Every check at {url} is whole."
    return (
        f"{fault.name} is on at {url}\n"
        f"  breaks      {fault.breaks}\n"
        f"  you see     {fault.sees}\n"
        f"  caught by   {fault.caught}\n"
        f"  says who    {fault.section}\n"
        "  mend it     catshop break off"
    )


def _asked(url: str) -> str | None:
    """The fault that the server there says is on, empty for none; None when nobody is there."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=PATIENCE)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/healthz")
        return connection.getresponse().getheader("X-Catshop-Fault") or ""
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()

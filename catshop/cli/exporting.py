"""`catshop export`: take a recording away in a form that another program reads.

Nothing secret is in a recording, so nothing secret is in what is made of it; a script asks for its
own secrets anew. Next: `catshop/inspector/curl.py`, `har.py`, `httpfile.py`, `pcapng.py`,
`page.py`, `mermaid.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from catshop.inspector.again import range_of
from catshop.inspector.curl import Left, curl, left_out, told
from catshop.inspector.gifts import server_of
from catshop.inspector.har import har
from catshop.inspector.httpfile import httpfile, unfit
from catshop.inspector.mermaid import mermaid
from catshop.inspector.page import page
from catshop.inspector.pcapng import pcapng
from catshop.inspector.recording import Exchange, Recording, RecordingRefused, Started, read
from catshop.inspector.rungs import rungs


class Form(StrEnum):
    """What a recording can become."""

    CURL = "curl"
    HAR = "har"
    HTML = "html"
    HTTP = "http"
    MERMAID = "mermaid"
    PCAPNG = "pcapng"


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _address(started: Started, found: list[Exchange]) -> str:
    return server_of(found, started.url)


FORMS: Final[Mapping[Form, Callable[[Started, list[Exchange]], bytes]]] = {
    Form.CURL: lambda started, found: _lines(curl(found, _address(started, found))),
    Form.HAR: lambda started, found: _lines(har(started, found)),
    Form.HTML: lambda started, found: _lines(page(started, found)),
    Form.HTTP: lambda started, found: _lines(httpfile(found, _address(started, found))),
    Form.MERMAID: lambda _, found: _lines(mermaid(rungs(found))),
    Form.PCAPNG: pcapng,
}

FITS: Final[Mapping[Form, Callable[[Exchange], Left | None]]] = {
    Form.CURL: left_out,
    Form.HTTP: unfit,
}
"""Of the forms that send requests again: why one cannot be sent."""


def form_of(name: str) -> Form:
    """The form of that name. BadParameter names the one that was meant, or all."""
    try:
        return Form(name)
    except ValueError:
        meant = get_close_matches(name, list(Form), 1)
        asked = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(Form)}"
        raise typer.BadParameter(f"{name!r} is no form; {asked}") from None


def export(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    number: Annotated[
        int | None, typer.Argument(help="One exchange, by its number; without it, all.")
    ] = None,
    *,
    flow: Annotated[int | None, typer.Option(help="The exchanges of one authorization.")] = None,
    form: Annotated[
        Form,
        typer.Option(
            "--as", help="What to make of it.", parser=form_of, metavar=f"[{'|'.join(Form)}]"
        ),
    ] = Form.CURL,
) -> None:
    """Write a recording as a script, an archive, a page, a diagram or a capture to stdout."""
    recording = read(file)
    found = chosen(recording, number, flow)
    if form in FITS:
        _say_what_is_left_out(found, FITS[form])
    sys.stdout.buffer.write(FORMS[form](recording.started, found))
    sys.stdout.flush()


def chosen(recording: Recording, number: int | None, flow: int | None) -> list[Exchange]:
    """The exchanges that both terms name; RecordingRefused where there are none, and why."""
    found = [
        each
        for each in recording.exchanges.values()
        if number in {None, each.n} and flow in {None, each.flow}
    ]
    if not found:
        raise RecordingRefused("E-REC-07", _missing(recording, number, flow))
    return found


def _missing(recording: Recording, number: int | None, flow: int | None) -> str:
    """What was asked for, and what there is."""
    one = recording.exchanges.get(number or 0)
    if one is not None:
        theirs = f"flow {one.flow}" if one.flow else "no flow"
        return f"#{number} of flow {flow}: both must hold, and #{number} is of {theirs}"
    if number is not None:
        return f"#{number}; {range_of(recording)}"
    flows = sorted({each.flow for each in recording.exchanges.values() if each.flow})
    there = ", ".join(map(str, flows)) or "none"
    return f"flow {flow}; flows are {there}" if flow is not None else range_of(recording)


def _say_what_is_left_out(found: list[Exchange], fits: Callable[[Exchange], Left | None]) -> None:
    """On stderr; RecordingRefused where it is all that there is."""
    why = {each.n: reason for each in found if (reason := fits(each))}
    if len(why) == len(found):
        raise RecordingRefused("E-REC-20", "; ".join(f"#{n}: {each}" for n, each in why.items()))
    for line in told(why):
        typer.echo(line, err=True)

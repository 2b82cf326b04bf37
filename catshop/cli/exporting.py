"""`catshop export`: take a recording away in a form that another program reads.

Nothing secret is in a recording, so nothing secret is in what is made of it; a script asks for its
own secrets anew. Next: `catshop/inspector/curl.py`, `har.py`, `httpfile.py`, `pcapng.py`,
`page.py`, `mermaid.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from catshop.inspector.curl import curl
from catshop.inspector.har import har
from catshop.inspector.httpfile import httpfile
from catshop.inspector.mermaid import mermaid
from catshop.inspector.page import page
from catshop.inspector.pcapng import pcapng
from catshop.inspector.recording import Exchange, RecordingRefused, Started, read
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
    return "".join(f"{line}\n" for line in lines).encode()


FORMS: Final[Mapping[Form, Callable[[Started, list[Exchange]], bytes]]] = {
    Form.CURL: lambda _, found: _lines(curl(found)),
    Form.HAR: lambda started, found: _lines(har(started, found)),
    Form.HTML: lambda started, found: _lines(page(started, found)),
    Form.HTTP: lambda _, found: _lines(httpfile(found)),
    Form.MERMAID: lambda _, found: _lines(mermaid(rungs(found))),
    Form.PCAPNG: pcapng,
}


def export(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    number: Annotated[
        int | None, typer.Argument(help="One exchange, by its number; without it, all.")
    ] = None,
    *,
    flow: Annotated[int | None, typer.Option(help="The exchanges of one authorization.")] = None,
    form: Annotated[Form, typer.Option("--as", help="What to make of it.")] = Form.CURL,
) -> None:
    """Write a recording as a script, an archive, a page, a diagram or a capture to stdout."""
    recording = read(file)
    found = list(recording.exchanges.values())
    if number is not None:
        found = [each for each in found if each.n == number]
    if flow is not None:
        found = [each for each in found if each.flow == flow]
    if not found:
        raise RecordingRefused("E-REC-07", f"{file}")
    sys.stdout.buffer.write(FORMS[form](recording.started, found))
    sys.stdout.flush()

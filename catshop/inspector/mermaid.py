"""The rungs of a ladder as a sequence diagram of Mermaid, for whatever shows those.

Pure. A message ends with its line, and `#`, `;` and angle brackets mean something in it, so these
are written as entities. Next: `rungs.py`, where the rungs come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from catshop.inspector.redact import printable
from catshop.inspector.rungs import Lane, Rung, Tone

NAMES: Final = {
    Lane.CLIENT: "Client",
    Lane.BROWSER: "Browser",
    Lane.AUTHORIZATION: "Authorization server",
    Lane.MCP: "MCP endpoint",
    Lane.DATABASE: "Database",
}

ENTITIES: Final = str.maketrans(
    {"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;", "‹": "#lt;", "›": "#gt;"}
    | {"%": "#37;", "{": "#123;", "}": "#125;"}
)
"""What means something in a message, and the signs of a mark."""


def mermaid(rungs: Iterable[Rung]) -> Iterator[str]:
    """The lines of the diagram."""
    yield "sequenceDiagram"
    for lane, name in NAMES.items():
        yield f"    participant {lane} as {name}"
    for rung in rungs:
        yield f"    {_drawn(rung)}"


def _drawn(rung: Rung) -> str:
    """A message, or a note over the lane that found something out by itself."""
    status = f"{rung.status} " if rung.status else ""
    said = printable(f"{status}{rung.said}").translate(ENTITIES).strip() or "-"
    if rung.start is rung.end:
        return f"Note over {rung.start}: {said}"
    arrow = "->>" if rung.tone in {Tone.ASKED, Tone.INSIDE} else "-->>"
    return f"{rung.start}{arrow}{rung.end}: {said}"

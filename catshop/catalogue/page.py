"""The page of one refusal, as a value: what happened, what was expected, and what to do next.

Everything that explains a code shows this one page: `catshop explain`, the reference, and the pages
of a development server. Each says how a part looks; what the parts are called and in which order
they come stands here. Pure. Next: `catshop/cli/explaining.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from catshop.catalogue import Explanation, catalogue

CLOSE = 0.6
"""How alike a code must be to be what was meant."""


SEE = "catshop trace FILE --filter code={}"
"""Of a recording, the exchanges that were refused so, each with the check and its line."""

NEXT = (
    ({"E-CALL", "E-CONNECT", "E-DOC", "E-INTRO", "E-OAC", "E-SERVER"}, "catshop doctor URL"),
    ({"E-CATALOG", "E-DB", "E-KEY"}, "catshop selfcheck"),
    ({"E-PROXY", "E-REC"}, "catshop demo --record trip.jsonl"),
    ({"E-LAB"}, "catshop break list"),
    ({"E-INSPECT"}, "catshop serve --inspect"),
)
"""For what does not happen on the wire of the shop, something else."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a page says, under its heading; `name` is the member of the catalogue."""

    name: str
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A code, its parts in the order in which somebody reads them, and the codes beside it."""

    code: str
    parts: tuple[Part, ...]
    neighbours: tuple[str, ...]
    command: str
    """What to type to read this page."""


def page_of(words: Explanation) -> Page:
    """The page of one code."""
    parts = (
        Part("title", "What happened", words.title),
        Part("expected", "Expected", words.expected),
        Part("cause", "Likely cause", words.cause),
        Part("section", "Says who", words.section),
        Part("fix", "What to do next", words.fix),
        Part("next", "Next command", next_of(words.code)),
    )
    return Page(words.code, parts, beside(words.code), f"catshop explain {words.code}")


def next_of(code: str) -> str:
    """What to type next: where one can see this refusal happen, or what finds its cause."""
    family = code.rpartition("-")[0]
    return next((command for families, command in NEXT if family in families), SEE).format(code)


def beside(code: str) -> tuple[str, ...]:
    """The other codes of the same family, such as all of `E-PKCE`."""
    family = code.rpartition("-")[0]
    return tuple(
        known for known in catalogue() if known.rpartition("-")[0] == family and known != code
    )


def found(typed: str) -> Explanation | None:
    """The code that somebody typed, in whatever case and with or without its `E-`."""
    code = typed.strip().upper()
    return catalogue().get(code) or catalogue().get(f"E-{code}")


def meant(typed: str, known: Iterable[str] | None = None) -> tuple[str, ...]:
    """What somebody may have meant who typed a code that there is not; the likeliest first."""
    code = typed.strip().upper()
    wanted = code if code.startswith("E-") else f"E-{code}"
    family = tuple(name for name in catalogue() if name.startswith(f"{wanted}-"))
    return family or tuple(get_close_matches(wanted, known or catalogue(), n=3, cutoff=CLOSE))

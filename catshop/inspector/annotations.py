"""Why a field is there: each header, parameter and member that the protocols give a meaning.

Data: the words and their sections stand in `why.toml`. A name may mean another thing at
another place, so a row may say where it is read. What is not in the table is shown without a
reason. Pure. Next: `exchanges.py`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

PLACES = ("header", "query", "form", "json", "answer header", "answer json")
"""Where a field may stand."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a field is there, and who says so."""

    why: str = ""
    section: str = ""


@cache
def reasons() -> dict[str, Reason]:
    """Every row, by its name or by `place name`."""
    text = resources.files(__package__).joinpath("why.toml").read_text("utf-8")
    return {name.lower(): Reason(*row) for name, row in tomllib.loads(text).items()}


def reason(place: str, name: str) -> Reason:
    """Why `name` stands at `place`: the row of the place, or else the row of the name."""
    known, name = reasons(), name.lower()
    return known.get(f"{place} {name}") or known.get(name) or Reason()

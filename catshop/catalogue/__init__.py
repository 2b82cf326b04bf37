"""The catalogue of refusals: every `E-` code, with what was expected, why, and what to do next.

A refusal names its code; the catalogue holds the words. They feed `error.data`, the OAuth
`error_description`, the log line and `catshop explain`, so that the same fault is told in the same
words everywhere. One TOML file a plane, one table a code; it knows nothing of those who use it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code of the catalogue.

    `title` says what happened, `expected` what should have come, `cause` the most likely reason,
    `section` which sentence of which specification says so, `fix` what to do next. All printable
    ASCII without `"` and `\\`, because OAuth allows no more in a description (RFC 6749 §5.2).
    """

    code: str
    title: str
    expected: str
    cause: str
    section: str
    fix: str


@cache
def catalogue() -> dict[str, Explanation]:
    """Every code, in the order of the files and of their tables."""
    entries: dict[str, Explanation] = {}
    for file in sorted(resources.files(__package__).iterdir(), key=lambda path: path.name):
        if file.name.endswith(".toml"):
            for code, words in tomllib.loads(file.read_text("utf-8")).items():
                if code in entries:
                    raise ValueError(f"{code} stands twice in the catalogue; one code, one meaning")
                entries[code] = Explanation(code=code, **words)
    return entries


def explain(code: str) -> Explanation:
    """The catalogue's words for `code`. KeyError when a refusal names a code that is not there."""
    return catalogue()[code]

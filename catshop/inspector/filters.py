"""Which exchanges somebody wants to see: a few terms that all must hold.

    path~/token status>=400 check=pkce verdict=NO lane=db

A term is a name, a sign and a value without spaces. `=` and `!=` compare whole texts or numbers,
and a dotted name equals its first words, too; `~` looks for the value anywhere; `< <= > >=` compare
numbers. A name with several values fits if one of them does; `check`, `verdict` and `source` must
fit the same check. Pure. Next: `catshop/cli/tracing.py`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from catshop.inspector.recording import (
    Check,
    Ended,
    Exchange,
    RecordingRefused,
    Sql,
    written,
)
from catshop.inspector.rungs import Lane, callee, caller, method_of, name_of
from catshop.inspector.show import codes

NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
TERM: Final = re.compile(r"([a-z]+)(!=|>=|<=|~|=|>|<)(\S+)")

Values = Callable[[Exchange], list[str]]


def lanes(exchange: Exchange) -> list[str]:
    """Who takes part: who asks, who answers, and the database where it was asked."""
    stored = [Lane.DATABASE.value] if exchange.every(Sql) else []
    return [caller(exchange).value, callee(exchange).value, *stored]


OF_EXCHANGES: Final[Mapping[str, Values]] = {
    "n": lambda each: [str(each.n)],
    "flow": lambda each: [str(each.flow)],
    "method": lambda each: [each.request.method],
    "path": lambda each: [each.request.target.partition("?")[0]],
    "status": lambda each: [str(each.status)],
    "ms": lambda each: [str(ended.ms) for ended in each.every(Ended)],
    "code": codes,
    "rpc": lambda each: [method_of(each)],
    "tool": lambda each: [name_of(each)],
    "id": lambda each: [each.request.id],
    "any": lambda each: [written(line) for line in each.lines],
    "sql": lambda each: [statement.sql for statement in each.every(Sql)],
    "fault": lambda each: [each.fault] if each.fault else [],
    "lane": lanes,
}
"""What can be asked about an exchange."""

OF_CHECKS: Final[Mapping[str, Callable[[Check], str]]] = {
    "check": lambda check: check.name,
    "verdict": lambda check: check.verdict,
    "source": lambda check: check.source,
}
"""What can be asked about a check."""

NUMBERS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


VALUES: Final[Mapping[str, frozenset[str]]] = {
    "lane": frozenset(Lane),
    "verdict": frozenset({"ok", "no"}),
}
"""Names that have few values: another one is a mistake."""

COUNTED: Final = frozenset({"n", "flow", "status", "ms"})
"""Names whose values are numbers."""


FAMILIES: Final = {"check": ".", "code": "-"}
"""Names whose values come in families, and what stands after the name of one: `pkce.s256`."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition."""

    name: str
    sign: str
    value: str

    def holds(self, found: list[str]) -> bool:
        """Whether one of the values fits; for `!=`, whether none is that."""
        if self.sign == "!=":
            return not any(self._equals(each) for each in found)
        return any(self._fits(each) for each in found)

    def _equals(self, found: str) -> bool:
        """The same word; of a check or a code, also one of the family that the word names."""
        value, found = self.value.lower(), found.lower()
        family = FAMILIES.get(self.name)
        return found == value or (family is not None and found.startswith(value + family))

    def _fits(self, found: str) -> bool:
        if self.sign == "~":
            return self.value.lower() in found.lower()
        if self.sign == "=":
            return self._equals(found)
        try:
            return NUMBERS[self.sign](float(found), float(self.value))
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Filter:
    """All the terms; without any, everything fits."""

    terms: tuple[Term, ...] = ()

    def __call__(self, exchange: Exchange) -> bool:
        """Whether the exchange is wanted."""
        asked = [term for term in self.terms if term.name in OF_CHECKS]
        rest = [term for term in self.terms if term.name in OF_EXCHANGES]
        if not all(term.holds(OF_EXCHANGES[term.name](exchange)) for term in rest):
            return False
        return not asked or any(
            all(term.holds([OF_CHECKS[term.name](check)]) for term in asked)
            for check in exchange.every(Check)
        )


def filtered(expression: str) -> Filter:
    """The filter that an expression means. RecordingRefused (E-REC-05) when it means none."""
    return Filter(tuple(map(_term, expression.split())))


def _term(text: str) -> Term:
    found = TERM.fullmatch(text)
    if found is None:
        raise RecordingRefused("E-REC-05", f"{text[:40]}: name, sign and value, without a space")
    name, sign, value = found.groups()
    for said, known in ((name, {*OF_EXCHANGES, *OF_CHECKS}), (value.lower(), VALUES.get(name))):
        if known is not None and said not in known:
            raise RecordingRefused("E-REC-05", f"{text[:40]}{_meant(said, known)}")
    if name in COUNTED and sign != "~" and not NUMBER.fullmatch(value):
        raise RecordingRefused("E-REC-05", f"{text[:40]}: {name} is a number")
    return Term(name, sign, value)


def _meant(said: str, known: Iterable[str]) -> str:
    close = get_close_matches(said, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else f": one of {', '.join(sorted(known))}"

"""A swap: one rule of the server replaced by a broken one, and put back.

The server has no seams for this, and must not have any: a switch that turns PKCE off is a switch
that somebody finds. So the lab takes the name by which a rule is looked up, such as a row in a
table of checks, and puts something else there; what it broke, it mends by the same name. Nobody
else in the house does this, and only the command line may load it: docs/why/0025. Next: `model.py`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Undo = Callable[[], None]
"""Puts back what a swap has replaced."""


@dataclass(frozen=True, slots=True)
class Swap:
    """One name, as `module:name` or `module:Class.name`, and what to make of what stands there."""

    where: str
    make: Callable[[Any], Any]

    def do(self) -> Undo:
        """Replace it; call what is returned to put it back."""
        owner, name = found(self.where)
        kept = inspect.getattr_static(owner, name)
        setattr(owner, name, self.make(getattr(owner, name)))
        return lambda: setattr(owner, name, kept)


def found(where: str) -> tuple[Any, str]:
    """The module or class that a name is looked up in, and the name."""
    module, _, path = where.partition(":")
    owner: Any = importlib.import_module(module)
    *steps, name = path.split(".")
    for step in steps:
        owner = getattr(owner, step)
    return owner, name


def row(where: str, check: str, broken: Callable[[Any], Any]) -> Swap:
    """A table of named checks, with another check under the same name. LookupError without one."""

    def make(table: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
        if check not in dict(table):
            raise LookupError(f"{where} has no check {check}")
        return tuple((name, broken if name == check else kept) for name, kept in table)

    return Swap(where, make)


def instead(where: str, broken: Any) -> Swap:
    """Another thing, whatever stood there."""
    return Swap(where, lambda _: broken)


def passes(subject: Any) -> Any:
    """A check that checks nothing."""
    return subject

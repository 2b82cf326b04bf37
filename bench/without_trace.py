"""The shop as if nobody had ever written a line that tells of what happens.

`python bench/without_trace.py` serves like `shop.py`, from source that was changed on the way in:
whatever `kernel.Trace` is told of is not said, whoever asks whether it is observed hears no, and
what was kept for its sake is not kept. So the difference to the shop as it is is the price of the
trace. It refuses to serve when it finds less than it was told to take out. Next: `overhead.py`.
"""

from __future__ import annotations

import ast
import json
import runpy
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

PACKAGE: Final = "catshop"
TRACES: Final = frozenset({"trace", "_trace"})
"""What a variable that holds a trace is called, wherever there is one."""

TELLS: Final = frozenset({"note", "check"})
"""What a trace is called for."""

HELPERS: Final = frozenset(
    {
        "note_body",
        "note_event",
        "note_refusal",
        "note_request",
        "note_stream",
        "_note_answer",
        "report",
    }
)
"""Functions that are handed a trace, tell it something, and do nothing else."""

FOR_ITS_SAKE: Final[Mapping[str, frozenset[str]]] = {
    "catshop.protocol.http1.conversation": frozenset({"begin_exchange", "exchange.content_type"}),
    "catshop.storage.sqlite": frozenset({"self._tell", "self._ran", "began"}),
}
"""By module: what else is called or set in order to tell it, by its text."""


class NothingRemoved(Exception):
    """The code is not as it was thought to be, so a measurement would say nothing."""


class Removal(ast.NodeTransformer):
    """Takes out of one module whatever it does for the trace."""

    def __init__(self, module: str) -> None:
        self._wanted = FOR_ITS_SAKE.get(module, frozenset())
        self.removed: Final[Counter[str]] = Counter()
        """How often each was found, by its text."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        """A call, and nothing is done with what it returns."""
        call = node.value
        if isinstance(call, ast.Call) and (_tells(call) or self._is_wanted(call.func)):
            return self._gone(node, call.func)
        self.generic_visit(node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        """A variable or an attribute is set."""
        if self._is_wanted(node.targets[0]):
            return self._gone(node, node.targets[0])
        self.generic_visit(node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Nobody observes; the compiler drops what stands behind such an `if`."""
        if node.attr == "observed" and is_trace(node.value):
            self.removed[ast.unparse(node)] += 1
            return ast.copy_location(ast.Constant(value=False), node)
        self.generic_visit(node)
        return node

    def missed(self) -> frozenset[str]:
        """What should have been there."""
        return self._wanted - self.removed.keys()

    def _is_wanted(self, node: ast.expr) -> bool:
        return bool(self._wanted) and ast.unparse(node) in self._wanted

    def _gone(self, node: ast.stmt, named: ast.expr) -> ast.stmt:
        self.removed[ast.unparse(named)] += 1
        return ast.copy_location(ast.Pass(), node)


def _tells(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=told, attr=name) if name in TELLS:
            return is_trace(told)
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in HELPERS:
            return any(map(is_trace, call.args))
        case _:
            return False


def is_trace(node: ast.expr) -> bool:
    """Whether this is a trace, by what it is called."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in TRACES
        case _:
            return False


def without(source: bytes | str, module: str) -> tuple[ast.Module, Counter[str]]:
    """The module without the trace, and what was taken out. NothingRemoved where that is amiss."""
    removal = Removal(module)
    tree: ast.Module = removal.visit(ast.parse(source))
    if missed := removal.missed():
        raise NothingRemoved(f"{module} has no {', '.join(sorted(missed))}")
    return tree, removal.removed


class Loader(SourceFileLoader):
    """Loads one module without the trace; it neither reads nor leaves a compiled one."""

    def __init__(self, name: str, path: str, removed: Counter[str]) -> None:
        super().__init__(name, path)
        self._removed = removed

    def get_code(self, fullname: str) -> CodeType:
        """The module's code, from its source."""
        tree, removed = without(self.get_data(self.path), fullname)
        self._removed[fullname] += removed.total()
        return compile(tree, self.path, "exec", dont_inherit=True)


class Finder(MetaPathFinder):
    """Finds our own modules where they are, and lets no other loader have them."""

    def __init__(self) -> None:
        self.removed: Final[Counter[str]] = Counter()
        """How much was taken out, by module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where the module is; None for other people's."""
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.origin is not None:
            spec.loader = Loader(fullname, spec.origin, self.removed)
        return spec


@contextmanager
def removing() -> Iterator[Counter[str]]:
    """Import without the trace for as long as the context is open; how much, by module."""
    early = [name for name in sys.modules if name.partition(".")[0] == PACKAGE]
    if early:
        raise NothingRemoved(f"{early[0]} was imported before")
    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield finder.removed
    finally:
        sys.meta_path.remove(finder)


def main() -> None:
    """Say how much was taken out, and serve until SIGTERM."""
    with removing() as removed:
        shop = runpy.run_path(str(Path(__file__).with_name("shop.py")))
        if not removed.total():
            raise NothingRemoved("nothing of the trace was found")
        print(json.dumps({"places": removed.total(), "modules": len(+removed)}), flush=True)
        shop["main"]()


if __name__ == "__main__":
    main()

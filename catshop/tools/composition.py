"""Which tools there are: every module of this folder that says `TOOLS = (...)`.

So a tool of your own is one file dropped in here: an async function with a docstring, `@tool(...)`
above it and `TOOLS = (it,)` below, and nothing else to register. A name that stands twice is
refused at start, and the order is that of the names, the same at every start.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from catshop import tools as folder
from catshop.tools.registry import Duration, ToolSpec
from catshop.tools.shop import Shop

__all__ = ["Shop", "collect", "takes_long", "tools"]


def collect(specs: Iterable[ToolSpec]) -> dict[str, ToolSpec]:
    """Tools by name, in the order of the names. ValueError when a name stands twice."""
    found: dict[str, ToolSpec] = {}
    for spec in sorted(specs, key=lambda spec: spec.name):
        if spec.name in found:
            raise ValueError(f"two tools are called {spec.name}; one of them needs another name")
        found[spec.name] = spec
    return found


@cache
def tools() -> dict[str, ToolSpec]:
    """Every tool of this folder."""
    names = (module.name for module in pkgutil.iter_modules(folder.__path__))
    modules = (importlib.import_module(f"{folder.__name__}.{name}") for name in names)
    return collect(spec for module in modules for spec in getattr(module, "TOOLS", ()))


def takes_long(name: str) -> bool:
    """Whether a call of this tool may go on in the background."""
    spec = tools().get(name)
    return spec is not None and spec.duration is Duration.LONG

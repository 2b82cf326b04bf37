"""Which tools there are: every module of this folder that says `TOOLS = (...)`.

So a tool of your own is one file dropped in here: an async function with a docstring, `@tool(...)`
above it and `TOOLS = (it,)` below, and nothing else to register. A name that stands twice is
refused at start, and the order is that of the names, the same at every start.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from catshop import tools as folder
from catshop.tools.registry import Duration, Scope, ToolSpec
from catshop.tools.shop import Shop

__all__ = ["Shop", "collect", "needs_of", "scope_of", "takes_long", "tools"]


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


READING: Final = frozenset(
    {
        "completion/complete",
        "prompts/get",
        "prompts/list",
        "resources/directory/read",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "skills/get",
        "skills/list",
        "subscriptions/listen",
        "tasks/cancel",
        "tasks/get",
        "tasks/update",
    }
)
"""What shows something of the shop or of its user, and changes neither."""


def needs_of(method: str, params: Mapping[str, object]) -> frozenset[str]:
    """Which scopes a request needs: a tool those that it declares, the rest `read` or none."""
    if method == "tools/call":
        return scope_of(str(params.get("name")))
    return frozenset({Scope.READ.value}) if method in READING else frozenset()


def scope_of(name: str) -> frozenset[str]:
    """Which scopes a call of this tool needs; none for a tool that does not exist."""
    spec = tools().get(name)
    return frozenset({spec.scope.value}) if spec else frozenset()


def takes_long(name: str) -> bool:
    """Whether a call of this tool may go on in the background."""
    spec = tools().get(name)
    return spec is not None and spec.duration is Duration.LONG

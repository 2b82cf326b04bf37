"""What a request needs: every scope of it at once, before anything of it is done.

A tool and a prompt declare their scopes; a resource is the catalog or the cart, by its URI. What
shows nothing but the menu needs no scope. The answer goes into one challenge, so that a client asks
its user once. Knows no tokens. Next: `registry.py`, where a tool says what it takes.
MCP 2026-07-28 basic/authorization §scope-challenge-handling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from catshop.tools.composition import tools
from catshop.tools.prompts import PROMPTS
from catshop.tools.registry import Scope
from catshop.tools.uris import CART

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
    """Which scopes a request needs: a tool those that it declares, the rest to read or none."""
    if method == "tools/call":
        return scopes_of(str(params.get("name")))
    if method not in READING:
        return frozenset()
    return frozenset({Scope.CATALOG_READ.value, *_beyond_the_catalog(params)})


def scopes_of(name: str) -> frozenset[str]:
    """Which scopes a call of this tool needs; none for a tool that does not exist."""
    spec = tools().get(name)
    return frozenset(scope.value for scope in spec.scopes) if spec else frozenset()


def _beyond_the_catalog(params: Mapping[str, object]) -> Iterator[str]:
    """What the named prompt looks at, and the cart when it is among the resources."""
    ref: Any = params.get("ref")
    names = (params.get("name"), ref.get("name") if isinstance(ref, Mapping) else None)
    for name in names:
        if isinstance(name, str) and name in PROMPTS:
            yield from (scope.value for scope in PROMPTS[name].scopes)
    told: Any = params.get("notifications")
    listed = told.get("resourceSubscriptions") if isinstance(told, Mapping) else None
    if CART in (params.get("uri"), *(listed if isinstance(listed, list) else ())):
        yield Scope.CART_READ.value

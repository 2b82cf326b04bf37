"""What a client must have declared before a server may count on it.

A handler that needs elicitation, sampling or roots asks here first, and a client that did not say
that it has them is told which ones are missing, so that nobody waits for an answer that cannot
come. Pure. Next: `request_state.py`, which asks for every handler that wants input.
MCP 2026-07-28 basic §error-codes, basic/patterns/mrtr.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mcp_types import ClientCapabilities

from catshop.protocol.jsonrpc import RpcError

MISSING_CAPABILITY: Final = -32021
"""MCP 2026-07-28 basic §error-codes."""


def needed_for(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """What a client declares when it answers this request of ours."""
    if method == "elicitation/create":
        return {"elicitation": {str(params.get("mode") or "form"): {}}}
    return {method.partition("/")[0]: {}}


def missing(declared: ClientCapabilities | None, needed: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the needed capabilities, as the client writes them, that it did not declare."""
    has = declared.model_dump(by_alias=True, exclude_none=True) if declared else {}
    if has.get("elicitation") == {}:
        # "an empty capabilities object is equivalent to declaring support for form mode only"
        has["elicitation"] = {"form": {}}
    return _without(needed, has)


def _without(needed: Mapping[str, Any], has: Mapping[str, Any]) -> dict[str, Any]:
    """The members of `needed` that `has` lacks, at whatever depth."""
    lacking: dict[str, Any] = {}
    for name, members in needed.items():
        if name not in has:
            lacking[name] = members
        elif isinstance(members, Mapping) and (
            deeper := _without(members, has[name] if isinstance(has[name], Mapping) else {})
        ):
            lacking[name] = deeper
    return lacking


def require(declared: ClientCapabilities | None, needed: Mapping[str, Any]) -> None:
    """Refuse with -32021 and what is missing, unless the client declared all that is needed."""
    lacking = missing(declared, needed)
    if lacking:
        wanted = {"requiredCapabilities": lacking}
        raise RpcError(
            MISSING_CAPABILITY, "E-MCP-09", arrived=f"no {', '.join(lacking)}", required=wanted
        )

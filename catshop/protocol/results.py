"""From a handler's result to the octets of a response, in one pass and for one revision.

The SDK's surface of the negotiated revision decides which members exist; a stateless result also
says how it ended (`resultType`), for how long it may be kept (`ttlMs`, `cacheScope`) and who made
it. A result whose model is frozen cannot change, so it is encoded once and remembered. Knows no
transport. Next: `dispatcher.py`. MCP 2026-07-28 basic §responses, server/utilities/caching.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from mcp.server.caching import apply_cache_hint
from mcp.server.context import HandlerResult
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import CORE_RESULT_TYPES, CacheableResult, ErrorData
from mcp_types import methods as surfaces
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from catshop.protocol.jsonrpc import INTERNAL_ERROR, RpcError
from catshop.protocol.ladder import SERVER_INFO
from catshop.protocol.versions import STATELESS

logger = logging.getLogger("catshop.mcp")

REMEMBERED: Final = 64
"""How many frozen results are kept encoded."""


class Encoder:
    """Encodes the results of one hosted server."""

    def __init__(self, server: Server[Any]) -> None:
        self._server = server
        self._frozen: OrderedDict[tuple[int, str, str], tuple[BaseModel, bytes]] = OrderedDict()

    def encode(self, method: str, version: str, result: HandlerResult) -> bytes:
        """The `result` member of the response. RpcError -32603 when the handler's result is none.

        An `ErrorData` that a handler returned instead of raising becomes the error that it is.
        """
        if isinstance(result, ErrorData):
            raise MCPError.from_error_data(result)
        if isinstance(result, BaseModel) and type(result).model_config.get("frozen"):
            return self._once(method, version, result)
        return to_json(self._shape(method, version, result), inf_nan_mode="constants")

    def _once(self, method: str, version: str, result: BaseModel) -> bytes:
        """Encode a frozen result once; the entry keeps it alive, so its id stays its own."""
        key = (id(result), method, version)
        known = self._frozen.get(key)
        if known is not None:
            return known[1]
        encoded = to_json(self._shape(method, version, result))
        self._frozen[key] = (result, encoded)
        if len(self._frozen) > REMEMBERED:
            self._frozen.popitem(last=False)
        return encoded

    def _shape(self, method: str, version: str, result: HandlerResult) -> dict[str, Any]:
        """The members that this revision gives the result."""
        dumped = _dump(self._with_hint(method, result))
        if method in surfaces.SPEC_CLIENT_METHODS and _is_core(version, dumped):
            dumped = _sieve(method, version, dumped)
        if version not in STATELESS:
            return dumped
        dumped.setdefault("resultType", "complete")
        meta = dumped.get("_meta") or {}
        stamp = {SERVER_INFO: self._server.server_info_stamp}
        return {**dumped, "_meta": {**stamp, **meta}}

    def _with_hint(self, method: str, result: HandlerResult) -> HandlerResult:
        """Fill in how long the result may be kept, where the handler left it open."""
        hint = self._server.cache_hints.get(method)
        if hint is None:
            return result
        if isinstance(result, CacheableResult):
            return apply_cache_hint(result, hint)
        if isinstance(result, Mapping) and not surfaces.is_input_required(result):
            return {"ttlMs": hint.ttl_ms, "cacheScope": hint.scope, **result}
        return result


def _dump(result: object) -> dict[str, Any]:
    match result:
        case None:
            return {}
        case BaseModel():
            return result.model_dump(by_alias=True, mode="json", exclude_none=True)
        case dict():
            return dict(result)
    logger.error("a handler returned %s; a model, a dict or None is a result", type(result))
    raise RpcError(INTERNAL_ERROR, "E-RPC-31")


def _is_core(version: str, dumped: Mapping[str, Any]) -> bool:
    """Whether the revision's schema describes this result; an extension's describes its own."""
    kind = dumped.get("resultType")
    return version not in STATELESS or not isinstance(kind, str) or kind in CORE_RESULT_TYPES


def _sieve(method: str, version: str, dumped: dict[str, Any]) -> dict[str, Any]:
    try:
        return surfaces.serialize_server_result(method, version, dumped)
    except ValidationError:
        logger.exception("the result of %s breaks the schema of %s", method, version)
        raise RpcError(INTERNAL_ERROR, "E-RPC-31") from None

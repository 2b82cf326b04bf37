"""Long lists in pages, as a feature that any low-level `Server` can switch on.

A handler lists everything, in the same order every time; here the answer is cut into pages. A
cursor says behind which entry the next page begins, and at which place that entry was, should it
be gone by then. It is signed for its method, so that one made up or brought from elsewhere is
refused instead of guessed at. Next: `catshop/signing.py`.
MCP 2026-07-28 server/utilities/pagination.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import PaginatedRequestParams
from pydantic import BaseModel

from catshop.protocol.jsonrpc import INVALID_PARAMS, RpcError
from catshop.signing import Signer

CURSOR: Final = "catshop.cursor"

LISTS: Final = {
    "tools/list": ("tools", "name"),
    "prompts/list": ("prompts", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resource_templates", "uri_template"),
}
"""What each method lists, and what an entry is known by. §operations-supporting-pagination."""

ItemT = TypeVar("ItemT")
Context = ServerRequestContext[Any, Any]
ListHandler = Callable[[Context, PaginatedRequestParams | None], Awaitable[HandlerResult]]


@dataclass(frozen=True, slots=True)
class Pages:
    """Cuts lists into pages of `size`."""

    signer: Signer
    size: int

    def cut(
        self, items: Sequence[ItemT], cursor: str | None, key: Callable[[ItemT], str], method: str
    ) -> tuple[Sequence[ItemT], str | None]:
        """The page that a cursor names, and the cursor of the next; None behind the last entry."""
        begin = 0 if cursor is None else self._begin(items, cursor, key, method)
        end = begin + self.size
        if end >= len(items):
            return items[begin:], None
        place = json.dumps([end, key(items[end - 1])])
        return items[begin:end], self.signer.sign(place, CURSOR, method)

    def _begin(
        self, items: Sequence[ItemT], cursor: str, key: Callable[[ItemT], str], method: str
    ) -> int:
        """Where the page begins. RpcError -32602 for a cursor that is not of this list."""
        place = self.signer.read(cursor, None, CURSOR, method)
        if place is None:
            raise RpcError(INVALID_PARAMS, "E-PAGE-01")
        index, last = json.loads(place)
        found = next((at for at, item in enumerate(items, 1) if key(item) == last), None)
        return int(index) if found is None else found

    def install(self, server: Server[Any]) -> None:
        """Page every list that `server` has. Comes after the server's own handlers."""
        for method in LISTS:
            entry = server.get_request_handler(method)
            if entry is not None:
                paged = partial(self._list, method, entry.handler)
                server.add_request_handler(method, PaginatedRequestParams, paged)

    async def _list(
        self, method: str, handler: ListHandler, ctx: Context, params: PaginatedRequestParams
    ) -> HandlerResult:
        """One page of what the handler lists; one that fits, and a mere mapping, stay untouched."""
        result = await handler(ctx, params)
        member, key = LISTS[method]
        items = getattr(result, member, None)
        if not isinstance(result, BaseModel) or items is None:
            return result
        if params.cursor is None and len(items) <= self.size:
            return result
        page, following = self.cut(items, params.cursor, lambda item: getattr(item, key), method)
        return result.model_copy(update={member: list(page), "next_cursor": following})

"""Long lists in pages: every entry once, and cursors that nobody can make up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.server.lowlevel import Server
from mcp_types import (
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    Prompt,
    Resource,
    ResourceTemplate,
    Tool,
)

from catshop.kernel import Secret
from catshop.protocol.jsonrpc import RpcError
from catshop.protocol.pagination import Pages
from catshop.signing import Signer
from tests.support.fixture_server import Context
from tests.support.hosting import Hosting, hosting

SIGNER = Signer(Secret("k" * 43))
LISTS = ["tools", "prompts", "resources", "resourceTemplates"]
METHODS = {name: f"{name}/list" for name in LISTS} | {
    "resourceTemplates": "resources/templates/list"
}


@dataclass
class Lists:
    """A server that lists so many of everything."""

    names: list[str] = field(default_factory=lambda: [f"cat-{n}" for n in range(7)])

    def build(self, size: int, signer: Signer = SIGNER) -> Server[Any]:
        """The server, with pages of that size."""
        server: Server[Any] = Server(
            "fixture",
            version="1",
            on_list_tools=self.tools,
            on_list_prompts=self.prompts,
            on_list_resources=self.resources,
            on_list_resource_templates=self.templates,
        )
        Pages(signer, size).install(server)
        return server

    async def tools(self, _c: Context, _p: PaginatedRequestParams | None) -> ListToolsResult:
        """Tools."""
        return ListToolsResult(
            tools=[Tool(name=name, input_schema={"type": "object"}) for name in self.names]
        )

    async def prompts(self, _c: Context, _p: PaginatedRequestParams | None) -> ListPromptsResult:
        """Prompts."""
        return ListPromptsResult(prompts=[Prompt(name=name) for name in self.names])

    async def resources(
        self, _c: Context, _p: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        """Resources."""
        return ListResourcesResult(
            resources=[Resource(name=name, uri=f"c://{name}") for name in self.names]
        )

    async def templates(
        self, _c: Context, _p: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        """Templates."""
        return ListResourceTemplatesResult(
            resource_templates=[
                ResourceTemplate(name=name, uri_template=f"c://{name}/{{x}}") for name in self.names
            ]
        )


@asynccontextmanager
async def listing(size: int, lists: Lists | None = None) -> AsyncIterator[Hosting]:
    """The server on a socket."""
    async with hosting((lists or Lists()).build(size)) as host:
        yield host


async def page(host: Hosting, name: str, cursor: str | None = None) -> tuple[list[str], str | None]:
    """The names on one page, and the next cursor."""
    response = await host.modern(METHODS[name], {} if cursor is None else {"cursor": cursor})
    result = response.json()["result"]
    return [entry["name"] for entry in result[name]], result.get("nextCursor")


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("size", [1, 3, 6, 7, 8])
async def test_every_list_comes_whole_and_in_order_page_by_page(name: str, size: int) -> None:
    """MCP 2026-07-28 server/utilities/pagination §operations-supporting-pagination."""
    lists = Lists()
    async with listing(size, lists) as host:
        pages = [await page(host, name)]
        while (cursor := pages[-1][1]) is not None:
            pages.append(await page(host, name, cursor))
    assert [entry for names, _ in pages for entry in names] == lists.names
    assert all(len(names) == size for names, _ in pages[:-1])
    assert pages[-1][0]


@pytest.mark.parametrize("cursor", ["", "2", "WzMsICJjYXQtMiJd", "\N{CAT}", "x" * 100_000])
@pytest.mark.parametrize("size", [3, 100])
async def test_a_cursor_that_we_never_gave_is_refused(cursor: str, size: int) -> None:
    """MCP 2026-07-28 server/utilities/pagination §error-handling; an empty one is a cursor too."""
    async with listing(size) as host:
        response = await host.modern("tools/list", {"cursor": cursor})
    assert (response.status_code, response.json()["error"]["code"]) == (400, -32602)
    assert response.json()["error"]["data"]["code"] == "E-PAGE-01"


async def test_a_cursor_of_another_list_is_refused() -> None:
    """MCP 2026-07-28 server/utilities/pagination §error-handling."""
    async with listing(3) as host:
        _, cursor = await page(host, "tools")
        response = await host.modern("prompts/list", {"cursor": cursor})
        session = await host.open()
        same = await host.call(session, "tools/list", {"cursor": cursor})
        other = await host.call(session, "resources/list", {"cursor": cursor})
    assert response.json()["error"]["data"]["code"] == "E-PAGE-01"
    assert [tool["name"] for tool in same.json()["result"]["tools"]] == ["cat-3", "cat-4", "cat-5"]
    assert other.json()["error"]["code"] == -32602


async def test_a_list_that_cuts_itself_into_pages_is_left_alone() -> None:
    """House rule: a mapping is passed on as its handler made it, cursor and all."""

    async def own(_c: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        listed = {"tools": [], "nextCursor": f"{params.cursor}+"}
        return {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", **listed}

    server: Server[Any] = Server("fixture", version="1")
    server.add_request_handler("tools/list", PaginatedRequestParams, own)
    Pages(SIGNER, 1).install(server)
    async with hosting(server) as host:
        assert await page(host, "tools", "mine") == ([], "mine+")


def test_no_bit_of_a_cursor_may_change() -> None:
    """Security case W1, for cursors."""
    pages = Pages(SIGNER, 2)
    _, cursor = pages.cut("abcdef", None, str, "letters")
    assert cursor is not None
    octets = cursor.encode()
    for place in range(len(octets)):
        for bit in range(7):
            changed = bytearray(octets)
            changed[place] ^= 1 << bit
            with pytest.raises(RpcError, match="E-PAGE-01"):
                pages.cut("abcdef", changed.decode("ascii"), str, "letters")


@given(
    before=st.lists(st.integers(0, 20), unique=True),
    gone=st.sets(st.integers(0, 20)),
    size=st.integers(1, 5),
)
def test_entries_that_stay_are_listed_although_others_come_and_go(
    before: list[int], gone: set[int], size: int
) -> None:
    """MCP 2026-07-28 server/utilities/pagination: cursors are stable."""
    pages = Pages(SIGNER, size)
    first, cursor = pages.cut(before, None, str, "numbers")
    left = [number for number in before if number not in gone or number in first]
    seen = list(first)
    while cursor is not None:
        more, cursor = pages.cut(left, cursor, str, "numbers")
        seen += more
    assert seen == [*first, *left[len(first) :]]


def test_where_the_last_entry_is_gone_its_place_counts() -> None:
    """House rule: a cursor outlives its entry."""
    pages = Pages(SIGNER, 2)
    _, cursor = pages.cut("abcdef", None, str, "letters")
    assert pages.cut("acdef", cursor, str, "letters")[0] == "de"
    assert pages.cut("a", cursor, str, "letters") == ("", None)

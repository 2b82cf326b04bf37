"""The peer: the SDK's low-level `Server` under uvicorn, as its documentation builds it.

The same products and the same answer as the shop's `list_products`, JSON answers, uvicorn on uvloop
and httptools where they are installed, and the SDK's own bearer check asking a SQLite table. Takes
a port and a token; the token is the only one in the table.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys

import uvicorn
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from pydantic import AnyHttpUrl

from catshop.tools.composition import tools
from catshop.tools.products import SEED

PRODUCTS = [product.wire() for product in SEED]


async def list_tools(
    _ctx: ServerRequestContext, _params: PaginatedRequestParams | None
) -> ListToolsResult:
    """The shop's tools."""
    listed = [spec.listed() for spec in tools().values()]
    return ListToolsResult(tools=[Tool.model_validate(each.model_dump()) for each in listed])


async def call_tool(_ctx: ServerRequestContext, _params: CallToolRequestParams) -> CallToolResult:
    """`list_products`, whatever was asked for."""
    return CallToolResult(
        content=[TextContent(type="text", text=json.dumps(each)) for each in PRODUCTS],
        structured_content={"result": PRODUCTS},
    )


class Table:
    """A table of tokens by their hash."""

    def __init__(self, token: str) -> None:
        self._rows = sqlite3.connect(":memory:")
        self._rows.execute("CREATE TABLE tokens (hash TEXT PRIMARY KEY, client TEXT, scopes TEXT)")
        self._rows.execute("INSERT INTO tokens VALUES (?, 'bench', 'read write')", (digest(token),))

    async def verify_token(self, token: str) -> AccessToken | None:
        """The SDK's port for a bearer check."""
        found = "SELECT client, scopes FROM tokens WHERE hash = ?"
        row = self._rows.execute(found, (digest(token),)).fetchone()
        return row and AccessToken(token=token, client_id=row[0], scopes=row[1].split())


def digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def main(port: int, token: str) -> None:
    """Serve until killed."""
    server: Server = Server("Cat Shop", on_list_tools=list_tools, on_call_tool=call_tool)
    origin = AnyHttpUrl(f"http://127.0.0.1:{port}")
    app = server.streamable_http_app(
        json_response=True,
        auth=AuthSettings(
            issuer_url=origin, resource_server_url=origin, validate_token_resource=False
        ),
        token_verifier=Table(token),
    )
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])

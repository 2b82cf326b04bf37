"""Cat Shop: a small shop behind an MCP server and an OAuth 2.1 authorization server.

Three planes, one question each: `protocol` (how does the call arrive?), `oauth` (who may call?),
`tools` and `storage` (what does the call do?). `app` is the only module that knows them all.
Start reading at `catshop/app.py`, or follow one call in `docs/reading-order.md`.
"""

__version__ = "0.1.0"

"""The doctor: what stands between a client and an MCP server, one named check after the other."""

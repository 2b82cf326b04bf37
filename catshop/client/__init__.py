"""The other end of the wire: a client of MCP by hand, for any server and both eras."""

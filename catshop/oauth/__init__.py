"""Plane 2: who may call? Grants and tokens; no JSON-RPC, no cats."""

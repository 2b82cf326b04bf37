"""Plane 1: how does the call arrive? Bytes and messages; no tokens, no cats."""

"""Plane 3a: what does the call do? Cats and carts; not the wire."""

"""Plane 3b: where does it stay? Obeys the ports that the planes wrote; only `app` imports it."""

"""Who is told at once when a grant is over.

Storage is where that is decided, and other processes read it there; whoever in this process
remembers tokens, so as not to ask for each, listens here and forgets them. Knows no tokens and no
storage: an id is passed on. Next: `resource.py`, which listens. OAuth 2.1 §4.3.3.
"""

from __future__ import annotations

from collections.abc import Callable


class Notices:
    """Tells this process at once that a family is over; others learn it from storage."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[str], None]] = []

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of every family that ends or whose tokens are replaced."""
        self._listeners.append(listener)

    def ended(self, *family_ids: str) -> None:
        """Say that these families ended, or that their access tokens did."""
        for listener in self._listeners:
            for family_id in family_ids:
                listener(family_id)

"""Beside which servers there may be an inspector: those that nobody but this machine can reach.

There is no flag that lifts this. Pure. Next: `web/entry.py`, who may look.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names and addresses that never leave this machine. RFC 6761 §6.3."""


class InspectorRefused(Exception):
    """The inspector does not start here; `code` and `arrived` say why."""

    def __init__(self, code: str, arrived: str) -> None:
        super().__init__(f"{code}: {arrived}")
        self.code = code
        self.arrived = arrived


def check_place(host: str, issuer: str) -> None:
    """Refuse to start unless host and issuer are names of this machine. RFC 6761 §6.3."""
    for name in (host, urlsplit(issuer).hostname or ""):
        if name not in LOOPBACK:
            raise InspectorRefused("E-INSPECT-07", name)

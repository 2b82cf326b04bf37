"""Faults of the floor that all requests cross: hosts, origins, and what the log says of them.

Next: `messages.py`, one floor up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from catshop.lab.model import Fault, Plane
from catshop.lab.swaps import Swap, instead

log: Final = logging.getLogger("catshop.http")


def _everybody(_original: Any) -> Callable[..., tuple[tuple[str, str], ...]]:
    return lambda *_: (
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
    )


def _talkative(original: Any) -> Callable[..., None]:
    """The line of a request, with all that it came with."""

    def note(trace: Any, request: Any, *more: Any) -> None:
        original(trace, request, *more)
        log.info("%s %s", request.head.target, dict(request.fields))

    return note


FAULTS: Final = (
    Fault(
        "host-not-checked",
        Plane.HTTP,
        "host.listed",
        "The server answers for every host.",
        "A hostile page whose name leads to this machine reads the answers (DNS rebinding).",
        "E-HOST-01",
        "RFC 9110 section 7.4",
        (instead("catshop.protocol.http1.guard:Guard.check_host", lambda *_: None),),
    ),
    Fault(
        "origin-not-checked",
        Plane.HTTP,
        "origin.listed",
        "The server answers pages of every origin.",
        "Any page that a user opens can call the shop on their machine.",
        "E-ORIGIN-01",
        "MCP 2025-11-25 basic/transports section security-warning",
        (instead("catshop.protocol.http1.guard:Guard.check_origin", lambda *_: None),),
    ),
    Fault(
        "cors-for-everybody",
        Plane.HTTP,
        "origin.cors_fields",
        "Every page may read every answer, with the cookies of its user.",
        "Access-Control-Allow-Origin is a star where it should name one origin.",
        "a look at Access-Control-Allow-Origin",
        "MCP 2025-11-25 basic/transports section security-warning",
        (Swap("catshop.protocol.http1.routes:cors_fields", _everybody),),
    ),
    Fault(
        "secrets-in-logs",
        Plane.HTTP,
        "door.note_answer",
        "The log has the whole address and all fields of each request.",
        "Tokens, codes and cookies stand in a file that many may read.",
        "a search for a planted token in the log",
        "RFC 6750 section 5.3",
        (Swap("catshop.protocol.http1.conversation:note_answer", _talkative),),
    ),
)
"""Of hosts, origins and the log."""

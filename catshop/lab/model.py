"""What a fault is: a name, the check that it breaks, and what somebody will see of it.

Data only, so that the command, the pages and the reference tell the same. Next: `faults/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from catshop.lab.swaps import Swap


class Plane(StrEnum):
    """Where in the house a fault is."""

    OAUTH = "oauth"
    PROTOCOL = "protocol"
    HTTP = "http"
    SHOP = "shop"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to be wrong.

    `check` names the rule that is swapped, `breaks` what the server does instead, `sees` what it
    looks like from outside, `caught` which refusal or which comparison shows it on a healthy
    server, `section` which sentence it breaks.
    """

    name: str
    plane: Plane
    check: str
    breaks: str
    sees: str
    caught: str
    section: str
    swaps: tuple[Swap, ...]

    def told(self) -> dict[str, str]:
        """What somebody may want to read of it."""
        members = ("name", "plane", "check", "breaks", "sees", "caught", "section")
        return {member: str(getattr(self, member)) for member in members}

"""Every fault by its name, in the order of a conversation: ask, redeem, show, call, shop.

One module for each part of the house; a new fault is one entry in one of them, and one probe in
`tests/lab/probes`, without which the tests fail. Next: `authorize.py`.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from catshop.lab.faults import authorize, bearer, floor, messages, proofs, redeem, shop, streams
from catshop.lab.model import Fault

FAULTS: Final[dict[str, Fault]] = {
    fault.name: fault
    for part in (authorize, redeem, bearer, proofs, floor, messages, streams, shop)
    for fault in part.FAULTS
}
"""All that can be broken."""


def meant(name: str) -> list[str]:
    """What somebody may have meant who typed a name that there is not; the likeliest first."""
    return get_close_matches(name.strip().lower(), FAULTS, n=3)

"""What the proxy to an upstream issuer asks of storage, as verbs with their races written down.

The same promises as in `ports.py`, of which this is a part: every verb may raise
`kernel.Unavailable`, and has then changed nothing. `catshop/storage/oauth/upstreams.py` obeys.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Protocol

from catshop.oauth.model import Trip, UpstreamToken, User


class Claimed(Enum):
    """What somebody else has in hand."""

    BY_ANOTHER = "by another"


class Upstreams(Protocol):
    """Trips to the upstream issuer, who came back from there, and what is asked there again."""

    async def depart(self, trip: Trip) -> bool:
        """Keep the trip until it is over or expires; False when its request is gone."""
        ...

    async def arrive(self, state: str) -> Trip | None:
        """Hand out the trip of that hash at most once, however many ask together."""
        ...

    async def resident(self, issuer: str, subject: str, newcomer: User) -> User:
        """The account of that subject of that issuer; `newcomer` when it comes the first time.

        Of many at once one becomes the account. A name that is taken gives way to the id.
        """
        ...

    async def keep(self, token: UpstreamToken, now: datetime) -> None:
        """Keep the token for as long as the code, or the family that it begins, is there."""
        ...

    async def claim(
        self, family_id: str, now: datetime, until: datetime
    ) -> UpstreamToken | Claimed | None:
        """The family's token for one caller alone until `until`; None when it has none.

        However many claim it together, one gets it: an upstream may rotate it at each use.
        """
        ...

    async def give_back(self, token: UpstreamToken) -> None:
        """Keep the token as it is now, and let others claim it."""
        ...

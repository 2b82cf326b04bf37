"""What the pages ask of storage: who is signed in in a browser, and what users have agreed to.

The same promises as in `ports.py`, of which this is a part: what must happen together is one verb,
every verb may raise `kernel.Unavailable`, and has then changed nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from catshop.oauth.model import App, BrowserSession, Consent, User


class Sessions(Protocol):
    """Browsers in which somebody is signed in."""

    async def sign_in(self, session: BrowserSession, previous: str) -> None:
        """Begin the session, end the one of `previous`, and hand over its waiting requests.

        In one transaction, so that the old cookie is worth nothing once the new one exists.
        """
        ...

    async def sign_up(self, user: User, session: BrowserSession, previous: str) -> bool:
        """The same for a new account, which is there with its session or not at all.

        False, and nothing begun, when the name is taken; of many at once one wins it.
        """
        ...

    async def find(self, browser: str, now: datetime) -> tuple[BrowserSession, User] | None:
        """The session of that browser, unless expired, with its user."""
        ...

    async def sign_out(self, browser: str, revoke_at: datetime | None) -> Sequence[str]:
        """End the session of that browser; with `revoke_at` every unused code and family of its
        user, too.

        The ids of the families revoked. OAuth 2.1 §4.3.3.
        """
        ...


class Consents(Protocol):
    """What users have agreed to."""

    async def find(
        self, user_id: str, client_id: str, redirect_uri: str, resource: str
    ) -> Consent | None:
        """The consent of that user to exactly that."""
        ...

    async def apps(self, user_id: str, now: datetime) -> Sequence[App]:
        """Every client that the user agreed to, or that holds a live grant; the oldest first."""
        ...

    async def withdraw(self, user_id: str, client_id: str, now: datetime) -> Sequence[str]:
        """Forget the consent, and in the same transaction end every unused code and family of this
        user and client; the ids of the families revoked. OAuth 2.1 §4.3.3.
        """
        ...

"""Tokens: made of randomness, kept as hashes, and issued as a family.

A token is opaque unless `keys.py` writes it: nobody reads anything in it but its prefix, which
tells a leaked one apart in a log. A refresh token also names its family, so that a stolen one is
recognised, and the family ended, even when its own row has long been cleaned up. Pure: randomness
comes in as `mint`. OAuth 2.1 §1.4, §3.2.3, §4.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from catshop.kernel import Secret
from catshop.limits import OAuthLimits
from catshop.oauth import scopes as scope_table
from catshop.oauth.model import AccessToken, Client, Code, Family, RefreshToken

Mint = Callable[[], str]
"""At least 256 random bits, in characters of base64url."""

ID_LENGTH: Final = 22
"""Characters of an id that must not be guessed: 132 bits."""

REFRESH: Final = re.compile(r"cat_rt_([A-Za-z0-9_\-]{22})\.[A-Za-z0-9_\-]{43,86}")


Write = Callable[[Secret, AccessToken, Family], Secret]
"""How the text of an access token is made; the same again for the same token."""


def opaque(random: Secret, token: AccessToken, family: Family) -> Secret:
    """Randomness as it is: what it stands for, storage alone knows."""
    return random


def short(mint: Mint) -> str:
    """An id: unguessable, and short enough to be read out."""
    return mint()[:ID_LENGTH]


def mint_code(mint: Mint) -> Secret:
    """A new authorization code. OAuth 2.1 §4.1.2."""
    return Secret(f"cat_ac_{mint()}")


def family_id_of(refresh_token: Secret) -> str | None:
    """The family that a refresh token names; None for what is no refresh token of ours."""
    found = REFRESH.fullmatch(refresh_token.reveal())
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Minted:
    """Fresh tokens that belong to nothing yet; made before the decision, thrown away if refused."""

    family_id: str
    access: Secret
    access_id: str
    refresh: Secret
    write: Write = opaque
    jkt: str | None = None
    """The key that whoever asks has proved to hold, by its thumbprint. RFC 9449 §6.1."""

    @classmethod
    def of(
        cls, family_id: str, mint: Mint, write: Write = opaque, jkt: str | None = None
    ) -> Minted:
        """Tokens for the family of that id."""
        refresh = Secret(f"cat_rt_{family_id}.{mint()}")
        access = Secret(f"cat_at_{mint()}")
        return cls(family_id, access, f"tok_{mint()[:12]}", refresh, write, jkt)

    def text(self, token: AccessToken, family: Family) -> Secret:
        """The access token, as its client gets it."""
        return self.write(self.access, token, family)

    def hashed(self, token: AccessToken, family: Family) -> AccessToken:
        """The access token with the hash of its text."""
        return replace(token, hash=self.text(token, family).digest())


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When what is issued at `now` ends."""

    now: datetime
    limits: OAuthLimits

    def after(self, seconds: float) -> datetime:
        """So many seconds from now."""
        return self.now + timedelta(seconds=seconds)

    def family(self, family_id: str, code: Code) -> Family:
        """The family that a redeemed code begins."""
        ends = self.after(self.limits.family_seconds)
        held = (code.client_id, code.user_id, code.scopes, code.resource)
        return Family(family_id, *held, created_at=self.now, expires_at=ends)

    def access(self, minted: Minted, family: Family, scopes: frozenset[str]) -> AccessToken:
        """An access token of `family`; it never outlives it."""
        ends = min(self.after(self.limits.access_seconds), family.expires_at)
        lasting = (self.now, ends)
        token = AccessToken("", minted.access_id, family.id, scopes, *lasting, jkt=minted.jkt)
        return minted.hashed(token, family)

    def refresh(self, minted: Minted, family: Family, client: Client) -> RefreshToken:
        """A refresh token of `family`: so long from its last use, and no longer than the family.

        A public client's is bound to its key; what proves another client is its own. RFC 9449 §5.
        """
        ends = min(self.after(self.limits.refresh_seconds), family.expires_at)
        jkt = minted.jkt if client.public else None
        return RefreshToken(minted.refresh.digest(), family.id, self.now, ends, jkt=jkt)


def kind(access: AccessToken) -> str:
    """How the token is to be shown: by anybody, or with a proof. RFC 6749 §7.1; RFC 9449 §5."""
    return "Bearer" if access.jkt is None else "DPoP"


def answer(
    minted: Minted, family: Family, access: AccessToken, refresh: RefreshToken | None
) -> dict[str, object]:
    """The token response; it always says which scope was granted. OAuth 2.1 §3.2.3; RFC 9449 §5."""
    body: dict[str, object] = {
        "access_token": minted.text(access, family).reveal(),
        "token_type": kind(access),
        "expires_in": round((access.expires_at - access.created_at).total_seconds()),
        "scope": scope_table.write(access.scopes),
    }
    if refresh is not None:
        body["refresh_token"] = minted.refresh.reveal()
    return body

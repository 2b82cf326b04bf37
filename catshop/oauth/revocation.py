"""Revocation: a client gives a token back.

A refresh token takes its whole family along; an access token goes alone, so that a client can get
the next one. A token that is unknown, foreign or gone is no error: what was asked for already
holds. RFC 7009 §2.
"""

from __future__ import annotations

from catshop.kernel import Clock, Kind, Secret, Trace
from catshop.oauth.model import Client
from catshop.oauth.parameters import Parameters
from catshop.oauth.ports import Stores


class Revocation:
    """Ends tokens at the wish of the client that they were issued to."""

    def __init__(self, stores: Stores, clock: Clock, trace: Trace) -> None:
        self._stores = stores
        self._clock = clock
        self._trace = trace

    async def revoke(self, sent: Parameters, client: Client) -> None:
        """End what `token` names. `token_type_hint` would only save us a look. RFC 7009 §2.1."""
        token = Secret(sent.need("token"))
        found = await self._stores.grants.family_of(token.digest())
        if found is None or found[0].client_id != client.id:
            return
        family, access = found
        if access is None:
            await self._stores.grants.revoke_family(family.id, self._clock())
        else:
            await self._stores.grants.revoke_access(access.id)
        self._stores.notices.ended(family.id)
        what = "family" if access is None else "access token"
        self._trace.note(Kind.STATE, "revoked", what=what, client_id=client.id)

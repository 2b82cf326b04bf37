"""DPoP from the client's side: a fresh proof with every request, and the nonces that servers want.

A server may refuse a proof once and name a nonce; the proof is then made again with it, and with
every answer the server may name the next one. Each origin has its own. RFC 9449 §4, §8, §9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from catshop.client.oauth.keys import SigningKey, hashed
from catshop.client.oauth.steps import Sources, origin
from catshop.kernel import Secret

CODE: Final = "use_dpop_nonce"
"""How a server asks for a proof with a nonce. RFC 9449 §8."""

NONCE: Final = "dpop-nonce"
"""The field in which the nonce comes. RFC 9449 §8."""


@dataclass(slots=True)
class Possession:
    """A key, and the newest nonce of each origin that gave one."""

    key: SigningKey
    nonces: dict[str, str] = field(default_factory=dict)

    def proof(
        self, method: str, url: str, sources: Sources, token: Secret | None = None
    ) -> Mapping[str, str]:
        """The field DPoP of one request, bound to the access token beside it, if there is one."""
        nonce = self.nonces.get(origin(url))
        more = {"nonce": nonce} if nonce else {}
        if token is not None:
            more["ath"] = hashed(token.reveal())
        return {"DPoP": self.key.proof(method, url, sources, more)}

    def learn(self, url: str, nonce: str | None) -> None:
        """Keep the nonce that came with an answer, if one did, for its origin. RFC 9449 §8.2."""
        if nonce:
            self.nonces[origin(url)] = nonce

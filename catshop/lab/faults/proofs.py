"""Faults of signed proofs: DPoP, and the assertions of clients that have keys.

Next: `floor.py`, which knows no tokens.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any, Final

from catshop.kernel import Secret
from catshop.lab.model import Fault, Plane
from catshop.lab.swaps import Swap, instead, passes, row

PROOF: Final = "catshop.oauth.dpop:PROOF"
ASSERTION: Final = "catshop.oauth.assertions:ASSERTION"


async def _never_seen(*_: object) -> bool:
    """Every proof is new."""
    return True


def _part(token: Secret, number: int) -> Any:
    text = token.reveal().split(".")[number]
    return json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _unsigned_too(original: Any) -> Callable[[Secret, Any], Any]:
    """`alg: none` says that nobody signed, and is believed."""

    def verified(token: Secret, keys: Any) -> Any:
        if _part(token, 0).get("alg") == "none":
            return _part(token, 1)
        return original(token, keys)

    return verified


def _readable(original: Any) -> Callable[[Secret], Any]:
    """The claims, also of a token whose last part is empty."""
    return lambda token: _part(token, 1) if token.reveal().endswith(".") else original(token)


FAULTS: Final = (
    Fault(
        "proof-replayed",
        Plane.OAUTH,
        "dpop.jti",
        "A proof is good as often as it is shown; its jti is not kept.",
        "Who sees one request can send it again.",
        "E-DPOP-09",
        "RFC 9449 section 11.1",
        (instead("catshop.storage.oauth.proofs:Proofs.spend", _never_seen),),
    ),
    Fault(
        "dpop-ath-skipped",
        Plane.OAUTH,
        "dpop.ath",
        "A proof need not be about the token that it comes with.",
        "A proof made for one token opens with another.",
        "E-DPOP-08",
        "RFC 9449 section 4.3",
        (row(PROOF, "dpop.ath", passes),),
    ),
    Fault(
        "dpop-method-skipped",
        Plane.OAUTH,
        "dpop.htm",
        "A proof need not be about the method of the request.",
        "A proof for GET is taken for POST.",
        "E-DPOP-05",
        "RFC 9449 section 4.3",
        (row(PROOF, "dpop.htm", passes),),
    ),
    Fault(
        "dpop-address-skipped",
        Plane.OAUTH,
        "dpop.htu",
        "A proof need not be about the address of the request.",
        "A proof that was made for another server is taken here.",
        "E-DPOP-05",
        "RFC 9449 section 4.3",
        (row(PROOF, "dpop.htu", passes),),
    ),
    Fault(
        "dpop-time-skipped",
        Plane.OAUTH,
        "dpop.iat",
        "A proof is good whenever it was made.",
        "Proofs can be collected and used years later.",
        "E-DPOP-07",
        "RFC 9449 section 11.1",
        (row(PROOF, "dpop.iat", passes),),
    ),
    Fault(
        "jwt-alg-none",
        Plane.OAUTH,
        "assertion.signature",
        "A JWT that says alg none is believed without a signature.",
        "Whoever knows the name of a client is that client.",
        "E-CLIENT-06",
        "RFC 8725 section 3.2",
        (
            Swap("catshop.oauth.jwt:verified_claims", _unsigned_too),
            Swap("catshop.oauth.jwt:unverified_claims", _readable),
        ),
    ),
    Fault(
        "jwt-audience-skipped",
        Plane.OAUTH,
        "assertion.audience",
        "An assertion that was made for another server is taken.",
        "A server that a client talks to can pose as the client here.",
        "E-CLIENT-06",
        "RFC 7523 section 3",
        (row(ASSERTION, "assertion.audience", passes),),
    ),
    Fault(
        "client-secret-ignored",
        Plane.OAUTH,
        "client.secret",
        "Any client_secret is right.",
        "Whoever knows the name of a client is that client.",
        "E-CLIENT-04",
        "OAuth 2.1 section 2.4.1",
        (row("catshop.oauth.client_auth:CLIENT", "client.secret", passes),),
    ),
)
"""Of what is signed, or secret."""

"""Faults of the token endpoint: how codes and refresh tokens are turned into tokens.

Next: `bearer.py`, where a token is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from catshop.lab.model import Fault, Plane
from catshop.lab.swaps import Swap, instead, passes, row
from catshop.oauth.errors import InvalidGrant, OAuthError
from catshop.oauth.grants import Redemption, Rotation, verifier_fits
from catshop.oauth.model import RefreshEvent, RefreshState
from catshop.oauth.ports import Issue
from catshop.protocol.http1.messages import Answer
from catshop.storage.oauth import grants as stored

CODE: Final = "catshop.oauth.grants:CODE"
REFRESH: Final = "catshop.oauth.grants:REFRESH"


def _redeemed_again(_original: Any) -> Callable[[Any, str, Issue], bool]:
    def redeem(statements: Any, _code: str, issue: Issue) -> bool:
        stored._add_family(statements, issue.family)
        stored._add_tokens(statements, issue)
        return True

    return redeem


def _verifier_told(redemption: Redemption) -> Redemption:
    """The refusal shows both sides, to be helpful."""
    try:
        return verifier_fits(redemption)
    except InvalidGrant as error:
        verifier = redemption.asked.code_verifier
        shown = verifier.reveal() if verifier else ""
        raise InvalidGrant(error.reference, arrived=f"{shown} hashed") from None


def _unpunished(check: str) -> Callable[[Any], Any]:
    """The marks that failures leave, without the one of this check."""
    return lambda marks: {name: mark for name, mark in marks.items() if name != check}


def _kept(original: Any) -> Callable[..., Any]:
    def decide(*given: Any) -> Any:
        decision = original(*given)
        return replace(decision, refresh=None) if isinstance(decision, Issue) else decision

    return decide


def _not_moved_on(_original: Any) -> Callable[[Any, Any, Issue], bool]:
    def rotate(statements: Any, _found: Any, issue: Issue) -> bool:
        stored._add_tokens(statements, issue)
        return True

    return rotate


def _ever_again(rotation: Rotation) -> Rotation:
    if rotation.token.state is RefreshState.LIVE:
        return rotation
    return replace(rotation, event=RefreshEvent.RETRY)


def _wider(rotation: Rotation) -> Rotation:
    return replace(rotation, scopes=rotation.asked.scopes or rotation.family.scopes)


def _as_success(original: Any) -> Callable[[OAuthError], Answer]:
    return lambda error: replace(original(error), status=200)


def _vague(original: Any) -> Callable[[OAuthError], Answer]:
    """Every refusal under one name."""

    def render(error: OAuthError) -> Answer:
        answer: Answer = original(error)
        told = b'"error":"' + error.code.encode() + b'"'
        return replace(answer, body=answer.body.replace(told, b'"error":"invalid_request"'))

    return render


async def _nothing(*_: object) -> None:
    """The revocation that revokes nothing."""


FAULTS: Final = (
    Fault(
        "pkce-skipped",
        Plane.OAUTH,
        "pkce.s256",
        "The code_verifier is not compared with the code_challenge.",
        "A stolen code is worth tokens: any code_verifier is taken.",
        "E-PKCE-06",
        "RFC 7636 section 4.6",
        (row(CODE, "pkce.s256", passes),),
    ),
    Fault(
        "code-reusable",
        Plane.OAUTH,
        "code.unused",
        "A code works as often as it is shown.",
        "The second redemption gets tokens, too.",
        "E-TOKEN-14",
        "OAuth 2.1 section 4.1.3",
        (
            row(CODE, "code.unused", passes),
            Swap("catshop.storage.oauth.grants:_redeem", _redeemed_again),
        ),
    ),
    Fault(
        "code-replay-unpunished",
        Plane.OAUTH,
        "code.unused",
        "A code that comes again is refused, but what was issued for it lives on.",
        "If the thief was first, the thief keeps the tokens.",
        "a token that still works after its code came twice",
        "OAuth 2.1 section 4.1.3",
        (Swap("catshop.oauth.grants:MARKS", _unpunished("code.unused")),),
    ),
    Fault(
        "code-never-expires",
        Plane.OAUTH,
        "code.fresh",
        "A code works however late it comes.",
        "A code from an old log is worth tokens.",
        "E-TOKEN-15",
        "OAuth 2.1 section 4.1.2",
        (row(CODE, "code.fresh", passes),),
    ),
    Fault(
        "code-not-bound-to-client",
        Plane.OAUTH,
        "code.client",
        "A code works for every client, not for the one that asked.",
        "Another client redeems the code.",
        "E-TOKEN-11",
        "OAuth 2.1 section 4.1.3",
        (row(CODE, "code.client", passes),),
    ),
    Fault(
        "code-redirect-ignored",
        Plane.OAUTH,
        "code.redirect_uri",
        "The redirect_uri of the token request is not compared.",
        "A code that was asked for at one address is redeemed for another.",
        "E-TOKEN-12",
        "OAuth 2.1 section 10.2",
        (row(CODE, "code.redirect_uri", passes),),
    ),
    Fault(
        "refresh-not-rotated",
        Plane.OAUTH,
        "refresh.rotated",
        "A refresh token stays the same for as long as it lives.",
        "The answer has no new refresh_token, so theft can never be noticed.",
        "a comparison of two refresh tokens",
        "OAuth 2.1 section 4.3.1",
        (
            Swap("catshop.oauth.grants:decide_refresh", _kept),
            Swap("catshop.storage.oauth.grants:_rotate", _not_moved_on),
        ),
    ),
    Fault(
        "refresh-reuse-accepted",
        Plane.OAUTH,
        "refresh.unused",
        "A refresh token that was used before is taken again, however late.",
        "Thief and victim both go on, and nobody notices.",
        "E-REF-06",
        "RFC 9700 section 4.14.2",
        (row(REFRESH, "refresh.unused", _ever_again),),
    ),
    Fault(
        "refresh-reuse-unpunished",
        Plane.OAUTH,
        "refresh.unused",
        "A reused refresh token is refused, but its family lives on.",
        "Whoever holds the newest token keeps it, thief or not.",
        "a token that still works after an old one came again",
        "RFC 9700 section 4.14.2",
        (Swap("catshop.oauth.grants:MARKS", _unpunished("refresh.unused")),),
    ),
    Fault(
        "refresh-not-bound-to-client",
        Plane.OAUTH,
        "refresh.client",
        "A refresh token works for every client.",
        "Another client refreshes with a token that was never its own.",
        "E-REF-02",
        "OAuth 2.1 section 4.3.1",
        (row(REFRESH, "refresh.client", passes),),
    ),
    Fault(
        "scope-grows",
        Plane.OAUTH,
        "refresh.scope",
        "A refresh may ask for more than the user has granted.",
        "A client that may read refreshes into one that may write.",
        "E-SCOPE-03",
        "OAuth 2.1 section 4.3.1",
        (row(REFRESH, "refresh.scope", _wider),),
    ),
    Fault(
        "revocation-ignored",
        Plane.OAUTH,
        "revoke",
        "The revocation endpoint says 200 and does nothing.",
        "A token works after its client has given it back.",
        "a token that still works after it was revoked",
        "RFC 7009 section 2",
        (instead("catshop.oauth.revocation:Revocation.revoke", _nothing),),
    ),
    Fault(
        "token-cacheable",
        Plane.OAUTH,
        "token.no_store",
        "The answer with the tokens may be kept by whoever passes it on.",
        "Cache-Control says public, max-age=3600.",
        "a look at Cache-Control",
        "OAuth 2.1 section 3.2.3",
        (instead("catshop.oauth.endpoints:NO_STORE", ("cache-control", "public, max-age=3600")),),
    ),
    Fault(
        "refused-with-200",
        Plane.OAUTH,
        "errors.render",
        "Refusals of the token endpoint come with 200.",
        "A client that looks at the status takes an error for tokens.",
        "a look at the status",
        "RFC 6749 section 5.2",
        (Swap("catshop.oauth.endpoints:render", _as_success),),
    ),
    Fault(
        "one-error-for-all",
        Plane.OAUTH,
        "errors.render",
        "Every refusal of the token endpoint is called invalid_request.",
        "A client does not know that it has to ask its user again.",
        "a look at error",
        "RFC 6749 section 5.2",
        (Swap("catshop.oauth.endpoints:render", _vague),),
    ),
    Fault(
        "error-tells-secret",
        Plane.OAUTH,
        "pkce.s256",
        "The description of a refusal shows the code_verifier that came.",
        "A secret stands in an answer that clients log.",
        "a search for the secret in the answer",
        "RFC 6749 section 5.2",
        (row(CODE, "pkce.s256", _verifier_told),),
    ),
)
"""Of the token and revocation endpoints."""

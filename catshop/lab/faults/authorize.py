"""Faults of the authorization request, the pages, and the two documents: how a code is asked for.

Next: `redeem.py`, where the code is turned into tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from catshop.kernel import Secret
from catshop.lab.model import Fault, Plane
from catshop.lab.swaps import Swap, instead, passes, row
from catshop.oauth import pkce
from catshop.oauth.authorize import Draft, challenge_is_s256


def _begins_alike(_original: Any) -> Callable[[str, str], bool]:
    return lambda presented, registered: presented.startswith(registered)


def _anywhere(original: Any) -> Callable[[object], str]:
    def registrable(uri: object) -> str:
        return uri if isinstance(uri, str) and uri.startswith("http://") else str(original(uri))

    return registrable


def _pkce_if_offered(draft: Draft) -> Draft:
    return challenge_is_s256(draft) if draft.sent.one("code_challenge") else draft


def _plain_too(draft: Draft) -> Draft:
    """What arrives as `plain` is the verifier itself; kept so that it can be redeemed."""
    challenge = draft.sent.one("code_challenge")
    if draft.sent.one("code_challenge_method") != "plain" or challenge is None:
        return challenge_is_s256(draft)
    return replace(draft, challenge=pkce.derive(Secret(challenge)))


def _any_resource(draft: Draft) -> Draft:
    asked = draft.sent.all("resource")
    return replace(draft, resource=asked[0] if asked else draft.settings.resource)


def _any_scope(draft: Draft) -> Draft:
    """Whatever is asked for, whatever the client registered for."""
    return replace(draft, scopes=frozenset((draft.sent.one("scope") or "read").split()))


def _no_state(original: Any) -> Callable[..., str]:
    def location(redirect_uri: str, issuer: str, _state: str | None, **members: str) -> str:
        return str(original(redirect_uri, issuer, None, **members))

    return location


def _no_iss(original: Any) -> Callable[..., str]:
    def location(redirect_uri: str, issuer: str, state: str | None, **members: str) -> str:
        address = str(original(redirect_uri, "", state, **members))
        return address.removesuffix("&iss=").removesuffix("iss=")

    return location


def _another_iss(original: Any) -> Callable[..., str]:
    def location(redirect_uri: str, issuer: str, state: str | None, **members: str) -> str:
        return str(original(redirect_uri, "https://issuer.example", state, **members))

    return location


def _all_that_was_asked(original: Any) -> Callable[..., Any]:
    async def approve(
        self: Any, waiting: Any, user: Any, _granted: frozenset[str], *more: Any, **named: Any
    ) -> Any:
        return await original(self, waiting, user, waiting.scopes, *more, **named)

    return approve


def _changed(**members: object) -> Callable[[Any], Callable[..., dict[str, object]]]:
    """A document with other members; one that is None is left out."""

    def make(original: Any) -> Callable[..., dict[str, object]]:
        def document(*given: Any) -> dict[str, object]:
            told = {**original(*given), **members}
            return {name: value for name, value in told.items() if value is not None}

        return document

    return make


def _slashed_issuer(original: Any) -> Callable[..., dict[str, object]]:
    def document(*given: Any) -> dict[str, object]:
        told = dict(original(*given))
        return {**told, "issuer": f"{told['issuer']}/"}

    return document


FAULTS: Final = (
    Fault(
        "redirect-prefix-match",
        Plane.OAUTH,
        "authorize.redirect_uri",
        "A redirect_uri that begins like a registered one is taken for it.",
        "The code travels to an address that nobody registered.",
        "E-AUTHZ-04",
        "OAuth 2.1 section 4.1.1",
        (
            Swap("catshop.oauth.redirects:matches", _begins_alike),
            Swap("catshop.oauth.parking:matches", _begins_alike),
        ),
    ),
    Fault(
        "redirect-plain-http",
        Plane.OAUTH,
        "redirects.registrable",
        "A client may register an http address of another machine.",
        "The code crosses the network where everybody on the way can read it.",
        "E-REG-04",
        "OAuth 2.1 section 2.3.1",
        (Swap("catshop.oauth.redirects:registrable", _anywhere),),
    ),
    Fault(
        "pkce-optional",
        Plane.OAUTH,
        "pkce.challenge",
        "A request without code_challenge is taken.",
        "A client that forgot PKCE gets a page to sign in, and never learns that it forgot.",
        "E-PKCE-01",
        "RFC 7636 section 4.4.1",
        (row("catshop.oauth.browser:AT_THE_CLIENT", "pkce.challenge", _pkce_if_offered),),
    ),
    Fault(
        "pkce-plain-accepted",
        Plane.OAUTH,
        "pkce.challenge",
        "code_challenge_method=plain is taken.",
        "Whoever can read the request has the verifier, because it is the challenge.",
        "E-PKCE-02",
        "OAuth 2.1 section 4.1.1",
        (row("catshop.oauth.browser:AT_THE_CLIENT", "pkce.challenge", _plain_too),),
    ),
    Fault(
        "resource-ignored",
        Plane.OAUTH,
        "authorize.resource",
        "Any resource is taken at the authorization endpoint.",
        "Users are asked to let a client into a resource that this server does not guard.",
        "E-AUD-01",
        "RFC 8707 section 2",
        (row("catshop.oauth.browser:AT_THE_CLIENT", "authorize.resource", _any_resource),),
    ),
    Fault(
        "scope-beyond-registration",
        Plane.OAUTH,
        "authorize.scope",
        "A client is granted scopes that it did not register for.",
        "A client that registered to read shows its users a page that lets it write.",
        "E-SCOPE-04",
        "OAuth 2.1 section 1.4.1",
        (row("catshop.oauth.browser:AT_THE_CLIENT", "authorize.scope", _any_scope),),
    ),
    Fault(
        "request-object-ignored",
        Plane.OAUTH,
        "authorize.request",
        "A request object is passed over in silence.",
        "What the client signed is not what the server does.",
        "E-AUTHZ-08",
        "OpenID Connect Core 1.0 section 6",
        (row("catshop.oauth.browser:AT_THE_CLIENT", "authorize.request", passes),),
    ),
    Fault(
        "state-dropped",
        Plane.OAUTH,
        "authorize.location",
        "The answer to the client is without its state.",
        "The client cannot tell its own answer from one that an attacker began.",
        "a client that compares state",
        "OAuth 2.1 section 4.1.2",
        (Swap("catshop.oauth.browser:location", _no_state),),
    ),
    Fault(
        "iss-missing",
        Plane.OAUTH,
        "authorize.location",
        "The answer to the client does not say which server it is from.",
        "A client with two servers can be made to send the code of one to the other.",
        "a client that compares iss",
        "RFC 9207 section 2",
        (Swap("catshop.oauth.browser:location", _no_iss),),
    ),
    Fault(
        "iss-wrong",
        Plane.OAUTH,
        "authorize.location",
        "The answer to the client names another server.",
        "A careful client throws the answer away; a careless one goes on.",
        "a client that compares iss",
        "RFC 9207 section 2.4",
        (Swap("catshop.oauth.browser:location", _another_iss),),
    ),
    Fault(
        "csrf-skipped",
        Plane.OAUTH,
        "form.token",
        "The forms of the pages are taken without their token.",
        "Another site can press the button of the consent page.",
        "E-LOGIN-03",
        "OAuth 2.1 section 7.9",
        (instead("catshop.oauth.browser:Browser._is_ours", lambda *_: True),),
    ),
    Fault(
        "consent-ignores-choice",
        Plane.OAUTH,
        "consent.given",
        "Everything that was asked for is granted, whatever the user left checked.",
        "A user who allowed to read finds a token that writes.",
        "a comparison of the scope that was allowed with the one of the token",
        "OAuth 2.1 section 4.1.2",
        (Swap("catshop.oauth.browser:Browser.approve", _all_that_was_asked),),
    ),
    Fault(
        "consent-remembered-too-widely",
        Plane.OAUTH,
        "consent.remembered",
        "A yes to a client counts for everything that it asks for later.",
        "The second request asks for more, and no page is shown.",
        "E-CONSENT-05",
        "OAuth 2.1 section 7.3",
        (row("catshop.oauth.consent:RECALL", "consent.remembered", passes),),
    ),
    Fault(
        "issuer-mismatch",
        Plane.OAUTH,
        "metadata.server",
        "The metadata names the issuer with a slash more than its address has.",
        "A client that compares, as it must, stops right after discovery.",
        "a client that compares issuer",
        "RFC 8414 section 3.3",
        (Swap("catshop.oauth.metadata:server", _slashed_issuer),),
    ),
    Fault(
        "pkce-not-advertised",
        Plane.OAUTH,
        "metadata.server",
        "The metadata has no code_challenge_methods_supported.",
        "A client of MCP must refuse to go on.",
        "a client that looks for S256",
        "MCP 2026-07-28 basic/authorization/security-considerations"
        " section authorization-code-protection",
        (Swap("catshop.oauth.metadata:server", _changed(code_challenge_methods_supported=None)),),
    ),
    Fault(
        "metadata-names-another-resource",
        Plane.OAUTH,
        "metadata.resource",
        "The metadata of the resource is about another resource.",
        "A client that compares, as it must, does not trust what it says.",
        "a client that compares resource",
        "RFC 9728 section 3.3",
        (
            Swap(
                "catshop.oauth.metadata:resource",
                _changed(resource="https://elsewhere.example/mcp"),
            ),
        ),
    ),
)
"""Of the request, the pages and the documents."""

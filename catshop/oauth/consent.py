"""Remembered consent: what a user has agreed to once, and when that counts again.

A yes is kept for one user, client, redirect_uri and resource, with the scopes that were granted and
a fingerprint of the client as it was then. It spares the user a page only where the user began and
the client cannot be somebody else: a page that another site opened is always shown, and so is one
whose answer goes to a program that could be any. A list of named checks. Next: `browser.py`.
OAuth 2.1 §7.3; docs/why/0022.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from catshop.kernel import Trace
from catshop.oauth import redirects, scopes
from catshop.oauth.checks import Checks, examine, report
from catshop.oauth.errors import ConsentRequired
from catshop.oauth.model import AuthorizationRequest, Client, Consent, User
from catshop.oauth.session_ports import Consents

BEGUN_HERE: Final = frozenset({"none", "same-origin"})
"""Values of Sec-Fetch-Site that say that nobody else led here: the address bar, or our own page.

Fetch Metadata Request Headers §2.3. A browser that says nothing may have come from anywhere.
"""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A request of a user next to the consent that may answer it, and how the browser came to it.

    `ours` is where our own addresses begin.
    """

    request: AuthorizationRequest
    client: Client
    user: User
    ours: str
    kept: Consent | None = None
    came: str | None = None


def user_began(recalled: Recalled) -> Recalled:
    """No other site may drive the browser through unseen. OAuth 2.1 §7.3."""
    if recalled.came not in BEGUN_HERE:
        raise ConsentRequired("E-CONSENT-05", arrived=recalled.came or "no Sec-Fetch-Site")
    return recalled


def client_does_not_insist(recalled: Recalled) -> Recalled:
    """`prompt=consent` asks for the page. OpenID Connect Core 1.0 §3.1.2.1."""
    if recalled.request.prompt == "consent":
        raise ConsentRequired("E-CONSENT-05", arrived="prompt=consent")
    return recalled


def answer_goes_to_the_client_alone(recalled: Recalled) -> Recalled:
    """An https address is proof of who the client is; a program on the user's machine has none.

    OAuth 2.1 §7.3.1. An answer to a device comes to an address of ours, and is always asked for.
    """
    target = recalled.request.redirect_uri
    if not target.startswith("https://") or target.startswith(recalled.ours):
        raise ConsentRequired("E-CONSENT-05", arrived=redirects.destination(target))
    return recalled


def same_was_allowed(recalled: Recalled) -> Recalled:
    """Nothing wider than before, for the client as it was before. OAuth 2.1 §7.3."""
    kept = recalled.kept
    if kept is None or kept.fingerprint != fingerprint(recalled.client):
        raise ConsentRequired("E-CONSENT-05", arrived="no consent to this client as it is")
    if not scopes.covers(kept.scopes, recalled.request.scopes):
        raise ConsentRequired("E-CONSENT-05", arrived=scopes.write(recalled.request.scopes))
    return recalled


RECALL: Final[Checks[Recalled]] = (
    ("consent.begun_here", user_began),
    ("consent.prompt", client_does_not_insist),
    ("consent.client_alone", answer_goes_to_the_client_alone),
    ("consent.remembered", same_was_allowed),
)
"""What must hold before a user is not asked again."""


async def recalled(held: Recalled, came: str | None, remembered: Consents, trace: Trace) -> bool:
    """Whether the user has agreed to this before, and need not again."""
    asked = held.request
    target = redirects.without_port(asked.redirect_uri)
    kept = await remembered.find(held.user.id, held.client.id, target, asked.resource)
    if kept is None:
        return False
    _, findings = examine(RECALL, replace(held, kept=kept, came=came))
    report(findings, trace)
    return findings.error is None


def fingerprint(client: Client) -> str:
    """What a client must not change without its users being asked: where answers go, and its keys.

    MCP 2026-07-28 basic/authorization/client-registration §client-id-metadata-documents.
    """
    keys = [client.jwks, client.jwks_uri, client.auth_method]
    told = json.dumps([sorted(client.redirect_uris), *keys])
    return hashlib.sha256(told.encode()).hexdigest()


def given(
    request: AuthorizationRequest,
    client: Client,
    user: User,
    granted: frozenset[str],
    now: datetime,
) -> Consent:
    """The consent that a user has just given."""
    target = redirects.without_port(request.redirect_uri)
    held = (user.id, client.id, target, request.resource)
    return Consent(*held, granted, fingerprint(client), now)

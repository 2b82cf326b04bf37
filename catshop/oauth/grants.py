"""The two grants, code and refresh: what must hold before tokens are issued.

Each is a list of named checks in the order of the specification, and a table that says which
failure leaves a mark: a wrong verifier is counted, a replay ends the family. Pure, because storage
runs `decide_*` inside the transaction that issues the tokens. OAuth 2.1 §4.1.3, §4.3.1; RFC 7636
§4.6; RFC 9700 §4.14.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Final

from catshop.oauth import audience, pkce
from catshop.oauth.checks import Checks, Findings, examine
from catshop.oauth.errors import InvalidDpopProof, InvalidGrant, InvalidScope, InvalidTarget
from catshop.oauth.model import (
    Client,
    Code,
    Family,
    RefreshEvent,
    RefreshState,
    RefreshToken,
    User,
)
from catshop.oauth.parameters import CodeGrant, RefreshGrant
from catshop.oauth.ports import Decision, Effect, FoundCode, FoundRefresh, Issue, Refuse
from catshop.oauth.scopes import common, covers, reach
from catshop.oauth.tokens import Lifetimes, Minted

MARKS: Final[Mapping[str, Effect]] = {
    "pkce.s256": Effect.COUNT_TRY,
    "code.unused": Effect.REVOKE_FAMILY,
    "refresh.unused": Effect.REVOKE_FAMILY,
}
"""Failures that leave a mark. All others change nothing."""


@dataclass(frozen=True, slots=True)
class Redemption:
    """A code as it is presented, next to what is known of it."""

    asked: CodeGrant
    client: Client
    code: Code
    user: User | None
    lifetimes: Lifetimes
    jkt: str | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """A refresh token as it is presented, next to what is known of it.

    `arrived` is when the request came in, `jkt` the key that it was proved with; `scopes` and
    `event` are what the checks find out.
    """

    asked: RefreshGrant
    client: Client
    token: RefreshToken
    found: FoundRefresh
    family: Family
    arrived: datetime
    lifetimes: Lifetimes
    jkt: str | None = None
    scopes: frozenset[str] = frozenset()
    event: RefreshEvent = RefreshEvent.ROTATE


def code_is_the_clients(redemption: Redemption) -> Redemption:
    """A code is good for the client that it was issued to. OAuth 2.1 §4.1.3."""
    if redemption.code.client_id != redemption.client.id:
        raise InvalidGrant("E-TOKEN-11")
    return redemption


def redirect_uri_is_the_same(redemption: Redemption) -> Redemption:
    """A redirect_uri may be left out, but not differ. OAuth 2.1 §10.2."""
    sent = redemption.asked.redirect_uri
    if sent is not None and sent != redemption.code.redirect_uri:
        raise InvalidGrant("E-TOKEN-12", arrived=sent)
    return redemption


def tries_are_left(redemption: Redemption) -> Redemption:
    """A verifier can be guessed at only so often; a wrong one alone does not burn the code."""
    if redemption.code.tries >= redemption.lifetimes.limits.verifier_tries:
        raise InvalidGrant("E-TOKEN-13", arrived=f"{redemption.code.tries} wrong code_verifiers")
    return redemption


def verifier_fits(redemption: Redemption) -> Redemption:
    """Whoever redeems the code is whoever asked for it. RFC 7636 §4.6."""
    pkce.prove(redemption.asked.code_verifier, redemption.code.code_challenge)
    return redemption


def code_is_for_the_key(redemption: Redemption) -> Redemption:
    """Whoever redeems the code holds the key that it was asked for. RFC 9449 §10."""
    wanted = redemption.code.dpop_jkt
    if wanted is not None and wanted != redemption.jkt:
        arrived = "no proof" if redemption.jkt is None else "a proof with another key"
        raise InvalidGrant("E-DPOP-11", arrived=arrived)
    return redemption


def code_is_for_the_resource(redemption: Redemption) -> Redemption:
    """The token is asked for the resource that the user agreed to. RFC 8707 §2.2."""
    _granted(redemption.asked.resource, redemption.code.resource)
    return redemption


def code_is_unused(redemption: Redemption) -> Redemption:
    """A code works once; a second valid request is a theft. OAuth 2.1 §4.1.3."""
    used = redemption.code.redeemed_at
    if used is not None:
        ago = round((redemption.lifetimes.now - used).total_seconds())
        raise InvalidGrant("E-TOKEN-14", arrived=f"a code that was used {ago} s ago")
    return redemption


def code_is_fresh(redemption: Redemption) -> Redemption:
    """A code works for a short time. OAuth 2.1 §4.1.2."""
    late = (redemption.lifetimes.now - redemption.code.expires_at).total_seconds()
    if late >= 0:
        raise InvalidGrant("E-TOKEN-15", arrived=f"a code that expired {round(late)} s ago")
    return redemption


def code_holder_is_active(redemption: Redemption) -> Redemption:
    """Nobody acts for an account that is switched off or gone."""
    _active(redemption.user)
    return redemption


CODE: Final[Checks[Redemption]] = (
    ("code.client", code_is_the_clients),
    ("code.redirect_uri", redirect_uri_is_the_same),
    ("code.tries", tries_are_left),
    ("pkce.s256", verifier_fits),
    ("code.dpop_jkt", code_is_for_the_key),
    ("code.resource", code_is_for_the_resource),
    ("code.unused", code_is_unused),
    ("code.fresh", code_is_fresh),
    ("code.user", code_holder_is_active),
)


def family_is_the_clients(rotation: Rotation) -> Rotation:
    """A refresh token is good for the client that it was issued to. OAuth 2.1 §4.3.1."""
    if rotation.family.client_id != rotation.client.id:
        raise InvalidGrant("E-REF-02")
    return rotation


def family_is_alive(rotation: Rotation) -> Rotation:
    """A family that was revoked stays so. OAuth 2.1 §4.3.3."""
    if rotation.family.revoked_at is not None:
        raise InvalidGrant("E-REF-03")
    return rotation


def refresh_is_for_the_key(rotation: Rotation) -> Rotation:
    """A refresh token that is bound to a key is worth nothing without it. RFC 9449 §5."""
    wanted = rotation.token.jkt
    if wanted is not None and rotation.jkt is None:
        raise InvalidDpopProof("E-DPOP-10")
    if wanted is not None and rotation.jkt != wanted:
        raise InvalidGrant("E-DPOP-11", arrived="a proof with another key")
    return rotation


def refresh_is_no_twin(rotation: Rotation) -> Rotation:
    """Of requests that were under way together one is answered; the others did no wrong.

    A client that refreshes twice at once must neither get two tokens nor lose the one it gets. No
    server can tell the order in which they were sent, so a moment after a rotation counts as well.
    """
    if _since_rotated(rotation) < rotation.lifetimes.limits.refresh_twin_seconds:
        raise InvalidGrant("E-REF-05")
    return rotation


def refresh_is_unused(rotation: Rotation) -> Rotation:
    """A refresh token works once, and once more while its answer may have been lost.

    The answer may have been lost while its successor was never used. RFC 9700 §4.14.2.
    """
    token, successor = rotation.token, rotation.found.successor
    if token.state is RefreshState.LIVE:
        return rotation
    waiting = successor is not None and successor.state is RefreshState.LIVE
    early = _since_rotated(rotation) <= rotation.lifetimes.limits.refresh_grace_seconds
    if token.state is RefreshState.ROTATED and waiting and early:
        return replace(rotation, event=RefreshEvent.RETRY)
    raise InvalidGrant("E-REF-06")


def refresh_is_fresh(rotation: Rotation) -> Rotation:
    """A refresh token ends when it is idle too long, and with its family. OAuth 2.1 §4.3.3."""
    if rotation.arrived >= min(rotation.token.expires_at, rotation.family.expires_at):
        raise InvalidGrant("E-REF-04")
    return rotation


def refresh_is_for_the_resource(rotation: Rotation) -> Rotation:
    """The resource stays the one that the user agreed to. RFC 8707 §2.2."""
    _granted(rotation.asked.resource, rotation.family.resource)
    return rotation


def scope_is_not_wider(rotation: Rotation) -> Rotation:
    """The scope may shrink for this access token, never grow. OAuth 2.1 §4.3.1.

    What the client's registration no longer names is not granted any more. RFC 7592 §2.2.
    """
    asked, held = rotation.asked.scopes, common(rotation.family.scopes, rotation.client.scopes)
    if not held:
        raise InvalidScope("E-SCOPE-04", arrived=" ".join(sorted(rotation.family.scopes)))
    if asked is not None and not covers(held, asked):
        raise InvalidScope("E-SCOPE-03", arrived=" ".join(sorted(asked - reach(held))))
    return replace(rotation, scopes=asked or held)


def refresh_holder_is_active(rotation: Rotation) -> Rotation:
    """Nobody acts for an account that is switched off or gone."""
    _active(rotation.found.user)
    return rotation


REFRESH: Final[Checks[Rotation]] = (
    ("refresh.client", family_is_the_clients),
    ("refresh.family", family_is_alive),
    ("refresh.dpop_jkt", refresh_is_for_the_key),
    ("refresh.twin", refresh_is_no_twin),
    ("refresh.unused", refresh_is_unused),
    ("refresh.fresh", refresh_is_fresh),
    ("refresh.resource", refresh_is_for_the_resource),
    ("refresh.scope", scope_is_not_wider),
    ("refresh.user", refresh_holder_is_active),
)


Issuing = tuple[Minted, Lifetimes]
"""What would be issued, and for how long."""


def decide_code(found: FoundCode, asked: CodeGrant, client: Client, issuing: Issuing) -> Decision:
    """What becomes of a presented code."""
    minted, lifetimes = issuing
    if found.code is None:
        return _unknown("code.known", "E-TOKEN-10", lifetimes)
    redemption = Redemption(asked, client, found.code, found.user, lifetimes, minted.jkt)
    redemption, findings = examine(CODE, redemption)
    if findings.error is not None:
        return _refuse(findings, lifetimes, found.code.family_id)
    family = lifetimes.family(minted.family_id, found.code)
    lasts = "refresh_token" in client.grant_types
    refresh = lifetimes.refresh(minted, family, client) if lasts else None
    access = lifetimes.access(minted, family, family.scopes)
    return Issue(family, access, refresh, at=lifetimes.now, findings=findings)


def decide_refresh(
    found: FoundRefresh, asked: RefreshGrant, client: Client, arrived: datetime, issuing: Issuing
) -> Decision:
    """What becomes of a presented refresh token.

    One whose row is gone though its family lives was used long ago: the same theft as any reuse.
    """
    minted, lifetimes = issuing
    if found.family is None:
        return _unknown("refresh.known", "E-REF-01", lifetimes)
    if found.token is None:
        reused = Findings(failed="refresh.unused", error=InvalidGrant("E-REF-06"))
        foreign = Findings(failed="refresh.client", error=InvalidGrant("E-REF-02"))
        own = found.family.client_id == client.id
        return _refuse(reused if own else foreign, lifetimes, found.family.id)
    known = (found.token, found, found.family)
    rotation = Rotation(asked, client, *known, arrived, lifetimes, minted.jkt)
    rotation, findings = examine(REFRESH, rotation)
    if findings.error is not None:
        return _refuse(findings, lifetimes, found.family.id)
    access = lifetimes.access(minted, rotation.family, rotation.scopes)
    refresh = lifetimes.refresh(minted, rotation.family, client)
    return Issue(rotation.family, access, refresh, lifetimes.now, findings, rotation.event)


def _unknown(name: str, reference: str, lifetimes: Lifetimes) -> Refuse:
    return Refuse(Findings(failed=name, error=InvalidGrant(reference)), lifetimes.now)


def _refuse(findings: Findings, lifetimes: Lifetimes, family_id: str | None) -> Refuse:
    effect = MARKS.get(findings.failed, Effect.NONE)
    ended = family_id if effect is Effect.REVOKE_FAMILY else None
    return Refuse(findings, lifetimes.now, effect, ended)


def _granted(asked: Sequence[str], held: str) -> None:
    for resource in asked:
        if not audience.same(resource, held):
            raise InvalidTarget("E-AUD-02", arrived=resource)


def _active(user: User | None) -> None:
    if user is None or not user.active:
        raise InvalidGrant("E-TOKEN-16")


def _since_rotated(rotation: Rotation) -> float:
    """Seconds from the rotation to this request; without end while there was none."""
    rotated = rotation.token.rotated_at
    return inf if rotated is None else (rotation.arrived - rotated).total_seconds()

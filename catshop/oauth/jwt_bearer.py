"""The jwt-bearer grant: an issuer that we trust vouches for a user, or for a machine.

Two kinds of assertion, told apart by `typ` alone. An ID-JAG is an identity provider's word that one
of its users lets this very client act: the client proves who it is besides. The JWT of a platform
says which workload runs: it is all the proof that the workload has. Either way `iss` and `sub`
together name somebody whom the operator has linked; nobody is created, and no name or address in
the assertion counts. It is good once, and there is no refresh token: who wants more asks the issuer
again. Pure down to `JwtBearer`. RFC 7523 §2.1, §3; RFC 7521 §4.1, §5.2; RFC 8725 §3.11;
docs/why/0021-who-is-vouched-for.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from catshop.kernel import Clock, Secret
from catshop.limits import OAuthLimits
from catshop.oauth import audience, client_auth, jwt, scopes, throttle
from catshop.oauth.checks import Checks, Findings, examine
from catshop.oauth.errors import (
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    TemporarilyUnavailable,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from catshop.oauth.federation import IssuerKeys
from catshop.oauth.fetch import Fetcher
from catshop.oauth.grants import Issuing
from catshop.oauth.model import Client, Family, Link, User
from catshop.oauth.parameters import JWT_BEARER, JwtBearerGrant, Parameters, jwt_bearer_grant
from catshop.oauth.ports import Decision, Issue, Proof, Refuse, Stores
from catshop.oauth.settings import OAuthSettings
from catshop.oauth.throttle import Throttle, Throttled
from catshop.oauth.tokens import Lifetimes, Mint, Minted
from catshop.protocol.http1.messages import Request

ID_JAG: Final = "oauth-id-jag+jwt"
"""The `typ` of an identity assertion that is a grant. RFC 8725 §3.11."""

PLATFORM: Final = frozenset({"", "jwt"})
"""What platforms write into `typ`, if anything. Any other is a token for another purpose."""

LEEWAY: Final = timedelta(seconds=30)
"""How far the clocks of two machines may differ. RFC 7523 §3."""

JTI_LENGTH: Final = 256
"""Characters of a `jti`."""

NEVER: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Vouched:
    """An assertion, who shows it, whom it is linked to, and what has been learned of it."""

    asked: JwtBearerGrant
    client: Client
    settings: OAuthSettings
    now: datetime
    keys: tuple[jwt.Key, ...] = ()
    link: Link | None = None
    user: User | None = None
    jkt: str | None = None
    claims: Mapping[str, object] = field(default_factory=dict, repr=False)
    scopes: frozenset[str] = frozenset()
    until: datetime = NEVER

    @property
    def id_jag(self) -> bool:
        """Whether it speaks of a user."""
        return _type(self.asked.assertion) == ID_JAG


def type_is_known(vouched: Vouched) -> Vouched:
    """No token of another purpose passes for an assertion. RFC 8725 §3.11."""
    found = _type(vouched.asked.assertion)
    if found != ID_JAG and found not in PLATFORM:
        raise InvalidGrant("E-VOUCH-01", arrived=found)
    return vouched


def issuer_is_trusted(vouched: Vouched) -> Vouched:
    """Whoever vouches is somebody whom the operator trusts, letter by letter. RFC 7523 §3."""
    issuer = named(vouched.asked.assertion)[0]
    if issuer not in vouched.settings.assertion_issuers:
        raise InvalidGrant("E-VOUCH-02", arrived=issuer)
    return vouched


def signature_is_the_issuers(vouched: Vouched) -> Vouched:
    """One of that issuer's own keys signed it. RFC 7523 §3; RFC 8725 §3.1, §3.8."""
    try:
        return replace(vouched, claims=jwt.verified_claims(vouched.asked.assertion, vouched.keys))
    except jwt.BadToken as error:
        raise InvalidGrant("E-VOUCH-03", arrived=str(error)) from None


def audience_is_our_issuer(vouched: Vouched) -> Vouched:
    """It is for us and for nobody else, who could show it to us. RFC 7523 §3; RFC 8725 §3.9."""
    sent = vouched.claims.get("aud")
    if sent not in (vouched.settings.issuer, [vouched.settings.issuer]):
        raise InvalidGrant("E-VOUCH-04", arrived=str(sent))
    return vouched


def time_is_right(vouched: Vouched) -> Vouched:
    """`exp` is ahead, but not far; `nbf` and `iat`, where there are any, are not. RFC 7523 §3."""
    now, longest = vouched.now, timedelta(seconds=vouched.settings.limits.assertion_seconds)
    ends = _moment(vouched, "exp")
    if ends is None or not now - LEEWAY < ends <= now + longest + LEEWAY:
        raise InvalidGrant("E-VOUCH-05", arrived="no exp" if ends is None else f"exp {ends}")
    for name in ("nbf", "iat"):
        begins = _moment(vouched, name)
        late = begins is not None and begins > now + LEEWAY
        if late or (begins is None and name == "iat" and vouched.id_jag):
            raise InvalidGrant("E-VOUCH-05", arrived=f"{name} {begins or 'missing'}")
    return replace(vouched, until=ends + LEEWAY)


def name_is_given(vouched: Vouched) -> Vouched:
    """`jti` tells it from the next; what a platform leaves unnamed is told by its text."""
    jti = vouched.claims.get("jti")
    unnamed = jti is None and not vouched.id_jag
    if not unnamed and (not isinstance(jti, str) or not 0 < len(jti) <= JTI_LENGTH):
        raise InvalidGrant("E-VOUCH-06", arrived="no jti")
    return vouched


def client_is_the_one(vouched: Vouched) -> Vouched:
    """A user's assertion names the client that shows it, and that has proved who it is.

    RFC 7521 §4.1: a platform's names nobody; there the link says who the workload is.
    """
    client = vouched.client
    if vouched.id_jag and client.public:
        raise UnauthorizedClient("E-CLIENT-09", arrived=client.id)
    linked = vouched.link.client_id if vouched.link else None
    if (vouched.claims.get("client_id") if vouched.id_jag else linked) != client.id:
        raise InvalidGrant("E-VOUCH-08", arrived=client.id)
    return vouched


def subject_is_linked(vouched: Vouched) -> Vouched:
    """`iss` and `sub` name somebody whom the operator has linked. RFC 7523 §3; RFC 9068 §5."""
    link = vouched.link
    if link is None or (vouched.id_jag and link.user_id is None):
        raise InvalidGrant("E-VOUCH-09", arrived=named(vouched.asked.assertion)[1])
    if link.user_id is not None and (vouched.user is None or not vouched.user.active):
        raise InvalidGrant("E-TOKEN-16")
    return vouched


def key_is_held(vouched: Vouched) -> Vouched:
    """What was given to the holder of a key is good with that key alone. RFC 9449 §5."""
    cnf = vouched.claims.get("cnf")
    bound = cnf.get("jkt") if isinstance(cnf, Mapping) else None
    if cnf is not None and (bound is None or bound != vouched.jkt):
        raise InvalidGrant("E-VOUCH-11")
    return vouched


def resource_is_ours(vouched: Vouched) -> Vouched:
    """What it was given for is our resource, and so is what is asked for. RFC 8707 §2."""
    ours, sent = vouched.settings.resource, vouched.claims.get("resource")
    given = sent if isinstance(sent, list) else [sent]
    if sent is None and vouched.id_jag:
        raise InvalidGrant("E-VOUCH-10")
    if sent is not None and not any(isinstance(r, str) and audience.same(r, ours) for r in given):
        raise InvalidTarget("E-AUD-01", arrived=str(sent))
    audience.resolve(vouched.asked.resource, ours)
    return vouched


def scope_is_given(vouched: Vouched) -> Vouched:
    """No more than the issuer gave, the client registered, and the request asks for.

    RFC 6749 §3.3; RFC 7521 §4.1.
    """
    asked, sent, held = vouched.asked.scopes, vouched.claims.get("scope"), vouched.client.scopes
    if sent is None and vouched.id_jag:
        held &= scopes.ORDINARY  # the rest the operator gave to the client, not to its users
    if sent is not None:
        told = frozenset(str(sent).split()) & frozenset(scopes.CATALOGUE)
        held = scopes.common(told, held)
    unasked = scopes.DEFAULT if sent is None else held
    wanted = scopes.common(unasked, held) if asked is None else asked
    if not wanted or not scopes.covers(held, wanted):
        beyond = scopes.write(wanted - scopes.reach(held))
        raise InvalidScope("E-SCOPE-04", arrived=beyond or "no scope")
    return replace(vouched, scopes=wanted)


VOUCHED: Final[Checks[Vouched]] = (
    ("vouched.typ", type_is_known),
    ("vouched.iss", issuer_is_trusted),
    ("vouched.signature", signature_is_the_issuers),
    ("vouched.aud", audience_is_our_issuer),
    ("vouched.time", time_is_right),
    ("vouched.jti", name_is_given),
    ("vouched.client", client_is_the_one),
    ("vouched.sub", subject_is_linked),
    ("vouched.cnf", key_is_held),
    ("vouched.resource", resource_is_ours),
    ("vouched.scope", scope_is_given),
)
"""What must hold before the assertion is spent and a token is issued. RFC 7523 §3."""


def decide(vouched: Vouched, minted: Minted, lifetimes: Lifetimes) -> Decision:
    """What becomes of it: a family of one access token, and the assertion spent with it."""
    vouched, findings = examine(VOUCHED, vouched)
    if findings.error is not None:
        return Refuse(findings, lifetimes.now)
    ends = lifetimes.after(lifetimes.limits.access_seconds)
    user_id = vouched.user.id if vouched.user and vouched.id_jag else None
    held = (vouched.client.id, user_id, vouched.scopes, vouched.settings.resource)
    family = Family(minted.family_id, *held, created_at=lifetimes.now, expires_at=ends)
    access = lifetimes.access(minted, family, vouched.scopes)
    proof = Proof(_name(vouched), vouched.until)
    return Issue(family, access, None, at=lifetimes.now, findings=findings, proof=proof)


def named(assertion: Secret) -> tuple[str, str]:
    """Issuer and subject, as the assertion says; nothing of this is believed yet."""
    claims = jwt.unverified_claims(assertion)
    issuer, subject = claims.get("iss"), claims.get("sub")
    return (issuer if isinstance(issuer, str) else "", subject if isinstance(subject, str) else "")


def _type(assertion: Secret) -> str:
    """RFC 7515 §4.1.9: in any case, and with or without `application/`."""
    found = str(jwt.unverified_header(assertion).get("typ") or "").lower()
    return found.removeprefix("application/")


def _name(vouched: Vouched) -> str:
    """Whose word it is, and which: what was signed is a name, too, but not its signature."""
    jti = vouched.claims.get("jti")
    signed = vouched.asked.assertion.reveal().rpartition(".")[0]
    parts = ("assertion", str(vouched.claims["iss"]), "jti" if jti else "", str(jti or signed))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _moment(vouched: Vouched, name: str) -> datetime | None:
    """A NumericDate. RFC 7519 §2."""
    value = vouched.claims.get(name)
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError, ValueError, OSError):
            return datetime.fromtimestamp(value, UTC)
    raise InvalidGrant("E-VOUCH-05", arrived=f"{name} that is no time")


class JwtBearer:
    """The shell: who shows an assertion, whose keys are asked, and who guesses too often."""

    def __init__(
        self, settings: OAuthSettings, stores: Stores, *, clock: Clock, mint: Mint, fetcher: Fetcher
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._clock = clock
        self._throttle = Throttle(stores.attempts, clock, mint)
        self._keys = {
            issuer: IssuerKeys(issuer, fetcher, clock) for issuer in settings.assertion_issuers
        }

    async def client(self, request: Request, sent: Parameters) -> Client | None:
        """The client of a workload that shows nothing but its assertion; None for any other.

        RFC 7521 §4.1: `client_id` is not needed where the assertion says who asks.
        """
        if sent.one("grant_type") != JWT_BEARER or not self._keys:
            return None
        if client_auth.read(request, sent) != client_auth.Claim("none", None):
            return None
        issuer, subject = named(jwt_bearer_grant(sent).assertion)
        found = await self._stores.links.find(issuer, subject)
        client_id = found[0].client_id if found else None
        client = await self._stores.clients.find(client_id) if client_id else None
        if client is None:
            raise InvalidGrant("E-VOUCH-09", arrived=subject)
        return client

    async def decision(
        self, sent: Parameters, client: Client, address: str, issuing: Issuing
    ) -> Decision:
        """What becomes of the assertion; what is issued is kept, and the assertion spent.

        One that was none is counted. OAuth 2.1 §7.7.
        """
        minted, lifetimes = issuing
        if not self._keys:
            raise UnsupportedGrantType("E-TOKEN-01", arrived=JWT_BEARER)
        await self._look(client, address)
        vouched = await self._known(jwt_bearer_grant(sent), client, minted.jkt)
        decision = decide(vouched, minted, lifetimes)
        if isinstance(decision, Issue) and not await self._stores.grants.issue(decision):
            shown = Findings(failed="vouched.unused", error=InvalidGrant("E-VOUCH-07"))
            decision = Refuse(shown, lifetimes.now)
        if isinstance(decision, Refuse):
            with suppress(Throttled):
                await self._throttle.spend(self._budget(client, address))
        return decision

    async def _known(self, asked: JwtBearerGrant, client: Client, jkt: str | None) -> Vouched:
        """The assertion with all that its checks look at. No key is asked for in vain."""
        found = Vouched(asked, client, self._settings, self._clock(), jkt=jkt)
        issuer, subject = named(asked.assertion)
        if issuer not in self._keys:
            return found
        kid = jwt.unverified_header(asked.assertion).get("kid")
        keys = await self._keys[issuer].current(kid if isinstance(kid, str) else None)
        link, user = await self._stores.links.find(issuer, subject) or (None, None)
        return replace(found, keys=keys, link=link, user=user)

    async def _look(self, client: Client, address: str) -> None:
        try:
            await self._throttle.look(self._budget(client, address))
        except Throttled as wait:
            retry = ("retry-after", str(wait.retry_after))
            raise TemporarilyUnavailable("E-VOUCH-12", status=429, fields=(retry,)) from None

    def _budget(self, client: Client, address: str) -> throttle.Budget:
        limits: OAuthLimits = self._settings.limits
        return throttle.assertions(client.id, address, limits)

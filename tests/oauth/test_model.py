"""Every order in which grants can be used, refreshed, stolen and ended, against a model of them.

Hypothesis makes up the conversations: several clients and users, tokens old and new, and a clock
that jumps. The model is what the specification says, in a few lines and without storage; the house
is the real one. After each step both must agree on what every token is worth.
OAuth 2.1 §4.1.3, §4.3; RFC 9700 §4.14.2; RFC 7009 §2.1; docs/why/0018.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from catshop.kernel import Secret, Trace
from catshop.limits import OAuthLimits, StorageLimits
from catshop.oauth import passwords
from catshop.oauth.model import AuthorizationRequest, Client, Code, Origin, User
from catshop.oauth.settings import OAuthSettings
from catshop.protocol.http1.messages import Answer
from catshop.storage.migrate import migrate
from catshop.storage.oauth import stores as stores_on
from catshop.storage.sqlite import SqliteDatabase
from tests.oauth.cases import case
from tests.oauth.house import CALLBACK, CHALLENGE, ISSUER, Clock, House, json_of

T = TypeVar("T")

LIMITS = OAuthLimits(introspection_misses=1_000_000)
TWIN, GRACE = LIMITS.refresh_twin_seconds, LIMITS.refresh_grace_seconds
KEPT = 3600
"""For so long the row of a used refresh token stays."""

SCOPES = st.sampled_from([frozenset({"read"}), frozenset({"write"}), frozenset({"read", "write"})])
MOMENTS = st.sampled_from([1, 2, 3, 10, 28, 30, 31, 600])
AGES = st.sampled_from([600, 899, 900, 3600, 3600, 7200, 86_399, 86_400, 10 * 86_400])
WHO = st.integers(0, 1)
WHICH = st.integers(0, 5)
"""Counted from the newest, those that are over left out; the last number leaves out none."""
BACK = st.sampled_from([1, 1, 1, 2, 3, 7])
MOSTLY = st.sampled_from([True, True, True, False])
begun = precondition(lambda machine: bool(machine.all))


@dataclass
class Refresh:
    """A refresh token, as its client and any thief of it know it."""

    text: str
    grant: Grant
    expires: datetime
    state: str = "live"
    rotated: datetime | None = None
    successor: Refresh | None = None
    swept: bool = False

    def use(self, state: str, now: datetime, successor: Refresh | None = None) -> None:
        """What a refresh does to this one."""
        self.state, self.rotated = state, now
        self.successor = successor or self.successor


@dataclass
class Grant:
    """One sign-in and consent, and all that comes of it."""

    client: int
    user: int
    code: str
    scopes: frozenset[str]
    reach: frozenset[str]
    expires: datetime
    over: bool = False
    refreshes: list[Refresh] = field(default_factory=list)
    access: list[tuple[str, datetime]] = field(default_factory=list)
    current: str | None = None


class Conversations(RuleBasedStateMachine):
    """Two clients, two users, whoever else has their tokens, and time."""

    def __init__(self, portal: BlockingPortal, house: House, server: dict[str, str]) -> None:
        super().__init__()
        self.portal, self.house, self.server = portal, house, server
        self.all: list[Grant] = []
        self.client_ids: list[str] = []
        self.active = [True, True]

    def run(self, work: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """What the house does."""
        return self.portal.call(partial(work, *args, **kwargs))

    @property
    def now(self) -> datetime:
        return self.house.clock()

    @initialize()
    def begin(self) -> None:
        """Two clients and two users that are nobody else's."""
        self.users = [secrets.token_hex(8) for _ in range(2)]
        for name in self.users:
            self.run(self.house.stores.users.add, User(name, name, passwords.NOBODY, self.now))
        self.client_ids = [self._client() for _ in range(2)]
        self.agree(0, 0, frozenset({"read", "write"}))

    def _grant(self, which: int) -> Grant:
        """One that lives, mostly."""
        lively = [grant for grant in self.all if not grant.over and which < 5]
        found = (lively or self.all)[::-1]
        return found[which % len(found)]

    def _client(self) -> str:
        grants = ("authorization_code", "refresh_token")
        scopes = frozenset({"read", "write"})
        told = (secrets.token_hex(8), "", (CALLBACK,), grants, scopes, self.now)
        client = Client(*told, origin=Origin.OPERATOR)  # no sweep takes it, however long unused
        self.run(self.house.stores.clients.add, client)
        return client.id

    @rule(client=WHO, user=WHO, scopes=SCOPES)
    def agree(self, client: int, user: int, scopes: frozenset[str]) -> None:
        """A user agrees, and the client redeems the code."""
        code = self._approved(client, user, scopes)
        answer = self.run(self.house.redeem, self.client_ids[client], code)
        ends = self.now + timedelta(seconds=LIMITS.family_seconds)
        grant = Grant(client, user, code, scopes, frozenset(), ends)
        if not self.active[user]:
            assert error_of(answer) == "invalid_grant"
            return
        self.all.append(grant)
        self._issued(grant, answer)
        grant.reach = self.run(self.house.call, grant.current).scopes

    def _approved(self, client: int, user: int, scopes: frozenset[str]) -> str:
        """The code of a request to which the user has agreed."""
        code, now = Secret(secrets.token_urlsafe(32)), self.now
        held = (CALLBACK, CHALLENGE, scopes, f"{ISSUER}/mcp", now, now + timedelta(seconds=60))
        asked = AuthorizationRequest(
            code.digest(), "", self.client_ids[client], CALLBACK, None, *held[1:]
        )
        kept = Code(code.digest(), self.client_ids[client], self.users[user], *held)
        self.run(self.house.stores.requests.park, asked)
        assert self.run(self.house.stores.requests.approve, asked.id, kept)
        return code.reveal()

    @begun
    @rule(which=WHICH, scopes=st.none() | SCOPES)
    def refresh_with_a_scope(self, which: int, scopes: frozenset[str] | None) -> None:
        """A client may ask for less each time, and for more never."""
        self.refresh(which, scopes)

    @begun
    @rule(which=WHICH, scopes=st.none())
    def refresh(self, which: int, scopes: frozenset[str] | None) -> None:
        """A client shows its newest refresh token."""
        for token in self._grant(which).refreshes[-1:]:
            self._show(token, scopes, own=True)

    @begun
    @rule(which=WHICH, back=BACK, own=MOSTLY, pause=MOMENTS)
    def reuse(self, which: int, back: int, own: bool, pause: int) -> None:  # noqa: FBT001 - hypothesis names it
        """An old one comes again: the answer was lost, or it was stolen."""
        for token in self._grant(which).refreshes[-1 - back :][:1]:
            self.wait(pause)
            self._show(token, None, own=own)

    def _show(self, token: Refresh, scopes: frozenset[str] | None, *, own: bool) -> None:
        grant = token.grant
        client = grant.client if own else 1 - grant.client
        error, event = self._expected(token, client, scopes or grant.scopes)
        sent = {"scope": " ".join(sorted(scopes))} if scopes else {}
        answer = self.run(self.house.refresh, self.client_ids[client], token.text, **sent)
        assert error_of(answer) == error
        if error:
            return
        if event == "retry" and token.successor is not None:
            token.successor.use("spent", self.now)
        fresh = self._issued(grant, answer)
        token.use("spent" if event == "retry" else "rotated", self.now, fresh)
        told = frozenset(json_of(answer)["scope"].split())
        assert told == (scopes or grant.scopes), "the scope is what was asked for, or all of it"

    def _expected(
        self, token: Refresh, client: int, scopes: frozenset[str]
    ) -> tuple[str | None, str]:
        """What must be answered, and what a refresh then is. A theft ends the grant here."""
        grant = token.grant
        since = float("inf") if token.rotated is None else seconds(self.now - token.rotated)
        if grant.over or grant.client != client or since < TWIN:
            return "invalid_grant", ""
        waiting = token.successor is not None and token.successor.state == "live"
        lost = token.state == "rotated" and waiting and since <= GRACE
        if token.state != "live" and not lost:
            grant.over = True
            return "invalid_grant", ""
        if self.now >= min(token.expires, grant.expires):
            return "invalid_grant", ""
        if not scopes <= grant.scopes:
            return "invalid_scope", ""
        if not self.active[grant.user]:
            return "invalid_grant", ""
        return None, "retry" if lost else "rotate"

    def _issued(self, grant: Grant, answer: Answer) -> Refresh:
        """Take down what came."""
        told = json_of(answer)
        assert answer.status == 200, told
        assert frozenset(told["scope"].split()) <= grant.scopes
        ends = min(self.now + timedelta(seconds=LIMITS.refresh_seconds), grant.expires)
        fresh = Refresh(told["refresh_token"], grant, ends)
        grant.refreshes.append(fresh)
        ends = min(self.now + timedelta(seconds=LIMITS.access_seconds), grant.expires)
        grant.current = told["access_token"]
        grant.access.append((told["access_token"], ends))
        return fresh

    @begun
    @rule(which=WHICH, how=st.sampled_from(["replay", "revoke", "revoke_access"]), own=MOSTLY)
    def end(self, which: int, how: str, own: bool) -> None:  # noqa: FBT001 - hypothesis names it
        """Something ends, or would, had another client not asked for it."""
        grant = self._grant(which)
        client = grant.client if own else 1 - grant.client
        match how:
            case "replay":  # the code comes again, with the right verifier
                answer = self.run(self.house.redeem, self.client_ids[client], grant.code)
                assert error_of(answer) == "invalid_grant"
                grant.over = grant.over or own
            case "revoke":
                token = grant.refreshes[-1]
                self._revoke(client, token.text)
                grant.over = grant.over or (own and not token.swept)
            case _:
                self._revoke(client, grant.access[-1][0])
                grant.current = None if own else grant.current

    def _revoke(self, client: int, token: str) -> None:
        form = {"client_id": self.client_ids[client], "token": token}
        assert self.run(self.house.post, "/revoke", form).status == 200

    @rule(pause=MOMENTS)
    def wait(self, pause: int) -> None:
        """Time passes."""
        self.house.clock.forward(pause)

    @rule(pause=AGES, swept=st.booleans())
    def wait_long(self, pause: int, swept: bool) -> None:  # noqa: FBT001 - hypothesis names it
        """Much time passes, and what has expired is cleaned up, which nobody must notice."""
        self.wait(pause)
        if not swept:
            return
        self.run(self.house.stores.upkeep.sweep, self.now)
        for token in (token for grant in self.all for token in grant.refreshes):
            used = token.rotated is not None and seconds(self.now - token.rotated) >= KEPT
            token.swept = token.swept or used or self.now >= token.grant.expires

    @rule(who=WHO, what=st.sampled_from(["switch", "switch", "password", "forget"]))
    def decide(self, who: int, what: str) -> None:
        """The operator or the user decides something about an account or a client."""
        {"switch": self._switch, "password": self._password, "forget": self._forget}[what](who)

    def _switch(self, user: int) -> None:
        """An account goes off, or on again."""
        house, name = self.house.administration, self.users[user]
        self.run(house.disable_user if self.active[user] else house.enable_user, name)
        self.active[user] = not self.active[user]

    def _password(self, user: int) -> None:
        """Whoever knew the old password is out."""
        stores = self.house.stores
        ended = self.run(stores.users.set_password, self.users[user], passwords.NOBODY, self.now)
        stores.notices.ended(*ended)
        for grant in self.all:
            grant.over = grant.over or grant.user == user

    def _forget(self, client: int) -> None:
        """A client is removed with all that it was granted, and another one comes."""
        self.run(self.house.administration.remove_client, self.client_ids[client])
        for grant in self.all:
            grant.over = grant.over or grant.client == client
        self.client_ids[client] = self._client()

    @rule(user=WHO, client=WHO)
    def withdraw(self, user: int, client: int) -> None:
        """A user takes back what a client may do for them: it all ends, the unused codes too."""
        pending = self._approved(client, user, frozenset({"read"}))
        withdrawn = self.house.stores.consents.withdraw
        ended = self.run(withdrawn, self.users[user], self.client_ids[client], self.now)
        self.house.stores.notices.ended(*ended)
        for grant in self.all:
            grant.over = grant.over or (grant.user, grant.client) == (user, client)
        answer = self.run(self.house.redeem, self.client_ids[client], pending)
        assert error_of(answer) == "invalid_grant"

    @invariant()
    def one_refresh_token_lives(self) -> None:
        """RFC 9700 §4.14.2: at most one of each family."""
        if not self.all:
            return
        two = self.run(
            self.house.database.all,
            "SELECT family_id FROM oauth_refresh_tokens WHERE state = 'live'"
            " GROUP BY family_id HAVING count(*) > 1",
        )
        assert two == []

    @invariant()
    def the_newest_are_worth_what_they_should_be(self) -> None:
        """Dead means dead, at the resource and at introspection."""
        for grant in self.all[-2:]:
            self._judge(grant, grant.access[-2:])

    def teardown(self) -> None:
        """In the end all of them are."""
        for grant in self.all:
            self._judge(grant, grant.access[-5:])

    def _judge(self, grant: Grant, tokens: list[tuple[str, datetime]]) -> None:
        for token, ends in tokens:
            alive = not grant.over and self.active[grant.user] and self.now < ends
            good = alive and token == grant.current
            assert self.run(self.house.is_good, token) == good
            form = {"token": token, **self.server}
            told = json_of(self.run(self.house.post, "/introspect", form))
            assert told["active"] == good
            if good:
                assert self.run(self.house.call, token).scopes <= grant.reach
                assert frozenset(told["scope"].split()) <= grant.scopes


def seconds(span: timedelta) -> float:
    return span.total_seconds()


def error_of(answer: Answer) -> str | None:
    told = json_of(answer)
    return told["error"] if answer.status >= 400 else None


async def opened(path: Path) -> tuple[House, dict[str, str]]:
    """A house, and the resource server that asks after tokens there."""
    clock = Clock()
    config = OAuthSettings(ISSUER, f"{ISSUER}/mcp", Secret("k" * 43), LIMITS)
    database = SqliteDatabase.open(path, StorageLimits(), Trace())
    await migrate(database, clock())
    house = House(config, stores_on(database), database, clock)
    secret = Secret("s" * 43)
    grants = ("client_credentials",)
    server = Client(
        "server",
        "",
        (),
        grants,
        frozenset({"read"}),
        clock(),
        auth_method="client_secret_post",
        secret_hash=secret.digest(),
        serves=f"{ISSUER}/mcp",
        origin=Origin.OPERATOR,
    )
    await house.stores.clients.add(server)
    return house, {"client_id": server.id, "client_secret": secret.reveal()}


@case("F2", "whatever came before, a used refresh token ends its family and everything in it")
@case("F3", "at most one refresh token of a family is live, whatever is retried in which order")
def test_every_token_is_worth_what_the_model_says(tmp_path: Path, anyio_backend: str) -> None:
    """OAuth 2.1 §4.3.1, §4.3.3; RFC 9700 §4.14.2; RFC 7009 §2.1; RFC 7662 §2.2."""
    with start_blocking_portal(anyio_backend) as portal:
        house, server = portal.call(opened, tmp_path / "shop.db")
        try:
            run_state_machine_as_test(
                lambda: Conversations(portal, house, server),
                settings=settings(
                    max_examples=120,
                    stateful_step_count=50,
                    phases=[Phase.generate],  # a red build has to end: shrinking takes minutes
                    report_multiple_bugs=False,
                ),
            )
        finally:
            portal.call(house.database.close)

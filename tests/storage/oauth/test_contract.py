"""What every engine must keep of the promises in `catshop/oauth/ports.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from catshop.oauth.checks import Findings
from catshop.oauth.errors import InvalidGrant
from catshop.oauth.model import (
    AccessToken,
    AuthorizationRequest,
    BrowserSession,
    Client,
    Code,
    Consent,
    Device,
    DeviceEvent,
    Family,
    Origin,
    RefreshEvent,
    RefreshState,
    RefreshToken,
    Refusal,
    User,
)
from catshop.oauth.ports import Decision, Effect, FoundCode, FoundRefresh, Issue, Refuse, Stores
from catshop.storage.database import Database
from catshop.storage.oauth import stores as stores_on

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ALICE = User("u1", "Alice", "hash", NOW)
CLIENT = Client(
    "c1",
    "Paws \U0001f431",
    ("https://a.example/cb",),
    ("authorization_code",),
    frozenset({"read"}),
    NOW,
)
WAITING = AuthorizationRequest(
    "r1",
    "b1",
    "c1",
    "https://a.example/cb",
    "s",
    "challenge",
    frozenset({"read"}),
    "aud",
    NOW,
    LATER,
)
CODE = Code(
    "h1",
    "c1",
    "u1",
    "https://a.example/cb",
    "challenge",
    frozenset({"read", "write"}),
    "aud",
    NOW,
    LATER,
)
NO = Findings(failed="no", error=InvalidGrant("E-TOKEN-10"))


@pytest.fixture
async def stores(database: Database) -> Stores:
    """Every port, with one user and one client."""
    made = stores_on(database)
    await made.users.add(ALICE)
    await made.clients.add(CLIENT)
    return made


def issue(name: str, refresh: str | None = "r", at: datetime = NOW) -> Issue:
    """Tokens of the family `name`."""
    family = Family(name, "c1", "u1", frozenset({"read"}), "aud", NOW, NOW + timedelta(days=30))
    access = AccessToken(
        f"a-{name}-{refresh}", f"t-{name}-{refresh}", name, family.scopes, NOW, LATER
    )
    token = RefreshToken(f"{refresh}-{name}", name, NOW, LATER) if refresh else None
    return Issue(family, access, token, at=at)


async def count(database: Database, table: str) -> int:
    """How many rows a table has."""
    row = await database.one(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 - a test
    return int(row["n"] or 0) if row else 0


async def test_a_user_is_found_whatever_the_case(stores: Stores) -> None:
    """And comes back as it was written."""
    assert await stores.users.by_name("aLICE") == ALICE
    assert await stores.users.by_name("bobby") is None
    assert list(await stores.users.all()) == [ALICE]


async def test_of_many_who_want_a_name_one_gets_it(stores: Stores) -> None:
    """`Users.add`."""
    found: list[bool] = []

    async def add(number: int) -> None:
        found.append(await stores.users.add(replace(ALICE, id=f"x{number}", name="Bobby")))

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(add, number)
    assert sorted(found) == [False] * 9 + [True]


async def test_a_client_comes_back_as_it_was_written_and_is_written_once(stores: Stores) -> None:
    """`Clients.add`, `Clients.find`."""
    await stores.clients.add(replace(CLIENT, name="another"))
    assert await stores.clients.find("c1") == CLIENT
    proving = replace(
        CLIENT,
        id="c2",
        auth_method="x",
        secret_hash="hash",
        jwks="{}",
        serves="aud",
        origin=Origin.OPERATOR,
        management_hash="hash",
    )
    await stores.clients.add(proving)
    assert await stores.clients.find("c2") == proving
    assert await stores.clients.find("") is None


async def test_a_client_is_changed_while_it_is_there_and_removed_with_its_grants(
    stores: Stores, database: Database
) -> None:
    """`Registrations.change`, `remove`, `all`."""
    changed = replace(CLIENT, name="Claws", secret_hash="hash")
    assert await stores.registrations.change(changed)
    assert not await stores.registrations.change(replace(CLIENT, id="c2"))
    assert list(await stores.registrations.all()) == [changed]
    await stores.requests.park(WAITING)
    await stores.grants.issue(issue("f1"))
    assert list(await stores.registrations.remove("c1")) == ["f1"]
    assert list(await stores.registrations.remove("c1")) == []
    for table in ("clients", "requests", "families", "access_tokens", "refresh_tokens"):
        assert await count(database, f"oauth_{table}") == 0


DEVICE = Device(
    "d1", "dh", "uh", "c1", "challenge", frozenset({"read"}), "aud", NOW, LATER, interval=5
)


async def test_a_device_is_found_by_what_is_typed_until_it_is_decided_once(stores: Stores) -> None:
    """`Devices.begin`, `typed`, `settle`: RFC 8628 §3.3."""
    await stores.devices.begin(DEVICE)
    assert await stores.devices.typed("uh", NOW) == DEVICE
    assert await stores.devices.typed("uh", LATER) is None
    assert await stores.devices.typed("dh", NOW) is None
    found: list[bool] = []

    async def settle(event: DeviceEvent) -> None:
        found.append(await stores.devices.settle("d1", event, "code"))

    async with anyio.create_task_group() as tasks:
        for event in [DeviceEvent.APPROVE, DeviceEvent.DENY] * 5:
            tasks.start_soon(settle, event)
    assert sorted(found) == [False] * 9 + [True]
    assert await stores.devices.typed("uh", NOW) is None
    assert not await stores.devices.settle("d2", DeviceEvent.DENY, None)


async def test_a_device_that_asks_too_early_gets_a_longer_pause(
    stores: Stores, database: Database
) -> None:
    """`Devices.poll`: RFC 8628 §3.5. What is returned is how it was."""
    await stores.devices.begin(DEVICE)
    assert await stores.devices.poll("dh", NOW) == DEVICE
    early = NOW + timedelta(seconds=4)
    assert await stores.devices.poll("dh", early) == replace(DEVICE, polled_at=NOW)
    late = early + timedelta(seconds=10)
    again = await stores.devices.poll("dh", late)
    assert again == replace(DEVICE, polled_at=early, interval=10)
    assert await stores.devices.poll("dh", LATER) == replace(again, polled_at=late)
    assert await stores.devices.poll("nope", NOW) is None
    await stores.upkeep.sweep(LATER)
    assert await count(database, "oauth_devices") == 1
    await stores.upkeep.sweep(LATER + timedelta(hours=1))
    assert await count(database, "oauth_devices") == 0


async def test_a_client_whose_device_waits_is_not_forgotten(stores: Stores) -> None:
    """`Upkeep.sweep`: RFC 7591 §5, R14."""
    long_ago = NOW - timedelta(days=31)
    await stores.clients.add(replace(CLIENT, id="c2", created_at=long_ago))
    await stores.devices.begin(replace(DEVICE, client_id="c2"))
    await stores.upkeep.sweep(NOW)
    assert await stores.clients.find("c2") is not None
    for hours in (2, 3):
        await stores.upkeep.sweep(NOW + timedelta(hours=hours))
    assert await stores.clients.find("c2") is None


@pytest.mark.parametrize("refusal", [None, Refusal("invalid_scope", "words")])
async def test_a_request_comes_back_until_it_expires(
    stores: Stores, refusal: Refusal | None
) -> None:
    """`Requests.park`, `Requests.find`."""
    waiting = replace(WAITING, refusal=refusal, state=None if refusal else "s")
    await stores.requests.park(waiting)
    assert await stores.requests.find("r1", LATER - timedelta(milliseconds=1)) == waiting
    assert await stores.requests.find("r1", LATER) is None
    assert await stores.requests.find("r2", NOW) is None


async def test_of_many_approvals_one_keeps_its_code(stores: Stores, database: Database) -> None:
    """`Requests.approve`."""
    await stores.requests.park(WAITING)
    found: list[bool] = []

    async def approve(number: int) -> None:
        found.append(await stores.requests.approve("r1", replace(CODE, hash=f"h{number}")))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(approve, number)
    assert sorted(found) == [False] * 19 + [True]
    assert await count(database, "oauth_codes") == 1
    assert not await stores.requests.dismiss("r1")


async def test_a_sign_in_takes_the_waiting_requests_along_and_ends_the_old_session(
    stores: Stores,
) -> None:
    """`Sessions.sign_in`."""
    await stores.requests.park(WAITING)
    old = BrowserSession("b1", "u1", NOW, LATER)
    await stores.sessions.sign_in(old, "b0")
    assert await stores.sessions.find("b1", NOW) == (old, ALICE)
    new = BrowserSession("b2", "u1", NOW, LATER)
    await stores.sessions.sign_in(new, "b1")
    assert await stores.sessions.find("b1", NOW) is None
    assert await stores.sessions.find("b2", LATER) is None
    moved = await stores.requests.find("r1", NOW)
    assert moved is not None
    assert moved.browser == "b2"


async def test_a_new_account_and_its_session_begin_together_or_not_at_all(
    stores: Stores,
) -> None:
    """`Sessions.sign_up`: of many who want one name, one gets it, and is signed in."""
    began: list[str] = []

    async def sign_up(number: int) -> None:
        bob = replace(ALICE, id=f"bob{number}", name="Bob")
        session = BrowserSession(f"b{number}", bob.id, NOW, LATER)
        if await stores.sessions.sign_up(bob, session, "b"):
            began.append(session.browser)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(sign_up, number)
    [browser] = began
    found = [await stores.sessions.find(f"b{number}", NOW) for number in range(10)]
    assert [each[0].browser for each in found if each] == [browser]
    user = await stores.users.by_name("bob")
    assert user is not None
    assert user.id == f"bo{browser}"


async def test_a_code_is_redeemed_once_however_many_ask(stores: Stores) -> None:
    """`Grants.redeem`: RFC 6749 §4.1.2, T21."""
    await stores.requests.park(WAITING)
    await stores.requests.approve("r1", CODE)
    issued: list[str] = []
    replayed: list[str | None] = []

    async def redeem(number: int) -> None:
        def decide(found: FoundCode) -> Decision:
            assert found.code is not None
            assert found.user == ALICE
            if found.code.redeemed_at is not None:
                return Refuse(NO, NOW)
            return issue(f"f{number}")

        decision = await stores.grants.redeem("h1", decide)
        if isinstance(decision, Issue):
            issued.append(decision.family.id)
        else:
            replayed.append(None)

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(redeem, number)
    assert (len(issued), len(replayed)) == (1, 99)


async def test_the_mark_decides_even_where_the_decision_did_not_look(
    stores: Stores, database: Database
) -> None:
    """`Grants.redeem`: a mark that is there already has the decision taken anew."""
    await stores.requests.park(WAITING)
    await stores.requests.approve("r1", CODE)
    await stores.grants.redeem("h1", lambda _: issue("f1"))
    asked: list[FoundCode] = []

    def careless(found: FoundCode) -> Decision:
        asked.append(found)
        return issue("f2") if len(asked) == 1 else Refuse(NO, NOW)

    assert isinstance(await stores.grants.redeem("h1", careless), Refuse)
    assert len(asked) == 2
    assert await count(database, "oauth_families") == 1


async def test_an_unknown_code_is_nobodys(stores: Stores) -> None:
    """`Grants.redeem`."""

    def decide(found: FoundCode) -> Decision:
        assert found == FoundCode(None, None)
        return Refuse(NO, NOW, Effect.COUNT_TRY)

    assert isinstance(await stores.grants.redeem("nope", decide), Refuse)


async def test_a_refused_redemption_leaves_the_mark_that_was_decided(stores: Stores) -> None:
    """`Effect`: nothing, a counted try, a family that ends."""
    await stores.requests.park(WAITING)
    await stores.requests.approve("r1", CODE)
    seen: list[int] = []

    def refusing(effect: Effect) -> Callable[[FoundCode], Decision]:
        def decide(found: FoundCode) -> Decision:
            assert found.code is not None
            seen.append(found.code.tries)
            return Refuse(NO, NOW, effect)

        return decide

    for effect in (Effect.NONE, Effect.COUNT_TRY, Effect.COUNT_TRY, Effect.NONE):
        await stores.grants.redeem("h1", refusing(effect))
    assert seen == [0, 0, 1, 2]
    await stores.grants.redeem("h1", refusing(Effect.REVOKE_FAMILY))
    first = issue("f1")
    await stores.grants.redeem("h1", lambda _: first)
    assert await stores.grants.find(first.access.hash) is not None
    await stores.grants.redeem("h1", refusing(Effect.REVOKE_FAMILY))
    assert await stores.grants.find(first.access.hash) is None


async def rotated(stores: Stores, hash_: str, fresh: Issue) -> list[FoundRefresh]:
    """Rotate once with the given outcome; what the decision was shown."""
    seen: list[FoundRefresh] = []

    def decide(found: FoundRefresh) -> Decision:
        seen.append(found)
        return fresh

    await stores.grants.rotate(hash_, fresh.family.id, decide)
    return seen


async def test_a_rotation_replaces_the_token_and_ends_the_old_access(stores: Stores) -> None:
    """`Grants.rotate`: RFC 9700 §4.14.2."""
    first, second = issue("f1", "r1"), issue("f1", "r2", LATER)
    await stores.grants.issue(first)
    [found] = await rotated(stores, "r1-f1", second)
    assert found.token == first.refresh
    assert found.family == first.family
    assert found.successor is None
    assert found.user == ALICE
    assert await stores.grants.find(first.access.hash) is None
    good = await stores.grants.find(second.access.hash)
    assert good is not None
    assert good.token == second.access


async def test_a_retry_supersedes_the_successor_so_that_one_token_is_live(
    stores: Stores, database: Database
) -> None:
    """`Grants.rotate`: F3."""
    await stores.grants.issue(issue("f1", "r1"))
    await rotated(stores, "r1-f1", issue("f1", "r2"))
    [found] = await rotated(
        stores, "r1-f1", replace(issue("f1", "r3", LATER), event=RefreshEvent.RETRY)
    )
    assert found.token is not None
    assert found.token.state is RefreshState.ROTATED
    assert found.token.rotated_at == NOW
    assert found.successor is not None
    assert found.successor.hash == "r2-f1"
    rows = await database.all("SELECT hash, state FROM oauth_refresh_tokens ORDER BY hash")
    assert [row["state"] for row in rows] == ["spent", "spent", "live"]


async def test_a_family_that_ends_takes_every_access_token_and_keeps_the_refresh_tokens(
    stores: Stores, database: Database
) -> None:
    """`Grants.revoke_family`: a token that comes back is still known."""
    first = issue("f1", "r1")
    await stores.grants.issue(first)
    assert await stores.grants.revoke_family("f1", NOW)
    assert not await stores.grants.revoke_family("f1", NOW)
    assert await stores.grants.find(first.access.hash) is None
    assert await count(database, "oauth_refresh_tokens") == 1
    found = await stores.grants.family_of("r1-f1")
    assert found is not None
    assert found[0].revoked_at == NOW


async def test_a_refused_rotation_leaves_the_mark_that_was_decided(stores: Stores) -> None:
    """`Effect`."""
    await stores.grants.issue(issue("f1", "r1"))
    await stores.grants.rotate("r1-f1", "f1", lambda _: Refuse(NO, NOW))
    assert await stores.grants.find("a-f1-r1") is not None
    await stores.grants.rotate("gone", "f1", lambda _: Refuse(NO, NOW, Effect.REVOKE_FAMILY))
    assert await stores.grants.find("a-f1-r1") is None


async def test_tokens_are_found_by_what_is_known_of_them(stores: Stores) -> None:
    """`Grants.find`, `find_id`, `family_of`, `revoke_access`, `all`."""
    first = issue("f1", "r1")
    await stores.grants.issue(first)
    presented = await stores.grants.find(first.access.hash)
    assert presented is not None
    assert presented == await stores.grants.find_id(first.access.id)
    assert presented.user == replace(ALICE, password_hash="")
    assert presented.family == first.family
    assert await stores.grants.family_of(first.access.hash) == (first.family, first.access)
    assert await stores.grants.family_of("r1-f1") == (first.family, None)
    assert await stores.grants.family_of("nope") is None
    assert list(await stores.grants.all(NOW)) == [presented]
    assert list(await stores.grants.all(LATER)) == []
    assert await stores.grants.revoke_access(first.access.id) == presented
    assert await stores.grants.revoke_access(first.access.id) is None


async def test_a_changed_password_ends_sessions_codes_and_families(stores: Stores) -> None:
    """`Users.set_password`."""
    await stores.requests.park(WAITING)
    await stores.requests.approve("r1", CODE)
    await stores.sessions.sign_in(BrowserSession("b1", "u1", NOW, LATER), "b0")
    await stores.grants.issue(issue("f1"))
    assert list(await stores.users.set_password("u1", "new", NOW)) == ["f1"]
    assert list(await stores.users.set_password("u1", "newer", NOW)) == []
    assert await stores.sessions.find("b1", NOW) is None
    assert await stores.grants.find("a-f1-r") is None
    await stores.grants.redeem("h1", lambda found: Refuse(NO, NOW) if not found.code else _never())
    user = await stores.users.by_name("alice")
    assert user is not None
    assert user.password_hash == "newer"


def _never() -> Decision:
    raise AssertionError("the code is gone")


async def test_a_disabled_user_is_so_from_one_moment(stores: Stores) -> None:
    """`Users.disable`."""
    assert await stores.users.disable("u1", NOW)
    assert not await stores.users.disable("u1", LATER)
    user = await stores.users.by_name("alice")
    assert user is not None
    assert user.disabled_at == NOW
    assert not user.active


async def test_a_removed_user_leaves_nothing(stores: Stores, database: Database) -> None:
    """`Users.remove`."""
    await stores.grants.issue(issue("f1"))
    await stores.sessions.sign_in(BrowserSession("b1", "u1", NOW, LATER), "b0")
    assert list(await stores.users.remove("u1")) == ["f1"]
    for table in ("users", "sessions", "families", "access_tokens", "refresh_tokens"):
        assert await count(database, f"oauth_{table}") == 0


async def test_a_bucket_takes_what_it_is_allowed_however_many_come_at_once(
    stores: Stores, database: Database
) -> None:
    """`Attempts.reserve`."""
    found: list[datetime | None] = []

    async def reserve(number: int) -> None:
        allowances = [("mine", 3), ("all", 5)]
        found.append(
            await stores.attempts.reserve(f"n{number}", allowances, NOW, NOW - timedelta(hours=1))
        )

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(reserve, number)
    assert found.count(None) == 3
    assert found.count(NOW) == 7
    assert await count(database, "oauth_attempts") == 6, "a refused attempt is noted nowhere"


async def test_a_window_slides(stores: Stores) -> None:
    """`Attempts.reserve`: the oldest attempt that fills the bucket makes room first."""
    hour = timedelta(hours=1)
    moments = [NOW, NOW + timedelta(minutes=10), NOW + timedelta(minutes=20)]
    for number, now in enumerate(moments):
        assert await stores.attempts.reserve(f"n{number}", [("b", 3)], now, now - hour) is None
    late = NOW + timedelta(minutes=30)
    assert await stores.attempts.reserve("n4", [("b", 3)], late, late - hour) == NOW
    free = NOW + hour
    assert await stores.attempts.reserve("n5", [("b", 3)], free, free - hour) is None
    assert await stores.attempts.reserve("n6", [("b", 3)], free, free - hour) == moments[1]


async def test_a_full_bucket_is_seen_without_noting_anything(
    stores: Stores, database: Database
) -> None:
    """`Attempts.full`."""
    since = NOW - timedelta(hours=1)
    assert await stores.attempts.full("b", 2, since) is None
    for number in range(2):
        assert await stores.attempts.full("b", 2, since) is None
        await stores.attempts.reserve(f"n{number}", [("b", 2)], NOW, since)
    assert await stores.attempts.full("b", 2, since) == NOW
    assert await stores.attempts.full("b", 2, NOW) is None
    assert await count(database, "oauth_attempts") == 2


async def test_of_many_who_spend_a_proof_one_does(stores: Stores, database: Database) -> None:
    """`Proofs.spend`: RFC 7523 §3."""
    found: list[bool] = []

    async def spend() -> None:
        found.append(await stores.proofs.spend("p", LATER))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(spend)
    assert sorted(found) == [False] * 19 + [True]
    await stores.upkeep.sweep(LATER - timedelta(milliseconds=1))
    assert not await stores.proofs.spend("p", LATER)
    await stores.upkeep.sweep(LATER)
    assert await count(database, "oauth_spent_proofs") == 0


async def test_a_success_is_taken_back(stores: Stores, database: Database) -> None:
    """`Attempts.release`."""
    since = NOW - timedelta(hours=1)
    for name in ("n1", "n2"):
        await stores.attempts.reserve(name, [("mine", 5), ("all", 5)], NOW, since)
    await stores.attempts.release("n2", "mine")
    rows = await database.all("SELECT attempt, bucket FROM oauth_attempts")
    assert [dict(row) for row in rows] == [{"attempt": "n1", "bucket": "all"}]


async def test_what_has_expired_is_swept_and_what_is_needed_stays(
    stores: Stores, database: Database
) -> None:
    """`Upkeep.sweep`."""
    await stores.requests.park(WAITING)
    await stores.requests.park(replace(WAITING, id="r2"))
    await stores.requests.approve("r2", CODE)
    await stores.sessions.sign_in(BrowserSession("b1", "u1", NOW, LATER), "b0")
    await stores.grants.issue(issue("f1", "r1"))
    await rotated(stores, "r1-f1", issue("f1", "r2"))
    await stores.attempts.reserve("n1", [("b", 1)], NOW, NOW)
    assert await stores.upkeep.sweep(NOW) == 0
    assert await stores.upkeep.sweep(LATER) == 5
    kept = {
        name: await count(database, f"oauth_{name}")
        for name in ("clients", "users", "families", "codes", "refresh_tokens")
    }
    assert kept == {"clients": 1, "users": 1, "families": 1, "codes": 1, "refresh_tokens": 1}
    await stores.upkeep.sweep(NOW + timedelta(days=30))
    for name in ("families", "codes", "refresh_tokens"):
        assert await count(database, f"oauth_{name}") == 0
    assert await count(database, "oauth_users") == 1
    assert await stores.clients.find("c1") is not None, "it got a token once"
    await stores.clients.add(replace(CLIENT, id="c2"))
    await stores.upkeep.sweep(NOW + timedelta(days=30))
    assert await stores.clients.find("c2") is None


async def test_nothing_is_kept_for_a_client_or_a_user_that_is_gone(
    stores: Stores, database: Database
) -> None:
    """`Requests.park`, `Requests.approve`, `Devices.begin`, `Grants.issue`: RFC 7592 §2.3."""
    assert not await stores.requests.park(replace(WAITING, client_id="gone"))
    assert not await stores.devices.begin(replace(DEVICE, client_id="gone"))
    for changed in ({"client_id": "gone"}, {"user_id": "gone"}):
        told = issue("f1")
        assert not await stores.grants.issue(replace(told, family=replace(told.family, **changed)))
    assert await stores.requests.park(WAITING)
    assert not await stores.requests.approve(WAITING.id, replace(CODE, user_id="gone"))
    for table in ("oauth_devices", "oauth_families", "oauth_access_tokens", "oauth_codes"):
        assert await count(database, table) == 0
    assert await count(database, "oauth_requests") == 1


AGREED = Consent("u1", "c1", "https://a.example/cb", "aud", frozenset({"read"}), "as it was", NOW)


async def agree(stores: Stores, request_id: str, consent: Consent | None) -> bool:
    """Approve a request of that id, and remember the consent with it."""
    await stores.requests.park(replace(WAITING, id=request_id, prompt="consent"))
    return await stores.requests.approve(request_id, replace(CODE, hash=f"h-{request_id}"), consent)


async def test_a_consent_is_remembered_with_its_code_or_not_at_all(
    stores: Stores, database: Database
) -> None:
    """`Requests.approve`, `Consents.find`: the last one counts."""
    key = ("u1", "c1", "https://a.example/cb", "aud")
    assert await agree(stores, "r1", None)
    assert await stores.consents.find(*key) is None
    assert await agree(stores, "r2", AGREED)
    assert await stores.consents.find(*key) == AGREED
    wider = replace(AGREED, scopes=frozenset({"read", "write"}), given_at=LATER)
    assert await agree(stores, "r3", wider)
    assert not await stores.requests.approve("r3", replace(CODE, hash="late"), AGREED)
    assert await stores.consents.find(*key) == wider
    for other in (
        ("u2", *key[1:]),
        ("u1", "c2", *key[2:]),
        (*key[:3], "other"),
        ("u1", "c1", "", "aud"),
    ):
        assert await stores.consents.find(*other) is None
    await stores.users.remove("u1")
    assert await count(database, "oauth_consents") == 0


async def test_what_a_user_granted_is_listed_and_taken_back(
    stores: Stores, database: Database
) -> None:
    """`Consents.apps`, `Consents.withdraw`."""
    assert list(await stores.consents.apps("u1", NOW)) == []
    await agree(stores, "r1", AGREED)
    await stores.grants.issue(issue("f1"))
    await stores.grants.issue(issue("f2", refresh=None))
    [app] = await stores.consents.apps("u1", NOW)
    assert (app.client_id, app.name, app.since, app.used_at) == ("c1", CLIENT.name, NOW, NOW)
    assert (app.redirect_uris, app.scopes) == ((AGREED.redirect_uri,), frozenset({"read"}))
    assert list(await stores.consents.withdraw("u2", "c1", NOW)) == []
    assert sorted(await stores.consents.withdraw("u1", "c1", NOW)) == ["f1", "f2"]
    assert list(await stores.consents.withdraw("u1", "c1", NOW)) == []
    assert list(await stores.consents.apps("u1", NOW)) == []
    for table in ("consents", "codes", "access_tokens"):
        assert await count(database, f"oauth_{table}") == 0


async def test_what_has_expired_is_no_application(stores: Stores) -> None:
    """`Consents.apps`."""
    await stores.grants.issue(issue("f1"))
    assert len(await stores.consents.apps("u1", LATER)) == 1
    assert list(await stores.consents.apps("u1", NOW + timedelta(days=30))) == []


async def test_a_session_ends_alone_or_with_every_family(stores: Stores) -> None:
    """`Sessions.sign_out`."""
    await stores.grants.issue(issue("f1"))
    for revoke_at, ended in ((None, []), (LATER, ["f1"])):
        await stores.sessions.sign_in(BrowserSession("b9", "u1", NOW, LATER), "b8")
        assert list(await stores.sessions.sign_out("b9", revoke_at)) == ended
        assert await stores.sessions.find("b9", NOW) is None
        assert list(await stores.sessions.sign_out("b9", revoke_at)) == []

"""What every engine must keep of the promises in `catshop/oauth/upstream_ports.py`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from catshop.oauth.model import Trip, UpstreamToken, User
from catshop.oauth.ports import FoundCode, Issue, Stores
from catshop.oauth.upstream_ports import Claimed
from catshop.storage.database import Database
from catshop.storage.oauth import stores as stores_on
from tests.storage.oauth.test_contract import (
    ALICE,
    CLIENT,
    CODE,
    LATER,
    NOW,
    WAITING,
    count,
    issue,
)

TRIP = Trip("state", "browser", WAITING.id, frozenset({"read"}), LATER)
NEWCOMER = User("new", "alice@idp.example", "!", NOW)
ISSUER = "https://idp.example"


@pytest.fixture
async def stores(database: Database) -> Stores:
    """Every port, with one user, one client and one request that waits."""
    made = stores_on(database)
    await made.users.add(ALICE)
    await made.clients.add(CLIENT)
    await made.requests.park(WAITING)
    return made


async def test_of_many_who_arrive_with_one_state_one_gets_the_trip(stores: Stores) -> None:
    """`Upstreams.arrive`. RFC 9700 §4.7."""
    assert await stores.upstreams.depart(TRIP)
    found: list[Trip | None] = []

    async def arrive() -> None:
        found.append(await stores.upstreams.arrive(TRIP.state))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(arrive)
    assert [each for each in found if each] == [TRIP]
    assert await stores.upstreams.arrive("another") is None


async def test_a_trip_ends_with_its_request(stores: Stores, database: Database) -> None:
    """`Upstreams.depart`: what was decided, or never was, leads nowhere."""
    assert await stores.upstreams.depart(TRIP)
    assert await stores.requests.dismiss(WAITING.id)
    assert await stores.upstreams.arrive(TRIP.state) is None
    assert not await stores.upstreams.depart(replace(TRIP, state="later"))
    assert await count(database, "oauth_trips") == 0


async def test_of_many_who_come_the_first_time_one_becomes_the_account(
    stores: Stores, database: Database
) -> None:
    """`Upstreams.resident`."""
    found: list[User] = []

    async def come(number: int) -> None:
        newcomer = replace(NEWCOMER, id=f"new-{number}")
        found.append(await stores.upstreams.resident(ISSUER, "1", newcomer))

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(come, number)
    assert len({user.id for user in found}) == 1
    assert await count(database, "oauth_users") == 2


async def test_a_subject_is_somebody_together_with_its_issuer(stores: Stores) -> None:
    """RFC 9068 §5: and whose name is taken is called by the id."""
    first = await stores.upstreams.resident(ISSUER, "1", NEWCOMER)
    other = replace(NEWCOMER, id="other")
    second = await stores.upstreams.resident(f"{ISSUER}/", "1", other)
    assert (first, second) == (NEWCOMER, replace(other, name="other"))
    assert await stores.upstreams.resident(ISSUER, "1", replace(NEWCOMER, id="x")) == first


async def test_an_account_that_was_removed_comes_back_as_another(stores: Stores) -> None:
    """`Users.remove` takes along whose account it was."""
    await stores.upstreams.resident(ISSUER, "1", NEWCOMER)
    await stores.users.remove(NEWCOMER.id)
    again = replace(NEWCOMER, id="again")
    assert await stores.upstreams.resident(ISSUER, "1", again) == again


@pytest.fixture
async def kept(stores: Stores) -> UpstreamToken:
    """A token behind a code that has become the family `f1`."""
    token = UpstreamToken(CODE.hash, "sealed")
    await stores.upstreams.keep(token, NOW)
    assert await stores.requests.approve(WAITING.id, CODE)

    def decide(_: FoundCode) -> Issue:
        return issue("f1")

    await stores.grants.redeem(CODE.hash, decide)
    return token


async def test_of_many_who_claim_a_token_one_gets_it(stores: Stores, kept: UpstreamToken) -> None:
    """`Upstreams.claim`: until it is given back, or the time is over."""
    until = NOW + timedelta(seconds=30)
    found: list[UpstreamToken | Claimed | None] = []

    async def claim() -> None:
        found.append(await stores.upstreams.claim("f1", NOW, until))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(claim)
    assert found.count(kept) == 1
    assert found.count(Claimed.BY_ANOTHER) == 7
    assert await stores.upstreams.claim("f1", until, LATER) == kept
    fresh = replace(kept, sealed="fresh")
    await stores.upstreams.give_back(fresh)
    assert await stores.upstreams.claim("f1", NOW, until) == fresh
    assert await stores.upstreams.claim("another", NOW, until) is None


async def test_a_token_is_kept_as_long_as_something_of_ours_stands_on_it(
    stores: Stores, kept: UpstreamToken, database: Database
) -> None:
    """`Upstreams.keep`."""
    await stores.upstreams.keep(UpstreamToken("of no code", "sealed"), NOW)
    await stores.upkeep.sweep(NOW + timedelta(hours=2))
    assert await count(database, "oauth_upstream_tokens") == 1
    assert await stores.grants.revoke_family("f1", NOW)
    await stores.upkeep.sweep(NOW + timedelta(hours=2))
    assert await count(database, "oauth_upstream_tokens") == 0

"""The token endpoint with a refresh token: rotation, reuse, grace."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import anyio
import pytest

from catshop.kernel import Secret
from catshop.oauth.grants import decide_refresh
from catshop.oauth.parameters import RefreshGrant
from catshop.oauth.ports import Decision, FoundRefresh, Issue
from catshop.oauth.tokens import Lifetimes, Minted, family_id_of
from catshop.storage.database import Row, Statements, Value
from catshop.storage.oauth import stores as stores_on
from tests.oauth.cases import case
from tests.oauth.house import ISSUER, PASSWORD, Clock, House, json_of

T = TypeVar("T")


@pytest.fixture
async def client_id(house: House) -> str:
    """A client; alice has an account."""
    await house.user()
    return await house.client()


async def live(house: House) -> int:
    """How many refresh tokens could be used."""
    rows = await house.database.all("SELECT hash FROM oauth_refresh_tokens WHERE state = 'live'")
    return len(rows)


@case("F1", "a new pair with the same scope, and the old one is over")
async def test_a_refresh_gives_a_new_pair_and_ends_the_old_one(
    house: House, client_id: str, clock: Clock
) -> None:
    """OAuth 2.1 §4.3.1: F1, A000-15."""
    old = await house.tokens(client_id)
    clock.forward(60)
    answer = await house.refresh(client_id, old["refresh_token"])
    assert answer.status == 200
    new = json_of(answer)
    assert new["scope"] == old["scope"]
    assert new["refresh_token"] != old["refresh_token"]
    assert await house.is_good(new["access_token"])
    assert not await house.is_good(old["access_token"])
    assert (await house.call(new["access_token"])).audience == f"{ISSUER}/mcp"
    assert await live(house) == 1


@case("F2", "reuse is invalid_grant and ends the family with its access tokens")
async def test_a_reused_token_ends_the_family(house: House, client_id: str, clock: Clock) -> None:
    """RFC 9700 §4.14.2; OAuth 2.1 §4.3.3: F2."""
    first = await house.tokens(client_id)
    clock.forward(60)
    second = json_of(await house.refresh(client_id, first["refresh_token"]))
    clock.forward(31)
    answer = await house.refresh(client_id, first["refresh_token"])
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_grant")
    assert not await house.is_good(second["access_token"])
    answer = await house.refresh(client_id, second["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"


@case("F3", "a lost answer is given again once within 30 s; one refresh token lives")
async def test_a_lost_answer_is_given_again_once(
    house: House, client_id: str, clock: Clock
) -> None:
    """RFC 9700 §4.14.2: F3."""
    first = await house.tokens(client_id)
    clock.forward(60)
    lost = json_of(await house.refresh(client_id, first["refresh_token"]))
    clock.forward(30)
    answer = await house.refresh(client_id, first["refresh_token"])
    assert answer.status == 200
    again = json_of(answer)
    assert await live(house) == 1
    assert not await house.is_good(lost["access_token"])
    assert await house.is_good(again["access_token"])
    clock.forward(2)
    third = await house.refresh(client_id, first["refresh_token"])
    assert json_of(third)["error"] == "invalid_grant"
    assert not await house.is_good(again["access_token"]), "the third time it is a theft"


@case("F3", "the lost answer is worth nothing when it turns up: the family ends")
async def test_a_lost_answer_that_turns_up_is_a_theft(
    house: House, client_id: str, clock: Clock
) -> None:
    """RFC 9700 §4.14.2: F3."""
    first = await house.tokens(client_id)
    clock.forward(60)
    lost = json_of(await house.refresh(client_id, first["refresh_token"]))
    clock.forward(5)
    again = json_of(await house.refresh(client_id, first["refresh_token"]))
    clock.forward(5)
    answer = await house.refresh(client_id, lost["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"
    assert not await house.is_good(again["access_token"])


@case("F3", "no grace once the successor was used")
async def test_no_grace_once_the_successor_was_used(
    house: House, client_id: str, clock: Clock
) -> None:
    """RFC 9700 §4.14.2: F3."""
    first = await house.tokens(client_id)
    clock.forward(60)
    second = json_of(await house.refresh(client_id, first["refresh_token"]))
    clock.forward(5)
    third = json_of(await house.refresh(client_id, second["refresh_token"]))
    clock.forward(5)
    answer = await house.refresh(client_id, first["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"
    assert not await house.is_good(third["access_token"])


async def test_no_grace_for_another_client(house: House, client_id: str, clock: Clock) -> None:
    """OAuth 2.1 §4.3.1: F3. Another client's request changes nothing."""
    first = await house.tokens(client_id)
    clock.forward(60)
    second = json_of(await house.refresh(client_id, first["refresh_token"]))
    clock.forward(5)
    answer = await house.refresh(await house.client(), first["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"
    assert await house.is_good(second["access_token"])


class Ticking(Clock):
    """A clock that moves whenever it is read, so that no two requests come at one moment."""

    def __call__(self) -> datetime:
        self.forward(0.005)
        return self.now


@case("F8", "of 50 refreshes at once one gets tokens, and they stay good")
@pytest.mark.parametrize("kind", [Clock, Ticking], ids=["at one moment", "one after another"])
async def test_of_fifty_refreshes_at_once_one_succeeds_and_nothing_is_lost(
    house: House, client_id: str, kind: type[Clock]
) -> None:
    """RFC 9700 §4.14.2: F8. Requests that were under way together are no theft."""
    house = House(house.settings, house.stores, house.database, kind())
    first = await house.tokens(client_id)
    found: list[dict[str, Any]] = []

    async def refresh() -> None:
        found.append(json_of(await house.refresh(client_id, first["refresh_token"])))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(refresh)
    [second] = [answer for answer in found if "access_token" in answer]
    assert [answer["error"] for answer in found if "error" in answer] == ["invalid_grant"] * 49
    assert await live(house) == 1
    assert await house.is_good(second["access_token"])


@pytest.mark.parametrize("seconds", [0, 1, 1.999])
async def test_a_moment_after_a_rotation_the_old_token_is_worth_nothing_and_harms_nothing(
    house: House, client_id: str, clock: Clock, seconds: float
) -> None:
    """RFC 9700 §4.14.2: F8. The answer that was lost can still be had afterwards: F3."""
    first = await house.tokens(client_id)
    clock.forward(60)
    second = json_of(await house.refresh(client_id, first["refresh_token"]))
    clock.forward(seconds)
    twin = await house.refresh(client_id, first["refresh_token"])
    assert (twin.status, json_of(twin)["error"]) == (400, "invalid_grant")
    assert "E-REF-05" in json_of(twin)["error_description"]
    assert await house.is_good(second["access_token"])
    assert await live(house) == 1
    clock.forward(2)
    assert (await house.refresh(client_id, first["refresh_token"])).status == 200


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param(
            {"scope": "read write admin"},
            "invalid_scope",
            marks=case("F5", "an unknown scope is invalid_scope, and nothing rotates"),
            id="unknown",
        ),
        pytest.param(
            {"resource": "https://evil.example/mcp"},
            "invalid_target",
            marks=case(
                "F10", "a resource that was not granted is invalid_target, and nothing rotates"
            ),
            id="resource",
        ),
        pytest.param({"scope": "read,write"}, "invalid_scope", id="comma"),
    ],
)
async def test_a_refused_refresh_rotates_nothing(
    house: House, client_id: str, sent: dict[str, str], error: str
) -> None:
    """OAuth 2.1 §4.3.1; RFC 8707 §2.2: F5, F10."""
    granted = await house.tokens(client_id)
    answer = await house.refresh(client_id, granted["refresh_token"], **sent)
    assert (answer.status, json_of(answer)["error"]) == (400, error)
    assert (await house.refresh(client_id, granted["refresh_token"])).status == 200


@case("F5", "a scope may shrink and come back, and never grow")
async def test_a_scope_may_shrink_and_come_back_but_never_grow(
    house: House, client_id: str, clock: Clock
) -> None:
    """OAuth 2.1 §4.3.1: F5."""
    granted = await house.tokens(client_id)
    for scope in ("read", "read write"):
        clock.forward(1)
        answer = await house.refresh(client_id, granted["refresh_token"], scope=scope)
        granted = json_of(answer)
        assert granted["scope"] == scope
        held = (await house.call(granted["access_token"])).scopes
        assert {"read", "write"} & held == set(scope.split())
    narrow = await house.tokens(client_id, scope="read")
    answer = await house.refresh(client_id, narrow["refresh_token"], scope="read write")
    assert json_of(answer)["error"] == "invalid_scope"


@case("F6", "a token that is idle too long is invalid_grant")
async def test_an_idle_token_expires(house: House, client_id: str, clock: Clock) -> None:
    """OAuth 2.1 §4.3.3: F6."""
    granted = await house.tokens(client_id)
    clock.forward(86_400)
    answer = await house.refresh(client_id, granted["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"
    assert "E-REF-04" in json_of(answer)["error_description"]


@case("F6", "a family ends however often it is refreshed")
async def test_a_family_ends_however_often_it_is_refreshed(
    house: House, client_id: str, clock: Clock
) -> None:
    """OAuth 2.1 §4.3.3: F6."""
    granted = await house.tokens(client_id)
    for _ in range(30):
        clock.forward(86_399)
        answer = await house.refresh(client_id, granted["refresh_token"])
        assert answer.status == 200
        granted = json_of(answer)
    assert granted["expires_in"] == 30, "no token outlives its family"
    clock.forward(30)
    answer = await house.refresh(client_id, granted["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("x", id="short"),
        pytest.param("cat_rt_" + "x" * 22 + "." + "y" * 43, id="of-no-family"),
        pytest.param("cat_rt_\n" + "x" * 21 + "." + "y" * 43, id="newline"),
    ],
)
async def test_what_is_no_refresh_token_is_refused(
    house: House, client_id: str, token: str
) -> None:
    """OAuth 2.1 §3.2.4."""
    error = json_of(await house.refresh(client_id, token))["error"]
    assert error == ("invalid_grant" if token else "invalid_request")


@case("F7", "a refresh token is no bearer token, an access token refreshes nothing")
async def test_tokens_are_not_interchangeable(house: House, client_id: str) -> None:
    """OAuth 2.1 §1.3.2, §1.4: F7."""
    granted = await house.tokens(client_id)
    assert not await house.is_good(granted["refresh_token"])
    answer = await house.refresh(client_id, granted["access_token"])
    assert json_of(answer)["error"] == "invalid_grant"


@case("F9", "a changed password ends every grant")
async def test_a_changed_password_ends_every_grant(house: House, client_id: str) -> None:
    """OAuth 2.1 §4.3.3: F9."""
    granted = await house.tokens(client_id)
    await house.call(granted["access_token"])
    await house.administration.set_password("alice", Secret(PASSWORD + "!"))
    assert not await house.is_good(granted["access_token"])
    answer = await house.refresh(client_id, granted["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"


@case("F9", "a closed account ends every grant")
async def test_a_closed_account_ends_every_grant(house: House, client_id: str) -> None:
    """OAuth 2.1 §4.3.3: F9. A token that was taken a moment ago is refused at once."""
    granted = await house.tokens(client_id)
    await house.call(granted["access_token"])
    await house.administration.disable_user("alice")
    assert not await house.is_good(granted["access_token"])
    answer = await house.refresh(client_id, granted["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"
    await house.administration.remove_user("alice")
    answer = await house.refresh(client_id, granted["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"


@case("F9", "a client that is gone is invalid_client")
async def test_a_forgotten_client_has_to_register_again(house: House, client_id: str) -> None:
    """OAuth 2.1 §3.2.1: F9."""
    granted = await house.tokens(client_id)
    await house.database.write(lambda s: s.run("DELETE FROM oauth_clients"))
    answer = await house.refresh(client_id, granted["refresh_token"])
    assert (answer.status, json_of(answer)["error"]) == (401, "invalid_client")


async def test_the_first_token_of_a_long_chain_still_ends_the_family(
    house: House, client_id: str, clock: Clock
) -> None:
    """RFC 9700 §4.14.2: F12. Its row is gone; the token itself names the family."""
    first = await house.tokens(client_id)
    newest = first
    for _ in range(20):
        clock.forward(600)
        newest = json_of(await house.refresh(client_id, newest["refresh_token"]))
        await house.stores.upkeep.sweep(clock())
    assert await house.count("oauth_refresh_tokens") <= 8, "the table does not grow with the chain"
    foreign = await house.refresh(await house.client(), first["refresh_token"])
    assert json_of(foreign)["error"] == "invalid_grant"
    assert await house.is_good(newest["access_token"])
    answer = await house.refresh(client_id, first["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"
    assert not await house.is_good(newest["access_token"])


@dataclass(frozen=True, slots=True)
class Within:
    """A `Database` inside one transaction of another: no commit between, and so no waiting."""

    statements: Statements

    async def one(self, sql: str, *values: Value) -> Row | None:
        return self.statements.one(sql, *values)

    async def all(self, sql: str, *values: Value) -> list[Row]:
        return self.statements.all(sql, *values)

    async def write(self, work: Callable[[Statements], T]) -> T:
        return work(self.statements)

    async def close(self) -> None:
        """There is nothing to give back."""


def outcome(work: Coroutine[Any, Any, T]) -> T:
    """What comes of work that never waits."""
    try:
        work.send(None)
    except StopIteration as ended:
        value: T = ended.value
        return value
    raise AssertionError("it waits")


@case("F12", "after 10,000 rotations the table is short, and reuse of the first ends the family")
async def test_after_ten_thousand_rotations_the_first_token_still_ends_the_family(
    house: House, client_id: str, clock: Clock
) -> None:
    """RFC 9700 §4.14.2."""
    first = await house.tokens(client_id)
    family_id = family_id_of(Secret(first["refresh_token"])) or ""
    client = await house.stores.clients.find(client_id)
    assert client is not None

    def rotations(statements: Statements) -> str:
        stores = stores_on(Within(statements))
        shown = Secret(first["refresh_token"])
        for number in range(10_000):
            clock.forward(10)
            minted = Minted.of(family_id, lambda: secrets.token_urlsafe(32))
            asked, now = RefreshGrant(shown, None, ()), clock()
            issuing = (minted, Lifetimes(now, house.settings.limits))

            def decide(found: FoundRefresh) -> Decision:
                return decide_refresh(found, asked, client, now, issuing)  # noqa: B023 - used at once

            decision = outcome(stores.grants.rotate(shown.digest(), family_id, decide))
            assert isinstance(decision, Issue)
            shown = minted.refresh
            if number % 100 == 0:
                outcome(stores.upkeep.sweep(now))
        return shown.reveal()

    newest = await house.database.write(rotations)
    assert await house.count("oauth_refresh_tokens") < 500
    assert await house.count("oauth_access_tokens") == 1
    granted = json_of(await house.refresh(client_id, newest))
    assert await house.is_good(granted["access_token"])
    answer = await house.refresh(client_id, first["refresh_token"])
    assert json_of(answer)["error"] == "invalid_grant"
    assert not await house.is_good(granted["access_token"])

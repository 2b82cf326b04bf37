"""The contract of `protocol.ports.TaskStore`, for every engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import anyio
import pytest

from catshop.protocol.ports import Owner, Status, Task
from catshop.protocol.task_states import asked, begin, cancelled, returned
from catshop.storage.database import Database
from catshop.storage.protocol.tasks import SqlTasks

NOW = datetime(2026, 11, 20, 12, 0, 0, 123_456, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 12, 0, 5, 250_000, tzinfo=UTC)
ALICE: Owner = ("client", "http://issuer.example", "alice")
BOB: Owner = ("client", "http://issuer.example", "bob")
ROBOT: Owner = ("client", "http://issuer.example", None)


@pytest.fixture
def store(database: Database) -> SqlTasks:
    return SqlTasks(database)


def task(id_: str = "t", owner: Owner = ALICE) -> Task:
    return begin(id_, owner, NOW, 60)


@pytest.mark.parametrize("owner", [ALICE, ROBOT])
async def test_a_task_is_found_as_it_was_created(store: SqlTasks, owner: Owner) -> None:
    """MCP 2026-07-28 extensions/tasks §task-creation: it is durable before anybody hears of it."""
    assert await store.create(task(owner=owner), 16)
    assert await store.find(owner, "t", NOW) == task(owner=owner)


@pytest.mark.parametrize("owner", [BOB, ROBOT, ("other", *ALICE[1:])])
async def test_nobody_finds_the_task_of_somebody_else(store: SqlTasks, owner: Owner) -> None:
    await store.create(task(), 16)
    assert await store.find(owner, "t", NOW) is None


async def test_a_change_is_stored_with_its_payload(store: SqlTasks) -> None:
    await store.create(task(), 16)
    question = {"method": "elicitation/create", "params": {"message": "\N{CAT}?"}}
    after = await store.change("t", partial(asked, questions={"a": question}, now=LATER))
    assert after is not None
    assert after == await store.find(ALICE, "t", NOW)
    assert (after.status, after.questions) == (Status.INPUT_REQUIRED, {"a": question})


async def test_what_has_ended_is_not_changed(store: SqlTasks) -> None:
    await store.create(task(), 16)
    await store.change("t", partial(cancelled, now=LATER))
    assert await store.change("t", partial(returned, result={}, now=LATER)) is None
    assert await store.change("unknown", partial(cancelled, now=LATER)) is None
    found = await store.find(ALICE, "t", NOW)
    assert found is not None
    assert found.status is Status.CANCELLED


async def test_of_a_result_and_a_cancellation_that_race_one_comes_first(store: SqlTasks) -> None:
    """Both are one transaction each, so never both."""
    await store.create(task(), 16)
    moves = [partial(cancelled, now=LATER), partial(returned, result={}, now=LATER)] * 10
    made: list[Task | None] = []

    async def change(number: int) -> None:
        made.append(await store.change("t", moves[number]))

    async with anyio.create_task_group() as tasks:
        for number in range(len(moves)):
            tasks.start_soon(change, number)
    [first] = [each for each in made if each is not None]
    assert first == await store.find(ALICE, "t", NOW)


async def test_of_20_tasks_at_once_no_more_than_the_limit_are_kept(store: SqlTasks) -> None:
    """The limit is one user's through one client; what has ended does not count."""
    kept: list[bool] = []

    async def create(number: int) -> None:
        kept.append(await store.create(task(f"t{number}"), 5))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(create, number)
    assert sum(kept) == 5
    assert await store.create(task("b", BOB), 5)
    live = [n for n in range(20) if await store.find(ALICE, f"t{n}", NOW)]
    await store.change(f"t{live[0]}", partial(cancelled, now=LATER))
    assert await store.create(task("one more"), 5)


async def test_a_beat_says_which_tasks_are_live_still(store: SqlTasks) -> None:
    for id_ in ("a", "b"):
        await store.create(task(id_), 16)
    await store.change("b", partial(cancelled, now=LATER))
    assert await store.beat(["a", "b", "unknown"], LATER) == {"a"}
    beaten = await store.find(ALICE, "a", NOW)
    assert beaten is not None
    assert beaten.beat_at == LATER


async def test_an_expired_task_is_not_found_and_swept(store: SqlTasks) -> None:
    """MCP 2026-07-28 extensions/tasks §task-polling: it may be deleted when its ttl has elapsed."""
    await store.create(task(), 16)
    end = task().expires_at
    assert await store.find(ALICE, "t", end - timedelta(milliseconds=1)) is not None
    assert await store.find(ALICE, "t", end) is None
    assert await store.sweep(end - timedelta(milliseconds=1)) == 0
    assert await store.sweep(end) == 1
    assert await store.change("t", partial(cancelled, now=LATER)) is None

"""What every engine must keep of two promises: of signing keys, and of clients that change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from catshop.oauth.model import Client, SigningKey
from catshop.oauth.ports import Stores
from catshop.storage.database import Database
from catshop.storage.oauth import stores as stores_on

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
KEY = SigningKey("k1", '{"kty":"OKP"}', "sealed", NOW, NOW)
CLIENT = Client("https://a.example/c", "Paws", ("https://a.example/cb",), (), frozenset(), NOW)


@pytest.fixture
def stores(database: Database) -> Stores:
    return stores_on(database)


async def test_of_many_first_keys_one_is_kept(stores: Stores) -> None:
    async with anyio.create_task_group() as tasks:
        for n in range(10):
            tasks.start_soon(stores.keys.begin, replace(KEY, kid=f"k{n}"))
    assert len(await stores.keys.all(NOW)) == 1


async def test_a_successor_gives_the_others_their_end(stores: Stores) -> None:
    """The newest comes first; what has ended is not there any more."""
    await stores.keys.begin(KEY)
    new = replace(KEY, kid="k2", signs_from=NOW + timedelta(minutes=5))
    await stores.keys.succeed(new, LATER)
    assert await stores.keys.all(NOW) == [new, replace(KEY, expires_at=LATER)]
    assert await stores.keys.all(LATER) == [new]
    await stores.keys.begin(replace(KEY, kid="k3"))
    assert await stores.keys.all(LATER) == [new], "there is one without an end"


async def test_a_client_is_put_in_the_place_of_what_it_was(stores: Stores) -> None:
    """When it was first met stays."""
    await stores.clients.put(CLIENT)
    assert await stores.clients.find(CLIENT.id) == CLIENT
    changed = replace(CLIENT, name="Claws", redirect_uris=("https://b.example/",), created_at=LATER)
    await stores.clients.put(changed)
    assert await stores.clients.find(CLIENT.id) == replace(changed, created_at=NOW)

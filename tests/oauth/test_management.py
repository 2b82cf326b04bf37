"""What a client may do with its own registration."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from catshop.kernel import Secret
from catshop.oauth.model import Client
from catshop.oauth.parameters import DEVICE_CODE
from catshop.oauth.ports import Stores
from catshop.protocol.http1.messages import Answer
from tests.oauth.house import CALLBACK, ISSUER, House, field_of, json_of, request_of
from tests.oauth.keys import public_set

Told = dict[str, Any]
SAID_BY_US = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)


async def registered(house: House, **metadata: Any) -> Told:
    """What a new client is told."""
    answer = await house.register(**metadata)
    assert answer.status == 201
    return json_of(answer)


async def manage(house: House, method: str, told: Told, **members: Any) -> Answer:
    """Ask with the client's own token at its own address."""
    token = told["registration_access_token"]
    fields = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    body = json.dumps(members).encode() if members else b""
    path = urlsplit(told["registration_client_uri"]).path
    return await house.ask(request_of(method, path, body, fields))


def back(told: Told, **changes: Any) -> Told:
    """The registration as a client sends it back: without what only we say."""
    return {name: value for name, value in told.items() if name not in SAID_BY_US} | changes


async def test_a_client_is_told_where_its_registration_is_and_how_to_get_there(
    house: House,
) -> None:
    """RFC 7592 §3. The token is kept as its hash."""
    told = await registered(house)
    assert told["registration_client_uri"] == f"{ISSUER}/register/{told['client_id']}"
    kept = await house.stores.clients.find(told["client_id"])
    assert kept is not None
    assert kept.management_hash == Secret(told["registration_access_token"]).digest()
    assert kept.management_hash not in repr(kept)


async def test_a_registration_is_read_as_it_was_told_but_for_the_secret(house: House) -> None:
    """RFC 7592 §2.1, §3."""
    told = await registered(house, token_endpoint_auth_method="client_secret_basic")
    answer = await manage(house, "GET", told)
    assert (answer.status, field_of(answer, "cache-control")) == (200, "no-store")
    secret = {"client_secret", "client_secret_expires_at"}
    assert json_of(answer) == {name: told[name] for name in told.keys() - secret}


async def test_a_change_replaces_everything_but_the_id_and_the_secret(house: House) -> None:
    """RFC 7592 §2.2."""
    told = await registered(
        house, token_endpoint_auth_method="client_secret_post", client_name="Paws", scope="read"
    )
    changes = back(told, redirect_uris=["https://a.example/cb"], scope="", client_name="")
    answer = await manage(house, "PUT", told, **changes)
    now = json_of(answer)
    assert answer.status == 200
    assert now["client_id"] == told["client_id"]
    assert now["client_id_issued_at"] == told["client_id_issued_at"]
    assert now["redirect_uris"] == ["https://a.example/cb"]
    assert (now["client_name"], now["scope"]) == ("", "read write")
    assert "client_secret" not in now
    assert now["registration_access_token"] == told["registration_access_token"]
    assert json_of(await manage(house, "GET", told)) == now
    proof = {"client_id": told["client_id"], "client_secret": told["client_secret"]}
    assert (await house.post("/revoke", {"token": "x", **proof})).status == 200
    assert (await house.visitor().authorize(told["client_id"])).status == 400, "the old address"


async def test_a_client_that_begins_to_need_a_secret_is_given_one(house: House) -> None:
    """RFC 7592 §2.2, §3."""
    told = await registered(house)
    method = "client_secret_post"
    answer = await manage(house, "PUT", told, **back(told, token_endpoint_auth_method=method))
    secret = json_of(answer)["client_secret"]
    proof = {"client_id": told["client_id"], "client_secret": secret}
    assert (await house.post("/revoke", {"token": "x", **proof})).status == 200
    await manage(
        house,
        "PUT",
        told,
        **back(told, token_endpoint_auth_method="private_key_jwt", jwks=public_set("ec")),
    )
    assert (await house.post("/revoke", {"token": "x", **proof})).status == 401
    kept = await house.stores.clients.find(told["client_id"])
    assert kept is not None
    assert kept.secret_hash is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        *[pytest.param({name: "x"}, "client_metadata", id=name) for name in SAID_BY_US],
        pytest.param({"client_id": "cat_other"}, "client_metadata", id="other-client"),
        pytest.param({"client_id": None}, "client_metadata", id="no-client"),
        pytest.param({"client_secret": "x" * 43}, "client_metadata", id="own-secret"),
        pytest.param({"client_secret": ["x"]}, "client_metadata", id="secret-array"),
        pytest.param({"redirect_uris": ["http://a.example/"]}, "redirect_uri", id="R2"),
        pytest.param({"redirect_uris": None}, "redirect_uri", id="R7"),
        pytest.param({"scope": "admin"}, "client_metadata", id="R12"),
    ],
)
async def test_a_change_is_judged_like_a_registration_and_changes_nothing_when_refused(
    house: House, changes: Told, error: str
) -> None:
    """RFC 7592 §2.2."""
    told = await registered(house)
    before = await house.stores.clients.find(told["client_id"])
    answer = await manage(house, "PUT", told, **back(told, **changes))
    assert (answer.status, json_of(answer)["error"]) == (400, f"invalid_{error}")
    assert await house.stores.clients.find(told["client_id"]) == before


async def test_a_change_is_sent_as_json(house: House) -> None:
    """RFC 7592 §2.2."""
    told = await registered(house)
    fields = {"authorization": f"Bearer {told['registration_access_token']}"}
    path = f"/register/{told['client_id']}"
    assert (await house.ask(request_of("PUT", path, b"{}", fields))).status == 415


async def test_a_client_that_has_gone_takes_its_grants_along(house: House) -> None:
    """RFC 7592 §2.3; OAuth 2.1 §4.3.3: F9."""
    await house.user()
    told = await registered(house)
    granted = await house.tokens(told["client_id"])
    await house.call(granted["access_token"])
    answer = await manage(house, "DELETE", told)
    assert (answer.status, answer.body) == (204, b"")
    assert not await house.is_good(granted["access_token"])
    refreshed = await house.refresh(told["client_id"], granted["refresh_token"])
    assert (refreshed.status, json_of(refreshed)["error"]) == (401, "invalid_client")
    assert (await manage(house, "DELETE", told)).status == 401
    assert (await manage(house, "PUT", told, **back(told))).status == 401
    assert await house.count("oauth_clients") == await house.count("oauth_families") == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_the_clients_own_token_is_good_there(house: House, method: str) -> None:
    """RFC 7592 §2; RFC 6750 §3.1."""
    await house.user()
    told, other = await registered(house), await registered(house)
    granted = await house.tokens(told["client_id"])
    for token in (other["registration_access_token"], granted["access_token"], "", "x"):
        answer = await manage(house, method, {**told, "registration_access_token": token})
        assert (answer.status, json_of(answer)["error"]) == (401, "invalid_token")
        assert (field_of(answer, "www-authenticate") or "").startswith("Bearer ")
    nobody = f"{ISSUER}/register/cat_nobody"
    answer = await manage(house, method, {**told, "registration_client_uri": nobody})
    assert answer.status == 401
    assert await house.count("oauth_clients") == 2


async def test_another_scheme_is_no_token(house: House) -> None:
    """RFC 6750 §2.1."""
    told = await registered(house)
    fields = {"authorization": f"Basic {told['registration_access_token']}"}
    answer = await house.ask(request_of("GET", f"/register/{told['client_id']}", fields=fields))
    assert answer.status == 401


async def test_a_client_that_changes_while_it_goes_stays_gone(house: House) -> None:
    """`Registrations.change`: RFC 7592 §2.3."""
    told = await registered(house, redirect_uris=[CALLBACK])
    client = await house.stores.clients.find(told["client_id"])
    assert client is not None
    await manage(house, "DELETE", told)
    assert not await house.stores.registrations.change(client)
    assert await house.count("oauth_clients") == 0


OTHER = "http://127.0.0.1:9999/other"


@pytest.mark.parametrize(
    ("changes", "scope"),
    [
        pytest.param({"redirect_uris": [OTHER]}, "read", id="another address"),
        pytest.param({"scope": "read"}, "write", id="none of the scopes"),
    ],
)
async def test_a_request_that_the_client_may_no_longer_make_is_over(
    house: House, changes: Told, scope: str
) -> None:
    """RFC 7592 §2.2; OAuth 2.1 §4.1.2.1: nothing goes to an address that is not registered."""
    await house.user()
    told, visitor = await registered(house), house.visitor()
    page = await visitor.follow(await visitor.authorize(told["client_id"], scope=scope))
    page = await visitor.follow(await visitor.sign_in(page))
    assert (await manage(house, "PUT", told, **back(told, **changes))).status == 200
    answer = await visitor.decide(page)
    assert (answer.status, field_of(answer, "location")) == (400, None)
    assert await house.count("oauth_codes") == 0


async def test_a_scope_that_the_client_has_given_up_is_not_granted_again(house: House) -> None:
    """RFC 7592 §2.2; OAuth 2.1 §4.3.1: at consent, and at every refresh."""
    await house.user()
    told, visitor = await registered(house), house.visitor()
    granted = await house.tokens(told["client_id"])
    page = await visitor.follow(await visitor.authorize(told["client_id"]))
    page = await visitor.follow(await visitor.sign_in(page))
    assert (await manage(house, "PUT", told, **back(told, scope="read"))).status == 200
    assert (await visitor.decide(page)).status == 403, "write was not asked for, as it is now"
    answer = await house.refresh(told["client_id"], granted["refresh_token"])
    assert json_of(answer)["scope"] == "read"


@dataclass(frozen=True, slots=True)
class Vanishing:
    """The real clients, each of which is removed as soon as somebody has found it."""

    stores: Stores

    async def find(self, client_id: str) -> Client | None:
        found = await self.stores.clients.find(client_id)
        await self.stores.registrations.remove(client_id)
        return found

    async def add(self, client: Client) -> None:
        await self.stores.clients.add(client)

    async def put(self, client: Client) -> None:
        await self.stores.clients.put(client)


async def test_a_client_that_is_removed_while_it_asks_is_refused(house: House) -> None:
    """RFC 7592 §2.3; OAuth 2.1 §3.2.4, §4.1.2.1: a page, or 401 invalid_client."""
    stores = replace(house.stores, clients=Vanishing(house.stores))
    haste = House(house.settings, stores, house.database, house.clock)
    page = await haste.visitor().authorize(await house.client())
    assert (page.status, field_of(page, "location")) == (400, None)
    device = await house.client(grant_types=[DEVICE_CODE], redirect_uris=[])
    answer = await haste.post("/device_authorization", {"client_id": device})
    assert (answer.status, json_of(answer)["error"]) == (401, "invalid_client")
    machine = json_of(
        await house.register(
            grant_types=["client_credentials"],
            redirect_uris=[],
            token_endpoint_auth_method="client_secret_post",
        )
    )
    proof = {name: machine[name] for name in ("client_id", "client_secret")}
    answer = await haste.post("/token", {"grant_type": "client_credentials", **proof})
    assert (answer.status, json_of(answer)["error"]) == (401, "invalid_client")

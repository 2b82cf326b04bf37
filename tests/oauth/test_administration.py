"""What an operator does by hand."""

from __future__ import annotations

import pytest

from catshop.kernel import Secret
from catshop.oauth.administration import Mistake
from catshop.oauth.errors import OAuthError
from tests.oauth.house import CALLBACK, ISSUER, PASSWORD, Clock, House, json_of


async def test_accounts_are_added_listed_and_removed(house: House) -> None:
    """Catshop user add, list, remove."""
    admin = house.administration
    await admin.add_user("bobby", Secret(PASSWORD))
    await admin.add_user("Alice", Secret(PASSWORD))
    assert [user.name for user in await admin.users()] == ["Alice", "bobby"]
    await admin.remove_user("ALICE")
    assert [user.name for user in await admin.users()] == ["bobby"]


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        pytest.param("a", PASSWORD, "E-LOGIN-10", id="A000-14-short-name"),
        pytest.param("a" * 31, PASSWORD, "E-LOGIN-10", id="A000-14-long-name"),
        pytest.param("ALICE", PASSWORD, "E-LOGIN-12", id="taken"),
        pytest.param("bobby", "short", "E-LOGIN-11", id="short-password"),
        pytest.param("bobby", "x" * 1025, "E-LOGIN-07", id="long-password"),
    ],
)
async def test_what_will_not_do_is_told(house: House, name: str, password: str, code: str) -> None:
    """The rules are those of the sign-up page."""
    await house.user()
    with pytest.raises(Mistake) as mistake:
        await house.administration.add_user(name, Secret(password))
    assert mistake.value.code == code


async def test_a_name_that_nobody_has_is_told(house: House) -> None:
    """Each command that names a user."""
    admin = house.administration
    for act in (
        admin.remove_user("x"),
        admin.disable_user("x"),
        admin.set_password("x", Secret(PASSWORD)),
        admin.issue_token("x", frozenset({"read"}), 60),
    ):
        with pytest.raises(Mistake) as mistake:
            await act
        assert mistake.value.code == "E-LOGIN-13"


async def test_a_client_of_the_operators_is_never_swept_and_goes_when_told(
    house: House, clock: Clock
) -> None:
    """OAuth 2.1 §2; RFC 7591 §3.2.1: R14."""
    admin = house.administration
    told = await admin.add_client({"client_name": "Robot"})
    assert told["grant_types"] == ["client_credentials"]
    assert told["token_endpoint_auth_method"] == "client_secret_basic"
    person = await admin.add_client({"client_name": "Paws", "redirect_uris": [CALLBACK]})
    assert person["token_endpoint_auth_method"] == "none"
    clock.forward(house.settings.limits.unused_client_seconds + 1)
    await house.stores.upkeep.sweep(clock())
    assert {client.name for client in await admin.clients()} == {"Robot", "Paws"}
    await house.user()
    granted = await house.tokens(str(person["client_id"]))
    await house.call(granted["access_token"])
    await admin.remove_client(str(person["client_id"]))
    assert not await house.is_good(granted["access_token"])
    with pytest.raises(Mistake) as mistake:
        await admin.remove_client(str(person["client_id"]))
    assert mistake.value.code == "E-CLIENT-10"


async def test_a_resource_server_of_the_operators_may_introspect(house: House) -> None:
    """RFC 7662 §2.1."""
    await house.user()
    metadata = {"token_endpoint_auth_method": "client_secret_post"}
    told = await house.administration.add_client(metadata, serves=f"{ISSUER}/mcp")
    granted = await house.tokens(await house.client())
    proof = {name: told[name] for name in ("client_id", "client_secret")}
    answer = await house.post("/introspect", {"token": granted["access_token"], **proof})
    assert json_of(answer)["active"] is True


@pytest.mark.parametrize(
    ("metadata", "serves", "code"),
    [
        pytest.param({"redirect_uris": ["http://a.example/"]}, None, "E-REG-04", id="R2"),
        pytest.param({"token_endpoint_auth_method": "none"}, None, "E-REG-07", id="T25"),
        pytest.param({}, "the shop", "E-AUD-04", id="no-address"),
    ],
)
async def test_a_client_that_cannot_be_is_told(
    house: House, metadata: dict[str, object], serves: str | None, code: str
) -> None:
    """The rules are those of registration."""
    with pytest.raises((Mistake, OAuthError)) as refusal:
        await house.administration.add_client(metadata, serves)
    assert code in str(refusal.value)
    assert await house.count("oauth_clients") == 0


async def test_an_issued_token_works_until_it_expires_or_is_revoked(
    house: House, clock: Clock
) -> None:
    """A000-9, A000-10, A000-11."""
    await house.user()
    admin = house.administration
    secret, access = await admin.issue_token("alice", frozenset({"read"}), 300)
    other, second = await admin.issue_token("alice", frozenset({"read", "write"}), 3600)
    principal = await house.call(secret.reveal())
    assert principal.username == "alice"
    assert "read" in principal.scopes
    assert "write" not in principal.scopes
    listed = await admin.tokens()
    assert {found.token.id for found in listed} == {access.id, second.id}
    assert secret.reveal() not in repr(listed)
    clock.forward(301)
    assert not await house.is_good(secret.reveal())
    assert [found.token.id for found in await admin.tokens()] == [second.id]
    await house.call(other.reveal())
    await admin.revoke_token(second.id)
    assert not await house.is_good(other.reveal())
    with pytest.raises(Mistake):
        await admin.revoke_token(second.id)


async def test_a_removed_user_takes_the_grants_along(house: House) -> None:
    """OAuth 2.1 §4.3.3."""
    await house.user()
    granted = await house.tokens(await house.client())
    await house.call(granted["access_token"])
    await house.administration.remove_user("alice")
    assert not await house.is_good(granted["access_token"])
    assert await house.count("oauth_families") == await house.count("oauth_sessions") == 0

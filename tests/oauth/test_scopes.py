"""What a user grants, what a call needs, and how a client gets from the one to the other."""

from __future__ import annotations

import re
from typing import Any

import pytest

from catshop.app import ShopGate
from catshop.oauth.errors import OAuthError
from catshop.protocol.http1.errors import HttpError
from tests.oauth.cases import case
from tests.oauth.house import House, Visitor, field_of, json_of, query_of

CHECKOUT = ("tools/call", {"name": "checkout"})
BROWSE = ("tools/call", {"name": "list_products"})


async def tried(house: House, token: str, call: tuple[str, dict[str, object]]) -> str | None:
    """The scope that the challenge names when the call is refused; None when it may go on."""
    gate = ShopGate(house.resource)
    try:
        gate.authorize(await house.call(token), *call)
    except HttpError as error:
        refusal = error
    else:
        return None
    [challenge] = [value for name, value in refusal.fields if name == "www-authenticate"]
    assert (refusal.status, challenge.partition(",")[0]) == (
        403,
        'Bearer error="insufficient_scope"',
    )
    assert "resource_metadata=" in challenge
    [named] = re.findall(r'\bscope="([^"]*)"', challenge)
    return str(named)


async def asked(house: House, visitor: Visitor, client_id: str, wish: str, **said: Any) -> str:
    """Where the browser is sent once alice has decided about the scopes of `wish`."""
    page = await visitor.follow(await visitor.authorize(client_id, scope=wish))
    if b'name="password"' in page.body:
        page = await visitor.follow(await visitor.sign_in(page))
    return field_of(await visitor.decide(page, **said), "location") or ""


async def granted(house: House, client_id: str, back: str) -> tuple[str, str]:
    """The access token that the answer brings, and its scope."""
    told = json_of(await house.redeem(client_id, query_of(back)["code"]))
    return told["access_token"], told["scope"]


@case("S8", "a call beyond the scope is a 403 that names every scope that the call needs")
@case("U1", "what is missing stands in one challenge, however much it is")
async def test_what_a_call_needs_stands_in_one_challenge(house: House) -> None:
    """MCP 2026-07-28 basic/authorization §scope-challenge-handling; OAuth 2.1 §5.3.2."""
    await house.user()
    token = (await house.tokens(await house.client(), scope="catalog:read"))["access_token"]
    assert await tried(house, token, BROWSE) is None
    assert await tried(house, token, CHECKOUT) == "cart:write orders:write"


@case("U2", "a token for an umbrella is good for everything under it")
@pytest.mark.parametrize(
    ("scope", "browse", "checkout"),
    [
        pytest.param("read", None, "cart:write orders:write", id="read"),
        pytest.param("write", "catalog:read", None, id="write"),
        pytest.param("read write", None, None, id="both"),
        pytest.param("cart:write", "catalog:read", "cart:write orders:write", id="half-of-it"),
    ],
)
async def test_a_broader_scope_counts(
    house: House, scope: str, browse: str | None, checkout: str | None
) -> None:
    """MCP 2026-07-28 basic/authorization §step-up-authorization-flow: hierarchies count."""
    await house.user()
    token = (await house.tokens(await house.client(), scope=scope))["access_token"]
    assert await tried(house, token, BROWSE) == browse
    assert await tried(house, token, CHECKOUT) == checkout


@case("U3", "a user who denies more keeps the token that was granted for less")
async def test_a_denied_step_up_leaves_what_was_granted(house: House) -> None:
    """MCP 2026-07-28 basic/authorization §step-up-authorization-flow; OAuth 2.1 §4.1.2.1."""
    await house.user()
    visitor, client_id = house.visitor(), await house.client()
    token, _ = await granted(house, client_id, await asked(house, visitor, client_id, "read"))
    needed = await tried(house, token, CHECKOUT)
    back = await asked(house, visitor, client_id, f"read {needed}", decision="deny")
    assert query_of(back)["error"] == "access_denied"
    assert await tried(house, token, BROWSE) is None


@case("U4", "what the user left out is said in the token response, and asked for again by the call")
async def test_a_step_up_that_is_granted_in_part_says_so(house: House) -> None:
    """MCP 2026-07-28 basic/authorization §step-up-authorization-flow; OAuth 2.1 §3.2.3."""
    await house.user()
    visitor, client_id = house.visitor(), await house.client()
    back = await asked(
        house, visitor, client_id, "read cart:write orders:write", scope=["read", "cart:write"]
    )
    token, scope = await granted(house, client_id, back)
    assert scope == "read cart:write"
    assert await tried(house, token, CHECKOUT) == "cart:write orders:write"


@case("U5", "a client that acts for itself cannot step up beyond its registration")
async def test_a_client_alone_gets_no_more_than_it_registered(house: House) -> None:
    """OAuth 2.1 §4.2; MCP 2026-07-28 basic/authorization §step-up-authorization-flow."""
    told = json_of(
        await house.register(
            grant_types=["client_credentials"],
            token_endpoint_auth_method="client_secret_post",
            scope="read",
        )
    )
    proof = {name: told[name] for name in ("client_id", "client_secret")}
    form = {"grant_type": "client_credentials", **proof}
    assert json_of(await house.post("/token", {**form, "scope": "orders:read"}))["scope"]
    answer = await house.post("/token", {**form, "scope": "read orders:write"})
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("asked_for", "shown"),
    [
        pytest.param("read write", ["read", "write"], id="umbrellas"),
        pytest.param("read catalog:read", ["read"], id="nothing-twice"),
        pytest.param("cart:write orders:write", ["cart:write", "orders:write"], id="fine"),
        pytest.param("read offline_access", ["read"], id="offline"),
    ],
)
async def test_the_page_asks_for_each_thing_once(
    house: House, asked_for: str, shown: list[str]
) -> None:
    """OAuth 2.1 §1.4.1; MCP 2026-07-28 basic/authorization §refresh-tokens."""
    await house.user()
    visitor = house.visitor()
    page = await visitor.follow(await visitor.authorize(await house.client(), scope=asked_for))
    page = await visitor.follow(await visitor.sign_in(page))
    assert re.findall(r'name="scope" value="([^"]+)"', page.body.decode()) == shown


async def test_refresh_tokens_come_with_the_registration_and_not_with_a_scope(
    house: House,
) -> None:
    """MCP 2026-07-28 basic/authorization §refresh-tokens, §scope-selection-strategy.

    The server says that it knows the wish, and the resource does not.
    """
    await house.user()
    server = json_of(await house.get("/.well-known/oauth-authorization-server"))
    resource = json_of(await house.get("/.well-known/oauth-protected-resource/mcp"))
    assert "offline_access" in server["scopes_supported"]
    assert resource["scopes_supported"] == ["read", "write"]
    assert not [name for name in server["scopes_supported"] if name.startswith("admin:")]
    told = await house.tokens(await house.client(), scope="read")
    assert "refresh_token" in told
    alone = await house.client(grant_types=["authorization_code"])
    told = await house.tokens(alone, scope="read offline_access")
    assert told["scope"] == "read"
    assert "refresh_token" not in told


async def test_a_refresh_may_narrow_an_umbrella(house: House) -> None:
    """OAuth 2.1 §4.3.1."""
    await house.user()
    client_id = await house.client()
    told = await house.tokens(client_id, scope="read")
    narrowed = json_of(await house.refresh(client_id, told["refresh_token"], scope="cart:read"))
    assert narrowed["scope"] == "cart:read"
    wider = await house.refresh(client_id, narrowed["refresh_token"], scope="cart:write")
    assert json_of(wider)["error"] == "invalid_scope"


class TestTheOperatorsScopes:
    """`admin:*`: whom the operator allowed, and nobody else."""

    async def test_nobody_registers_for_them_alone(self, house: House) -> None:
        """RFC 7591 §5."""
        answer = await house.register(scope="read admin:orders")
        assert (answer.status, json_of(answer)["error"]) == (400, "invalid_client_metadata")
        with pytest.raises(OAuthError):
            await house.administration.add_client({"scope": "admin:all"})

    async def test_a_client_of_the_operators_has_them_for_itself(self, house: House) -> None:
        """OAuth 2.1 §4.2."""
        told = await house.administration.add_client(
            {"scope": "admin:orders", "token_endpoint_auth_method": "client_secret_post"}
        )
        form = {name: told[name] for name in ("client_id", "client_secret")}
        form |= {"grant_type": "client_credentials", "scope": "admin:orders"}
        assert json_of(await house.post("/token", form))["scope"] == "admin:orders"

    async def test_a_user_cannot_grant_them(self, house: House) -> None:
        """OAuth 2.1 §1.4.1: a user gives away what is the user's."""
        await house.user()
        asked_by = await house.administration.add_client(
            {"redirect_uris": ["http://127.0.0.1:9999/callback"], "scope": "read admin:orders"}
        )
        told = await house.tokens(str(asked_by["client_id"]), scope="read admin:orders")
        assert told["scope"] == "read"

"""Probes of what a token opens."""

from __future__ import annotations

from tests.lab.probes.proofs import bound
from tests.lab.world import World, fields, hold, message, probe


@probe("audience-not-checked")
async def a_token_for_another_resource_opens_nothing(w: World) -> None:
    guest = await w.bearer()
    await w.tell("UPDATE oauth_families SET resource = ?", "https://elsewhere.example/mcp")
    answer = await guest.lists()
    hold(answer.status_code == 401, answer.status_code)


@probe("expiry-not-checked")
async def an_old_token_opens_nothing(w: World) -> None:
    guest = await w.bearer()
    w.clock.forward(700)
    answer = await guest.lists()
    hold(answer.status_code == 401, answer.status_code)


@probe("closed-account-served")
async def a_token_of_a_closed_account_opens_nothing(w: World) -> None:
    guest = await w.bearer()
    await w.tell("UPDATE oauth_users SET disabled_at = 1")
    answer = await guest.lists()
    hold(answer.status_code == 401, answer.status_code)


@probe("scope-ignored")
async def a_token_to_read_fills_no_cart(w: World) -> None:
    guest = await w.bearer("read")
    answer = await guest.ask("tools/call", name="add_to_cart", arguments={"product_id": 1})
    hold(answer.status_code == 403, answer.status_code)


@probe("token-in-query-taken")
async def a_token_in_the_address_is_not_looked_at(w: World) -> None:
    guest = await w.bearer()
    address = f"{w.mcp}?access_token={guest.tokens['access_token']}"
    answer = await w.http.post(address, json=message(), headers=fields())
    hold(answer.status_code == 401, answer.status_code)


async def challenge(w: World) -> str:
    answer = await w.http.post(w.mcp, json=message())
    assert answer.status_code == 401
    return answer.headers.get("www-authenticate", "")


@probe("challenge-without-metadata")
async def the_challenge_says_where_to_begin(w: World) -> None:
    told = await challenge(w)
    hold("resource_metadata=" in told, told)


@probe("challenge-without-scope")
async def the_challenge_says_what_to_ask_for(w: World) -> None:
    told = await challenge(w)
    hold("scope=" in told, told)


@probe("no-challenge")
async def a_refusal_comes_with_a_challenge(w: World) -> None:
    told = await challenge(w)
    hold(told.startswith("Bearer "), told)


@probe("bound-token-borne")
async def a_bound_token_is_worth_nothing_without_its_key(w: World) -> None:
    guest = await bound(w)
    answer = await guest.lists()
    hold(answer.status_code == 401, answer.status_code)

"""Probes of the token endpoint."""

from __future__ import annotations

from tests.lab.world import Guest, World, hold, probe

WRONG = "a-verifier-that-nobody-ever-made-a-challenge-of"


async def with_code(w: World) -> tuple[Guest, str]:
    guest = await w.guest()
    return guest, await guest.code_for(w.name())


@probe("pkce-skipped")
async def a_wrong_verifier_gets_nothing(w: World) -> None:
    guest, code = await with_code(w)
    answer = await guest.redeemed(code, code_verifier=WRONG)
    hold(answer.status_code == 400, answer.status_code)


@probe("code-reusable")
async def a_code_works_once(w: World) -> None:
    guest, code = await with_code(w)
    assert (await guest.redeemed(code)).status_code == 200
    answer = await guest.redeemed(code)
    hold(answer.status_code == 400, answer.status_code)


@probe("code-replay-unpunished")
async def what_a_code_gave_ends_when_it_comes_again(w: World) -> None:
    guest, code = await with_code(w)
    token = (await guest.redeemed(code)).json()["access_token"]
    assert (await guest.redeemed(code)).status_code == 400
    answer = await guest.lists(token)
    hold(answer.status_code == 401, answer.status_code)


@probe("code-never-expires")
async def an_old_code_gets_nothing(w: World) -> None:
    guest, code = await with_code(w)
    w.clock.forward(120)
    answer = await guest.redeemed(code)
    hold(answer.status_code == 400, answer.status_code)


@probe("code-not-bound-to-client")
async def a_code_of_another_client_gets_nothing(w: World) -> None:
    guest, code = await with_code(w)
    other = await w.guest()
    answer = await other.redeemed(code, code_verifier=guest.verifier)
    hold(answer.status_code == 400, answer.status_code)


@probe("code-redirect-ignored")
async def a_code_for_another_address_gets_nothing(w: World) -> None:
    guest, code = await with_code(w)
    answer = await guest.redeemed(code, redirect_uri="http://127.0.0.1:1/elsewhere")
    hold(answer.status_code == 400, answer.status_code)


@probe("refresh-not-rotated")
async def a_refresh_brings_another_refresh_token(w: World) -> None:
    guest = await w.signed_in()
    old = guest.tokens["refresh_token"]
    answer = await guest.refreshed(old)
    assert answer.status_code == 200, answer.text
    hold(answer.json().get("refresh_token") not in {None, old}, sorted(answer.json()))


@probe("refresh-reuse-accepted")
async def a_refresh_token_that_was_used_gets_nothing(w: World) -> None:
    guest = await w.signed_in()
    old = guest.tokens["refresh_token"]
    assert (await guest.refreshed(old)).status_code == 200
    w.clock.forward(40)
    answer = await guest.refreshed(old)
    hold(answer.status_code == 400, answer.status_code)


@probe("refresh-reuse-unpunished")
async def the_newest_token_ends_when_an_old_one_comes_again(w: World) -> None:
    guest = await w.signed_in()
    old = guest.tokens["refresh_token"]
    token = (await guest.refreshed(old)).json()["access_token"]
    w.clock.forward(40)
    assert (await guest.refreshed(old)).status_code == 400
    answer = await guest.lists(token)
    hold(answer.status_code == 401, answer.status_code)


@probe("refresh-not-bound-to-client")
async def a_refresh_token_of_another_client_gets_nothing(w: World) -> None:
    guest, other = await w.signed_in(), await w.guest()
    answer = await other.refreshed(guest.tokens["refresh_token"])
    hold(answer.status_code == 400, answer.status_code)


@probe("scope-grows")
async def a_refresh_gives_no_more_than_was_granted(w: World) -> None:
    guest = await w.signed_in(scope="read")
    answer = await guest.refreshed(guest.tokens["refresh_token"], scope="read write")
    hold(answer.status_code == 400, answer.text)


@probe("revocation-ignored")
async def a_token_that_was_given_back_opens_nothing(w: World) -> None:
    guest = await w.signed_in()
    sent = {"token": guest.tokens["access_token"], "client_id": guest.client_id}
    assert (await w.http.post(f"{w.url}/revoke", data=sent)).status_code == 200
    answer = await guest.lists()
    hold(answer.status_code == 401, answer.status_code)


@probe("token-cacheable")
async def nobody_keeps_an_answer_with_tokens(w: World) -> None:
    guest, code = await with_code(w)
    kept = (await guest.redeemed(code)).headers.get("cache-control")
    hold(kept == "no-store", kept)


@probe("refused-with-200")
async def a_refusal_has_the_status_of_one(w: World) -> None:
    answer = await (await w.guest()).redeemed("no-code")
    hold(answer.status_code == 400, answer.status_code)


@probe("one-error-for-all")
async def a_bad_code_is_an_invalid_grant(w: World) -> None:
    told = (await (await w.guest()).redeemed("no-code")).json()
    hold(told["error"] == "invalid_grant", told["error"])


@probe("error-tells-secret")
async def a_refusal_shows_no_verifier(w: World) -> None:
    guest, code = await with_code(w)
    answer = await guest.redeemed(code, code_verifier=WRONG)
    assert answer.status_code == 400
    hold(WRONG not in answer.text, answer.text)

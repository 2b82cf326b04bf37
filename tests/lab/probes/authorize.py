"""Probes of the authorization request, the pages and the documents."""

from __future__ import annotations

from tests.lab.world import Guest, World, hold, probe, query

ELSEWHERE = "https://app.example/callback"


@probe("redirect-prefix-match")
async def an_address_that_only_begins_like_ours_is_refused(w: World) -> None:
    guest = await w.guest(ELSEWHERE)
    answer = await guest.authorize(redirect_uri=f"{ELSEWHERE}.evil.example/")
    hold(answer.status_code == 400, answer.status_code)


@probe("redirect-plain-http")
async def an_http_address_of_another_machine_is_not_registered(w: World) -> None:
    body = {"redirect_uris": ["http://app.example/callback"]}
    answer = await w.http.post(f"{w.url}/register", json=body)
    hold(answer.status_code == 400, answer.text)


async def refused_at_once(w: World, error: str, registered: dict[str, str], **more: str) -> None:
    guest: Guest = await w.guest(**registered)
    told = await guest.told(**more)
    hold(told.get("error") == error, told)


@probe("pkce-optional")
async def a_request_without_a_challenge_is_refused(w: World) -> None:
    await refused_at_once(w, "invalid_request", {}, code_challenge="")


@probe("pkce-plain-accepted")
async def the_plain_method_is_refused(w: World) -> None:
    await refused_at_once(w, "invalid_request", {}, code_challenge_method="plain")


@probe("resource-ignored")
async def another_resource_is_refused(w: World) -> None:
    await refused_at_once(w, "invalid_target", {}, resource="https://elsewhere.example/mcp")


@probe("scope-beyond-registration")
async def a_scope_that_was_not_registered_is_refused(w: World) -> None:
    await refused_at_once(w, "invalid_scope", {"scope": "read"}, scope="cart:write")


@probe("request-object-ignored")
async def a_request_object_is_refused(w: World) -> None:
    await refused_at_once(w, "request_not_supported", {}, request="eyJhbGciOiJub25lIn0.e30.")


@probe("state-dropped")
async def state_comes_back(w: World) -> None:
    told = await (await w.guest()).answered(w.name(), state="a state")
    hold(told.get("state") == "a state", told)


@probe("iss-missing")
async def the_answer_says_who_it_is_from(w: World) -> None:
    told = await (await w.guest()).answered(w.name())
    hold("iss" in told, told)


@probe("iss-wrong")
async def the_answer_is_from_whom_the_client_asked(w: World) -> None:
    told = await (await w.guest()).answered(w.name())
    hold(told.get("iss") == w.url, told)


@probe("csrf-skipped")
async def a_form_without_its_token_is_refused(w: World) -> None:
    guest = await w.guest()
    page, form = await guest.consent_page(w.name())
    kept = [(name, value) for name, value in form.values if name != "csrf"]
    answer = await guest.decide(page, form, kept)
    hold(answer.status_code == 403, answer.status_code)


@probe("consent-ignores-choice")
async def only_what_the_user_left_checked_is_granted(w: World) -> None:
    guest = await w.guest()
    page, form = await guest.consent_page(w.name())
    kept = [pair for pair in form.values if pair[0] != "scope"]
    answer = await guest.decide(page, form, [*kept, ("scope", "read")])
    told = (await guest.redeem(query(answer)["code"])).json()
    hold(told["scope"] == "read", told["scope"])


@probe("consent-remembered-too-widely")
async def a_wider_request_is_asked_about_again(w: World) -> None:
    guest = await w.guest(ELSEWHERE)
    page, form = await guest.consent_page(w.name(), scope="read")
    assert "code" in query(await guest.decide(page, form, form.values))
    guest.browser.headers["Sec-Fetch-Site"] = "none"
    answer = await guest.authorize(scope="read write")
    answer = await guest.browser.get(answer.headers["location"])
    hold(answer.status_code == 200, query(answer))


async def document(w: World, name: str) -> dict[str, object]:
    return dict((await w.http.get(f"{w.url}/.well-known/{name}")).json())


@probe("issuer-mismatch")
async def the_metadata_names_the_issuer_that_was_asked(w: World) -> None:
    told = await document(w, "oauth-authorization-server")
    hold(told["issuer"] == w.url, told["issuer"])


@probe("pkce-not-advertised")
async def the_metadata_says_that_pkce_is_done(w: World) -> None:
    told = await document(w, "oauth-authorization-server")
    hold(told.get("code_challenge_methods_supported") == ["S256"], sorted(told))


@probe("metadata-names-another-resource")
async def the_metadata_is_about_the_resource_that_was_asked(w: World) -> None:
    told = await document(w, "oauth-protected-resource/mcp")
    hold(told["resource"] == w.mcp, told["resource"])

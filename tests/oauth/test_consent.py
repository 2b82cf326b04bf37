"""Consent that is remembered, shown and taken back."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from catshop.kernel import Event
from catshop.oauth.settings import Logout
from catshop.protocol.http1.messages import Answer
from tests.oauth.cases import case
from tests.oauth.house import CALLBACK, PASSWORD, Clock, House, Visitor, field_of, json_of, query_of
from tests.oauth.keys import public_set

WEB = "https://app.example/cb"


@pytest.fixture
async def client_id(house: House) -> str:
    """A client on the web, whose address is its own."""
    await house.user()
    return await house.client(redirect_uris=[WEB, "https://app.example/other"])


async def agreed(house: House, client_id: str, **more: object) -> tuple[Visitor, str]:
    """A browser in which alice has agreed once, and the code that came of it."""
    visitor = house.visitor()
    back = await visitor.through(
        await visitor.authorize(client_id, **{"redirect_uri": WEB, **more})
    )
    return visitor, query_of(field_of(back, "location") or "")["code"]


async def again(visitor: Visitor, client_id: str, **more: object) -> Answer:
    """What the same browser gets when the client asks once more."""
    return await follow(
        visitor, await visitor.authorize(client_id, **{"redirect_uri": WEB, **more})
    )


async def follow(visitor: Visitor, answer: Answer) -> Answer:
    return await visitor.follow(answer)


def is_page(answer: Answer) -> bool:
    """Whether the user is asked."""
    return answer.status == 200 and b"It may" in answer.body


@case("L19", "remembered consent spares the page only where no other site led the browser here")
@case("X14", "a page of another site cannot take a remembered consent for itself")
@pytest.mark.parametrize(
    ("site", "asked"),
    [
        pytest.param("none", False, id="the-user-typed-it"),
        pytest.param("same-origin", False, id="from-our-own-login-page"),
        pytest.param("cross-site", True, id="from-another-site"),
        pytest.param("same-site", True, id="from-a-sibling"),
        pytest.param(None, True, id="absent"),
        pytest.param("None", True, id="not-the-word"),
        pytest.param("none, none", True, id="twice"),
    ],
)
async def test_who_leads_the_browser_here_decides_whether_the_user_is_asked_again(
    house: House,
    client_id: str,
    site: str | None,
    asked: bool,  # noqa: FBT001 - a column
) -> None:
    """OAuth 2.1 §7.3; Fetch Metadata Request Headers §2.3."""
    visitor, _ = await agreed(house, client_id)
    visitor.site = site
    answer = await again(visitor, client_id)
    assert is_page(answer) is asked
    if not asked:
        code = query_of(field_of(answer, "location") or "")["code"]
        told = await house.redeem(client_id, code, redirect_uri=WEB)
        assert json_of(told)["scope"] == "read write"


@pytest.mark.parametrize(
    ("first", "then", "asked"),
    [
        pytest.param({"scope": "read write"}, {"scope": "cart:read"}, False, id="narrower"),
        pytest.param({"scope": "read"}, {"scope": "read write"}, True, id="wider"),
        pytest.param({"scope": "cart:read"}, {"scope": "read"}, True, id="broader"),
        pytest.param({}, {"redirect_uri": "https://app.example/other"}, True, id="another-address"),
        pytest.param({}, {"prompt": "consent"}, True, id="prompt-consent"),
        pytest.param({}, {"prompt": "login consent"}, True, id="prompt-login-consent"),
    ],
)
async def test_the_user_is_asked_again_when_something_is_wider(
    house: House,
    client_id: str,
    first: dict[str, str],
    then: dict[str, str],
    asked: bool,  # noqa: FBT001 - a column
) -> None:
    """OAuth 2.1 §7.3; OpenID Connect Core 1.0 §3.1.2.1."""
    visitor, _ = await agreed(house, client_id, **first)
    visitor.site = "none"
    assert is_page(await again(visitor, client_id, **then)) is asked


async def test_what_the_user_left_out_is_asked_for_again(house: House, client_id: str) -> None:
    """OAuth 2.1 §3.2.3, §7.3: what is remembered is what was granted."""
    visitor = house.visitor()
    page = await again(visitor, client_id)
    page = await visitor.follow(await visitor.sign_in(page))
    await visitor.decide(page, scope=["read"])
    visitor.site = "none"
    assert is_page(await again(visitor, client_id))
    assert not is_page(await again(visitor, client_id, scope="read"))


async def test_to_be_spared_the_page_changes_nothing_of_what_was_agreed_to(
    house: House, client_id: str
) -> None:
    """OAuth 2.1 §7.3: nobody has said anything new, so nothing is remembered anew."""
    visitor, _ = await agreed(house, client_id, scope="read write")
    visitor.site = "none"
    assert not is_page(await again(visitor, client_id, scope="cart:read"))
    assert not is_page(await again(visitor, client_id, scope="read write"))


async def test_another_user_is_asked(house: House, client_id: str) -> None:
    """OAuth 2.1 §7.3."""
    await agreed(house, client_id)
    await house.user("bob")
    visitor = house.visitor()
    visitor.site = "none"
    page = await again(visitor, client_id)
    visitor.site = "same-origin"
    assert is_page(await visitor.follow(await visitor.sign_in(page, "bob")))


async def test_a_program_that_could_be_any_is_always_asked_about(house: House) -> None:
    """OAuth 2.1 §7.3.1: nothing proves who listens on loopback."""
    await house.user()
    client_id = await house.client()
    visitor, _ = await agreed(house, client_id, redirect_uri=CALLBACK)
    visitor.site = "none"
    assert is_page(await again(visitor, client_id, redirect_uri=CALLBACK))


@case("C19", "a client whose addresses or keys have changed is asked about again")
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"redirect_uris": [WEB, "https://app.example/new"]}, id="addresses"),
        pytest.param({"jwks": public_set("ed")}, id="keys"),
        pytest.param({"jwks_uri": "https://keys.example/set"}, id="where-its-keys-are"),
        pytest.param({"client_name": "Claws"}, id="name-alone"),
    ],
)
async def test_a_client_that_has_changed_is_asked_about_again(
    house: House, changed: dict[str, object]
) -> None:
    """MCP 2026-07-28 basic/authorization/client-registration §client-id-metadata-documents."""
    await house.user()
    sent: dict[str, object] = {"redirect_uris": [WEB], "client_name": "Paws"}
    told = json_of(await house.register(**sent))
    visitor, _ = await agreed(house, told["client_id"])
    visitor.site = "none"
    assert not is_page(await again(visitor, told["client_id"]))
    known = await house.stores.clients.find(told["client_id"])
    assert known is not None
    fields = {"jwks": json.dumps(changed["jwks"])} if "jwks" in changed else {}
    fields |= {"jwks_uri": str(changed["jwks_uri"])} if "jwks_uri" in changed else {}
    addresses = tuple(changed.get("redirect_uris", known.redirect_uris))  # type: ignore[call-overload]  # a list
    name = str(changed.get("client_name", known.name))
    await house.stores.clients.put(replace(known, redirect_uris=addresses, name=name, **fields))
    assert is_page(await again(visitor, told["client_id"])) is ("client_name" not in changed)


async def test_the_trace_says_why_the_user_is_asked(house: House, client_id: str) -> None:
    """Each check of the recall has a name."""
    visitor, _ = await agreed(house, client_id)
    seen: list[Event] = []
    house.trace.observe(seen.append)
    await again(visitor, client_id)
    assert "consent.begun_here" in {event.name for event in seen}


async def apps(visitor: Visitor) -> Answer:
    """The page of what is signed in."""
    return await visitor.follow(await visitor.get("/apps"))


def hidden(page: Answer, form: int = 0) -> dict[str, str]:
    """The hidden inputs of one form of the page."""
    part = page.body.decode().split("</form>")[form]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', part))


async def test_a_user_sees_what_is_signed_in(house: House, client_id: str, clock: Clock) -> None:
    """OAuth 2.1 §4.3.3."""
    visitor, code = await agreed(house, client_id, scope="read")
    await house.redeem(client_id, code, redirect_uri=WEB)
    clock.forward(3600)
    page = await apps(visitor)
    text = page.body.decode()
    assert page.status == 200
    for shown in ("Paws", "app.example", "Look around", "2026-11-20", "alice"):
        assert shown in text
    assert "Shop for you" not in text
    assert "<script" not in text


@case("F9", "what the user has taken back is an invalid_grant")
async def test_a_program_that_takes_a_port_anew_each_time_is_kept_once(house: House) -> None:
    """RFC 8252 §7.3: it is the same registered address, and no user wants a list of ports."""
    await house.user()
    client_id = await house.client()
    visitor = house.visitor()
    for port in (9999, 9998, 9997):
        await visitor.through(
            await visitor.authorize(client_id, redirect_uri=f"http://127.0.0.1:{port}/callback")
        )
    assert await house.count("oauth_consents") == 1
    assert b"<code>127.0.0.1</code>" in (await visitor.get("/apps")).body


async def test_one_button_ends_all_that_a_client_holds(house: House, client_id: str) -> None:
    """OAuth 2.1 §4.3.3: tokens, codes and the consent."""
    visitor, code = await agreed(house, client_id)
    told = json_of(await house.redeem(client_id, code, redirect_uri=WEB))
    _, unused = await agreed(house, client_id)
    other = await house.client(client_name="Claws")
    kept = await house.tokens(other)
    assert await house.is_good(told["access_token"])
    page = await apps(visitor)
    answer = await visitor.post("/apps", {**hidden(page), "client_id": client_id})
    assert (answer.status, field_of(answer, "location")) == (303, f"{house.settings.issuer}/apps")
    assert not await house.is_good(told["access_token"])
    refreshed = await house.refresh(client_id, told["refresh_token"])
    assert (refreshed.status, json_of(refreshed)["error"]) == (400, "invalid_grant")
    redeemed = await house.redeem(client_id, unused, redirect_uri=WEB)
    assert (redeemed.status, json_of(redeemed)["error"]) == (400, "invalid_grant")
    visitor.site = "none"
    assert is_page(await again(visitor, client_id))
    assert await house.is_good(kept["access_token"])
    left = (await apps(visitor)).body
    assert b"Paws" not in left
    assert b"Claws" in left


@pytest.mark.parametrize("csrf", ["", "x", "of-the-other-form"])
async def test_only_a_form_of_ours_takes_back(house: House, client_id: str, csrf: str) -> None:
    """OAuth 2.1 §7.9."""
    visitor, _ = await agreed(house, client_id)
    page = await apps(visitor)
    token = hidden(page, 1)["csrf"] if csrf == "of-the-other-form" else csrf
    answer = await visitor.post("/apps", {**hidden(page), "csrf": token})
    assert answer.status == 403
    assert (await visitor.post("/logout", {"csrf": csrf})).status == 403
    stranger = house.visitor()
    assert (await stranger.post("/apps", hidden(page))).status == 403
    assert await house.count("oauth_consents") == 1
    assert await house.count("oauth_sessions") == 1


async def test_who_is_not_signed_in_signs_in_first(house: House) -> None:
    """OAuth 2.1 §7.9: and comes back to the page."""
    await house.user()
    visitor = house.visitor()
    page = await apps(visitor)
    assert b"to see your applications" in page.body
    page = await visitor.follow(await visitor.sign_in(page))
    assert b"No application is signed in" in page.body


@case("L9", "after signing out a replayed cookie meets the login page, and refresh tokens are kept")
async def test_signing_out_ends_the_session_and_no_grant(house: House, client_id: str) -> None:
    """OAuth 2.1 §4.3.3."""
    visitor, code = await agreed(house, client_id)
    told = json_of(await house.redeem(client_id, code, redirect_uri=WEB))
    page = await visitor.get("/logout")
    assert b"alice" in page.body
    assert (await visitor.post("/logout", hidden(page))).status == 303
    assert await house.count("oauth_sessions") == 0
    assert b"Signed out" in (await visitor.get("/logout")).body
    assert b'name="password"' in (await again(visitor, client_id)).body
    assert (await house.refresh(client_id, told["refresh_token"])).status == 200


@case("L9", "a setting lets signing out revoke what the user has granted, too")
async def test_signing_out_may_revoke_everything(house: House, client_id: str) -> None:
    """OAuth 2.1 §4.3.3."""
    strict = House(
        replace(house.settings, logout=Logout.REVOKE), house.stores, house.database, house.clock
    )
    visitor, code = await agreed(strict, client_id)
    told = json_of(await strict.redeem(client_id, code, redirect_uri=WEB))
    assert await strict.is_good(told["access_token"])
    await visitor.post("/logout", hidden(await visitor.get("/logout")))
    assert not await strict.is_good(told["access_token"])
    answer = await strict.refresh(client_id, told["refresh_token"])
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_grant")


async def test_signing_out_revokes_what_is_on_its_way_to_an_application_too(
    house: House, client_id: str
) -> None:
    """OAuth 2.1 §4.3.3: a code that comes after it is worth nothing."""
    strict = House(
        replace(house.settings, logout=Logout.REVOKE), house.stores, house.database, house.clock
    )
    visitor, code = await agreed(strict, client_id)
    await visitor.post("/logout", hidden(await visitor.get("/logout")))
    answer = await strict.redeem(client_id, code, redirect_uri=WEB)
    assert (answer.status, json_of(answer)["error"]) == (400, "invalid_grant")


async def test_a_closed_account_sees_nothing(house: House, client_id: str) -> None:
    """OAuth 2.1 §4.1.2.1."""
    visitor, _ = await agreed(house, client_id)
    await house.administration.disable_user("alice")
    assert (await visitor.get("/apps")).status == 403
    assert PASSWORD not in (await visitor.get("/apps")).body.decode()

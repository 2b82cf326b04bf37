"""The proxy to an upstream issuer: consent first, our own codes, nothing of theirs handed on."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import pytest

from catshop.inspector.printer import Printer
from catshop.kernel import Unavailable
from catshop.oauth.parameters import DEVICE_CODE
from catshop.oauth.settings import OAuthSettings
from catshop.protocol.http1.messages import Answer
from tests.oauth.cases import case
from tests.oauth.house import CALLBACK, ISSUER, VERIFIER, House, field_of, json_of, query_of
from tests.oauth.idp import CLIENT, IDP, SECRET, WHO, Idp, Traveller
from tests.oauth.keys import proof
from tests.oauth.world import site

BACK = f"{ISSUER}/upstream/callback"
BINDING = "catshop-upstream"


@pytest.fixture
def settings(settings: OAuthSettings) -> OAuthSettings:
    return replace(settings, upstream=WHO)


@pytest.fixture
async def idp(house: House) -> AsyncIterator[Idp]:
    """The upstream issuer, up and running."""
    found = Idp(house.clock)
    async with site(house.world, "idp.example", found.reply):
        yield found


@pytest.fixture
def browser(house: House) -> Traveller:
    return Traveller(house)


async def code_of(browser: Traveller, idp: Idp, client_id: str) -> str:
    """A code of ours, by the whole way."""
    answer = await browser.get(idp.sign_in(await browser.leave(client_id)))
    return query_of(field_of(answer, "location") or "")["code"]


async def tokens_of(house: House, idp: Idp, client_id: str) -> dict[str, Any]:
    """Tokens of ours, for whoever signs in there."""
    answer = await house.redeem(client_id, await code_of(Traveller(house), idp, client_id))
    assert answer.status == 200, answer.body
    return json_of(answer)


def is_page(answer: Answer, status: int, code: str) -> bool:
    """Whether the answer is a page of ours that names this code, and leads nowhere."""
    shown = code.encode() in answer.body
    return answer.status == status and shown and field_of(answer, "location") is None


async def test_a_user_of_the_upstream_gets_tokens_of_ours(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """OAuth 2.1 §4.1; OpenID Connect Core 1.0 §3.1.3. The whole way, once."""
    client_id = await house.client()
    answer = await browser.get(idp.sign_in(await browser.leave(client_id)))
    location = field_of(answer, "location") or ""
    assert location.startswith(CALLBACK)
    assert query_of(location)["iss"] == ISSUER
    assert query_of(location)["state"] == "xyz"
    granted = json_of(await house.redeem(client_id, query_of(location)["code"]))
    principal = await house.call(granted["access_token"])
    assert principal.username == "alice@idp.example"
    assert principal.issuer == ISSUER
    assert granted["refresh_token"].startswith("cat_rt_")


@case("X1", "nobody is sent to the upstream before they have agreed on a page of ours")
async def test_our_own_consent_comes_before_the_upstream(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations §confused-deputy-problem."""
    page = await browser.consent_page(await house.client())
    assert page.status == 200
    assert b"Paws" in page.body
    assert b"idp.example" in page.body
    assert await house.count("oauth_trips") == 0
    assert idp.asked == []
    denied = await browser.decide(page, "deny")
    assert query_of(field_of(denied, "location") or "")["error"] == "access_denied"
    assert await house.count("oauth_trips") == 0


@case("X2", "the cookie that binds the way back is set with the approving 303, not before")
async def test_the_binding_cookie_comes_with_the_approval(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations §confused-deputy-problem."""
    page = await browser.consent_page(await house.client())
    assert BINDING not in browser.jar
    answer = await browser.decide(page)
    assert answer.status == 303
    cookie = field_of(answer, "set-cookie") or ""
    assert cookie.startswith(f"{BINDING}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} <= set(cookie.split("; "))
    asked = query_of(field_of(answer, "location") or "")
    assert asked["redirect_uri"] == BACK
    assert asked["scope"] == "openid offline_access"
    assert asked["prompt"] == "consent"
    assert {"state", "nonce", "code_challenge"} <= set(asked)
    assert asked["state"] != "xyz"


@case("X3", "what one browser has approved no other can end: 403, and the upstream is not asked")
async def test_another_browser_cannot_end_the_way(house: House, idp: Idp) -> None:
    """RFC 9700 §4.7: the attacker approves, the victim signs in at the upstream."""
    attacker, victim = Traveller(house), Traveller(house)
    back = idp.sign_in(await attacker.leave(await house.client()))
    for visitor in (victim, attacker):
        answer = await visitor.get(back)
        code, status = ("E-UPS-04", 403) if visitor is victim else ("E-UPS-03", 400)
        assert is_page(answer, status, code)
    assert idp.at("/token") == []
    assert await house.count("oauth_codes") == 0


@case("X3", "a browser that has approved something else is another browser, too")
async def test_an_approval_of_ones_own_does_not_help(house: House, idp: Idp) -> None:
    """RFC 9700 §4.7."""
    client_id = await house.client()
    attacker, victim = Traveller(house), Traveller(house)
    await victim.leave(client_id)
    back = idp.sign_in(await attacker.leave(client_id))
    assert is_page(await victim.get(back), 403, "E-UPS-04")
    assert idp.at("/token") == []


@case("X3", "the binding cookie alone does not do: the request waits in its own browser")
async def test_the_binding_cookie_alone_does_not_end_the_way(house: House, idp: Idp) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations §confused-deputy-problem."""
    browser, other = Traveller(house), Traveller(house)
    back = idp.sign_in(await browser.leave(await house.client()))
    other.jar[BINDING] = browser.jar[BINDING]
    assert is_page(await other.get(back), 403, "E-LOGIN-02")
    assert idp.at("/token") == []


@case("X4", "a state that is missing, made up, used or too old ends on our page")
@pytest.mark.parametrize("how", ["missing", "wrong", "replayed", "old"])
async def test_a_state_is_good_once_and_for_ten_minutes(
    house: House, idp: Idp, browser: Traveller, how: str
) -> None:
    """RFC 9700 §4.7; OAuth 2.1 §7.9."""
    back = idp.sign_in(await browser.leave(await house.client()))
    exchanges = 0
    if how == "missing":
        back = f"{BACK}?code=x&iss={IDP}"
    elif how == "wrong":
        back = f"{BACK}?code=x&iss={IDP}&state=made-up"
    elif how == "replayed":
        assert (await browser.get(back)).status == 303
        exchanges = 1
    else:
        house.clock.forward(600)
    assert is_page(await browser.get(back), 400, "E-UPS-03")
    assert len(idp.at("/token")) == exchanges


async def test_of_two_who_come_back_with_one_state_one_gets_a_code(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """RFC 9700 §4.7: single use, however many together."""
    back = idp.sign_in(await browser.leave(await house.client()))
    statuses: list[int] = []

    async def come_back() -> None:
        statuses.append((await browser.get(back)).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(come_back)
    assert sorted(statuses) == [303, 400, 400, 400, 400]
    assert await house.count("oauth_codes") == 1


ERRORS = [
    pytest.param("access_denied", "access_denied", id="the-user-said-no"),
    pytest.param("login_required", "access_denied", id="nobody-signed-in"),
    pytest.param("temporarily_unavailable", "temporarily_unavailable", id="busy"),
    pytest.param("invalid_scope", "server_error", id="our-own-fault"),
    pytest.param("<script>", "server_error", id="nonsense"),
]


@case("X5", "an error of the upstream reaches the client as ours, with our iss and our words")
@pytest.mark.parametrize(("sent", "told"), ERRORS)
async def test_an_error_of_the_upstream_is_told_in_our_words(
    house: House, idp: Idp, browser: Traveller, sent: str, told: str
) -> None:
    """RFC 9207 §2; OAuth 2.1 §4.1.2.1; OpenID Connect Core 1.0 §3.1.2.6."""
    location = await browser.leave(await house.client())
    back = idp.sign_in(location, code=None, error=sent, error_description="<b>their words</b>")
    answer = await browser.get(back)
    members = query_of(field_of(answer, "location") or "")
    assert (field_of(answer, "location") or "").startswith(CALLBACK)
    assert (members["error"], members["iss"], members["state"]) == (told, ISSUER, "xyz")
    assert "their words" not in members["error_description"]
    assert idp.at("/token") == []
    assert await house.count("oauth_codes") == 0


@case("X6", "an answer that names another issuer, or none where one was promised, stays with us")
@pytest.mark.parametrize("iss", [None, "https://evil.example", f"{IDP}/", ISSUER])
@pytest.mark.parametrize("error", [None, "access_denied"])
async def test_an_answer_of_another_issuer_is_refused(
    house: House, idp: Idp, browser: Traveller, iss: str | None, error: str | None
) -> None:
    """RFC 9207 §2.4; RFC 9700 §4.4."""
    location = await browser.leave(await house.client())
    assert is_page(await browser.get(idp.sign_in(location, iss=iss, error=error)), 400, "E-UPS-05")
    assert idp.at("/token") == []


async def test_an_upstream_that_does_not_promise_iss_may_leave_it_out(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """RFC 9207 §2.4: for those that came before it."""
    idp.metadata = {"authorization_response_iss_parameter_supported": None}
    location = await browser.leave(await house.client())
    assert (await browser.get(idp.sign_in(location, iss=None))).status == 303
    location = await browser.leave(await house.client())
    back = idp.sign_in(location, iss="https://evil.example")
    assert is_page(await browser.get(back), 400, "E-UPS-05")


@pytest.mark.parametrize("methods", [5, "client_secret_basic", [1], {}])
async def test_an_upstream_whose_metadata_is_none_is_refused(
    house: House, idp: Idp, methods: object
) -> None:
    """RFC 8414 §2: a list of strings is one, or the metadata is none."""
    idp.metadata = {"token_endpoint_auth_methods_supported": methods}
    with pytest.raises(Unavailable) as refused:
        await house.server.begin()
    assert refused.value.code == "E-UPS-02"


@case("X7", "metadata of another issuer than the configured one: no start, and no sign-in")
@pytest.mark.parametrize("issuer", [f"{IDP}/", "https://evil.example", None])
async def test_an_upstream_that_is_another_is_refused(
    house: House, idp: Idp, browser: Traveller, issuer: str | None
) -> None:
    """RFC 8414 §3.3."""
    idp.metadata = {"issuer": issuer}
    with pytest.raises(Unavailable) as refused:
        await house.server.begin()
    assert refused.value.code == "E-UPS-02"
    page = await browser.consent_page(await house.client())
    assert is_page(await browser.decide(page), 503, "E-UPS-02")
    assert BINDING not in browser.jar


@pytest.mark.parametrize(
    "endpoint", ["http://idp.example/auth", "javascript:alert(1)", "https://user@idp.example/", ""]
)
async def test_nobody_is_sent_to_an_odd_address(house: House, idp: Idp, endpoint: str) -> None:
    """RFC 8414 §2; OAuth 2.1 §7.12."""
    idp.metadata = {"authorization_endpoint": endpoint}
    with pytest.raises(Unavailable):
        await house.server.begin()


@case("X9", "no token of the upstream opens the shop, and none is ever shown to anybody")
async def test_tokens_of_the_upstream_open_nothing_and_are_never_shown(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations
    §access-token-privilege-restriction.

    RFC 6749 §5.1.
    """
    client_id = await house.client()
    back = await browser.get(idp.sign_in(await browser.leave(client_id)))
    code = query_of(field_of(back, "location") or "")["code"]
    redeemed = await house.redeem(client_id, code)
    refreshed = await house.refresh(client_id, json_of(redeemed)["refresh_token"])
    assert refreshed.status == 200
    theirs = [secret for secret in idp.issued if len(secret) > 20]
    assert len(theirs) >= 4
    kept = await house.database.all("SELECT * FROM oauth_upstream_tokens")
    assert len(kept) == 1
    for secret in theirs:
        assert not await house.is_good(secret)
        assert secret not in str(kept)
        for answer in (back, redeemed, refreshed):
            assert secret.encode() not in answer.body
            assert secret not in str(answer.fields)


@case("S9", "to the upstream goes what is ours alone: no token, cookie or proof of a client")
async def test_nothing_of_the_client_goes_to_the_upstream(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations
    §access-token-privilege-restriction.

    RFC 6749 §2.3.1, §4.1.3, §6.
    """
    client_id = await house.client()
    code = await code_of(browser, idp, client_id)
    form = {"client_id": client_id, "code_verifier": VERIFIER, "code": code}
    granted, shown = {}, []
    for grant in ("authorization_code", "refresh_token"):
        shown.append(proof(f"{ISSUER}/token", house.clock))
        kept = {"refresh_token": granted.get("refresh_token", "")}
        asking = {"grant_type": grant, **form, **kept}
        answer = await house.post("/token", asking, dpop=shown[-1], cookie="a=b")
        assert answer.status == 200, answer.body
        granted = json_of(answer)
    asked = idp.at("/token")
    assert [each.form["grant_type"] for each in asked] == ["authorization_code", "refresh_token"]
    for each in idp.asked:
        allowed = {"host", "accept", "accept-encoding", "connection", "user-agent"}
        allowed |= {"authorization", "content-type", "content-length"}
        assert set(each.fields) <= allowed
        for secret in (client_id, code, VERIFIER, kept["refresh_token"], *shown):
            assert secret not in each.raw
    assert set(asked[0].form) == {"grant_type", "code", "redirect_uri", "code_verifier"}
    assert set(asked[1].form) == {"grant_type", "refresh_token"}


@case("X10", "a user whom the upstream refuses is refused here, and everything of theirs ends")
async def test_who_is_locked_out_there_is_locked_out_here(house: House, idp: Idp) -> None:
    """RFC 6749 §5.2, §6; RFC 9700 §4.14."""
    client_id = await house.client()
    granted = await tokens_of(house, idp, client_id)
    assert await house.is_good(granted["access_token"])
    idp.refresh_tokens.clear()
    refused = await house.refresh(client_id, granted["refresh_token"])
    assert (refused.status, json_of(refused)["error"]) == (400, "invalid_grant")
    assert "unknown" not in json_of(refused)["error_description"]
    assert not await house.is_good(granted["access_token"])
    assert json_of(await house.refresh(client_id, granted["refresh_token"]))["error"] == (
        "invalid_grant"
    )
    assert len(idp.at("/token")) == 2


@case("X10", "an upstream that cannot answer costs nobody a refresh token: 503, nothing rotated")
@pytest.mark.parametrize(
    "failing",
    [
        pytest.param((500, "server_error"), id="500"),
        pytest.param((503, ""), id="503"),
        pytest.param((401, "invalid_client"), id="our-secret"),
        pytest.param((400, "unauthorized_client"), id="our-registration"),
    ],
)
async def test_an_upstream_that_is_down_costs_no_refresh_token(
    house: House, idp: Idp, failing: tuple[int, str]
) -> None:
    """RFC 6749 §5.2, §6; OAuth 2.1 §4.3.1."""
    client_id = await house.client()
    granted = await tokens_of(house, idp, client_id)
    idp.failing = failing
    answer = await house.refresh(client_id, granted["refresh_token"])
    assert (answer.status, json_of(answer)["error"]) == (503, "temporarily_unavailable")
    assert field_of(answer, "retry-after")
    idp.failing = None
    assert await house.is_good(granted["access_token"])
    assert (await house.refresh(client_id, granted["refresh_token"])).status == 200


async def test_each_refresh_asks_the_upstream_with_its_latest_token(house: House, idp: Idp) -> None:
    """RFC 6749 §6: an upstream may rotate, and this one does."""
    client_id = await house.client()
    granted = await tokens_of(house, idp, client_id)
    for _ in range(3):
        answer = await house.refresh(client_id, granted["refresh_token"])
        assert answer.status == 200, answer.body
        granted = json_of(answer)
        house.clock.forward(60)
    sent = [each.form["refresh_token"] for each in idp.at("/token")[1:]]
    assert len(set(sent)) == 3


async def test_refreshes_at_once_ask_the_upstream_one_at_a_time(house: House, idp: Idp) -> None:
    """RFC 9700 §4.14.2: one token of the upstream is never shown twice."""
    client_id = await house.client()
    granted = await tokens_of(house, idp, client_id)
    statuses: list[int] = []

    async def refresh() -> None:
        answer = await house.refresh(client_id, granted["refresh_token"])
        statuses.append(answer.status)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(refresh)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 503}
    sent = [each.form["refresh_token"] for each in idp.at("/token")[1:]]
    assert len(sent) == len(set(sent))


async def test_a_claim_that_nobody_gave_back_ends_by_itself(house: House, idp: Idp) -> None:
    """OAuth 2.1 §4.3.1: a process that died in the middle locks no user out for good."""
    client_id = await house.client()
    granted = await tokens_of(house, idp, client_id)
    row = await house.database.one("SELECT id FROM oauth_families")
    assert row is not None
    now = house.clock()
    until = now.replace(second=now.second + 30)
    assert await house.stores.upstreams.claim(str(row["id"]), now, until) is not None
    answer = await house.refresh(client_id, granted["refresh_token"])
    assert (answer.status, json_of(answer)["error"]) == (503, "temporarily_unavailable")
    assert "E-UPS-12" in json_of(answer)["error_description"]
    house.clock.forward(30)
    assert (await house.refresh(client_id, granted["refresh_token"])).status == 200


async def test_a_replayed_refresh_token_does_not_reach_the_upstream(house: House, idp: Idp) -> None:
    """RFC 9700 §4.14.2: our own rules come first."""
    client_id, other = await house.client(), await house.client()
    granted = await tokens_of(house, idp, client_id)
    assert (await house.refresh(other, granted["refresh_token"])).status == 400
    assert (await house.refresh(client_id, granted["refresh_token"])).status == 200
    house.clock.forward(60)
    assert (await house.refresh(client_id, granted["refresh_token"])).status == 400
    assert len(idp.at("/token")) == 2


async def test_without_a_refresh_token_there_nobody_is_asked_again(house: House, idp: Idp) -> None:
    """OpenID Connect Core 1.0 §11: offline access is the upstream's to give."""
    idp.answer = {"refresh_token": None}
    client_id = await house.client()
    granted = await tokens_of(house, idp, client_id)
    assert await house.count("oauth_upstream_tokens") == 0
    assert (await house.refresh(client_id, granted["refresh_token"])).status == 200
    assert len(idp.at("/token")) == 1


@case("X11", "a code of the upstream that belongs to another sign-in ends on our page")
async def test_a_code_from_another_flow_is_refused(house: House, idp: Idp) -> None:
    """OAuth 2.1 §7.5.1; RFC 7636 §4.5, §4.6: the victim's code, in the attacker's own browser."""
    client_id = await house.client()
    victim, attacker = Traveller(house), Traveller(house)
    stolen = query_of(idp.sign_in(await victim.leave(client_id)))["code"]
    location = await attacker.leave(client_id)
    answer = await attacker.get(idp.sign_in(location, code=stolen))
    assert is_page(answer, 400, "E-UPS-06")
    assert await house.count("oauth_codes") == 0


CLAIMS: dict[str, dict[str, Any]] = {
    "another-nonce": {"nonce": "n"},
    "no-nonce": {"nonce": None},
    "another-aud": {"aud": "other"},
    "aud-of-two": {"aud": [CLIENT, "other"]},
    "no-aud": {"aud": None},
    "another-azp": {"azp": "other"},
    "another-iss": {"iss": f"{IDP}/"},
    "expired": {"exp": 1},
    "no-exp": {"exp": None},
    "exp-true": {"exp": True},
    "exp-at-the-end-of-time": {"exp": 253402300799},
    "of-tomorrow": {"iat": 1900000000},
    "no-sub": {"sub": None},
    "empty-sub": {"sub": ""},
    "sub-number": {"sub": 1},
    "sub-too-long": {"sub": "x" * 256},
}


@case("X11", "an ID token that is not for this shop and this sign-in says nothing")
@pytest.mark.parametrize("wrong", [pytest.param(c, id=name) for name, c in CLAIMS.items()])
async def test_an_id_token_for_something_else_is_refused(
    house: House, idp: Idp, browser: Traveller, wrong: dict[str, Any]
) -> None:
    """OpenID Connect Core 1.0 §2, §3.1.3.7; OAuth 2.1 §7.5.1; RFC 8725 §3.8."""
    idp.claims = wrong
    back = idp.sign_in(await browser.leave(await house.client()))
    assert is_page(await browser.get(back), 400, "E-UPS-07")
    assert await house.count("oauth_users") == 0


@case("X11", "an ID token that the upstream's keys did not sign says nothing")
@pytest.mark.parametrize("token", ["signed by another", "e30.e30.", "none"])
async def test_an_id_token_of_somebody_else_is_refused(
    house: House, idp: Idp, browser: Traveller, token: str
) -> None:
    """OpenID Connect Core 1.0 §3.1.3.7; RFC 8725 §3.1."""
    if token == "signed by another":
        idp.signed_with = "other"
    else:
        idp.answer = {"id_token": None if token == "none" else token}
    back = idp.sign_in(await browser.leave(await house.client()))
    assert is_page(await browser.get(back), 400, "E-UPS-07")


@case("X12", "a code that the proxy gave is good for its client alone")
async def test_another_client_cannot_redeem_the_code(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """OAuth 2.1 §4.1.3."""
    mine, other = await house.client(), await house.client()
    code = await code_of(browser, idp, mine)
    refused = await house.redeem(other, code)
    assert (refused.status, json_of(refused)["error"]) == (400, "invalid_grant")
    assert (await house.redeem(mine, code)).status == 200


@case("X13", "whatever a client calls itself, the page shows where the answer goes, unverified")
async def test_a_look_alike_name_hides_nothing(house: House, idp: Idp, browser: Traveller) -> None:
    """OAuth 2.1 §7.3."""
    uri = "https://evil.example/cb"
    client_id = await house.client(redirect_uris=[uri], client_name="Claude Desktop (verified)")
    page = await browser.consent_page(client_id, redirect_uri=uri)
    text = page.body.decode()
    assert "<code>evil.example</code>" in text
    assert "Nobody has verified this application" in text


@case("X14", "consent that was given once is asked for again, wherever the browser comes from")
@pytest.mark.parametrize("site_", ["cross-site", "same-origin", "none"])
async def test_nobody_is_sent_through_on_an_old_consent(
    house: House, idp: Idp, browser: Traveller, site_: str
) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations §confused-deputy-problem."""
    client_id = await house.client()
    await code_of(browser, idp, client_id)
    page = await browser.consent_page(client_id)
    assert page.status == 200
    assert b'value="approve"' in page.body
    assert await house.count("oauth_trips") == 0


@case("S15", "subject 1 of the upstream, subject 1 of another one and a local user 1 are three")
async def test_a_subject_is_somebody_together_with_its_issuer(house: House, idp: Idp) -> None:
    """RFC 9068 §5."""
    client_id = await house.client()
    first = await house.call((await tokens_of(house, idp, client_id))["access_token"])
    again = await house.call((await tokens_of(house, idp, client_id))["access_token"])
    assert first.user == again.user
    idp.claims = {"sub": "2"}
    other = await house.call((await tokens_of(house, idp, client_id))["access_token"])
    assert other.user != first.user
    await house.user("alice")
    rows = await house.database.all("SELECT id, name FROM oauth_users")
    assert len({row["id"] for row in rows}) == 3
    kept = await house.database.all("SELECT issuer, subject, user_id FROM oauth_residents")
    assert {(row["issuer"], row["subject"]) for row in kept} == {(IDP, "1"), (IDP, "2")}


async def test_two_people_of_one_name_are_two_accounts(house: House, idp: Idp) -> None:
    """OpenID Connect Core 1.0 §5.7: preferred_username is nobody's own."""
    client_id = await house.client()
    await tokens_of(house, idp, client_id)
    idp.claims = {"sub": "2"}
    second = await house.call((await tokens_of(house, idp, client_id))["access_token"])
    assert second.username == second.subject


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        pytest.param({"preferred_username": "<b>"}, "1@idp.example", id="markup"),
        pytest.param({"preferred_username": 7}, "7@idp.example", id="number"),
        pytest.param({"preferred_username": "a\x1b[2J"}, "1@idp.example", id="escape"),
        pytest.param(
            {"preferred_username": "../x", "sub": "a b"}, "somebody@idp.example", id="neither"
        ),
    ],
)
async def test_a_name_from_there_is_harmless_here(
    house: House, idp: Idp, claims: dict[str, Any], name: str
) -> None:
    """OpenID Connect Core 1.0 §5.7."""
    idp.claims = claims
    granted = await tokens_of(house, idp, await house.client())
    assert (await house.call(granted["access_token"])).username == name


async def test_an_account_that_is_closed_here_stays_closed(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """OAuth 2.1 §4.1.2: whoever signs in there."""
    client_id = await house.client()
    granted = await tokens_of(house, idp, client_id)
    await house.administration.disable_user("alice@idp.example")
    back = idp.sign_in(await browser.leave(client_id))
    assert is_page(await browser.get(back), 403, "E-LOGIN-04")
    assert (await house.refresh(client_id, granted["refresh_token"])).status == 400


async def test_nobody_signs_in_here_with_a_password(house: House, idp: Idp) -> None:
    """OAuth 2.1 §7.9: there is no form for it, and nowhere to send one."""
    browser = Traveller(house)
    await house.user("alice")
    page = await browser.consent_page(await house.client())
    assert b'name="password"' not in page.body
    answer = await browser.post("/login", {"username": "alice", "password": "x"})
    assert answer.status == 404


async def test_an_upstream_that_is_down_ends_on_our_page(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """RFC 6749 §5.2: nobody is to blame, and the request goes on waiting."""
    client_id = await house.client()
    location = await browser.leave(client_id)
    idp.failing = (500, "server_error")
    answer = await browser.get(idp.sign_in(location))
    assert is_page(answer, 503, "E-UPS-08")
    assert await house.count("oauth_requests") == 1
    assert SECRET not in str(answer)


@pytest.mark.parametrize("endpoint", ["userinfo_endpoint", "introspection_endpoint"])
async def test_without_openid_the_upstream_is_asked_who_it_was(
    house: House, idp: Idp, browser: Traveller, endpoint: str, settings: OAuthSettings
) -> None:
    """OpenID Connect Core 1.0 §5.3.1; RFC 7662 §2.1, §2.2."""
    house = with_upstream(house, settings, scopes=())
    idp.metadata = {endpoint: f"{IDP}/about"}
    idp.answer = {"id_token": None}
    granted = await tokens_of(house, idp, await house.client())
    assert (await house.call(granted["access_token"])).username == "alice@idp.example"
    [asked] = idp.at("/about")
    if endpoint == "userinfo_endpoint":
        assert asked.fields["authorization"].startswith("Bearer up_at_")
    else:
        assert asked.form["token"].startswith("up_at_")


@pytest.mark.parametrize("claims", [{"active": False}, {"client_id": "other"}, {"sub": None}])
async def test_a_token_that_says_nothing_signs_nobody_in(
    house: House, idp: Idp, settings: OAuthSettings, claims: dict[str, Any]
) -> None:
    """RFC 7662 §2.2."""
    house = with_upstream(house, settings, scopes=())
    idp.metadata = {"introspection_endpoint": f"{IDP}/about"}
    idp.answer, idp.claims = {"id_token": None}, claims
    browser = Traveller(house)
    back = idp.sign_in(await browser.leave(await house.client()))
    assert is_page(await browser.get(back), 400, "E-UPS-07")


async def test_a_secret_goes_into_the_form_where_the_upstream_wants_it_there(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """RFC 6749 §2.3.1."""
    idp.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    back = idp.sign_in(await browser.leave(await house.client()))
    await browser.get(back)
    [asked] = idp.at("/token")
    assert "authorization" not in asked.fields
    assert (asked.form["client_id"], asked.form["client_secret"]) == (CLIENT, SECRET)


async def test_without_a_secret_the_shop_only_says_its_name(
    house: House, idp: Idp, settings: OAuthSettings
) -> None:
    """RFC 6749 §3.2.1."""
    house = with_upstream(house, settings, secret=None)
    browser = Traveller(house)
    await browser.get(idp.sign_in(await browser.leave(await house.client())))
    [asked] = idp.at("/token")
    assert "authorization" not in asked.fields
    assert asked.form["client_id"] == CLIENT
    assert "client_secret" not in asked.form


def with_upstream(house: House, settings: OAuthSettings, **changes: Any) -> House:
    """The same house, known to the upstream in another way."""
    changed = replace(settings, upstream=replace(WHO, **changes))
    return House(changed, house.stores, house.database, house.clock, world=house.world)


async def test_two_tabs_both_come_back(house: House, idp: Idp, browser: Traveller) -> None:
    """OAuth 2.1 §7.9: an approval in one tab does not spoil that of another."""
    client_id = await house.client()
    first, second = await browser.leave(client_id), await browser.leave(client_id)
    for location in (first, second):
        assert (await browser.get(idp.sign_in(location))).status == 303


async def test_a_wrong_request_of_a_stranger_does_not_redirect_by_itself(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """OAuth 2.1 §7.12.2: nobody is signed in here, so nobody would see it go by."""
    uri = "https://evil.example/cb"
    client_id = await house.client(redirect_uris=[uri])
    answer = await browser.authorize(client_id, redirect_uri=uri, scope="no-such")
    assert is_page(answer, 400, "E-SCOPE-02")


async def test_a_seal_that_is_not_ours_ends_the_family(house: House, idp: Idp) -> None:
    """RFC 5869 §2: whoever writes into the database cannot slip in a token of their own."""
    client_id = await house.client()
    granted = await tokens_of(house, idp, client_id)

    def forge(statements: Any) -> int:
        return int(statements.run("UPDATE oauth_upstream_tokens SET sealed = 'made up'"))

    assert await house.database.write(forge) == 1
    assert (await house.refresh(client_id, granted["refresh_token"])).status == 400
    assert len(idp.at("/token")) == 1


async def test_what_is_worth_nothing_is_swept(house: House, idp: Idp, browser: Traveller) -> None:
    """RFC 9700 §4.14: no token of somebody else is kept that nothing of ours stands on."""
    client_id = await house.client()
    granted = await tokens_of(house, idp, client_id)
    await browser.leave(client_id)
    house.clock.forward(3700)
    await house.stores.upkeep.sweep(house.clock())
    assert await house.count("oauth_trips") == 0
    assert await house.count("oauth_upstream_tokens") == 1
    form = {"token": granted["refresh_token"], "client_id": client_id}
    assert (await house.post("/revoke", form)).status == 200
    await house.stores.upkeep.sweep(house.clock())
    assert await house.count("oauth_upstream_tokens") == 0


async def test_a_device_is_connected_by_a_user_of_the_upstream(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """RFC 8628 §3.3: consent first, for a device as for every client."""
    client_id = await house.client(grant_types=[DEVICE_CODE, "refresh_token"], redirect_uris=[])
    begun = json_of(await house.post("/device_authorization", {"client_id": client_id}))
    answer = await browser.post("/device", {"user_code": begun["user_code"]})
    page = await browser.follow(answer)
    assert b"your device" in page.body
    location = field_of(await browser.decide(page), "location") or ""
    done = await browser.follow(await browser.get(idp.sign_in(location)))
    assert b"Connected" in done.body
    house.clock.forward(10)
    form = {"grant_type": DEVICE_CODE, "client_id": client_id, "device_code": begun["device_code"]}
    granted = json_of(await house.post("/token", form))
    assert (await house.call(granted["access_token"])).username == "alice@idp.example"


async def test_what_a_client_lost_meanwhile_is_not_granted(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """RFC 7592 §2.2: between consent and the way back."""
    client_id = await house.client()
    location = await browser.leave(client_id)
    client = await house.stores.clients.find(client_id)
    assert client is not None
    await house.stores.registrations.change(replace(client, scopes=frozenset({"catalog:read"})))
    answer = await browser.get(idp.sign_in(location))
    code = query_of(field_of(answer, "location") or "")["code"]
    assert json_of(await house.redeem(client_id, code))["scope"] == "catalog:read"


async def test_no_secret_of_the_upstream_is_printed(
    house: House, idp: Idp, browser: Traveller
) -> None:
    """OAuth 2.1 §7.1.3: a trace shows the way, and no code, token, state or secret of it."""
    shown = io.StringIO()
    house.trace.observe(Printer(shown))
    client_id = await house.client()
    location = await browser.leave(client_id)
    answer = await browser.get(idp.sign_in(location))
    granted = await house.redeem(client_id, query_of(field_of(answer, "location") or "")["code"])
    await house.refresh(client_id, json_of(granted)["refresh_token"])
    printed = shown.getvalue()
    assert "upstream.leave" in printed
    assert "upstream.stands" in printed
    asked = query_of(location)
    for secret in (*idp.issued, SECRET, asked["state"], asked["nonce"]):
        assert secret not in printed

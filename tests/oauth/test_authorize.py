"""The authorization endpoint: what is refused on our page, what at the client, and what goes on."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from catshop.limits import OAuthLimits
from catshop.oauth import scopes
from catshop.oauth.authorize import AT_THE_CLIENT, AUTHORIZE, ON_OUR_PAGE
from catshop.protocol.http1.messages import Answer
from tests.oauth.cases import case, each
from tests.oauth.house import (
    CALLBACK,
    CHALLENGE,
    ISSUER,
    Clock,
    House,
    field_of,
    json_of,
    query_of,
    request_of,
)

REMOTE = "https://app.example/cb"


def on_our_page(answer: Answer) -> bool:
    """Whether the refusal stays with us: a page, and nowhere to go."""
    return (
        answer.status == 400
        and field_of(answer, "location") is None
        and (field_of(answer, "content-type") or "").startswith("text/html")
    )


def test_nothing_is_redirected_before_the_client_and_its_address_are_known() -> None:
    """OAuth 2.1 §4.1.2.1: the order of the checks is the security."""
    assert (*ON_OUR_PAGE, *AT_THE_CLIENT) == AUTHORIZE
    assert [name for name, _ in ON_OUR_PAGE] == ["authorize.client", "authorize.redirect_uri"]


ON_THE_PAGE = [
    *each(
        case("A1", "without a client that is known the refusal is a page, and leads nowhere"),
        {
            "missing": {"client_id": None},
            "empty": {"client_id": ""},
            "unknown": {"client_id": "cat_unknown"},
        },
    ),
    *each(
        case("A2", "an address that is not the registered one, to the letter, gets no redirect"),
        {
            "unregistered": {"redirect_uri": "https://evil.example/cb"},
            "prefix": {"redirect_uri": "https://app.example/c"},
            "suffix": {"redirect_uri": f"{REMOTE}/x"},
            "name-suffix": {"redirect_uri": "https://app.example.evil.example/cb"},
            "query": {"redirect_uri": f"{REMOTE}?x=1"},
            "case": {"redirect_uri": "https://app.example/CB"},
            "slash": {"redirect_uri": f"{REMOTE}/"},
            "port": {"redirect_uri": "https://app.example:8443/cb"},
            "default-port": {"redirect_uri": "https://app.example:443/cb"},
            "encoded": {"redirect_uri": "https://app.example/%2fcb"},
            "userinfo": {"redirect_uri": "https://app.example@evil.example/cb"},
        },
    ),
    *each(
        case("A3", "of an address of the user's own machine the port alone is free"),
        {
            "path": {"redirect_uri": f"{CALLBACK}/x"},
            "query": {"redirect_uri": f"{CALLBACK}?x=1"},
            "localhost": {"redirect_uri": "http://localhost:9999/callback"},
            "version-6": {"redirect_uri": "http://[::1]:9999/callback"},
            "https": {"redirect_uri": "https://127.0.0.1:9999/callback"},
            "userinfo": {"redirect_uri": "http://127.0.0.1@evil.example/callback"},
        },
    ),
    *each(
        case("A5", "client_id or redirect_uri twice is a page, never a redirect"),
        {
            "redirect": {"redirect_uri": [CALLBACK] * 2},
            "redirects": {"redirect_uri": [CALLBACK, REMOTE]},
            "client": {"client_id": ["a", "b"]},
        },
    ),
]


@pytest.mark.parametrize("changed", ON_THE_PAGE)
async def test_without_a_sure_address_the_refusal_stays_on_our_page(
    house: House, changed: dict[str, Any]
) -> None:
    """OAuth 2.1 §2.3.5, §3.1, §4.1.2.1."""
    client_id = await house.client(redirect_uris=[CALLBACK, REMOTE])
    answer = await house.visitor().authorize(**{"client_id": client_id, **changed})
    assert on_our_page(answer)
    assert await house.count("oauth_requests") == 0


@case("A1", "a client that was removed is as unknown as one that never was")
async def test_a_removed_client_is_unknown(house: House) -> None:
    """OAuth 2.1 §4.1.2.1."""
    client_id = await house.client()
    await house.stores.clients.remove(client_id)
    assert on_our_page(await house.visitor().authorize(client_id))


async def test_the_page_shows_what_was_sent_and_what_is_registered(house: House) -> None:
    """Symptom 13. OAuth 2.1 §2.3.1."""
    client_id = await house.client()
    answer = await house.visitor().authorize(client_id, redirect_uri="http://localhost:1/callback")
    assert b"http://localhost:1/callback" in answer.body
    assert CALLBACK.encode() in answer.body


async def test_the_page_tells_of_a_remembered_registration(house: House) -> None:
    """Symptom 12."""
    answer = await house.visitor().authorize("cat_of_an_old_database")
    assert b"mcp-auth" in answer.body


@case("A3", "the port of an address of the user's own machine is free")
async def test_a_loopback_port_is_free(house: House) -> None:
    """OAuth 2.1 §8.4.2; RFC 8252 §7.3."""
    client_id = await house.client()
    answer = await house.visitor().authorize(
        client_id, redirect_uri="http://127.0.0.1:41234/callback"
    )
    assert answer.status == 303
    assert (field_of(answer, "location") or "").startswith(f"{ISSUER}/login?req=")


@case("A4", "of two registered addresses the client names one; the only one may be left out")
async def test_two_registered_addresses_leave_a_choice_that_the_client_has_to_make(
    house: House,
) -> None:
    """OAuth 2.1 §2.3.2."""
    two = await house.client(redirect_uris=[CALLBACK, REMOTE])
    assert on_our_page(await house.visitor().authorize(two, redirect_uri=None))
    one = await house.client()
    assert (await house.visitor().authorize(one, redirect_uri=None)).status == 303


def says(error: str, **changed: Any) -> tuple[dict[str, Any], str]:
    """A request with these parameters, and the error that the client is told."""
    return changed, error


REFUSED = [
    *each(
        case("A5", "any other parameter twice is told to the client"),
        {
            "state": says("invalid_request", state=["a", "b"]),
            "scope": says("invalid_request", scope=["read", "read"]),
            "challenge": says("invalid_request", code_challenge=[CHALLENGE] * 2),
            "method": says("invalid_request", code_challenge_method=["S256", "S256"]),
            "response-type": says("invalid_request", response_type=["code", "code"]),
            "prompt": says("invalid_request", prompt=["login", "consent"]),
            "one-we-ignore": says("invalid_request", nonce=["a", "a"]),
        },
    ),
    *each(
        case("A6", "the only response_type is code"),
        {
            "missing": says("invalid_request", response_type=None),
            "token": says("unsupported_response_type", response_type="token"),
            "id-token": says("unsupported_response_type", response_type="id_token"),
            "hybrid": says("unsupported_response_type", response_type="code token"),
        },
    ),
    *each(
        case("A7", "no code without a challenge"),
        {"missing": says("invalid_request", code_challenge=None)},
    ),
    *each(
        case("A8", "the only method is S256, which is not the default, and written so"),
        {
            "plain": says("invalid_request", code_challenge_method="plain"),
            "absent": says("invalid_request", code_challenge_method=None),
            "lower-case": says("invalid_request", code_challenge_method="s256"),
        },
    ),
    *each(
        case("A9", "a challenge is what S256 makes, 43 letters of base64url"),
        {
            "42": says("invalid_request", code_challenge=CHALLENGE[:42]),
            "44": says("invalid_request", code_challenge=f"{CHALLENGE}A"),
            "129": says("invalid_request", code_challenge="x" * 129),
            "plus": says("invalid_request", code_challenge=f"+{CHALLENGE[1:]}"),
            "slash": says("invalid_request", code_challenge=f"/{CHALLENGE[1:]}"),
            "padding": says("invalid_request", code_challenge=f"{CHALLENGE[:42]}="),
            "non-ascii": says("invalid_request", code_challenge=f"é{CHALLENGE[1:]}"),
            "newline": says("invalid_request", code_challenge=f"{CHALLENGE}\n"),
        },
    ),
    *each(
        case("A10", "a scope that is unknown, no scope, or too long a list is told to the client"),
        {
            "unknown": says("invalid_scope", scope="admin"),
            "wildcard": says("invalid_scope", scope="*"),
            "long": says("invalid_scope", scope="read " * 2048 + "x"),
            "quoted": says("invalid_scope", scope='read "write"'),
        },
    ),
    *each(
        case("A11", "another resource than ours is no target"),
        {
            "relative": says("invalid_target", resource="/mcp"),
            "fragment": says("invalid_target", resource=f"{ISSUER}/mcp#x"),
            "host": says("invalid_target", resource="https://evil.example/mcp"),
            "path": says("invalid_target", resource=ISSUER),
            "path-in-upper-case": says("invalid_target", resource=f"{ISSUER}/MCP"),
            "two-slashes": says("invalid_target", resource=f"{ISSUER}/mcp//"),
            "one-of-two": says("invalid_target", resource=[f"{ISSUER}/mcp", "https://b.example/"]),
        },
    ),
    *each(
        case("A13", "a request object is not read, and nobody is asked for one"),
        {
            "by-value": says("request_not_supported", request="e30.e30."),
            "by-reference": says(
                "request_uri_not_supported", request_uri="http://169.254.169.254/x"
            ),
        },
    ),
    *each(
        case("A14", "an answer comes in the query and in no other way"),
        {
            "fragment": says("invalid_request", response_mode="fragment"),
            "form": says("invalid_request", response_mode="form_post"),
        },
    ),
]


@pytest.mark.parametrize(("changed", "error"), REFUSED)
async def test_with_a_sure_address_the_client_is_told(
    house: House, changed: dict[str, Any], error: str
) -> None:
    """OAuth 2.1 §4.1.2.1; RFC 9207 §2; OpenID Connect Core 1.0 §6."""
    client_id = await house.client()
    answer = await house.visitor().authorize(client_id, **changed)
    assert answer.status == 303
    location = field_of(answer, "location") or ""
    assert location.startswith(f"{CALLBACK}?")
    told = query_of(location)
    assert told["error"] == error
    assert told["error_description"]
    assert told["iss"] == ISSUER
    assert told.get("state") == (None if "state" in changed else "xyz")
    assert "code" not in told
    assert await house.count("oauth_requests") == await house.count("oauth_codes") == 0
    assert house.world.looked_up == house.world.dialled == []


@case("A11", "case of scheme and host and one closing slash do not make another resource")
@case("A12", "whoever names no resource gets a token for the only one, never for none")
@pytest.mark.parametrize(
    "asked",
    [None, f"{ISSUER}/mcp", f"{ISSUER}/mcp/", f"{ISSUER.upper()}/mcp", [f"{ISSUER}/mcp"] * 2],
    ids=["none", "ours", "slash", "case", "twice"],
)
async def test_a_token_is_for_the_one_resource(house: House, asked: Any) -> None:
    """RFC 8707 §2; MCP 2026-07-28 basic/authorization §canonical-server-uri."""
    await house.user()
    tokens = await house.tokens(await house.client(), resource=asked)
    assert (await house.call(tokens["access_token"])).audience == f"{ISSUER}/mcp"


async def test_state_comes_back_byte_for_byte(house: House) -> None:
    """OAuth 2.1 §4.1.2.1."""
    client_id = await house.client()
    state = 'a b+c%2B&=é"<script>'
    answer = await house.visitor().authorize(client_id, state=state, response_type="x")
    assert query_of(field_of(answer, "location") or "")["state"] == state


@case("A17", "an error sends nobody who has not signed in to an address that a stranger registered")
async def test_an_anonymous_browser_is_not_sent_to_a_stranger_by_an_error(house: House) -> None:
    """OAuth 2.1 §7.12.2. Anybody can register an address; first the user signs in."""
    await house.user()
    client_id = await house.client(redirect_uris=[REMOTE])
    visitor = house.visitor()
    answer = await visitor.authorize(client_id, redirect_uri=REMOTE, scope="admin")
    assert (field_of(answer, "location") or "").startswith(f"{ISSUER}/login?req=")
    page = await visitor.follow(answer)
    answer = await visitor.follow(await visitor.sign_in(page))
    location = field_of(answer, "location") or ""
    assert location.startswith(f"{REMOTE}?")
    assert query_of(location)["error"] == "invalid_scope"
    assert query_of(location)["state"] == "xyz"
    answer = await visitor.authorize(client_id, redirect_uri=REMOTE, scope="admin")
    assert (field_of(answer, "location") or "").startswith(f"{REMOTE}?"), "now it is known who asks"


@case("A15", "with prompt=none no page is shown: login_required, or consent_required")
async def test_prompt_none_is_answered_without_a_page(house: House) -> None:
    """OpenID Connect Core 1.0 §3.1.2.1, §3.1.2.6."""
    await house.user()
    client_id = await house.client()
    visitor = house.visitor()
    answer = await visitor.authorize(client_id, prompt="none")
    assert query_of(field_of(answer, "location") or "")["error"] == "login_required"
    await visitor.through(await visitor.authorize(client_id))
    answer = await visitor.authorize(client_id, prompt="none")
    assert query_of(field_of(answer, "location") or "")["error"] == "consent_required"


@case("A18", "success is a code for a minute, the state and the issuer, and nobody keeps a copy")
async def test_success_brings_a_code_the_state_and_the_issuer_and_nothing_else(
    house: House,
) -> None:
    """OAuth 2.1 §4.1.2; RFC 9207 §2; RFC 9700 §4.2.4."""
    await house.user()
    client_id = await house.client()
    visitor = house.visitor()
    answer = await visitor.through(await visitor.authorize(client_id))
    assert answer.status == 303
    assert field_of(answer, "cache-control") == "no-store"
    assert field_of(answer, "referrer-policy") == "no-referrer"
    told = query_of(field_of(answer, "location") or "")
    assert set(told) == {"code", "state", "iss"}
    assert told["state"] == "xyz"
    assert told["iss"] == ISSUER
    assert len(told["code"]) >= 43, "256 bits"
    row = await house.database.one("SELECT * FROM oauth_codes")
    assert row is not None
    assert told["code"] not in row.values()
    assert int(row["expires_at"] or 0) - int(row["created_at"] or 0) == 60_000


async def test_an_answer_keeps_the_query_that_was_registered(house: House) -> None:
    """OAuth 2.1 §2.3, §4.1.2."""
    await house.user()
    target = "https://app.example/cb?tenant=1"
    client_id = await house.client(redirect_uris=[target])
    visitor = house.visitor()
    answer = await visitor.through(await visitor.authorize(client_id, redirect_uri=target))
    location = field_of(answer, "location") or ""
    assert location.startswith(f"{target}&code=")


@case("A5", "once in the query and once in the form is twice")
async def test_a_request_may_come_as_a_form(house: House) -> None:
    """OAuth 2.1 §3.1, §4.1.1: GET is a must, POST a may."""
    client_id = await house.client()
    form = {
        "response_type": "code",
        "client_id": client_id,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    answer = await house.visitor().post("/authorize", form)
    assert (field_of(answer, "location") or "").startswith(f"{ISSUER}/login?req=")
    mixed = await house.visitor().post(f"/authorize?{urlencode({'client_id': client_id})}", form)
    assert on_our_page(mixed)
    mixed = await house.visitor().post("/authorize?state=a", {**form, "state": "b"})
    assert query_of(field_of(mixed, "location") or "")["error"] == "invalid_request"


@case("A19", "another method is 405, and says which there are")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_told_which_there_are(house: House, method: str) -> None:
    """OAuth 2.1 §3.1; RFC 9110 §15.5.6."""
    answer = await house.ask(request_of(method, "/authorize"))
    assert answer.status == 405
    assert {"GET", "POST"} <= set((field_of(answer, "allow") or "").split(", "))


async def test_scripts_of_other_origins_cannot_read_the_endpoint(house: House) -> None:
    """RFC 9700 §2.6."""
    answer = await house.get("/authorize", origin="https://web.example")
    assert answer.status == 403


@case("A21", "a user may grant less, and the token response says what")
async def test_a_user_may_grant_less_than_was_asked(house: House) -> None:
    """OAuth 2.1 §3.2.3."""
    await house.user()
    client_id = await house.client()
    visitor = house.visitor()
    page = await visitor.follow(await visitor.authorize(client_id))
    page = await visitor.follow(await visitor.sign_in(page))
    answer = await visitor.decide(page, scope=["read"])
    code = query_of(field_of(answer, "location") or "")["code"]
    granted = json_of(await house.redeem(client_id, code))
    assert granted["scope"] == "read"
    assert (await house.call(granted["access_token"])).scopes == scopes.reach({"read"})


@pytest.mark.parametrize(
    ("registered", "asked", "granted"),
    [
        pytest.param(None, None, "read", id="least-privilege"),
        pytest.param(None, "read write openid", "read write", id="openid-dropped"),
        pytest.param("read", "read write", "read", id="not-registered-dropped"),
        pytest.param(None, "openid", "read", id="habits-alone"),
    ],
)
async def test_what_is_granted_is_said(
    house: House, registered: str | None, asked: str | None, granted: str
) -> None:
    """OAuth 2.1 §1.4.1, §3.2.3: symptom 14."""
    await house.user()
    client_id = await house.client(scope=registered)
    code = await house.code(client_id, scope=asked)  # type: ignore[arg-type] - None leaves it out
    assert json_of(await house.redeem(client_id, code))["scope"] == granted


async def test_a_client_gets_no_scope_that_it_did_not_register(house: House) -> None:
    """RFC 7591 §2."""
    client_id = await house.client(scope="read")
    answer = await house.visitor().authorize(client_id, scope="write")
    assert query_of(field_of(answer, "location") or "")["error"] == "invalid_scope"


async def test_a_request_waits_ten_minutes(house: House, clock: Clock) -> None:
    """A000-13."""
    client_id = await house.client()
    visitor = house.visitor()
    answer = await visitor.authorize(client_id)
    clock.forward(599)
    assert (await visitor.follow(answer)).status == 200
    clock.forward(1)
    page = await visitor.follow(answer)
    assert on_our_page(page)
    assert b"Go back to your application" in page.body


@case("A22", "consent of whoever was signed in before is refused, and nobody gets a code")
async def test_another_user_in_another_tab_ends_the_first_ones_consent(house: House) -> None:
    """OAuth 2.1 §7.9."""
    await house.user("alice")
    await house.user("bobby")
    client_id = await house.client()
    visitor = house.visitor()
    page = await visitor.follow(await visitor.authorize(client_id))
    consent = await visitor.follow(await visitor.sign_in(page, "alice"))
    waiting = await visitor.follow(await visitor.authorize(client_id))
    another = await visitor.get(f"/login?req={visitor.hidden(waiting)['req']}&prompt=login")
    theirs = await visitor.follow(await visitor.sign_in(another, "bobby"))
    assert b"bobby" in theirs.body
    assert (await visitor.decide(consent)).status == 403
    assert await house.count("oauth_codes") == 0
    assert (await visitor.decide(theirs)).status == 303


@pytest.mark.parametrize("length", [2048, 2049])
async def test_a_state_too_long_to_keep_is_refused_at_the_client(house: House, length: int) -> None:
    """OAuth 2.1 §4.1.1, §4.1.2.1: it is not given back either."""
    visitor, client_id = house.visitor(), await house.client()
    answer = await visitor.authorize(client_id, state="s" * length)
    location = field_of(answer, "location") or ""
    if length <= 2048:
        assert location.startswith(f"{ISSUER}/login")
        return
    told = query_of(location)
    assert told["error"] == "invalid_request"
    assert "E-AUTHZ-12" in told["error_description"]
    assert "state" not in told
    assert await house.count("oauth_requests") == 0


class TestParking:
    """With three requests an address."""

    @pytest.fixture
    def limits(self) -> OAuthLimits:
        return OAuthLimits(requests_per_address=3)

    async def test_one_address_leaves_only_so_many_requests(
        self, house: House, clock: Clock
    ) -> None:
        """RFC 6585 §4: whoever is elsewhere is not kept out."""
        client_id = await house.client()
        for _ in range(3):
            assert (await house.visitor().authorize(client_id)).status == 303
        refused = await house.visitor().authorize(client_id)
        assert refused.status == 429
        assert field_of(refused, "retry-after") == "600"
        assert (field_of(refused, "content-type") or "").startswith("text/html")
        assert await house.count("oauth_requests") == 3
        elsewhere = house.visitor()
        elsewhere.address = "192.0.2.77"
        assert (await elsewhere.authorize(client_id)).status == 303
        for host in range(4):
            elsewhere.address = f"2001:db8::{host}"
            answer = await elsewhere.authorize(client_id)
        assert answer.status == 429, "a /64 is one address"
        clock.forward(600)
        assert (await house.visitor().authorize(client_id)).status == 303

"""Sign-in, sign-up and consent, as a browser sees them."""

from __future__ import annotations

import re
import statistics
import time
from dataclasses import replace

import anyio
import pytest

from catshop.kernel import Secret, Unavailable
from catshop.limits import OAuthLimits
from catshop.oauth.passwords import Passwords
from catshop.oauth.settings import OAuthSettings, SignUp
from catshop.protocol.http1.messages import Answer
from tests.oauth.cases import case
from tests.oauth.house import (
    CALLBACK,
    PASSWORD,
    Clock,
    House,
    Visitor,
    field_of,
    json_of,
    query_of,
    request_of,
)


async def login_page(house: House, **metadata: object) -> tuple[Visitor, Answer]:
    """A browser that shows the login page of a new client's request."""
    client_id = await house.client(**metadata)
    visitor = house.visitor()
    return visitor, await visitor.follow(await visitor.authorize(client_id))


async def consent_page(house: House, **metadata: object) -> tuple[Visitor, Answer]:
    """A browser in which alice is signed in and is asked."""
    await house.user()
    visitor, page = await login_page(house, **metadata)
    return visitor, await visitor.follow(await visitor.sign_in(page))


@case("L13", "every page, a refusal too, stays out of frames and loads nothing but our stylesheet")
async def test_every_page_is_of_our_own_making_and_stays_out_of_frames(house: House) -> None:
    """RFC 9700 §4.16."""
    visitor, consent = await consent_page(house)
    login = (await login_page(house))[1]
    wrong = await visitor.get("/login?req=nope")
    for page in (login, consent, wrong):
        fields = dict(page.fields)
        policy = fields["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert "form-action" not in policy
        assert fields["x-frame-options"] == "DENY"
        assert fields["cache-control"] == "no-store"
        assert fields["referrer-policy"] == "same-origin"
        text = page.body.decode()
        assert "<script" not in text
        assert " style=" not in text
        assert '<html lang="en">' in text


async def test_every_field_has_a_label(house: House) -> None:
    """WCAG 2.2 success criterion 3.3.2."""
    _, consent = await consent_page(house)
    _, login = await login_page(house)
    for page in (login, consent):
        text = page.body.decode()
        inputs = re.findall(r'<input type="(?:text|password|checkbox)" id="([\w-]+)"', text)
        assert inputs
        for name in inputs:
            assert f'<label for="{name}">' in text
        for described in re.findall(r'aria-describedby="([\w -]+)"', text):
            assert all(f'id="{part}"' in text for part in described.split())


async def test_the_stylesheet_is_there(house: House) -> None:
    """One stylesheet, and nothing else to load."""
    _, page = await login_page(house)
    [address] = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.body.decode())
    answer = await house.get(address)
    assert answer.status == 200
    assert (field_of(answer, "content-type") or "").startswith("text/css")


@case("L10", "the cookie is for this host and for no script")
async def test_the_cookie_is_for_this_host_and_no_script(house: House) -> None:
    """RFC 6265 §5, on loopback without TLS."""
    client_id = await house.client()
    answer = await house.visitor().authorize(client_id)
    cookie = field_of(answer, "set-cookie") or ""
    assert cookie.startswith("catshop=")
    assert cookie.endswith("Path=/; HttpOnly; SameSite=Lax")


class TestHttps:
    """Behind TLS."""

    @pytest.fixture
    def settings(self) -> OAuthSettings:
        return OAuthSettings("https://shop.example", "https://shop.example/mcp", Secret("k" * 43))

    @case("L10", "over TLS the cookie has the prefix __Host- and is Secure")
    async def test_the_cookie_is_secure(self, house: House) -> None:
        """RFC 6265 §5."""
        client_id = await house.client()
        cookie = field_of(await house.visitor().authorize(client_id), "set-cookie") or ""
        assert cookie.startswith("__Host-catshop=")
        assert cookie.endswith("Path=/; HttpOnly; SameSite=Lax; Secure")


@pytest.mark.parametrize(
    "csrf",
    [
        pytest.param("", id="L1-none"),
        pytest.param("x", id="L1-invented"),
        pytest.param("é", id="L1-non-ascii"),
    ],
)
@case("L1", "a form without its token signs nobody in, and counts as no attempt")
async def test_a_form_that_is_not_ours_is_refused(house: House, csrf: str) -> None:
    """OAuth 2.1 §7.9."""
    await house.user()
    visitor, page = await login_page(house)
    form = {**visitor.hidden(page), "csrf": csrf, "username": "alice", "password": PASSWORD}
    assert (await visitor.post("/login", form)).status == 403
    assert await house.count("oauth_sessions") == 0
    told = "the registration, the request, and no attempt to sign in"
    assert await house.count("oauth_attempts") == 2, told


@case("L1", "the form of another browser signs nobody in")
async def test_a_form_of_another_session_is_refused(house: House) -> None:
    """OAuth 2.1 §7.9."""
    await house.user()
    _, theirs = await login_page(house)
    visitor, _ = await login_page(house)
    assert (await visitor.sign_in(theirs)).status == 403
    assert await house.count("oauth_sessions") == 0


@case("L1", "a page of another origin cannot post")
async def test_a_page_of_another_origin_cannot_post(house: House) -> None:
    """OAuth 2.1 §7.9."""
    visitor, _ = await login_page(house)
    fields = {
        "origin": "https://evil.example",
        "content-type": "application/x-www-form-urlencoded",
        "cookie": visitor.cookie or "",
    }
    assert (await house.ask(request_of("POST", "/login", b"", fields))).status == 403
    assert await house.count("oauth_sessions") == 0


async def test_a_link_to_a_request_is_worth_nothing_in_another_browser(house: House) -> None:
    """OAuth 2.1 §7.9."""
    client_id = await house.client()
    answer = await house.visitor().authorize(client_id)
    assert (await house.visitor().follow(answer)).status == 403


@case("L2", "an unknown name and a wrong password are answered with the same octets")
async def test_an_unknown_user_and_a_wrong_password_look_the_same(house: House) -> None:
    """OAuth 2.1 §7.7."""
    await house.user()
    visitor, page = await login_page(house)
    unknown = await visitor.sign_in(page, "nobody")
    wrong = await visitor.sign_in(page, "alice", "wrong password")
    odd = await visitor.sign_in(page, "<script>")
    assert unknown.status == wrong.status == odd.status == 401
    assert unknown.body == wrong.body == odd.body
    assert unknown.fields == wrong.fields
    assert b"Error: Wrong username or password" in wrong.body
    assert b'role="alert"' in wrong.body


@case("L2", "a name that nobody has costs the same computation")
async def test_an_unknown_user_costs_as_much_as_a_known_one() -> None:
    """OAuth 2.1 §7.7, RFC 9106 §4. The same computation, so times are of one size."""
    passwords = Passwords(OAuthLimits())
    kept = await passwords.hash(Secret(PASSWORD))
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(20):
        known = number % 2 == 0
        begun = time.perf_counter()
        assert not await passwords.matches(Secret("wrong"), kept if known else None)
        times[known].append(time.perf_counter() - begun)
    ratio = statistics.median(times[True]) / statistics.median(times[False])
    assert 0.4 < ratio < 2.5


class TestThrottle:
    """With three failures an account and address, six an address, and seven an account."""

    @pytest.fixture
    def limits(self) -> OAuthLimits:
        return OAuthLimits(
            login_failures=3, login_failures_per_address=6, login_failures_per_account=7
        )

    @case("L3", "after too many failures the right password waits, too, also after a restart")
    async def test_an_account_waits_after_too_many_failures_even_with_the_right_password(
        self, house: House, clock: Clock
    ) -> None:
        """NIST SP 800-63B, OAuth 2.1 §7.7."""
        await house.user()
        visitor, page = await login_page(house)
        for _ in range(3):
            assert (await visitor.sign_in(page, "alice", "wrong password")).status == 401
        refused = await visitor.sign_in(page)
        assert refused.status == 429
        assert field_of(refused, "retry-after") == "900"
        assert b"Too many attempts" in refused.body
        restarted = House(house.settings, house.stores, house.database, clock)
        again = Visitor(restarted, visitor.cookie)
        assert (await again.sign_in(page)).status == 429, "the count survives a restart"
        clock.forward(600)
        assert (await login_page(house))[1].status == 200

    @case("L4", "whoever is guessed at from one address gets in from another")
    async def test_the_victim_gets_in_from_elsewhere(self, house: House) -> None:
        """OAuth 2.1 §7.7."""
        await house.user()
        attacker, page = await login_page(house)
        for _ in range(4):
            await attacker.sign_in(page, "alice", "wrong password")
        visitor, page = await login_page(house)
        visitor.address = "192.0.2.77"
        assert (await visitor.sign_in(page)).status == 303

    @case("L3", "the failures of all addresses together have a bound")
    async def test_an_account_is_guessed_at_so_often_from_wherever(
        self, house: House, clock: Clock
    ) -> None:
        """NIST SP 800-63B §5.2.2: L3, the failures of all addresses together."""
        await house.user()
        for number in range(7):
            visitor, page = await login_page(house)
            visitor.address = f"198.51.100.{number}"
            answer = await visitor.sign_in(page, "ALICE", "wrong password")
            assert answer.status == 401
        visitor.address = "198.51.100.77"
        assert (await visitor.sign_in(page)).status == 429
        clock.forward(900)
        visitor, page = await login_page(house)
        visitor.address = "198.51.100.77"
        assert (await visitor.sign_in(page)).status == 303

    @case("L4", "guesses from everywhere lock nobody out at home")
    async def test_guesses_from_everywhere_do_not_lock_a_user_out_at_home(
        self, house: House, clock: Clock
    ) -> None:
        """OAuth 2.1 §7.7, the address from which the account signed in before."""
        await house.user()
        home, page = await login_page(house)
        assert (await home.sign_in(page)).status == 303
        clock.forward(29 * 86_400)
        for number in range(8):
            attacker, page = await login_page(house)
            attacker.address = f"198.51.100.{number}"
            await attacker.sign_in(page, "alice", "wrong password")
        assert (await attacker.sign_in(page)).status == 429
        await house.stores.upkeep.sweep(clock())
        for _ in range(2):
            home, page = await login_page(house)
            assert (await home.sign_in(page)).status == 303
        for _ in range(3):
            home, page = await login_page(house)
            assert (await home.sign_in(page, "alice", "wrong password")).status == 401
        assert (await home.sign_in(page)).status == 429, "what holds for one address still does"

    async def test_a_network_of_version_6_is_one_address(self, house: House) -> None:
        """NIST SP 800-63B §5.2.2: L3; RFC 4291 §2.5.4: whoever has one address has 2^64."""
        await house.user()
        visitor, page = await login_page(house)
        for number in range(3):
            visitor.address = f"2001:db8::{number:x}:1"
            assert (await visitor.sign_in(page, "alice", "wrong password")).status == 401
        visitor.address = "2001:db8::ffff"
        assert (await visitor.sign_in(page)).status == 429
        visitor.address = "2001:db8:0:1::ffff"
        assert (await visitor.sign_in(page)).status == 303

    @case("L5", "one password against many users is stopped by its address")
    async def test_one_password_against_many_users_is_stopped(self, house: House) -> None:
        """OAuth 2.1 §7.7."""
        visitor, page = await login_page(house)
        found = [(await visitor.sign_in(page, f"user{n}", "password1")).status for n in range(8)]
        assert found == [401] * 6 + [429] * 2

    @case("L3", "a burst gets no more guesses than a trickle")
    async def test_a_burst_gets_no_more_guesses_than_a_trickle(self, house: House) -> None:
        """OAuth 2.1 §7.7."""
        await house.user()
        visitor, page = await login_page(house)
        found: list[int] = []

        async def guess() -> None:
            found.append((await visitor.sign_in(page, "alice", "wrong password")).status)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(guess)
        assert sorted(found) == [401] * 3 + [429] * 7

    async def test_success_forgets_the_failures(self, house: House) -> None:
        """L3: ten failures in a row, not in a life."""
        await house.user()
        for _ in range(3):
            visitor, page = await login_page(house)
            assert (await visitor.sign_in(page, "alice", "wrong password")).status == 401
            assert (await visitor.sign_in(page)).status == 303


@case("L6", "so many sign-ins are computed at once, so many wait, and the rest are told 503")
async def test_more_sign_ins_than_the_queue_takes_are_told_to_wait() -> None:
    """RFC 9110 §15.6.4, RFC 9106 §4: L6."""
    passwords = Passwords(OAuthLimits(hashing_threads=1, hashing_queue=2))
    told: list[int] = []

    async def compare() -> None:
        try:
            await passwords.matches(Secret("x"), None)
        except Unavailable as error:
            told.append(error.retry_after)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(compare)
    assert told == [5] * 5


@case("L7", "a password is compared whole, its NUL included, and however its letters are composed")
async def test_passwords_are_compared_whole_and_as_people_type_them() -> None:
    """NIST SP 800-63B, RFC 9106 §4."""
    passwords = Passwords(OAuthLimits())
    kept = await passwords.hash(Secret("a" * 100))
    assert not await passwords.matches(Secret("a" * 101), kept)
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    assert await passwords.matches(Secret(decomposed), await passwords.hash(Secret(composed)))
    nul = await passwords.hash(Secret("nul\0tail"))
    assert not await passwords.matches(Secret("nul"), nul)
    assert not await passwords.matches(Secret("x"), "not a hash")


@case("L7", "1,025 characters are refused, a megabyte is not read")
async def test_an_overlong_password_is_refused_and_a_huge_form_not_read(house: House) -> None:
    """NIST SP 800-63B §5.1.1.2; RFC 9110 §15.5.14."""
    await house.user()
    visitor, page = await login_page(house)
    assert (await visitor.sign_in(page, "alice", "x" * 1025)).status == 400
    assert (await visitor.sign_in(page, "alice", "x" * 1_000_000)).status == 413


@case("L8", "sign-in changes the cookie, and the old one is worth nothing")
async def test_the_cookie_changes_at_sign_in_and_the_old_one_is_dead(house: House) -> None:
    """OAuth 2.1 §7.9."""
    await house.user()
    visitor, page = await login_page(house)
    planted = visitor.cookie
    consent = await visitor.follow(await visitor.sign_in(page))
    assert visitor.cookie != planted
    attacker = Visitor(house, planted)
    req = visitor.hidden(consent)["req"]
    assert (await attacker.get(f"/consent?req={req}")).status == 403
    assert (await attacker.decide(consent)).status == 403


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda c: c[:-9] + ("A" if c[-9] != "A" else "B") + c[-8:], id="L11-flipped"),
        pytest.param(lambda _: "catshop=x", id="L11-invented"),
        pytest.param(lambda _: "catshop=", id="L11-empty"),
        pytest.param(lambda c: c + "\xff", id="L11-non-ascii"),
    ],
)
@case("L11", "a forged cookie counts as none, and one line warns of it without showing it")
async def test_a_forged_cookie_counts_as_none(
    house: House, spoil: object, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 6265 §8.6; what was forged is written nowhere."""
    assert callable(spoil)
    visitor, page = await login_page(house)
    good = visitor.cookie or ""
    visitor.cookie = spoil(good)
    req = re.findall(r'name="req" value="([^"]+)"', page.body.decode())[0]
    assert (await visitor.get(f"/login?req={req}")).status == 403
    assert warned(caplog) == 1
    assert good.partition("=")[2][:20] not in caplog.text


def warned(caplog: pytest.LogCaptureFixture) -> int:
    """How many lines warn of a cookie."""
    lines = [line for line in caplog.records if line.levelname == "WARNING"]
    return sum("a cookie that is not ours" in line.getMessage() for line in lines)


@case("L11", "what was signed for another purpose is no cookie")
async def test_a_value_signed_for_another_purpose_is_no_cookie(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 6265 §8.6: each purpose has its own salt."""
    visitor, page = await login_page(house)
    hidden = visitor.hidden(page)
    visitor.cookie = f"catshop={hidden['req']}.{hidden['csrf']}"
    assert (await visitor.get(f"/login?req={hidden['req']}")).status == 403
    assert warned(caplog) == 1


@pytest.mark.parametrize(
    "seconds", [pytest.param(8 * 3600 + 1, id="old"), pytest.param(-60, id="of-the-future")]
)
@case("L11", "a cookie that is over, or not yet made, counts as none")
async def test_a_cookie_of_another_time_counts_as_none(
    house: House, clock: Clock, seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 6265 §8.6."""
    visitor, consent = await consent_page(house)
    clock.forward(seconds)
    answer = await visitor.get(f"/consent?req={visitor.hidden(consent)['req']}")
    assert answer.status in {400, 403}
    assert warned(caplog) == 1


@case("L24", "what stands in the address signs nobody in, approves nothing, and is not logged")
async def test_credentials_in_the_address_are_not_looked_at(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9700 §4.3.2."""
    await house.user()
    visitor, page = await login_page(house)
    req = visitor.hidden(page)["req"]
    answer = await visitor.get(f"/login?req={req}&username=alice&password=whiskers+and+paws")
    assert answer.status == 200
    assert PASSWORD.encode() not in answer.body
    answer = await visitor.get(f"/consent?req={req}&decision=approve&approve=1")
    assert await house.count("oauth_codes") == await house.count("oauth_sessions") == 0
    assert "whiskers" not in caplog.text


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example", "https://evil.example", "/\\evil.example", "%2f%2fevil", "javascript:x"],
)
@case("L12", "nobody but us says where sign-in leads")
async def test_next_is_not_a_parameter(house: House, elsewhere: str) -> None:
    """OAuth 2.1 §7.12.2. Where to go next is ours to say."""
    await house.user()
    visitor, page = await login_page(house)
    form = {
        **visitor.hidden(page),
        "username": "alice",
        "password": PASSWORD,
        "next": elsewhere,
    }
    shown = await visitor.get(f"/login?req={form['req']}&next={elsewhere}")
    assert (shown.status, b"evil" in shown.body) == (200, False)
    answer = await visitor.post("/login", form)
    assert (field_of(answer, "location") or "").startswith("http://127.0.0.1:8000/consent?req=")


async def test_what_strangers_wrote_is_escaped(house: House) -> None:
    """OAuth 2.1 §7.11: L14, R15."""
    name = '"><script>alert(1)</script>'
    _, page = await login_page(house, client_name=name)
    assert b"<script" not in page.body
    assert b"&lt;script&gt;" in page.body
    wrong = await house.visitor().authorize(name, redirect_uri=name)
    assert b"<script" not in wrong.body


async def test_consent_names_the_client_the_address_and_the_scopes(house: House) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations §localhost-redirect-uri-risks."""
    _, page = await consent_page(house)
    text = page.body.decode()
    assert "Paws" in text
    assert "alice" in text
    assert "<code>127.0.0.1:9999</code>" in text
    assert "Any program here can claim this name" in text
    assert re.findall(r'name="scope" value="(\w+)"', text) == ["read", "write"]


async def test_a_stranger_on_the_web_is_called_unverified(house: House) -> None:
    """OAuth 2.1 §7.3: X13."""
    await house.user()
    client_id = await house.client(redirect_uris=["https://app.example/cb"])
    visitor = house.visitor()
    answer = await visitor.authorize(client_id, redirect_uri="https://app.example/cb")
    page = await visitor.follow(await visitor.sign_in(await visitor.follow(answer)))
    assert b"Nobody has verified this application" in page.body
    assert b"<code>app.example</code>" in page.body


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        pytest.param({"csrf": "x"}, 403, id="L15-no-token"),
        pytest.param({"req": "foreign"}, 403, id="L15-foreign-request"),
        pytest.param({"scope": ["read", "write", "admin"]}, 403, id="L15-added-scope"),
        pytest.param({"scope": []}, 400, id="nothing-chosen"),
    ],
)
@case("L15", "a consent form that was changed gives nothing, and the request waits on")
async def test_a_changed_consent_form_gives_nothing(
    house: House, changed: dict[str, object], status: int
) -> None:
    """OAuth 2.1 §7.9."""
    visitor, page = await consent_page(house)
    assert (await visitor.decide(page, **changed)).status == status
    assert await house.count("oauth_codes") == 0
    assert await house.count("oauth_requests") == 1


@case("L15", "what the form says of the request is ignored: storage has it")
async def test_what_the_form_says_of_the_request_is_ignored(house: House) -> None:
    """OAuth 2.1 §7.9: the copy in storage wins."""
    visitor, page = await consent_page(house)
    answer = await visitor.decide(page, redirect_uri="https://evil.example/", client_id="x")
    assert (field_of(answer, "location") or "").startswith(f"{CALLBACK}?code=")


async def test_an_approval_posted_fifty_times_gives_one_code(house: House) -> None:
    """OAuth 2.1 §4.1.2: L16."""
    visitor, page = await consent_page(house)
    found: list[int] = []

    async def approve() -> None:
        found.append((await visitor.decide(page)).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(approve)
    assert sorted(found) == [303] + [400] * 49
    assert await house.count("oauth_codes") == 1


@case("L17", "a no goes to the client, with the issuer, and nothing is left")
async def test_no_means_no(house: House) -> None:
    """OAuth 2.1 §4.1.2.1; RFC 9207 §2."""
    visitor, page = await consent_page(house)
    answer = await visitor.decide(page, "deny")
    assert answer.status == 303
    told = query_of(field_of(answer, "location") or "")
    assert told["error"] == "access_denied"
    assert told["iss"] == "http://127.0.0.1:8000"
    assert told["state"] == "xyz"
    assert await house.count("oauth_codes") == await house.count("oauth_requests") == 0
    assert (await visitor.decide(page)).status == 400, "it is decided"


@case("L20", "after the password comes a GET: 303")
async def test_after_the_password_comes_a_get(house: House) -> None:
    """OAuth 2.1 §7.5.4."""
    await house.user()
    visitor, page = await login_page(house)
    answer = await visitor.sign_in(page)
    assert answer.status == 303
    assert field_of(answer, "referrer-policy") == "no-referrer"


async def test_two_tabs_do_not_disturb_each_other(house: House) -> None:
    """L21."""
    visitor, first = await consent_page(house)
    client_id = await house.client()
    second = await visitor.follow(await visitor.authorize(client_id))
    assert (await visitor.decide(first)).status == 303
    assert (await visitor.decide(second)).status == 303
    assert len(visitor.cookie or "") < 400


async def test_a_request_waiting_in_another_tab_comes_along_at_sign_in(house: House) -> None:
    """L8, L21."""
    await house.user()
    visitor, first = await login_page(house)
    waiting = await visitor.authorize(await house.client())
    await visitor.sign_in(first)
    page = await visitor.follow(waiting)
    assert b"It may" in page.body


@case("L23", "an account that is closed gets no code, and its refresh tokens end")
async def test_an_account_that_is_closed_meanwhile_gets_no_code(house: House) -> None:
    """OAuth 2.1 §4.1.2.1."""
    visitor, page = await consent_page(house)
    client_id = await house.client()
    granted = await house.tokens(client_id)
    await house.administration.disable_user("alice")
    refused = await visitor.decide(page)
    assert (refused.status, field_of(refused, "location")) == (403, None)
    refreshed = await house.refresh(client_id, granted["refresh_token"])
    assert json_of(refreshed)["error"] == "invalid_grant"
    assert await house.count("oauth_codes") == 1, "that of the tokens"
    again, login = await login_page(house)
    assert (await again.sign_in(login)).status == 401


async def test_consent_without_a_session_leads_to_the_login_page(house: House) -> None:
    """OAuth 2.1 §7.9."""
    visitor, page = await login_page(house)
    req = visitor.hidden(page)["req"]
    answer = await visitor.get(f"/consent?req={req}")
    assert (field_of(answer, "location") or "").endswith(f"/login?req={req}")


class TestSignUp:
    """On the login page itself."""

    async def test_a_stranger_becomes_a_user_and_goes_on(self, house: House) -> None:
        """OAuth 2.1 §4.1."""
        visitor, page = await login_page(house)
        answer = await visitor.sign_in(page, "New_cat-1", PASSWORD, "sign-up")
        consent = await visitor.follow(answer)
        assert b"New_cat-1" in consent.body

    @pytest.mark.parametrize(
        ("name", "password", "status"),
        [
            pytest.param("a", PASSWORD, 400, id="A000-14-one-character"),
            pytest.param("a" * 31, PASSWORD, 400, id="A000-14-31-characters"),
            pytest.param("a<b", PASSWORD, 400, id="A000-14-angle"),
            pytest.param("caf\u00e9", PASSWORD, 400, id="non-ascii"),
            pytest.param("alice\n", PASSWORD, 400, id="newline"),
            pytest.param("newcat", "short", 400, id="short-password"),
            pytest.param("ALICE", PASSWORD, 409, id="taken-in-another-case"),
        ],
    )
    async def test_a_name_or_password_that_will_not_do_is_told(
        self, house: House, name: str, password: str, status: int
    ) -> None:
        """A000-14; NIST SP 800-63B."""
        await house.user()
        visitor, page = await login_page(house)
        answer = await visitor.sign_in(page, name, password, "sign-up")
        assert answer.status == status
        assert b"<details open>" in answer.body
        assert b'aria-invalid="true"' in answer.body
        assert await house.count("oauth_users") == 1

    async def test_a_name_wanted_twice_at_once_is_given_once(self, house: House) -> None:
        """The unique name decides, not a look before the insert."""
        first, page = await login_page(house)
        second, other = await login_page(house)
        found: list[int] = []

        async def sign_up(visitor: Visitor, form: Answer) -> None:
            found.append((await visitor.sign_in(form, "newcat", PASSWORD, "sign-up")).status)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sign_up, first, page)
            tasks.start_soon(sign_up, second, other)
        assert sorted(found) == [303, 409]

    async def test_switched_off_there_is_no_form_and_no_way(self, house: House) -> None:
        """A setting, not a hidden button."""
        closed = House(
            replace(house.settings, signup=SignUp.CLOSED), house.stores, house.database, house.clock
        )
        visitor, page = await login_page(closed)
        assert b"sign-up" not in page.body
        answer = await visitor.sign_in(page, "newcat", PASSWORD, "sign-up")
        assert answer.status == 403
        assert await house.count("oauth_users") == 0


async def test_a_repeated_field_is_named(house: House) -> None:
    """OAuth 2.1 §3.1."""
    visitor, page = await login_page(house)
    form = {**visitor.hidden(page), "username": ["a", "b"], "password": "x"}
    answer = await visitor.post("/login", form)
    assert answer.status == 400
    assert b"username" in answer.body


async def test_storage_that_is_away_is_a_page_too(house: House) -> None:
    """RFC 9110 §15.6.4."""
    client_id = await house.client()
    await house.database.close()
    answer = await house.visitor().authorize(client_id)
    assert answer.status == 503
    assert field_of(answer, "retry-after")
    assert (field_of(answer, "content-type") or "").startswith("text/html")
    tried = await house.redeem(client_id, "x")
    assert (tried.status, json_of(tried)["error"]) == (503, "temporarily_unavailable")


class TestFullQueue:
    """With two failures an account, and room for one computation."""

    @pytest.fixture
    def limits(self) -> OAuthLimits:
        return OAuthLimits(login_failures=2, hashing_threads=1, hashing_queue=0)

    async def test_an_attempt_that_nobody_had_time_for_does_not_count(self, house: House) -> None:
        """RFC 9110 §15.6.4: L6. It does not clear the failures before it either."""
        await house.user()
        visitor, page = await login_page(house)
        assert (await visitor.sign_in(page, "alice", "wrong password")).status == 401
        before = await house.count("oauth_attempts")
        house.server._browser._accounts._passwords._room = 0
        for _ in range(3):
            assert (await visitor.sign_in(page)).status == 503
        assert await house.count("oauth_attempts") == before
        house.server._browser._accounts._passwords._room = 1
        assert (await visitor.sign_in(page, "alice", "wrong password")).status == 401
        assert (await visitor.sign_in(page)).status == 429, "the first failure still counts"


async def test_the_second_of_two_tabs_goes_on_to_consent(house: House) -> None:
    """OAuth 2.1 §7.9: the form is of the browser before it signed in, the request came along."""
    await house.user()
    visitor, client_id = house.visitor(), await house.client()
    pages = [await visitor.follow(await visitor.authorize(client_id)) for _ in range(2)]
    assert (await visitor.sign_in(pages[0])).status == 303
    answer = await visitor.sign_in(pages[1], "alice", "whatever is typed")
    assert (field_of(answer, "location") or "").startswith(f"{house.settings.issuer}/consent?req=")
    assert field_of(answer, "set-cookie") is None
    assert await house.count("oauth_sessions") == 1
    assert (await visitor.decide(await visitor.follow(answer))).status == 303

"""The device grant: a program without a browser, and its user with one."""

from __future__ import annotations

import re
from typing import Any

import anyio
import pytest

from catshop.limits import OAuthLimits
from catshop.oauth import devices
from catshop.oauth.model import DEVICE, DeviceState
from catshop.protocol.http1.messages import Answer
from tests.oauth.house import ISSUER, Clock, House, Visitor, field_of, json_of

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
Told = dict[str, Any]


@pytest.fixture
async def client_id(house: House) -> str:
    """A client for terminals; alice has an account."""
    await house.user()
    return await house.client(redirect_uris=None, grant_types=[GRANT, "refresh_token"])


async def begun(house: House, client_id: str, **more: Any) -> Told:
    """What a device is told when it begins."""
    sent = {"client_id": client_id, "scope": "read write", **more}
    answer = await house.post("/device_authorization", sent)
    assert answer.status == 200, answer.body
    return json_of(answer)


async def polled(house: House, client_id: str, told: Told, **more: Any) -> Answer:
    """The answer to a question of the device."""
    form = {"grant_type": GRANT, "client_id": client_id, "device_code": told["device_code"]}
    return await house.post("/token", {**form, **more})


async def decided(house: House, told: Told, decision: str = "approve", **more: Any) -> Answer:
    """Type the code in a browser, sign in, decide, and see the last page."""
    visitor = house.visitor()
    page = await visitor.follow(await typed(visitor, told["user_code"]))
    if b'name="password"' in page.body:
        page = await visitor.follow(await visitor.sign_in(page))
    return await visitor.follow(await visitor.decide(page, decision, **more))


async def typed(visitor: Visitor, code: str) -> Answer:
    return await visitor.post("/device", {"user_code": code})


def refused(answer: Answer, error: str) -> bool:
    return (answer.status, json_of(answer)["error"]) == (400, error)


async def test_a_device_is_told_two_codes_and_where_to_type_one(
    house: House, client_id: str
) -> None:
    """RFC 8628 §3.1, §3.2, §6.1. Both are kept as hashes."""
    told = await begun(house, client_id)
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", told["user_code"])
    assert told["verification_uri"] == f"{ISSUER}/device"
    complete = f"{ISSUER}/device?user_code={told['user_code']}"
    assert told["verification_uri_complete"] == complete
    assert (told["expires_in"], told["interval"]) == (600, 5)
    row = str(dict(await house.database.one("SELECT * FROM oauth_devices") or {}))
    assert told["device_code"] not in row
    assert told["user_code"].replace("-", "") not in row


async def test_a_device_gets_its_tokens_once_its_user_has_agreed(
    house: House, client_id: str, clock: Clock
) -> None:
    """RFC 8628 §3.3, §3.4, §3.5; RFC 7636 §4.2."""
    told = await begun(house, client_id)
    assert refused(await polled(house, client_id, told), "authorization_pending")
    clock.forward(5)
    last = await decided(house, told)
    assert (last.status, b"Connected" in last.body) == (200, True)
    answer = await polled(house, client_id, told)
    granted = json_of(answer)
    assert (answer.status, granted["scope"]) == (200, "read write")
    principal = await house.call(granted["access_token"])
    assert (principal.username, principal.client_id) == ("alice", client_id)
    refreshed = await house.refresh(client_id, granted["refresh_token"])
    assert refreshed.status == 200


async def test_the_user_may_grant_less(house: House, client_id: str) -> None:
    """RFC 8628 §3.3; OAuth 2.1 §3.2.3."""
    told = await begun(house, client_id)
    await decided(house, told, scope=["read"])
    assert json_of(await polled(house, client_id, told))["scope"] == "read"


async def test_a_user_who_says_no_is_heard(house: House, client_id: str, clock: Clock) -> None:
    """RFC 8628 §3.5."""
    told = await begun(house, client_id)
    last = await decided(house, told, "deny")
    assert b"Not connected" in last.body
    assert refused(await polled(house, client_id, told), "access_denied")


async def test_a_device_that_asks_too_often_waits_longer_each_time(
    house: House, client_id: str, clock: Clock
) -> None:
    """RFC 8628 §3.5."""
    told = await begun(house, client_id)
    assert refused(await polled(house, client_id, told), "authorization_pending")
    clock.forward(4)
    assert refused(await polled(house, client_id, told), "slow_down")
    clock.forward(9)
    assert refused(await polled(house, client_id, told), "slow_down")
    clock.forward(15)
    assert refused(await polled(house, client_id, told), "authorization_pending")


async def test_a_device_that_waited_too_long_is_told(
    house: House, client_id: str, clock: Clock
) -> None:
    """RFC 8628 §3.5."""
    told = await begun(house, client_id)
    clock.forward(600)
    page = await typed(house.visitor(), told["user_code"])
    assert (page.status, b"E-DEVICE-06" in page.body) == (400, False)
    await house.stores.upkeep.sweep(clock())
    assert refused(await polled(house, client_id, told), "expired_token")
    clock.forward(3600)
    await house.stores.upkeep.sweep(clock())
    assert refused(await polled(house, client_id, told), "invalid_grant")


async def test_a_device_code_is_good_for_its_own_client(house: House, client_id: str) -> None:
    """RFC 8628 §3.4."""
    told = await begun(house, client_id)
    other = await house.client(redirect_uris=None, grant_types=[GRANT])
    await decided(house, told)
    assert refused(await polled(house, other, told), "invalid_grant")
    assert refused(await polled(house, client_id, {"device_code": "x"}), "invalid_grant")


async def test_a_device_code_is_good_once(house: House, client_id: str, clock: Clock) -> None:
    """RFC 8628 §3.5; OAuth 2.1 §4.1.3: by the rules of the code grant."""
    told = await begun(house, client_id)
    await decided(house, told)
    granted = json_of(await polled(house, client_id, told))
    clock.forward(5)
    assert refused(await polled(house, client_id, told), "invalid_grant")
    assert not await house.is_good(granted["access_token"])


@pytest.mark.parametrize("spelling", ["{0}", "{0}".lower(), " {0} "])
async def test_a_code_is_typed_as_people_type(house: House, client_id: str, spelling: str) -> None:
    """RFC 8628 §6.1."""
    told = await begun(house, client_id)
    text = spelling.format(told["user_code"].lower().replace("-", " "))
    assert (await typed(house.visitor(), text)).status == 303


async def test_a_code_that_comes_along_is_shown_and_not_taken(house: House, client_id: str) -> None:
    """RFC 8628 §3.3.1, §5.4: somebody may have sent the address."""
    told = await begun(house, client_id)
    answer = await house.get(f"/device?user_code={told['user_code']}")
    assert answer.status == 200
    assert told["user_code"].encode() in answer.body
    assert b"Never type a code that somebody has sent to you" in answer.body
    assert await house.count("oauth_requests") == 0
    escaped = await house.get("/device?user_code=%22%3E%3Cscript%3E")
    assert b"<script" not in escaped.body


async def test_consent_says_that_the_answer_goes_to_the_device(
    house: House, client_id: str
) -> None:
    """RFC 8628 §5.4."""
    visitor = house.visitor()
    told = await begun(house, client_id)
    page = await visitor.follow(await typed(visitor, told["user_code"]))
    page = await visitor.follow(await visitor.sign_in(page))
    assert b"The answer goes to the device whose code you have typed" in page.body


async def test_a_decision_counts_once(house: House, client_id: str) -> None:
    """RFC 8628 §3.3."""
    told = await begun(house, client_id)
    await decided(house, told)
    row = await house.database.one("SELECT id FROM oauth_devices")
    again = await house.get(f"/device/done?state={(row or {})['id']}&error=access_denied")
    assert again.status == 400
    assert (await house.get("/device/done?state=made-up&code=x")).status == 400
    assert (await polled(house, client_id, told)).status == 200
    assert set(DEVICE) == {(DeviceState.PENDING, event) for _, event in DEVICE}


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        pytest.param({"scope": "admin"}, "invalid_scope", id="scope"),
        pytest.param({"resource": "https://other.example"}, "invalid_target", id="resource"),
        pytest.param({"scope": ["read", "write"]}, "invalid_request", id="T4"),
    ],
)
async def test_a_device_asks_for_what_there_is(
    house: House, client_id: str, sent: Told, error: str
) -> None:
    """RFC 8628 §3.1, §3.2; RFC 8707 §2."""
    answer = await house.post("/device_authorization", {"client_id": client_id, **sent})
    assert refused(answer, error)
    assert await house.count("oauth_devices") == 0


async def test_only_a_client_that_registered_for_it_begins(house: House) -> None:
    """RFC 8628 §3.1: T6."""
    other = await house.client()
    answer = await house.post("/device_authorization", {"client_id": other})
    assert refused(answer, "unauthorized_client")
    nobody = await house.post("/device_authorization", {"client_id": "cat_nobody"})
    assert (nobody.status, json_of(nobody)["error"]) == (401, "invalid_client")
    narrow = await house.client(redirect_uris=None, grant_types=[GRANT], scope="write")
    answer = await house.post("/device_authorization", {"client_id": narrow})
    assert refused(answer, "invalid_scope")


class TestFewTries:
    """With two devices an hour and two typed codes."""

    @pytest.fixture
    def limits(self) -> OAuthLimits:
        return OAuthLimits(devices_per_hour=2, user_code_failures=2)

    async def test_who_guesses_codes_waits(
        self, house: House, client_id: str, clock: Clock
    ) -> None:
        """RFC 8628 §5.1."""
        told = await begun(house, client_id)
        for _ in range(2):
            assert (await typed(house.visitor(), "BBBB-BBBB")).status == 400
        answer = await typed(house.visitor(), told["user_code"])
        assert (answer.status, field_of(answer, "retry-after")) == (429, "900")

    async def test_who_begins_too_often_waits(self, house: House, client_id: str) -> None:
        """RFC 8628 §5.1."""
        for _ in range(2):
            await begun(house, client_id)
        answer = await house.post("/device_authorization", {"client_id": client_id})
        assert (answer.status, field_of(answer, "retry-after")) == (429, "3600")


async def test_of_many_who_poll_together_one_is_answered(house: House, client_id: str) -> None:
    """RFC 8628 §3.5."""
    told = await begun(house, client_id)
    await decided(house, told)
    found: list[int] = []

    async def poll() -> None:
        found.append((await polled(house, client_id, told)).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(poll)
    assert sorted(found) == [200] + [400] * 9


def test_a_user_code_has_letters_alone_and_is_read_generously() -> None:
    """RFC 8628 §6.1."""
    code = devices.user_code(lambda: "x")
    assert len(code) == 8
    assert devices.typed(f" {devices.shown(code).lower()}.") == code

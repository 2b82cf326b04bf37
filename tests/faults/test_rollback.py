"""Storage fails once at every step of every flow: a clean answer, nothing changed, and it goes on.

The flows are those of an ordinary day. A line in `FLOWS` adds one; each request of it meets a fault
at each of its steps in turn, and the conversation has to end as if there had been none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from catshop.kernel import Secret, Trace
from catshop.limits import OAuthLimits, StorageLimits
from catshop.oauth import dpop
from catshop.oauth.settings import Logout, OAuthSettings, SignUp
from catshop.protocol.http1.guard import Cors, Guard
from catshop.protocol.http1.messages import Answer, Request, json_answer
from catshop.protocol.http1.routes import Route, Router
from catshop.storage.migrate import migrate
from catshop.storage.oauth import stores as stores_on
from catshop.storage.sqlite import SqliteDatabase
from tests.faults.faulty import Failing, Outage, Unlucky
from tests.oauth.cases import case
from tests.oauth.house import (
    ISSUER,
    VERIFIER,
    Clock,
    House,
    field_of,
    json_of,
    query_of,
    request_of,
)
from tests.oauth.idp import IDP, WHO, Idp, Traveller
from tests.oauth.keys import assertion, proof, public_set, shown
from tests.oauth.test_client_credentials import asked, machine
from tests.oauth.test_consent import WEB, agreed, apps, hidden
from tests.oauth.test_consent import again as asked_again
from tests.oauth.test_devices import GRANT, begun, decided, polled
from tests.oauth.test_documents import HOST, URL, document
from tests.oauth.test_jwt_bearer import IDP as VOUCHER
from tests.oauth.test_jwt_bearer import asked as vouched
from tests.oauth.test_jwt_bearer import jag, provider, vouchable
from tests.oauth.test_jwt_bearer import signed as word
from tests.oauth.test_management import back, manage, registered
from tests.oauth.test_token_exchange import exchanged, exchanger
from tests.oauth.world import answering, site

Flow = Callable[[Unlucky], Awaitable[None]]


async def registration(house: Unlucky) -> None:
    """A client registers."""
    await house.client()


async def code_grant(house: Unlucky) -> None:
    """From the authorization request to tokens: sign-in, consent, redemption."""
    await house.user()
    tokens = await house.tokens(await house.client())
    assert await used(house, tokens["access_token"])


async def sign_up(house: Unlucky) -> None:
    """Somebody new comes with a client."""
    visitor = house.visitor()
    page = await visitor.follow(await visitor.authorize(await house.client()))
    page = await visitor.follow(await visitor.sign_in(page, "bob", action="sign-up"))
    assert query_of(field_of(await visitor.decide(page), "location") or "")["code"]


async def denial(house: Unlucky) -> None:
    """The user says no."""
    await house.user()
    visitor = house.visitor()
    page = await visitor.follow(await visitor.authorize(await house.client()))
    page = await visitor.follow(await visitor.sign_in(page))
    answer = await visitor.decide(page, "deny")
    assert query_of(field_of(answer, "location") or "")["error"] == "access_denied"


async def rotation(house: Unlucky) -> None:
    """A refresh, one whose answer was lost, and a theft."""
    await house.user()
    client_id = await house.client()
    first = await house.tokens(client_id)
    assert (await house.refresh(client_id, first["refresh_token"])).status == 200
    house.clock.forward(5)
    again = await house.refresh(client_id, first["refresh_token"])
    assert again.status == 200
    house.clock.forward(60)
    theft = await house.refresh(client_id, first["refresh_token"])
    assert json_of(theft)["error"] == "invalid_grant"
    assert not await used(house, json_of(again)["access_token"])


async def replayed_code(house: Unlucky) -> None:
    """A wrong verifier is counted, a second redemption ends what the first one brought."""
    await house.user()
    client_id = await house.client()
    code = await house.code(client_id)
    assert (await house.redeem(client_id, code, code_verifier="a" * 43)).status == 400
    granted = json_of(await house.redeem(client_id, code))
    assert (await house.redeem(client_id, code)).status == 400
    assert not await used(house, granted["access_token"])


async def revocation(house: Unlucky) -> None:
    """Both kinds of token are given back."""
    await house.user()
    client_id = await house.client()
    granted = await house.tokens(client_id)
    for kind in ("access_token", "refresh_token"):
        form = {"client_id": client_id, "token": granted[kind]}
        assert (await house.post("/revoke", form)).status == 200
        assert not await used(house, granted["access_token"])
    assert (await house.refresh(client_id, granted["refresh_token"])).status == 400


async def introspection(house: Unlucky) -> None:
    """A client asks after its own token, and after one that never was."""
    client = await machine(house)
    token = json_of(await asked(house, client))["access_token"]
    assert json_of(await house.post("/introspect", {"token": token, **client}))["active"] is True
    assert json_of(await house.post("/introspect", {"token": "x", **client}))["active"] is False


async def client_credentials(house: Unlucky) -> None:
    """A client acts for itself, after a wrong secret that is counted."""
    client = await machine(house)
    assert (await asked(house, {**client, "client_secret": "x"})).status == 401
    assert (await asked(house, client)).status == 200


async def device(house: Unlucky) -> None:
    """A terminal polls, its user types the code, and it polls again."""
    await house.user()
    client_id = await house.client(redirect_uris=None, grant_types=[GRANT, "refresh_token"])
    told = await begun(house, client_id)
    assert json_of(await polled(house, client_id, told))["error"] == "authorization_pending"
    wrong = await house.visitor().post("/device", {"user_code": "BBBB-BBBB"})
    assert wrong.status == 400
    await decided(house, told)
    house.clock.forward(5)
    assert (await polled(house, client_id, told)).status == 200


async def management(house: Unlucky) -> None:
    """A client reads, changes and removes its registration."""
    told = await registered(house)
    assert (await manage(house, "GET", told)).status == 200
    assert (await manage(house, "PUT", told, **back(told, client_name="Claws"))).status == 200
    assert (await manage(house, "DELETE", told)).status == 204


async def described(house: Unlucky) -> None:
    """A client that nobody registered is met, and gets tokens."""
    house.kept |= {"oauth_clients"}  # what was read of it
    await house.user()
    async with site(house.world, HOST, answering(document())):
        tokens = await house.tokens(URL)
    assert (await house.refresh(URL, tokens["refresh_token"])).status == 200


async def signed(house: Unlucky) -> None:
    """A client proves itself with a key. A proof that was shown is spent, whatever came of it."""
    house.kept |= {"oauth_spent_proofs"}
    metadata = {"grant_types": ["client_credentials"], "jwks": public_set("ec")}
    told = await registered(house, token_endpoint_auth_method="private_key_jwt", **metadata)

    async def again(_: Request | None = None) -> Request:
        proof = shown(assertion(told["client_id"], house.clock))
        form = urlencode({"grant_type": "client_credentials", **proof}).encode()
        return request_of(
            "POST", "/token", form, {"content-type": "application/x-www-form-urlencoded"}
        )

    house.retry = again
    assert (await house.ask(await again())).status == 200


async def bound_to_a_key(house: Unlucky) -> None:
    """Code, call, refresh, each with a DPoP proof. One that was shown is spent, too."""
    house.kept |= {"oauth_spent_proofs"}
    await house.user()
    client_id = await house.client()
    code = await house.code(client_id)
    form = {"client_id": client_id, "code": code, "code_verifier": VERIFIER}
    granted = await proven(house, "/token", {"grant_type": "authorization_code", **form})
    assert granted.status == 200
    told = json_of(granted)
    assert (await proven(house, "/mcp", {}, told["access_token"])).status == 200
    form = {"client_id": client_id, "refresh_token": told["refresh_token"]}
    assert (await proven(house, "/token", {"grant_type": "refresh_token", **form})).status == 200


async def proven(house: Unlucky, path: str, form: dict[str, str], token: str = "") -> Answer:
    """The answer to a request with a proof, of which each try has its own."""
    more = {"ath": dpop.hashed(Secret(token))} if token else {}
    held = {"authorization": f"DPoP {token}"} if token else {}

    async def again(_: Request | None = None) -> Request:
        shown = {"dpop": proof(f"{ISSUER}{path}", house.clock, **more)}
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return request_of("POST", path, urlencode(form).encode(), {**kind, **held, **shown})

    house.retry = again
    return await house.ask(await again())


async def vouched_for(house: Unlucky) -> None:
    """Another issuer's word lets a linked user's client in."""
    await house.user()
    await house.administration.link(VOUCHER, "U1", user="alice")
    client = await vouchable(house)
    async with site(house.world, urlsplit(VOUCHER).netloc, provider):
        answer = await vouched(house, client, word(jag(house, client)))
    assert answer.status == 200
    assert await used(house, json_of(answer)["access_token"])


async def exchange(house: Unlucky) -> None:
    """A token is exchanged for one that is worth less."""
    await house.user()
    own = await exchanger(house)
    code = await house.code(own["client_id"])
    granted = json_of(await house.redeem(own["client_id"], code, **own))
    answer = await exchanged(house, own, granted["access_token"], scope="read")
    assert answer.status == 200
    assert await used(house, json_of(answer)["access_token"])


async def remembered(house: Unlucky) -> None:
    """Who has agreed once, and comes by themselves, is not asked again."""
    await house.user()
    client_id = await house.client(redirect_uris=[WEB])
    visitor, _ = await agreed(house, client_id)
    visitor.site = "none"
    answer = await asked_again(visitor, client_id)
    assert query_of(field_of(answer, "location") or "")["code"]


async def withdrawal(house: Unlucky) -> None:
    """A user ends what an application holds, on the page of their applications."""
    await house.user()
    client_id = await house.client(redirect_uris=[WEB])
    visitor, code = await agreed(house, client_id)
    told = json_of(await house.redeem(client_id, code, redirect_uri=WEB))
    page = await apps(visitor)
    assert (await visitor.post("/apps", {**hidden(page), "client_id": client_id})).status == 303
    assert not await used(house, told["access_token"])
    assert await house.count("oauth_consents") == 0


async def signing_out(house: Unlucky) -> None:
    """A user signs out where that ends what they have granted, too."""
    await house.user()
    client_id = await house.client(redirect_uris=[WEB])
    visitor, code = await agreed(house, client_id)
    told = json_of(await house.redeem(client_id, code, redirect_uri=WEB))
    page = await visitor.get("/logout")
    assert (await visitor.post("/logout", hidden(page))).status == 303
    assert not await used(house, told["access_token"])
    assert await house.count("oauth_sessions") == 0


async def upstream(house: Unlucky) -> None:
    """Sign-in at another issuer, by way of our own consent.

    A state that came back is spent, whatever came of it: each try comes back from a trip of its
    own. Who signed in there has an account from then on, with which nothing opens by itself.
    """
    house.kept |= {"oauth_trips", "oauth_users", "oauth_residents", "oauth_upstream_tokens"}
    idp = Idp(house.clock)
    browser, client_id = Traveller(house), await house.client()
    page = await browser.consent_page(client_id)
    plain = house.retry

    async def trip() -> str:
        return idp.sign_in(field_of(await browser.decide(page), "location") or "")

    async def again(request: Request) -> Request:
        with house.spared():
            return request_of("GET", await trip(), fields=tuple(request.fields))

    async with site(house.world, urlsplit(IDP).netloc, idp.reply):
        back = await trip()
        house.retry = again
        answer = await browser.get(back)
    house.retry = plain
    code = query_of(field_of(answer, "location") or "")["code"]
    assert (await house.redeem(client_id, code)).status == 200


FLOWS: dict[str, Flow] = {
    flow.__name__.replace("_", " "): flow
    for flow in (
        registration,
        code_grant,
        sign_up,
        denial,
        rotation,
        replayed_code,
        revocation,
        introspection,
        client_credentials,
        device,
        management,
        described,
        signed,
        bound_to_a_key,
        vouched_for,
        exchange,
        remembered,
        withdrawal,
        signing_out,
        upstream,
    )
}

SETTINGS: dict[Flow, dict[str, Any]] = {
    vouched_for: {"assertion_issuers": (VOUCHER,)},
    signing_out: {"logout": Logout.REVOKE},
    upstream: {"upstream": WHO},
}
"""What a flow needs to be told of the house."""


async def used(house: House, token: str) -> bool:
    """Whether the resource takes the token, asked as any other request is."""
    answer = await house.ask(
        request_of("POST", "/mcp", fields={"authorization": f"Bearer {token}"})
    )
    assert answer.status in {200, 401}
    return answer.status == 200


@pytest.fixture
async def database(tmp_path: Path, quick_passwords: None) -> AsyncIterator[SqliteDatabase]:
    """A fresh one."""
    opened = SqliteDatabase.open(tmp_path / "shop.db", StorageLimits(), Trace())
    await migrate(opened, Clock()())
    yield opened
    await opened.close()


def unlucky(database: SqliteDatabase, outage: Outage, flow: Flow) -> Unlucky:
    """A house for that flow, on a storage that fails like that."""
    key, limits = Secret("k" * 43), OAuthLimits(token_cache_seconds=0)
    settings = OAuthSettings(ISSUER, f"{ISSUER}/mcp", key, limits, signup=SignUp.OPEN)
    settings = replace(settings, **SETTINGS.get(flow, {}))
    failing = Failing(database, outage)
    house = Unlucky(settings, stores_on(failing), database, Clock(), failing=failing)

    async def resource(request: Request) -> Answer:
        return json_answer(200, {"user": (await house.resource.authenticate(request)).username})

    mcp = Route("/mcp", {"POST": resource}, Cors.NONE)
    house.router = Router(
        (*house.server.routes(), mcp), Guard(frozenset({"127.0.0.1"})), house.trace
    )
    return house


@case("T32", "503 with Retry-After, nothing changed, and the same request succeeds afterwards")
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS.keys())
async def test_a_fault_of_storage_is_told_and_changes_nothing(
    database: SqliteDatabase, flow: Flow, caplog: pytest.LogCaptureFixture
) -> None:
    """OAuth 2.1 §4.1.2.1; RFC 9110 §15.6.4: every step of every request fails once."""
    house = unlucky(database, Outage.ONE_STEP, flow)
    await flow(house)
    assert house.faults > 3
    assert not [record for record in caplog.records if record.exc_info], "a traceback in the log"
    # A session that has begun is told of, even when the failures before it cannot be forgotten.
    assert {where.partition(":")[0] for where in house.outlived} <= {"POST /login"}


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS.keys())
async def test_a_storage_that_stays_away_is_told_of_in_the_same_way(
    database: SqliteDatabase, flow: Flow, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 9110 §15.6.4: nothing can be taken back, so what was tried counts; no more than that."""
    house = unlucky(database, Outage.FROM_THEN_ON, flow)
    house.kept = frozenset({"oauth_attempts"})
    await flow(house)
    assert not [record for record in caplog.records if record.exc_info], "a traceback in the log"

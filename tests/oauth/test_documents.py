"""Clients that describe themselves at the address that is their id."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from catshop.limits import OAuthLimits
from tests.oauth.house import CALLBACK, Clock, House, Visitor, field_of, json_of, query_of
from tests.oauth.world import ADDRESS, Site, answering, neighbour, site

HOST = "client.example"
URL = f"https://{HOST}/client.json"
DOCUMENT: dict[str, Any] = {
    "client_id": URL,
    "client_name": "Paws",
    "redirect_uris": [CALLBACK],
    "grant_types": ["authorization_code", "refresh_token", "urn:example:other"],
    "scope": "read write something-else",
}
PUBLIC_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
"""RFC 8037 Appendix A.2."""


OTHERS = {
    "case": "https://CLIENT.example/client.json",
    "port": "https://client.example:443/client.json",
    "slash": f"{URL}/",
    "encoded": "https://client.example/client%2Ejson",
}
"""Addresses of the same place, to others."""


def document(**more: object) -> str:
    """The document with other members; None leaves one out."""
    merged = {**DOCUMENT, **more}
    return json.dumps({name: value for name, value in merged.items() if value is not None})


@pytest.fixture
async def here(house: House) -> AsyncIterator[Site]:
    """The client's own server."""
    await house.user()
    async with site(house.world, HOST, answering(document())) as served:
        yield served


@pytest.fixture
async def alice(house: House, here: Site) -> Visitor:
    """A browser in which alice has signed in."""
    visitor = house.visitor()
    page = await visitor.follow(await visitor.authorize(await house.client()))
    await visitor.sign_in(page)
    return visitor


async def test_a_client_that_nobody_registered_gets_tokens(house: House, here: Site) -> None:
    """MCP 2026-07-28 basic/authorization/client-registration §client-id-metadata-documents."""
    told = await house.tokens(URL)
    assert told["scope"] == "read write"
    assert (await house.call(told["access_token"])).client_id == URL
    assert (await house.refresh(URL, told["refresh_token"])).status == 200
    assert here.asked == 1


async def test_nothing_is_fetched_before_sign_in(house: House, here: Site) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations: C23."""
    visitor = house.visitor()
    page = await visitor.follow(await visitor.authorize(URL))
    assert b'name="password"' in page.body
    assert house.world.looked_up == house.world.dialled == []
    page = await visitor.follow(await visitor.sign_in(page))
    assert b"Paws" in page.body
    assert house.world.dialled == [ADDRESS]
    answer = await visitor.decide(page)
    assert query_of(field_of(answer, "location") or "")["state"] == "xyz"


async def test_consent_shows_where_the_client_comes_from(alice: Visitor) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations §localhost-redirect-uri-risks.

    C22: the client's host, the redirect's host, and a warning when that is this computer.
    """
    page = await alice.follow(await alice.authorize(URL))
    assert f"<code>{HOST}</code>".encode() in page.body
    assert b"<code>127.0.0.1:9999</code>" in page.body
    assert b"a program on this computer" in page.body


@pytest.mark.parametrize(
    "client_id",
    [
        pytest.param("http://client.example/c", id="C1-http"),
        pytest.param("ftp://client.example/c", id="C1-ftp"),
        pytest.param("https://client.example", id="C1-no-path"),
        pytest.param("https://client.example/", id="C1-empty-path"),
        pytest.param("https://client.example/a/../c", id="C1-dots"),
        pytest.param("https://client.example/%2e%2e/c", id="C1-encoded-dots"),
        pytest.param("https://client.example/c#f", id="C1-fragment"),
        pytest.param("https://user@client.example/c", id="C1-user"),
        pytest.param("https://client.example/\x01", id="C1-control"),
        pytest.param("https:/\\client.example/c", id="C1-backslash"),
    ],
)
async def test_an_id_that_is_no_plain_address_is_told_on_our_page(
    house: House, alice: Visitor, client_id: str
) -> None:
    """MCP 2026-07-28 basic/authorization/client-registration: C1. Whoever asks."""
    for visitor in (alice, house.visitor()):
        answer = await visitor.authorize(client_id)
        assert (answer.status, field_of(answer, "location")) == (400, None)
        assert b"E-CIMD-01" in answer.body
    assert house.world.looked_up == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param("{", "E-CIMD-02", id="C11-invalid"),
        pytest.param("[]", "E-CIMD-02", id="C11-array"),
        pytest.param(document()[:-1] + ', "client_id": ""}', "E-CIMD-02", id="C11-twice"),
        pytest.param(document(client_name=None), "E-CIMD-02", id="C11-no-name"),
        pytest.param(document(redirect_uris=None), "E-CIMD-02", id="C11-no-redirect"),
        pytest.param(document(grant_types="x"), "E-CIMD-02", id="C11-grant-types"),
        *[
            pytest.param(document(client_id=other), "E-CIMD-03", id=f"C12-{name}")
            for name, other in OTHERS.items()
        ],
        pytest.param(document(client_secret="x"), "E-CIMD-04", id="C13-secret"),
        pytest.param(document(client_secret_expires_at=0), "E-CIMD-04", id="C13-expires"),
        *[
            pytest.param(document(token_endpoint_auth_method=way), "E-CIMD-04", id=f"C13-{way}")
            for way in ("client_secret_basic", "client_secret_post", "client_secret_jwt")
        ],
        pytest.param(
            document(
                token_endpoint_auth_method="private_key_jwt",
                jwks={"keys": [{**PUBLIC_KEY, "d": "AAAA"}]},
            ),
            "E-REG-13",
            id="C13-private-key",
        ),
        pytest.param(document(redirect_uris=["javascript:x"]), "E-REG-04", id="redirect"),
    ],
)
async def test_a_document_that_breaks_a_rule_is_told_on_our_page_and_forgotten(
    here: Site, alice: Visitor, body: str, code: str
) -> None:
    """MCP 2026-07-28 basic/authorization/client-registration §implementation-requirements.

    RFC 3986 §6.2.1: C11, C12, C13.
    """
    here.reply = answering(body)
    answer = await alice.authorize(URL)
    assert (answer.status, field_of(answer, "location")) == (400, None)
    assert code.encode() in answer.body
    here.reply = answering(document())
    assert (await alice.authorize(URL)).status == 303


async def test_a_host_that_is_not_public_is_told_on_our_page(house: House, alice: Visitor) -> None:
    """RFC 6890 §2.2: C2. Nothing of what the name led to is shown."""
    house.world.lead(HOST, ["169.254.169.254"])
    answer = await alice.authorize(URL)
    assert answer.status == 400
    assert b"E-FETCH-02" in answer.body
    assert b"169.254" not in answer.body
    assert house.world.dialled == []


async def test_a_redirect_uri_must_be_in_the_document(here: Site, alice: Visitor) -> None:
    """MCP 2026-07-28 basic/authorization/client-registration: C14, from the cache, too."""
    for _ in range(2):
        answer = await alice.authorize(URL, redirect_uri="https://attacker.example/cb")
        assert (answer.status, field_of(answer, "location")) == (400, None)
        assert b"E-AUTHZ-04" in answer.body
    assert here.asked == 1


async def test_a_document_that_changes_is_obeyed_once_it_is_read_again(
    here: Site, alice: Visitor, clock: Clock
) -> None:
    """RFC 9111 §5.2.2: C16, C19."""
    assert (await alice.authorize(URL)).status == 303
    here.reply = answering(document(redirect_uris=["https://client.example/cb"]))
    clock.forward(60)
    assert (await alice.authorize(URL)).status == 400
    assert here.asked == 2


async def test_a_hundred_requests_of_one_client_make_one_fetch(here: Site, alice: Visitor) -> None:
    """C18."""
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(alice.authorize, URL)
    assert here.asked == 1


@pytest.fixture
def limits() -> OAuthLimits:
    return OAuthLimits(registrations_per_hour=5)


async def test_one_address_may_have_only_so_many_documents_fetched(
    house: House, here: Site, alice: Visitor
) -> None:
    """RFC 7591 §5: C17. One of the five was the registration by which alice signed in.

    A document that is kept costs nothing.
    """
    here.reply = answering("{}")
    answers = [await alice.authorize(f"{URL}?{n}") for n in range(5)]
    assert [answer.status for answer in answers] == [400] * 4 + [429]
    assert field_of(answers[-1], "retry-after")
    assert here.asked == 4


async def test_keys_elsewhere_are_read_through_the_same_door(
    house: House, here: Site, alice: Visitor
) -> None:
    """RFC 7591 §2; RFC 7517 §5: C20. A private address is never dialled."""
    keys = "https://keys.example/jwks"
    body = document(token_endpoint_auth_method="private_key_jwt", jwks_uri=keys)
    here.reply = answering(body)
    house.world.lead("keys.example", ["10.0.0.1"])
    answer = await alice.authorize(URL)
    assert answer.status == 400
    assert b"E-FETCH-02" in answer.body
    assert house.world.dialled == [ADDRESS]
    served = answering(json.dumps({"keys": [{**PUBLIC_KEY, "kid": "1"}]}))
    async with site(house.world, "keys.example", served, address="93.184.215.15") as keyed:
        assert (await alice.authorize(URL)).status == 303
        keyed.reply = answering('{"keys": []}')
    client = await house.stores.clients.find(URL)
    assert client is not None
    assert client.auth_method == "private_key_jwt"
    assert '"kid":"1"' in (client.jwks or "")


async def test_a_client_whose_keys_cannot_be_read_any_more_proves_nothing(
    house: House, here: Site, alice: Visitor, clock: Clock
) -> None:
    """RFC 7523 §3: C19, C20. What its key was worth yesterday does not count."""
    keys = {"keys": [{**PUBLIC_KEY, "kid": "1"}]}
    here.reply = answering(document(token_endpoint_auth_method="private_key_jwt", jwks=keys))
    assert (await alice.authorize(URL)).status == 303
    clock.forward(60)
    here.reply = answering("", 500)
    answer = await house.post("/token", {"grant_type": "refresh_token", "client_id": URL})
    assert (answer.status, json_of(answer)["error"]) == (401, "invalid_client")
    assert here.asked == 2


async def test_a_stranger_cannot_make_the_token_endpoint_knock(house: House, here: Site) -> None:
    """C23."""
    answer = await house.post("/token", {"grant_type": "refresh_token", "client_id": URL})
    assert json_of(answer)["error"] == "invalid_client"
    assert house.world.looked_up == []


async def test_in_development_a_document_may_be_on_this_machine(
    house: House, alice: Visitor
) -> None:
    """OAuth 2.1 §1.5: the issuer itself is here, over http."""
    async with neighbour(answering("{}")) as here:
        address = f"http://localhost:{here.port}/client.json"
        here.reply = answering(document(client_id=address))
        house.world.lead("localhost", ["127.0.0.1"])
        page = await alice.follow(await alice.authorize(address))
        assert f"<code>localhost:{here.port}</code>".encode() in page.body

"""Clients that describe themselves at the address that is their id."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from catshop.limits import OAuthLimits
from tests.oauth.cases import case, each
from tests.oauth.house import CALLBACK, Clock, House, Visitor, field_of, json_of, query_of
from tests.oauth.keys import assertion, public_set, shown
from tests.oauth.world import ADDRESS, LOOPBACKS, Reply, Site, answering, neighbour, site

HOST = "client.example"
URL = f"https://{HOST}/client.json"
REMOTE = "https://app.example/cb"
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


@case("C23", "a document is fetched for a user who has signed in, and for nobody else")
async def test_nothing_is_fetched_before_sign_in(house: House, here: Site) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations
    §authorization-server-abuse-protection.
    """
    visitor = house.visitor()
    page = await visitor.follow(await visitor.authorize(URL))
    assert b'name="password"' in page.body
    assert house.world.looked_up == house.world.dialled == []
    page = await visitor.follow(await visitor.sign_in(page))
    assert b"Paws" in page.body
    assert house.world.dialled == [ADDRESS]
    answer = await visitor.decide(page)
    assert query_of(field_of(answer, "location") or "")["state"] == "xyz"


@case(
    "C22", "consent shows the client's host and the redirect's, and warns when it is this computer"
)
async def test_consent_shows_where_the_client_comes_from(here: Site, alice: Visitor) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations §localhost-redirect-uri-risks."""
    page = await alice.follow(await alice.authorize(URL))
    assert f"<code>{HOST}</code>".encode() in page.body
    assert b"<code>127.0.0.1:9999</code>" in page.body
    assert b"a program on this computer" in page.body


@case("C1", "an id that is no plain https address of a document is a page, and nobody is looked up")
@pytest.mark.parametrize(
    "client_id",
    [
        pytest.param("http://client.example/c", id="http"),
        pytest.param("ftp://client.example/c", id="ftp"),
        pytest.param("https://client.example", id="no-path"),
        pytest.param("https://client.example/", id="empty-path"),
        pytest.param("https://client.example/a/../c", id="dots"),
        pytest.param("https://client.example/%2e%2e/c", id="encoded-dots"),
        pytest.param("https://client.example/c#f", id="fragment"),
        pytest.param("https://user@client.example/c", id="user"),
        pytest.param("https://client.example/\x01", id="control"),
        pytest.param("https://client.example/\n", id="newline"),
        pytest.param("https:/\\client.example/c", id="backslash"),
    ],
)
async def test_an_id_that_is_no_plain_address_is_told_on_our_page(
    house: House, alice: Visitor, client_id: str
) -> None:
    """MCP 2026-07-28 basic/authorization/client-registration §implementation-requirements.

    Whoever asks.
    """
    for visitor in (alice, house.visitor()):
        answer = await visitor.authorize(client_id)
        assert (answer.status, field_of(answer, "location")) == (400, None)
        assert b"E-CIMD-01" in answer.body
    assert house.world.looked_up == house.world.dialled == []


def keyed(**key: str) -> str:
    """A document with one key of its own."""
    jwks = {"keys": [{**PUBLIC_KEY, **key}]}
    return document(token_endpoint_auth_method="private_key_jwt", jwks=jwks)


BROKEN = [
    *each(
        case("C11", "what is no whole and unambiguous document is a page, and is not kept"),
        {
            "invalid": ("{", "E-CIMD-02"),
            "array": ("[]", "E-CIMD-02"),
            "twice": (document()[:-1] + ', "client_id": ""}', "E-CIMD-02"),
            "depth": ('{"a":' + "[" * 1000 + "]" * 1000 + "}", "E-CIMD-02"),
            "no-name": (document(client_name=None), "E-CIMD-02"),
            "no-redirect": (document(redirect_uris=None), "E-CIMD-02"),
            "grant-types": (document(grant_types="x"), "E-CIMD-02"),
        },
    ),
    *each(
        case("C12", "a document names its own address, to the letter"),
        {name: (document(client_id=other), "E-CIMD-03") for name, other in OTHERS.items()},
    ),
    *each(
        case("C13", "a document that everybody can read holds no secret and no private key"),
        {
            "secret": (document(client_secret="x"), "E-CIMD-04"),
            "expires": (document(client_secret_expires_at=0), "E-CIMD-04"),
            **{
                way: (document(token_endpoint_auth_method=way), "E-CIMD-04")
                for way in ("client_secret_basic", "client_secret_post", "client_secret_jwt")
            },
            "private-key": (keyed(d="AAAA"), "E-REG-13"),
        },
    ),
    pytest.param(document(redirect_uris=["javascript:x"]), "E-REG-04", id="redirect"),
]


@pytest.mark.parametrize(("body", "code"), BROKEN)
async def test_a_document_that_breaks_a_rule_is_told_on_our_page_and_forgotten(
    here: Site, alice: Visitor, body: str, code: str
) -> None:
    """MCP 2026-07-28 basic/authorization/client-registration §implementation-requirements.

    RFC 3986 §6.2.1.
    """
    here.reply = answering(body)
    answer = await alice.authorize(URL)
    assert (answer.status, field_of(answer, "location")) == (400, None)
    assert code.encode() in answer.body
    here.reply = answering(document())
    assert (await alice.authorize(URL)).status == 303


BOMB = gzip.compress(b" " * 10_000_000)

REPLIES = [
    *each(
        case("C7", "a redirect is a page, and is not followed"),
        {
            str(status): (answering("", status, location=URL), "E-FETCH-05")
            for status in (301, 302, 303, 307, 308)
        },
    ),
    *each(
        case("C8", "any other status than 200 is a page, and is not kept"),
        {str(status): (answering("", status), "E-FETCH-05") for status in (201, 204, 404, 500)},
    ),
    *each(
        case("C9", "of a document no more than 5 KiB are read, and what is packed not at all"),
        {
            "length": (answering(" " * 5121), "E-FETCH-06"),
            "gzip": (answering(BOMB, content_encoding="gzip", content_length=""), "E-FETCH-07"),
        },
    ),
    *each(
        case("C11", "a document says that it is JSON"),
        {"html": (answering(document(), content_type="text/html"), "E-FETCH-07")},
    ),
]


@pytest.mark.parametrize(("reply", "code"), REPLIES)
async def test_an_answer_that_is_no_document_is_told_on_our_page_and_forgotten(
    house: House, here: Site, alice: Visitor, reply: Reply, code: str
) -> None:
    """RFC 9110 §15.3, §15.4; RFC 9111 §5.2.2."""
    here.reply = reply
    answer = await alice.authorize(URL)
    assert (answer.status, field_of(answer, "location")) == (400, None)
    assert code.encode() in answer.body
    assert here.asked == 1
    here.reply = answering(document())
    assert (await alice.authorize(URL)).status == 303
    assert house.world.dialled == [ADDRESS] * 2


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(
            ["169.254.169.254"], marks=case("C2", "a host of this network is a page"), id="private"
        ),
        *each(
            case("C5", "one private address spoils a host that has public ones, in any order"),
            {"last": [ADDRESS, "10.0.0.1"], "first": ["10.0.0.1", ADDRESS]},
        ),
    ],
)
async def test_a_host_that_is_not_public_is_told_on_our_page(
    house: House, alice: Visitor, answers: list[str]
) -> None:
    """RFC 6890 §2.2. Nothing of what the name led to is shown."""
    house.world.lead(HOST, answers)
    answer = await alice.authorize(URL)
    assert (answer.status, field_of(answer, "location")) == (400, None)
    assert b"E-FETCH-02" in answer.body
    assert b"169.254" not in answer.body
    assert house.world.dialled == []


@case("C4", "another spelling of this computer is a page, and nobody is dialled")
@pytest.mark.parametrize("host", LOOPBACKS)
async def test_another_spelling_of_loopback_is_told_on_our_page(
    house: House, alice: Visitor, host: str
) -> None:
    """RFC 6890 §2.2; RFC 3986 §3.2.2."""
    answer = await alice.authorize(f"https://{host}/c.json")
    assert (answer.status, field_of(answer, "location")) == (400, None)
    assert house.world.dialled == []


@case("C10", "who waits for a document that does not come keeps nobody else waiting")
async def test_a_document_that_does_not_come_holds_up_nobody_else(
    house: House, here: Site, alice: Visitor
) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations
    §authorization-server-abuse-protection.
    """
    asked = anyio.Event()

    async def stall(_: Site, stream: ByteStream) -> None:
        asked.set()
        await anyio.sleep_forever()

    here.reply = stall
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(alice.authorize, URL)
        with anyio.fail_after(10):
            await asked.wait()
            client_id = await house.client()
            assert (await house.visitor().authorize(client_id)).status == 303
        tasks.cancel_scope.cancel()


@case("A17", "an error in the request of a client that nobody has read waits for the sign-in, too")
async def test_an_error_waits_for_the_sign_in(house: House, here: Site) -> None:
    """OAuth 2.1 §7.12.2."""
    here.reply = answering(document(redirect_uris=[REMOTE]))
    visitor = house.visitor()
    answer = await visitor.authorize(URL, redirect_uri=REMOTE, response_type="token")
    page = await visitor.follow(answer)
    assert b'name="password"' in page.body
    assert here.asked == 0
    location = field_of(await visitor.follow(await visitor.sign_in(page)), "location") or ""
    assert location.startswith(f"{REMOTE}?")
    assert query_of(location)["error"] == "unsupported_response_type"


@case("C14", "an address that the document does not list is a page, also when it is remembered")
async def test_a_redirect_uri_must_be_in_the_document(here: Site, alice: Visitor) -> None:
    """MCP 2026-07-28 basic/authorization/client-registration §implementation-requirements."""
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


@case("C18", "a hundred requests at once make one fetch, which is counted once, and all go on")
async def test_a_hundred_requests_of_one_client_make_one_fetch(here: Site, alice: Visitor) -> None:
    """RFC 7591 §5."""
    statuses: list[int] = []

    async def ask() -> None:
        statuses.append((await alice.authorize(URL)).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(ask)
    assert statuses == [303] * 100
    assert here.asked == 1


@pytest.fixture
def limits() -> OAuthLimits:
    return OAuthLimits(registrations_per_hour=5)


@case("C17", "one address has so many documents fetched in an hour")
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


KEYS = "https://keys.example/jwks"


async def proved(house: House, client_id: str, clock: Clock, **claims: Any) -> tuple[int, str]:
    """Whether an assertion of the client proves it: status, and what is said of it."""
    form = {"token": "x", **shown(assertion(client_id, clock, **claims))}
    answer = await house.post("/revoke", form)
    return answer.status, str(json_of(answer)["error_description"]) if answer.body else ""


@pytest.fixture(params=["described", "registered"])
async def keyless(request: pytest.FixtureRequest, house: House, here: Site, alice: Visitor) -> str:
    """A client whose keys are elsewhere, and nobody has asked for them yet."""
    if request.param == "registered":
        told = {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": KEYS}
        answer = await house.register(**told)
        assert json_of(answer)["jwks_uri"] == KEYS
        client_id = str(json_of(answer)["client_id"])
    else:
        body = document(token_endpoint_auth_method="private_key_jwt", jwks_uri=KEYS)
        here.reply = answering(body)
        assert (await alice.authorize(URL)).status == 303
        client_id = URL
    assert "keys.example" not in house.world.looked_up
    return client_id


@case("C20", "keys at a private address prove nothing, and nobody knocks there")
@case("R18", "a jwks_uri is read when its client proves itself, never at registration")
@case("C20", "keys at a private address are a page, and nobody is dialled")
async def test_keys_elsewhere_are_read_through_the_same_door(
    house: House, keyless: str, clock: Clock
) -> None:
    """RFC 7591 §2; RFC 7517 §5."""
    house.world.lead("keys.example", ["10.0.0.1"])
    dialled = list(house.world.dialled)
    status, said = await proved(house, keyless, clock)
    assert (status, said[-10:]) == (401, "E-FETCH-02")
    assert house.world.dialled == dialled
    served = answering(json.dumps(public_set("ec")))
    async with site(house.world, "keys.example", served, address="93.184.215.15") as keyed:
        assert [await proved(house, keyless, clock) for _ in range(3)] == [(200, "")] * 3
        assert keyed.asked == 1
        clock.forward(61)
        keyed.reply = answering(json.dumps(public_set("other")))
        assert (await proved(house, keyless, clock))[0] == 401
        assert keyed.asked == 2
        keyed.reply = answering('{"keys": []}')
        clock.forward(61)
        assert (await proved(house, keyless, clock))[0] == 401


@case("C20", "an assertion that no key could make good fetches none")
@pytest.mark.parametrize("claims", [{"aud": "https://other.example"}, {"exp": 1}, {"jti": None}])
async def test_no_keys_are_fetched_for_what_they_could_not_prove(
    house: House, keyless: str, clock: Clock, claims: dict[str, Any]
) -> None:
    """RFC 7523 §3."""
    assert (await proved(house, keyless, clock, **claims))[0] == 401
    assert "keys.example" not in house.world.looked_up


@case("C20", "a client whose keys cannot be read is 401 at the token endpoint")
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


@case("C23", "the token endpoint fetches nothing for a client that no user has met")
async def test_a_stranger_cannot_make_the_token_endpoint_knock(house: House, here: Site) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations
    §authorization-server-abuse-protection.
    """
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

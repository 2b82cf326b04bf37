"""The audit: who was granted what, who was refused and why, what ended, and never a secret.

`House.ask` holds the rule for every request of every test in this folder: a refusal has one line
with its code, tokens have one, and none of them shows what could be used. Here is what the lines
say, and that there is no way past them.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import fields

import pytest

from catshop.kernel import Secret, Unavailable
from catshop.oauth import audit
from catshop.oauth.administration import Mistake
from catshop.oauth.ports import Grants, Registrations, Requests, Stores, Users
from catshop.oauth.session_ports import Consents, Sessions
from catshop.protocol.http1.errors import HttpError
from catshop.protocol.http1.guard import Cors
from catshop.protocol.http1.messages import Answer, Request
from catshop.protocol.http1.routes import Route
from tests.oauth.house import ISSUER, PASSWORD, House, audit_lines, json_of, request_of

Line = dict[str, str]


def told(lines: list[str]) -> list[Line]:
    """Each line as its members; the first word is `outcome`."""
    pattern = re.compile(r' (\w+)=("(?:[^"\\]|\\.)*"|\S+)')
    found = []
    for line in lines:
        outcome, _, rest = line.partition(" ")
        pairs = {name: value for name, value in pattern.findall(f" {rest}")}
        read = {n: json.loads(v) if v.startswith('"') else v for n, v in pairs.items()}
        found.append({"outcome": outcome, **read})
    return found


async def test_a_grant_says_who_what_and_where(house: House) -> None:
    """RFC 9700 §4.14.2. A family is named by a hash, a token by the id that people may see."""
    await house.user()
    client_id = await house.client()
    with audit_lines() as agreed:
        code = await house.code(client_id)
    with audit_lines() as lines:
        granted = json_of(await house.redeem(client_id, code))
    principal = await house.call(granted["access_token"])
    family_id = granted["refresh_token"].removeprefix("cat_rt_").partition(".")[0]
    assert told(lines) == [
        {
            "outcome": "granted",
            "endpoint": "/token",
            "grant": "authorization_code",
            "client": client_id,
            "user": principal.subject,
            "family": audit.family_name(family_id),
            "token": principal.token_id,
            "scope": "read write",
            "resource": f"{ISSUER}/mcp",
            "refresh": "yes",
            "address": "192.0.2.1",
            "request": "test",
        }
    ]
    assert family_id not in str(lines)
    [consent] = [line for line in told(agreed) if line["outcome"] == "agreed"]
    assert consent["endpoint"] == "/consent"
    assert (consent["client"], consent["user"]) == (client_id, principal.subject)


async def test_a_theft_is_told_as_what_ended_and_as_a_refusal(house: House) -> None:
    """RFC 9700 §4.14.2; OAuth 2.1 §4.1.3."""
    await house.user()
    client_id = await house.client()
    code = await house.code(client_id)
    granted = json_of(await house.redeem(client_id, code))
    with audit_lines() as lines:
        await house.redeem(client_id, code)
    ended, refused = told(lines)
    family_id = granted["refresh_token"].removeprefix("cat_rt_").partition(".")[0]
    assert (ended["outcome"], ended["cause"]) == ("revoked", "code.unused")
    assert ended["family"] == audit.family_name(family_id)
    assert (refused["outcome"], refused["code"]) == ("refused", "E-TOKEN-14")
    assert (refused["error"], refused["status"]) == ("invalid_grant", "400")
    assert (refused["client"], refused["grant"]) == (client_id, "authorization_code")


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_a_revocation_has_its_line(house: House, kind: str) -> None:
    """RFC 7009 §2. What was no token ends nothing, and is told by nothing."""
    await house.user()
    client_id = await house.client()
    granted = await house.tokens(client_id)
    with audit_lines() as lines:
        await house.post("/revoke", {"client_id": client_id, "token": granted[kind]})
    with audit_lines() as again:
        await house.post("/revoke", {"client_id": client_id, "token": granted[kind]})
    [line] = told(lines)
    assert (line["outcome"], line["endpoint"]) == ("revoked", "/revoke")
    assert line["client"] == client_id
    assert again == []


async def test_a_bearer_that_is_refused_has_its_line(house: House) -> None:
    """OAuth 2.1 §5.3.2. One that may not do what it asks for is named by its id."""
    await house.user()
    granted = await house.tokens(await house.client(), scope="read")
    principal = await house.call(granted["access_token"])
    with audit_lines() as lines, pytest.raises(HttpError):
        await house.call("nothing")
    [line] = told(lines)
    assert (line["outcome"], line["endpoint"], line["code"]) == ("refused", "resource", "E-CHAL-04")
    with audit_lines() as lines:
        house.resource.insufficient(principal, frozenset({"write"}))
    [line] = told(lines)
    assert (line["outcome"], line["code"]) == ("refused", "E-CHAL-05")
    assert (line["token"], line["scope"]) == (principal.token_id, "write")


async def test_what_an_operator_ends_is_told_family_by_family(house: House) -> None:
    """RFC 9700 §4.14.2."""
    administration = house.administration
    await house.user()
    await house.tokens(await house.client())
    with audit_lines() as issued:
        await administration.issue_token("alice", frozenset({"read"}), 60)
    with audit_lines() as lines:
        await administration.disable_user("alice")
        await administration.enable_user("alice")
        await administration.set_password("alice", Secret(PASSWORD[::-1]))
    assert [line["outcome"] for line in told(issued)] == ["granted"]
    first, second, changed, *families = told(lines)
    assert (first["outcome"], first["cause"]) == ("revoked", "user.disabled")
    assert (second["outcome"], second["cause"]) == ("granted", "user.enabled")
    assert (changed["outcome"], changed["cause"]) == ("revoked", "password.changed")
    assert len({line["family"] for line in families}) == 2
    with audit_lines() as lines:
        await administration.remove_user("alice")
        await administration.remove_client(await house.client())
    assert [line["cause"] for line in told(lines)][::3] == ["user.removed", "client.removed"]


async def test_what_an_operator_ends_by_id_has_its_line_and_a_mistake_has_none(
    house: House,
) -> None:
    """RFC 9700 §4.14.2. Nothing ends twice."""
    await house.user()
    _, token = await house.administration.issue_token("alice", frozenset({"read"}), 60)
    with audit_lines() as lines:
        await house.administration.revoke_token(token.id)
        with pytest.raises(Mistake):
            await house.administration.revoke_token(token.id)
    assert [line["outcome"] for line in told(lines)] == ["revoked"]


async def test_what_a_stranger_typed_is_not_repeated(house: House) -> None:
    """RFC 9700 §4.14.2: people type passwords into the field for the name."""
    await house.user()
    browser = house.visitor()
    page = await browser.follow(await browser.authorize(await house.client()))
    with audit_lines() as lines:
        await browser.sign_in(page, name=PASSWORD)
        await browser.sign_in(page, password="wrong but long")
        await house.post("/token", {"grant_type": "x y", "client_id": "hunter2"})
    unknown, wrong, strange = told(lines)
    assert (unknown["code"], "user" in unknown) == ("E-LOGIN-05", False)
    assert (wrong["code"], len(wrong["user"])) == ("E-LOGIN-05", 22)
    assert (strange["code"], "client" in strange) == ("E-TOKEN-01", False)
    assert PASSWORD not in str(lines)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        pytest.param(HttpError(413, "E-HTTP-31"), "E-HTTP-31", id="http"),
        pytest.param(Unavailable("E-DB-01", "locked"), "E-DB-01", id="unavailable"),
        pytest.param(ValueError("a fault"), "E-HTTP-50", id="a-fault"),
    ],
)
async def test_whatever_a_handler_raises_has_its_line(raised: Exception, code: str) -> None:
    """RFC 9110 §15.6. The exception goes on as it was."""

    async def handler(_: Request) -> Answer:
        raise raised

    route = audit.watched(Route("/x", {"GET": handler}, Cors.NONE))
    with audit_lines() as lines, pytest.raises(type(raised)):
        await route.handler("GET")(request_of("GET", "/x"))
    assert [line["code"] for line in told(lines)] == [code]


async def test_a_line_stays_one_line() -> None:
    """RFC 9110 §5.5: what a stranger sends cannot begin a line, or a member, of its own."""
    with audit_lines() as lines:
        audit.write(audit.Outcome.REFUSED, error='a\nb client=x "y"', scope="read write")
    [line] = lines
    assert "\n" not in line
    assert told(lines) == [
        {"outcome": "refused", "error": "a?b client=x ?y?", "scope": "read write"}
    ]


async def test_nothing_is_written_where_nobody_reads(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 9700 §4.14.2: the log decides, not the writer."""
    with caplog.at_level(logging.WARNING, logger="catshop.audit"), audit_lines() as lines:
        audit.write(audit.Outcome.REFUSED, error="x")
    assert lines == []


async def test_every_route_of_the_plane_is_watched(house: House) -> None:
    """OAuth 2.1 §3: an endpoint that is added is in the audit without a line of its own."""
    routes = house.server.routes()
    assert {
        "/token",
        "/authorize",
        "/consent",
        "/login",
        "/revoke",
        "/introspect",
        "/register",
    } <= {route.path for route in routes}
    for route in routes:
        for handler in route.methods.values():
            assert handler.__qualname__ == "_watched.<locals>.answered", route.path


REFUSED: dict[str, Callable[[House], object]] = {
    "/register": lambda house: house.register(redirect_uris=[]),
    "/register/*": lambda house: house.get("/register/x"),
    "/token": lambda house: house.post("/token", {}),
    "/revoke": lambda house: house.post("/revoke", {}),
    "/introspect": lambda house: house.post("/introspect", {}),
    "/device_authorization": lambda house: house.post("/device_authorization", {}),
    "/authorize": lambda house: house.get("/authorize"),
    "/login": lambda house: house.get("/login?req=x"),
    "/consent": lambda house: house.post("/consent", {}),
    "/device": lambda house: house.post("/device", {"user_code": "X"}),
    "/device/done": lambda house: house.get("/device/done"),
    "/apps": lambda house: house.post("/apps", {}),
    "/logout": lambda house: house.post("/logout", {}),
}
"""A way to be refused at every endpoint that refuses."""


@pytest.mark.parametrize("path", REFUSED)
async def test_an_endpoint_that_refuses_says_so(house: House, path: str) -> None:
    """OAuth 2.1 §3."""
    with audit_lines() as lines:
        answer = await REFUSED[path](house)  # type: ignore[misc]  # each of them is awaitable
    [line] = told(lines)
    assert (line["outcome"], line["endpoint"]) == ("refused", path)
    assert line["status"] == str(answer.status)


async def test_no_endpoint_that_refuses_is_left_out(house: House) -> None:
    """OAuth 2.1 §3. The others show what everybody may read."""
    documents = {"/jwks", "/oauth/style.css"}
    paths = {route.path for route in house.server.routes()}
    assert {p for p in paths if ".well-known" not in p} - documents == set(REFUSED)


@pytest.mark.parametrize("port", [Grants, Requests, Users, Registrations, Consents, Sessions])
async def test_every_verb_that_grants_or_ends_passes_through_the_audit(
    house: House, port: type[object]
) -> None:
    """RFC 9700 §4.14.2: a verb that is added to one of these ports has to be added there."""
    [name] = [each.name for each in fields(Stores) if each.type == port.__name__]
    store = getattr(house.stores, name)
    verbs = {verb for verb in vars(port) if not verb.startswith("_")}
    assert type(store).__module__ == "catshop.oauth.audited"
    assert verbs <= set(vars(type(store)))

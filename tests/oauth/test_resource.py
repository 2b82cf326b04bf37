"""Bearer tokens at the resource: who gets in, and what the others are told."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from catshop.oauth import resource as resource_module
from catshop.oauth.dpop import ALGORITHMS
from catshop.oauth.resource import ResourceServer
from catshop.oauth.settings import TokenFormat
from catshop.protocol.http1.errors import HttpError
from tests.oauth.cases import case, each
from tests.oauth.house import Clock, House, request_of

PRM = "http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp"


@pytest.fixture(params=list(TokenFormat), ids=lambda kind: str(kind.value))
def token_format(request: pytest.FixtureRequest) -> TokenFormat:
    """Whatever tokens look like, the same holds. RFC 9068 §4."""
    return TokenFormat(request.param)


def challenge_of(error: HttpError) -> dict[str, str]:
    """The members of the Bearer challenge; beside it DPoP is offered. OAuth 2.1 §5.3.1."""
    value, *others = [value for name, value in error.fields if name == "www-authenticate"]
    assert others == [f'DPoP algs="{ALGORITHMS}"'] * (error.status != 403)
    scheme, _, rest = value.partition(" ")
    assert scheme == "Bearer"
    found = re.findall(r'(\w+)="([^"\\]*)"', rest)
    assert ", ".join(f'{name}="{text}"' for name, text in found) == rest
    return dict(found)


async def refused(house: House, *credentials: str, target: str = "/mcp") -> HttpError:
    """The refusal of a request with these Authorization fields."""
    fields = tuple(("authorization", text) for text in credentials)
    with pytest.raises(HttpError) as found:
        await house.resource.authenticate(request_of("POST", target, fields=fields))
    return found.value


@pytest.fixture
async def token(house: House) -> str:
    """An access token of alice for everything."""
    await house.user()
    return str((await house.tokens(await house.client()))["access_token"])


@case("S1", "the challenge names where to go and what to ask for")
@pytest.mark.parametrize(
    "credentials", [pytest.param([], id="none"), pytest.param(["Basic eDp5"], id="basic")]
)
async def test_without_a_token_the_way_is_shown_and_no_error_named(
    house: House, credentials: list[str]
) -> None:
    """OAuth 2.1 §5.3, §5.3.2; RFC 9728 §5.1; RFC 9110 §11.4."""
    error = await refused(house, *credentials)
    assert error.status == 401
    assert challenge_of(error) == {"resource_metadata": PRM, "scope": "read write"}


@pytest.mark.parametrize(
    "credentials",
    [
        *each(
            case("S2", "what is no token at all is an invalid one"),
            {
                "nothing": "Bearer",
                "space": "Bearer ",
                "two": "Bearer a b",
                "non-ascii": "Bearer \u00e9",
                "quoted": 'Bearer "x"',
            },
        ),
        *each(case("S3", "a token that nobody knows is invalid"), {"unknown": "Bearer cat_at_x"}),
    ],
)
async def test_a_token_that_is_none_of_ours_is_invalid(house: House, credentials: str) -> None:
    """OAuth 2.1 §5.1.1, §5.2, §5.3.2."""
    error = await refused(house, credentials)
    assert error.status == 401
    told = challenge_of(error)
    assert told["error"] == "invalid_token"
    assert told["resource_metadata"] == PRM
    assert told["scope"] == "read write"
    assert told["error_description"]


@pytest.mark.parametrize("scheme", ["", "Token "])
async def test_a_token_without_its_scheme_is_not_shown(
    house: House, token: str, scheme: str
) -> None:
    """What is refused may still be a secret."""
    error = await refused(house, f"{scheme}{token}")
    assert error.status == 401
    assert token[:12] not in f"{error} {error.arrived} {error.fields}"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_has_no_case(house: House, token: str, scheme: str) -> None:
    """OAuth 2.1 §5.1.1; RFC 9110 §11.4."""
    fields = {"authorization": f"{scheme} {token}"}
    principal = await house.resource.authenticate(request_of("POST", "/mcp", fields=fields))
    assert principal.username == "alice"
    assert principal.issuer == "http://127.0.0.1:8000"


@case("S3", "a token is invalid from the second on in which it ends, remembered or not")
async def test_a_token_expires_also_while_it_is_remembered(
    house: House, token: str, clock: Clock
) -> None:
    """OAuth 2.1 §5.3.2."""
    clock.forward(899)
    assert await house.is_good(token)
    clock.forward(1)
    error = await refused(house, f"Bearer {token}")
    assert challenge_of(error)["error"] == "invalid_token"
    assert "expired 0 s ago" in challenge_of(error)["error_description"]


@case("S3", "a token that was taken back is invalid at once")
async def test_a_revoked_token_is_invalid(house: House, token: str) -> None:
    """OAuth 2.1 §5.3.2; RFC 7009 §2.1."""
    principal = await house.call(token)
    form = {"client_id": principal.client_id, "token": token}
    assert (await house.post("/revoke", form)).status == 200
    assert challenge_of(await refused(house, f"Bearer {token}"))["error"] == "invalid_token"


@pytest.mark.parametrize(
    "audience",
    [
        *each(
            case("S4", "a token for another resource, or for none, is invalid"),
            {
                "other": "https://other.example/mcp",
                "prefix": "http://127.0.0.1:8000/",
                "longer": "http://127.0.0.1:8000/mcp/x",
                "missing": "",
            },
        ),
        *each(
            case("S14", "what is told of it fits into one field, whatever it was"),
            {"hostile": 'https://x.example/"\\\r\nSet-Cookie: a=b\x7f\u00e9'},
        ),
    ],
)
async def test_a_token_for_another_resource_is_invalid(
    house: House, token: str, audience: str
) -> None:
    """RFC 8707 §2; MCP 2026-07-28 basic/authorization §token-handling."""
    await house.database.write(lambda s: s.run("UPDATE oauth_families SET resource = ?", audience))
    told = challenge_of(await refused(house, f"Bearer {token}"))
    assert told["error"] == "invalid_token"
    assert re.fullmatch(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+", told["error_description"])


async def test_a_token_in_the_address_is_not_seen(house: House, token: str) -> None:
    """OAuth 2.1 §5.1."""
    error = await refused(house, target=f"/mcp?access_token={token}")
    assert error.status == 401
    assert "error" not in challenge_of(error)


async def test_two_authorization_fields_are_a_bad_request(house: House, token: str) -> None:
    """OAuth 2.1 §5.3.2."""
    error = await refused(house, f"Bearer {token}", f"Bearer {token}")
    assert error.status == 400
    assert challenge_of(error)["error"] == "invalid_request"


async def test_a_call_that_needs_more_is_told_everything_that_it_needs(
    house: House, token: str
) -> None:
    """OAuth 2.1 §5.3.2; MCP 2026-07-28 basic/authorization §scope-challenge-handling: S8, U1."""
    principal = replace(await house.call(token), scopes=frozenset())
    error = house.resource.insufficient(principal, frozenset({"write", "read"}))
    assert error.status == 403
    told = challenge_of(error)
    assert told["error"] == "insufficient_scope"
    assert told["scope"] == "read write"
    assert told["resource_metadata"] == PRM


async def test_another_process_learns_of_a_revocation_within_a_second(
    house: House, token: str, clock: Clock
) -> None:
    """RFC 7009 §2.1: V8. What is remembered is trusted for a second."""
    await house.call(token)
    row = await house.database.one("SELECT id FROM oauth_families")
    assert row is not None
    await house.stores.grants.revoke_family(str(row["id"]), clock())
    assert await house.is_good(token), "nobody told this process"
    clock.forward(1)
    assert not await house.is_good(token)


async def test_a_remembered_token_costs_no_question(house: House, token: str) -> None:
    """What makes a call fast: storage is asked once a second."""
    asked: list[str] = []
    stop = house.trace.observe(lambda event: asked.append(event.name))
    first = await house.call(token)
    assert await house.call(token) == first
    stop()
    assert asked == ["bearer.valid"] * 2
    await house.database.close()
    assert await house.call(token) == first


async def test_what_is_remembered_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody fills the memory with tokens."""
    monkeypatch.setattr(resource_module, "CACHED", 3)
    await house.user()
    issued = [
        await house.administration.issue_token("alice", frozenset({"read"}), 60) for _ in range(6)
    ]
    for secret, _ in issued:
        await house.call(secret.reveal())
    assert len(house.resource._cache) == len(house.resource._families) == 3


async def test_a_token_of_another_database_is_invalid(house: House, token: str) -> None:
    """OAuth 2.1 §5.2."""
    await house.database.write(lambda s: s.run("DELETE FROM oauth_access_tokens"))
    other = ResourceServer(house.settings, house.stores, clock=house.clock, trace=house.trace)
    with pytest.raises(HttpError):
        await other.authenticate(
            request_of("POST", "/mcp", fields={"authorization": f"Bearer {token}"})
        )

"""The whole way, and what shortens it.

MCP 2026-07-28 basic/authorization §authorization-flow-steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from catshop.client.oauth.account import Move, decide
from catshop.client.oauth.challenges import Challenge
from catshop.client.oauth.grants import Tokens
from catshop.client.oauth.keys import SigningKey
from catshop.client.oauth.memory import Held, Memory
from catshop.client.oauth.registration import Client, Introduction
from catshop.client.oauth.scopes import select
from catshop.client.oauth.sign_in import Occasion, Way, sign_in
from catshop.client.oauth.steps import Browse, Landed, Reply
from catshop.kernel import Secret
from tests.client.oauth.play import (
    ISSUER,
    URL,
    Played,
    guarded,
    json_reply,
    metadata,
    play,
    protected,
    sources,
)

CALLBACK = "http://127.0.0.1:4711/callback"
WAY = Way(Introduction("A client", CALLBACK))
KNOWN = Client("me", ISSUER, redirect_uris=(CALLBACK,))
HELD = Held(
    Tokens(
        ISSUER, URL, "me", Secret("old"), refresh_token=Secret("rt"), scopes=("a",), asked=("a",)
    )
)
TOKEN = {"access_token": "at", "token_type": "Bearer"}
DOCUMENTS = (json_reply(protected()), json_reply(metadata()))
REDIRECT = Landed(urlencode({"code": "c", "state": f"{1:043d}"}))


def memory(*, client: Client | None = KNOWN, held: Held | None = HELD) -> Memory:
    empty = Memory()
    empty = empty.with_client(client) if client else empty
    return empty.with_held(held) if held else empty


def occasion(known: Memory, challenge: Challenge | None = None, **more: Any) -> Occasion:
    return replace(Occasion(URL, WAY, known, sources(), challenge), **more)


def asked_scope(played: Played[Any]) -> list[str]:
    pages = [step for step in played.steps if isinstance(step, Browse)]
    return parse_qs(urlsplit(pages[-1].url).query).get("scope", [])


def test_the_whole_way_from_nothing_to_a_token() -> None:
    """§authorization-flow-steps: documents, registration, page, token."""
    registered = json_reply({"client_id": "new"}, 201)
    answers = [*DOCUMENTS, registered, REDIRECT, json_reply(TOKEN)]
    played = play(sign_in(occasion(Memory())), answers)
    assert [urlsplit(url).path for url in played.urls] == [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/register",
        "/authorize",
        "/token",
    ]
    kept = played.result.remembered(Memory())
    assert kept.clients[ISSUER].client_id == "new"
    assert kept.held[ISSUER, URL].tokens.access_token == Secret("at")


def test_a_refresh_token_spares_the_user_the_page() -> None:
    """OAuth 2.1 §4.3; the documents are read anew all the same."""
    played = play(sign_in(occasion(memory())), [*DOCUMENTS, json_reply(TOKEN)])
    assert played.form()["grant_type"] == "refresh_token"


def test_a_refresh_token_that_has_ended_leads_to_the_page() -> None:
    """OAuth 2.1 §3.2.4: invalid_grant, and nothing else, means that the user must sign in."""
    refused = json_reply({"error": "invalid_grant"}, 400)
    answers = [*DOCUMENTS, refused, REDIRECT, json_reply(TOKEN)]
    assert play(sign_in(occasion(memory())), answers).result.held.tokens.refresh_token is None
    busy = json_reply({"error": "temporarily_unavailable"}, 503)
    assert play(sign_in(occasion(memory())), [*DOCUMENTS, busy]).code == "E-OAC-18"


def test_credentials_stay_behind_when_the_authorization_server_moves() -> None:
    """MCP 2026-07-28 basic/authorization/client-registration §authorization-server-binding."""
    moved = "https://new.example"
    documents = (
        json_reply(protected(authorization_servers=[moved])),
        json_reply(metadata(moved)),
    )
    registered = json_reply({"client_id": "at-the-new-one"}, 201)
    answers = [*documents, registered, REDIRECT, json_reply(TOKEN)]
    played = play(sign_in(occasion(memory())), answers)
    assert all("=rt" not in str(getattr(step, "body", "")) for step in played.steps)
    assert played.form()["client_id"] == "at-the-new-one"
    kept = played.result.remembered(memory())
    assert set(kept.clients) == {ISSUER, moved}
    assert set(kept.held) == {(moved, URL)}


def test_a_client_that_was_forgotten_registers_again_once() -> None:
    """OAuth 2.1 §3.2.4: invalid_client."""
    gone = json_reply({"error": "invalid_client"}, 401)
    registered = json_reply({"client_id": "again"}, 201)
    answers = [*DOCUMENTS, gone, registered, REDIRECT, json_reply(TOKEN)]
    played = play(sign_in(occasion(memory())), answers)
    assert played.result.client.client_id == "again"
    twice = [*DOCUMENTS, gone, registered, REDIRECT, gone]
    assert play(sign_in(occasion(memory())), twice).code == "E-OAC-18"


def test_a_step_up_asks_for_what_is_needed_and_for_all_that_was_asked_before() -> None:
    """§step-up-authorization-flow: the union, by the page and not by a refresh."""
    more = Challenge("bearer", {"error": "insufficient_scope", "scope": "b"})
    played = play(sign_in(occasion(memory(), more)), [*DOCUMENTS, REDIRECT, json_reply(TOKEN)])
    assert asked_scope(played) == ["a b"]
    assert played.result.held.tokens.asked == ("a", "b")


@pytest.mark.parametrize(
    ("challenged", "document", "offered", "before", "expected"),
    [
        ("b c", ("a",), (), (), ("b", "c")),
        (None, ("a", "b"), (), (), ("a", "b")),
        (None, None, (), (), ()),
        (None, (), (), (), ()),
        ("b", None, (), ("a",), ("a", "b")),
        (None, ("a", "b"), (), ("a",), ("a",)),
        ("a", None, ("offline_access",), (), ("a", "offline_access")),
        ("a offline_access", None, ("a",), (), ("a",)),
        (None, None, ("offline_access",), (), ()),
    ],
)
def test_scopes_are_what_the_call_needs(
    challenged: str | None,
    document: tuple[str, ...] | None,
    offered: tuple[str, ...],
    before: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    """MCP 2026-07-28 basic/authorization §scope-selection-strategy, §refresh-tokens.

    `offline_access` is the scope of OpenID Connect Core 1.0 §11.
    """
    found = guarded(scopes=offered)
    found = replace(found, resource=replace(found.resource, scopes=document))
    challenge = Challenge("bearer", {"scope": challenged}) if challenged else None
    assert select(found, challenge, before) == expected


def test_a_resource_that_wants_proof_of_possession_gets_a_bound_token() -> None:
    """RFC 9449 §7.1; RFC 9728 §2."""
    documents = (
        json_reply(protected(dpop_bound_access_tokens_required=True)),
        json_reply(metadata(dpop_signing_alg_values_supported=["ES256"])),
    )
    token = json_reply(TOKEN | {"token_type": "DPoP"})
    played = play(sign_in(occasion(memory(held=None))), [*documents, REDIRECT, token])
    assert played.header("DPoP") is not None
    assert played.result.held.key is not None


@pytest.mark.parametrize("portable", [True, False])
def test_a_choice_between_bound_and_portable_is_the_client_s(*, portable: bool) -> None:
    """RFC 9449 §7.2: both may be offered. Where a program without a key is to use the token, it
    must not be bound to one, and what was bound before is no help."""
    documents = (
        json_reply(protected()),
        json_reply(metadata(dpop_signing_alg_values_supported=["ES256"])),
    )
    token = json_reply(TOKEN | {"token_type": "Bearer" if portable else "DPoP"})
    bound = replace(HELD, key=SigningKey.generate())
    asked = occasion(
        memory(held=bound if portable else None),
        Challenge("dpop", {}),
        way=replace(WAY, portable=portable),
    )
    played = play(sign_in(asked), [*documents, REDIRECT, token])
    assert (played.header("DPoP") is None) is portable
    assert (played.result.held.key is None) is portable


def test_a_proof_that_cannot_be_made_ends_the_way() -> None:
    """RFC 9449 §5.1."""
    documents = (
        json_reply(protected(dpop_bound_access_tokens_required=True)),
        json_reply(metadata(dpop_signing_alg_values_supported=["RS256"])),
    )
    assert play(sign_in(occasion(memory(held=None))), documents).code == "E-OAC-21"


def refused(status: int, **fields: str) -> Reply:
    return Reply(status, [(name.replace("_", "-"), value) for name, value in fields.items()])


def scopes(needed: str) -> Challenge:
    return Challenge("bearer", {"error": "insufficient_scope", "scope": needed})


SCOPELESS = Challenge("bearer", {"error": "insufficient_scope"})
NONCELESS = Challenge("dpop", {"error": "use_dpop_nonce"})


@pytest.mark.parametrize(
    ("reply", "challenge", "granted", "expected"),
    [
        (refused(401), None, (), Move.SIGN_IN),
        (refused(401), Challenge("bearer", {"error": "invalid_token"}), ("a",), Move.SIGN_IN),
        (refused(401, dpop_nonce="n"), NONCELESS, (), Move.AGAIN),
        (refused(401), NONCELESS, (), Move.GIVE_UP),
        (refused(403), None, (), Move.GIVE_UP),
        (refused(403), SCOPELESS, ("a",), Move.SIGN_IN),
        (refused(403), scopes("b"), ("a",), Move.SIGN_IN),
        (refused(403), scopes("a"), ("a",), Move.GIVE_UP),
        (refused(403), Challenge("bearer", {"error": "something"}), (), Move.GIVE_UP),
    ],
)
def test_a_refusal_is_answered_by_what_it_says(
    reply: Reply, challenge: Challenge | None, granted: tuple[str, ...], expected: Move
) -> None:
    """OAuth 2.1 §5.3.2; RFC 9449 §9; MCP 2026-07-28 basic/authorization §error-handling."""
    assert decide(reply, challenge, granted) is expected


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:6379/",
        "http://localhost/",
        "http://[::1]/",
        "https://localhost./",
        "https://printer.localhost/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/",
        "https://[::ffff:192.168.0.1]/",
        "https://[fd00::1]/",
    ],
)
@pytest.mark.parametrize("by", ["challenge", "resource", "metadata", "page"])
def test_a_server_elsewhere_leads_nowhere_on_this_machine_or_its_network(
    place: str, by: str
) -> None:
    """RFC 9728 §7.7: what only we can reach is not asked for a stranger."""
    challenge = Challenge("bearer", {"resource_metadata": place}) if by == "challenge" else None
    issuers, endpoint = [place.rstrip("/")], f"{place}x"
    answers: list[Reply | Landed] = {
        "challenge": [],
        "resource": [json_reply(protected(authorization_servers=issuers))],
        "metadata": [json_reply(protected()), json_reply(metadata(token_endpoint=endpoint))],
        "page": [json_reply(protected()), json_reply(metadata(authorization_endpoint=endpoint))],
    }[by]
    answers += [REDIRECT] if by == "metadata" else []
    played = play(sign_in(occasion(memory(held=None), challenge)), answers)
    assert played.code == "E-OAC-01"
    assert all(urlsplit(url).hostname in ("shop.example", "auth.example") for url in played.urls)


def test_a_server_on_this_machine_may_lead_to_another_one_there() -> None:
    """RFC 9728 §7.7: there is no more to be reached than it can reach itself."""
    url, issuer = "http://127.0.0.1:8000/mcp", "http://localhost:9000"
    answers = [
        json_reply(protected(resource=url, authorization_servers=[issuer])),
        json_reply(metadata(issuer)),
        json_reply({"client_id": "new"}, 201),
        REDIRECT,
        json_reply(TOKEN),
    ]
    assert play(sign_in(occasion(Memory(), url=url)), answers).code is None


def test_no_token_is_had_for_a_server_that_others_could_read_along_with() -> None:
    """OAuth 2.1 §1.5: it would be shown in clear with each request."""
    told = Challenge("bearer", {"resource_metadata": "https://shop.example/about"})
    played = play(sign_in(occasion(memory(), told, url="http://shop.example/mcp")), [])
    assert (played.code, played.urls) == ("E-OAC-01", [])


@pytest.mark.parametrize("token", ["a b", "a\r\nb", "\u00e9", "\ud800", "\x1b[2J", "="])
def test_a_token_that_no_field_can_carry_is_none(token: str) -> None:
    """OAuth 2.1 §5.1.1: b64token."""
    answers = [*DOCUMENTS, REDIRECT, json_reply({**TOKEN, "access_token": token})]
    assert play(sign_in(occasion(memory(held=None))), answers).code == "E-OAC-13"


def test_half_a_character_in_an_answer_is_no_answer() -> None:
    """RFC 8259 §8.2: it could not be sent again."""
    registered = json_reply({"client_id": "\ud800"}, 201)
    assert play(sign_in(occasion(Memory())), [*DOCUMENTS, registered]).code == "E-OAC-08"


def test_what_is_no_scope_in_an_answer_is_not_kept() -> None:
    """RFC 6749 §3.3: it is shown to a person."""
    answers = [*DOCUMENTS, REDIRECT, json_reply({**TOKEN, "scope": 'a \x1b[2J \u202eb c"d e'})]
    played = play(sign_in(occasion(memory(held=None))), answers)
    assert played.result.held.tokens.scopes == ("a", "e")

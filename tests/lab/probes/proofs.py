"""Probes of signed proofs and of secrets."""

from __future__ import annotations

import hashlib
import json

import httpx2

from tests.lab.world import Guest, World, fields, hold, message, probe
from tests.oauth.keys import assertion, base64url, proof, public_set, shown
from tests.support.hosting import BOTH


async def bound(w: World) -> Guest:
    """A client whose tokens are bound to its key."""
    guest = await w.guest()
    code = await guest.code_for(w.name())
    sent = {
        "grant_type": "authorization_code",
        "client_id": guest.client_id,
        "code": code,
        "code_verifier": guest.verifier,
    }
    token = f"{w.url}/token"
    answer = await w.http.post(token, data=sent, headers={"DPoP": proof(token, w.clock)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    guest.tokens = answer.json()
    return guest


def hashed(token: str) -> str:
    """`ath`. RFC 9449 §4.2."""
    return base64url(hashlib.sha256(token.encode()).digest())


def about(w: World, guest: Guest, **claims: object) -> str:
    """A proof for a call of the shop with the guest's token, but for these claims."""
    ath = hashed(guest.tokens["access_token"])
    uri = str(claims.pop("htu", w.mcp))
    return proof(uri, w.clock, **{"ath": ath, **claims})


async def call(w: World, guest: Guest, made: str) -> httpx2.Response:
    bearing = {"Authorization": f"DPoP {guest.tokens['access_token']}", "DPoP": made}
    headers = {**bearing, **fields(), "Accept": BOTH}
    return await w.http.post(w.mcp, json=message(), headers=headers)


@probe("proof-replayed")
async def a_proof_is_good_once(w: World) -> None:
    guest = await bound(w)
    made = about(w, guest)
    assert (await call(w, guest, made)).status_code == 200
    answer = await call(w, guest, made)
    hold(answer.status_code == 401, answer.status_code)


async def is_refused(w: World, **claims: object) -> None:
    guest = await bound(w)
    answer = await call(w, guest, about(w, guest, **claims))
    hold(answer.status_code == 401, answer.status_code)


@probe("dpop-ath-skipped")
async def a_proof_for_another_token_is_refused(w: World) -> None:
    await is_refused(w, ath=hashed("another token"))


@probe("dpop-method-skipped")
async def a_proof_for_another_method_is_refused(w: World) -> None:
    await is_refused(w, htm="GET")


@probe("dpop-address-skipped")
async def a_proof_for_another_address_is_refused(w: World) -> None:
    await is_refused(w, htu="https://elsewhere.example/mcp")


@probe("dpop-time-skipped")
async def an_old_proof_is_refused(w: World) -> None:
    await is_refused(w, iat=int(w.clock().timestamp()) - 86_400)


async def signing(w: World) -> str:
    """The id of a client that proves itself with a key."""
    guest = await w.guest(
        grant_types=["client_credentials"],
        redirect_uris=[],
        token_endpoint_auth_method="private_key_jwt",
        jwks=public_set("ec"),
    )
    return guest.client_id


async def asked_with(w: World, made: str) -> int:
    sent = {"grant_type": "client_credentials", **shown(made)}
    return (await w.http.post(f"{w.url}/token", data=sent)).status_code


@probe("jwt-alg-none")
async def an_assertion_that_nobody_signed_is_refused(w: World) -> None:
    client = await signing(w)
    signed = assertion(client, w.clock, aud=w.url)
    assert await asked_with(w, signed) == 200
    claims = assertion(client, w.clock, aud=w.url).split(".")[1]
    head = base64url(json.dumps({"alg": "none"}).encode())
    status = await asked_with(w, f"{head}.{claims}.")
    hold(status == 401, status)


@probe("jwt-audience-skipped")
async def an_assertion_for_another_server_is_refused(w: World) -> None:
    made = assertion(await signing(w), w.clock, aud="https://elsewhere.example")
    status = await asked_with(w, made)
    hold(status == 401, status)


@probe("client-secret-ignored")
async def a_wrong_secret_is_refused(w: World) -> None:
    guest = await w.guest(
        grant_types=["client_credentials"],
        redirect_uris=[],
        token_endpoint_auth_method="client_secret_post",
    )
    answer = await guest.grant("client_credentials", client_secret="a guess")
    hold(answer.status_code == 401, answer.status_code)

"""Clients that prove who they are, over real sockets: what they get, and what a restart forgets."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from tests.oauth.keys import assertion, public_set, shown
from tests.support.program import serving
from tests.support.terminal import Terminal

ITSELF: dict[str, Any] = {"grant_types": ["client_credentials"], "scope": "read write"}


def now() -> datetime:
    """The clock of the shop, which runs in a process of its own."""
    return datetime.now(UTC)


async def test_a_client_alone_sees_the_catalog_and_owns_no_cart(tmp_path: Path) -> None:
    """OAuth 2.1 §4.2: T25. No tool is run for a user that is not there."""
    asked = {**ITSELF, "token_endpoint_auth_method": "client_secret_basic"}
    grant = {"grant_type": "client_credentials", "scope": "read write"}
    async with httpx2.AsyncClient() as http:
        with serving(tmp_path) as shop:
            told = (await http.post(f"{shop.url}/register", json=asked)).json()
            proof = (told["client_id"], told["client_secret"])
            answer = await http.post(f"{shop.url}/token", data=grant, auth=proof)
            robot = Terminal(shop.url, http, http, tokens=answer.json())
            assert (await robot.call("list_products"))["result"]
            refused = await robot.ask("tools/call", name="view_cart", arguments={})
            result = refused.json()["result"]
            assert result["isError"] is True
            assert result["_meta"]["catshop/code"] == "E-TOOL-03"
            token = {"token": robot.tokens["access_token"]}
            found = await http.post(f"{shop.url}/introspect", data=token, auth=proof)
            assert (found.json()["active"], "username" in found.json()) == (True, False)


async def test_a_spent_assertion_is_spent_in_the_next_process_too(tmp_path: Path) -> None:
    """RFC 7523 §3: T28."""
    asked = {**ITSELF, "token_endpoint_auth_method": "private_key_jwt", "jwks": public_set("ed")}
    grant = {"grant_type": "client_credentials"}
    async with httpx2.AsyncClient() as http:
        with serving(tmp_path) as shop:
            told = (await http.post(f"{shop.url}/register", json=asked)).json()
            proof = shown(assertion(told["client_id"], now, "ed", aud=shop.url))
            first = await http.post(f"{shop.url}/token", data={**grant, **proof})
            assert first.status_code == 200, first.text
            shop.process.send_signal(signal.SIGKILL)
            shop.wait()
            port = shop.url.rpartition(":")[2]
        with serving(tmp_path, "--port", port):
            again = await http.post(f"{shop.url}/token", data={**grant, **proof})
            assert (again.status_code, again.json()["error"]) == (401, "invalid_client")

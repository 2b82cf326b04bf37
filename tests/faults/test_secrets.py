"""No secret is where it was not sent: not in the database, its journal, or the most talkative log.

The real program, with every exchange traced, through a whole conversation; then every octet that it
has left on the disk is searched for what was minted, typed and signed. OAuth 2.1 §7.1.3.
"""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest

from catshop.kernel import utc_now
from tests.oauth.cases import case
from tests.oauth.keys import assertion, public_set, shown
from tests.support.person import CALLBACK
from tests.support.program import Serving, serving
from tests.support.terminal import PASSWORD, Terminal

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@case("F13", "no token, code, verifier, password or secret in the database, its journal or the log")
@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
async def test_no_secret_is_left_on_the_disk(tmp_path: Path, token_format: str) -> None:
    """OAuth 2.1 §7.1.3; RFC 6819 §5.1.4.1."""
    flags = ("--trace", "--token-format", token_format)
    async with httpx2.AsyncClient(timeout=30) as http, httpx2.AsyncClient(timeout=30) as browser:
        with serving(tmp_path, *flags) as shop:
            kept = await conversation(Terminal(shop.url, http, browser))
            kept |= await machines(shop, http)
            files = left_in(tmp_path)
    kept["key"] = files.pop("catshop.db.key").decode().strip()
    assert set(files) == {"catshop.db", "catshop.db-wal", "catshop.db-shm", "serve.log"}
    assert b"INSERT INTO oauth_refresh_tokens" in files["serve.log"], "the trace shows it all"
    stored = files["catshop.db"] + files["catshop.db-wal"]
    assert sha256(kept["refresh_token"].encode()).hexdigest().encode() in stored
    for name, secret in kept.items():
        for form in forms(secret):
            assert [file for file, octets in files.items() if form in octets] == [], name


def left_in(folder: Path) -> dict[str, bytes]:
    """Every file of the folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def forms(secret: str) -> list[bytes]:
    """How somebody could have written it; of a token, the random part is enough."""
    plain = secret.encode()
    random = re.sub(r"^cat_[a-z]{2}_", "", secret).rpartition(".")[2].encode()
    assert len(random) >= 8, "so little is found by chance"
    return [plain, random, base64.b64encode(plain), plain.hex().encode()]


async def conversation(alice: Terminal) -> dict[str, str]:
    """Sign-up, tokens, a call, a refresh, its retry and its theft; what was secret in it."""
    await alice.register()
    code = await alice.code("alice")
    kept = {"password": PASSWORD, "code": code, "verifier": alice.verifier}
    kept |= {f"cookie {name}": value for name, value in alice.browser.cookies.items()}
    await alice.redeem("cat_ac_" + "wrong" * 9)
    assert (await alice.redeem(code)).status_code == 200
    first = alice.tokens
    kept |= {"first access": first["access_token"], "first refresh": first["refresh_token"]}
    assert (await alice.ask("tools/list")).status_code == 200
    assert (await alice.refresh()).status_code == 200
    kept |= {name: alice.tokens[name] for name in ("access_token", "refresh_token")}
    assert (await alice.ask("tools/list")).status_code == 200
    bad = {"token": alice.tokens["access_token"], "client_id": alice.client_id}
    assert (await alice.http.post(f"{alice.url}/revoke", data=bad)).status_code == 200
    assert (await alice.redeem(code)).status_code == 400
    return kept


async def machines(shop: Serving, http: httpx2.AsyncClient) -> dict[str, str]:
    """Clients with a secret, with a key, and with a device; what was secret in it."""
    asked: dict[str, Any] = {
        "redirect_uris": [CALLBACK],
        "grant_types": ["client_credentials", DEVICE],
        "token_endpoint_auth_method": "client_secret_basic",
    }
    told = (await http.post(f"{shop.url}/register", json=asked)).json()
    own = (told["client_id"], told["client_secret"])
    grant = {"grant_type": "client_credentials"}
    granted = (await http.post(f"{shop.url}/token", data=grant, auth=own)).json()
    token = {"token": granted["access_token"]}
    found = await http.post(f"{shop.url}/introspect", data=token, auth=own)
    assert found.json()["active"] is True
    begun = await http.post(f"{shop.url}/device_authorization", data={"scope": "read"}, auth=own)
    device = begun.json()
    poll = {"grant_type": DEVICE, "device_code": device["device_code"]}
    assert (await http.post(f"{shop.url}/token", data=poll, auth=own)).status_code == 400
    bearer = {"authorization": f"Bearer {told['registration_access_token']}"}
    assert (await http.get(told["registration_client_uri"], headers=bearer)).status_code == 200
    keyed = {"token_endpoint_auth_method": "private_key_jwt", "jwks": public_set("ec")}
    other = (await http.post(f"{shop.url}/register", json=asked | keyed)).json()
    proof = shown(assertion(other["client_id"], utc_now, aud=shop.url))
    assert (await http.post(f"{shop.url}/token", data={**grant, **proof})).status_code == 200
    return {
        "client_secret": told["client_secret"],
        "registration_access_token": told["registration_access_token"],
        "machine access": granted["access_token"],
        "device_code": device["device_code"],
        "user_code": device["user_code"],
        "client_assertion": proof["client_assertion"],
    }

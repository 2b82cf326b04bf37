"""One visit to the shop, recorded: what its exchanges are, and which secrets they held."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from urllib.parse import quote

import httpx2

from catshop.inspector.files import Files
from catshop.inspector.recorder import Memory, Recorder
from catshop.inspector.recording import Recording
from catshop.inspector.redact import Redactor
from catshop.kernel import Trace
from tests.support.hosting import BOTH, ENVELOPE, MODERN
from tests.support.person import CALLBACK, Person
from tests.support.shop import open_shop

PASSWORD = "correct horse battery"
VERIFIER = "a-code-verifier-of-this-test-which-is-long-enough-0"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)


Visit = tuple[Recording, Path, list[str]]


def recorder() -> tuple[Recorder, Memory]:
    """A recorder, and what it remembers."""
    made = Recorder(redactor=Redactor(b"a key of this test"))
    memory = Memory(started=made.started)
    made.watch(memory)
    return made, memory


async def visited(tmp_path: Path) -> Visit:
    """A person signs in, a client errs once and then calls a tool that streams; and its secrets."""
    trace = Trace()
    made, memory = recorder()
    files = Files(tmp_path / "r.jsonl", made.started)
    made.watch(files)
    trace.observe(made)
    hidden = [PASSWORD, quote(PASSWORD), VERIFIER]
    async with open_shop(tmp_path, trace) as shop, httpx2.AsyncClient() as client:
        assert (await client.post(shop.mcp)).status_code == 401
        wanted = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        born = (await client.post(f"{shop.url}/register", json=wanted)).json()
        asked = {
            "response_type": "code",
            "client_id": born["client_id"],
            "redirect_uri": CALLBACK,
            "state": "the-state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "scope": "read write",
            "resource": shop.mcp,
        }
        person = Person(client, "alice", PASSWORD)
        await person.open(f"{shop.url}/authorize?{httpx2.QueryParams(asked)}")
        form = {
            "grant_type": "authorization_code",
            "code": person.answer.code,
            "client_id": born["client_id"],
            "redirect_uri": CALLBACK,
            "resource": shop.mcp,
        }
        wrong = {**form, "code_verifier": VERIFIER[::-1]}
        assert (await client.post(f"{shop.url}/token", data=wrong)).status_code == 400
        right = {**form, "code_verifier": VERIFIER}
        tokens = (await client.post(f"{shop.url}/token", data=right)).json()
        hidden += [person.answer.code, tokens["access_token"], tokens["refresh_token"]]
        hidden += [value for value in client.cookies.values()]
        message = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {
                "name": "restock_report",
                "arguments": {"pace_ms": 1},
                "_meta": {**ENVELOPE, "progressToken": "p"},
            },
        }
        headers = {
            "Authorization": f"Bearer {tokens['access_token']}",
            "Accept": BOTH,
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "restock_report",
        }
        assert (await client.post(shop.mcp, json=message, headers=headers)).status_code == 200
    files.close()
    return memory.recording(), tmp_path / "r.jsonl", hidden

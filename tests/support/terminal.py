"""A public client by hand, whose user signs up and allows: for talks that the SDK cannot have."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2

from tests.support.hosting import BOTH, ENVELOPE, MODERN
from tests.support.person import CALLBACK, Person

PASSWORD = "whiskers and string"


@dataclass
class Terminal:
    """One client of the shop at `url`; `http` carries it, and `browser` its user's pages."""

    url: str
    http: httpx2.AsyncClient
    browser: httpx2.AsyncClient
    name: str = "A terminal"
    callback: str = CALLBACK
    client_id: str = ""
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    tokens: dict[str, Any] = field(default_factory=dict)

    async def register(self) -> None:
        """Become known. RFC 7591 §3.1."""
        asked = {
            "client_name": self.name,
            "redirect_uris": [self.callback],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        }
        answer = await self.http.post(f"{self.url}/register", json=asked)
        assert answer.status_code == 201, answer.text
        self.client_id = answer.json()["client_id"]

    def asking(self, **more: str) -> str:
        """The address that asks for access. OAuth 2.1 §4.1.1."""
        hashed = hashlib.sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
        sent = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "scope": "read write",
            "resource": f"{self.url}/mcp",
            **more,
        }
        return f"{self.url}/authorize?{urlencode(sent)}"

    async def code(self, name: str) -> str:
        """The code for what a new user of that name allows."""
        person = Person(self.browser, name, PASSWORD)
        await person.open(self.asking())
        return person.answer.code

    async def redeem(self, code: str) -> httpx2.Response:
        """Tokens for the code. OAuth 2.1 §4.1.3."""
        sent = {"code": code, "code_verifier": self.verifier, "redirect_uri": self.callback}
        return await self._grant("authorization_code", **sent)

    async def refresh(self) -> httpx2.Response:
        """New tokens for the refresh token. OAuth 2.1 §4.3.1."""
        return await self._grant("refresh_token", refresh_token=self.tokens["refresh_token"])

    async def call(self, tool: str, **arguments: object) -> Any:
        """The structured content of a call that must succeed, in the stateless era."""
        answer = await self.ask("tools/call", name=tool, arguments=arguments)
        assert answer.status_code == 200, answer.text
        result = answer.json()["result"]
        assert not result["isError"], result
        return result["structuredContent"]

    async def ask(self, method: str, **params: object) -> httpx2.Response:
        """One request of the stateless era."""
        fields = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        if "name" in params:
            fields["Mcp-Name"] = str(params["name"])
        body = {"_meta": ENVELOPE, **params}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": body}
        return await self.post(message, **fields)

    async def post(self, message: object, **fields: str) -> httpx2.Response:
        """One message with the access token."""
        bearer = {"Authorization": f"Bearer {self.tokens['access_token']}", "Accept": BOTH}
        return await self.http.post(f"{self.url}/mcp", json=message, headers={**bearer, **fields})

    async def _grant(self, kind: str, **sent: str) -> httpx2.Response:
        form = {"grant_type": kind, "client_id": self.client_id, **sent}
        answer = await self.http.post(f"{self.url}/token", data=form)
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer
